//! Addresses that may be peers, and which of them to try next.
//!
//! The list is bounded, each source has a share of it, and the sources take turns when one is chosen,
//! so that a source full of lies cannot hide the one true address of another. Failure makes an
//! address wait, twice as long each time, and leave at last.
//!
//! `room` decides who is in the list, `waiting` when one may be dialled; here one is chosen, and what comes of
//! dials is noted.

mod room;
#[cfg(test)]
mod tests;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::base::{Moment, Rng, owner_of};

use self::waiting::Knocks;
use super::dials::{Dials, MAX_DIALS, Pace};
use super::peer_priority::peer_priority;
use super::tellers::Tellers;
use crate::swarm::event::{DialFailure, Source};

const SOURCES: [Source; 7] =
    [Source::User, Source::Lsd, Source::Tracker, Source::Incoming, Source::Resume, Source::Pex, Source::Dht];

/// For whom an address is sought.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialler {
    /// For a torrent that lacks something and has connections.
    InCompany,
    /// For a torrent that lacks something and has no connection.
    Alone,
    /// For a complete torrent: peers known to be complete are passed over.
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
    knocks: Knocks,
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
            knocks: Knocks::default(),
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

    /// The source of this address.
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

    /// Whether nobody at this address is talked to.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned.contains(&owner_of(addr))
    }

    /// The address to dial now, if one may be dialled.
    pub fn next(&mut self, now: Moment, dialler: Dialler, rng: &mut Rng) -> Option<SocketAddr> {
        if self.dialling.len() >= MAX_DIALS || !self.pace.wait(now).is_zero() {
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
        self.knocks.note(now, addr.ip());
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
        if self.dialling.len() >= MAX_DIALS {
            return None;
        }
        let able = self.list.iter().filter(|(_, c)| Self::may_dial(c, dialler));
        let at = able.map(|(addr, c)| self.ready_at(addr, c, dialler)).min()?;
        Some(at.max(now + self.pace.wait(now)))
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
}
