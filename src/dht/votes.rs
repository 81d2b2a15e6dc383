//! Votes of other nodes for our external address (the `ip` of BEP 42).

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::base::network;

/// The number of networks that must agree.
const MIN_AGREEING: usize = 4;
/// The votes out of four that are needed to replace an address that we already believe. A machine with two
/// routes is seen at either address, now the one and now the other.
const MIN_OF_FOUR: usize = 3;
/// The most networks whose votes are kept.
const MAX_VOTES: usize = 50;

/// The latest vote of each network: an owner has one vote, however many nodes it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Votes {
    votes: BTreeMap<[u8; 8], (u64, IpAddr)>,
    count: u64,
}

impl Votes {
    /// Counts a vote of a node at `by` for the address `seen`. Returns that address if enough networks agree
    /// on it: more than half, or three in four if another address is `believed`.
    pub(super) fn vote(&mut self, by: IpAddr, seen: IpAddr, believed: Option<IpAddr>) -> Option<IpAddr> {
        self.count += 1;
        self.votes.insert(network(by), (self.count, seen));
        if self.votes.len() > MAX_VOTES {
            let oldest = self.votes.iter().min_by_key(|(_, (number, _))| *number).map(|(&key, _)| key);
            oldest.map(|key| self.votes.remove(&key));
        }
        let agree = self.votes.values().filter(|(_, word)| *word == seen).count();
        let is_new = believed.is_some_and(|ip| ip != seen);
        let most =
            if is_new { agree * 4 > self.votes.len() * MIN_OF_FOUR } else { agree * 2 > self.votes.len() };
        (agree >= MIN_AGREEING && most).then_some(seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_owner_alone_convinces_nobody() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let mut votes = Votes::default();
        for last in 1..100 {
            assert_eq!(votes.vote(IpAddr::from([198, 51, 100, last]), ip("203.0.113.1"), None), None);
        }
        for net in 1..4 {
            assert_eq!(votes.vote(IpAddr::from([net, 2, 3, 4]), ip("203.0.113.9"), None), None);
        }
        assert_eq!(votes.vote(ip("9.2.3.4"), ip("203.0.113.9"), None), Some(ip("203.0.113.9")));
    }

    #[test]
    fn old_words_are_forgotten() {
        let mut votes = Votes::default();
        let word = |n: u8| IpAddr::from([203, 0, 113, n]);
        for net in 0..50 {
            votes.vote(IpAddr::from([net, 1, 1, 1]), word(1), None);
        }
        let mut fresh = votes.clone();
        let position = |votes: &mut Votes, of| {
            (100..150).position(|net| votes.vote(IpAddr::from([net, 1, 1, 1]), word(2), of).is_some())
        };
        assert_eq!(position(&mut votes, None), Some(25));
        assert_eq!(position(&mut fresh, Some(word(1))), Some(37), "another is believed");
    }

    #[test]
    fn two_ways_out_are_not_two_places() {
        let mut votes = Votes::default();
        let word = |n: u8| IpAddr::from([203, 0, 113, n]);
        let mut rng = crate::base::Rng::new(1);
        let (mut believed, mut changes) = (None, 0);
        for _ in 0..5000 {
            let by = IpAddr::from([1 + rng.below(200) as u8, 1, 1, 1]);
            if let Some(ip) = votes.vote(by, word(rng.below(2) as u8), believed) {
                changes += usize::from(believed.replace(ip) != Some(ip));
            }
        }
        assert_eq!(changes, 1);
    }
}
