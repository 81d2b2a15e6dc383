//! Buffers of the incomplete pieces. The state machine knows which blocks were received; this module stores,
//! verifies and discards them at its orders.
//!
//! While a segment of a piece is with the disk threads, nothing else of that piece goes there. That holds for
//! a piece that was given up and begun again, too: so late bytes of the first generation never overwrite
//! verified ones.

use std::collections::BTreeMap;

use crate::base::{Block, Geometry, Piece};
use crate::store::{Buf, HashState, PieceBuffer, Segment};

#[derive(Default)]
pub(super) struct PieceBuffers(BTreeMap<Piece, Slot>);

/// The state of one piece.
#[derive(Default)]
struct Slot {
    /// `None` once the piece was given up or has left for the disk threads.
    buffer: Option<PieceBuffer>,
    /// Set once the piece is complete: whether the digests of its blocks are wanted in any case.
    verify: Option<bool>,
    /// A segment is with the disk threads, perhaps of an earlier generation.
    segment_out: bool,
}

/// Work for the disk threads.
pub(super) enum DiskWork {
    /// Hash the piece and write it if it is right; whether the digests of its blocks are wanted then.
    VerifyAndWrite(PieceBuffer, bool),
    /// Continue the hash with this segment and write it.
    WriteSegment(Segment),
}

impl PieceBuffers {
    /// Opens an empty buffer for a piece.
    pub(super) fn open(&mut self, geometry: &Geometry, piece: Piece, segmented: bool) {
        let make = if segmented { PieceBuffer::segmented } else { PieceBuffer::new };
        let slot = self.0.entry(piece).or_default();
        (slot.buffer, slot.verify) = (Some(make(geometry, piece)), None);
    }

    /// Stores a block; returns whether its piece is segmented.
    pub(super) fn accept(&mut self, block: Block, buf: Buf) -> bool {
        let buffer = self.0.get_mut(&block.piece()).and_then(|slot| slot.buffer.as_mut());
        let Some(buffer) = buffer else { return false };
        let new = buffer.insert(block, buf);
        debug_assert!(new, "a block is accepted once, while its piece is open");
        buffer.is_segmented()
    }

    /// Marks a complete piece to be verified.
    pub(super) fn verify(&mut self, piece: Piece, digests: bool) {
        if let Some(slot) = self.0.get_mut(&piece) {
            slot.verify = Some(digests);
        }
    }

    /// Drops the blocks of a piece.
    pub(super) fn discard(&mut self, piece: Piece) {
        if let Some(slot) = self.0.get_mut(&piece) {
            (slot.buffer, slot.verify) = (None, None);
        }
        self.remove_if_idle(piece);
    }

    /// Takes the next work on a piece, if there is any.
    pub(super) fn next_work(&mut self, piece: Piece) -> Option<DiskWork> {
        let slot = self.0.get_mut(&piece).filter(|slot| !slot.segment_out)?;
        let buffer = slot.buffer.as_mut()?;
        if buffer.is_segmented() {
            let segment = buffer.next_segment(slot.verify)?;
            slot.segment_out = true;
            return Some(DiskWork::WriteSegment(segment));
        }
        let digests = slot.verify?;
        self.0.remove(&piece)?.buffer.map(|buffer| DiskWork::VerifyAndWrite(buffer, digests))
    }

    /// Takes back the hash state of a segment. Returns the number of hashed blocks, unless the piece was
    /// given up since.
    pub(super) fn return_segment(&mut self, hash_state: HashState) -> Option<u32> {
        let (piece, blocks) = (hash_state.piece(), hash_state.blocks());
        let slot = self.0.get_mut(&piece)?;
        slot.segment_out = false;
        let present = slot.buffer.as_mut().is_some_and(|buffer| buffer.restore_hash_state(hash_state));
        self.remove_if_idle(piece);
        present.then_some(blocks)
    }

    /// Removes a piece that has neither a buffer nor a segment with the disk threads.
    fn remove_if_idle(&mut self, piece: Piece) {
        if self.0.get(&piece).is_some_and(|slot| slot.buffer.is_none() && !slot.segment_out) {
            self.0.remove(&piece);
        }
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
        let mut pieces = PieceBuffers::default();
        let insert = |pieces: &mut PieceBuffers, segmented| {
            pieces.open(&geometry, piece, segmented);
            for block in geometry.blocks(piece) {
                let mut buf = pool.try_take().expect("there is plenty");
                buf.set_len(block.len() as usize);
                pieces.accept(block, buf);
            }
        };
        insert(&mut pieces, true);
        let Some(DiskWork::WriteSegment(first)) = pieces.next_work(piece) else {
            panic!("the first run is there")
        };
        assert!(pieces.next_work(piece).is_none(), "one at a time");
        pieces.discard(piece);
        assert_eq!(pool.counters().in_use, 64, "those of the run are not given back yet");
        for segmented in [true, false] {
            insert(&mut pieces, segmented);
            pieces.verify(piece, false);
            assert!(pieces.next_work(piece).is_none(), "the first life is not over");
            if segmented {
                pieces.discard(piece);
            }
        }
        assert!(first.hash_state().is_stale());
        assert_eq!(pieces.return_segment(first.into_hash_state()), None);
        assert!(matches!(pieces.next_work(piece), Some(DiskWork::VerifyAndWrite(_, false))));
        assert!(pieces.next_work(piece).is_none());
    }
}
