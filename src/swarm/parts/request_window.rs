//! How far an open piece may be asked for, and so how much memory it may take.
//!
//! A piece that memory affords is in reach as a whole. A longer one is fetched front first: its blocks are
//! in reach up to an end that follows the front, where runs are hashed and written and leave memory. What
//! is in reach and has not left is *held*: a buffer is set aside for each block of it, landed or not.
//!
//! Why the buffers never run out behind a hole nobody may ask for:
//!
//! 1. Only blocks in reach are asked for and taken in, so a piece never has more buffers than it holds
//!    ([`RequestWindow::held`]), and all pieces together never have more than the torrent holds. The pool has as
//!    many as all torrents hold, and one more for each connection, for the block that is just coming in.
//!    So a peer that sends what was asked always finds a buffer, whatever else is missing.
//! 2. The reach of a piece never ends less than a run behind its front, unless the piece does
//!    ([`RequestWindow::flush`]). So the first block that is missing is always in reach: it is free, and asked
//!    of the next peer that may give it, or asked, and free again when that peer leaves, rejects it or is
//!    out of patience, or asked of a second peer that will bring it earlier.
//! 3. When it lands its run becomes whole sooner or later, for the same holds for every block before the
//!    end of the run. A whole run waits for nothing but the disk, so the front moves on, to the end.
//!
//! Only the reach beyond that first run depends on free memory ([`RequestWindow::extend`]).

use std::ops::Range;

use crate::base::{BLOCK_LEN, RUN_BLOCKS, RUN_LEN};

/// How far one open piece is in reach; see the head of this file.
#[derive(Clone, Debug)]
pub struct RequestWindow {
    blocks: u32,
    flushed: u32,
    end: u32,
    in_runs: bool,
}

impl RequestWindow {
    /// The reach of a piece of so many blocks, where `budget` bytes may be held by all pieces together: it is
    /// whole where it is no longer than a run, or where several like it may be held.
    pub fn new(blocks: u32, budget: u64) -> Self {
        /// Pieces of one length that must fit the budget to be held whole: so many are hashed side by side,
        /// and the digests of their blocks are spared.
        const WHOLE: u64 = 4;
        let len = u64::from(blocks) * u64::from(BLOCK_LEN);
        let in_runs = blocks > RUN_BLOCKS && len * WHOLE > budget;
        let end = if in_runs { RUN_BLOCKS } else { blocks };
        Self { blocks, flushed: 0, end, in_runs }
    }

    /// Whether it is hashed and written in runs.
    pub const fn is_in_runs(&self) -> bool {
        self.in_runs
    }

    /// The blocks that are in reach and have not left memory.
    pub const fn range(&self) -> Range<u32> {
        self.flushed..self.end
    }

    /// Bytes of the buffers set aside for them.
    pub fn held(&self) -> u64 {
        u64::from(self.end - self.flushed) * u64::from(BLOCK_LEN)
    }

    /// Whether there is more to get into reach.
    pub const fn can_extend(&self) -> bool {
        self.end < self.blocks
    }

    /// One run more is in reach; the blocks that are new there. Memory for it must be free.
    pub fn extend(&mut self) -> Range<u32> {
        self.extend_to(self.end + RUN_BLOCKS)
    }

    /// So many blocks have left memory; the blocks that are new in reach, for which the place of those
    /// that left is enough.
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

/// The bytes that a piece of this length holds at first.
pub fn at_first(len: u32, budget: u64) -> u64 {
    RequestWindow::new(len.div_ceil(BLOCK_LEN), budget).held()
}

/// The most bytes that one extension adds.
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
