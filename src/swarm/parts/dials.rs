//! The rate of dials, and the counts of their results.

use std::time::Duration;

use crate::base::Moment;

use crate::swarm::event::DialFailure;

/// The most dials in progress at a time.
pub const MAX_DIALS: usize = 30;
/// The rate of dials per second after the first [`MAX_DIALS`].
const PER_SECOND: f64 = 10.0;

/// The counts of dials and their results.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dials {
    /// Dials that were started.
    pub tried: u64,
    /// Dials that connected.
    pub connected: u64,
    /// Dials that timed out.
    pub timed_out: u64,
    /// Dials that were refused.
    pub refused: u64,
    /// Dials without a route.
    pub unreachable: u64,
    /// Dials that reached no peer of this torrent.
    pub bad_handshake: u64,
    /// Dials that reached ourselves.
    pub ourselves: u64,
    /// Dials that failed on our own side.
    pub local: u64,
}

impl Dials {
    /// Counts a failed dial.
    pub const fn failed(&mut self, why: DialFailure) {
        *match why {
            DialFailure::TimedOut => &mut self.timed_out,
            DialFailure::Refused => &mut self.refused,
            DialFailure::Unreachable => &mut self.unreachable,
            DialFailure::BadHandshake => &mut self.bad_handshake,
            DialFailure::Ourselves => &mut self.ourselves,
            DialFailure::Local => &mut self.local,
        } += 1;
    }
}

/// The rate limit of dials: the first [`MAX_DIALS`] at once, then [`PER_SECOND`].
#[derive(Clone, Debug)]
pub struct Pace {
    tokens: f64,
    filled: Moment,
}

impl Pace {
    /// Makes a full bucket.
    pub const fn new(now: Moment) -> Self {
        Self { tokens: MAX_DIALS as f64, filled: now }
    }

    /// The time until the next dial is allowed.
    pub fn wait(&self, now: Moment) -> Duration {
        let missing = 1.0 - self.tokens_at(now);
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        // An extra millisecond keeps rounding from waking us slightly too early again and again.
        Duration::from_secs_f64(missing / PER_SECOND) + Duration::from_millis(1)
    }

    /// Counts a dial.
    pub fn take(&mut self, now: Moment) {
        self.tokens = self.tokens_at(now) - 1.0;
        self.filled = now;
    }

    fn tokens_at(&self, now: Moment) -> f64 {
        let gained = now.since(self.filled).as_secs_f64() * PER_SECOND;
        (self.tokens + gained).min(MAX_DIALS as f64)
    }
}
