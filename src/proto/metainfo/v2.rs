//! The files of v2-only torrents (BEP 52).

use super::file_tree::{FileTreeError, walk};
use super::naming::resolve;
use super::{Attributes, File, MetainfoError, Note};
use crate::proto::bencode::Value;
use crate::proto::paths::{SafePath, TooManyDirectories};

/// The most path components of all files together. A tree names a directory once for all the files in it, so
/// the paths can be far longer than the bytes they are read from.
const MAX_COMPONENTS: usize = 3_000_000;

/// Returns the files in the order of the tree, and whether the torrent is a single file without a directory
/// of its own.
pub(super) fn files(
    file_tree: Value<'_, '_>,
    name: &[u8],
    notes: &mut Vec<Note>,
) -> Result<(Vec<File>, bool), MetainfoError> {
    let (mut files, mut given) = (Vec::new(), Vec::new());
    let mut components = 0;
    walk(file_tree, &mut |path, file| {
        components += path.len();
        if components > MAX_COMPONENTS {
            return Err(MetainfoError::Directories(TooManyDirectories));
        }
        // A link with content is stored as a file, since its bytes are part of pieces.
        let attributes =
            if file.len > 0 { file.attributes.without(Attributes::LINK) } else { file.attributes };
        let path: Vec<&[u8]> = path.to_vec();
        let last = SafePath::single(path.last().copied().unwrap_or_default());
        files.push(File { path: last, len: file.len, attributes, original: None, link: None });
        given.push(path);
        Ok(())
    })?;
    let single = matches!(given.as_slice(), [path] if path.as_slice() == [name]);
    let top = (!single).then_some(name);
    resolve(&mut files, |at| Some(top.into_iter().chain(given[at].iter().copied())), notes)?;
    Ok((files, single))
}

impl From<FileTreeError> for MetainfoError {
    fn from(error: FileTreeError) -> Self {
        Self::Hybrid(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::GeometryError;
    use crate::hash::{merkle_root, zero_tree};
    use crate::proto::bencode::{DictWriter, dict};
    use crate::proto::metainfo::{Metainfo, PieceDigest};

    const PIECE: i64 = 32 << 10;

    fn torrent(change: impl FnOnce(&mut DictWriter)) -> Vec<u8> {
        let layer = [[1; 32], [2; 32]];
        let root = merkle_root(layer, zero_tree(1));
        dict(|d| {
            d.dict("info", |info| {
                info.bytes("name", "n").int("piece length", PIECE).int("meta version", 2);
                info.dict("file tree", |tree| {
                    for (name, len, root) in [("a", 5, [7; 32]), ("..", PIECE + 1, root)] {
                        tree.dict(name, |entry| {
                            entry.dict("", |file| {
                                file.int("length", len).bytes("pieces root", root);
                            });
                        });
                    }
                });
                change(info);
            });
            d.dict("piece layers", |layers| {
                layers.bytes(root, layer.concat());
            });
        })
    }

    #[test]
    fn a_v2_torrent_is_read_and_not_downloadable() {
        let bytes = torrent(|_| ());
        let read = Metainfo::parse(&bytes).unwrap();
        let paths: Vec<&str> = read.files().iter().map(|file| file.path().as_str()).collect();
        assert_eq!(paths, ["n/__", "n/a"]);
        assert_eq!(
            (read.is_single_file(), read.name().raw(), read.notes()),
            (false, "n", &[Note::Renamed(1)][..])
        );
        assert!(read.info_hash().v1().is_none() && read.info_hash().v2().is_some());
        assert_eq!(read.clone().downloadable(), Err(MetainfoError::V2Only));
        assert_eq!(Metainfo::parse(&read.to_bytes()), Ok(read));
    }

    #[test]
    fn its_pieces_are_verified_by_their_roots() {
        let read = Metainfo::parse(&torrent(|_| ())).unwrap();
        let (shape, hashes) = (read.geometry(), read.piece_hashes());
        let lens: Vec<u32> = shape.pieces().map(|piece| shape.len_of(piece)).collect();
        assert_eq!((lens, hashes.count(), hashes.v1()), (vec![32 << 10, 1, 5], 3, None));
        let of_block = PieceDigest::from_blocks(PIECE as u32, [[7; 32]].into_iter());
        let digests = [PieceDigest::V2([1; 32]), PieceDigest::V2([2; 32]), of_block];
        for (piece, digest) in shape.pieces().zip(digests) {
            assert!(hashes.verify(piece, &digest));
            assert!(!hashes.verify(piece, &PieceDigest::V2([0; 32])));
        }
        // Peers send no layers.
        let from_peers = Metainfo::from_info(read.raw_info()).unwrap();
        let known: Vec<bool> =
            shape.pieces().map(|piece| from_peers.piece_hashes().root(piece).is_some()).collect();
        assert_eq!(known, [false, false, true]);
    }

    #[test]
    fn what_is_wrong_is_refused() {
        let refused =
            |change: &dyn Fn(&mut DictWriter)| Metainfo::parse(&torrent(|d| change(d))).unwrap_err();
        let cases: [(&str, &str, MetainfoError); 5] = [
            ("pieces", "0:", MetainfoError::Missing("length")),
            ("piece length", "i49152e", GeometryError::PieceLength(48 << 10).into()),
            ("piece length", "le", MetainfoError::WrongType("piece length")),
            ("file tree", "de", GeometryError::Empty.into()),
            ("file tree", "0:", MetainfoError::WrongType("file tree")),
        ];
        for (key, value, error) in cases {
            let found = refused(&|d| {
                d.raw(key, value);
            });
            assert_eq!(found, error, "{key} {value}");
        }
        assert!(matches!(
            refused(&|d| {
                d.raw("file tree", "le");
            }),
            MetainfoError::Hybrid(_)
        ));
        for version in ["", "12:meta versioni1e"] {
            let bytes = format!("d4:infod9:file treede{version}12:piece lengthi16384eee");
            assert_eq!(Metainfo::parse(bytes.as_bytes()), Err(MetainfoError::Missing("meta version")));
        }
    }
}
