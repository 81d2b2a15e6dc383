//! The flush threads. No other thread waits for them, not even at the end.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Done;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::storage::Storage;

/// Number of threads: the second goes on while the first waits for a disk that hangs.
const THREADS: usize = 2;

/// The threads and their work. Clones share them.
#[derive(Clone)]
pub(super) struct Flusher {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    jobs: Mutex<VecDeque<FlushJob>>,
    work: Condvar,
    /// Ends the threads and cancels flushes in progress.
    ending: AtomicBool,
}

struct FlushJob {
    storage: Storage,
    done: Done<Result<(), DiskError>>,
}

impl Flusher {
    /// Starts the threads. If the system gives none, every flush is refused.
    pub(super) fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let start = |_: &usize| {
            let shared = shared.clone();
            std::thread::Builder::new().name("torr-flush".into()).spawn(move || shared.run()).is_ok()
        };
        if (0..THREADS).filter(start).count() == 0 {
            shared.ending.store(true, Ordering::Relaxed);
        }
        Self { shared }
    }

    /// Queues a flush.
    pub(super) fn flush(&self, storage: &Storage, done: Done<Result<(), DiskError>>) {
        let job = FlushJob { storage: storage.clone(), done };
        let mut jobs = self.shared.lock();
        if self.shared.ending.load(Ordering::Relaxed) {
            drop(jobs);
            return job.refuse();
        }
        jobs.push_back(job);
        drop(jobs);
        self.shared.work.notify_one();
    }

    /// Cancels all flushes and ends the threads, without waiting for them.
    pub(super) fn shutdown(&self) {
        let jobs = {
            let mut jobs = self.shared.lock();
            self.shared.ending.store(true, Ordering::Relaxed);
            std::mem::take(&mut *jobs)
        };
        self.shared.work.notify_all();
        jobs.into_iter().for_each(FlushJob::refuse);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<FlushJob>> {
        // No job runs while this is held.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        loop {
            let mut jobs = self.lock();
            let FlushJob { storage, done } = loop {
                if let Some(job) = jobs.pop_front() {
                    break job;
                }
                if self.ending.load(Ordering::Relaxed) {
                    return;
                }
                jobs = self.work.wait(jobs).unwrap_or_else(PoisonError::into_inner);
            };
            drop(jobs);
            let flush = std::panic::AssertUnwindSafe(|| storage.flush_unless(&self.ending));
            // A panic is a bug, but one torrent's; the threads serve all of them.
            let flushed = std::panic::catch_unwind(flush);
            done(flushed.unwrap_or_else(|_| {
                tracing::error!("a flush panicked");
                Err(cancelled(&storage))
            }));
        }
    }
}

impl FlushJob {
    fn refuse(self) {
        (self.done)(Err(cancelled(&self.storage)));
    }
}

fn cancelled(storage: &Storage) -> DiskError {
    DiskError::new(DiskErrorKind::Cancelled, "flush", storage.root())
}
