//! Peers that tell us of others, and how much of our attention each of them has had.
//!
//! Whoever tells lies can tell any number of them. So each teller, which is an address on the Internet and not a
//! connection, has a small share of the list, and tellers take turns when an address is chosen: among so many liars an
//! honest one is heard once in so many dials, however much the others say.

use std::collections::BTreeMap;
use std::net::SocketAddr;

/// The most addresses that are kept of one teller.
pub const PER_TELLER: usize = 50;

#[derive(Clone, Copy, Debug)]
struct Teller {
    kept: usize,
    turns: u64,
}

/// All of them, by whom they are blamed as ([`owner_of`](crate::base::owner_of)).
#[derive(Clone, Debug, Default)]
pub struct Tellers(BTreeMap<SocketAddr, Teller>);

impl Tellers {
    /// How many addresses of this teller are kept.
    pub fn kept(&self, teller: SocketAddr) -> usize {
        self.0.get(&teller).map_or(0, |known| known.kept)
    }

    /// How many turns this teller has had; the fewer, the sooner is the next.
    pub fn turns(&self, teller: SocketAddr) -> u64 {
        self.0.get(&teller).map_or(0, |known| known.turns)
    }

    /// The one of whom most is kept.
    pub fn loudest(&self) -> Option<(SocketAddr, usize)> {
        self.0.iter().map(|(&teller, known)| (teller, known.kept)).max_by_key(|&(_, kept)| kept)
    }

    /// One more address of a teller is kept. One that is new is served like the one served least, so that it gains
    /// nothing by coming again under another name.
    pub fn keep(&mut self, teller: SocketAddr) {
        let least = self.0.values().map(|known| known.turns).min().unwrap_or(0);
        self.0.entry(teller).or_insert(Teller { kept: 0, turns: least }).kept += 1;
    }

    /// One address less.
    pub fn drop(&mut self, teller: SocketAddr) {
        if let Some(known) = self.0.get_mut(&teller) {
            known.kept = known.kept.saturating_sub(1);
            if known.kept == 0 {
                self.0.remove(&teller);
            }
        }
    }

    /// An address of this teller is tried.
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
