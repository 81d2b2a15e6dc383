//! When an address may be dialled: not soon after somebody at its machine was, and ever later the more often it failed.
//!
//! Whoever can tell us addresses could have us knock at every door of a machine. On the Internet one door a minute is
//! tried; nearby, where many peers share an address, a few.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::room::MAX_CANDIDATES;
use super::{Candidate, Candidates, Dialler, State};
use crate::base::{Moment, is_near};
use crate::swarm::event::Source;

/// An address on the Internet is dialled at most once in this time, and one nearby [`MAX_NEAR`] times.
const PER_ADDRESS: Duration = Duration::from_secs(60);
/// See [`PER_ADDRESS`].
const MAX_NEAR: u32 = 30;
/// The same for a local one, and for what the user named.
const PER_NEAR_ADDRESS: Duration = Duration::from_secs(5);
/// One that was of use is tried again after this long: perhaps the network was down for a moment.
const AFTER_USE: Duration = Duration::from_secs(10);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// An address that failed this often in a row is forgotten, unless the user named it.
const MAX_FAILURES: u32 = 6;

/// When the machines at which addresses were dialled were last dialled.
#[derive(Clone, Debug, Default)]
pub(super) struct Knocks(BTreeMap<IpAddr, Knock>);

#[derive(Clone, Copy, Debug)]
struct Knock {
    /// When the time that is counted began.
    since: Moment,
    /// How often in it.
    count: u32,
}

impl Knocks {
    /// Somebody there is dialled.
    pub(super) fn note(&mut self, now: Moment, ip: IpAddr) {
        if self.0.len() >= MAX_CANDIDATES {
            self.0.retain(|_, knock| now.since(knock.since) < PER_ADDRESS);
        }
        let knock = self.0.entry(ip).or_insert(Knock { since: now, count: 0 });
        if now.since(knock.since) >= PER_ADDRESS || !is_near(ip) {
            *knock = Knock { since: now, count: 0 };
        }
        knock.count += 1;
    }

    /// When somebody there may be dialled again.
    fn free_at(&self, ip: IpAddr) -> Moment {
        let most = if is_near(ip) { MAX_NEAR } else { 1 };
        self.0
            .get(&ip)
            .filter(|knock| knock.count >= most)
            .map_or(Moment::START, |knock| knock.since + PER_ADDRESS)
    }
}

impl Candidates {
    pub(super) fn may_dial(c: &Candidate, dialler: Dialler) -> bool {
        c.state == State::Idle && !(dialler == Dialler::Complete && c.seed)
    }

    pub(super) fn ready_at(&self, addr: &SocketAddr, c: &Candidate, dialler: Dialler) -> Moment {
        // What others are guarded against is a list full of lies. What the user named is none; and where a
        // peer of this torrent answered and was of use there is one, which who has nobody else may try once
        // more without waiting out the minute.
        let trusted = c.source == Source::User || (c.proven && dialler == Dialler::Alone);
        if trusted { c.next } else { c.next.max(self.knocks.free_at(addr.ip())) }
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
