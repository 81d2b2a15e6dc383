//! The v2 hashes of pieces (BEP 52). Those of a file longer than a piece are in its piece layer, which must
//! hash to the file's root in the info dictionary; the hash of a shorter file is that root.

use std::collections::BTreeMap;

use super::error::{LayersError, MetainfoError};
use super::file_tree::{FileTreeError, shown, walk};
use super::pieces::{piece_height, tree_height};
use crate::base::{BLOCK_LEN, Sha256Digest, Untrusted};
use crate::hash::{merkle_root, raise_root, zero_tree};
use crate::proto::bencode::Value;

/// Returns the hash of each v2 piece, in order, after validating the layers. A missing layer is no error,
/// since peers can supply it; the hashes of its pieces are `None`. The caller must have checked that a
/// [`Geometry`](crate::base::Geometry) can have this number of pieces.
pub(super) fn roots(
    layers: Option<Value<'_, '_>>,
    file_tree: Value<'_, '_>,
    piece_len: u32,
) -> Result<Vec<Option<Sha256Digest>>, MetainfoError> {
    let piece_len_long = u64::from(piece_len);
    let mut files: Vec<(Sha256Digest, u64)> = Vec::new();
    let mut long: BTreeMap<Sha256Digest, (Untrusted, u64)> = BTreeMap::new();
    walk(file_tree, &mut |path, file| {
        let Some(root) = file.root else { return Ok(()) };
        files.push((root, file.len));
        if file.len > piece_len_long {
            let shown = || shown(path.iter().copied());
            long.entry(root).or_insert_with(|| (shown(), file.len.div_ceil(piece_len_long)));
        }
        Ok::<_, FileTreeError>(())
    })?;
    let layers = layers.map_or_else(|| Ok(BTreeMap::new()), |layers| check(layers, &long, piece_len))?;
    let mut roots = Vec::new();
    for (root, len) in files {
        let pieces = len.div_ceil(piece_len_long);
        match layers.get(&root) {
            _ if pieces == 1 => {
                let height = tree_height(len.div_ceil(u64::from(BLOCK_LEN)));
                roots.push(Some(raise_root(root, height, piece_height(piece_len))));
            }
            // Two files of different lengths can claim the same root, but a layer can fit only one of them.
            Some(layer) if layer.len() as u64 == pieces => roots.extend(layer.iter().copied().map(Some)),
            _ => roots.extend((0..pieces).map(|_| None)),
        }
    }
    Ok(roots)
}

/// Validates the layers against the files longer than a piece.
fn check<'a>(
    layers: Value<'a, '_>,
    long: &BTreeMap<Sha256Digest, (Untrusted, u64)>,
    piece_len: u32,
) -> Result<BTreeMap<Sha256Digest, &'a [Sha256Digest]>, MetainfoError> {
    if !layers.is_dict() {
        return Err(LayersError::WrongType.into());
    }
    let filler = zero_tree(piece_height(piece_len));
    let mut checked = BTreeMap::new();
    for (root, layer) in layers.dict() {
        let layer = layer.bytes().ok_or(LayersError::WrongType)?;
        let known = Sha256Digest::try_from(root).ok().and_then(|root| Some((root, long.get(&root)?)));
        let (root, (path, pieces)) = known.ok_or(LayersError::Unknown)?;
        let needed = pieces.saturating_mul(32);
        if layer.len() as u64 != needed {
            let (path, bytes) = (path.clone(), layer.len());
            return Err(LayersError::Length { path, bytes, pieces: *pieces, needed }.into());
        }
        let digests = layer.as_chunks::<32>().0;
        if merkle_root(digests.iter().copied(), filler) != root {
            return Err(LayersError::Root(path.clone()).into());
        }
        checked.insert(root, digests);
    }
    Ok(checked)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::{Limits, Tree, dict};

    const PIECE: u32 = 4 * BLOCK_LEN;

    /// The roots of the pieces of a file of three pieces with this root and one of a block.
    fn read(
        layers: &[(&[u8], &[u8])],
        root: Sha256Digest,
    ) -> Result<Vec<Option<Sha256Digest>>, MetainfoError> {
        let bytes = dict(|d| {
            d.dict("layers", |d| {
                for (root, layer) in layers {
                    d.bytes(root, layer);
                }
            });
            d.dict("tree", |d| {
                for (name, len, root) in [("f", PIECE * 3, root), ("g", 5, [7; 32])] {
                    d.dict(name, |d| {
                        d.dict("", |d| {
                            d.int("length", i64::from(len)).bytes("pieces root", root);
                        });
                    });
                }
            });
        });
        let tree = Tree::parse(&bytes, Limits::TORRENT).unwrap();
        let value = |key: &[u8]| tree.root().get(key).unwrap();
        roots(Some(value(b"layers")), value(b"tree"), PIECE)
    }

    #[test]
    fn a_layer_must_lead_to_its_root() {
        let layer: Vec<Sha256Digest> = vec![[1; 32], [2; 32], [3; 32]];
        let root = merkle_root(layer.iter().copied(), zero_tree(2));
        let bytes = layer.concat();
        let short = Some(raise_root([7; 32], 0, 2));
        assert_eq!(
            read(&[(&root, &bytes)], root),
            Ok(vec![Some([1; 32]), Some([2; 32]), Some([3; 32]), short])
        );
        assert_eq!(read(&[], root), Ok(vec![None, None, None, short]));
        let f = || Untrusted::new("f");
        let wrong = [&bytes[..95], &[0]].concat();
        assert_eq!(read(&[(&root, &wrong)], root), Err(LayersError::Root(f()).into()));
        let short = LayersError::Length { path: f(), bytes: 64, pieces: 3, needed: 96 };
        assert_eq!(read(&[(&root, &bytes[..64])], root), Err(short.into()));
        assert_eq!(read(&[(&[9; 32], &bytes)], root), Err(LayersError::Unknown.into()));
        assert_eq!(read(&[(b"short", &bytes)], root), Err(LayersError::Unknown.into()));
    }
}
