//! Buffers of incomplete pieces.
//!
//! A piece is held whole until it is verified. A piece too long for that is held in segments of
//! [`RUN_BLOCKS`] blocks: as soon as its next segment is complete, the segment leaves for the disk threads
//! together with the [`HashState`]; they hash it and write it before the whole piece is verified. The hash
//! state moves by ownership, so at most one segment of a piece is on its way and segments are hashed in
//! order.

use std::collections::VecDeque;
use std::ops::Range;
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
    blocks: VecDeque<BlockState>,
    generation: Arc<()>,
    segments: Option<Box<Segments>>,
}

#[derive(Debug, Default)]
enum BlockState {
    #[default]
    Missing,
    Held {
        buf: Buf,
        /// Whether the block is on the disk, too, though its piece is not verified.
        saved: bool,
    },
    /// The block is with the disk threads, see [`PieceBuffer::lend_unsaved`].
    Lent,
}

#[derive(Debug)]
struct Segments {
    /// `None` while a segment is being hashed.
    hash_state: Option<HashState>,
    /// Number of blocks in written segments.
    written: u32,
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

/// Blocks of an unfinished piece that the disk threads save and give back.
#[derive(Debug)]
pub struct LentBlocks {
    piece: Piece,
    /// The blocks by index, in order.
    pub(super) bufs: Vec<(u32, Buf)>,
    generation: Weak<()>,
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

impl LentBlocks {
    /// The piece of the blocks.
    pub fn piece(&self) -> Piece {
        self.piece
    }

    /// Whether the piece was given up since.
    pub fn is_stale(&self) -> bool {
        self.generation.strong_count() == 0
    }
}

impl PieceBuffer {
    /// An empty buffer that holds the whole piece.
    pub fn new(geometry: &Geometry, piece: Piece) -> Self {
        let total = geometry.blocks_in(piece);
        let blocks = VecDeque::with_capacity(total as usize);
        let generation = Arc::default();
        Self { piece, total, missing: total, taken: 0, blocks, generation, segments: None }
    }

    /// An empty buffer whose blocks leave in segments.
    pub fn segmented(geometry: &Geometry, piece: Piece) -> Self {
        Self::segmented_after(geometry, piece, Stream::default(), Vec::new())
    }

    /// A buffer whose blocks leave in segments. Those that `digests` belong to have left already; `stream` is
    /// the hash state after them.
    pub(super) fn segmented_after(
        geometry: &Geometry,
        piece: Piece,
        stream: Stream,
        digests: Vec<Sha1Digest>,
    ) -> Self {
        let (total, taken) = (geometry.blocks_in(piece), digests.len() as u32);
        let generation = Arc::new(());
        let hash_state = HashState { piece, stream, digests, generation: Arc::downgrade(&generation) };
        let segments = Some(Box::new(Segments { hash_state: Some(hash_state), written: taken }));
        let blocks = VecDeque::new();
        Self { piece, total, missing: total - taken, taken, blocks, generation, segments }
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
        self.insert_as(block, buf, false)
    }

    /// Stores a block that was read from its place on the disk; returns whether it was new.
    pub(super) fn insert_saved(&mut self, block: Block, buf: Buf) -> bool {
        self.insert_as(block, buf, true)
    }

    fn insert_as(&mut self, block: Block, buf: Buf, saved: bool) -> bool {
        if block.piece() != self.piece || buf.len() != block.len() as usize || block.index() >= self.total {
            return false;
        }
        let Some(at) = block.index().checked_sub(self.taken) else { return false };
        let at = at as usize;
        if at >= self.blocks.len() {
            self.blocks.resize_with(at + 1, BlockState::default);
        }
        let new = matches!(self.blocks[at], BlockState::Missing);
        if new {
            self.blocks[at] = BlockState::Held { buf, saved };
            self.missing -= 1;
        }
        new
    }

    /// Whether this block was received.
    pub fn has(&self, block: Block) -> bool {
        let received = |at| !matches!(self.blocks.get(at as usize), None | Some(BlockState::Missing));
        block.piece() == self.piece && block.index().checked_sub(self.taken).is_none_or(received)
    }

    fn holds(&self, at: usize) -> bool {
        matches!(self.blocks.get(at), Some(BlockState::Held { .. }))
    }

    /// Whether every block was received.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Number of blocks that have left in segments.
    pub fn taken(&self) -> u32 {
        self.taken
    }

    /// Payload held in memory, in bytes.
    pub fn bytes(&self) -> u64 {
        self.blocks.iter().filter_map(BlockState::buf).map(|buf| buf.len() as u64).sum()
    }

    /// Takes the next segment if its blocks are complete and no other segment is on its way. The last segment
    /// needs `verify`, which says whether the digests of all blocks are wanted even if the piece is right.
    pub fn next_segment(&mut self, verify: Option<bool>) -> Option<Segment> {
        let count = RUN_BLOCKS.min(self.total - self.taken);
        let is_last = self.taken + count == self.total;
        let ready =
            count > 0 && (!is_last || verify.is_some()) && (0..count as usize).all(|at| self.holds(at));
        let hash_state = self.segments.as_mut().filter(|_| ready)?.hash_state.take()?;
        let bufs = self.blocks.drain(..count as usize).filter_map(BlockState::into_buf).collect();
        let first = self.taken;
        self.taken += count;
        Some(Segment { hash_state, first, bufs, last: verify.filter(|_| is_last) })
    }

    /// Takes the hash state back after a segment; returns whether it belongs to this buffer. A state of an
    /// earlier generation is dropped.
    pub fn restore_hash_state(&mut self, hash_state: HashState) -> bool {
        match &mut self.segments {
            Some(segments) if is_of(&self.generation, &hash_state.generation) => {
                segments.written = hash_state.blocks();
                segments.hash_state = Some(hash_state);
                true
            }
            _ => false,
        }
    }

    /// Lends the blocks that are not on the disk, so that they can be saved; `None` if there are none. Until
    /// they are back, the piece must not be verified and no segment of it may leave.
    pub fn lend_unsaved(&mut self) -> Option<LentBlocks> {
        let mut bufs = Vec::new();
        for (index, block) in (self.taken..).zip(&mut self.blocks) {
            if let BlockState::Held { saved: false, .. } = block {
                let lent = std::mem::replace(block, BlockState::Lent).into_buf();
                bufs.extend(lent.map(|buf| (index, buf)));
            }
        }
        let generation = Arc::downgrade(&self.generation);
        (!bufs.is_empty()).then_some(LentBlocks { piece: self.piece, bufs, generation })
    }

    /// Takes lent blocks back, `saved` or not; returns whether they belong to this buffer. Blocks of an earlier
    /// generation are dropped.
    pub fn take_back(&mut self, lent: LentBlocks, saved: bool) -> bool {
        let ours = is_of(&self.generation, &lent.generation);
        for (index, buf) in lent.bufs.into_iter().filter(|_| ours) {
            let at = index.checked_sub(self.taken).map(|at| at as usize);
            if let Some(block @ BlockState::Lent) = at.and_then(|at| self.blocks.get_mut(at)) {
                *block = BlockState::Held { buf, saved };
            }
        }
        ours
    }

    /// The blocks that are on the disk, though the piece is not verified, as ranges in order.
    pub fn saved_blocks(&self) -> Vec<Range<u32>> {
        let written = self.segments.as_ref().map_or(0, |segments| segments.written);
        let saved = (self.taken..)
            .zip(&self.blocks)
            .filter(|(_, block)| matches!(block, BlockState::Held { saved: true, .. }))
            .map(|(index, _)| index..index + 1);
        let mut ranges: Vec<Range<u32>> = Vec::new();
        for range in std::iter::once(0..written).filter(|front| !front.is_empty()).chain(saved) {
            match ranges.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => ranges.push(range),
            }
        }
        ranges
    }

    /// The indices of the received blocks that have not left in segments, in order.
    pub fn received(&self) -> impl Iterator<Item = u32> + '_ {
        let blocks = (self.taken..).zip(&self.blocks);
        blocks.filter(|(_, block)| !matches!(block, BlockState::Missing)).map(|(index, _)| index)
    }

    /// The blocks in order, if all were received and none has left; otherwise the buffer unchanged.
    pub fn into_bufs(self) -> Result<Vec<Buf>, Self> {
        if (0..self.total as usize).all(|at| self.holds(at)) && self.taken == 0 {
            Ok(self.blocks.into_iter().filter_map(BlockState::into_buf).collect())
        } else {
            Err(self)
        }
    }
}

impl BlockState {
    fn buf(&self) -> Option<&Buf> {
        if let Self::Held { buf, .. } = self { Some(buf) } else { None }
    }

    fn into_buf(self) -> Option<Buf> {
        if let Self::Held { buf, .. } = self { Some(buf) } else { None }
    }
}

/// Whether what has left a buffer belongs to this generation of it.
fn is_of(generation: &Arc<()>, of: &Weak<()>) -> bool {
    std::ptr::eq(of.as_ptr(), Arc::as_ptr(generation))
}

#[cfg(test)]
mod tests;
