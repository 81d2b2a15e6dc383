//! A bounded pool of 16 KiB buffers.
//!
//! Payload moves by ownership: a peer's task fills a [`Buf`] from its socket, the buffer moves to its piece
//! and to a disk thread, and returns to the pool when it is dropped. The cap is hard: at the cap a caller
//! waits, and with it the peer that would have filled the buffer.
//!
//! Every buffer is a mapping of its own, so released memory goes back to the system at once and leaves no
//! holes in a heap.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use memmap2::MmapMut;

use crate::base::BLOCK_LEN;

/// Capacity of a buffer in bytes: one block.
pub const BUF_LEN: usize = BLOCK_LEN as usize;

/// Number of free buffers that are always kept: 1 MiB.
const RESERVE: usize = 64;
/// Number of returned buffers (256 MiB) after which unneeded ones are released.
const TRIM_PERIOD: u32 = 16_384;

/// A bounded pool of buffers. Clones share it.
#[derive(Clone)]
pub struct Pool {
    shared: Arc<Shared>,
}

struct Shared {
    cap: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    free: Vec<MmapMut>,
    in_use: usize,
    peak: usize,
    /// The fewest free buffers since the last trim: so many were not needed.
    min_free: usize,
    /// Number of buffers returned since the last trim.
    returned: u32,
    waiting: VecDeque<Waker>,
    refused: u64,
}

/// Counters of a pool, in buffers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct PoolCounters {
    /// The maximum number of buffers.
    pub cap: usize,
    /// Buffers in use.
    pub in_use: usize,
    /// Free buffers.
    pub free: usize,
    /// The highest number in use at any time.
    pub peak: usize,
    /// Number of requests that found no buffer.
    pub refused: u64,
}

impl Pool {
    /// A pool of at most `bytes`, rounded down to whole buffers, but at least one buffer.
    pub fn new(bytes: usize) -> Self {
        let shared = Shared { cap: AtomicUsize::new(Self::buffers_in(bytes)), state: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Takes a buffer, if one is free and the cap allows it.
    pub fn try_take(&self) -> Option<Buf> {
        let data = self.shared.take(&mut self.shared.lock())?;
        Some(Buf { data: Some(data), len: 0, pool: self.shared.clone() })
    }

    /// Takes a buffer, or registers the task to be woken when one returns. After a wake-up the buffer may be
    /// gone again: poll once more.
    pub fn poll_take(&self, context: &mut Context<'_>) -> Poll<Buf> {
        let mut state = self.shared.lock();
        if let Some(data) = self.shared.take(&mut state) {
            return Poll::Ready(Buf { data: Some(data), len: 0, pool: self.shared.clone() });
        }
        state.wait(context.waker());
        Poll::Pending
    }

    /// Takes up to `count` buffers.
    pub fn take_many(&self, count: usize) -> Vec<Buf> {
        self.take_locked(&mut self.shared.lock(), count)
    }

    fn take_locked(&self, state: &mut State, count: usize) -> Vec<Buf> {
        std::iter::from_fn(|| self.shared.take(state))
            .take(count)
            .map(|data| Buf { data: Some(data), len: 0, pool: self.shared.clone() })
            .collect()
    }

    /// Takes `count` buffers at once, or none and registers `waker`. Returns fewer if the system is out of
    /// memory.
    pub(super) fn take_all_or_wait(&self, count: usize, waker: &Waker) -> Option<Vec<Buf>> {
        let mut state = self.shared.lock();
        if self.shared.cap().saturating_sub(state.in_use) < count {
            state.refused += 1;
            state.wait(waker);
            return None;
        }
        Some(self.take_locked(&mut state, count))
    }

    /// The maximum number of buffers.
    pub fn cap(&self) -> usize {
        self.shared.cap()
    }

    /// Sets the cap to `bytes`, rounded down to whole buffers, but at least one. Buffers in use stay in use;
    /// while they exceed the cap, no buffer is given out.
    pub fn set_cap(&self, bytes: usize) {
        self.shared.cap.store(Self::buffers_in(bytes), Ordering::Relaxed);
        let woken = std::mem::take(&mut self.shared.lock().waiting);
        woken.into_iter().for_each(Waker::wake);
    }

    const fn buffers_in(bytes: usize) -> usize {
        if bytes < BUF_LEN { 1 } else { bytes / BUF_LEN }
    }

    /// The present counters.
    pub fn counters(&self) -> PoolCounters {
        let state = self.shared.lock();
        PoolCounters {
            cap: self.shared.cap(),
            in_use: state.in_use,
            free: state.free.len(),
            peak: state.peak,
            refused: state.refused,
        }
    }

    /// Releases the free buffers that were not needed since the last trim, except for a small reserve. A busy
    /// pool trims itself; an idle pool needs two calls to release everything.
    pub fn trim(&self) {
        let released = self.shared.lock().take_unneeded();
        drop(released);
    }
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.counters().fmt(f)
    }
}

impl Shared {
    fn cap(&self) -> usize {
        self.cap.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No invariant spans a point that can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, state: &mut State) -> Option<MmapMut> {
        let data = if state.in_use >= self.cap() {
            None
        } else {
            // If the system has no memory, the pool counts as empty.
            state.free.pop().or_else(|| MmapMut::map_anon(BUF_LEN).ok())
        };
        if data.is_some() {
            state.in_use += 1;
            state.peak = state.peak.max(state.in_use);
            state.min_free = state.min_free.min(state.free.len());
        } else {
            state.refused += 1;
        }
        data
    }

    fn return_buffer(&self, data: MmapMut) {
        let mut state = self.lock();
        state.free.push(data);
        state.in_use -= 1;
        state.returned += 1;
        let released = if state.returned >= TRIM_PERIOD { state.take_unneeded() } else { Vec::new() };
        // One waiter per buffer. But a waiter that has gone must not keep the others asleep, so all are woken
        // once there is plenty.
        let wake = if state.in_use <= self.cap() / 2 { state.waiting.len() } else { 1 };
        let wake = wake.min(state.waiting.len());
        let woken: Vec<_> = state.waiting.drain(..wake).collect();
        drop(state);
        drop(released);
        woken.into_iter().for_each(Waker::wake);
    }
}

impl State {
    /// Takes out the free buffers that were not needed since the last trim.
    fn take_unneeded(&mut self) -> Vec<MmapMut> {
        let idle = self.min_free.min(self.free.len()).saturating_sub(RESERVE);
        let keep = self.free.len() - idle;
        self.min_free = keep;
        self.returned = 0;
        self.free.split_off(keep)
    }

    fn wait(&mut self, waker: &Waker) {
        if !self.waiting.iter().any(|known| known.will_wake(waker)) {
            self.waiting.push_back(waker.clone());
        }
    }
}

/// A buffer of [`BUF_LEN`] bytes, the first `len` of them filled. Returns to its pool on drop.
pub struct Buf {
    /// `None` only during drop.
    data: Option<MmapMut>,
    len: usize,
    pool: Arc<Shared>,
}

impl Buf {
    /// The unfilled part; call [`Buf::advance`] after writing to it.
    pub fn spare_mut(&mut self) -> &mut [u8] {
        let len = self.len;
        &mut self.whole_mut()[len..]
    }

    /// Marks `count` more bytes as filled.
    ///
    /// # Panics
    /// If the capacity is exceeded.
    pub fn advance(&mut self, count: usize) {
        assert!(count <= BUF_LEN - self.len, "a buffer holds no more than {BUF_LEN} bytes");
        self.len += count;
    }

    /// Sets the number of filled bytes, at most [`BUF_LEN`].
    ///
    /// # Panics
    /// If the capacity is exceeded.
    pub fn set_len(&mut self, len: usize) {
        assert!(len <= BUF_LEN, "a buffer holds no more than {BUF_LEN} bytes");
        self.len = len;
    }

    /// The whole capacity, filled or not.
    pub fn whole_mut(&mut self) -> &mut [u8] {
        self.data.as_mut().expect("a buffer has its memory until it is dropped")
    }

    /// Fills the buffer with a copy of `bytes`.
    ///
    /// # Panics
    /// If there are more than [`BUF_LEN`] bytes.
    pub fn fill(&mut self, bytes: &[u8]) {
        self.whole_mut()[..bytes.len()].copy_from_slice(bytes);
        self.len = bytes.len();
    }
}

impl Deref for Buf {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        let data = self.data.as_ref().expect("a buffer has its memory until it is dropped");
        &data[..self.len]
    }
}

impl AsRef<[u8]> for Buf {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Buf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Buf({} bytes)", self.len)
    }
}

impl Drop for Buf {
    fn drop(&mut self) {
        if let Some(data) = self.data.take() {
            self.pool.return_buffer(data);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct CountingWaker(AtomicUsize);

    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn the_cap_is_hard_and_a_buffer_that_comes_back_wakes_who_waits() {
        let pool = Pool::new(4 * BUF_LEN + 5);
        let mut held = pool.take_many(10);
        assert_eq!(held.len(), 4);
        assert!(pool.try_take().is_none());
        let bell = Arc::new(CountingWaker::default());
        let waker = Waker::from(bell.clone());
        let mut context = Context::from_waker(&waker);
        assert!(pool.poll_take(&mut context).is_pending());
        assert!(pool.poll_take(&mut context).is_pending());
        held.pop();
        assert_eq!(bell.0.load(Ordering::SeqCst), 1);
        assert!(pool.poll_take(&mut context).is_ready());
    }

    #[test]
    fn a_waiter_that_forgot_does_not_keep_the_others_asleep() {
        let pool = Pool::new(4 * BUF_LEN);
        let held = pool.take_many(4);
        let bells: Vec<_> = (0..6).map(|_| Arc::new(CountingWaker::default())).collect();
        for bell in &bells {
            let waker = Waker::from(bell.clone());
            assert!(pool.poll_take(&mut Context::from_waker(&waker)).is_pending());
        }
        drop(held);
        assert!(bells.iter().all(|bell| bell.0.load(Ordering::SeqCst) == 1));
    }

    #[test]
    fn memory_is_released_when_nothing_is_in_use() {
        let pool = Pool::new(1000 * BUF_LEN);
        let held = pool.take_many(1000);
        assert_eq!(held.len(), 1000);
        drop(held);
        pool.trim();
        pool.trim();
        let after = pool.counters();
        assert_eq!((after.in_use, after.free, after.peak), (0, RESERVE, 1000));
    }

    #[test]
    fn trimming_releases_what_was_not_needed() {
        let pool = Pool::new(1000 * BUF_LEN);
        let one = pool.try_take();
        drop(pool.take_many(500));
        pool.trim();
        assert_eq!(pool.counters().free, 500);
        pool.trim();
        assert_eq!(pool.counters().free, RESERVE);
        drop(one);
    }

    #[test]
    fn a_pool_grows_and_shrinks() {
        let pool = Pool::new(BUF_LEN);
        let one = pool.try_take().unwrap();
        assert!(pool.try_take().is_none());
        pool.set_cap(3 * BUF_LEN);
        let more = pool.take_many(5);
        assert_eq!(more.len(), 2);
        pool.set_cap(0);
        assert_eq!(pool.cap(), 1);
        drop(more);
        assert!(pool.try_take().is_none());
        drop(one);
        assert!(pool.try_take().is_some());
    }

    #[test]
    fn a_buffer_shows_only_what_is_filled() {
        let pool = Pool::new(BUF_LEN);
        let mut buf = pool.try_take().unwrap();
        buf.spare_mut()[..3].copy_from_slice(b"abc");
        buf.advance(3);
        buf.spare_mut()[..2].copy_from_slice(b"de");
        buf.advance(2);
        assert_eq!(&*buf, b"abcde");
        assert_eq!(buf.spare_mut().len(), BUF_LEN - 5);
        drop(buf);
        assert!(pool.try_take().unwrap().is_empty());
    }
}
