//! Writing of v1 torrent files.

use super::{Attributes, Extras, Metainfo};
use crate::base::Untrusted;
use crate::proto::bencode::{DictWriter, dict};

/// The content of a torrent file that is to be written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// The name of the file, or of the directory that holds the files.
    pub name: String,
    /// The files, or the single file.
    pub content: Content,
    /// The piece length in bytes; see [`auto_piece_len`].
    pub piece_len: u32,
    /// The SHA-1 digests of all pieces, concatenated.
    pub digests: Vec<u8>,
    /// Whether peers may come from trackers only (BEP 27).
    pub private: bool,
    /// The site that the torrent is published on; part of the info dictionary, so it changes the info-hash.
    pub source: Option<String>,
    /// The keys outside the info dictionary, which do not change the info-hash.
    pub extras: Extras,
}

/// The files of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A single file of this length in bytes, with the torrent's name.
    Single(u64, Attributes),
    /// Files in a directory with the torrent's name.
    Several(Vec<DraftFile>),
}

/// A file of a multi-file torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DraftFile {
    /// The components of the path inside the torrent's directory; at least one.
    pub path: Vec<String>,
    /// The length of the file in bytes.
    pub len: u64,
    /// The attributes of the file (BEP 47).
    pub attributes: Attributes,
}

impl Draft {
    /// Returns the torrent file.
    pub fn to_bytes(&self) -> Vec<u8> {
        torrent_file(self.info_bytes(), None, &self.extras)
    }

    /// Returns the info dictionary, from which the info-hash is computed.
    pub fn info_bytes(&self) -> Vec<u8> {
        dict(|info| {
            info.bytes("name", &self.name)
                .int("piece length", i64::from(self.piece_len))
                .bytes("pieces", &self.digests);
            match &self.content {
                Content::Single(len, attributes) => {
                    length(info, *len, *attributes);
                }
                Content::Several(files) => {
                    info.list("files", |list| {
                        for file in files {
                            list.dict(|entry| {
                                length(entry, file.len, file.attributes);
                                entry.list("path", |path| {
                                    for component in &file.path {
                                        path.bytes(component);
                                    }
                                });
                            });
                        }
                    });
                }
            }
            if self.private {
                info.int("private", 1);
            }
            if let Some(source) = &self.source {
                info.bytes("source", source);
            }
        })
    }
}

impl Metainfo {
    /// Returns a torrent file with this torrent's unchanged info dictionary and piece layers, and its current
    /// extras.
    pub fn to_bytes(&self) -> Vec<u8> {
        torrent_file(self.raw_info().to_vec(), self.piece_layers.as_deref(), self.extras())
    }
}

/// Chooses a piece length for a torrent of `total` bytes: the power of two from 16 KiB to 16 MiB that makes
/// 1000 to 2000 pieces, if one does.
pub fn auto_piece_len(total: u64) -> u32 {
    let at_least = total.div_ceil(2000).clamp(16 << 10, 16 << 20);
    at_least.next_power_of_two() as u32
}

fn torrent_file(info: Vec<u8>, piece_layers: Option<&[u8]>, extras: &Extras) -> Vec<u8> {
    let mut all = extras.trackers.iter().flatten();
    let (first, has_more) = (all.next(), all.next().is_some());
    let texts = |out: &mut DictWriter, key: &str, texts: &[Untrusted]| {
        if !texts.is_empty() {
            out.list(key, |list| {
                for text in texts {
                    list.bytes(text.raw());
                }
            });
        }
    };
    dict(|out| {
        if let Some(first) = first {
            out.bytes("announce", first.raw());
        }
        if has_more {
            out.list("announce-list", |tiers| {
                for tier in &extras.trackers {
                    tiers.list(|list| {
                        for url in tier {
                            list.bytes(url.raw());
                        }
                    });
                }
            });
        }
        texts(out, "url-list", &extras.web_seeds);
        texts(out, "httpseeds", &extras.http_seeds);
        if !extras.nodes.is_empty() {
            out.list("nodes", |list| {
                for (host, port) in &extras.nodes {
                    list.list(|node| {
                        node.bytes(host.raw()).int(i64::from(*port));
                    });
                }
            });
        }
        let named = [
            ("comment", &extras.comment),
            ("created by", &extras.created_by),
            ("encoding", &extras.encoding),
        ];
        for (key, value) in named {
            if let Some(value) = value {
                out.bytes(key, value.raw());
            }
        }
        if let Some(date) = extras.creation_date {
            out.int("creation date", date);
        }
        out.raw("info", info);
        if let Some(layers) = piece_layers {
            out.raw("piece layers", layers);
        }
    })
}

fn length(out: &mut DictWriter, len: u64, attributes: Attributes) {
    // Lengths above 2^63 make no valid torrent anyway.
    out.int("length", i64::try_from(len).unwrap_or(i64::MAX));
    if attributes != Attributes::NONE {
        out.bytes("attr", attributes.letters());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::bencode::{Limits, scan};

    #[test]
    fn piece_lengths_make_a_good_number_of_pieces() {
        assert_eq!([auto_piece_len(0), auto_piece_len(1), auto_piece_len(20 << 20)], [16 << 10; 3]);
        assert_eq!(auto_piece_len(u64::MAX), 16 << 20);
        for total in (1..30_000_u64).map(|n| n * 1_048_577) {
            let pieces = total.div_ceil(u64::from(auto_piece_len(total)));
            assert!(pieces <= 2000 && (pieces >= 1000 || auto_piece_len(total) == 16 << 10), "{total}");
        }
    }

    #[test]
    fn one_tracker_needs_no_list() {
        let mut draft = Draft {
            name: "a".into(),
            content: Content::Single(3, Attributes::EXECUTABLE),
            piece_len: 16 << 10,
            digests: vec![b'x'; 20],
            private: true,
            source: Some("s".into()),
            extras: Extras { trackers: vec![vec!["udp://t".into()]], ..Extras::default() },
        };
        let text = String::from_utf8(draft.to_bytes()).unwrap();
        let info = "d4:attr1:x6:lengthi3e4:name1:a12:piece lengthi16384e6:pieces20:xxxxxxxxxxxxxxxxxxxx7:privatei1e6:source1:se";
        assert_eq!(text, format!("d8:announce7:udp://t4:info{info}e"));
        draft.extras.trackers.push(vec!["http://u/announce".into()]);
        let text = String::from_utf8(draft.to_bytes()).unwrap();
        assert!(
            text.starts_with("d8:announce7:udp://t13:announce-listll7:udp://tel17:http://u/announceee4:info")
        );
    }

    fn text() -> impl Strategy<Value = String> {
        "[a-zA-Z0-9 éß日]{0,8}[a-z]"
    }

    fn texts() -> impl Strategy<Value = Vec<Untrusted>> {
        prop::collection::btree_set(text().prop_map(|t| Untrusted::new(format!("http://{}", t.trim()))), 0..3)
            .prop_map(|set| set.into_iter().collect())
    }

    prop_compose! {
        fn extras()(
            trackers in prop::collection::btree_set("[a-z]{3,9}", 0..5), split in 1_usize..3,
            web_seeds in texts(), http_seeds in texts(),
            nodes in prop::collection::vec((text().prop_map(Untrusted::new), 1_u16..), 0..3),
            named in prop::array::uniform3(prop::option::of(text().prop_map(Untrusted::new))),
            creation_date in prop::option::of(0_i64..4_000_000_000),
        ) -> Extras {
            let trackers: Vec<Untrusted> = trackers.into_iter().map(|t| Untrusted::new(format!("udp://{t}:1"))).collect();
            let [comment, created_by, encoding] = named;
            let trackers = trackers.chunks(split).map(<[_]>::to_vec).collect();
            Extras { trackers, web_seeds, http_seeds, nodes, comment, created_by, creation_date, encoding }
        }
    }

    prop_compose! {
        fn draft()(
            name in text(),
            files in prop::collection::vec((prop::collection::vec(text(), 0..3), 0_u64..100_000, 0_usize..4), 1..6),
            single in any::<bool>(), private in any::<bool>(), source in prop::option::of(text()), extras in extras(),
        ) -> Draft {
            let attributes = [Attributes::NONE, Attributes::EXECUTABLE, Attributes::HIDDEN, Attributes::PAD];
            let list: Vec<_> = files.into_iter().enumerate().map(|(n, (mut path, len, attr))| {
                path.push(format!("file {n}"));
                DraftFile { path, len: len + 1, attributes: attributes[attr] }
            }).collect();
            let total: u64 = if single { list[0].len } else { list.iter().map(|f| f.len).sum() };
            let digests = (0..total.div_ceil(16_384) * 20).map(|n| (n * 7 % 251) as u8).collect();
            let content = if single { Content::Single(total, Attributes::EXECUTABLE) } else { Content::Several(list) };
            Draft { name, content, piece_len: 16_384, digests, private, source, extras }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(draft in draft()) {
            let bytes = draft.to_bytes();
            let found = scan(&bytes, Limits::TORRENT, b"info").unwrap();
            prop_assert_eq!((found.len, found.unsorted), (bytes.len(), None));
            let read = Metainfo::parse(&bytes).unwrap();
            prop_assert_eq!(read.name().raw(), &draft.name);
            prop_assert_eq!(read.geometry().piece_len(), draft.piece_len);
            prop_assert_eq!(read.piece_hashes().v1().unwrap().as_flattened(), &draft.digests);
            prop_assert_eq!(read.is_private(), draft.private);
            prop_assert_eq!(read.source().map(Untrusted::raw), draft.source.as_deref());
            prop_assert_eq!(read.extras(), &draft.extras);
            prop_assert_eq!(read.raw_info(), draft.info_bytes());
            match &draft.content {
                Content::Single(len, attributes) => {
                    prop_assert!(read.is_single_file());
                    let file = &read.files()[0];
                    prop_assert_eq!((file.len(), file.attributes()), (*len, *attributes));
                }
                Content::Several(files) => {
                    prop_assert_eq!(read.files().len(), files.len());
                    for (file, wanted) in read.files().iter().zip(files) {
                        prop_assert_eq!((file.len(), file.attributes()), (wanted.len, wanted.attributes));
                        prop_assert!(wanted.attributes.is_pad() || file.path().file_name() == wanted.path.last().unwrap());
                    }
                }
            }
            prop_assert_eq!(Metainfo::parse(&read.to_bytes()), Ok(read));
        }
    }
}
