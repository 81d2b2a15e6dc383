//! The store's file as redb uses it, with a limit to how long a lock is waited for: a process that is stopped in the
//! middle of a transaction would block all others for as long as it is stopped.

use std::fs::File;
use std::io;
use std::ops::Bound;
use std::time::{Duration, Instant};

use redb::backends::FileBackend;
use redb::{BackendError, DatabaseError, StorageBackend};

/// Time to wait for a lock.
const LOCK_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(1);

/// A file whose locks fail with [`io::ErrorKind::WouldBlock`] after a while.
#[derive(Debug)]
pub(super) struct BoundedLocks(FileBackend);

impl BoundedLocks {
    pub(super) fn new(file: File) -> Result<Self, DatabaseError> {
        FileBackend::new(file).map(Self)
    }
}

fn wait(mut attempt: impl FnMut() -> Result<bool, BackendError>) -> Result<(), BackendError> {
    let until = Instant::now() + LOCK_TIMEOUT;
    while !attempt()? {
        if Instant::now() >= until {
            return Err(BackendError::Io(io::ErrorKind::WouldBlock.into()));
        }
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

impl StorageBackend for BoundedLocks {
    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        wait(|| self.0.try_lock_range(start, end))
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        wait(|| self.0.try_lock_shared_range(start, end))
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }

    fn len(&self) -> Result<u64, io::Error> {
        self.0.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.0.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }
}
