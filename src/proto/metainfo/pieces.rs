//! The hashes of pieces, and the only code that distinguishes v1 and v2 hashes.

use std::sync::Arc;

use crate::base::{BLOCK_LEN, Piece, Sha1Digest, Sha256Digest};
use crate::hash::{merkle_root, raise_root};

/// The hashes of all pieces of a torrent: v1, v2, or both in a hybrid torrent. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PieceHashes {
    /// The SHA-1 digest of each piece (BEP 3, `pieces`).
    v1: Option<Arc<[Sha1Digest]>>,
    /// The v2 hash of each piece, as in [`PieceDigest::V2`]. `None` for the pieces of a file whose piece
    /// layer is missing, as it is in an info dictionary from peers.
    v2: Option<Arc<[Option<Sha256Digest>]>>,
}

/// The computed hash of a piece's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceDigest {
    /// The SHA-1 of all bytes of the piece, including padding (BEP 3).
    V1(Sha1Digest),
    /// The root of the Merkle tree over the piece's blocks of 16 KiB (BEP 52, "metainfo files", `piece
    /// layers`). The tree of the short last piece of a file is as high as that of a whole piece, with zero
    /// leaves beyond the end of the file. Padding after the file is not hashed.
    V2(Sha256Digest),
}

impl PieceDigest {
    /// Computes the v2 digest of a piece from the SHA-256 digests of its blocks.
    pub fn from_blocks(piece_len: u32, blocks: impl ExactSizeIterator<Item = Sha256Digest>) -> Self {
        let height = tree_height(blocks.len() as u64);
        Self::V2(raise_root(merkle_root(blocks, [0; 32]), height, piece_height(piece_len)))
    }
}

impl PieceHashes {
    /// Makes the hashes of a v1 torrent from digests in piece order.
    pub fn from_v1(digests: impl Into<Arc<[Sha1Digest]>>) -> Self {
        Self { v1: Some(digests.into()), v2: None }
    }

    /// Makes the hashes of a v2 torrent from Merkle roots in piece order.
    pub fn from_v2(roots: impl Into<Arc<[Option<Sha256Digest>]>>) -> Self {
        Self { v1: None, v2: Some(roots.into()) }
    }

    /// Makes the hashes of a torrent from those of its halves. Both halves of a hybrid torrent have the same
    /// piece numbers (BEP 52, "upgrade path").
    pub(super) fn new(v1: Option<Vec<Sha1Digest>>, v2: Option<Vec<Option<Sha256Digest>>>) -> Self {
        Self { v1: v1.map(Into::into), v2: v2.map(Into::into) }
    }

    /// Whether the digest is the known hash of the piece. For a hybrid torrent a match in either version is
    /// enough.
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

    /// The SHA-1 digests of all pieces, if the torrent has a v1 half.
    pub fn v1(&self) -> Option<&[Sha1Digest]> {
        self.v1.as_deref()
    }

    /// The SHA-1 digest of a piece, if the torrent has a v1 half.
    pub fn sha1(&self, piece: Piece) -> Option<Sha1Digest> {
        self.v1.as_ref()?.get(piece.index() as usize).copied()
    }

    /// The Merkle root of a piece, if the torrent has a v2 half and the root is known.
    pub fn root(&self, piece: Piece) -> Option<Sha256Digest> {
        self.v2.as_ref()?.get(piece.index() as usize).copied().flatten()
    }
}

/// Returns the number of levels above the leaves in a Merkle tree over this number of blocks.
pub(super) fn tree_height(blocks: u64) -> u32 {
    blocks.max(1).next_power_of_two().ilog2()
}

/// Returns the number of levels above the leaves in the tree of a whole piece, whose length is a power of
/// two.
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
