//! Protection from floods: limits per sender, and for all senders together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Bucket, Moment, network};

/// The time over which queries are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// The most queries of one sender that are answered within [`WINDOW`]: five a second.
const MAX_QUERIES: u16 = 50;
/// The time for which a sender that exceeds [`MAX_QUERIES`] is ignored.
const IGNORE_TIME: Duration = Duration::from_secs(300);
/// The most senders that are ignored at a time; the one whose time ends first makes room.
const MAX_IGNORED: usize = 1024;
/// The number of counters in a row, far more than the queries that are read within [`WINDOW`].
const COUNTERS: usize = 4096;
/// The number of rows of counters.
const ROWS: usize = 4;
/// The length of the shortest reply, in bytes. With less budget than this, nothing is answered.
const MIN_REPLY_LEN: u64 = 64;

/// The limits on queries, packets and replies.
///
/// Senders are not counted one by one: queries with thousands of forged addresses would push the others out
/// of such a list. They are counted in a count-min sketch: a digest selects one counter in each row, which
/// several senders share, and the least of the four is never below the sender's true count and rarely above
/// it.
#[derive(Clone, Debug)]
pub(super) struct FloodGuard {
    seed: u64,
    /// The rows, one after another.
    counters: Vec<u16>,
    /// The time at which the counters were last reset.
    since: Moment,
    ignored: BTreeMap<Sender, Moment>,
    /// The ignored senders, by the end of that time.
    ends: BTreeSet<(Moment, Sender)>,
    answers: Bucket,
    /// The most packets per second, the current second, and the packets in it.
    packets: Option<u32>,
    second: u64,
    count: u32,
}

/// A sender: an IPv4 address, or an IPv6 network (64 bits), all of whose addresses have one owner.
type Sender = (bool, [u8; 8]);

impl FloodGuard {
    /// Sets the limits on reply bytes and on received packets, each per second. `seed` must be secret.
    pub(super) fn new(now: Moment, seed: u64, bytes_per_second: Option<u64>, packets: Option<u32>) -> Self {
        Self {
            seed,
            counters: vec![0; COUNTERS * ROWS],
            since: now,
            ignored: BTreeMap::new(),
            ends: BTreeSet::new(),
            answers: Bucket::new(now, bytes_per_second),
            packets,
            second: 0,
            count: 0,
        }
    }

    /// Counts a packet. Returns whether it may be read.
    pub(super) fn accept_packet(&mut self, now: Moment) -> bool {
        let second = now.since_start().as_secs();
        if second != self.second {
            (self.second, self.count) = (second, 0);
        }
        self.count = self.count.saturating_add(1);
        self.packets.is_none_or(|most| self.count <= most)
    }

    /// Counts a query. Returns whether it may be answered. Senders on this machine are not limited, since
    /// they all share one address.
    pub(super) fn accept_query(&mut self, now: Moment, ip: IpAddr) -> bool {
        if ip.is_loopback() {
            return true;
        }
        if now.since(self.since) >= WINDOW {
            self.since = now;
            self.counters.fill(0);
            while let Some(&(end, sender)) = self.ends.first().filter(|(end, _)| *end <= now) {
                self.ends.remove(&(end, sender));
                self.ignored.remove(&sender);
            }
        }
        let sender = sender(ip);
        match self.ignored.get(&sender) {
            Some(&end) if end > now => return false,
            Some(&end) => {
                self.ignored.remove(&sender);
                self.ends.remove(&(end, sender));
            }
            None => {}
        }
        if self.count(sender) > MAX_QUERIES {
            self.ignore(now + IGNORE_TIME, sender);
            return false;
        }
        true
    }

    /// Counts a query, and returns the sender's queries within the window.
    fn count(&mut self, (v4, bytes): Sender) -> u16 {
        let mut digest = mixed(u64::from_be_bytes(bytes) ^ self.seed.rotate_left(u32::from(v4)));
        let mut least = u16::MAX;
        for row in self.counters.chunks_exact_mut(COUNTERS) {
            digest = mixed(digest);
            let counter = &mut row[digest as usize % COUNTERS];
            *counter = counter.saturating_add(1);
            least = least.min(*counter);
        }
        least
    }

    fn ignore(&mut self, end: Moment, sender: Sender) {
        if self.ignored.len() >= MAX_IGNORED
            && let Some((_, first)) = self.ends.pop_first()
        {
            self.ignored.remove(&first);
        }
        self.ignored.insert(sender, end);
        self.ends.insert((end, sender));
    }

    /// Whether the reply budget allows at least the shortest reply.
    pub(super) fn may_answer(&mut self, now: Moment) -> bool {
        self.answers.wait(now, MIN_REPLY_LEN).is_zero()
    }

    /// Takes `bytes` from the reply budget. Returns whether they may be sent.
    pub(super) fn take_budget(&mut self, now: Moment, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let granted = self.answers.take(now, bytes);
        if granted < bytes {
            self.answers.give_back(granted);
        }
        granted == bytes
    }
}

fn sender(ip: IpAddr) -> Sender {
    match ip.to_canonical() {
        IpAddr::V4(v4) => (true, u64::from(v4.to_bits()).to_be_bytes()),
        v6 @ IpAddr::V6(_) => (false, network(v6)),
    }
}

/// Mixes the bits of a number (the finaliser of splitmix64).
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    fn flood(bytes_per_second: Option<u64>, packets: Option<u32>) -> FloodGuard {
        FloodGuard::new(at(0), 7, bytes_per_second, packets)
    }

    #[test]
    fn who_asks_too_much_is_not_answered_for_a_while() {
        let mut flood = flood(None, None);
        let (loud, calm) = (IpAddr::from([1, 2, 3, 4]), IpAddr::from([5, 6, 7, 8]));
        let answered = (0..100).filter(|&n| flood.accept_query(at(n * 10), loud)).count();
        assert_eq!(answered, 50);
        assert!(flood.accept_query(at(1000), calm));
        assert!(!flood.accept_query(at(299_000), loud));
        assert!(flood.accept_query(at(301_000), loud));
        // Four a second for ever are fine.
        assert!((0..1000).all(|n| flood.accept_query(at(400_000 + n * 250), loud)));
        assert!((0..1000).all(|_| flood.accept_query(at(0), IpAddr::from([127, 0, 0, 1]))));
    }

    #[test]
    fn a_network_of_ipv6_is_one_who_asks() {
        let mut flood = flood(None, None);
        let ip = |net: u16, host| IpAddr::from([0x2001, 0xdb8, 0, net, 0, 0, 0, host]);
        let answered = (0..1000_u16).filter(|&n| flood.accept_query(at(n.into()), ip(1, n))).count();
        assert_eq!(answered, 50);
        assert!(!flood.accept_query(at(1000), ip(1, 5000)) && flood.accept_query(at(1000), ip(2, 1)));
    }

    #[test]
    fn many_others_do_not_make_one_forgotten() {
        let mut flood = flood(None, Some(4000));
        let loud = IpAddr::from([1, 2, 3, 4]);
        let mut calm = 0;
        // Four thousand packets in a second, one in twenty from the same address.
        let answered = (0..40_000_u32).filter(|&n| {
            let other = IpAddr::from((0x0900_0000 + n * 257).to_be_bytes());
            calm += u32::from(flood.accept_query(at(u64::from(n) / 4), other));
            n % 20 == 0 && flood.accept_query(at(u64::from(n) / 4), loud)
        });
        assert_eq!(answered.count(), 50);
        assert!(calm > 39_990, "{calm} of 40000 who asked once are answered");
    }

    #[test]
    fn a_second_has_room_for_so_many_packets() {
        let mut limited = flood(None, Some(100));
        let heard = |flood: &mut FloodGuard, from: u64| {
            (0..1000).filter(|n| flood.accept_packet(at(from + n / 2))).count()
        };
        assert_eq!(
            (heard(&mut limited, 0), heard(&mut limited, 1000), heard(&mut limited, 5400)),
            (100, 100, 100)
        );
        assert_eq!(heard(&mut flood(None, None), 0), 1000);
    }

    #[test]
    fn the_list_of_the_silenced_is_short() {
        let mut flood = flood(None, None);
        for n in 0..3000_u32 {
            for _ in 0..60 {
                flood.accept_query(at(u64::from(n) * 100), IpAddr::from((n << 8).to_be_bytes()));
            }
        }
        assert_eq!((flood.ignored.len(), flood.ends.len()), (MAX_IGNORED, MAX_IGNORED));
        for (sender, &end) in &flood.ignored {
            assert!(flood.ends.contains(&(end, *sender)));
        }
        // When their time is up, nothing of them is left.
        assert!(flood.accept_query(at(700_000), IpAddr::from([9, 9, 9, 9])));
        assert_eq!((flood.ignored.len(), flood.ends.len()), (0, 0));
    }

    #[test]
    fn answers_stay_below_their_rate() {
        let mut flood = flood(Some(8000), None);
        let sent: usize = (0..10_000).filter(|&ms| flood.take_budget(at(ms), 400)).count() * 400;
        assert!((80_000..130_000).contains(&sent), "{sent}");
        assert!((0..1000).any(|_| !flood.take_budget(at(10_000), 64)) && !flood.may_answer(at(10_000)));
        assert!(flood.may_answer(at(10_100)));
    }
}
