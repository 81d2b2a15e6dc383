//! Backups: the old file in the place of a torrent's file, kept under another name beside it.

use std::io;
use std::path::{Path, PathBuf};

use super::{Inner, OpenRoot, Storage};
use crate::base::FileIndex;
use crate::store::error::DiskError;
use crate::store::files::OpenMode;

/// The end of a backup's name; a number follows if the name is taken.
const SUFFIX: &str = ".before-torr";
/// Maximum number of backups of a file.
const MAX_BACKUPS: u32 = 10_000;

impl Storage {
    /// Renames an existing file to `NAME.before-torr`, or the next free name, and returns the new path.
    pub fn move_to_backup(&self, file: FileIndex) -> Result<PathBuf, DiskError> {
        let inner = &*self.inner;
        let failed = |error: io::Error| DiskError::from_io("rename", inner.full_path(file.0), &error);
        let open_root = inner.open_root(false)?;
        let (name, _) = inner.create_backup(&open_root, file.0).map_err(failed)?;
        inner.close_file(file.0);
        open_root.root.rename(inner.relative_path(file.0), &name).map_err(failed)?;
        if let Some(folder) = name.parent() {
            inner.write_state().folders.insert(folder.to_owned());
        }
        Ok(inner.root.join(name))
    }
}

impl Inner {
    /// Copies the first `size` bytes of a file to a new backup and returns its path.
    pub(super) fn copy_to_backup(
        &self,
        open_root: &OpenRoot,
        key: u32,
        size: Option<u64>,
    ) -> Result<PathBuf, DiskError> {
        let failed = |error: io::Error| DiskError::from_io("copy", self.full_path(key), &error);
        let mut old = open_root.root.open_file(self.relative_path(key), OpenMode::Read).map_err(failed)?;
        let (name, mut copy) = self.create_backup(open_root, key).map_err(failed)?;
        // The kernel shares the bytes where the file system can.
        io::copy(&mut old, &mut copy).map_err(failed)?;
        if let Some(size) = size {
            copy.set_len(size).map_err(failed)?;
        }
        copy.sync_all().map_err(failed)?;
        Ok(self.root.join(name))
    }

    /// Creates an empty file under the first free backup name. No file of the torrent may have that name.
    fn create_backup(&self, open_root: &OpenRoot, key: u32) -> io::Result<(PathBuf, std::fs::File)> {
        let path = self.relative_path(key);
        for number in 0..MAX_BACKUPS {
            let name = backup_name(path, number);
            if self.layout.files.iter().any(|spec| !spec.pad && spec.path == name) {
                continue;
            }
            match open_root.root.create_new(&name) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => return Ok((name, other?)),
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

fn backup_name(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(SUFFIX);
    if number > 0 {
        name.push(number.to_string());
    }
    name.into()
}
