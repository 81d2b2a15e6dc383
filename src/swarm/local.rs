//! Local service discovery (BEP 14): when to announce which torrent, and which announcements to believe.
//!
//! A torrent is announced when it starts, again a minute later, since datagrams get lost, then every five
//! minutes, and sooner when a new neighbour announces it. No torrent is announced more often than once a
//! minute, and one datagram a minute is sent for all torrents together, with a few saved up. A neighbour that
//! receives an announcement may connect, so answers are needed rarely.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, Rng, is_near};
use crate::proto::lsd::{Search, cookie_text};

/// The info-hash in its 20-byte wire form.
pub type Wire = [u8; 20];

/// The time between two announcements of a torrent.
const INTERVAL: Duration = Duration::from_secs(300);
/// The shortest time between two announcements of a torrent, and the time in which a turn to send is earned.
const MINUTE: Duration = Duration::from_secs(60);
/// The most turns that can be saved up.
const MAX_SAVED_TURNS: u32 = 4;
/// The time within which a torrent must be due to be announced along with one that is due now.
const JOIN_WITHIN: Duration = Duration::from_secs(20);
/// The delay of a torrent's first announcement, so that torrents that start together are announced together.
const GATHER: Duration = Duration::from_millis(50);
/// The longest random delay of an answer to a new neighbour: all who have the torrent answer, but not at
/// once.
const MAX_ANSWER_DELAY: Duration = Duration::from_millis(1000);
/// The longest random delay of an announcement. Without it, machines that woke up together would always send
/// together.
const MAX_JITTER: Duration = Duration::from_secs(15);
/// The most datagrams that are read per minute, in all and from one sender.
const MAX_DATAGRAMS: (u32, u32) = (600, 120);
/// The time for which a neighbour counts as known after its last datagram.
const NEIGHBOUR_LIFETIME: Duration = Duration::from_secs(900);
/// The most neighbours that are remembered per torrent; the one silent longest is dropped.
const MAX_NEIGHBOURS: usize = 200;

/// The local service discovery of all torrents.
#[derive(Clone, Debug)]
pub struct Local {
    cookie: u32,
    rng: Rng,
    torrents: BTreeMap<Wire, AnnouncedTorrent>,
    /// When torrents that have left were last announced, if that was less than a minute ago.
    left: BTreeMap<Wire, Moment>,
    networks: Vec<(IpAddr, u8)>,
    /// The time at which all turns taken so far are earned.
    earned: Moment,
    minute: Moment,
    heard: u32,
    senders: BTreeMap<IpAddr, u32>,
}

/// A torrent that is announced.
#[derive(Clone, Debug)]
struct AnnouncedTorrent {
    /// The number of users that announce it.
    users: usize,
    next: Moment,
    last: Option<Moment>,
    again: bool,
    neighbours: BTreeMap<SocketAddr, Moment>,
}

impl Local {
    /// Makes an empty list. The cookie, by which we recognise our own datagrams, must be random.
    pub fn new(now: Moment, cookie: u32, seed: u64) -> Self {
        Self {
            cookie,
            rng: Rng::new(seed),
            torrents: BTreeMap::new(),
            left: BTreeMap::new(),
            networks: Vec::new(),
            earned: now,
            minute: now,
            heard: 0,
            senders: BTreeMap::new(),
        }
    }

    /// The cookie in our datagrams.
    pub const fn cookie(&self) -> u32 {
        self.cookie
    }

    /// Sets the networks of this machine: one address of each, and its prefix length. When one is new, all
    /// torrents are announced as soon as possible.
    pub fn set_networks(&mut self, now: Moment, networks: Vec<(IpAddr, u8)>) {
        if networks.iter().any(|network| !self.networks.contains(network)) {
            for listed in self.torrents.values_mut() {
                listed.hurry(now + GATHER);
            }
        }
        self.networks = networks;
    }

    /// Starts to announce a torrent; if it is announced already, nothing changes but the number of its users.
    pub fn join(&mut self, now: Moment, torrent: Wire) {
        self.left.retain(|_, last| now.since(*last) < MINUTE);
        let last = self.left.remove(&torrent);
        let listed = self.torrents.entry(torrent).or_insert_with(|| {
            let next = last.map_or(now + GATHER, |last| last + MINUTE);
            AnnouncedTorrent { users: 0, next, last, again: last.is_none(), neighbours: BTreeMap::new() }
        });
        listed.users += 1;
    }

    /// Ends the announcements of a torrent for one of its users.
    pub fn leave(&mut self, torrent: Wire) {
        if let Some(listed) = self.torrents.get_mut(&torrent) {
            listed.users -= 1;
            if listed.users == 0 {
                self.left.extend(listed.last.map(|last| (torrent, last)));
                self.torrents.remove(&torrent);
            }
        }
    }

    /// Handles an announcement. Returns the torrents that the sender shares with us, with its address.
    pub fn heard(&mut self, now: Moment, from: SocketAddr, search: &Search) -> Vec<(Wire, SocketAddr)> {
        let ours = search.cookie.as_deref() == Some(cookie_text(self.cookie).as_bytes());
        if ours || !self.is_local(from.ip()) || !self.within_limits(now, from.ip()) {
            return Vec::new();
        }
        let mut addr = from;
        addr.set_port(search.port);
        let mut found = Vec::new();
        for torrent in &search.torrents {
            let Some(listed) = self.torrents.get_mut(torrent) else { continue };
            found.push((*torrent, addr));
            if listed.add_neighbour(now, addr) {
                let soon = now + MAX_ANSWER_DELAY.mul_f64(self.rng.fraction());
                listed.hurry(soon);
            }
        }
        found
    }

    /// Returns the torrents to announce now, and counts them as announced.
    pub fn due(&mut self, now: Moment) -> Vec<Wire> {
        if self.deadline().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.earned = self.earned.max(now) + MINUTE;
        let mut due = Vec::new();
        for (&torrent, listed) in &mut self.torrents {
            let rested = listed.last.is_none_or(|last| now.since(last) >= MINUTE);
            if rested && listed.next <= now + JOIN_WITHIN {
                let pause = if std::mem::take(&mut listed.again) { MINUTE } else { INTERVAL };
                listed.next = now + pause + MAX_JITTER.mul_f64(self.rng.fraction());
                listed.last = Some(now);
                due.push(torrent);
            }
        }
        due
    }

    /// The time at which [`Self::due`] returns the next torrents.
    pub fn deadline(&self) -> Option<Moment> {
        let first = self.torrents.values().map(|listed| listed.next).min()?;
        Some(first.max(self.earned - MINUTE * (MAX_SAVED_TURNS - 1)))
    }

    /// Whether the address belongs to a network of this machine, or is not an Internet address.
    fn is_local(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        is_near(ip) || self.networks.iter().any(|&(ours, bits)| same_network(ours, ip, bits))
    }

    /// Counts a datagram. Returns whether it is within the limits.
    fn within_limits(&mut self, now: Moment, ip: IpAddr) -> bool {
        if now.since(self.minute) >= MINUTE {
            (self.minute, self.heard) = (now, 0);
            self.senders.clear();
        }
        if self.heard >= MAX_DATAGRAMS.0 {
            return false;
        }
        let of_one = self.senders.entry(ip).or_default();
        *of_one += 1;
        let within_limits = *of_one <= MAX_DATAGRAMS.1;
        self.heard += u32::from(within_limits);
        within_limits
    }
}

impl AnnouncedTorrent {
    /// Brings the next announcement forward to `at`, or as close to it as allowed.
    fn hurry(&mut self, at: Moment) {
        let allowed = self.last.map_or(at, |last| at.max(last + MINUTE));
        self.next = self.next.min(allowed);
    }

    /// Remembers a neighbour. Returns whether it is new.
    fn add_neighbour(&mut self, now: Moment, addr: SocketAddr) -> bool {
        let before = self.neighbours.insert(addr, now);
        if self.neighbours.len() > MAX_NEIGHBOURS {
            let oldest = self.neighbours.iter().min_by_key(|(_, at)| **at).map(|(&addr, _)| addr);
            oldest.and_then(|addr| self.neighbours.remove(&addr));
        }
        before.is_none_or(|at| now.since(at) > NEIGHBOUR_LIFETIME)
    }
}

fn same_network(ours: IpAddr, other: IpAddr, bits: u8) -> bool {
    let differ =
        |a: u128, b: u128, width: u32| (a ^ b).checked_shr(width - u32::from(bits)).unwrap_or(0) != 0;
    match (ours, other) {
        (IpAddr::V4(a), IpAddr::V4(b)) if (1..=32).contains(&bits) => {
            !differ(a.to_bits().into(), b.to_bits().into(), 32)
        }
        (IpAddr::V6(a), IpAddr::V6(b)) if (1..=128).contains(&bits) => !differ(a.to_bits(), b.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const A: Wire = [1; 20];
    const B: Wire = [2; 20];

    fn at(ms: u64) -> Moment {
        Moment::START + Duration::from_millis(ms)
    }

    fn local() -> Local {
        Local::new(at(0), 7, 1)
    }

    fn from(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    fn search(port: u16, torrents: &[Wire]) -> Search {
        Search { port, torrents: torrents.to_vec(), cookie: Some(b"x".to_vec()) }
    }

    /// The times of the turns up to then, in milliseconds, each with what was announced.
    fn turns(local: &mut Local, until: u64) -> Vec<(u64, Vec<Wire>)> {
        let mut turns = Vec::new();
        while let Some(next) = local.deadline().filter(|&next| next <= at(until)) {
            let ms = next.since_start().as_millis() as u64;
            turns.push((ms, local.due(next)));
            assert!(!turns.last().unwrap().1.is_empty(), "a turn for nothing");
        }
        turns
    }

    #[test]
    fn a_torrent_is_announced_at_once_again_soon_and_then_every_five_minutes() {
        let mut local = local();
        assert_eq!(local.deadline(), None);
        local.join(at(0), A);
        let times: Vec<u64> = turns(&mut local, 1_000_000).iter().map(|turn| turn.0).collect();
        assert_eq!((times[0], times.len()), (50, 5), "{times:?}");
        assert!((60_000..75_100).contains(&(times[1] - times[0])));
        assert!(times.windows(2).skip(1).all(|pair| (300_000..315_100).contains(&(pair[1] - pair[0]))));
        local.leave(A);
        assert_eq!(local.deadline(), None);
    }

    #[test]
    fn torrents_that_are_due_together_take_one_turn() {
        let mut local = local();
        for n in 0..100 {
            local.join(at(n / 4), [n as u8; 20]);
        }
        let turns = turns(&mut local, 600_000);
        assert_eq!(turns[0].1.len(), 100);
        assert!(turns.len() <= 5, "{}", turns.len());
    }

    #[test]
    fn torrents_that_begin_one_by_one_take_no_more_than_a_turn_a_minute() {
        let mut local = local();
        let mut taken = Vec::new();
        for n in 0..200_u64 {
            local.join(at(n * 5000), [n as u8; 20]);
            taken.extend(turns(&mut local, n * 5000 + 4999));
        }
        assert!((17..=17 + MAX_SAVED_TURNS as usize).contains(&taken.len()), "{}", taken.len());
    }

    #[test]
    fn the_wish_of_two_is_one_announce_and_lasts_until_both_have_left() {
        let mut local = local();
        local.join(at(0), A);
        assert_eq!(local.due(at(50)), [A]);
        local.join(at(100), A);
        local.leave(A);
        assert!(local.deadline().unwrap() > at(60_000));
        assert_eq!(local.heard(at(200), from("10.0.0.2:6771"), &search(5, &[A])).len(), 1);
        local.leave(A);
        assert!(local.heard(at(300), from("10.0.0.2:6771"), &search(5, &[A])).is_empty());
        local.leave(A);
    }

    #[test]
    fn who_leaves_and_comes_back_has_to_wait_as_well() {
        let mut local = local();
        local.join(at(0), A);
        assert_eq!(local.due(at(50)), [A]);
        local.leave(A);
        local.join(at(1000), A);
        assert_eq!(local.deadline(), Some(at(60_050)));
        local.leave(A);
        local.join(at(61_000), A);
        assert_eq!((local.deadline(), local.left.len()), (Some(at(61_050)), 0));
    }

    #[test]
    fn who_has_a_torrent_of_ours_is_found_where_it_says() {
        let mut local = local();
        local.join(at(0), A);
        let found = local.heard(at(1), from("192.168.1.5:6771"), &search(51413, &[B, A]));
        assert_eq!(found, [(A, from("192.168.1.5:51413"))]);
        let found = local.heard(at(1), from("[fe80::1%3]:6771"), &search(51413, &[A]));
        assert_eq!(found, [(A, from("[fe80::1%3]:51413"))], "the interface is kept");
    }

    #[test]
    fn our_own_words_and_those_of_strangers_are_not_heard() {
        let mut local = local();
        local.join(at(0), A);
        let mut mine = search(5, &[A]);
        mine.cookie = Some(b"00000007".to_vec());
        assert!(local.heard(at(1), from("192.168.1.5:6771"), &mine).is_empty());
        for stranger in ["8.8.8.8:6771", "[2001:db8:1::5]:6771"] {
            assert!(local.heard(at(1), from(stranger), &search(5, &[A])).is_empty());
        }
        local.set_networks(
            at(0),
            vec![
                ("8.8.8.1".parse().unwrap(), 24),
                ("2001:db8:1::1".parse().unwrap(), 64),
                ("9.9.9.9".parse().unwrap(), 0),
            ],
        );
        for (other, near) in [
            ("8.8.8.8:1", true),
            ("8.8.9.8:1", false),
            ("[2001:db8:1::5]:1", true),
            ("[2001:db9::5]:1", false),
        ] {
            assert_eq!(local.heard(at(1), from(other), &search(5, &[A])).len(), usize::from(near), "{other}");
        }
    }

    #[test]
    fn a_network_that_comes_hears_of_everything_soon() {
        let mut local = local();
        local.join(at(0), A);
        turns(&mut local, 100_000);
        let home = vec![("10.0.0.1".parse().unwrap(), 24)];
        local.set_networks(at(150_000), home.clone());
        assert_eq!(turns(&mut local, 150_100), [(150_050, vec![A])]);
        local.set_networks(at(220_000), home);
        assert_eq!(turns(&mut local, 400_000), []);
    }

    #[test]
    fn a_newcomer_is_answered_soon_and_only_once() {
        let mut local = local();
        local.join(at(0), A);
        turns(&mut local, 100_000);
        local.heard(at(200_000), from("10.0.0.2:6771"), &search(5, &[A]));
        let answer = turns(&mut local, 201_000);
        assert_eq!(answer.len(), 1);
        assert!(answer[0].0 >= 200_000);
        local.heard(at(290_000), from("10.0.0.2:6771"), &search(5, &[A]));
        assert!(turns(&mut local, 292_000).is_empty(), "it is known");
        local.heard(at(205_000), from("10.0.0.3:6771"), &search(5, &[A]));
        assert!(local.deadline().unwrap() >= at(answer[0].0) + MINUTE);
    }

    #[test]
    fn a_flood_is_heard_only_in_part_and_answered_once_a_minute() {
        let mut local = local();
        local.join(at(0), A);
        turns(&mut local, 100_000);
        let one: usize = (0..1000)
            .map(|n| local.heard(at(100_000 + n), from("10.0.0.2:1"), &search(n as u16 + 1, &[A])).len())
            .sum();
        assert_eq!(one, MAX_DATAGRAMS.1 as usize);
        assert_eq!(local.heard(at(101_000), from("10.0.0.3:1"), &search(1, &[A])).len(), 1);
        let all: usize = (0..5000_u32)
            .map(|n| {
                let ip = IpAddr::from((0x0a00_0000_u32 + n).to_be_bytes());
                local.heard(at(200_000), SocketAddr::new(ip, 1), &search(9, &[A])).len()
            })
            .sum();
        assert_eq!(all, MAX_DATAGRAMS.0 as usize);
        assert!(
            local.torrents[&A].neighbours.len() <= MAX_NEIGHBOURS
                && local.senders.len() <= MAX_DATAGRAMS.0 as usize
        );
        assert!(turns(&mut local, 259_000).len() <= 2);
    }

    proptest! {
        /// Whatever is heard, no torrent is announced twice in a minute, and turns keep to what is earned.
        #[test]
        fn limits_hold_whatever_is_said(
            seed: u64,
            words in prop::collection::vec((0_u64..20_000, 0_u8..20, 0_u8..4), 1..200),
        ) {
            let mut local = Local::new(at(0), 7, seed);
            for n in 0..3 {
                local.join(at(0), [n; 20]);
            }
            let (mut now, mut last, mut taken) = (0, BTreeMap::new(), 0_u64);
            for (wait, host, torrent) in words {
                now += wait;
                for (when, told) in turns(&mut local, now) {
                    taken += 1;
                    prop_assert!(taken <= u64::from(MAX_SAVED_TURNS) + when / 60_000, "{} turns at {}", taken, when);
                    for torrent in told {
                        let before = last.insert(torrent, when);
                        prop_assert!(before.is_none_or(|before| when - before >= 60_000));
                    }
                }
                local.heard(at(now), from(&format!("10.0.0.{host}:1")), &search(5, &[[torrent; 20]]));
            }
        }
    }
}
