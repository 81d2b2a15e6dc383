//! The piece picker, which chooses the next piece to open for a peer.

use std::ops::Range;

use crate::base::{Bitfield, Geometry, Piece, Rng};

use super::rarity::{CLASSES, Rarity};
use crate::swarm::event::{Order, Priority};

/// The number of pieces below which random ones are picked: with something to upload, a peer is unchoked
/// sooner.
pub const RANDOM_FIRST: u32 = 4;
/// The length of an extent in bytes. Pieces in one extent are written to the disk together, so they are
/// picked together.
const EXTENT: u64 = 4 << 20;
/// The number of recent extents that are remembered.
const EXTENTS: usize = 8;
/// The tolerance for a piece in a recent extent: it is preferred to the rarest piece if it is at most one
/// part in this many more common.
const NEARLY: u32 = 8;

/// The pieces that a peer offers.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// The pieces that the peer has.
    pub has: &'a Bitfield,
    /// The number of those that we want and lack, partial ones included.
    pub interesting: u32,
    /// The pieces that the peer suggested (BEP 6).
    pub suggested: &'a [Piece],
}

/// The choice of pieces; it remembers only the extents of recent picks.
#[derive(Clone, Debug, Default)]
pub struct Picker {
    extents: Vec<u64>,
}

impl Picker {
    /// Picks the piece to open for a peer.
    pub fn pick(
        &mut self,
        rarity: &Rarity,
        geometry: &Geometry,
        order: Order,
        ours: u32,
        offer: Offer<'_>,
        rng: &mut Rng,
    ) -> Option<Piece> {
        let picked = if order == Order::InOrder {
            lowest(rarity, geometry, offer.has)
        } else if let Some(&piece) =
            offer.suggested.iter().find(|&&p| rarity.free().has(p) && offer.has.has(p))
        {
            Some(piece)
        } else if ours < RANDOM_FIRST {
            anything(rarity, geometry, offer, rng).or_else(|| rarest(rarity, geometry, offer))
        } else {
            rarest(rarity, geometry, offer).map(|piece| self.beside(piece, rarity, geometry, offer.has, rng))
        };
        if let Some(piece) = picked {
            self.begun(geometry, piece);
        }
        picked
    }

    /// Picks the first piece of a range that the peer has and that can be opened.
    pub fn first_of(
        &mut self,
        rarity: &Rarity,
        geometry: &Geometry,
        range: Range<u32>,
        has: &Bitfield,
    ) -> Option<Piece> {
        let mut pieces = range.filter_map(|index| geometry.piece(index));
        let picked = pieces.find(|&piece| rarity.free().has(piece) && has.has(piece));
        if let Some(piece) = picked {
            self.begun(geometry, piece);
        }
        picked
    }

    /// Returns a piece in a recent extent that is nearly as rare as `piece` and has the same priority, or
    /// else `piece`.
    fn beside(
        &self,
        piece: Piece,
        rarity: &Rarity,
        geometry: &Geometry,
        has: &Bitfield,
        rng: &mut Rng,
    ) -> Piece {
        let count = rarity.count(piece);
        let (class, limit) = (rarity.class(piece), count + count / NEARLY);
        let fits = |&p: &Piece| {
            rarity.free().has(p) && has.has(p) && rarity.class(p) == class && rarity.count(p) <= limit
        };
        // The start is random: peers that download from the same seed must not do so in the same order.
        let found = self.extents.iter().find_map(|&extent| {
            let from = rng.below(EXTENT / u64::from(geometry.piece_len()).max(1)) as usize;
            pieces_of(geometry, extent)
                .skip(from)
                .find(fits)
                .or_else(|| pieces_of(geometry, extent).find(fits))
        });
        found.unwrap_or(piece)
    }

    fn begun(&mut self, geometry: &Geometry, piece: Piece) {
        let extent = geometry.piece_range(piece).start / EXTENT;
        if u64::from(geometry.piece_len()) < EXTENT && !self.extents.contains(&extent) {
            self.extents.truncate(EXTENTS - 1);
            self.extents.insert(0, extent);
        }
    }
}

/// Returns the pieces that begin in an extent.
fn pieces_of(geometry: &Geometry, extent: u64) -> impl Iterator<Item = Piece> + '_ {
    let len = u64::from(geometry.piece_len());
    let first = (extent * EXTENT).div_ceil(len);
    let end = ((extent + 1) * EXTENT).div_ceil(len);
    (first..end).filter_map(|i| geometry.piece(i as u32))
}

/// Picks the rarest piece of the highest priority that the peer has.
fn rarest(rarity: &Rarity, geometry: &Geometry, offer: Offer<'_>) -> Option<Piece> {
    if offer.interesting.saturating_mul(64) < rarity.free().count() {
        // The peer has so few of our missing pieces that walking over its own pieces is faster.
        return common(rarity.free(), offer.has)
            .filter_map(|i| geometry.piece(i))
            .min_by_key(|&p| (std::cmp::Reverse(rarity.class(p)), rarity.count(p)));
    }
    CLASSES.into_iter().find_map(|class| {
        rarity.rarest(class).iter().filter_map(|&i| geometry.piece(i)).find(|&p| offer.has.has(p))
    })
}

/// Picks a random piece of the highest priority, in a few tries.
fn anything(rarity: &Rarity, geometry: &Geometry, offer: Offer<'_>, rng: &mut Rng) -> Option<Piece> {
    let shelf = CLASSES.into_iter().map(|class| rarity.rarest(class)).find(|shelf| !shelf.is_empty())?;
    (0..16).find_map(|_| {
        let piece = geometry.piece(shelf[rng.index(shelf.len())?])?;
        offer.has.has(piece).then_some(piece)
    })
}

/// Picks the first piece of the highest priority.
fn lowest(rarity: &Rarity, geometry: &Geometry, has: &Bitfield) -> Option<Piece> {
    let mut best: Option<(Priority, Piece)> = None;
    for piece in common(rarity.free(), has).filter_map(|i| geometry.piece(i)) {
        let class = rarity.class(piece)?;
        if best.is_none_or(|(b, _)| class > b) {
            best = Some((class, piece));
        }
        if class == Priority::High {
            break;
        }
    }
    best.map(|(_, piece)| piece)
}

/// Returns the indexes of the pieces in both sets, in order, 64 pieces per step.
fn common<'a>(a: &'a Bitfield, b: &'a Bitfield) -> impl Iterator<Item = u32> + 'a {
    let word = |bytes: &[u8]| {
        let mut eight = [0; 8];
        eight[..bytes.len()].copy_from_slice(bytes);
        u64::from_be_bytes(eight)
    };
    let words = a.as_bytes().chunks(8).zip(b.as_bytes().chunks(8)).enumerate();
    words.flat_map(move |(at, (a, b))| {
        let mut both = word(a) & word(b);
        std::iter::from_fn(move || {
            (both != 0).then(|| {
                let bit = both.leading_zeros();
                both &= !(1 << (63 - bit));
                at as u32 * 64 + bit
            })
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::Rng;

    fn world(pieces: u32, piece_len: u64) -> (Geometry, Rarity, Rng) {
        let geometry = Geometry::single(piece_len, u64::from(pieces) * piece_len).unwrap();
        let (mut rarity, mut rng) = (Rarity::new(pieces), Rng::new(5));
        for piece in geometry.pieces() {
            rarity.put(piece, Priority::Normal, &mut rng);
        }
        (geometry, rarity, rng)
    }

    fn offer(has: &Bitfield) -> Offer<'_> {
        Offer { has, interesting: has.count(), suggested: &[] }
    }

    #[test]
    fn the_rarest_of_the_highest_priority_is_begun() {
        let (geometry, mut rarity, mut rng) = world(100, 8 << 20);
        rarity.seed_came();
        for piece in geometry.pieces().filter(|p| p.index() != 42) {
            rarity.up(piece, &mut rng);
        }
        let all = Bitfield::all(100);
        let pick = |rarity: &Rarity, order| {
            Picker::default()
                .pick(rarity, &geometry, order, 50, offer(&all), &mut Rng::new(1))
                .map(Piece::index)
        };
        assert_eq!(pick(&rarity, Order::RarestFirst), Some(42));
        assert_eq!(pick(&rarity, Order::InOrder), Some(0));
        rarity.put(geometry.piece(7).unwrap(), Priority::High, &mut rng);
        assert_eq!(pick(&rarity, Order::RarestFirst), Some(7));
        assert_eq!(pick(&rarity, Order::InOrder), Some(7));
        rarity.take(geometry.piece(7).unwrap());
        rarity.put(geometry.piece(42).unwrap(), Priority::Low, &mut rng);
        assert_ne!(pick(&rarity, Order::RarestFirst), Some(42));
    }

    #[test]
    fn equally_rare_pieces_of_one_extent_are_begun_together() {
        let (geometry, mut rarity, mut rng) = world(1000, 256 << 10);
        rarity.seed_came();
        let (all, mut picker) = (Bitfield::all(1000), Picker::default());
        let mut extents: Vec<u32> = Vec::new();
        for _ in 0..32 {
            let order = Order::RarestFirst;
            let piece = picker.pick(&rarity, &geometry, order, 9, offer(&all), &mut rng).unwrap();
            rarity.take(piece);
            extents.push(piece.index() / 16);
        }
        extents.dedup();
        assert_eq!(extents.len(), 2);
    }

    #[test]
    fn the_first_pieces_differ_from_client_to_client() {
        let (geometry, mut rarity, _) = world(1000, 256 << 10);
        rarity.seed_came();
        let all = Bitfield::all(1000);
        let first = |seed| {
            let order = Order::RarestFirst;
            Picker::default().pick(&rarity, &geometry, order, 0, offer(&all), &mut Rng::new(seed)).unwrap()
        };
        let firsts: std::collections::BTreeSet<_> = (0..20).map(first).collect();
        assert!(firsts.len() > 15);
    }

    proptest! {
        #[test]
        fn a_piece_is_found_exactly_when_there_is_one(free in prop::collection::vec(any::<bool>(), 200), has in prop::collection::vec(0_u32..200, 0..6), in_order in any::<bool>(), ours in 0_u32..9) {
            let (geometry, mut rarity, mut rng) = world(200, 16_384);
            for (i, &free) in free.iter().enumerate() {
                if !free { rarity.take(geometry.piece(i as u32).unwrap()); }
            }
            let mut set = Bitfield::none(200);
            for i in has {
                let piece = geometry.piece(i).unwrap();
                if set.insert(piece) { rarity.up(piece, &mut rng); }
            }
            let order = if in_order { Order::InOrder } else { Order::RarestFirst };
            let picked = Picker::default().pick(&rarity, &geometry, order, ours, offer(&set), &mut rng);
            let there = set.iter().any(|p| free[p.index() as usize]);
            prop_assert_eq!(picked.is_some(), there);
            prop_assert!(picked.is_none_or(|p| set.has(p) && free[p.index() as usize]));
        }
    }
}
