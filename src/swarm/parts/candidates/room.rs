//! The bounds of the list: one for all, one for each source, and one for each peer that tells of others.

use std::net::SocketAddr;

use super::super::tellers::PER_TELLER;
use super::{Candidate, Candidates, State};
use crate::base::{Moment, owner_of};
use crate::swarm::event::Source;

/// The most addresses kept.
pub(super) const MAX_CANDIDATES: usize = 3000;
/// The most addresses that are banned at a time.
const MAX_BANNED: usize = 10_000;

/// The most addresses of one source.
pub(super) const fn share(source: Source) -> usize {
    match source {
        Source::User | Source::Tracker | Source::Dht => MAX_CANDIDATES / 2,
        Source::Pex | Source::Incoming => MAX_CANDIDATES / 3,
        Source::Lsd | Source::Resume => MAX_CANDIDATES / 10,
    }
}

/// How much a source is trusted: the user most, those from whom peers of a private torrent may come next.
const fn trust(source: Source) -> u8 {
    match source {
        Source::User => 2,
        _ if source.is_open() => 1,
        _ => 0,
    }
}

impl Candidates {
    /// Adds an address, unless it is none, ours, banned, known, or beyond the share of its source.
    pub fn add(&mut self, now: Moment, source: Source, addr: SocketAddr) {
        if self.may_add(now, source, addr) && self.make_room(source) {
            self.put(now, source, None, false, addr);
        }
    }

    /// Adds an address a peer told us of (BEP 11), unless it is beyond the share of this peer. It may be one that has
    /// everything.
    pub fn told(&mut self, now: Moment, teller: SocketAddr, addr: SocketAddr, seed: bool) {
        let (source, teller) = (Source::Pex, owner_of(teller));
        if !self.may_add(now, source, addr) {
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
    fn may_add(&mut self, now: Moment, source: Source, addr: SocketAddr) -> bool {
        let ip = addr.ip();
        let impossible = addr.port() == 0 || ip.is_unspecified() || ip.is_multicast();
        if impossible || self.is_ours(addr) || self.is_banned(addr) {
            return false;
        }
        if !self.list.contains_key(&addr) {
            return true;
        }
        self.confirm(now, source, addr);
        false
    }

    /// One more source tells of an address that is known. It counts as of the one that can be trusted most; what the
    /// user names may be dialled at once, whatever became of it before.
    fn confirm(&mut self, now: Moment, source: Source, addr: SocketAddr) {
        let Some(known) = self.list.get_mut(&addr) else { return };
        if source == Source::User {
            self.failed -= usize::from(known.failures > 0);
            (known.failures, known.next) = (0, now);
        }
        if trust(source) <= trust(known.source) {
            return;
        }
        let before = std::mem::replace(&mut known.source, source);
        if let Some(teller) = known.teller.take() {
            self.tellers.drop(teller);
        }
        if let Some(share) = self.shares.get_mut(&before) {
            *share = share.saturating_sub(1);
        }
        *self.shares.entry(source).or_default() += 1;
    }

    fn put(&mut self, now: Moment, source: Source, teller: Option<SocketAddr>, seed: bool, addr: SocketAddr) {
        let rank = self.rank(addr);
        // It may have been dialled and forgotten since.
        let state = if self.dialling.contains(&addr) { State::Dialling } else { State::Idle };
        let failures = 0;
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
        let full = self.list.len() >= MAX_CANDIDATES;
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

    pub(super) fn forget(&mut self, addr: SocketAddr) {
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

    /// Talks to nobody at this address any more.
    pub fn ban(&mut self, addr: SocketAddr) {
        let banned = owner_of(addr);
        if self.banned.len() < MAX_BANNED {
            self.banned.insert(banned);
        }
        let there: Vec<_> = self.list.keys().filter(|&&addr| owner_of(addr) == banned).copied().collect();
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
}
