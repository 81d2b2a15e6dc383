//! A pool of open files: torrents may have more files than a process may open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More descriptors than a session ever needs.
const MAX_DESCRIPTORS: u64 = 1 << 20;

/// The key of an open file: the number of its storage and its index there.
pub(in crate::store) type FileKey = (u64, u32);

/// An open file. Stays open while a caller holds it, even after the pool has dropped it.
#[derive(Debug)]
pub(in crate::store) struct OpenFile {
    pub(in crate::store) file: File,
    pub(in crate::store) writable: bool,
}

/// The open files of all storages. Opening one more closes the least recently used. Clones share the pool.
#[derive(Clone, Debug)]
pub struct FilePool {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    max_open: usize,
    next_storage: AtomicU64,
    behind: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default, Debug)]
struct State {
    clock: u64,
    open: BTreeMap<FileKey, (u64, Arc<OpenFile>)>,
    by_age: BTreeMap<u64, FileKey>,
    /// Writable files that were closed while somebody may still use them. Their locks are held as long.
    in_use: BTreeMap<FileKey, Weak<OpenFile>>,
    /// Devices on which memory maps proved slow.
    slow_maps: BTreeSet<u64>,
}

impl FilePool {
    /// A pool of at most `max_open` files, but at least four.
    pub fn new(max_open: usize) -> Self {
        let state = Mutex::default();
        Self {
            shared: Arc::new(Shared {
                max_open: max_open.max(4),
                next_storage: AtomicU64::new(0),
                behind: AtomicBool::new(false),
                state,
            }),
        }
    }

    /// A pool of a quarter of the process's file limit, at most 1024: sockets need the rest.
    pub fn from_limit() -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        Self::new((limit.unwrap_or(4096) / 4).min(1024) as usize)
    }

    /// Raises the soft limit of open files to the hard one. The usual soft limit of 1024 is for programs that use
    /// select(2); hundreds of torrents with their peers need more.
    pub fn raise_limit() {
        let limit = getrlimit(Resource::Nofile);
        let most = limit.maximum.unwrap_or(MAX_DESCRIPTORS).min(MAX_DESCRIPTORS);
        let raised = Rlimit { current: Some(most), ..limit };
        if limit.current.is_some_and(|now| now < most)
            && let Err(error) = setrlimit(Resource::Nofile, raised)
        {
            tracing::debug!(%error, "the limit of open files stays as it is");
        }
    }

    /// A number for a new storage.
    pub(in crate::store) fn next_storage_id(&self) -> u64 {
        self.shared.next_storage.fetch_add(1, Ordering::Relaxed)
    }

    /// The open file; with `writable` only one opened for writing.
    pub(in crate::store) fn get(&self, key: FileKey, writable: bool) -> Option<Arc<OpenFile>> {
        let state = &mut *self.lock();
        let (age, file) = state.open.get_mut(&key)?;
        if writable && !file.writable {
            return None;
        }
        state.by_age.remove(age);
        state.clock += 1;
        *age = state.clock;
        state.by_age.insert(state.clock, key);
        Some(file.clone())
    }

    /// A writable file that was closed and is still in use: opened a second time, it would be locked out by itself.
    pub(in crate::store) fn reopen(&self, key: FileKey) -> Option<Arc<OpenFile>> {
        let file = self.lock().in_use.get(&key)?.upgrade()?;
        self.insert(key, file.clone());
        Some(file)
    }

    /// Adds an open file and closes the least recently used if there are too many.
    pub(in crate::store) fn insert(&self, key: FileKey, file: Arc<OpenFile>) {
        let mut closed = Vec::new();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.clock += 1;
        if file.writable {
            state.in_use.insert(key, Arc::downgrade(&file));
        }
        if state.in_use.len() > 2 * self.shared.max_open {
            state.in_use.retain(|_, file| file.strong_count() > 0);
        }
        if let Some((age, old)) = state.open.insert(key, (state.clock, file)) {
            state.by_age.remove(&age);
            closed.push(old);
        }
        state.by_age.insert(state.clock, key);
        while state.open.len() > self.shared.max_open
            && let Some((_, key)) = state.by_age.pop_first()
        {
            closed.extend(state.open.remove(&key).map(|(_, file)| file));
        }
        // Closing files may take time, so the lock is released first.
        drop(guard);
    }

    /// Closes one file.
    pub(in crate::store) fn close(&self, key: FileKey) {
        let mut state = self.lock();
        let old = state.open.remove(&key);
        if let Some((age, _)) = &old {
            state.by_age.remove(age);
        }
        drop(state);
    }

    /// Closes the less recently used half, when the process has run out of file descriptors.
    pub(in crate::store) fn close_half(&self) {
        let mut state = self.lock();
        let mut closed = Vec::new();
        for _ in 0..state.open.len().div_ceil(2) {
            if let Some((_, key)) = state.by_age.pop_first() {
                closed.extend(state.open.remove(&key));
            }
        }
        drop(state);
    }

    /// The open files of a storage.
    pub(in crate::store) fn keys_of(&self, storage: u64) -> Vec<u32> {
        self.lock().open.range((storage, 0)..=(storage, u32::MAX)).map(|(&(_, key), _)| key).collect()
    }

    /// Closes all files of a storage.
    pub(in crate::store) fn close_storage(&self, storage: u64) {
        for key in self.keys_of(storage) {
            self.close((storage, key));
        }
    }

    /// Whether the disk threads cannot keep up with the pieces that arrive.
    pub(in crate::store) fn is_behind(&self) -> bool {
        self.shared.behind.load(Ordering::Relaxed)
    }

    /// Sets whether the disk threads cannot keep up.
    pub(in crate::store) fn set_behind(&self, behind: bool) {
        if self.shared.behind.swap(behind, Ordering::Relaxed) != behind {
            tracing::debug!(behind, "files are written positionally while the disk threads cannot keep up");
        }
    }

    /// Whether memory maps proved slow on this device.
    pub(in crate::store) fn maps_are_slow_on(&self, device: u64) -> bool {
        self.lock().slow_maps.contains(&device)
    }

    /// Records that memory maps are slow on this device.
    pub(in crate::store) fn mark_maps_slow_on(&self, device: u64) {
        self.lock().slow_maps.insert(device);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No invariant spans a point that can panic.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_used_longest_ago_is_closed() {
        let file_pool = FilePool::new(4);
        let open = |writable| Arc::new(OpenFile { file: tempfile::tempfile().unwrap(), writable });
        for file in 0..4 {
            file_pool.insert((0, file), open(file != 2));
        }
        assert!(file_pool.get((0, 0), true).is_some());
        assert!(file_pool.get((0, 2), true).is_none());
        file_pool.insert((1, 9), open(true));
        assert!(file_pool.get((0, 1), false).is_none());
        assert!(file_pool.get((0, 0), false).is_some());
        file_pool.close_storage(0);
        assert!(file_pool.get((0, 0), false).is_none());
        assert!(file_pool.reopen((0, 0)).is_none());
        let used = file_pool.get((1, 9), true).unwrap();
        file_pool.close_storage(1);
        assert!(file_pool.get((1, 9), true).is_none());
        assert!(Arc::ptr_eq(&file_pool.reopen((1, 9)).unwrap(), &used));
        drop(used);
        assert!(file_pool.get((1, 9), true).is_some());
        file_pool.close_half();
        assert!(file_pool.get((1, 9), true).is_none());
        let state = file_pool.lock();
        assert_eq!(state.by_age.len(), state.open.len());
    }
}
