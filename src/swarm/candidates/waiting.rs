//! When an address may be dialled: not soon after somebody at its machine was, and ever later the more often it failed.

use std::net::SocketAddr;
use std::time::Duration;

use super::{Candidate, Candidates, Dialler, State};
use crate::base::{Moment, is_near};
use crate::swarm::event::Source;

/// An address on the Internet is dialled at most once in this time.
pub(super) const PER_ADDRESS: Duration = Duration::from_secs(60);
/// The same for a local one, and for what the user named.
const PER_NEAR_ADDRESS: Duration = Duration::from_secs(5);
/// One that was of use is tried again after this long: perhaps the network was down for a moment.
const AFTER_USE: Duration = Duration::from_secs(10);
/// The longest wait after failures.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// An address that failed this often in a row is forgotten, unless the user named it.
const MOST_FAILURES: u32 = 6;

impl Candidates {
    pub(super) fn may_dial(c: &Candidate, dialler: Dialler) -> bool {
        c.state == State::Idle && !(dialler == Dialler::Complete && c.seed)
    }

    pub(super) fn ready_at(&self, addr: &SocketAddr, c: &Candidate, dialler: Dialler) -> Moment {
        // What others are guarded against is a list full of lies. What the user named is none; and where a
        // peer of this torrent answered and was of use there is one, which who has nobody else may try once
        // more without waiting out the minute.
        let trusted = c.source == Source::User || (c.proven && dialler == Dialler::Alone);
        match self.tried_at.get(&addr.ip()) {
            Some(&tried) if !is_near(addr.ip()) && !trusted => c.next.max(tried + PER_ADDRESS),
            _ => c.next,
        }
    }

    pub(super) fn wait(&mut self, now: Moment, addr: SocketAddr, its_fault: bool) {
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
