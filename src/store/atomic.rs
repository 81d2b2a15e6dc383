//! Atomic writes of small files: readers find the old file or the new one, never a part.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags};
use rustix::io::Errno;

use super::error::{DiskError, DiskErrorKind};

static NEXT: AtomicU64 = AtomicU64::new(0);

/// Writes `bytes` to a temporary file beside `path`, syncs it and renames it to `path`. If `path` exists and
/// `overwrite` is false, the error is [`DiskErrorKind::Foreign`].
pub fn write_atomic(path: &Path, bytes: &[u8], overwrite: bool) -> Result<(), DiskError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => DiskError::new(DiskErrorKind::Foreign, "write", path),
        _ => DiskError::from_io("write", path, &error),
    };
    if !overwrite && path.symlink_metadata().is_ok() {
        return Err(failed(io::ErrorKind::AlreadyExists.into()));
    }
    let temporary = temporary_path(path).ok_or_else(|| DiskError::new(DiskErrorKind::Name, "write", path))?;
    let written =
        write_durably(&temporary, bytes).and_then(|()| move_into_place(&temporary, path, overwrite));
    if written.is_err() {
        // The first error is the one to report.
        let _ = std::fs::remove_file(&temporary);
    }
    written.map_err(failed)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// A temporary name in the same folder, unique within this process.
fn temporary_path(path: &Path) -> Option<PathBuf> {
    path.file_name()?;
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let name: OsString = format!(".torr-{}-{number}.tmp", std::process::id()).into();
    Some(path.with_file_name(name))
}

fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn move_into_place(from: &Path, to: &Path, overwrite: bool) -> io::Result<()> {
    if overwrite {
        return std::fs::rename(from, to);
    }
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => {
            // A file system without this flag: a hard link does not replace an existing file either.
            std::fs::hard_link(from, to)?;
            std::fs::remove_file(from)
        }
        other => Ok(other?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_only_when_that_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.torrent");
        write_atomic(&path, b"one", false).unwrap();
        assert_eq!(write_atomic(&path, b"two", false).unwrap_err().kind, DiskErrorKind::Foreign);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write_atomic(&path, b"two", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        let missing = folder.path().join("no/where");
        assert_eq!(write_atomic(&missing, b"", false).unwrap_err().kind, DiskErrorKind::Missing);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }
}
