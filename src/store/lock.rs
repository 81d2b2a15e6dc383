//! The locks of torrents: only one session at a time changes what is stored of a torrent.
//!
//! All locks of a state directory are ranges of one file, so that a session needs one descriptor for any number of
//! torrents. They belong to the open file (`F_OFD_SETLK`, fcntl(2)): the system releases them when a process ends,
//! however it ends.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::fcntl::{FcntlArg, fcntl};

use super::error::DiskError;
use crate::base::InfoHashes;

/// The locks that a session holds in its state directory.
#[derive(Clone, Debug)]
pub struct TorrentLocks {
    shared: Arc<LockFile>,
}

#[derive(Debug)]
struct LockFile {
    path: PathBuf,
    file: File,
    /// The bytes that this session has locked. The system does not tell apart two locks of one open file.
    held: Mutex<BTreeSet<i64>>,
}

/// The exclusive right to change what is stored of a torrent, among all sessions with the same state directory.
/// Dropping it or the end of the process releases it.
#[derive(Debug)]
pub struct TorrentLock {
    shared: Arc<LockFile>,
    at: i64,
}

impl TorrentLocks {
    /// Opens the lock file of a state directory; creates both if they are missing.
    pub fn open(state: &Path) -> Result<Self, DiskError> {
        let path = state.join("torrents.lock");
        std::fs::create_dir_all(state)
            .map_err(|error| DiskError::from_io("make the folder", state, &error))?;
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(|error| DiskError::from_io("open", &path, &error))?;
        Ok(Self { shared: Arc::new(LockFile { path, file, held: Mutex::default() }) })
    }

    /// Locks a torrent; `None` if it is locked already.
    pub fn acquire(&self, id: &InfoHashes) -> Result<Option<TorrentLock>, DiskError> {
        let wire = id.wire();
        let number = wire.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes));
        // Not negative, and with room for the length of the range.
        let at = number & (i64::MAX >> 1);
        let mut held = self.shared.held();
        if held.contains(&at) {
            return Ok(None);
        }
        match self.shared.set(at, libc::F_WRLCK) {
            Ok(()) => {}
            Err(error) if matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => {
                return Ok(None);
            }
            Err(error) => return Err(DiskError::from_io("lock", &self.shared.path, &error)),
        }
        held.insert(at);
        Ok(Some(TorrentLock { shared: self.shared.clone(), at }))
    }
}

impl LockFile {
    fn set(&self, at: i64, kind: libc::c_int) -> io::Result<()> {
        let range = libc::flock {
            l_type: kind as libc::c_short,
            l_whence: libc::SEEK_SET as libc::c_short,
            l_start: at,
            l_len: 1,
            l_pid: 0,
        };
        fcntl(&self.file, FcntlArg::F_OFD_SETLK(&range))?;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        // No invariant spans a point that can panic.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for TorrentLock {
    fn drop(&mut self) {
        let mut held = self.shared.held();
        held.remove(&self.at);
        // A lock that stays is released with the process.
        let _ = self.shared.set(self.at, libc::F_UNLCK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_held_once_and_released() {
        let state = tempfile::tempdir().unwrap();
        let (one, other) = (InfoHashes::from_v1([1; 20]), InfoHashes::from_v1([2; 20]));
        let sessions = [0, 1].map(|_| TorrentLocks::open(state.path()).unwrap());
        let held = sessions[0].acquire(&one).unwrap().unwrap();
        for session in &sessions {
            assert!(session.acquire(&one).unwrap().is_none());
        }
        let beside = sessions[1].acquire(&other).unwrap().unwrap();
        drop(held);
        let again = sessions[1].acquire(&one).unwrap().unwrap();
        assert!(sessions[0].acquire(&one).unwrap().is_none());
        drop((again, beside));
        assert!(sessions[0].acquire(&other).unwrap().is_some());
    }

    #[test]
    fn many_at_once_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let state = tempfile::tempdir().unwrap();
        let holders = AtomicU32::new(0);
        let id = InfoHashes::from_v1([1; 20]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let locks = TorrentLocks::open(state.path()).unwrap();
                    let mut times = 0;
                    while times < 50 {
                        let Some(lock) = locks.acquire(&id).unwrap() else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        times += 1;
                        holders.fetch_sub(1, Ordering::SeqCst);
                        drop(lock);
                    }
                });
            }
        });
    }
}
