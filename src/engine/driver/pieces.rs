//! The pieces that are being put together, and which of them the disk has to do with next.
//!
//! While a run of a piece is with the disk threads, nothing else of that piece goes there, not even of a
//! later life of it: a piece that was given up and begun again waits until the run of its first life is
//! back. So bytes that are written early never come after those that proved right.

use std::collections::{BTreeMap, BTreeSet};

use crate::base::{Block, Geometry, Piece};
use crate::store::{Assembly, Buf, Front, Run};

#[derive(Default)]
pub(super) struct Pieces {
    assemblies: BTreeMap<Piece, Assembly>,
    /// Pieces whose blocks have all landed; whether the digests of the blocks are wanted in any case.
    whole: BTreeMap<Piece, bool>,
    /// Pieces of which a run is with the disk threads, perhaps of an earlier life.
    away: BTreeSet<Piece>,
}

/// Work for the disk threads.
pub(super) enum Work {
    /// Hash this piece and write it if it is right; whether the digests of its blocks are wanted then.
    Keep(Assembly, bool),
    /// Hash this run and write it early.
    Settle(Run),
}

impl Pieces {
    /// Takes in a block of an open piece.
    pub(super) fn land(&mut self, geometry: &Geometry, block: Block, buf: Buf, in_runs: bool) {
        let piece = block.piece();
        let make = if in_runs { Assembly::in_runs } else { Assembly::new };
        self.assemblies.entry(piece).or_insert_with(|| make(geometry, piece)).land(block, buf);
    }

    /// All blocks of a piece have landed, and it is to be verified.
    pub(super) fn verify(&mut self, piece: Piece, digests: bool) {
        debug_assert!(self.assemblies.contains_key(&piece), "its blocks have landed here");
        self.whole.insert(piece, digests);
    }

    /// Throws away what has landed of a piece.
    pub(super) fn discard(&mut self, piece: Piece) {
        self.assemblies.remove(&piece);
        self.whole.remove(&piece);
    }

    /// What there is to be done for a piece now.
    pub(super) fn next(&mut self, piece: Piece) -> Option<Work> {
        if self.away.contains(&piece) {
            return None;
        }
        let whole = self.whole.get(&piece).copied();
        let assembly = self.assemblies.get_mut(&piece)?;
        if assembly.is_in_runs() {
            let run = assembly.next_run(whole)?;
            self.away.insert(piece);
            return Some(Work::Settle(run));
        }
        let digests = whole?;
        self.whole.remove(&piece);
        self.assemblies.remove(&piece).map(|assembly| Work::Keep(assembly, digests))
    }

    /// The run of a piece is back. Says how many blocks of it are hashed, if it was of its present life.
    pub(super) fn back(&mut self, front: Front) -> Option<u32> {
        let (piece, blocks) = (front.piece(), front.blocks());
        self.away.remove(&piece);
        let assembly = self.assemblies.get_mut(&piece)?;
        assembly.go_on(front).then_some(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pool;

    #[test]
    fn a_later_life_of_a_piece_waits_for_the_run_of_the_first() {
        let geometry = Geometry::single(2 << 20, 2 << 20).expect("a geometry");
        let piece = geometry.piece(0).expect("the first");
        let pool = Pool::new(8 << 20);
        let mut pieces = Pieces::default();
        let land = |pieces: &mut Pieces, in_runs| {
            for block in geometry.blocks(piece) {
                let mut buf = pool.try_take().expect("there is plenty");
                buf.set_len(block.len() as usize);
                pieces.land(&geometry, block, buf, in_runs);
            }
        };
        land(&mut pieces, true);
        let Some(Work::Settle(first)) = pieces.next(piece) else { panic!("the first run is there") };
        assert!(pieces.next(piece).is_none(), "one at a time");
        pieces.discard(piece);
        assert_eq!(pool.counters().in_use, 64, "those of the run are not given back yet");
        for in_runs in [true, false] {
            land(&mut pieces, in_runs);
            pieces.verify(piece, false);
            assert!(pieces.next(piece).is_none(), "the first life is not over");
            if in_runs {
                pieces.discard(piece);
            }
        }
        assert!(first.front().is_stale());
        assert_eq!(pieces.back(first.into_front()), None);
        assert!(matches!(pieces.next(piece), Some(Work::Keep(_, false))));
        assert!(pieces.next(piece).is_none());
    }
}
