//! Candidates: addresses of possible peers, and the choice of the next one to dial.
//!
//! The list is bounded and each source has a share of it. The sources take turns when an address is chosen,
//! so a source full of false addresses cannot hide the one true address of another. An address that fails
//! waits, twice as long each time, and is dropped in the end.
//!
//! `room` decides which addresses are kept, `waiting` when one may be dialled. This file chooses an address
//! and records the results of dials.

mod room;
#[cfg(test)]
mod tests;
mod waiting;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::base::{Moment, Rng, owner_of};

use self::waiting::DialLimiter;
use super::dials::{Dials, MAX_DIALS, Pace};
use super::peer_priority::peer_priority;
use super::peer_source_quota::PeerSourceQuota;
use crate::swarm::event::{DialFailure, Source};

const SOURCES: [Source; 7] =
    [Source::User, Source::Lsd, Source::Tracker, Source::Incoming, Source::Resume, Source::Pex, Source::Dht];

/// The kind of torrent that dials.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DialMode {
    /// An incomplete torrent with connections.
    Downloading,
    /// An incomplete torrent without any connection.
    Isolated,
    /// A complete torrent, which does not dial known seeds.
    Seeding,
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
    /// The peer that sent the address by peer exchange, if one did.
    sender: Option<SocketAddr>,
    state: State,
    failures: u32,
    next: Moment,
    rank: u32,
    seed: bool,
    /// Whether the last connection was useful and no dial has failed since.
    proven: bool,
}

/// The candidates of a torrent.
#[derive(Clone, Debug)]
pub struct Candidates {
    list: BTreeMap<SocketAddr, Candidate>,
    shares: BTreeMap<Source, usize>,
    quotas: PeerSourceQuota,
    limiter: DialLimiter,
    banned: BTreeSet<SocketAddr>,
    ours: Vec<SocketAddr>,
    me: Option<SocketAddr>,
    /// Addresses being dialled. Their candidates may become connected, banned or dropped meanwhile.
    dialling: BTreeSet<SocketAddr>,
    /// The number of candidates with failures; while it is 0, none can be dropped.
    failed: usize,
    pace: Pace,
    turn: usize,
    dials: Dials,
}

impl Candidates {
    /// Makes an empty list; `ours` are our own listening addresses.
    pub fn new(now: Moment, ours: Vec<SocketAddr>) -> Self {
        Self {
            list: BTreeMap::new(),
            shares: BTreeMap::new(),
            quotas: PeerSourceQuota::default(),
            limiter: DialLimiter::default(),
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

    /// The results of all dials so far.
    pub const fn dials(&self) -> Dials {
        self.dials
    }

    /// The number of candidates.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// The number of dials in progress.
    pub fn dialling(&self) -> usize {
        self.dialling.len()
    }

    /// The number of candidates that are not connected and have not failed.
    pub fn fresh(&self) -> usize {
        self.list.values().filter(|c| c.state == State::Idle && c.failures == 0).count()
    }

    /// The source of an address.
    pub fn source_of(&self, addr: SocketAddr) -> Option<Source> {
        self.list.get(&addr).map(|c| c.source)
    }

    /// Sets our own external address, from which the ranks of peers are computed (BEP 40).
    pub fn set_me(&mut self, me: SocketAddr) {
        if self.me != Some(me) {
            self.me = Some(me);
            for (&addr, candidate) in &mut self.list {
                candidate.rank = peer_priority(me, addr);
            }
        }
    }

    /// The rank of an address (BEP 40); higher is better.
    pub fn rank(&self, addr: SocketAddr) -> u32 {
        peer_priority(self.me.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], 0))), addr)
    }

    /// Whether the address is banned.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned.contains(&owner_of(addr))
    }

    /// Returns the address to dial now, if any.
    pub fn next(&mut self, now: Moment, mode: DialMode, rng: &mut Rng) -> Option<SocketAddr> {
        if self.dialling.len() >= MAX_DIALS || !self.pace.wait(now).is_zero() {
            return None;
        }
        let addr = (0..SOURCES.len()).find_map(|step| {
            let source = SOURCES[(self.turn + step) % SOURCES.len()];
            self.shares.get(&source).filter(|&&share| share > 0)?;
            let of_source = self.list.iter().filter(|(_, c)| c.source == source && Self::may_dial(c, mode));
            let ready = of_source.filter(|(addr, c)| self.ready_at(addr, c, mode) <= now);
            let turns = |c: &Candidate| c.sender.map_or(0, |sender| self.quotas.turns(sender));
            let best = ready.max_by_key(|(addr, c)| (Reverse(c.failures), Reverse(turns(c)), c.rank, **addr));
            best.map(|(&addr, _)| addr)
        })?;
        self.turn = self.turn % SOURCES.len() + 1 + rng.below(2) as usize;
        self.pace.take(now);
        self.dialling.insert(addr);
        self.dials.tried += 1;
        self.limiter.record_dial(now, addr.ip());
        if let Some(candidate) = self.list.get_mut(&addr) {
            candidate.state = State::Dialling;
            if let Some(sender) = candidate.sender {
                self.quotas.take_turn(sender);
            }
        }
        Some(addr)
    }

    /// The time at which [`Self::next`] may return an address.
    pub fn due(&self, now: Moment, mode: DialMode) -> Option<Moment> {
        if self.dialling.len() >= MAX_DIALS {
            return None;
        }
        let able = self.list.iter().filter(|(_, c)| Self::may_dial(c, mode));
        let at = able.map(|(addr, c)| self.ready_at(addr, c, mode)).min()?;
        Some(at.max(now + self.pace.wait(now)))
    }

    /// Records a failed dial.
    pub fn failed(&mut self, now: Moment, addr: SocketAddr, why: DialFailure) {
        self.dials.failed(why);
        self.end_dial(addr);
        if why == DialFailure::Ourselves {
            self.mark_ours(addr);
        } else {
            self.wait(now, addr, why != DialFailure::Local);
        }
    }

    /// Records that an address is our own.
    pub fn mark_ours(&mut self, addr: SocketAddr) {
        self.forget(addr);
        if self.ours.len() < 16 && !self.ours.contains(&addr) {
            self.ours.push(addr);
        }
    }

    /// Records that a dial connected, whether or not the connection is kept.
    pub fn dial_connected(&mut self, addr: SocketAddr) {
        self.end_dial(addr);
        self.dials.connected += 1;
    }

    /// Records that a connection to this address is kept, whichever side made it.
    pub fn connected(&mut self, addr: SocketAddr) {
        if let Some(candidate) = self.list.get_mut(&addr) {
            candidate.state = State::Connected;
        }
    }

    /// Records that a connection ended: whether it was useful, and whether the peer was a seed.
    pub fn disconnected(&mut self, now: Moment, addr: SocketAddr, useful: bool, seed: bool) {
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
