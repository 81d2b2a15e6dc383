//! The availability of each piece: the number of peers that have it. Pieces that can be opened are sorted by
//! it.
//!
//! The pieces of one priority are on one shelf, rarest first, and the shelf knows where each count begins. A
//! piece whose count changes by one moves by one swap over that border, so an update costs the same for ten
//! pieces as for a hundred thousand. Pieces of the same count are in random order.

use crate::base::{Bitfield, Piece, Rng};
use crate::swarm::event::Priority;

/// The shelves, in the order in which pieces are picked from them.
pub const CLASSES: [Priority; 3] = [Priority::High, Priority::Normal, Priority::Low];

const NOWHERE: u8 = u8::MAX;

#[derive(Clone, Debug)]
struct Shelf {
    order: Vec<u32>,
    /// The borders: pieces of count `c` are at `borders[c]..borders[c + 1]`.
    borders: Vec<u32>,
}

/// The counts and shelves of a torrent.
#[derive(Clone, Debug)]
pub struct Rarity {
    shelves: [Shelf; 3],
    shelf: Vec<u8>,
    place: Vec<u32>,
    counts: Vec<u16>,
    seeds: u32,
    free: Bitfield,
}

impl Rarity {
    /// Makes counts of zero, and empty shelves.
    pub fn new(pieces: u32) -> Self {
        let shelf = Shelf { order: Vec::new(), borders: vec![0, 0] };
        let n = pieces as usize;
        Self {
            shelves: [shelf.clone(), shelf.clone(), shelf],
            shelf: vec![NOWHERE; n],
            place: vec![0; n],
            counts: vec![0; n],
            seeds: 0,
            free: Bitfield::none(pieces),
        }
    }

    /// The number of connected peers that have a piece.
    pub fn count(&self, piece: Piece) -> u32 {
        u32::from(self.counts[piece.index() as usize]) + self.seeds
    }

    /// The pieces that can be opened: wanted, missing, and not open.
    pub const fn free(&self) -> &Bitfield {
        &self.free
    }

    /// The priority under which a piece can be opened; `None` if it cannot.
    pub fn class(&self, piece: Piece) -> Option<Priority> {
        CLASSES.get(usize::from(self.shelf[piece.index() as usize])).copied()
    }

    /// The pieces of a priority that some peer has and that can be opened, rarest first.
    pub fn rarest(&self, class: Priority) -> &[u32] {
        let Some(at) = CLASSES.iter().position(|&c| c == class) else { return &[] };
        let shelf = &self.shelves[at];
        let from = if self.seeds > 0 { 0 } else { shelf.borders[1] };
        &shelf.order[from as usize..]
    }

    /// Puts a piece on the shelf of its priority; `Skip` takes it off.
    pub fn put(&mut self, piece: Piece, class: Priority, rng: &mut Rng) {
        self.take(piece);
        let Some(at) = CLASSES.iter().position(|&c| c == class) else { return };
        let i = piece.index();
        self.shelf[i as usize] = at as u8;
        self.free.insert(piece);
        let count = usize::from(self.counts[i as usize]);
        let shelf = &mut self.shelves[at];
        let len = shelf.order.len() as u32;
        while shelf.borders.len() < count + 2 {
            shelf.borders.push(len);
        }
        shelf.order.push(i);
        self.place[i as usize] = len;
        if let Some(end) = shelf.borders.last_mut() {
            *end += 1;
        }
        for bucket in (count + 1..self.shelves[at].borders.len() - 1).rev() {
            let first = self.shelves[at].borders[bucket];
            self.shelves[at].borders[bucket] += 1;
            self.swap(at, i, first);
        }
        self.mix(at, i, count, rng);
    }

    /// Takes a piece off its shelf, so that it can no longer be opened.
    pub fn take(&mut self, piece: Piece) {
        let i = piece.index();
        let at = usize::from(self.shelf[i as usize]);
        if at >= self.shelves.len() {
            return;
        }
        let count = usize::from(self.counts[i as usize]);
        for bucket in count..self.shelves[at].borders.len() - 1 {
            self.shelves[at].borders[bucket + 1] -= 1;
            let last = self.shelves[at].borders[bucket + 1];
            self.swap(at, i, last);
        }
        self.shelves[at].order.pop();
        self.shelf[i as usize] = NOWHERE;
        self.free.remove(piece);
    }

    /// Counts one more peer for a piece.
    pub fn up(&mut self, piece: Piece, rng: &mut Rng) {
        let i = piece.index();
        let count = usize::from(self.counts[i as usize]);
        self.counts[i as usize] += 1;
        let at = usize::from(self.shelf[i as usize]);
        let Some(shelf) = self.shelves.get_mut(at) else { return };
        if shelf.borders.len() < count + 3 {
            shelf.borders.push(shelf.order.len() as u32);
        }
        shelf.borders[count + 1] -= 1;
        let last = shelf.borders[count + 1];
        self.swap(at, i, last);
        self.mix(at, i, count + 1, rng);
    }

    /// Counts one peer less for a piece.
    pub fn down(&mut self, piece: Piece, rng: &mut Rng) {
        let i = piece.index();
        let count = usize::from(self.counts[i as usize]);
        let Some(less) = count.checked_sub(1) else { return };
        self.counts[i as usize] -= 1;
        let at = usize::from(self.shelf[i as usize]);
        let Some(shelf) = self.shelves.get_mut(at) else { return };
        let first = shelf.borders[count];
        shelf.borders[count] += 1;
        self.swap(at, i, first);
        self.mix(at, i, less, rng);
    }

    /// Counts a seed. It changes no order, so it costs nothing.
    pub fn seed_came(&mut self) {
        self.seeds += 1;
    }

    /// Removes a seed that was counted with [`Self::seed_came`].
    pub fn seed_left(&mut self) {
        self.seeds = self.seeds.saturating_sub(1);
    }

    /// Swaps a piece with the one at `place` on the same shelf.
    fn swap(&mut self, at: usize, i: u32, place: u32) {
        let order = &mut self.shelves[at].order;
        let from = self.place[i as usize];
        let other = order[place as usize];
        order.swap(from as usize, place as usize);
        self.place[other as usize] = from;
        self.place[i as usize] = place;
    }

    /// Moves a piece to a random position among those of its count.
    fn mix(&mut self, at: usize, i: u32, count: usize, rng: &mut Rng) {
        let borders = &self.shelves[at].borders;
        let (from, to) = (borders[count], borders[count + 1]);
        let place = from + rng.below(u64::from(to - from)) as u32;
        self.swap(at, i, place);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::{Geometry, Rng};

    fn check(rarity: &Rarity, geometry: &Geometry) {
        for (at, shelf) in rarity.shelves.iter().enumerate() {
            assert!(shelf.borders.is_sorted());
            assert_eq!(shelf.borders[0], 0);
            assert_eq!(shelf.borders.last().copied(), Some(shelf.order.len() as u32));
            for (place, &i) in shelf.order.iter().enumerate() {
                assert_eq!(rarity.place[i as usize] as usize, place);
                assert_eq!(usize::from(rarity.shelf[i as usize]), at);
                let count = usize::from(rarity.counts[i as usize]);
                let bucket = shelf.borders[count]..shelf.borders[count + 1];
                assert!(bucket.contains(&(place as u32)));
            }
        }
        for piece in geometry.pieces() {
            assert_eq!(rarity.free.has(piece), rarity.class(piece).is_some());
        }
    }

    proptest! {
        #[test]
        fn shelves_stay_in_order_whatever_comes_and_goes(steps in prop::collection::vec((0_u8..5, 0_u32..12, 0_usize..4), 0..300)) {
            let geometry = Geometry::single(10, 120).unwrap();
            let mut rng = Rng::new(1);
            let mut rarity = Rarity::new(12);
            for (what, piece, class) in steps {
                let piece = geometry.piece(piece).unwrap();
                match what {
                    0 => rarity.put(piece, [Priority::High, Priority::Normal, Priority::Low, Priority::Skip][class], &mut rng),
                    1 => rarity.take(piece),
                    2 | 3 => rarity.up(piece, &mut rng),
                    _ => rarity.down(piece, &mut rng),
                }
                check(&rarity, &geometry);
            }
        }
    }

    #[test]
    fn the_rarest_stands_first_and_what_nobody_has_is_not_offered() {
        let geometry = Geometry::single(10, 40).unwrap();
        let mut rng = Rng::new(1);
        let mut rarity = Rarity::new(4);
        for piece in geometry.pieces() {
            rarity.put(piece, Priority::Normal, &mut rng);
        }
        for (i, n) in [(0, 3), (1, 1), (2, 2)] {
            (0..n).for_each(|_| rarity.up(geometry.piece(i).unwrap(), &mut rng));
        }
        assert_eq!(rarity.rarest(Priority::Normal), [1, 2, 0]);
        rarity.seed_came();
        assert_eq!(rarity.rarest(Priority::Normal), [3, 1, 2, 0]);
    }
}
