//! Time as an argument.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// A point in time, counted in nanoseconds from the start of the program or of a simulated world.
/// It can only be compared with moments of the same origin, and it never goes back.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Moment(u64);

impl Moment {
    /// The origin.
    pub const START: Self = Self(0);

    /// The moment that lies this long after the origin.
    pub fn after(since_start: Duration) -> Self {
        Self(nanos(since_start))
    }

    /// How long after the origin this moment lies.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// How long ago `earlier` was; nothing if it lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl AddAssign<Duration> for Moment {
    fn add_assign(&mut self, span: Duration) {
        *self = *self + span;
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;
    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(span)))
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_stops_at_the_ends() {
        let second = Duration::from_secs(1);
        assert_eq!(Moment::START - second, Moment::START);
        assert_eq!(Moment(u64::MAX) + second, Moment(u64::MAX));
        assert_eq!(Moment::START.since(Moment::START + second), Duration::ZERO);
        assert_eq!((Moment::START + second).since(Moment::START), second);
    }
}
