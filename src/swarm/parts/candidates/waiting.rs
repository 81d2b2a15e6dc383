//! Dial limits: how soon an address may be dialled, after other dials to its machine and after failures.
//!
//! Peers that send addresses could use us to scan all ports of a machine. On the Internet one port a minute
//! is tried; on the local network, where many peers may share an address, up to thirty.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::room::MAX_CANDIDATES;
use super::{Candidate, Candidates, DialMode, State};
use crate::base::{Moment, is_near};
use crate::swarm::event::Source;

/// The time in which an Internet address is dialled at most once, and a local one [`MAX_NEAR`] times.
const PER_ADDRESS: Duration = Duration::from_secs(60);
/// The most dials to a local address within [`PER_ADDRESS`].
const MAX_NEAR: u32 = 30;
/// The wait after a failure of a local address, or of one that the user named.
const PER_NEAR_ADDRESS: Duration = Duration::from_secs(5);
/// The wait after a useful connection has ended: the network may have been down for a moment.
const AFTER_USE: Duration = Duration::from_secs(10);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// The number of consecutive failures after which an address is dropped, unless the user named it.
const MAX_FAILURES: u32 = 6;

/// The recent dials to each IP address.
#[derive(Clone, Debug, Default)]
pub(super) struct DialLimiter(BTreeMap<IpAddr, DialCount>);

#[derive(Clone, Copy, Debug)]
struct DialCount {
    /// The start of the current period.
    since: Moment,
    /// The number of dials in it.
    count: u32,
}

impl DialLimiter {
    /// Records a dial.
    pub(super) fn record_dial(&mut self, now: Moment, ip: IpAddr) {
        if self.0.len() >= MAX_CANDIDATES {
            self.0.retain(|_, dials_to| now.since(dials_to.since) < PER_ADDRESS);
        }
        let dials_to = self.0.entry(ip).or_insert(DialCount { since: now, count: 0 });
        if now.since(dials_to.since) >= PER_ADDRESS || !is_near(ip) {
            *dials_to = DialCount { since: now, count: 0 };
        }
        dials_to.count += 1;
    }

    /// The time at which the address may be dialled again.
    fn free_at(&self, ip: IpAddr) -> Moment {
        let most = if is_near(ip) { MAX_NEAR } else { 1 };
        self.0
            .get(&ip)
            .filter(|dials_to| dials_to.count >= most)
            .map_or(Moment::START, |dials_to| dials_to.since + PER_ADDRESS)
    }
}

impl Candidates {
    pub(super) fn may_dial(c: &Candidate, mode: DialMode) -> bool {
        c.state == State::Idle && !(mode == DialMode::Seeding && c.seed)
    }

    pub(super) fn ready_at(&self, addr: &SocketAddr, c: &Candidate, mode: DialMode) -> Moment {
        // The limit guards against lists of false addresses. An address of the user is not one, nor is that
        // of a peer which was useful before: a torrent without any connection may try it again at once.
        let trusted = c.source == Source::User || (c.proven && mode == DialMode::Isolated);
        if trusted { c.next } else { c.next.max(self.limiter.free_at(addr.ip())) }
    }

    pub(super) fn wait(&mut self, now: Moment, addr: SocketAddr, its_fault: bool) {
        let Some(candidate) = self.list.get_mut(&addr) else { return };
        self.failed += usize::from(its_fault && candidate.failures == 0);
        candidate.failures += u32::from(its_fault);
        candidate.proven &= !its_fault;
        let user = candidate.source == Source::User;
        if candidate.failures >= MAX_FAILURES && !user {
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
