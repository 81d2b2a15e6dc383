//! One process at a time works on a torrent: two that wrote the same record and moved the same files would
//! undo each other's work.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::{DiskError, DiskErrorKind};
use crate::base::InfoHash;

/// The sole right to work on a torrent among all processes with the same state directory. It ends with this
/// value, and with the process however that ends.
#[derive(Debug)]
pub struct Hold {
    path: PathBuf,
    /// Locked; nothing else is done with it.
    _file: File,
}

impl Hold {
    /// Takes a torrent. [`DiskErrorKind::Busy`] says that another has it, with the number of its process
    /// where that is known.
    pub fn take(state: &Path, id: &InfoHash) -> Result<Self, DiskError> {
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
                Err(TryLockError::WouldBlock) => {
                    let mut owner = String::new();
                    // Only to be told; what stands there may be half written.
                    let _ = (&mut file).take(20).read_to_string(&mut owner);
                    let owner: Option<u32> = owner.trim().parse().ok();
                    let who = owner.map(|pid| format!("process {pid}")).unwrap_or_default();
                    return Err(DiskError::new(DiskErrorKind::Busy, "lock", path.clone()).with(who));
                }
                Err(TryLockError::Error(error)) => return Err(failed(error)),
            }
            // Whoever had it may have removed the file between the two steps: then this lock is of a file
            // that nobody else will find.
            let same = |there: std::fs::Metadata, ours: std::fs::Metadata| {
                (there.dev(), there.ino()) == (ours.dev(), ours.ino())
            };
            if std::fs::metadata(&path).is_ok_and(|there| file.metadata().is_ok_and(|ours| same(there, ours)))
            {
                let _ = file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id()));
                return Ok(Self { path, _file: file });
            }
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // While it is still locked; a file that stays is only litter.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_torrent_is_held_once_and_let_go() {
        let state = tempfile::tempdir().unwrap();
        let (one, other) = (InfoHash::v1([1; 20]), InfoHash::v1([2; 20]));
        let held = Hold::take(state.path(), &one).unwrap();
        let busy = Hold::take(state.path(), &one).unwrap_err();
        assert_eq!(busy.kind, DiskErrorKind::Busy);
        assert_eq!(busy.detail, format!("process {}", std::process::id()));
        let beside = Hold::take(state.path(), &other).unwrap();
        drop(held);
        let again = Hold::take(state.path(), &one).unwrap();
        drop((again, beside));
        assert_eq!(std::fs::read_dir(state.path().join("active")).unwrap().count(), 0);
    }

    #[test]
    fn many_at_once_never_hold_it_together() {
        use std::sync::atomic::{AtomicU32, Ordering};
        let state = tempfile::tempdir().unwrap();
        let holders = AtomicU32::new(0);
        let id = InfoHash::v1([1; 20]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut times = 0;
                    while times < 50 {
                        let Ok(hold) = Hold::take(state.path(), &id) else { continue };
                        assert_eq!(holders.fetch_add(1, Ordering::SeqCst), 0);
                        times += 1;
                        holders.fetch_sub(1, Ordering::SeqCst);
                        drop(hold);
                    }
                });
            }
        });
    }
}
