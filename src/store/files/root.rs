//! Opens files beneath a root folder without ever leaving it.
//!
//! File names come from torrents, and the contents of the folder may change at any moment. So `openat2`
//! resolves paths without following symbolic links and without leaving the root; where it is missing, the
//! path is opened component by component.
//!
//! At the user's request symbolic links are followed for seeding; nothing is opened for writing then.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fd::{AsFd, BorrowedFd, OwnedFd};
use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Stat, StatxFlags};
use rustix::io::Errno;

/// The access mode for opening a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::store) enum OpenMode {
    /// Read only; the file must exist.
    Read,
    /// Read and write; the file and its folders are created if missing.
    Write {
        /// Sets the executable bit of a new file.
        executable: bool,
    },
}

/// The state of a path. Symbolic links are not followed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FileStatus {
    /// Nothing exists there.
    Missing,
    /// A regular file.
    Plain {
        /// Length in bytes.
        size: u64,
        /// Modification time, in nanoseconds since 1970.
        mtime_ns: i64,
        /// Status change time, in nanoseconds since 1970; programs cannot set it back.
        ctime_ns: i64,
        /// Inode number.
        inode: u64,
    },
    /// A folder, a symbolic link, a device.
    Other,
}

impl FileStatus {
    fn of(stat: &Stat) -> Self {
        if FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile {
            let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
            Self::Plain {
                size: stat.st_size as u64,
                mtime_ns: ns(stat.st_mtime, stat.st_mtime_nsec as i64),
                ctime_ns: ns(stat.st_ctime, stat.st_ctime_nsec as i64),
                inode: stat.st_ino,
            }
        } else {
            Self::Other
        }
    }
}

/// An open root folder.
#[derive(Debug)]
pub(in crate::store) struct Root {
    path: PathBuf,
    folder: OwnedFd,
    follow: bool,
}

impl Root {
    /// Opens the folder, which must exist. With `follow`, symbolic links are followed and files are
    /// read-only.
    pub(in crate::store) fn open(path: &Path, follow: bool) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { path: path.to_owned(), folder: rustix::fs::open(path, flags, Mode::empty())?, follow })
    }

    /// The path of the folder.
    pub(in crate::store) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of the mount that a file or folder in it lies on, which is unique within a boot (Linux 6.8). `None` on
    /// older systems.
    pub(in crate::store) fn mount_id(&self, place: &Path) -> io::Result<Option<u64>> {
        /// `STATX_MNT_ID_UNIQUE` (statx(2)).
        const UNIQUE: StatxFlags = StatxFlags::from_bits_retain(0x4000);
        let place = if place.as_os_str().is_empty() { Path::new(".") } else { place };
        let place = self.open_at(place, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let found = rustix::fs::statx(&place, "", AtFlags::EMPTY_PATH, UNIQUE)?;
        Ok((found.stx_mask & UNIQUE.bits() != 0).then_some(found.stx_mnt_id))
    }

    /// Opens a regular file.
    pub(in crate::store) fn open_file(&self, path: &Path, mode: OpenMode) -> io::Result<File> {
        // NONBLOCK, so that opening a pipe does not block; regular files ignore it.
        let common = OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let file = match mode {
            OpenMode::Read => self.open_at(path, common | OFlags::RDONLY, Mode::empty())?,
            OpenMode::Write { .. } if self.follow => return Err(Errno::ROFS.into()),
            OpenMode::Write { executable } => {
                let flags = common | OFlags::RDWR | OFlags::CREATE;
                let mode = Mode::from_raw_mode(if executable { 0o777 } else { 0o666 });
                match self.open_at(path, flags, mode) {
                    Err(Errno::NOENT) => {
                        self.create_folders(path.parent().unwrap_or(Path::new("")))?;
                        self.open_at(path, flags, mode)?
                    }
                    other => other?,
                }
            }
        };
        match FileStatus::of(&rustix::fs::fstat(&file)?) {
            FileStatus::Plain { .. } => Ok(file.into()),
            _ => Err(Errno::ISDIR.into()),
        }
    }

    /// The state of a path.
    pub(in crate::store) fn stat(&self, path: &Path) -> io::Result<FileStatus> {
        let last = if self.follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        match self.open_at(path, OFlags::PATH | OFlags::CLOEXEC | last, Mode::empty()) {
            Ok(place) => Ok(FileStatus::of(&rustix::fs::fstat(&place)?)),
            Err(Errno::NOENT) => Ok(FileStatus::Missing),
            Err(Errno::NOTDIR | Errno::LOOP) => Ok(FileStatus::Other),
            Err(error) => Err(error.into()),
        }
    }

    /// Syncs the entries of a folder to disk.
    pub(in crate::store) fn sync_folder(&self, path: &Path) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(rustix::fs::fsync(self.open_at(path, flags, Mode::empty())?)?)
    }

    /// Removes a file directly in the root.
    pub(in crate::store) fn remove(&self, name: &Path) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.folder, name, AtFlags::empty())?)
    }

    /// Creates a regular file that must not exist, in an existing folder.
    pub(in crate::store) fn create_new(&self, path: &Path) -> io::Result<File> {
        let flags = OFlags::CLOEXEC | OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
        Ok(self.open_at(path, flags, Mode::from_raw_mode(0o666))?.into())
    }

    /// Renames a file within its folder, over `to` if that exists.
    pub(in crate::store) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let folder = open_folder(self.folder.as_fd(), from.parent().unwrap_or(Path::new("")), false)?;
        let folder = folder.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
        let (Some(from), Some(to)) = (from.file_name(), to.file_name()) else {
            return Err(Errno::INVAL.into());
        };
        Ok(rustix::fs::renameat(folder, from, folder, to)?)
    }

    fn open_at(&self, path: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
        if self.follow {
            return rustix::fs::openat(&self.folder, path, flags, mode);
        }
        let rules = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&self.folder, path, flags, mode, rules) {
            // An old kernel, a sandbox without this call, or a race with a rename.
            Err(Errno::NOSYS | Errno::PERM | Errno::AGAIN) => self.open_by_components(path, flags, mode),
            other => other,
        }
    }

    fn open_by_components(&self, path: &Path, flags: OFlags, mode: Mode) -> rustix::io::Result<OwnedFd> {
        let name = path.file_name().unwrap_or(".".as_ref());
        let parent = open_folder(self.folder.as_fd(), path.parent().unwrap_or(Path::new("")), false)?;
        let parent = parent.as_ref().map_or(self.folder.as_fd(), AsFd::as_fd);
        rustix::fs::openat(parent, name, flags | OFlags::NOFOLLOW, mode)
    }

    fn create_folders(&self, path: &Path) -> rustix::io::Result<()> {
        open_folder(self.folder.as_fd(), path, true).map(drop)
    }
}

/// Opens a folder component by component, and creates missing ones if `make` is set. `None` for an empty
/// path.
fn open_folder(from: BorrowedFd<'_>, path: &Path, make: bool) -> rustix::io::Result<Option<OwnedFd>> {
    let mut at: Option<OwnedFd> = None;
    for name in path.components() {
        let here = at.as_ref().map_or(from, AsFd::as_fd);
        let name = match name {
            std::path::Component::Normal(name) => name,
            std::path::Component::CurDir => continue,
            _ => return Err(Errno::XDEV),
        };
        if make {
            match rustix::fs::mkdirat(here, name, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error),
            }
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        at = Some(rustix::fs::openat(here, name, flags, Mode::empty())?);
    }
    Ok(at)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn files_and_folders_are_made_as_needed() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path(), false).unwrap();
        let path = Path::new("a/b/run.sh");
        assert_eq!(root.stat(path).unwrap(), FileStatus::Missing);
        assert!(root.open_file(path, OpenMode::Read).is_err());
        let file = root.open_file(path, OpenMode::Write { executable: true }).unwrap();
        file.set_len(7).unwrap();
        assert!(matches!(root.stat(path).unwrap(), FileStatus::Plain { size: 7, .. }));
        assert_ne!(file.metadata().unwrap().permissions().mode() & 0o100, 0);
        root.sync_folder(Path::new("a/b")).unwrap();
        root.sync_folder(Path::new("")).unwrap();
    }

    #[test]
    fn no_link_is_followed_on_either_way() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "x").unwrap();
        symlink(outside.path(), folder.path().join("dir")).unwrap();
        symlink(outside.path().join("secret"), folder.path().join("file")).unwrap();
        let root = Root::open(folder.path(), false).unwrap();
        let mode = OpenMode::Write { executable: false };
        for path in ["dir/secret", "file", "dir/new", "../x", "dir"] {
            assert!(root.open_file(Path::new(path), mode).is_err(), "{path}");
            assert!(
                root.open_by_components(Path::new(path), OFlags::RDWR | OFlags::CREATE, Mode::empty())
                    .is_err(),
                "{path}"
            );
        }
        assert_eq!(root.stat(Path::new("file")).unwrap(), FileStatus::Other);
        assert_eq!(root.stat(Path::new("dir/secret")).unwrap(), FileStatus::Other);
        assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 1);
    }

    #[test]
    fn on_request_links_are_followed_and_nothing_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("film"), "abc").unwrap();
        std::fs::write(folder.path().join("own"), "x").unwrap();
        symlink(outside.path(), folder.path().join("dir")).unwrap();
        symlink(outside.path().join("film"), folder.path().join("file")).unwrap();
        symlink("nowhere", folder.path().join("lost")).unwrap();
        let root = Root::open(folder.path(), true).unwrap();
        for path in ["dir/film", "file", "own"] {
            assert!(root.open_file(Path::new(path), OpenMode::Read).is_ok(), "{path}");
            assert!(matches!(root.stat(Path::new(path)).unwrap(), FileStatus::Plain { .. }), "{path}");
            let mode = OpenMode::Write { executable: false };
            assert!(root.open_file(Path::new(path), mode).is_err(), "{path}");
        }
        assert_eq!(root.stat(Path::new("lost")).unwrap(), FileStatus::Missing);
        assert_eq!(root.stat(Path::new("dir")).unwrap(), FileStatus::Other);
    }

    #[test]
    fn a_pipe_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::open(folder.path(), false).unwrap();
        let mode = Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(&root.folder, "pipe", FileType::Fifo, mode, 0).unwrap();
        assert!(root.open_file(Path::new("pipe"), OpenMode::Read).is_err());
        assert_eq!(root.stat(Path::new("pipe")).unwrap(), FileStatus::Other);
    }
}
