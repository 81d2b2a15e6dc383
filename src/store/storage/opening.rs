//! Opening of files: each is the one that was written to before, or that was checked, and no two processes write to it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{FileStamp, Inner, OpenRoot, PART_FILE};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::{FileKey, FileStatus, OpenFile, OpenMode};
use crate::store::layout::Alloc;

/// Time to wait for the lock of a file.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before the next attempt.
const LOCK_PAUSE: Duration = Duration::from_millis(5);

impl Inner {
    /// Opens a file for reading.
    pub(super) fn open_to_read(&self, key: u32) -> Result<Arc<OpenFile>, DiskError> {
        let handle: FileKey = (self.number, key);
        self.used.store(true, Ordering::Relaxed);
        if let Some(open) = self.file_pool.get(handle, false) {
            return Ok(open);
        }
        let open_root = self.open_root(false)?;
        let opened = self.retry_open(|| open_root.root.open_file(self.relative_path(key), OpenMode::Read));
        let failed = |error: io::Error| DiskError::from_io("open", self.full_path(key), &error);
        let file = opened.map_err(failed)?;
        self.expect_known(key, &file)?;
        let open = Arc::new(OpenFile { file, writable: false });
        self.file_pool.insert(handle, open.clone());
        Ok(open)
    }

    /// Opens a file for writing. Creates it if it is missing, and extends it to its full length unless
    /// allocation is off.
    pub(super) fn open_to_write(&self, open_root: &OpenRoot, key: u32) -> Result<Arc<OpenFile>, DiskError> {
        let handle: FileKey = (self.number, key);
        if let Some(open) = self.file_pool.get(handle, true) {
            return Ok(open);
        }
        // One opens and locks it for all that want it.
        let _alone = self.opening.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(open) = self.file_pool.get(handle, true).or_else(|| self.file_pool.reopen(handle)) {
            return Ok(open);
        }
        let failed = |error: io::Error| DiskError::from_io("open", self.full_path(key), &error);
        let (executable, len) = match self.layout.files.get(key as usize) {
            Some(spec) => (spec.executable, Some(spec.len)),
            None => (false, None),
        };
        let path = self.relative_path(key);
        let ours = self.write_state().written.get(&key).copied().filter(|_| key != PART_FILE);
        if ours.is_some() && self.stat(open_root, key)? == FileStatus::Missing {
            // Opened, it would be made anew, without what was written to it.
            return Err(self.changed(key).with_detail("it was moved or removed"));
        }
        let file = self
            .retry_open(|| open_root.root.open_file(path, OpenMode::Write { executable }))
            .map_err(failed)?;
        lock(&file).map_err(|()| DiskError::new(DiskErrorKind::InUse, "write", self.full_path(key)))?;
        let found = file.metadata().map_err(failed)?;
        let present = found.len();
        let sized = self.options.alloc != Alloc::None;
        let cut_off = sized && len.is_some_and(|len| present < len);
        if ours.is_some_and(|ours| ours != found.ino() || cut_off) {
            return Err(self.changed(key).with_detail("it was cut off or replaced"));
        }
        if let Some(len) = len {
            if present > len && !self.options.overwrite {
                let error = DiskError::new(DiskErrorKind::Foreign, "write", self.full_path(key));
                return Err(error.with_detail("it is longer than the torrent's file"));
            }
            // A file that is not wanted may be longer than the torrent says.
            let cut = present > len && self.is_wanted(key);
            if cut || cut_off {
                file.set_len(len).map_err(failed)?;
            }
        }
        if present == 0 {
            let mut write_state = self.write_state();
            write_state.dirty.insert((key, 0));
            write_state.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
        self.write_state().written.insert(key, found.ino());
        let open = Arc::new(OpenFile { file, writable: true });
        self.file_pool.insert(handle, open.clone());
        Ok(open)
    }

    /// Fails if a file that was just opened is not the one we wrote to, or differs from the one that was checked.
    fn expect_known(&self, key: u32, file: &File) -> Result<(), DiskError> {
        let found =
            file.metadata().map_err(|error| DiskError::from_io("open", self.full_path(key), &error))?;
        if self.is_ours(key, found.ino()) && self.is_as_sealed(key, &FileStamp::of(&found)) {
            return Ok(());
        }
        Err(DiskError::new(DiskErrorKind::Changed, "read", self.full_path(key)))
    }

    fn changed(&self, key: u32) -> DiskError {
        DiskError::new(DiskErrorKind::Changed, "write", self.full_path(key))
    }

    /// Opens a file, and retries with fewer open files if the descriptors have run out.
    pub(super) fn retry_open<T>(&self, mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                self.file_pool.close_half();
                open()
            }
            other => other,
        }
    }
}

/// Locks a file that is opened for writing, so that no two processes write to it. Fails if another one holds it. Where
/// the file system has no locks, there is none.
fn lock(file: &File) -> Result<(), ()> {
    let until = Instant::now() + LOCK_TIMEOUT;
    loop {
        match file.try_lock() {
            // It may be ours that is being closed at this moment.
            Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOCK_PAUSE),
            Err(TryLockError::WouldBlock) => return Err(()),
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
}
