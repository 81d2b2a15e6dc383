//! Connection permits: they bound the connections of a session.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The permits of a session.
pub(super) struct ConnectionPermits {
    taken: Arc<AtomicUsize>,
    max: usize,
}

/// The permit for one connection within the session's limit; dropping it makes room for another.
pub(super) struct ConnectionPermit(Arc<AtomicUsize>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl ConnectionPermits {
    /// Permits for at most `max` connections.
    pub(super) fn new(max: usize) -> Self {
        Self { taken: Arc::default(), max }
    }

    /// A permit for one more connection, unless the limit is reached.
    pub(super) fn acquire(&self) -> Option<ConnectionPermit> {
        let room = |n: usize| (n < self.max).then_some(n + 1);
        let taken = self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok();
        taken.then(|| ConnectionPermit(self.taken.clone()))
    }
}
