//! The window of a partial piece: the blocks that can be requested, and so the memory it may take.
//!
//! A piece that fits into memory is in the window as a whole. A longer one is downloaded front first: the end
//! of the window follows the front, where runs are hashed and written and leave memory. The blocks in the
//! window that have not left are *held*: a buffer is set aside for each of them, received or not.
//!
//! The buffers never run out behind a missing block that cannot be requested:
//!
//! 1. Only blocks in the window are requested and accepted, so a piece never has more buffers than it holds
//!    ([`RequestWindow::held`]), and all pieces together never have more than the torrent holds. The pool has
//!    as many buffers as all torrents hold, and one more for each connection, for the block that is just
//!    arriving. So a peer that sends a requested block always finds a buffer, whatever else is missing.
//! 2. The window never ends less than a run behind its front, unless the piece does
//!    ([`RequestWindow::flush`]). So the first missing block is always in the window. Either it is free and
//!    requested from the next peer that has it, or it is requested, and becomes free again when that peer
//!    leaves, rejects it or is snubbed, or is requested from a second peer that sends it earlier.
//! 3. When it arrives its run becomes complete sooner or later, since the same holds for every block before
//!    the end of the run. A complete run waits for nothing but the disk, so the front moves on, to the end.
//!
//! Only the part of the window beyond that first run depends on free memory ([`RequestWindow::extend`]).

use std::ops::Range;

use crate::base::{BLOCK_LEN, RUN_BLOCKS, RUN_LEN};

/// The window of one partial piece.
#[derive(Clone, Debug)]
pub struct RequestWindow {
    blocks: u32,
    flushed: u32,
    end: u32,
    in_runs: bool,
}

impl RequestWindow {
    /// Makes the window of a piece of `blocks` blocks, where all pieces together may hold `budget` bytes. It
    /// covers the whole piece if that is no longer than a run, or if several like it fit into the budget.
    pub fn new(blocks: u32, budget: u64) -> Self {
        /// The number of pieces of this length that must fit into the budget for one to be held whole. Whole
        /// pieces are hashed side by side, and without digests of their blocks.
        const WHOLE: u64 = 4;
        let len = u64::from(blocks) * u64::from(BLOCK_LEN);
        let in_runs = blocks > RUN_BLOCKS && len * WHOLE > budget;
        let end = if in_runs { RUN_BLOCKS } else { blocks };
        Self { blocks, flushed: 0, end, in_runs }
    }

    /// Makes the window of a piece whose first `flushed` blocks have left memory and of which no block from `end`
    /// on was received.
    pub fn restored(blocks: u32, in_runs: bool, flushed: u32, end: u32) -> Self {
        if !in_runs {
            return Self { blocks, flushed: 0, end: blocks, in_runs };
        }
        let flushed = flushed.min(blocks);
        let mut window = Self { blocks, flushed, end: flushed, in_runs };
        window.extend();
        while window.end < end && window.can_extend() {
            window.extend();
        }
        window
    }

    /// Whether the piece is hashed and written in runs.
    pub const fn is_in_runs(&self) -> bool {
        self.in_runs
    }

    /// The blocks in the window that have not left memory.
    pub const fn range(&self) -> Range<u32> {
        self.flushed..self.end
    }

    /// The bytes of the buffers set aside for these blocks.
    pub fn held(&self) -> u64 {
        u64::from(self.end - self.flushed) * u64::from(BLOCK_LEN)
    }

    /// Whether the window can be extended.
    pub const fn can_extend(&self) -> bool {
        self.end < self.blocks
    }

    /// Extends the window by one run, for which memory must be free. Returns the new blocks.
    pub fn extend(&mut self) -> Range<u32> {
        self.extend_to(self.end + RUN_BLOCKS)
    }

    /// Moves the front after the first `blocks` blocks have left memory. Returns the new blocks at the end,
    /// which use the memory of those that left.
    pub fn flush(&mut self, blocks: u32) -> Range<u32> {
        self.flushed = blocks.clamp(self.flushed, self.end);
        self.extend_to(self.flushed + RUN_BLOCKS)
    }

    fn extend_to(&mut self, end: u32) -> Range<u32> {
        let before = self.end;
        self.end = end.min(self.blocks).max(before);
        before..self.end
    }
}

/// Returns the bytes that a piece of this length holds at first.
pub fn at_first(len: u32, budget: u64) -> u64 {
    RequestWindow::new(len.div_ceil(BLOCK_LEN), budget).held()
}

/// The most bytes by which one extension increases the held memory.
pub const STEP: u64 = RUN_LEN;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_piece_is_whole_where_memory_is_plenty() {
        let mib = |n: u64| n << 20;
        assert!(!RequestWindow::new(64, 0).is_in_runs(), "a run is never cut");
        assert!(!RequestWindow::new(512, mib(32)).is_in_runs());
        assert_eq!(RequestWindow::new(512, mib(32)).held(), mib(8));
        assert!(
            RequestWindow::new(513, mib(32)).is_in_runs() && RequestWindow::new(512, mib(31)).is_in_runs()
        );
        assert_eq!(RequestWindow::new(32_767, mib(32)).held(), mib(1));
        assert_eq!(at_first(40_000, mib(32)), 3 * 16_384, "buffers are set aside whole");
    }

    proptest! {
        #[test]
        fn the_front_is_always_in_reach_and_flushing_never_takes_memory(
            blocks in 65_u32..400,
            steps in prop::collection::vec((any::<bool>(), 0_u32..100), 0..60),
        ) {
            let mut window = RequestWindow::new(blocks, 0);
            for (stretch, by) in steps {
                let (held, end) = (window.held(), window.range().end);
                let new = if stretch { window.extend() } else { window.flush(window.range().start + by) };
                prop_assert_eq!(new.start, end);
                prop_assert_eq!(new.end, window.range().end);
                let most = if stretch { held + STEP } else { held };
                prop_assert!(window.held() <= most);
                let left = blocks - window.range().start;
                prop_assert!(window.range().len() as u32 >= left.min(RUN_BLOCKS));
                prop_assert_eq!(window.can_extend(), window.range().end < blocks);
            }
        }
    }
}
