//! Addresses that may be peers, and which of them to try next.
//!
//! The list is bounded, each source has a share of it, and the sources take turns when one is chosen,
//! so that a source full of lies cannot hide the one true address of another. Failure makes an
//! address wait, twice as long each time, and leave at last.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, Rng, is_near, who};

use super::dials::{Dials, MOST_DIALS, Pace};
use super::event::{DialFailure, Source};
use super::peer_priority::peer_priority;
use super::tellers::{PER_TELLER, Tellers};

/// The most addresses kept.
const MOST: usize = 3000;
/// An address on the Internet is dialled at most once in this time.
const PER_ADDRESS: Duration = Duration::from_secs(60);
/// The same for a local one, and for what the user named.
const PER_NEAR_ADDRESS: Duration = Duration::from_secs(5);
/// One that was of use is tried again after this long: perhaps the network was down for a moment.
const AFTER_USE: Duration = Duration::from_secs(10);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// An address that failed this often in a row is forgotten, unless the user named it.
const MOST_FAILURES: u32 = 6;
/// The most addresses that are banned at a time.
const MOST_BANNED: usize = 10_000;

const SOURCES: [Source; 7] =
    [Source::User, Source::Lsd, Source::Tracker, Source::Incoming, Source::Resume, Source::Pex, Source::Dht];

/// The most addresses of one source.
const fn share(source: Source) -> usize {
    match source {
        Source::User | Source::Tracker | Source::Dht => MOST / 2,
        Source::Pex | Source::Incoming => MOST / 3,
        Source::Lsd | Source::Resume => MOST / 10,
    }
}

/// For whom an address is sought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialler {
    /// Who lacks something, and is connected to others.
    InCompany,
    /// Who lacks something, and is connected to nobody.
    Alone,
    /// Who is complete: those known to be complete are passed over.
    Complete,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Dialling,
    Connected,
}

#[derive(Clone, Debug)]
struct Candidate {
    source: Source,
    /// The peer that told us of it, if one did.
    teller: Option<SocketAddr>,
    state: State,
    failures: u32,
    next: Moment,
    rank: u32,
    seed: bool,
    /// The last connection was of use, and nothing has failed since.
    proven: bool,
}

/// The list; see the head of this file.
#[derive(Clone, Debug)]
pub struct Candidates {
    list: BTreeMap<SocketAddr, Candidate>,
    shares: BTreeMap<Source, usize>,
    tellers: Tellers,
    tried_at: BTreeMap<IpAddr, Moment>,
    banned: BTreeSet<SocketAddr>,
    ours: Vec<SocketAddr>,
    me: Option<SocketAddr>,
    /// Dials under way. A candidate may become connected, banned or forgotten meanwhile.
    dialling: BTreeSet<SocketAddr>,
    /// Entries with failures; while there are none, nothing can be dropped.
    failed: usize,
    pace: Pace,
    turn: usize,
    dials: Dials,
}

impl Candidates {
    /// No addresses; `ours` are those on which we listen.
    pub fn new(now: Moment, ours: Vec<SocketAddr>) -> Self {
        Self {
            list: BTreeMap::new(),
            shares: BTreeMap::new(),
            tellers: Tellers::default(),
            tried_at: BTreeMap::new(),
            banned: BTreeSet::new(),
            ours,
            me: None,
            dialling: BTreeSet::new(),
            failed: 0,
            pace: Pace::new(now),
            turn: 0,
            dials: Dials::default(),
        }
    }

    /// How dials ended so far.
    pub const fn dials(&self) -> Dials {
        self.dials
    }

    /// How many addresses are known.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// How many dials are under way.
    pub fn dialling(&self) -> usize {
        self.dialling.len()
    }

    /// How many addresses have not failed and are not connected.
    pub fn fresh(&self) -> usize {
        self.list.values().filter(|c| c.state == State::Idle && c.failures == 0).count()
    }

    /// Who told us of this address.
    pub fn source_of(&self, addr: SocketAddr) -> Option<Source> {
        self.list.get(&addr).map(|c| c.source)
    }

    /// Our own address as others see it, by which peers are ranked.
    pub fn set_me(&mut self, me: SocketAddr) {
        if self.me != Some(me) {
            self.me = Some(me);
            for (&addr, candidate) in &mut self.list {
                candidate.rank = peer_priority(me, addr);
            }
        }
    }

    /// The rank of an address (BEP 40); the greater is better.
    pub fn rank(&self, addr: SocketAddr) -> u32 {
        peer_priority(self.me.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0))), addr)
    }

    /// Adds an address, unless it is none, ours, banned, known, or beyond the share of its source.
    pub fn add(&mut self, now: Moment, source: Source, addr: SocketAddr) {
        if self.may_add(source, addr) && self.make_room(source) {
            self.put(now, source, None, false, addr);
        }
    }

    /// Adds an address a peer told us of (BEP 11), unless it is beyond the share of this peer. It may be one that has
    /// everything.
    pub fn told(&mut self, now: Moment, teller: SocketAddr, addr: SocketAddr, seed: bool) {
        let (source, teller) = (Source::Pex, who(teller));
        if !self.may_add(source, addr) {
            return;
        }
        let kept = self.tellers.kept(teller);
        let has_room = if kept >= PER_TELLER {
            self.evict(|c| c.teller == Some(teller) && c.failures > 0)
        } else {
            self.make_room(source) || self.hush(kept)
        };
        if has_room {
            self.put(now, source, Some(teller), seed, addr);
        }
    }

    /// Whether an address can be and is new.
    fn may_add(&mut self, source: Source, addr: SocketAddr) -> bool {
        let ip = addr.ip();
        let impossible = addr.port() == 0 || ip.is_unspecified() || ip.is_multicast();
        if impossible || self.is_ours(addr) || self.is_banned(addr) {
            return false;
        }
        let Some(known) = self.list.get_mut(&addr) else { return true };
        if source == Source::User {
            self.failed -= usize::from(known.failures > 0);
            known.failures = 0;
        }
        false
    }

    fn put(&mut self, now: Moment, source: Source, teller: Option<SocketAddr>, seed: bool, addr: SocketAddr) {
        let rank = self.rank(addr);
        let (state, failures) = (State::Idle, 0);
        let candidate = Candidate { source, teller, state, failures, next: now, rank, seed, proven: false };
        self.list.insert(addr, candidate);
        *self.shares.entry(source).or_default() += 1;
        if let Some(teller) = teller {
            self.tellers.keep(teller);
        }
    }

    /// Whether there is room for one more of a source, if need be in place of one that failed: of the same source
    /// or, where the whole list is full, of any.
    fn make_room(&mut self, source: Source) -> bool {
        let full = self.list.len() >= MOST;
        if !full && self.shares.get(&source).copied().unwrap_or(0) < share(source) {
            return true;
        }
        self.failed > 0 && self.evict(|c| (full || c.source == source) && c.failures > 0)
    }

    /// Makes room for one who told so much, at the cost of one who told more.
    fn hush(&mut self, kept: usize) -> bool {
        let loudest = self.tellers.loudest().filter(|&(_, most)| most > kept + 1);
        loudest.is_some_and(|(loudest, _)| self.evict(|c| c.teller == Some(loudest)))
    }

    /// Drops the address that failed most of those that fit, and are not in use.
    fn evict(&mut self, fits: impl Fn(&Candidate) -> bool) -> bool {
        let idle = self.list.iter().filter(|(_, c)| c.state == State::Idle && fits(c));
        let worst = idle.max_by_key(|(_, c)| c.failures).map(|(&addr, _)| addr);
        if let Some(addr) = worst {
            self.forget(addr);
        }
        worst.is_some()
    }

    fn forget(&mut self, addr: SocketAddr) {
        let Some(gone) = self.list.remove(&addr) else { return };
        self.failed -= usize::from(gone.failures > 0);
        if let Some(share) = self.shares.get_mut(&gone.source) {
            *share = share.saturating_sub(1);
        }
        if let Some(teller) = gone.teller {
            self.tellers.drop(teller);
        }
    }

    fn is_ours(&self, addr: SocketAddr) -> bool {
        let same = |ours: &SocketAddr| {
            ours.port() == addr.port()
                && (ours.ip() == addr.ip() || (ours.ip().is_unspecified() && addr.ip().is_loopback()))
        };
        self.ours.iter().any(same) || self.me == Some(addr)
    }

    /// Whether nobody at this address is talked to.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned.contains(&who(addr))
    }

    /// Talks to nobody at this address any more.
    pub fn ban(&mut self, addr: SocketAddr) {
        let banned = who(addr);
        if self.banned.len() < MOST_BANNED {
            self.banned.insert(banned);
        }
        let there: Vec<_> = self.list.keys().filter(|&&addr| who(addr) == banned).copied().collect();
        for addr in there {
            self.forget(addr);
        }
    }

    /// Keeps those addresses only that peers of a private torrent may have (BEP 27).
    pub fn keep_open(&mut self) {
        let closed = self.list.iter().filter(|(_, c)| !c.source.is_open());
        for addr in closed.map(|(&addr, _)| addr).collect::<Vec<_>>() {
            self.forget(addr);
        }
    }

    /// The address to dial now, if one may be dialled.
    pub fn next(&mut self, now: Moment, dialler: Dialler, rng: &mut Rng) -> Option<SocketAddr> {
        if self.dialling.len() >= MOST_DIALS || !self.pace.wait(now).is_zero() {
            return None;
        }
        let addr = (0..SOURCES.len()).find_map(|step| {
            let source = SOURCES[(self.turn + step) % SOURCES.len()];
            self.shares.get(&source).filter(|&&share| share > 0)?;
            let of_source =
                self.list.iter().filter(|(_, c)| c.source == source && Self::may_dial(c, dialler));
            let ready = of_source.filter(|(addr, c)| self.ready_at(addr, c, dialler) <= now);
            let turns = |c: &Candidate| c.teller.map_or(0, |teller| self.tellers.turns(teller));
            let best = ready.max_by_key(|(addr, c)| (Reverse(c.failures), Reverse(turns(c)), c.rank, **addr));
            best.map(|(&addr, _)| addr)
        })?;
        self.turn = self.turn % SOURCES.len() + 1 + rng.below(2) as usize;
        self.pace.take(now);
        self.dialling.insert(addr);
        self.dials.tried += 1;
        if self.tried_at.len() >= MOST {
            self.tried_at.retain(|_, &mut at| now.since(at) < PER_ADDRESS);
        }
        self.tried_at.insert(addr.ip(), now);
        if let Some(candidate) = self.list.get_mut(&addr) {
            candidate.state = State::Dialling;
            if let Some(teller) = candidate.teller {
                self.tellers.take_turn(teller);
            }
        }
        Some(addr)
    }

    /// When [`Self::next`] may have an address, if not now.
    pub fn due(&self, now: Moment, dialler: Dialler) -> Option<Moment> {
        if self.dialling.len() >= MOST_DIALS {
            return None;
        }
        let able = self.list.iter().filter(|(_, c)| Self::may_dial(c, dialler));
        let at = able.map(|(addr, c)| self.ready_at(addr, c, dialler)).min()?;
        Some(at.max(now + self.pace.wait(now)))
    }

    fn may_dial(c: &Candidate, dialler: Dialler) -> bool {
        c.state == State::Idle && !(dialler == Dialler::Complete && c.seed)
    }

    fn ready_at(&self, addr: &SocketAddr, c: &Candidate, dialler: Dialler) -> Moment {
        // What others are guarded against is a list full of lies. What the user named is none; and where a
        // peer of this torrent answered and was of use there is one, which who has nobody else may try once
        // more without waiting out the minute.
        let trusted = c.source == Source::User || (c.proven && dialler == Dialler::Alone);
        match self.tried_at.get(&addr.ip()) {
            Some(&tried) if !is_near(addr.ip()) && !trusted => c.next.max(tried + PER_ADDRESS),
            _ => c.next,
        }
    }

    /// A dial failed.
    pub fn failed(&mut self, now: Moment, addr: SocketAddr, why: DialFailure) {
        self.dials.failed(why);
        self.end_dial(addr);
        if why == DialFailure::Ourselves {
            self.is_us(addr);
        } else {
            self.wait(now, addr, why != DialFailure::Local);
        }
    }

    /// An address turned out to be ours.
    pub fn is_us(&mut self, addr: SocketAddr) {
        self.forget(addr);
        if self.ours.len() < 16 && !self.ours.contains(&addr) {
            self.ours.push(addr);
        }
    }

    /// A dial led to a connection; whether it is kept is another question.
    pub fn answered(&mut self, addr: SocketAddr) {
        self.end_dial(addr);
        self.dials.connected += 1;
    }

    /// A connection to this address is kept, whoever made it.
    pub fn connected(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.list.get_mut(&addr) {
            candidate.state = State::Connected;
        }
    }

    /// A connection ended; it was of use or it was not, and the other side was complete or was not.
    pub fn left(&mut self, now: Moment, addr: SocketAddr, useful: bool, seed: bool) {
        if let Some(candidate) = self.list.get_mut(&addr) {
            candidate.state = if self.dialling.contains(&addr) { State::Dialling } else { State::Idle };
            candidate.seed = seed;
            if useful {
                self.failed -= usize::from(candidate.failures > 0);
                candidate.failures = 0;
                candidate.proven = true;
            }
        }
        self.wait(now, addr, !useful);
    }

    fn end_dial(&mut self, addr: SocketAddr) {
        self.dialling.remove(&addr);
        if let Some(candidate) = self.list.get_mut(&addr)
            && candidate.state == State::Dialling
        {
            candidate.state = State::Idle;
        }
    }

    fn wait(&mut self, now: Moment, addr: SocketAddr, its_fault: bool) {
        let Some(candidate) = self.list.get_mut(&addr) else { return };
        self.failed += usize::from(its_fault && candidate.failures == 0);
        candidate.failures += u32::from(its_fault);
        candidate.proven &= !its_fault;
        let user = candidate.source == Source::User;
        if candidate.failures >= MOST_FAILURES && !user {
            self.forget(addr);
            return;
        }
        let least = match candidate.failures {
            _ if user || is_near(addr.ip()) => PER_NEAR_ADDRESS,
            0 => AFTER_USE,
            _ => PER_ADDRESS,
        };
        candidate.next =
            now + (least * (1 << candidate.failures.saturating_sub(1).min(10))).min(LONGEST_WAIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Moment {
        Moment::START + Duration::from_secs(s)
    }

    fn addr(n: u32) -> SocketAddr {
        (std::net::Ipv4Addr::from(0x0b00_0000 + n), 6881).into()
    }

    fn next(list: &mut Candidates, s: u64) -> Option<SocketAddr> {
        list.next(at(s), Dialler::InCompany, &mut Rng::new(1))
    }

    #[test]
    fn what_cannot_be_dialled_is_not_kept() {
        let mut list = Candidates::new(at(0), vec!["0.0.0.0:51413".parse().unwrap()]);
        for text in ["1.2.3.4:0", "0.0.0.0:5", "224.0.0.1:5", "127.0.0.1:51413"] {
            list.add(at(0), Source::Pex, text.parse().unwrap());
        }
        assert_eq!(list.len(), 0);
        list.ban("9.9.9.9:1".parse().unwrap());
        list.add(at(0), Source::Pex, "9.9.9.9:5".parse().unwrap());
        assert_eq!((list.len(), next(&mut list, 0)), (0, None));
    }

    #[test]
    fn the_first_dials_are_made_at_once_and_the_rest_at_a_rate() {
        let mut list = Candidates::new(at(0), vec![]);
        (0..200).for_each(|n| list.add(at(0), Source::Tracker, addr(n)));
        let first: Vec<_> = std::iter::from_fn(|| next(&mut list, 0)).collect();
        assert_eq!(first.len(), MOST_DIALS);
        assert_eq!(list.due(at(0), Dialler::InCompany), None);
        for &a in &first {
            list.failed(at(0), a, DialFailure::Refused);
        }
        assert_eq!(next(&mut list, 0), None);
        assert!(list.due(at(0), Dialler::InCompany).unwrap() > at(0));
        assert_eq!(std::iter::from_fn(|| next(&mut list, 1)).count(), 10);
    }

    #[test]
    fn failures_make_an_address_wait_longer_and_leave_at_last() {
        let mut list = Candidates::new(at(0), vec![]);
        list.add(at(0), Source::Dht, addr(1));
        let (mut now, mut waits) = (0, Vec::new());
        while let Some(due) = list.due(at(now), Dialler::InCompany) {
            waits.push(due.since(at(now)).as_secs());
            now = due.since_start().as_secs() + 1;
            let dialled = next(&mut list, now).unwrap();
            list.failed(at(now), dialled, DialFailure::TimedOut);
        }
        assert_eq!(waits, [0, 60, 120, 240, 480, 960]);
        assert_eq!((list.len(), list.dialling(), list.dials().timed_out), (0, 0, 6));
    }

    #[test]
    fn one_true_address_is_found_among_fifty_thousand_false_ones() {
        let mut list = Candidates::new(at(0), vec![]);
        (0..50_000).for_each(|n| list.add(at(0), Source::Pex, addr(n)));
        let truth = addr(77_777);
        list.add(at(0), Source::Tracker, truth);
        assert!(list.len() <= MOST);
        let tried: Vec<_> = std::iter::from_fn(|| next(&mut list, 0)).take(20).collect();
        assert!(tried.contains(&truth));
    }

    #[test]
    fn who_tells_more_is_not_heard_more() {
        let teller = |n: u8| SocketAddr::from(([12, 0, 0, n], 6881));
        let mut list = Candidates::new(at(0), vec![]);
        for liar in 0..40 {
            (0..1000).for_each(|n| list.told(at(0), teller(liar), addr(u32::from(liar) << 16 | n), false));
        }
        assert_eq!(list.len(), share(Source::Pex));
        let truth = addr(0x77_7777);
        list.told(at(0), teller(99), truth, false);
        assert!(list.list.contains_key(&truth), "the loudest makes room");
        let mut tried = Vec::new();
        for s in 0..10 {
            while let Some(one) = next(&mut list, s) {
                tried.push(one);
                list.failed(at(s), one, DialFailure::TimedOut);
            }
        }
        assert!(tried.iter().position(|&one| one == truth).is_some_and(|at| at <= 40), "{}", tried.len());
        // Nobody of whom there is a share gets another one, unless something failed.
        let kept = list.tellers.kept(who(teller(0)));
        assert!((1..=PER_TELLER).contains(&kept), "{kept}");
    }

    #[test]
    fn an_address_on_the_internet_is_dialled_once_a_minute() {
        let mut list = Candidates::new(at(0), vec![]);
        for port in 1..20 {
            list.add(at(0), Source::Pex, ([8, 8, 8, 8], port).into());
            list.add(at(0), Source::Pex, ([127, 0, 0, 1], port).into());
        }
        let tried: Vec<_> = std::iter::from_fn(|| next(&mut list, 0)).collect();
        assert_eq!(tried.iter().filter(|a| !a.ip().is_loopback()).count(), 1);
        assert_eq!(tried.len(), 20);
        assert!(list.due(at(0), Dialler::InCompany).is_some_and(|due| due >= at(60)));
    }

    #[test]
    fn seeds_are_not_dialled_once_we_are_complete() {
        let mut list = Candidates::new(at(0), vec![]);
        list.add(at(0), Source::Pex, addr(1));
        list.connected(addr(1));
        list.left(at(0), addr(1), true, true);
        assert_eq!(list.next(at(900), Dialler::Complete, &mut Rng::new(1)), None);
        assert_eq!(list.due(at(900), Dialler::Complete), None);
        assert!(list.next(at(900), Dialler::InCompany, &mut Rng::new(1)).is_some());
    }

    #[test]
    fn what_the_user_named_is_soon_dialled_again() {
        let again = |source, others: u32| {
            let mut list = Candidates::new(at(0), vec![]);
            list.add(at(0), source, addr(1));
            assert_eq!(next(&mut list, 0), Some(addr(1)));
            list.answered(addr(1));
            list.connected(addr(1));
            (2..2 + others).for_each(|n| list.add(at(0), Source::Pex, addr(n)));
            while let Some(other) = next(&mut list, 1) {
                list.failed(at(1), other, DialFailure::Refused);
            }
            list.left(at(2), addr(1), true, true);
            // When it may be dialled, and again after so many failures.
            let mut waits = Vec::new();
            let mut now = 2;
            for _ in 0..3 {
                let due =
                    list.ready_at(&addr(1), &list.list[&addr(1)], Dialler::InCompany).since_start().as_secs();
                waits.push(due - now);
                now = due;
                list.tried_at.insert(addr(1).ip(), at(now));
                list.failed(at(now), addr(1), DialFailure::Refused);
            }
            waits
        };
        assert_eq!(again(Source::User, 3), [5, 5, 10]);
        assert_eq!(again(Source::Tracker, 3), [58, 60, 120]);
    }

    #[test]
    fn who_has_nobody_else_soon_tries_again_the_one_that_was_of_use() {
        let alone = |list: &mut Candidates, s: u64| list.next(at(s), Dialler::Alone, &mut Rng::new(1));
        let mut list = Candidates::new(at(0), vec![]);
        let (used, beside) = (addr(1), SocketAddr::new(addr(1).ip(), 7000));
        list.add(at(0), Source::Tracker, used);
        assert_eq!(alone(&mut list, 0), Some(used));
        list.answered(used);
        list.connected(used);
        // What lies at the same address was of no use yet.
        list.add(at(1), Source::Pex, beside);
        list.left(at(2), used, true, true);
        assert_eq!(list.due(at(2), Dialler::Alone), Some(at(12)));
        assert_eq!((alone(&mut list, 11), next(&mut list, 59)), (None, None), "others wait out the minute");
        assert_eq!(alone(&mut list, 12), Some(used));
        // It does not answer: once was enough.
        list.failed(at(13), used, DialFailure::Refused);
        assert_eq!(list.due(at(13), Dialler::Alone), Some(at(72)));
        assert_eq!(alone(&mut list, 72), Some(beside));
        list.failed(at(72), beside, DialFailure::Refused);
        assert_eq!(alone(&mut list, 131), None);
        // It answers and is of use again: so it goes on.
        assert_eq!(alone(&mut list, 132), Some(used));
        list.answered(used);
        list.connected(used);
        list.left(at(140), used, true, true);
        assert_eq!(list.due(at(140), Dialler::Alone), Some(at(150)));
        // After a connection that was of no use it waits like any other at its address.
        assert_eq!(alone(&mut list, 150), Some(used));
        list.answered(used);
        list.connected(used);
        list.left(at(151), used, false, true);
        assert_eq!(list.due(at(151), Dialler::Alone), Some(at(210)));
    }
}
