//! Whole copies that others have made with our help.

use std::collections::BTreeSet;

use crate::base::PeerId;

/// Makers that are remembered, so that one who is connected twice, or comes again, counts once.
const MAX_REMEMBERED: usize = 10_000;

/// How many others have come to have everything and took something of it from us.
#[derive(Clone, Debug, Default)]
pub struct PeerCompletions {
    makers: BTreeSet<PeerId>,
    count: u32,
}

impl PeerCompletions {
    /// This peer has everything now.
    pub fn made(&mut self, by: PeerId) {
        if self.makers.len() >= MAX_REMEMBERED || self.makers.insert(by) {
            self.count = self.count.saturating_add(1);
        }
    }

    /// How many there are.
    pub const fn count(&self) -> u32 {
        self.count
    }
}
