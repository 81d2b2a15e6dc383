//! The comparison of the v1 and v2 halves of a hybrid torrent (BEP 52), which must describe the same files.
//!
//! If they differed, clients that use one half would get other content than clients that use the other, in
//! the same swarm.

use super::File;
use super::file_tree::{self, FileTreeError, shown, walk};
use super::wire::RawFiles;
use crate::base::Untrusted;
use crate::proto::bencode::Value;

/// A difference between the v1 and v2 halves.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum HybridError {
    /// The file tree is invalid in itself.
    #[error("{0}")]
    Tree(#[from] FileTreeError),
    /// The files at the same position have different paths.
    #[error("the two halves of this hybrid torrent differ: file {number} is '{v1}' in v1 and '{v2}' in v2")]
    Path {
        /// The number of the file, counted from 1 without padding.
        number: usize,
        /// The path in the v1 half.
        v1: Untrusted,
        /// The path in the v2 half.
        v2: Untrusted,
    },
    /// A file has different lengths.
    #[error("the two halves of this hybrid torrent differ: '{path}' has {v1} bytes in v1 and {v2} in v2")]
    Length {
        /// The path of the file.
        path: Untrusted,
        /// The length in the v1 half, in bytes.
        v1: u64,
        /// The length in the v2 half, in bytes.
        v2: u64,
    },
    /// A file is in one half only.
    #[error("the two halves of this hybrid torrent differ: only {half} has '{path}'")]
    Only {
        /// The half that has the file, `v1` or `v2`.
        half: &'static str,
        /// The path of the file.
        path: Untrusted,
    },
    /// A file of the v1 half does not begin at a piece boundary.
    #[error("the two halves of this hybrid torrent differ: '{0}' does not begin with a piece in v1")]
    Unaligned(Untrusted),
    /// A pad file of the v1 half does not end at a piece boundary.
    #[error(
        "the two halves of this hybrid torrent differ: v1 has padding of {0} bytes that leads to no piece"
    )]
    Padding(u64),
}

/// The v1 half of a hybrid torrent.
pub(super) struct V1<'a> {
    /// The name of the torrent.
    pub name: &'a [u8],
    /// The raw `files` of a multi-file torrent.
    pub several: Option<&'a RawFiles>,
    /// The validated files.
    pub files: &'a [File],
    /// The piece length in bytes.
    pub piece_len: u64,
}

/// Compares the two halves file by file.
pub(super) fn compare(v1: &V1<'_>, tree: Value<'_, '_>) -> Result<(), HybridError> {
    let mut position = V1Position { v1, next: 0, offset: 0 };
    let mut number = 0;
    walk(tree, &mut |path, v2| {
        number += 1;
        let v2_path = || shown(path.iter().copied());
        let Some(at) = position.next_stored()? else {
            return Err(HybridError::Only { half: "v2", path: v2_path() });
        };
        if !v1.is_called(at, path) {
            return Err(HybridError::Path { number, v1: v1.path(at), v2: v2_path() });
        }
        let len = v1.files[at].len;
        if len != v2.len {
            return Err(HybridError::Length { path: v2_path(), v1: len, v2: v2.len });
        }
        position.advance(at)
    })?;
    match position.next_stored()? {
        Some(at) => Err(HybridError::Only { half: "v1", path: v1.path(at) }),
        None => Ok(()),
    }
}

/// The position in the v1 list of files.
struct V1Position<'a> {
    v1: &'a V1<'a>,
    next: usize,
    offset: u64,
}

impl V1Position<'_> {
    /// Returns the index of the next file that is not padding, and checks the padding before it.
    fn next_stored(&mut self) -> Result<Option<usize>, HybridError> {
        while let Some(file) = self.v1.files.get(self.next) {
            if !file.attributes.is_pad() {
                return Ok(Some(self.next));
            }
            let past = self.offset % self.v1.piece_len;
            if file.len > 0 && (past == 0 || file.len != self.v1.piece_len - past) {
                return Err(HybridError::Padding(file.len));
            }
            self.offset += file.len;
            self.next += 1;
        }
        Ok(None)
    }

    fn advance(&mut self, at: usize) -> Result<(), HybridError> {
        let len = self.v1.files[at].len;
        if len > 0 && !self.offset.is_multiple_of(self.v1.piece_len) {
            return Err(HybridError::Unaligned(self.v1.path(at)));
        }
        self.offset += len;
        self.next = at + 1;
        Ok(())
    }
}

impl V1<'_> {
    fn is_called(&self, at: usize, path: &[&[u8]]) -> bool {
        match self.several {
            None => path == [self.name],
            Some(raw) => raw.path(&raw.list[at]).is_some_and(|names| names.eq(path.iter().copied())),
        }
    }

    fn path(&self, at: usize) -> Untrusted {
        match self.several.and_then(|raw| raw.path(&raw.list[at])) {
            Some(names) => file_tree::shown(names),
            None => Untrusted::from_bytes(self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::proto::bencode::{DictWriter, dict};
    use crate::proto::metainfo::{Metainfo, MetainfoError};

    const PIECE: i64 = 16_384;

    /// A hybrid torrent with these files in v1 (a name that begins with `.pad` is padding) and in v2.
    fn hybrid(v1: &[(&str, i64)], v2: &[(&str, i64)]) -> Result<Metainfo, MetainfoError> {
        let total: i64 = v1.iter().map(|(_, len)| len).sum();
        Metainfo::from_info(&dict(|info| {
            info.bytes("name", "n").int("piece length", PIECE).int("meta version", 2);
            info.bytes("pieces", vec![0; total.unsigned_abs().div_ceil(16_384) as usize * 20]);
            info.list("files", |list| {
                for (path, len) in v1 {
                    list.dict(|file| {
                        file.int("length", *len).list("path", |names| {
                            for name in path.split('/') {
                                names.bytes(name);
                            }
                        });
                        if path.starts_with(".pad") {
                            file.bytes("attr", "p");
                        }
                    });
                }
            });
            info.dict("file tree", |tree| {
                for (path, len) in v2 {
                    put(tree, path, *len);
                }
            });
        }))
    }

    fn put(tree: &mut DictWriter, path: &str, len: i64) {
        tree.dict(path.split('/').next().unwrap_or(path), |entry| match path.split_once('/') {
            Some((_, below)) => put(entry, below, len),
            None => {
                entry.dict("", |file| {
                    file.int("length", len);
                    if len > 0 {
                        file.bytes("pieces root", [7; 32]);
                    }
                });
            }
        });
    }

    fn difference(v1: &[(&str, i64)], v2: &[(&str, i64)]) -> String {
        hybrid(v1, v2).unwrap_err().to_string()
    }

    #[test]
    fn halves_that_agree_are_taken() {
        let pad = PIECE - 5;
        assert!(hybrid(&[("a", 5), (".pad/1", pad), ("b/c", 7)], &[("a", 5), ("b/c", 7)]).is_ok());
        assert!(hybrid(&[("a", 0), ("b", PIECE), ("c", 1)], &[("a", 0), ("b", PIECE), ("c", 1)]).is_ok());
        // Padding after the last file, and a file without bytes in the middle of a piece, change nothing.
        assert!(hybrid(&[("a", 5), (".pad/1", pad)], &[("a", 5)]).is_ok());
        assert!(
            hybrid(&[("a", 5), ("b", 0), (".pad/1", pad), ("c", 1)], &[("a", 5), ("b", 0), ("c", 1)]).is_ok()
        );
    }

    #[test]
    fn the_first_difference_is_named() {
        let begin = "the two halves of this hybrid torrent differ: ";
        for (v1, v2, end) in [
            (&[("a", 5)][..], &[("b", 5)][..], "file 1 is 'a' in v1 and 'b' in v2"),
            (&[("a", 5)], &[("a/x", 5)], "file 1 is 'a' in v1 and 'a/x' in v2"),
            (&[("a", 5)], &[("a", 6)], "'a' has 5 bytes in v1 and 6 in v2"),
            (&[("a", PIECE), ("b", 1)], &[("a", PIECE)], "only v1 has 'b'"),
            (&[("a", PIECE)], &[("a", PIECE), ("b", 1)], "only v2 has 'b'"),
            (&[("a", 5), ("b", 1)], &[("a", 5), ("b", 1)], "'b' does not begin with a piece in v1"),
            (
                &[("a", 5), (".pad/1", 9), ("b", 1)],
                &[("a", 5), ("b", 1)],
                "v1 has padding of 9 bytes that leads to no piece",
            ),
            (
                &[("a", PIECE), (".pad/1", PIECE), ("b", 1)],
                &[("a", PIECE), ("b", 1)],
                "v1 has padding of 16384 bytes that leads to no piece",
            ),
        ] {
            assert_eq!(difference(v1, v2), format!("{begin}{end}"));
        }
        let order = difference(&[("b", PIECE), ("a", 1)], &[("a", 1), ("b", PIECE)]);
        assert_eq!(order, format!("{begin}file 1 is 'b' in v1 and 'a' in v2"));
    }

    #[test]
    fn one_file_is_called_as_the_torrent() {
        let single = |in_tree: &str| {
            Metainfo::from_info(&dict(|info| {
                info.bytes("name", "n").int("piece length", PIECE).int("meta version", 2);
                info.bytes("pieces", [0; 20]).int("length", 5);
                info.dict("file tree", |tree| put(tree, in_tree, 5));
            }))
        };
        assert!(single("n").is_ok());
        assert!(single("m").is_err() && single("n/n").is_err());
    }
}
