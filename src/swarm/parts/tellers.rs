//! Quotas of the peers that send addresses by peer exchange (BEP 11).
//!
//! A lying peer can send any number of addresses. So each sender, identified by its IP address on the
//! Internet and not by its connection, has a small share of the candidates, and senders take turns when an
//! address is chosen. Among many liars an honest peer still gets its turn, however much the others send.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The most addresses that are kept per sender.
pub const PER_TELLER: usize = 50;

#[derive(Clone, Copy, Debug)]
struct Teller {
    kept: usize,
    turns: u64,
}

/// The quotas by the sender's [`owner_of`](crate::base::owner_of).
#[derive(Clone, Debug, Default)]
pub struct Tellers(BTreeMap<SocketAddr, Teller>);

impl Tellers {
    /// The number of addresses kept from this sender.
    pub fn kept(&self, teller: SocketAddr) -> usize {
        self.0.get(&teller).map_or(0, |known| known.kept)
    }

    /// The number of turns this sender has had; the sender with the fewest is next.
    pub fn turns(&self, teller: SocketAddr) -> u64 {
        self.0.get(&teller).map_or(0, |known| known.turns)
    }

    /// The sender with the most addresses.
    pub fn loudest(&self) -> Option<(SocketAddr, usize)> {
        self.0.iter().map(|(&teller, known)| (teller, known.kept)).max_by_key(|&(_, kept)| kept)
    }

    /// Counts another address of a sender. A new sender starts with the fewest turns of all, so that coming
    /// back under another name gains it nothing.
    pub fn keep(&mut self, teller: SocketAddr) {
        let least = self.0.values().map(|known| known.turns).min().unwrap_or(0);
        self.0.entry(teller).or_insert(Teller { kept: 0, turns: least }).kept += 1;
    }

    /// Counts one address less.
    pub fn drop(&mut self, teller: SocketAddr) {
        if let Some(known) = self.0.get_mut(&teller) {
            known.kept = known.kept.saturating_sub(1);
            if known.kept == 0 {
                self.0.remove(&teller);
            }
        }
    }

    /// Counts a dial to an address of this sender.
    pub fn take_turn(&mut self, teller: SocketAddr) {
        if let Some(known) = self.0.get_mut(&teller) {
            known.turns += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_has_no_more_turns_than_those_served_least() {
        let teller = |n: u8| SocketAddr::from(([8, 8, 8, n], 0));
        let mut tellers = Tellers::default();
        tellers.keep(teller(1));
        tellers.keep(teller(1));
        tellers.take_turn(teller(1));
        tellers.keep(teller(2));
        assert_eq!((tellers.turns(teller(2)), tellers.kept(teller(1))), (1, 2));
        tellers.take_turn(teller(2));
        assert!(tellers.turns(teller(1)) < tellers.turns(teller(2)));
        assert_eq!(tellers.loudest(), Some((teller(1), 2)));
        tellers.drop(teller(1));
        tellers.drop(teller(1));
        assert_eq!((tellers.kept(teller(1)), tellers.0.len()), (0, 1));
    }
}
