//! A running task.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::base::NodeId;
use crate::proto::krpc::Item;

use super::bloom::Bloom;
use super::event::{Family, Goal, Outcome};
use super::lookup::Lookup;

/// The most peers that one task reports.
const MAX_PEERS: usize = 2000;

#[derive(Clone, Debug)]
pub(super) struct Task {
    pub(super) goal: Goal,
    /// One lookup per address family.
    pub(super) lookups: Vec<(Family, Lookup)>,
    /// Whether the node itself began the task.
    pub(super) own: bool,
    pub(super) outcome: Outcome,
    /// The number of pending announces or puts, once the search has ended.
    pub(super) stores: usize,
    /// The number of those that are late.
    pub(super) late_stores: usize,
    pub(super) storing: bool,
    pub(super) item: Option<Item>,
    pub(super) filters: Option<(Bloom, Bloom)>,
    peers: BTreeSet<SocketAddr>,
}

impl Task {
    pub(super) fn new(goal: Goal, own: bool) -> Self {
        Self {
            goal,
            lookups: Vec::new(),
            own,
            outcome: Outcome::default(),
            stores: 0,
            late_stores: 0,
            storing: false,
            item: None,
            filters: None,
            peers: BTreeSet::new(),
        }
    }

    /// Records that an announce or put was answered or lost.
    pub(super) fn store_ended(&mut self, was_late: bool) {
        self.stores = self.stores.saturating_sub(1);
        self.late_stores = self.late_stores.saturating_sub(usize::from(was_late));
    }

    /// Whether the announce or put is done. Late replies are waited for only if no node has confirmed yet,
    /// since the late ones may have stored it, too.
    pub(super) const fn has_stored(&self) -> bool {
        let all = self.stores == 0 || (self.outcome.stored > 0 && self.stores == self.late_stores);
        self.storing && all
    }

    pub(super) fn lookup(&mut self, family: Family) -> Option<&mut Lookup> {
        self.lookups.iter_mut().find(|(of, _)| *of == family).map(|(_, lookup)| lookup)
    }

    /// Returns those of the peers that were not found before.
    pub(super) fn found(&mut self, peers: &[SocketAddr]) -> Vec<SocketAddr> {
        // One reply may name a peer several times.
        let is_new = |peer: &SocketAddr| self.peers.len() < MAX_PEERS && self.peers.insert(*peer);
        let new: Vec<SocketAddr> = peers.iter().copied().filter(is_new).collect();
        self.outcome.peers = self.peers.len() as u32;
        new
    }

    /// Takes an item if it has the right target, is valid, and is newer than the one found before.
    pub(super) fn take(&mut self, item: Item, target: NodeId) -> bool {
        let newer = match (&self.item, item.seq()) {
            (None, _) => true,
            (Some(known), seq) => seq > known.seq(),
        };
        let good = newer && item.target() == target && item.check().is_ok();
        if good {
            self.item = Some(item);
        }
        good
    }

    /// Merges the Bloom filters of a reply (BEP 33).
    pub(super) fn count(&mut self, seeds: Option<&[u8; 256]>, others: Option<&[u8; 256]>) {
        let filters = self.filters.get_or_insert_with(Default::default);
        if let Some(seeds) = seeds {
            filters.0.merge(seeds);
        }
        if let Some(others) = others {
            filters.1.merge(others);
        }
    }
}

impl Goal {
    /// Returns the target of the search; `None` for a task that queries a single node.
    pub(super) fn target(&self) -> Option<NodeId> {
        Some(match self {
            Self::Nodes(target)
            | Self::Scrape(target)
            | Self::Sample(target)
            | Self::Peers { info_hash: target, .. }
            | Self::Get { target, .. } => *target,
            Self::Put { item, .. } => item.target(),
            Self::Ping(_) => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_is_told_once_however_often_it_is_named() {
        let mut task = Task::new(Goal::Nodes(NodeId([0; 20])), false);
        let peer = |n: u16| SocketAddr::from(([8, 0, (n >> 8) as u8, n as u8], 6881));
        assert_eq!(task.found(&[peer(1), peer(2), peer(1)]), [peer(1), peer(2)]);
        assert_eq!(task.found(&[peer(2), peer(3), peer(3)]), [peer(3)]);
        assert_eq!(task.outcome.peers, 3);
        let many: Vec<SocketAddr> = (0..3000).map(peer).collect();
        assert_eq!(task.found(&many).len(), MAX_PEERS - 3);
        assert_eq!(task.found(&[peer(2999)]), []);
    }
}
