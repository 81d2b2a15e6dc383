//! The one clock of a session.

use std::time::Instant;

use crate::base::Moment;

/// Turns the machine's monotonic time into moments. All parts of a session share one, so their
/// moments can be compared.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    pub fn now(&self) -> Moment {
        Moment::after(self.0.elapsed())
    }

    /// The machine's time of a moment, to sleep until.
    pub fn instant(&self, at: Moment) -> Instant {
        self.0 + at.since_start()
    }
}
