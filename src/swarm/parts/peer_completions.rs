//! The count of peers that completed the download with our help.

use std::collections::BTreeSet;

use crate::base::PeerId;

/// The most peers that are remembered, so that one that connects again counts once.
const MAX_REMEMBERED: usize = 10_000;

/// The number of peers that became seeds and downloaded some of it from us.
#[derive(Clone, Debug, Default)]
pub struct PeerCompletions {
    makers: BTreeSet<PeerId>,
    count: u32,
}

impl PeerCompletions {
    /// Records that a peer has all pieces now.
    pub fn record(&mut self, by: PeerId) {
        if self.makers.len() >= MAX_REMEMBERED || self.makers.insert(by) {
            self.count = self.count.saturating_add(1);
        }
    }

    /// The number of such peers.
    pub const fn count(&self) -> u32 {
        self.count
    }
}
