//! What others say our address is (the `ip` of BEP 42), and when to believe it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::base::network;

/// Networks that must agree.
const ENOUGH: usize = 4;
/// Networks whose words are kept.
const MOST: usize = 50;

/// The latest word of each network: one owner has one vote, however many nodes it runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Votes {
    words: BTreeMap<[u8; 8], (u64, IpAddr)>,
    count: u64,
}

impl Votes {
    /// Somebody says this is our address. Says what it is, if enough agree and more do so than not.
    pub(super) fn vote(&mut self, by: IpAddr, seen: IpAddr) -> Option<IpAddr> {
        self.count += 1;
        self.words.insert(network(by), (self.count, seen));
        if self.words.len() > MOST {
            let oldest = self.words.iter().min_by_key(|(_, (number, _))| *number).map(|(&key, _)| key);
            oldest.map(|key| self.words.remove(&key));
        }
        let agree = self.words.values().filter(|(_, word)| *word == seen).count();
        (agree >= ENOUGH && agree * 2 > self.words.len()).then_some(seen)
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
            assert_eq!(votes.vote(IpAddr::from([198, 51, 100, last]), ip("203.0.113.1")), None);
        }
        for net in 1..4 {
            assert_eq!(votes.vote(IpAddr::from([net, 2, 3, 4]), ip("203.0.113.9")), None);
        }
        assert_eq!(votes.vote(ip("9.2.3.4"), ip("203.0.113.9")), Some(ip("203.0.113.9")));
    }

    #[test]
    fn old_words_are_forgotten() {
        let mut votes = Votes::default();
        let word = |n: u8| IpAddr::from([203, 0, 113, n]);
        for net in 0..50 {
            votes.vote(IpAddr::from([net, 1, 1, 1]), word(1));
        }
        let believed: Vec<_> =
            (100..150).map(|net| votes.vote(IpAddr::from([net, 1, 1, 1]), word(2))).collect();
        assert_eq!(believed.iter().position(Option::is_some), Some(25));
    }
}
