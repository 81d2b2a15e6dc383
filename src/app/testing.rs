//! Torrents for the tests of this room.

use crate::proto::metainfo::{Attributes, Content, Draft, Extras, Metainfo};

/// A torrent of one file of one byte.
pub(super) fn single_file(name: &str) -> Metainfo {
    torrent(name, Content::Single(1, Attributes::NONE))
}

/// A torrent of this content, in a single piece of 16 KiB.
pub(super) fn torrent(name: &str, content: Content) -> Metainfo {
    let draft = Draft {
        name: name.into(),
        content,
        piece_len: 16 << 10,
        digests: vec![0; 20],
        private: false,
        source: None,
        extras: Extras::default(),
    };
    Metainfo::parse(&draft.to_bytes()).unwrap()
}
