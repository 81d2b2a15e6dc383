//! What can be wrong with a torrent file, and what was passed over.

use std::fmt;

use super::hybrid::HybridError;
use crate::base::{Geometry, GeometryError, Untrusted, units};
use crate::proto::bencode::BencodeError;
use crate::proto::paths::TooManyDirectories;

/// Why bytes are no torrent that can be used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetainfoError {
    /// The bytes are no bencode, or too much of it.
    #[error("the file is not well-formed: {0}")]
    Bencode(#[from] BencodeError),
    /// The outermost value is no dictionary.
    #[error("the file is not a torrent: it holds no dictionary")]
    NoDictionary,
    /// There is no info dictionary.
    #[error("the file is not a torrent: it has no info dictionary")]
    NoInfo,
    /// An info dictionary that stands alone is followed by something.
    #[error("at byte {at}: the info dictionary is followed by more bytes")]
    BytesAfter {
        /// The offset of the first.
        at: usize,
    },
    /// A key stands twice in a dictionary of the info dictionary.
    #[error("at byte {at}: a key of the info dictionary is repeated")]
    RepeatedKey {
        /// The offset, counted from the start of the file, or of the info dictionary where that is all there is.
        at: usize,
    },
    /// A hybrid torrent whose info dictionary has keys out of order.
    #[error("at byte {at}: keys of a hybrid info dictionary are out of order")]
    OutOfOrder {
        /// The offset, as above.
        at: usize,
    },
    /// A key that must be there is not.
    #[error("the info dictionary has no '{0}'")]
    Missing(&'static str),
    /// A value is of the wrong type.
    #[error("'{0}' in the info dictionary has the wrong type")]
    WrongType(&'static str),
    /// There is `length` and `files`.
    #[error("the info dictionary describes one file and several at once")]
    OneAndSeveral,
    /// There is no v1 part.
    #[error("v2-only torrents are not supported yet")]
    V2Only,
    /// A `meta version` nobody knows.
    #[error("the torrent has the unknown version {0}")]
    UnknownVersion(i64),
    /// A length below zero.
    #[error("file {file} has the negative length {len}")]
    NegativeLength {
        /// Which file, counted from 1.
        file: usize,
        /// Its length.
        len: i64,
    },
    /// A file without a length.
    #[error("file {file} has no length")]
    NoLength {
        /// Which file, counted from 1.
        file: usize,
    },
    /// A file without a path.
    #[error("file {file} has no path")]
    NoPath {
        /// Which file, counted from 1.
        file: usize,
    },
    /// Lengths that make no torrent.
    #[error("{0}")]
    Geometry(#[from] GeometryError),
    /// The piece digests do not fit the content.
    #[error("'pieces' has {bytes} bytes, but {pieces} pieces need {needed}")]
    Digests {
        /// How many bytes there are.
        bytes: usize,
        /// How many pieces the content has.
        pieces: u32,
        /// How many bytes they need.
        needed: u64,
    },
    /// More directories than anyone needs.
    #[error("{0}")]
    Directories(#[from] TooManyDirectories),
    /// A file tree that is none, or a v1 half that means other files.
    #[error("{0}")]
    Hybrid(#[from] HybridError),
    /// Piece layers that cannot be right.
    #[error("{0}")]
    Layers(#[from] LayersError),
}

impl MetainfoError {
    pub(super) fn digests(geometry: &Geometry, bytes: usize) -> Self {
        let pieces = geometry.piece_count();
        Self::Digests { bytes, pieces, needed: u64::from(pieces) * 20 }
    }

    /// The same fault in a part of a file that begins at this offset.
    pub(super) fn shifted(self, by: usize) -> Self {
        match self {
            Self::RepeatedKey { at } => Self::RepeatedKey { at: at + by },
            Self::OutOfOrder { at } => Self::OutOfOrder { at: at + by },
            Self::Bencode(error) => Self::Bencode(BencodeError { at: error.at + by, ..error }),
            other => other,
        }
    }
}

/// Something that was passed over in a torrent that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// So many trackers beyond the first 200.
    TrackersDropped(usize),
    /// So many web seeds beyond the first 200.
    WebSeedsDropped(usize),
    /// So many DHT nodes beyond the first 200, or that were none.
    NodesDropped(usize),
    /// So many files whose path could not be used as it was.
    Renamed(usize),
    /// So many symbolic links that are not made.
    LinksSkipped(usize),
    /// So many bytes after the end.
    TrailingBytes(usize),
    /// Keys of a dictionary are not in order.
    OutOfOrder,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |n: usize, one, more| units::plural(n as u64, one, more);
        match *self {
            Self::TrackersDropped(n) => {
                write!(f, "{} beyond the first 200 left out", many(n, "tracker", "trackers"))
            }
            Self::WebSeedsDropped(n) => {
                write!(f, "{} beyond the first 200 left out", many(n, "web seed", "web seeds"))
            }
            Self::NodesDropped(n) => write!(f, "{} left out", many(n, "DHT node", "DHT nodes")),
            Self::Renamed(n) => write!(f, "{} stored under a safe name", many(n, "file is", "files are")),
            Self::LinksSkipped(n) => {
                write!(f, "{} not made", many(n, "symbolic link is", "symbolic links are"))
            }
            Self::TrailingBytes(n) => write!(f, "{} after the end ignored", many(n, "byte", "bytes")),
            Self::OutOfOrder => f.write_str("the keys of a dictionary are out of order"),
        }
    }
}

/// Why piece layers are refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayersError {
    /// They are no dictionary of strings.
    #[error("the piece layers have the wrong type")]
    WrongType,
    /// A layer of no file.
    #[error("a piece layer belongs to no file")]
    Unknown,
    /// A layer with too few or too many digests.
    #[error("the piece layer of '{path}' has {bytes} bytes, but its {pieces} pieces need {needed}")]
    Length {
        /// Which file.
        path: Untrusted,
        /// The bytes there are.
        bytes: usize,
        /// The pieces of the file.
        pieces: u64,
        /// The bytes these need.
        needed: u64,
    },
    /// A layer that leads to another root.
    #[error("the piece layer of '{0}' does not match its pieces root")]
    Root(Untrusted),
}
