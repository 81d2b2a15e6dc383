//! Buffers of the incomplete pieces. The state machine knows which blocks were received; this module stores,
//! verifies and discards them at its orders.
//!
//! While a segment of a piece, or blocks that are saved, are with the disk threads, nothing else of that piece
//! goes there. That holds for a piece that was given up and begun again, too: so late bytes of the first
//! generation never overwrite verified ones.

use std::collections::BTreeMap;

use crate::base::{Block, Geometry, Moment, Piece};
use crate::store::{Buf, HashState, LentBlocks, PieceBuffer, Segment};

#[derive(Default)]
pub(super) struct PieceBuffers {
    slots: BTreeMap<Piece, Slot>,
    /// Pieces of an earlier run, until the state machine has decided which of them are opened.
    restored: BTreeMap<Piece, PieceBuffer>,
}

/// The state of one piece.
#[derive(Default)]
struct Slot {
    /// `None` once the piece was given up or has left for the disk threads.
    buffer: Option<PieceBuffer>,
    /// Set once the piece is complete: whether the digests of its blocks are wanted in any case.
    verify: Option<bool>,
    /// A segment or blocks to save are with the disk threads, perhaps of an earlier generation.
    out: bool,
    /// The time of opening.
    opened: Moment,
}

/// Work for the disk threads.
pub(super) enum DiskWork {
    /// Hash the piece and write it if it is right; whether the digests of its blocks are wanted then.
    VerifyAndWrite(PieceBuffer, bool),
    /// Continue the hash with this segment and write it.
    WriteSegment(Segment),
}

impl PieceBuffers {
    /// The buffers of these pieces of an earlier run, of which none is open yet.
    pub(super) fn new(restored: Vec<PieceBuffer>) -> Self {
        let restored = restored.into_iter().map(|buffer| (buffer.piece(), buffer)).collect();
        Self { slots: BTreeMap::new(), restored }
    }

    /// Opens the buffer of a piece: the restored one, or an empty one.
    pub(super) fn open(&mut self, now: Moment, geometry: &Geometry, piece: Piece, segmented: bool) {
        let make = if segmented { PieceBuffer::segmented } else { PieceBuffer::new };
        let buffer = self.restored.remove(&piece).unwrap_or_else(|| make(geometry, piece));
        debug_assert_eq!(buffer.is_segmented(), segmented, "the state machine was told how it is held");
        let slot = self.slots.entry(piece).or_default();
        (slot.buffer, slot.verify, slot.opened) = (Some(buffer), None, now);
    }

    /// Drops the restored pieces that were not opened, and returns them.
    pub(super) fn end_restoring(&mut self) -> Vec<Piece> {
        std::mem::take(&mut self.restored).into_keys().collect()
    }

    /// The open pieces.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        self.slots.keys().copied().collect()
    }

    /// Stores a block; returns whether its piece is segmented.
    pub(super) fn accept(&mut self, block: Block, buf: Buf) -> bool {
        let buffer = self.slots.get_mut(&block.piece()).and_then(|slot| slot.buffer.as_mut());
        let Some(buffer) = buffer else { return false };
        let new = buffer.insert(block, buf);
        debug_assert!(new, "a block is accepted once, while its piece is open");
        buffer.is_segmented()
    }

    /// Marks a complete piece to be verified.
    pub(super) fn verify(&mut self, piece: Piece, digests: bool) {
        if let Some(slot) = self.slots.get_mut(&piece) {
            slot.verify = Some(digests);
        }
    }

    /// Drops the blocks of a piece.
    pub(super) fn discard(&mut self, piece: Piece) {
        if let Some(slot) = self.slots.get_mut(&piece) {
            (slot.buffer, slot.verify) = (None, None);
        }
        self.remove_if_idle(piece);
    }

    /// Lends the blocks that are not on the disk, of all pieces that are `due` by the time of their opening and
    /// `may` be saved.
    pub(super) fn lend_unsaved(
        &mut self,
        due: impl Fn(Moment) -> bool,
        may: impl Fn(Piece) -> bool,
    ) -> Vec<LentBlocks> {
        let slots = self.slots.iter_mut();
        let lent = slots.filter(|(piece, slot)| !slot.out && due(slot.opened) && may(**piece)).filter_map(
            |(_, slot)| {
                let lent = slot.buffer.as_mut()?.lend_unsaved()?;
                slot.out = true;
                Some(lent)
            },
        );
        lent.collect()
    }

    /// Takes lent blocks back, `saved` or not.
    pub(super) fn take_back(&mut self, lent: LentBlocks, saved: bool) {
        let piece = lent.piece();
        let Some(slot) = self.slots.get_mut(&piece) else { return };
        slot.out = false;
        if let Some(buffer) = &mut slot.buffer {
            buffer.take_back(lent, saved);
        }
        self.remove_if_idle(piece);
    }

    /// The buffers of the open pieces.
    pub(super) fn buffers(&self) -> impl Iterator<Item = &PieceBuffer> {
        self.slots.values().filter_map(|slot| slot.buffer.as_ref())
    }

    /// Takes the next work on a piece, if there is any.
    pub(super) fn next_work(&mut self, piece: Piece) -> Option<DiskWork> {
        let slot = self.slots.get_mut(&piece).filter(|slot| !slot.out)?;
        let buffer = slot.buffer.as_mut()?;
        if buffer.is_segmented() {
            let segment = buffer.next_segment(slot.verify)?;
            slot.out = true;
            return Some(DiskWork::WriteSegment(segment));
        }
        let digests = slot.verify?;
        self.slots.remove(&piece)?.buffer.map(|buffer| DiskWork::VerifyAndWrite(buffer, digests))
    }

    /// Takes back the hash state of a segment. Returns the number of hashed blocks, unless the piece was
    /// given up since.
    pub(super) fn return_segment(&mut self, hash_state: HashState) -> Option<u32> {
        let (piece, blocks) = (hash_state.piece(), hash_state.blocks());
        let slot = self.slots.get_mut(&piece)?;
        slot.out = false;
        let present = slot.buffer.as_mut().is_some_and(|buffer| buffer.restore_hash_state(hash_state));
        self.remove_if_idle(piece);
        present.then_some(blocks)
    }

    /// Removes a piece that has neither a buffer nor anything with the disk threads.
    fn remove_if_idle(&mut self, piece: Piece) {
        if self.slots.get(&piece).is_some_and(|slot| slot.buffer.is_none() && !slot.out) {
            self.slots.remove(&piece);
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
            pieces.open(Moment::START, &geometry, piece, segmented);
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

    #[test]
    fn a_piece_is_verified_when_its_saved_blocks_are_back() {
        let geometry = Geometry::single(3 * 16_384, 2 * 3 * 16_384).expect("a geometry");
        let pool = Pool::new(8 << 20);
        let pieces: Vec<Piece> = geometry.pieces().collect();
        let mut buffers = PieceBuffers::default();
        let insert = |buffers: &mut PieceBuffers, piece, count| {
            for block in geometry.blocks(piece).take(count) {
                let mut buf = pool.try_take().expect("there is plenty");
                buf.set_len(block.len() as usize);
                buffers.accept(block, buf);
            }
        };
        for &piece in &pieces {
            buffers.open(Moment::START, &geometry, piece, false);
        }
        insert(&mut buffers, pieces[0], 3);
        insert(&mut buffers, pieces[1], 1);
        assert!(buffers.lend_unsaved(|_| false, |_| true).is_empty(), "none is old enough");
        assert_eq!(buffers.lend_unsaved(|_| true, |piece| piece == pieces[1]).len(), 1);
        let mut lent = buffers.lend_unsaved(|_| true, |_| true);
        let first = lent.pop().expect("of the first piece");
        assert!(lent.is_empty() && first.piece() == pieces[0]);
        buffers.verify(pieces[0], false);
        assert!(buffers.next_work(pieces[0]).is_none(), "its blocks are with the disk");
        buffers.take_back(first, true);
        assert!(matches!(buffers.next_work(pieces[0]), Some(DiskWork::VerifyAndWrite(_, false))));
        // A piece that is given up meanwhile and begun again waits for the save of its first generation.
        insert(&mut buffers, pieces[1], 0);
        buffers.discard(pieces[1]);
        buffers.open(Moment::START, &geometry, pieces[1], false);
        insert(&mut buffers, pieces[1], 3);
        buffers.verify(pieces[1], false);
        assert!(
            buffers.next_work(pieces[1]).is_none() && buffers.lend_unsaved(|_| true, |_| true).is_empty()
        );
    }
}
