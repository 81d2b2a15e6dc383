//! Merkle trees over SHA-256 (BEP 52).

use super::sha256;
use crate::base::Sha256Digest;

/// The digest of a tree of zero leaves that is so many levels high: what stands for the part of a tree
/// beyond the end of its file. A single leaf is level 0 and is itself zero.
pub fn zero_tree(levels: u32) -> Sha256Digest {
    (0..levels).fold([0; 32], |below, _| join(&below, &below))
}

/// The root above a layer of digests, filled up with `filler` to the next power of two. An empty layer
/// has the filler as its root.
pub fn merkle_root(layer: impl IntoIterator<Item = Sha256Digest>, filler: Sha256Digest) -> Sha256Digest {
    let mut layer: Vec<Sha256Digest> = layer.into_iter().collect();
    let mut filler = filler;
    while layer.len() > 1 {
        if !layer.len().is_multiple_of(2) {
            layer.push(filler);
        }
        layer = layer.as_chunks::<2>().0.iter().map(|[left, right]| join(left, right)).collect();
        filler = join(&filler, &filler);
    }
    layer.first().copied().unwrap_or(filler)
}

/// The root of a tree that is `from` levels high as the left edge of one that is `to` levels high and has zero
/// leaves in the rest. A tree that is as high already keeps its root.
pub fn raise_root(root: Sha256Digest, from: u32, to: u32) -> Sha256Digest {
    (from..to).fold(root, |root, level| join(&root, &zero_tree(level)))
}

fn join(left: &Sha256Digest, right: &Sha256Digest) -> Sha256Digest {
    let mut both = [0; 64];
    both[..32].copy_from_slice(left);
    both[32..].copy_from_slice(right);
    sha256(&both)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_the_same_however_much_of_the_filling_is_written_out() {
        let leaves: Vec<Sha256Digest> = (1..=5).map(|n| [n; 32]).collect();
        let filled: Vec<Sha256Digest> = leaves.iter().copied().chain([[0; 32]; 3]).collect();
        let root = merkle_root(leaves, zero_tree(0));
        assert_eq!(root, merkle_root(filled.clone(), [9; 32]));
        let upper: Vec<Sha256Digest> =
            filled.chunks(2).map(|pair| merkle_root(pair.iter().copied(), [0; 32])).collect();
        assert_eq!(root, merkle_root(upper[..3].iter().copied(), zero_tree(1)));
    }

    #[test]
    fn a_raised_root_is_that_of_the_filled_tree() {
        for count in 1..9_u8 {
            let leaves: Vec<Sha256Digest> = (1..=count).map(|n| [n; 32]).collect();
            let height = leaves.len().next_power_of_two().ilog2();
            let filled = leaves.iter().copied().chain(std::iter::repeat([0; 32])).take(16);
            let root = raise_root(merkle_root(leaves.iter().copied(), [0; 32]), height, 4);
            assert_eq!(root, merkle_root(filled, [0; 32]), "{count}");
        }
        assert_eq!(raise_root([7; 32], 3, 3), [7; 32]);
    }

    #[test]
    fn small_trees_are_what_they_must_be() {
        assert_eq!(zero_tree(0), [0; 32]);
        assert_eq!(zero_tree(1), sha256(&[0; 64]));
        assert_eq!(merkle_root([[7; 32]], [0; 32]), [7; 32]);
        let pair = [[1; 32], [2; 32]].concat();
        assert_eq!(merkle_root([[1; 32], [2; 32]], [0; 32]), sha256(&pair));
    }
}
