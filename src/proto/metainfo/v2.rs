//! Torrents that are v2 alone (BEP 52), as far as they can be looked into.

use super::extras::{extras, text};
use super::file_tree::{FileTreeError, walk};
use super::wire::{self, RawInfo};
use super::{Attributes, Extras, MetainfoError, Note, layers};
use crate::base::{GeometryError, InfoHash, MAX_PIECE_LEN, MAX_PIECES, MAX_TOTAL_LEN, Untrusted};
use crate::hash::sha256;
use crate::proto::bencode::{Limits, Tree, scan};
use crate::proto::paths::{self, SafePath, TooManyDirectories};

/// The most components of all paths together. A tree can name a deep directory once and put many files
/// into it, so its paths may be far longer than the bytes they are read from.
const MOST_COMPONENTS: usize = 3_000_000;

/// A torrent without a v1 half. It can be shown; its content cannot be fetched yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct V2Torrent {
    /// What identifies it.
    pub info_hash: InfoHash,
    /// The name as it was given.
    pub name: Untrusted,
    /// Bytes of a piece.
    pub piece_len: u32,
    /// The pieces of all files; a piece never covers two of them.
    pub pieces: u64,
    /// The files in the order of the tree; at least one.
    pub files: Vec<V2File>,
    /// Whether it is a single file, which lies in no directory of its own.
    pub single: bool,
    /// Whether peers may come from its trackers only (BEP 27).
    pub private: bool,
    /// Where it was first published.
    pub source: Option<Untrusted>,
    /// What the file says beyond the info dictionary.
    pub extras: Extras,
    /// What was passed over.
    pub notes: Vec<Note>,
}

/// One file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct V2File {
    /// Where it would be stored, as in [`File::path`](super::File::path).
    pub path: SafePath,
    /// Its length in bytes.
    pub len: u64,
    /// What it is besides.
    pub attributes: Attributes,
}

impl V2Torrent {
    /// Reads a torrent file of at most 16 MiB.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetainfoError> {
        let found = scan(bytes, Limits::TORRENT, b"info")?;
        let raw_info = found.wanted.clone().ok_or(MetainfoError::NoInfo)?;
        let info = scan(&bytes[raw_info.clone()], Limits::TORRENT, b"pieces")?;
        let read: RawInfo = wire::read(&bytes[raw_info.clone()]);
        if read.meta_version.int() != Some(2) {
            return Err(MetainfoError::Missing("meta version"));
        }
        if info.wanted.is_some() || read.files.is_some() || !read.length.is_absent() {
            return Err(MetainfoError::OneAndSeveral);
        }
        // What is out of order or twice there would have other hashes in other programs.
        if let Some(at) = info.unsorted {
            return Err(MetainfoError::OutOfOrder { at: at + raw_info.start });
        }
        let name = read.name_utf8.bytes().or(read.name.bytes()).unwrap_or_default();
        let info_hash = InfoHash::v2(sha256(&bytes[raw_info.clone()]));
        let name = if name.is_empty() { info_hash.to_string().into_bytes() } else { name.to_vec() };
        let piece_len = read.piece_length.int().ok_or(MetainfoError::Missing("piece length"))?;
        let piece_len = u32::try_from(piece_len)
            .ok()
            .filter(|len| len.is_power_of_two() && (16 << 10..=MAX_PIECE_LEN).contains(len))
            .ok_or(GeometryError::PieceLength(piece_len.unsigned_abs()))?;

        let tree = Tree::parse(&bytes[..found.len], Limits::TORRENT)?;
        let file_tree = tree.root().get(b"info").and_then(|info| info.get(b"file tree"));
        let file_tree = file_tree.ok_or(MetainfoError::Missing("file tree"))?;
        let mut given: Vec<(Vec<&[u8]>, u64, Attributes)> = Vec::new();
        let mut components = 0;
        let (mut total, mut pieces) = (0_u64, 0_u64);
        walk(file_tree, &mut |path, file| {
            components += path.len();
            total = total.saturating_add(file.len);
            pieces = pieces.saturating_add(file.len.div_ceil(u64::from(piece_len)));
            if components > MOST_COMPONENTS {
                return Err(MetainfoError::Directories(TooManyDirectories));
            }
            given.push((path.to_vec(), file.len, file.attributes));
            Ok(())
        })?;
        match (total, pieces) {
            (0, _) => return Err(GeometryError::Empty.into()),
            (MAX_TOTAL_LEN.., _) => return Err(GeometryError::TooLong.into()),
            (_, pieces) if pieces > u64::from(MAX_PIECES) => {
                return Err(GeometryError::TooManyPieces(pieces).into());
            }
            _ => {}
        }
        if let Some(there) = tree.root().get(b"piece layers") {
            layers::check(there, file_tree, piece_len)?;
        }

        let single =
            matches!(given.as_slice(), [(path, ..)] if path.len() == 1 && path[0] == name.as_slice());
        let top = (!single).then_some(name.as_slice());
        let paths =
            paths::resolve(given.iter().map(|(path, ..)| top.into_iter().chain(path.iter().copied())))?;
        let files = given.iter().zip(paths).map(|((_, len, attributes), path)| V2File {
            path,
            len: *len,
            attributes: *attributes,
        });
        let mut notes = Vec::new();
        let extras = extras(&wire::read(&bytes[..found.len]), &mut notes);
        if found.len < bytes.len() {
            notes.push(Note::TrailingBytes(bytes.len() - found.len));
        }
        Ok(Self {
            files: files.collect(),
            info_hash,
            name: Untrusted::from_bytes(&name),
            piece_len,
            pieces,
            single,
            private: read.private.int().is_some_and(|flag| flag != 0),
            source: text(&read.source),
            extras,
            notes,
        })
    }
}

impl From<FileTreeError> for MetainfoError {
    fn from(error: FileTreeError) -> Self {
        Self::Hybrid(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::{DictWriter, dict};
    use crate::proto::metainfo::Metainfo;

    fn torrent(change: impl FnOnce(&mut DictWriter)) -> Vec<u8> {
        dict(|d| {
            d.dict("info", |info| {
                info.bytes("name", "n").int("piece length", 16_384).int("meta version", 2);
                info.dict("file tree", |tree| {
                    for (name, len) in [("a", 5), ("..", 16_385)] {
                        tree.dict(name, |entry| {
                            entry.dict("", |file| {
                                file.int("length", len).bytes("pieces root", [7; 32]);
                            });
                        });
                    }
                });
                change(info);
            });
        })
    }

    #[test]
    fn a_v2_torrent_is_looked_into() {
        let bytes = torrent(|_| ());
        assert_eq!(Metainfo::parse(&bytes), Err(MetainfoError::V2Only));
        let read = V2Torrent::parse(&bytes).unwrap();
        let paths: Vec<&str> = read.files.iter().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["n/__", "n/a"]);
        assert_eq!((read.pieces, read.single, read.name.raw()), (3, false, "n"));
        assert!(read.info_hash.sha1().is_none() && read.info_hash.sha256().is_some());
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let refused =
            |change: &dyn Fn(&mut DictWriter)| V2Torrent::parse(&torrent(|d| change(d))).unwrap_err();
        assert_eq!(
            refused(&|d| {
                d.int("meta version", 1);
            }),
            MetainfoError::Missing("meta version")
        );
        assert_eq!(
            refused(&|d| {
                d.bytes("pieces", "");
            }),
            MetainfoError::OneAndSeveral
        );
        assert_eq!(
            refused(&|d| {
                d.int("piece length", 48 << 10);
            }),
            GeometryError::PieceLength(48 << 10).into()
        );
        assert_eq!(
            refused(&|d| {
                d.raw("file tree", "de");
            }),
            GeometryError::Empty.into()
        );
        assert!(matches!(
            refused(&|d| {
                d.raw("file tree", "le");
            }),
            MetainfoError::Hybrid(_)
        ));
    }
}
