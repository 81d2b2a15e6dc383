//! The clock of a session.

use std::time::Instant;

use crate::base::Moment;

/// Converts the monotonic time of the machine to moments. All parts of a session share one clock, so their
/// moments are comparable.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The present moment.
    pub fn now(&self) -> Moment {
        Moment::after(self.0.elapsed())
    }

    /// The machine's time at a moment, to sleep until.
    pub fn instant(&self, at: Moment) -> Instant {
        self.0 + at.since_start()
    }
}
