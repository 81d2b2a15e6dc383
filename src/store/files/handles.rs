//! The files that are open now. There may be more files in torrents than a process may hold open.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many descriptors as no session needs.
const MAX_DESCRIPTORS: u64 = 1 << 20;

/// A file of a volume: the volume's number and the file's.
pub(in crate::store) type FileKey = (u64, u32);

/// A file that is open. It stays open while somebody holds it, even if it is forgotten here.
#[derive(Debug)]
pub(in crate::store) struct OpenFile {
    pub(in crate::store) file: File,
    pub(in crate::store) writable: bool,
}

/// The open files of all volumes; the one that was used longest ago is closed for a new one. Clones
/// share it.
#[derive(Clone, Debug)]
pub struct Handles {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    most: usize,
    next_volume: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default, Debug)]
struct State {
    clock: u64,
    open: BTreeMap<FileKey, (u64, Arc<OpenFile>)>,
    by_age: BTreeMap<u64, FileKey>,
    /// Devices on which writing through maps proved slow.
    slow_maps: BTreeSet<u64>,
}

impl Handles {
    /// At most this many open files, but at least four.
    pub fn new(most: usize) -> Self {
        let state = Mutex::default();
        Self { shared: Arc::new(Shared { most: most.max(4), next_volume: AtomicU64::new(0), state }) }
    }

    /// A fourth of what the process may open, at most 1024: sockets need the rest.
    pub fn from_limit() -> Self {
        let limit = getrlimit(Resource::Nofile).current;
        Self::new((limit.unwrap_or(4096) / 4).min(1024) as usize)
    }

    /// Raises the number of descriptors that this process may open as far as it may by itself: the usual 1024 are kept
    /// for programs that use select(2), and hundreds of torrents with their peers need more.
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

    /// A number for a new volume.
    pub(in crate::store) fn new_volume(&self) -> u64 {
        self.shared.next_volume.fetch_add(1, Ordering::Relaxed)
    }

    /// The file, if it is open and, where that is asked, writable.
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

    /// Remembers an open file.
    pub(in crate::store) fn put(&self, key: FileKey, file: Arc<OpenFile>) {
        let mut closed = Vec::new();
        let mut guard = self.lock();
        let state = &mut *guard;
        state.clock += 1;
        if let Some((age, old)) = state.open.insert(key, (state.clock, file)) {
            state.by_age.remove(&age);
            closed.push(old);
        }
        state.by_age.insert(state.clock, key);
        while state.open.len() > self.shared.most
            && let Some((_, key)) = state.by_age.pop_first()
        {
            closed.extend(state.open.remove(&key).map(|(_, file)| file));
        }
        // Closing may take time; others need not wait for it.
        drop(guard);
    }

    /// Forgets one file.
    pub(in crate::store) fn forget(&self, key: FileKey) {
        let mut state = self.lock();
        let old = state.open.remove(&key);
        if let Some((age, _)) = &old {
            state.by_age.remove(age);
        }
        drop(state);
    }

    /// Forgets half of all files, the older ones, when the process has run out of descriptors.
    pub(in crate::store) fn shed(&self) {
        let mut state = self.lock();
        let mut closed = Vec::new();
        for _ in 0..state.open.len().div_ceil(2) {
            if let Some((_, key)) = state.by_age.pop_first() {
                closed.extend(state.open.remove(&key));
            }
        }
        drop(state);
    }

    /// Forgets all files of a volume.
    pub(in crate::store) fn forget_volume(&self, volume: u64) {
        let keys: Vec<_> =
            self.lock().open.range((volume, 0)..=(volume, u32::MAX)).map(|(&key, _)| key).collect();
        for key in keys {
            self.forget(key);
        }
    }

    /// Whether writing through maps proved slow on this device.
    pub(in crate::store) fn maps_are_slow_on(&self, device: u64) -> bool {
        self.lock().slow_maps.contains(&device)
    }

    /// Remembers that it did.
    pub(in crate::store) fn shun_maps_on(&self, device: u64) {
        self.lock().slow_maps.insert(device);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics between two changes that belong together.
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_used_longest_ago_is_closed() {
        let handles = Handles::new(4);
        let open = |writable| Arc::new(OpenFile { file: tempfile::tempfile().unwrap(), writable });
        for file in 0..4 {
            handles.put((0, file), open(file != 2));
        }
        assert!(handles.get((0, 0), true).is_some());
        assert!(handles.get((0, 2), true).is_none());
        handles.put((1, 9), open(true));
        assert!(handles.get((0, 1), false).is_none());
        assert!(handles.get((0, 0), false).is_some());
        handles.forget_volume(0);
        assert!(handles.get((0, 0), false).is_none());
        assert!(handles.get((1, 9), true).is_some());
        handles.shed();
        assert!(handles.get((1, 9), true).is_none());
        let state = handles.lock();
        assert_eq!(state.by_age.len(), state.open.len());
    }
}
