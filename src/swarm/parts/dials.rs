//! How many dials are made, and how they end.

use std::time::Duration;

use crate::base::Moment;

use crate::swarm::event::DialFailure;

/// The most dials under way at a time.
pub const MAX_DIALS: usize = 30;
/// Dials per second once the first [`MAX_DIALS`] have been made.
const PER_SECOND: f64 = 10.0;

/// How dials ended so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Dials {
    /// Begun.
    pub tried: u64,
    /// Connections that stood.
    pub connected: u64,
    /// Nothing answered.
    pub timed_out: u64,
    /// The other side refused.
    pub refused: u64,
    /// There was no way.
    pub unreachable: u64,
    /// Dials that reached no peer of this torrent.
    pub bad_handshake: u64,
    /// Dials that reached ourselves.
    pub ourselves: u64,
    /// We could not.
    pub local: u64,
}

impl Dials {
    /// A dial failed.
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

/// When another dial may be made: the first [`MAX_DIALS`] at once, later ones at a rate.
#[derive(Clone, Debug)]
pub struct Pace {
    tokens: f64,
    filled: Moment,
}

impl Pace {
    /// Nothing has been dialled yet.
    pub const fn new(now: Moment) -> Self {
        Self { tokens: MAX_DIALS as f64, filled: now }
    }

    /// How long until one may be dialled.
    pub fn wait(&self, now: Moment) -> Duration {
        let missing = 1.0 - self.tokens_at(now);
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        // The grain of a millisecond keeps rounding from waking us a little too early for ever.
        Duration::from_secs_f64(missing / PER_SECOND) + Duration::from_millis(1)
    }

    /// One is dialled.
    pub fn take(&mut self, now: Moment) {
        self.tokens = self.tokens_at(now) - 1.0;
        self.filled = now;
    }

    fn tokens_at(&self, now: Moment) -> f64 {
        let gained = now.since(self.filled).as_secs_f64() * PER_SECOND;
        (self.tokens + gained).min(MAX_DIALS as f64)
    }
}
