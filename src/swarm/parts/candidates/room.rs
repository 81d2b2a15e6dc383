//! Limits on the candidates: in all, per source, and per peer that sends addresses.

use std::net::SocketAddr;

use super::super::peer_source_quota::MAX_PER_PEER;
use super::{Candidate, Candidates, State};
use crate::base::{Moment, owner_of};
use crate::swarm::event::Source;

/// The most candidates.
pub(super) const MAX_CANDIDATES: usize = 3000;
/// The most banned addresses.
const MAX_BANNED: usize = 10_000;

/// The most candidates of one source.
pub(super) const fn share(source: Source) -> usize {
    match source {
        Source::User | Source::Tracker | Source::Dht => MAX_CANDIDATES / 2,
        Source::Pex | Source::Incoming => MAX_CANDIDATES / 3,
        Source::Lsd | Source::Resume => MAX_CANDIDATES / 10,
    }
}

/// The trust in a source: the user most, then the sources that a private torrent may use.
const fn trust(source: Source) -> u8 {
    match source {
        Source::User => 2,
        _ if source.is_open() => 1,
        _ => 0,
    }
}

impl Candidates {
    /// Adds an address, unless it is invalid, our own, banned, known, or beyond the share of its source.
    pub fn add(&mut self, now: Moment, source: Source, addr: SocketAddr) {
        if self.may_add(now, source, addr) && self.make_room(source) {
            self.put(now, source, None, false, addr);
        }
    }

    /// Adds an address that a peer sent by peer exchange (BEP 11), unless it is beyond that peer's share.
    /// `seed` is its seed flag.
    pub fn add_from_peer(&mut self, now: Moment, sender: SocketAddr, addr: SocketAddr, seed: bool) {
        let (source, sender) = (Source::Pex, owner_of(sender));
        if !self.may_add(now, source, addr) {
            return;
        }
        let kept = self.quotas.kept(sender);
        let has_room = if kept >= MAX_PER_PEER {
            self.evict(|c| c.sender == Some(sender) && c.failures > 0)
        } else {
            self.make_room(source) || self.evict_from_largest(kept)
        };
        if has_room {
            self.put(now, source, Some(sender), seed, addr);
        }
    }

    /// Whether an address is valid and new.
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

    /// Records that another source names a known address. It then counts for the most trusted source. An
    /// address that the user names may be dialled at once, whatever happened before.
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
        if let Some(sender) = known.sender.take() {
            self.quotas.remove(sender);
        }
        if let Some(share) = self.shares.get_mut(&before) {
            *share = share.saturating_sub(1);
        }
        *self.shares.entry(source).or_default() += 1;
    }

    fn put(&mut self, now: Moment, source: Source, sender: Option<SocketAddr>, seed: bool, addr: SocketAddr) {
        let rank = self.rank(addr);
        // The address may have been dialled, and its candidate dropped since.
        let state = if self.dialling.contains(&addr) { State::Dialling } else { State::Idle };
        let failures = 0;
        let candidate = Candidate { source, sender, state, failures, next: now, rank, seed, proven: false };
        self.list.insert(addr, candidate);
        *self.shares.entry(source).or_default() += 1;
        if let Some(sender) = sender {
            self.quotas.add(sender);
        }
    }

    /// Makes room for a candidate of a source, if needed by dropping one that failed: of the same source, or
    /// of any if the list is full.
    fn make_room(&mut self, source: Source) -> bool {
        let full = self.list.len() >= MAX_CANDIDATES;
        if !full && self.shares.get(&source).copied().unwrap_or(0) < share(source) {
            return true;
        }
        self.failed > 0 && self.evict(|c| (full || c.source == source) && c.failures > 0)
    }

    /// Makes room for a peer with `kept` addresses by dropping one of the peer with the most.
    fn evict_from_largest(&mut self, kept: usize) -> bool {
        let largest = self.quotas.largest().filter(|&(_, most)| most > kept + 1);
        largest.is_some_and(|(largest, _)| self.evict(|c| c.sender == Some(largest)))
    }

    /// Drops the matching idle candidate with the most failures. Returns whether there was one.
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
        if let Some(sender) = gone.sender {
            self.quotas.remove(sender);
        }
    }

    fn is_ours(&self, addr: SocketAddr) -> bool {
        let same = |ours: &SocketAddr| {
            ours.port() == addr.port()
                && (ours.ip() == addr.ip() || (ours.ip().is_unspecified() && addr.ip().is_loopback()))
        };
        self.ours.iter().any(same) || self.me == Some(addr)
    }

    /// Bans an address, and drops its candidates.
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

    /// Drops all addresses that a private torrent may not use (BEP 27).
    pub fn retain_for_private(&mut self) {
        let closed = self.list.iter().filter(|(_, c)| !c.source.is_open());
        for addr in closed.map(|(&addr, _)| addr).collect::<Vec<_>>() {
            self.forget(addr);
        }
    }
}
