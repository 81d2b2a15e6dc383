//! How fast bytes may move: buckets that tasks share.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::time::{Sleep, sleep};

use crate::base::{BLOCK_LEN, Bucket, Moment};

/// A limit in bytes per second in one direction. Clones share it.
#[derive(Clone, Debug)]
pub struct Limit(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    born: Instant,
    /// Whether there is a limit at all: without one no lock is taken.
    limited: AtomicBool,
    bucket: Mutex<Bucket>,
}

/// The limits of a session or of a torrent in both directions. Clones share them.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The limit downwards.
    pub down: Limit,
    /// The limit upwards.
    pub up: Limit,
}

impl Limits {
    /// Limits in bytes per second; `None` for none.
    pub fn new(down: Option<u64>, up: Option<u64>) -> Self {
        Self { down: Limit::new(down), up: Limit::new(up) }
    }
}

impl Limit {
    /// A limit in bytes per second; `None` for none.
    pub fn new(per_second: Option<u64>) -> Self {
        let bucket = Mutex::new(Bucket::new(Moment::START, per_second));
        Self(Arc::new(Shared {
            born: Instant::now(),
            limited: AtomicBool::new(per_second.is_some()),
            bucket,
        }))
    }

    /// Changes the limit. Who waits under the old one waits on for at most as long as that said.
    pub fn set(&self, per_second: Option<u64>) {
        let now = self.now();
        let mut bucket = self.bucket();
        bucket.set(now, per_second);
        self.0.limited.store(per_second.is_some(), Ordering::Relaxed);
    }

    /// The limit in bytes per second, if there is one.
    pub fn get(&self) -> Option<u64> {
        self.bucket().limit()
    }

    fn is_set(&self) -> bool {
        self.0.limited.load(Ordering::Relaxed)
    }

    fn now(&self) -> Moment {
        Moment::after(self.0.born.elapsed())
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        // A bucket is whole between any two of its steps.
        self.0.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fewer bytes than this are not worth a system call: a task waits until so many may pass.
const MIN_GRANT: u64 = BLOCK_LEN as u64;

/// The limits of one direction as one task meets them.
pub(super) struct Throttle {
    limits: [Limit; 2],
    nap: Option<Pin<Box<Sleep>>>,
}

impl Throttle {
    pub(super) const fn new(limits: [Limit; 2]) -> Self {
        Self { limits, nap: None }
    }

    /// Takes leave to move up to `want` bytes, at least 1; what was granted and is not used goes back
    /// by [`Throttle::give_back`]. The task is woken when it is worth asking again.
    pub(super) fn poll_grant(&mut self, context: &mut Context<'_>, want: u64) -> Poll<u64> {
        loop {
            if let Some(nap) = &mut self.nap {
                std::task::ready!(nap.as_mut().poll(context));
                self.nap = None;
            }
            match self.grant(want) {
                Ok(granted) => return Poll::Ready(granted),
                Err(wait) => self.nap = Some(Box::pin(sleep(wait))),
            }
        }
    }

    /// Returns leave that was not used.
    pub(super) fn give_back(&self, bytes: u64) {
        for limit in self.limits.iter().filter(|limit| bytes > 0 && limit.is_set()) {
            limit.bucket().give_back(bytes);
        }
    }

    fn grant(&self, want: u64) -> Result<u64, std::time::Duration> {
        let least = want.min(MIN_GRANT);
        for limit in self.limits.iter().filter(|limit| limit.is_set()) {
            let wait = limit.bucket().wait(limit.now(), least);
            if !wait.is_zero() {
                // Timers count milliseconds; waking early would only mean to wait again.
                return Err(wait + std::time::Duration::from_millis(1));
            }
        }
        let mut granted = want;
        for (taken, limit) in self.limits.iter().enumerate().filter(|(_, limit)| limit.is_set()) {
            let allowed = limit.bucket().take(limit.now(), granted);
            for earlier in self.limits[..taken].iter().filter(|limit| limit.is_set()) {
                earlier.bucket().give_back(granted - allowed);
            }
            granted = allowed;
        }
        // Another task may have been faster between the two looks.
        if granted == 0 && want > 0 { Err(std::time::Duration::from_millis(1)) } else { Ok(granted) }
    }
}
