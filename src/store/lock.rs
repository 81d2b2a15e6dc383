//! The lock of a torrent: only one process at a time writes a torrent's resume record and its files.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::DiskError;
use crate::base::InfoHashes;

/// The exclusive right to work on a torrent, among all processes with the same state directory. Dropping it
/// or the end of the process releases it.
#[derive(Debug)]
pub struct TorrentLock {
    path: PathBuf,
    /// The locked file.
    _file: File,
}

/// The process that holds a torrent's lock, as far as the lock file tells.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LockOwner {
    /// The process id.
    pub process: Option<u32>,
    /// The download folder of that process.
    pub folder: Option<PathBuf>,
}

impl TorrentLock {
    /// Locks a torrent for work in the folder `work`. The inner error names the process that holds the lock.
    pub fn acquire(state: &Path, id: &InfoHashes, work: &Path) -> Result<Result<Self, LockOwner>, DiskError> {
        let folder = state.join("active");
        let path = folder.join(format!("{id}.lock"));
        let failed = |error: std::io::Error| DiskError::from_io("lock", &path, &error);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        loop {
            let mut options = OpenOptions::new();
            let mut file =
                options.read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Err(LockOwner::read(&mut file))),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // The previous owner may have removed the file between open and lock: then this lock is on a file
            // that nobody else will find.
            let same = |there: std::fs::Metadata, ours: std::fs::Metadata| {
                (there.dev(), there.ino()) == (ours.dev(), ours.ino())
            };
            if std::fs::metadata(&path).is_ok_and(|there| file.metadata().is_ok_and(|ours| same(there, ours)))
            {
                let mut words = format!("{}\n", std::process::id()).into_bytes();
                words.extend_from_slice(work.as_os_str().as_bytes());
                // Informational only: the lock is what counts.
                let _ = file.set_len(0).and_then(|()| file.write_all(&words));
                return Ok(Ok(Self { path, _file: file }));
            }
        }
    }
}

impl LockOwner {
    /// Reads the owner from the lock file, which may be incomplete.
    fn read(file: &mut File) -> Self {
        let mut words = Vec::new();
        let _ = file.take(8192).read_to_end(&mut words);
        let Some(end) = words.iter().position(|&byte| byte == b'\n') else { return Self::default() };
        let process = std::str::from_utf8(&words[..end]).ok().and_then(|text| text.parse().ok());
        let folder = PathBuf::from(OsString::from_vec(words.split_off(end + 1)));
        Self { process, folder: (!folder.as_os_str().is_empty()).then_some(folder) }
    }
}

impl Drop for TorrentLock {
    fn drop(&mut self) {
        // Removed while still locked. A file that stays is harmless.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_held_once_and_let_go() {
        let state = tempfile::tempdir().unwrap();
        let (one, other) = (InfoHashes::from_v1([1; 20]), InfoHashes::from_v1([2; 20]));
        let acquire =
            |id: &InfoHashes| TorrentLock::acquire(state.path(), id, Path::new("/some where")).unwrap();
        let held = acquire(&one).unwrap();
        let owner = LockOwner { process: Some(std::process::id()), folder: Some("/some where".into()) };
        assert_eq!(acquire(&one).unwrap_err(), owner);
        let beside = acquire(&other).unwrap();
        drop(held);
        let again = acquire(&one).unwrap();
        drop((again, beside));
        assert_eq!(std::fs::read_dir(state.path().join("active")).unwrap().count(), 0);
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
                    let mut times = 0;
                    while times < 50 {
                        let Ok(lock) = TorrentLock::acquire(state.path(), &id, state.path()).unwrap() else {
                            continue;
                        };
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
