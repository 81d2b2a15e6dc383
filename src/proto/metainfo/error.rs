//! Errors of torrent files, and notes about the parts that were left out.

use std::fmt;

use super::hybrid::HybridError;
use crate::base::{Geometry, GeometryError, Untrusted, units};
use crate::proto::bencode::BencodeError;
use crate::proto::paths::TooManyDirectories;

/// Reasons why bytes are not a usable torrent.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MetainfoError {
    /// The bytes are not bencode, or exceed its limits.
    #[error("the file is not well-formed: {0}")]
    Bencode(#[from] BencodeError),
    /// The outermost value is not a dictionary.
    #[error("the file is not a torrent: it holds no dictionary")]
    NoDictionary,
    /// There is no info dictionary.
    #[error("the file is not a torrent: it has no info dictionary")]
    NoInfo,
    /// More bytes follow a separate info dictionary.
    #[error("at byte {at}: the info dictionary is followed by more bytes")]
    BytesAfter {
        /// The offset of the first of these bytes.
        at: usize,
    },
    /// A key occurs twice in a dictionary inside the info dictionary.
    #[error("at byte {at}: a key of the info dictionary is repeated")]
    RepeatedKey {
        /// The offset of the second key, from the start of the file, or of the info dictionary if it came
        /// alone.
        at: usize,
    },
    /// The keys of a v2 or hybrid info dictionary are out of order.
    #[error("at byte {at}: keys of a hybrid info dictionary are out of order")]
    OutOfOrder {
        /// The offset of the first such key, from the same start.
        at: usize,
    },
    /// A required key is missing.
    #[error("the info dictionary has no '{0}'")]
    Missing(&'static str),
    /// A value has the wrong type.
    #[error("'{0}' in the info dictionary has the wrong type")]
    WrongType(&'static str),
    /// Both `length` and `files` are present.
    #[error("the info dictionary describes one file and several at once")]
    OneAndSeveral,
    /// The torrent is v2 only, without a v1 part.
    #[error("v2-only torrents are not supported yet")]
    V2Only,
    /// The `meta version` is unknown.
    #[error("the torrent has the unknown version {0}")]
    UnknownVersion(i64),
    /// A file has a negative length.
    #[error("file {file} has the negative length {len}")]
    NegativeLength {
        /// The number of the file, counted from 1.
        file: usize,
        /// The length of the file.
        len: i64,
    },
    /// A file has no length.
    #[error("file {file} has no length")]
    NoLength {
        /// The number of the file, counted from 1.
        file: usize,
    },
    /// A file has no path.
    #[error("file {file} has no path")]
    NoPath {
        /// The number of the file, counted from 1.
        file: usize,
    },
    /// Piece length and file lengths do not make a valid geometry.
    #[error("{0}")]
    Geometry(#[from] GeometryError),
    /// The length of `pieces` does not match the content.
    #[error("'pieces' has {bytes} bytes, but {pieces} pieces need {needed}")]
    Digests {
        /// The length of `pieces`, in bytes.
        bytes: usize,
        /// The number of pieces of the content.
        pieces: u32,
        /// The length of `pieces` that this number needs, in bytes.
        needed: u64,
    },
    /// The torrent has more directories than are allowed.
    #[error("{0}")]
    Directories(#[from] TooManyDirectories),
    /// The file tree is malformed, or its files differ from those of the v1 half.
    #[error("{0}")]
    Hybrid(#[from] HybridError),
    /// The piece layers are invalid.
    #[error("{0}")]
    Layers(#[from] LayersError),
}

impl MetainfoError {
    pub(super) fn digests(geometry: &Geometry, bytes: usize) -> Self {
        let pieces = geometry.piece_count();
        Self::Digests { bytes, pieces, needed: u64::from(pieces) * 20 }
    }

    /// Moves the offset of the error by `by` bytes, the start of the checked part in its file.
    pub(super) fn shifted(self, by: usize) -> Self {
        match self {
            Self::RepeatedKey { at } => Self::RepeatedKey { at: at + by },
            Self::OutOfOrder { at } => Self::OutOfOrder { at: at + by },
            Self::Bencode(error) => Self::Bencode(BencodeError { at: error.at + by, ..error }),
            other => other,
        }
    }
}

/// A part of a usable torrent that was left out or changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// The number of trackers beyond the first 200.
    TrackersDropped(usize),
    /// The number of web seeds beyond the first 200.
    WebSeedsDropped(usize),
    /// The number of DHT nodes that are malformed or beyond the first 200.
    NodesDropped(usize),
    /// The number of files that are stored under another path, since theirs is unsafe.
    Renamed(usize),
    /// The number of symbolic links, which are never created.
    LinksSkipped(usize),
    /// The number of bytes after the end of the torrent.
    TrailingBytes(usize),
    /// The keys of a dictionary are out of order.
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

/// Reasons why piece layers are invalid (BEP 52).
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LayersError {
    /// The piece layers are not a dictionary of strings.
    #[error("the piece layers have the wrong type")]
    WrongType,
    /// A layer belongs to no file.
    #[error("a piece layer belongs to no file")]
    Unknown,
    /// A layer has too few or too many digests.
    #[error("the piece layer of '{path}' has {bytes} bytes, but its {pieces} pieces need {needed}")]
    Length {
        /// The path of the file.
        path: Untrusted,
        /// The length of the layer, in bytes.
        bytes: usize,
        /// The number of pieces of the file.
        pieces: u64,
        /// The length that this number of pieces needs, in bytes.
        needed: u64,
    },
    /// A layer does not hash to the root of its file.
    #[error("the piece layer of '{0}' does not match its pieces root")]
    Root(Untrusted),
}
