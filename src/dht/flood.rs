//! Who asks too much, and how much may be answered in all.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::{Bucket, Moment};

/// Over this time questions are counted.
const WINDOW: Duration = Duration::from_secs(10);
/// So many questions of one address within the window are answered: five a second.
const MOST: u32 = 50;
/// So long somebody who asked more is not answered.
const SILENCE: Duration = Duration::from_secs(300);
/// Addresses that are watched at once; the one that has been quiet longest makes room.
const WATCHED: usize = 20;

/// Keeps one who asks too much, or many together, from using up what is there for all.
#[derive(Clone, Debug)]
pub(super) struct Flood {
    watched: Vec<Watched>,
    answers: Bucket,
    /// The most packets in a second, the second that is counted, and how many came in it.
    packets: Option<u32>,
    second: u64,
    count: u32,
}

#[derive(Clone, Debug)]
struct Watched {
    ip: IpAddr,
    since: Moment,
    last: Moment,
    count: u32,
    silent_until: Option<Moment>,
}

impl Flood {
    /// Answers take at most so many bytes per second, and so many packets are looked at.
    pub(super) fn new(now: Moment, bytes_per_second: Option<u64>, packets: Option<u32>) -> Self {
        let answers = Bucket::new(now, bytes_per_second);
        Self { watched: Vec::new(), answers, packets, second: 0, count: 0 }
    }

    /// A packet comes; says whether it may be looked at.
    pub(super) fn hears(&mut self, now: Moment) -> bool {
        let second = now.since_start().as_secs();
        if second != self.second {
            (self.second, self.count) = (second, 0);
        }
        self.count = self.count.saturating_add(1);
        self.packets.is_none_or(|most| self.count <= most)
    }

    /// Somebody asks; says whether it may be answered. Programs on this machine are not counted: they
    /// share one address.
    pub(super) fn asks(&mut self, now: Moment, ip: IpAddr) -> bool {
        if ip.is_loopback() {
            return true;
        }
        if let Some(entry) = self.watched.iter_mut().find(|entry| entry.ip == ip) {
            entry.last = now;
            if entry.silent_until.is_some_and(|until| until > now) {
                return false;
            }
            if now.since(entry.since) >= WINDOW || entry.silent_until.is_some() {
                (entry.since, entry.count, entry.silent_until) = (now, 0, None);
            }
            entry.count += 1;
            if entry.count > MOST {
                entry.silent_until = Some(now + SILENCE);
                return false;
            }
            return true;
        }
        let entry = Watched { ip, since: now, last: now, count: 1, silent_until: None };
        if self.watched.len() < WATCHED {
            self.watched.push(entry);
        } else {
            // Who is silenced stays, as long as it goes on asking.
            if let Some(oldest) = self.watched.iter_mut().min_by_key(|entry| entry.last) {
                *oldest = entry;
            }
        }
        true
    }

    /// Takes what an answer of this length costs; says whether it may be sent.
    pub(super) fn pays(&mut self, now: Moment, bytes: usize) -> bool {
        let bytes = bytes as u64;
        let granted = self.answers.take(now, bytes);
        if granted < bytes {
            self.answers.give_back(granted);
        }
        granted == bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    #[test]
    fn who_asks_too_much_is_not_answered_for_a_while() {
        let mut flood = Flood::new(at(0), None, None);
        let (loud, calm) = (IpAddr::from([1, 2, 3, 4]), IpAddr::from([5, 6, 7, 8]));
        let answered = (0..100).filter(|&n| flood.asks(at(n * 10), loud)).count();
        assert_eq!(answered, 50);
        assert!(flood.asks(at(1000), calm));
        assert!(!flood.asks(at(299_000), loud));
        assert!(flood.asks(at(301_000), loud));
        // Four a second for ever are fine.
        assert!((0..1000).all(|n| flood.asks(at(400_000 + n * 250), loud)));
        assert!((0..1000).all(|_| flood.asks(at(0), IpAddr::from([127, 0, 0, 1]))));
    }

    #[test]
    fn a_second_has_room_for_so_many_packets() {
        let mut flood = Flood::new(at(0), None, Some(100));
        let heard =
            |flood: &mut Flood, from: u64| (0..1000).filter(|n| flood.hears(at(from + n / 2))).count();
        assert_eq!((heard(&mut flood, 0), heard(&mut flood, 1000), heard(&mut flood, 5400)), (100, 100, 100));
        let mut open = Flood::new(at(0), None, None);
        assert_eq!(heard(&mut open, 0), 1000);
    }

    #[test]
    fn the_list_of_the_watched_is_short() {
        let mut flood = Flood::new(at(0), None, None);
        for n in 0..10_000_u32 {
            flood.asks(at(n.into()), IpAddr::from(n.to_be_bytes()));
        }
        assert_eq!(flood.watched.len(), WATCHED);
    }

    #[test]
    fn answers_stay_below_their_rate() {
        let mut flood = Flood::new(at(0), Some(8000), None);
        let sent: usize = (0..10_000).filter(|&ms| flood.pays(at(ms), 400)).count() * 400;
        assert!((80_000..130_000).contains(&sent), "{sent}");
    }
}
