//! Quotas of the peers that send addresses by peer exchange (BEP 11).
//!
//! A lying peer can send any number of addresses. So each sender, identified by its IP address on the
//! Internet and not by its connection, has a small share of the candidates, and senders take turns when an
//! address is chosen. Among many liars an honest peer still gets its turn, however much the others send.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The most addresses that are kept per sender.
pub const MAX_PER_PEER: usize = 50;

#[derive(Clone, Copy, Debug)]
struct Quota {
    kept: usize,
    turns: u64,
}

/// The quotas by the sender's [`owner_of`](crate::base::owner_of).
#[derive(Clone, Debug, Default)]
pub struct PeerSourceQuota(BTreeMap<SocketAddr, Quota>);

impl PeerSourceQuota {
    /// The number of addresses kept from this sender.
    pub fn kept(&self, sender: SocketAddr) -> usize {
        self.0.get(&sender).map_or(0, |known| known.kept)
    }

    /// The number of turns this sender has had; the sender with the fewest is next.
    pub fn turns(&self, sender: SocketAddr) -> u64 {
        self.0.get(&sender).map_or(0, |known| known.turns)
    }

    /// The sender with the most addresses.
    pub fn largest(&self) -> Option<(SocketAddr, usize)> {
        self.0.iter().map(|(&sender, known)| (sender, known.kept)).max_by_key(|&(_, kept)| kept)
    }

    /// Counts another address of a sender. A new sender starts with the fewest turns of all, so that coming
    /// back under another name gains it nothing.
    pub fn add(&mut self, sender: SocketAddr) {
        let least = self.0.values().map(|known| known.turns).min().unwrap_or(0);
        self.0.entry(sender).or_insert(Quota { kept: 0, turns: least }).kept += 1;
    }

    /// Counts one address less.
    pub fn remove(&mut self, sender: SocketAddr) {
        if let Some(known) = self.0.get_mut(&sender) {
            known.kept = known.kept.saturating_sub(1);
            if known.kept == 0 {
                self.0.remove(&sender);
            }
        }
    }

    /// Counts a dial to an address of this sender.
    pub fn take_turn(&mut self, sender: SocketAddr) {
        if let Some(known) = self.0.get_mut(&sender) {
            known.turns += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_has_no_more_turns_than_those_served_least() {
        let sender = |n: u8| SocketAddr::from(([8, 8, 8, n], 0));
        let mut quotas = PeerSourceQuota::default();
        quotas.add(sender(1));
        quotas.add(sender(1));
        quotas.take_turn(sender(1));
        quotas.add(sender(2));
        assert_eq!((quotas.turns(sender(2)), quotas.kept(sender(1))), (1, 2));
        quotas.take_turn(sender(2));
        assert!(quotas.turns(sender(1)) < quotas.turns(sender(2)));
        assert_eq!(quotas.largest(), Some((sender(1), 2)));
        quotas.remove(sender(1));
        quotas.remove(sender(1));
        assert_eq!((quotas.kept(sender(1)), quotas.0.len()), (0, 1));
    }
}
