//! The blocks a peer owes us.

use std::collections::VecDeque;

use crate::base::Block;
use crate::proto::message::Wanted;

/// Blocks that were requested and have not begun to come in, in the order of the requests, which is
/// the order in which nearly every peer answers.
#[derive(Default)]
pub(super) struct Outstanding(VecDeque<Block>);

impl Outstanding {
    pub(super) fn add(&mut self, blocks: &[Block]) {
        self.0.extend(blocks);
    }

    /// Takes out the block with exactly these numbers, wherever it stands.
    pub(super) fn take(&mut self, wanted: Wanted) -> Option<Block> {
        let place = self.0.iter().position(|block| Wanted::from(block.span()) == wanted)?;
        self.0.remove(place)
    }

    /// The block that is expected after so many others.
    pub(super) fn peek(&self, place: usize) -> Option<Block> {
        self.0.get(place).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
