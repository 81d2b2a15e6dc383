//! The hashes of pieces, and the only place where those of v1 and v2 are told apart.

use std::sync::Arc;

use crate::base::{BLOCK_LEN, Piece, Sha1Digest, Sha256Digest};
use crate::hash::{merkle_root, raise_root};

/// The hashes of all pieces of a torrent: of v1, of v2 or, in a hybrid torrent, of both. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PieceHashes {
    /// The SHA-1 digest of each piece (BEP 3, `pieces`).
    v1: Option<Arc<[Sha1Digest]>>,
    /// The root of each piece, as [`PieceDigest::V2`] has it. Those of a file longer than a piece are not known
    /// where its piece layer is missing, as in an info dictionary that came from peers.
    v2: Option<Arc<[Option<Sha256Digest>]>>,
}

/// A digest of the bytes of a piece, as it was computed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceDigest {
    /// The SHA-1 digest of all its bytes, padding included (BEP 3).
    V1(Sha1Digest),
    /// The root of the hash tree over its blocks of 16 KiB (BEP 52, "metainfo files", `piece layers`). The tree
    /// is as high as that of a whole piece, also for the short last piece of a file: leaves beyond the end of
    /// the file are zero. Padding behind the file is not hashed.
    V2(Sha256Digest),
}

impl PieceDigest {
    /// The v2 digest of a piece, from the SHA-256 digest of each of its blocks.
    pub fn from_blocks(piece_len: u32, blocks: impl ExactSizeIterator<Item = Sha256Digest>) -> Self {
        let height = tree_height(blocks.len() as u64);
        Self::V2(raise_root(merkle_root(blocks, [0; 32]), height, piece_height(piece_len)))
    }
}

impl PieceHashes {
    /// The hashes of a v1 torrent, in the order of its pieces.
    pub fn from_v1(digests: impl Into<Arc<[Sha1Digest]>>) -> Self {
        Self { v1: Some(digests.into()), v2: None }
    }

    /// The hashes of a v2 torrent, in the order of its pieces.
    pub fn from_v2(roots: impl Into<Arc<[Option<Sha256Digest>]>>) -> Self {
        Self { v1: None, v2: Some(roots.into()) }
    }

    /// The hashes of the halves that there are. Those of a hybrid torrent number their pieces alike (BEP 52,
    /// "upgrade path").
    pub(super) fn new(v1: Option<Vec<Sha1Digest>>, v2: Option<Vec<Option<Sha256Digest>>>) -> Self {
        Self { v1: v1.map(Into::into), v2: v2.map(Into::into) }
    }

    /// Whether the piece is right: whether its hash is known and this digest is the same. A piece of a hybrid
    /// torrent is verified by the digest of either version.
    pub fn verify(&self, piece: Piece, digest: &PieceDigest) -> bool {
        match digest {
            PieceDigest::V1(found) => self.sha1(piece).as_ref() == Some(found),
            PieceDigest::V2(found) => self.root(piece).as_ref() == Some(found),
        }
    }

    /// The number of pieces.
    pub fn count(&self) -> usize {
        self.v1.as_ref().map_or_else(|| self.v2.as_ref().map_or(0, |v2| v2.len()), |v1| v1.len())
    }

    /// The SHA-1 digests of all pieces, where there is a v1 half.
    pub fn v1(&self) -> Option<&[Sha1Digest]> {
        self.v1.as_deref()
    }

    /// The SHA-1 digest of a piece, where there is a v1 half.
    pub fn sha1(&self, piece: Piece) -> Option<Sha1Digest> {
        self.v1.as_ref()?.get(piece.index() as usize).copied()
    }

    /// The root of a piece, where there is a v2 half and the root is known.
    pub fn root(&self, piece: Piece) -> Option<Sha256Digest> {
        self.v2.as_ref()?.get(piece.index() as usize).copied().flatten()
    }
}

/// The levels above the leaves of a tree over so many blocks.
pub(super) fn tree_height(blocks: u64) -> u32 {
    blocks.max(1).next_power_of_two().ilog2()
}

/// The levels above the leaves of the tree of a whole piece, whose length is a power of two.
pub(super) fn piece_height(piece_len: u32) -> u32 {
    (piece_len / BLOCK_LEN).max(1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Geometry;
    use crate::hash::{sha1, sha256};

    const PIECE: u32 = 4 * BLOCK_LEN;

    #[test]
    fn each_version_is_verified_by_its_own_digest() {
        let shape = Geometry::single(u64::from(PIECE), u64::from(PIECE) * 3).unwrap();
        let [first, second, third] = [0, 1, 2].map(|index| shape.piece(index).unwrap());
        let (digests, roots) = ([[1; 20], [2; 20], [3; 20]], [Some([1; 32]), None, Some([3; 32])]);
        let (v1, v2) = (PieceHashes::from_v1(digests), PieceHashes::from_v2(roots));
        let both = PieceHashes::new(Some(digests.to_vec()), Some(roots.to_vec()));
        let (sha1, root) = (PieceDigest::V1([1; 20]), PieceDigest::V2([1; 32]));
        let verdicts = |hashes: &PieceHashes| [hashes.verify(first, &sha1), hashes.verify(first, &root)];
        assert_eq!(
            [verdicts(&v1), verdicts(&v2), verdicts(&both)],
            [[true, false], [false, true], [true, true]]
        );
        assert!(!both.verify(third, &sha1) && !both.verify(third, &root));
        assert!(!both.verify(second, &PieceDigest::V2([0; 32])), "a root that is not known proves nothing");
        assert_eq!([v1.count(), v2.count(), both.count()], [3; 3]);
        assert_eq!(PieceHashes::from_v1([[1; 20]]).sha1(second), None, "of another torrent");
    }

    proptest! {
        #[test]
        fn a_changed_byte_is_noticed(len in 1..PIECE, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let shape = Geometry::aligned(u64::from(PIECE), [(u64::from(len), false)]).unwrap();
            let piece = shape.piece(0).unwrap();
            let mut bytes = vec![0x5a; len as usize];
            let digests = |bytes: &[u8]| {
                let blocks = bytes.chunks(BLOCK_LEN as usize).map(sha256);
                [PieceDigest::V1(sha1(bytes)), PieceDigest::from_blocks(PIECE, blocks)]
            };
            let right = digests(&bytes);
            let [PieceDigest::V1(v1), PieceDigest::V2(v2)] = right else { panic!("in this order") };
            let hashes = PieceHashes::new(Some(vec![v1]), Some(vec![Some(v2)]));
            prop_assert!(right.iter().all(|digest| hashes.verify(piece, digest)));
            bytes[at.index(len as usize)] ^= 1 << bit;
            prop_assert!(!digests(&bytes).iter().any(|digest| hashes.verify(piece, digest)));
        }
    }
}
