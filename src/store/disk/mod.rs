//! The disk threads: plain threads that hash, write, read and flush, so that no thread that serves sockets or
//! a screen waits for a disk.
//!
//! Jobs wait in queues. Whole pieces of any torrents are hashed several at once, for the time of one;
//! segments of long pieces take turns with them. Reads wait for buffers of their own bounded pool. A recheck
//! is cut into small steps, so that no job delays the others for long.

mod backlog;
mod check;
mod flusher;
mod read;
mod verify_and_write;
mod write_segment;

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::thread::JoinHandle;

use self::backlog::Backlog;
use self::check::CheckJob;
pub use self::check::{Checked, Progress};
use self::flusher::Flusher;
use self::read::ReadJob;
use self::verify_and_write::PieceJob;
pub use self::verify_and_write::PieceOutcome;
use self::write_segment::SegmentJob;
pub use self::write_segment::SegmentOutcome;
use super::error::{DiskError, DiskErrorKind};
use super::piece_buffer::{PieceBuffer, Segment};
use super::pool::{Buf, Pool};
use super::sigbus;
use super::storage::Storage;
use crate::base::{Bitfield, Span};
use crate::hash;

/// Maximum number of waiting reads.
const MAX_READS: usize = 4096;

type Done<T> = Box<dyn FnOnce(T) + Send>;

/// The disk threads and their queues. Clones share them; [`Disk::shutdown`] ends the threads.
#[derive(Clone)]
pub struct Disk {
    shared: Arc<Shared>,
    flusher: Flusher,
}

struct Shared {
    serve: Pool,
    state: Mutex<State>,
    work: Condvar,
    serve_waker: Waker,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Default)]
struct State {
    pieces: VecDeque<PieceJob>,
    segments: VecDeque<SegmentJob>,
    reads: VecDeque<ReadJob>,
    jobs: VecDeque<Box<dyn FnOnce() + Send>>,
    checks: VecDeque<Arc<CheckJob>>,
    /// Set while the first read waits for buffers.
    reads_starved: bool,
    /// Counts jobs: the queues take turns.
    turn: u8,
    /// Whether segments, not whole pieces, had the last turn.
    segments_had_turn: bool,
    backlog: Backlog,
    closing: bool,
}

enum Job {
    /// Pieces to hash and write, and whether the threads are behind.
    Pieces(Vec<PieceJob>, bool),
    Segments(Vec<SegmentJob>, bool),
    Read(ReadJob, Vec<Buf>),
    Run(Box<dyn FnOnce() + Send>),
    Check(Arc<CheckJob>),
}

/// Wakes the disk threads when read buffers have returned.
struct ServeWaker(Weak<Shared>);

impl Wake for ServeWaker {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.0.upgrade() {
            shared.lock().reads_starved = false;
            shared.work.notify_all();
        }
    }
}

impl Disk {
    /// Starts this many threads, but at least one. Reads take their buffers from `serve`.
    pub fn start(threads: usize, serve: Pool) -> Self {
        sigbus::survive_size_limits();
        let shared = Arc::new_cyclic(|weak: &Weak<Shared>| Shared {
            serve,
            state: Mutex::default(),
            work: Condvar::new(),
            serve_waker: Waker::from(Arc::new(ServeWaker(weak.clone()))),
            threads: Mutex::default(),
        });
        let running = (0..threads.max(1)).filter_map(|_| {
            let shared = shared.clone();
            std::thread::Builder::new().name("torr-disk".into()).spawn(move || work(&shared)).ok()
        });
        let running: Vec<_> = running.collect();
        assert!(!running.is_empty(), "the system gives no thread to a process that only begins");
        *shared.threads.lock().unwrap_or_else(PoisonError::into_inner) = running;
        Self { shared, flusher: Flusher::start() }
    }

    /// The number of processors, between two, so that a slow read does not block everything, and eight.
    pub fn usual_threads() -> usize {
        std::thread::available_parallelism().map_or(2, NonZeroUsize::get).clamp(2, 8)
    }

    /// Hashes a complete piece and writes it if it is right. `digests` asks for the digests of its blocks
    /// even then.
    ///
    /// The queue has no bound of its own: a piece comes with its buffers, and those are bounded.
    pub fn verify_and_write(
        &self,
        storage: &Storage,
        buffer: PieceBuffer,
        digests: bool,
        done: impl FnOnce(PieceOutcome) + Send + 'static,
    ) {
        let job = PieceJob { storage: storage.clone(), buffer, digests, done: Box::new(done) };
        let mut state = self.shared.lock();
        if state.closing {
            drop(state);
            return job.refuse();
        }
        state.pieces.push_back(job);
        drop(state);
        self.shared.work.notify_one();
    }

    /// Continues the hash of a piece with a segment and writes the segment. The last segment is written only
    /// if the whole piece is right; bytes of a wrong piece must not be claimed.
    pub fn write_segment(
        &self,
        storage: &Storage,
        segment: Segment,
        done: impl FnOnce(SegmentOutcome) + Send + 'static,
    ) {
        let job = SegmentJob { storage: storage.clone(), segment, done: Box::new(done) };
        let mut state = self.shared.lock();
        if state.closing {
            drop(state);
            return job.refuse();
        }
        state.segments.push_back(job);
        drop(state);
        self.shared.work.notify_one();
    }

    /// Reads spans in order, each into a buffer of its own. Too many waiting reads, or more spans than
    /// buffers, fail with [`DiskErrorKind::Busy`].
    pub fn read_spans(
        &self,
        storage: &Storage,
        spans: Vec<Span>,
        done: impl FnOnce(Result<Vec<Buf>, DiskError>) + Send + 'static,
    ) {
        let job = ReadJob { storage: storage.clone(), spans, done: Box::new(done) };
        let mut state = self.shared.lock();
        let kind = match () {
            () if state.closing => Some(DiskErrorKind::Cancelled),
            () if job.spans.len() > self.shared.serve.cap() => Some(DiskErrorKind::Busy),
            () if state.reads.len() >= MAX_READS => Some(DiskErrorKind::Busy),
            () => None,
        };
        if let Some(kind) = kind {
            drop(state);
            return job.refuse(kind);
        }
        state.reads.push_back(job);
        drop(state);
        self.shared.work.notify_one();
    }

    /// Hashes these pieces on disk and tells which are right, and what the others hold. Its steps run between other
    /// jobs, on all threads.
    pub fn check(
        &self,
        storage: &Storage,
        pieces: &Bitfield,
        progress: Progress,
        done: impl FnOnce(Result<Checked, DiskError>) + Send + 'static,
    ) {
        let job = Arc::new(CheckJob::new(storage.clone(), pieces, progress, Box::new(done)));
        let mut state = self.shared.lock();
        if state.closing {
            drop(state);
            return job.cancel();
        }
        state.checks.push_back(job);
        drop(state);
        self.shared.work.notify_all();
    }

    /// Syncs to disk what was written to a storage before this call, on threads of their own: it may take as long as
    /// the disk needs for everything that is in memory.
    pub fn flush(&self, storage: &Storage, done: impl FnOnce(Result<(), DiskError>) + Send + 'static) {
        self.flusher.flush(storage, Box::new(done));
    }

    /// Runs a closure that works with files. The closure is dropped if the threads are ending.
    pub fn run(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        if !state.closing {
            state.jobs.push_back(Box::new(job));
            drop(state);
            self.shared.work.notify_one();
        }
    }

    /// Ends the threads and waits for them. Waiting writes and closures run before; reads and rechecks are
    /// cancelled. Must not be called on a disk thread.
    pub fn shutdown(&self) {
        self.flusher.shutdown();
        let mut state = self.shared.lock();
        state.closing = true;
        let reads = std::mem::take(&mut state.reads);
        let checks = std::mem::take(&mut state.checks);
        drop(state);
        self.shared.work.notify_all();
        for job in reads {
            job.refuse(DiskErrorKind::Cancelled);
        }
        for job in checks {
            job.cancel();
        }
        let threads =
            std::mem::take(&mut *self.shared.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // Threads catch the panics of their jobs, so the result carries nothing.
            let _ = thread.join();
        }
    }
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.lock();
        write!(f, "Disk({} pieces, {} segments, ", state.pieces.len(), state.segments.len())?;
        write!(f, "{} reads, {} jobs, ", state.reads.len(), state.jobs.len())?;
        write!(f, "{} checks)", state.checks.len())
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No job runs while this is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the next job. `None` if there will be no more.
    fn next_job(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            state.turn = state.turn.wrapping_add(1);
            // Writes and reads take turns; closures come first every third time.
            let lines = match state.turn % 3 {
                0 => [0, 1, 2, 3],
                1 => [1, 0, 2, 3],
                _ => [2, 0, 1, 3],
            };
            for line in lines {
                let job = match line {
                    0 => state.next_to_hash(),
                    1 => self.next_read(&mut state),
                    2 => state.jobs.pop_front().map(Job::Run),
                    _ => state.next_check().map(Job::Check),
                };
                if job.is_some() {
                    return job;
                }
            }
            if state.closing {
                return None;
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn next_read(&self, state: &mut State) -> Option<Job> {
        if state.reads_starved {
            return None;
        }
        let count = state.reads.front()?.spans.len();
        let bufs = self.serve.take_all_or_wait(count, &self.serve_waker);
        state.reads_starved = bufs.is_none();
        let bufs = bufs?;
        state.reads.pop_front().map(|job| Job::Read(job, bufs))
    }
}

impl State {
    /// Takes whole pieces or segments, whichever did not have the last turn.
    fn next_to_hash(&mut self) -> Option<Job> {
        let segments = self.segments.len().min(hash::lanes().max(1));
        if segments > 0 && (!self.segments_had_turn || self.pieces.is_empty()) {
            self.segments_had_turn = true;
            let jobs = self.segments.drain(..segments).collect();
            return Some(Job::Segments(jobs, self.is_behind()));
        }
        self.segments_had_turn = false;
        let count = self.pieces.len().min(hash::lanes().max(1));
        if count == 0 {
            return None;
        }
        let jobs = self.pieces.drain(..count).collect();
        Some(Job::Pieces(jobs, self.is_behind()))
    }

    fn is_behind(&mut self) -> bool {
        self.backlog.update(self.pieces.len() + self.segments.len())
    }

    /// The next recheck with a step left; it stays in the queue until it has none.
    fn next_check(&mut self) -> Option<Arc<CheckJob>> {
        while let Some(job) = self.checks.pop_front() {
            if job.has_steps() {
                self.checks.push_back(job.clone());
                return Some(job);
            }
        }
        None
    }
}

fn work(shared: &Shared) {
    let mut scratch = Vec::new();
    while let Some(job) = shared.next_job() {
        let check = if let Job::Check(job) = &job { Some(job.clone()) } else { None };
        // A panic is a bug of one torrent; the threads serve all of them.
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| match job {
            Job::Pieces(jobs, behind) => {
                jobs[0].storage.set_behind(behind);
                verify_and_write::write_pieces(jobs);
            }
            Job::Segments(jobs, behind) => {
                jobs[0].storage.set_behind(behind);
                write_segment::write_segments(jobs);
            }
            Job::Read(job, bufs) => job.serve(bufs),
            Job::Run(run) => run(),
            Job::Check(job) => job.step(&mut scratch),
        }));
        if caught.is_err() {
            tracing::error!("a disk job panicked");
            if let Some(check) = check {
                check.cancel();
            }
        }
    }
}

#[cfg(test)]
mod tests;
