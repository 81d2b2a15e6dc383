//! The `piece layers` of BEP 52: for each file longer than a piece the digests of its pieces, which must
//! lead to the root that the info dictionary promises.

use std::collections::BTreeMap;

use super::error::{LayersError, MetainfoError};
use super::file_tree::{FileTreeError, walk};
use crate::base::{BLOCK_LEN, Sha256Digest, Untrusted};
use crate::hash::{merkle_root, zero_tree};
use crate::proto::bencode::Value;

/// Checks the layers that are there. Those that are missing can be asked of peers, so they are no fault.
pub(super) fn check(
    layers: Value<'_, '_>,
    file_tree: Value<'_, '_>,
    piece_len: u32,
) -> Result<(), MetainfoError> {
    if !layers.is_dict() {
        return Err(LayersError::WrongType.into());
    }
    let mut files: BTreeMap<Sha256Digest, (Untrusted, u64)> = BTreeMap::new();
    walk(file_tree, &mut |path, file| {
        if let Some(root) = file.root.filter(|_| file.len > u64::from(piece_len)) {
            let shown = || super::file_tree::shown(path.iter().copied());
            files.entry(root).or_insert_with(|| (shown(), file.len.div_ceil(u64::from(piece_len))));
        }
        Ok::<_, FileTreeError>(())
    })?;
    // A piece of v2 is a power of two of blocks, so its tree is as high as that power.
    let filler = zero_tree((piece_len / BLOCK_LEN).max(1).ilog2());
    for (root, layer) in layers.dict() {
        let layer = layer.bytes().ok_or(LayersError::WrongType)?;
        let known = Sha256Digest::try_from(root).ok().and_then(|root| Some((root, files.get(&root)?)));
        let (root, (path, pieces)) = known.ok_or(LayersError::Unknown)?;
        let needed = pieces.saturating_mul(32);
        if layer.len() as u64 != needed {
            let (path, bytes) = (path.clone(), layer.len());
            return Err(LayersError::Length { path, bytes, pieces: *pieces, needed }.into());
        }
        if merkle_root(layer.as_chunks::<32>().0.iter().copied(), filler) != root {
            return Err(LayersError::Root(path.clone()).into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::bencode::{Limits, Tree, dict};

    const PIECE: u32 = 4 * BLOCK_LEN;

    fn checked(layers: &[(&[u8], &[u8])], root: Sha256Digest) -> Result<(), MetainfoError> {
        let bytes = dict(|d| {
            d.dict("layers", |d| {
                for (root, layer) in layers {
                    d.bytes(root, layer);
                }
            });
            d.dict("tree", |d| {
                d.dict("f", |d| {
                    d.dict("", |d| {
                        d.int("length", i64::from(PIECE) * 3).bytes("pieces root", root);
                    });
                });
            });
        });
        let tree = Tree::parse(&bytes, Limits::TORRENT).unwrap();
        let value = |key: &[u8]| tree.root().get(key).unwrap();
        check(value(b"layers"), value(b"tree"), PIECE)
    }

    #[test]
    fn a_layer_must_lead_to_its_root() {
        let layer: Vec<Sha256Digest> = vec![[1; 32], [2; 32], [3; 32]];
        let root = merkle_root(layer.iter().copied(), zero_tree(2));
        let bytes = layer.concat();
        assert_eq!(checked(&[(&root, &bytes)], root), Ok(()));
        assert_eq!(checked(&[], root), Ok(()));
        let f = || Untrusted::new("f");
        let wrong = [&bytes[..95], &[0]].concat();
        assert_eq!(checked(&[(&root, &wrong)], root), Err(LayersError::Root(f()).into()));
        let short = LayersError::Length { path: f(), bytes: 64, pieces: 3, needed: 96 };
        assert_eq!(checked(&[(&root, &bytes[..64])], root), Err(short.into()));
        assert_eq!(checked(&[(&[9; 32], &bytes)], root), Err(LayersError::Unknown.into()));
        assert_eq!(checked(&[(b"short", &bytes)], root), Err(LayersError::Unknown.into()));
    }
}
