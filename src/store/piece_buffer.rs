//! Buffers of incomplete pieces.
//!
//! A piece is held whole until it is verified. A piece too long for that is held in segments of
//! [`RUN_BLOCKS`] blocks: as soon as its next segment is complete, the segment leaves for the disk threads
//! together with the [`HashState`]; they hash it and write it before the whole piece is verified. The hash
//! state moves by ownership, so at most one segment of a piece is on its way and segments are hashed in
//! order.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use super::pool::Buf;
use crate::base::{Block, Geometry, Piece, RUN_BLOCKS, Sha1Digest};
use crate::hash::Stream;

/// The received blocks of one piece.
#[derive(Debug)]
pub struct PieceBuffer {
    piece: Piece,
    total: u32,
    missing: u32,
    /// Number of blocks that have left in segments.
    taken: u32,
    /// The blocks from the first that has not left to the last received.
    blocks: VecDeque<Option<Buf>>,
    segments: Option<Box<Segments>>,
}

#[derive(Debug)]
struct Segments {
    /// `None` while a segment is being hashed.
    hash_state: Option<HashState>,
    generation: Arc<()>,
}

/// The SHA-1 state of a segmented piece and the digests of its blocks so far.
#[derive(Debug)]
pub struct HashState {
    piece: Piece,
    pub(super) stream: Stream,
    pub(super) digests: Vec<Sha1Digest>,
    generation: Weak<()>,
}

/// Consecutive blocks of a segmented piece on their way to the disk threads.
#[derive(Debug)]
pub struct Segment {
    /// The hash state before this segment.
    pub(super) hash_state: HashState,
    /// Index of the first block.
    pub(super) first: u32,
    pub(super) bufs: Vec<Buf>,
    /// Set for the last segment of the piece: whether the digests of all blocks are wanted even if the piece
    /// is right.
    pub(super) last: Option<bool>,
}

impl HashState {
    /// The piece being hashed.
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// Number of blocks hashed so far.
    pub fn blocks(&self) -> u32 {
        self.digests.len() as u32
    }

    /// Whether the piece was given up since: writing its segment could overwrite newer bytes.
    pub fn is_stale(&self) -> bool {
        self.generation.strong_count() == 0
    }
}

impl Segment {
    /// The piece this segment is part of.
    pub fn piece(&self) -> Piece {
        self.hash_state.piece
    }

    /// The hash state before this segment.
    pub fn hash_state(&self) -> &HashState {
        &self.hash_state
    }

    /// Drops the blocks and returns the hash state unchanged.
    pub fn into_hash_state(self) -> HashState {
        self.hash_state
    }
}

impl PieceBuffer {
    /// An empty buffer that holds the whole piece.
    pub fn new(geometry: &Geometry, piece: Piece) -> Self {
        let total = geometry.blocks_in(piece);
        let blocks = VecDeque::with_capacity(total as usize);
        Self { piece, total, missing: total, taken: 0, blocks, segments: None }
    }

    /// An empty buffer whose blocks leave in segments.
    pub fn segmented(geometry: &Geometry, piece: Piece) -> Self {
        let total = geometry.blocks_in(piece);
        let generation = Arc::new(());
        let hash_state = HashState {
            piece,
            stream: Stream::default(),
            digests: Vec::new(),
            generation: Arc::downgrade(&generation),
        };
        let segments = Some(Box::new(Segments { hash_state: Some(hash_state), generation }));
        Self { piece, total, missing: total, taken: 0, blocks: VecDeque::new(), segments }
    }

    /// The piece being buffered.
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// Whether blocks leave in segments.
    pub fn is_segmented(&self) -> bool {
        self.segments.is_some()
    }

    /// Stores a block; returns whether it was new. A block of another piece, a block of the wrong length and
    /// a duplicate are dropped.
    pub fn insert(&mut self, block: Block, buf: Buf) -> bool {
        if block.piece() != self.piece || buf.len() != block.len() as usize || block.index() >= self.total {
            return false;
        }
        let Some(at) = block.index().checked_sub(self.taken) else { return false };
        let at = at as usize;
        if at >= self.blocks.len() {
            self.blocks.resize_with(at + 1, || None);
        }
        let new = self.blocks[at].is_none();
        if new {
            self.blocks[at] = Some(buf);
            self.missing -= 1;
        }
        new
    }

    /// Whether this block was received.
    pub fn has(&self, block: Block) -> bool {
        block.piece() == self.piece
            && block.index().checked_sub(self.taken).is_none_or(|at| self.holds(at as usize))
    }

    fn holds(&self, at: usize) -> bool {
        self.blocks.get(at).is_some_and(Option::is_some)
    }

    /// Whether every block was received.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Payload held in memory, in bytes.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().flatten().map(|buf| buf.len() as u64).sum()
    }

    /// Takes the next segment if its blocks are complete and no other segment is on its way. The last segment
    /// needs `verify`, which says whether the digests of all blocks are wanted even if the piece is right.
    pub fn next_segment(&mut self, verify: Option<bool>) -> Option<Segment> {
        let count = RUN_BLOCKS.min(self.total - self.taken);
        let is_last = self.taken + count == self.total;
        let ready =
            count > 0 && (!is_last || verify.is_some()) && (0..count as usize).all(|at| self.holds(at));
        let hash_state = self.segments.as_mut().filter(|_| ready)?.hash_state.take()?;
        let bufs = self.blocks.drain(..count as usize).flatten().collect();
        let first = self.taken;
        self.taken += count;
        Some(Segment { hash_state, first, bufs, last: verify.filter(|_| is_last) })
    }

    /// Takes the hash state back after a segment; returns whether it belongs to this buffer. A state of an
    /// earlier generation is dropped.
    pub fn restore_hash_state(&mut self, hash_state: HashState) -> bool {
        match &mut self.segments {
            Some(segments)
                if std::ptr::eq(hash_state.generation.as_ptr(), Arc::as_ptr(&segments.generation)) =>
            {
                segments.hash_state = Some(hash_state);
                true
            }
            _ => false,
        }
    }

    /// The blocks in order, if all were received and none has left; otherwise the buffer unchanged.
    pub fn into_bufs(self) -> Result<Vec<Buf>, Self> {
        if self.is_complete() && self.taken == 0 {
            Ok(self.blocks.into_iter().flatten().collect())
        } else {
            Err(self)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Pool;

    fn filled(pool: &Pool, block: Block) -> Buf {
        let mut buf = pool.try_take().unwrap();
        buf.set_len(block.len() as usize);
        buf.whole_mut()[0] = block.index() as u8;
        buf
    }

    #[test]
    fn blocks_land_in_any_order_and_twins_are_dropped() {
        let geometry = Geometry::single(40_000, 90_001).unwrap();
        let piece = geometry.piece(1).unwrap();
        let pool = Pool::new(1 << 20);
        let filled = |block: Block| filled(&pool, block);
        let blocks: Vec<_> = geometry.blocks(piece).collect();
        let mut buffer = PieceBuffer::new(&geometry, piece);
        assert!(buffer.insert(blocks[2], filled(blocks[2])));
        assert!(!buffer.insert(blocks[2], filled(blocks[2])));
        assert!(!buffer.insert(blocks[0], filled(blocks[2])), "of the wrong length");
        let stranger = geometry.block(geometry.piece(0).unwrap(), 0).unwrap();
        assert!(!buffer.insert(stranger, filled(stranger)));
        assert!(buffer.insert(blocks[1], filled(blocks[1])));
        let mut buffer = buffer.into_bufs().unwrap_err();
        assert!(!buffer.is_complete());
        assert!(buffer.insert(blocks[0], filled(blocks[0])));
        assert!(buffer.next_segment(Some(false)).is_none(), "it is held whole");
        let order: Vec<_> = buffer.into_bufs().unwrap().iter().map(|buf| buf[0]).collect();
        assert_eq!(order, [0, 1, 2]);
        assert_eq!(pool.counters().in_use, 0);
    }

    #[test]
    fn runs_leave_in_order_one_at_a_time_and_the_last_when_it_is_to_be_verified() {
        let geometry = Geometry::single(3 << 20, (2 << 20) + 5).unwrap();
        let piece = geometry.piece(0).unwrap();
        let pool = Pool::new(4 << 20);
        let blocks: Vec<_> = geometry.blocks(piece).collect();
        let mut buffer = PieceBuffer::segmented(&geometry, piece);
        for &block in blocks[1..].iter().rev() {
            assert!(buffer.insert(block, filled(&pool, block)));
            assert!(buffer.next_segment(Some(true)).is_none(), "there is a hole at the front");
        }
        assert!(buffer.insert(blocks[0], filled(&pool, blocks[0])) && buffer.is_complete());
        let first = buffer.next_segment(None).unwrap();
        assert_eq!((first.first, first.bufs.len(), first.last), (0, 64, None));
        assert!(buffer.next_segment(None).is_none(), "one at a time");
        assert!(!buffer.insert(blocks[3], filled(&pool, blocks[3])), "it has left already");
        assert!(buffer.has(blocks[3]));
        let mut hash_state = first.hash_state;
        hash_state.digests = vec![[0; 20]; 64];
        assert_eq!(hash_state.blocks(), 64);
        assert!(buffer.restore_hash_state(hash_state));
        let second = buffer.next_segment(None).unwrap();
        assert_eq!((second.first, second.bufs[5][0], second.last), (64, 69, None));
        assert!(buffer.restore_hash_state(second.hash_state));
        assert!(buffer.next_segment(None).is_none(), "nobody has said that it is to be verified");
        let last = buffer.next_segment(Some(true)).unwrap();
        assert_eq!((last.first, last.bufs.len(), last.last), (128, 1, Some(true)));
        assert!(buffer.restore_hash_state(last.hash_state));
        assert!(buffer.next_segment(Some(true)).is_none() && buffer.into_bufs().is_err());
    }

    #[test]
    fn the_front_of_an_earlier_life_is_known() {
        let geometry = Geometry::single(2 << 20, 2 << 20).unwrap();
        let piece = geometry.piece(0).unwrap();
        let pool = Pool::new(4 << 20);
        let mut old = PieceBuffer::segmented(&geometry, piece);
        for block in geometry.blocks(piece) {
            old.insert(block, filled(&pool, block));
        }
        let segment = old.next_segment(None).unwrap();
        assert!(!segment.hash_state.is_stale());
        drop(old);
        assert!(segment.hash_state.is_stale());
        let mut new = PieceBuffer::segmented(&geometry, piece);
        assert!(!new.restore_hash_state(segment.hash_state));
        assert!(
            !PieceBuffer::new(&geometry, piece)
                .restore_hash_state(new.segments.take().unwrap().hash_state.unwrap())
        );
    }
}
