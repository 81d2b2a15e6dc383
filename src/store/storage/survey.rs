//! Checks of the files on disk: before a download begins, and later by their stamps.

use std::fs::{Metadata, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::{IN_PART_FILE, Inner, PART_FILE, Storage};
use crate::base::{Bitfield, FileIndex};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::{FileStatus, Root, free_space};
use crate::store::layout::Alloc;

/// The state on disk of a file of the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SurveyedFile {
    /// The index of the file.
    pub file: FileIndex,
    /// The full path.
    pub path: PathBuf,
    /// The state of that path.
    pub status: FileStatus,
}

/// The size, times and inode of a file: a change of the file changes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// Status change time, in nanoseconds since 1970; programs cannot set it back.
    pub ctime_ns: i64,
    /// Inode number.
    pub inode: u64,
}

impl FileStamp {
    /// The stamp of no file. It stands for an existing file that is not known to hold this torrent's bytes alone: a
    /// later run must not take it for ours.
    pub const FOREIGN: Self = Self { size: 0, mtime_ns: 0, ctime_ns: 0, inode: 0 };

    /// The stamp of a file with this metadata.
    pub(super) fn of(meta: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            size: meta.len(),
            mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
        }
    }
}

/// The stamps of all files of a storage.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileStamps {
    /// Stamps in the torrent's order; `None` for padding and missing files, [`FileStamp::FOREIGN`] for files that are
    /// not ours.
    pub files: Vec<Option<FileStamp>>,
    /// Stamp of the part file.
    pub part: Option<FileStamp>,
}

impl Storage {
    /// The present state of each file, padding files excluded.
    pub fn survey(&self) -> Result<Vec<SurveyedFile>, DiskError> {
        let inner = &*self.inner;
        let files = inner.layout.files.iter().enumerate().filter(|(_, spec)| !spec.pad);
        files
            .map(|(at, _)| {
                let key = at as u32;
                Ok(SurveyedFile {
                    file: FileIndex(key),
                    path: inner.full_path(key),
                    status: inner.status(key)?,
                })
            })
            .collect()
    }

    /// Fails if another process is writing to one of the files.
    pub fn refuse_locked(&self, survey: &[SurveyedFile]) -> Result<(), DiskError> {
        let inner = &*self.inner;
        for surveyed in survey.iter().filter(|surveyed| matches!(surveyed.status, FileStatus::Plain { .. })) {
            let Ok(open) = inner.open_to_read(surveyed.file.0) else { continue };
            match open.file.try_lock_shared() {
                Err(TryLockError::WouldBlock) => {
                    return Err(DiskError::new(DiskErrorKind::InUse, "write", surveyed.path.as_path()));
                }
                _ => drop(open.file.unlock()),
            }
        }
        Ok(())
    }

    /// The surveyed files that do not belong to the torrent: too long, no regular file, or not empty without
    /// any matching piece (`have`).
    pub fn foreign_files(&self, survey: &[SurveyedFile], have: &Bitfield) -> Vec<PathBuf> {
        let geometry = &self.inner.layout.geometry;
        let is_foreign = |surveyed: &&SurveyedFile| match surveyed.status {
            FileStatus::Missing => false,
            FileStatus::Other => true,
            FileStatus::Plain { size, .. } => {
                let matches = geometry
                    .pieces_of(surveyed.file)
                    .filter_map(|index| geometry.piece(index))
                    .any(|piece| have.has(piece));
                size > self.inner.spec(surveyed.file).len || (size > 0 && !matches)
            }
        };
        survey.iter().filter(is_foreign).map(|surveyed| surveyed.path.clone()).collect()
    }

    /// Prepares the files for writing: creates the root and the empty files, reserves space, and truncates
    /// files that are too long if that is allowed. Only wanted files are touched.
    pub fn prepare(&self) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let is_wanted = |at: &AtomicBool| at.load(Ordering::Relaxed);
        let wanted: Vec<bool> = inner.wanted.iter().map(is_wanted).collect();
        self.check_free_space(&wanted)?;
        let open_root = inner.open_root(true)?;
        for (at, spec) in inner.layout.files.iter().enumerate() {
            let (key, len) = (at as u32, spec.len);
            if spec.pad || !wanted[at] {
                continue;
            }
            let long = || matches!(inner.status(key), Ok(FileStatus::Plain { size, .. }) if size > len);
            if len == 0 || (inner.options.overwrite && long()) {
                inner.open_to_write(&open_root, key)?;
            }
            if len > 0 && inner.options.alloc == Alloc::Full {
                let open = inner.open_to_write(&open_root, key)?;
                // If the file system cannot reserve space, a sparse file has to do.
                open_root
                    .strategy
                    .reserve(&open.file, 0, len)
                    .map_err(|error| DiskError::from_io("reserve", inner.full_path(key), &error))?;
            }
        }
        Ok(())
    }

    /// Checks that the missing bytes of the wanted files fit on the disk; empty means all files. Creates the
    /// root folder to find out which disk it is on.
    pub fn check_free_space(&self, wanted: &[bool]) -> Result<(), DiskError> {
        let inner = &*self.inner;
        inner.open_root(true)?;
        let mut needed = 0_u64;
        for (at, spec) in inner.layout.files.iter().enumerate() {
            if !spec.pad && wanted.get(at).copied().unwrap_or(true) {
                needed = needed.saturating_add(spec.len - inner.allocated_bytes(at as u32)?.min(spec.len));
            }
        }
        let folder = std::fs::File::open(&inner.root).and_then(free_space);
        let free = folder.map_err(|error| DiskError::from_io("look at", inner.root.as_path(), &error))?;
        if needed > free {
            return Err(DiskError::no_space("download to", inner.root.as_path(), needed, free));
        }
        Ok(())
    }

    /// Checks that every wanted file has its full length at its path and is the file we wrote to: writes to a
    /// file that was moved away went with it.
    pub fn confirm_files(&self) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let root = inner.confirm_root()?;
        for (at, spec) in inner.layout.files.iter().enumerate() {
            let key = at as u32;
            if !spec.pad && inner.is_wanted(key) {
                inner.confirm_file(&root, key, Some(spec.len))?;
            }
        }
        Ok(())
    }

    /// Checks that every open file is the one at its path, and that nobody else has changed one that is only read.
    pub fn confirm_open_files(&self) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let open = inner.file_pool.keys_of(inner.number);
        if open.is_empty() {
            return Ok(());
        }
        let root = inner.confirm_root()?;
        open.into_iter()
            .filter(|&key| key != PART_FILE)
            .try_for_each(|key| inner.confirm_file(&root, key, None))
    }

    /// The stamps of the files. Call it after [`Storage::flush`].
    pub fn file_stamps(&self) -> Result<FileStamps, DiskError> {
        let inner = &*self.inner;
        let stamp = |key| {
            Ok(match inner.status(key)? {
                FileStatus::Plain { size, mtime_ns, ctime_ns, inode } => {
                    Some(FileStamp { size, mtime_ns, ctime_ns, inode })
                }
                _ => None,
            })
        };
        let unproven = inner.unproven_parts.files();
        // A file at the path of a file whose bytes are in the part file is not ours.
        let is_ours = |at: usize| {
            inner.locations[at].load(Ordering::Relaxed) != IN_PART_FILE && !unproven.contains(&(at as u32))
        };
        let files = inner.layout.files.iter().enumerate().map(|(at, spec)| {
            let stamp = if spec.pad { None } else { stamp(at as u32)? };
            Ok(stamp.map(|stamp| if is_ours(at) { stamp } else { FileStamp::FOREIGN }))
        });
        Ok(FileStamps { files: files.collect::<Result<_, DiskError>>()?, part: stamp(PART_FILE)? })
    }

    /// The pieces of `have` for which `same` accepts the old and new stamps of every file they cover.
    pub(in crate::store) fn unchanged_pieces(
        &self,
        have: &Bitfield,
        old: &FileStamps,
        same: impl Fn(FileStamp, FileStamp) -> bool,
    ) -> Result<Bitfield, DiskError> {
        let inner = &*self.inner;
        let new = self.file_stamps()?;
        let accepted = |old: Option<FileStamp>, new: Option<FileStamp>| match (old, new) {
            (Some(old), Some(new)) => same(old, new),
            _ => false,
        };
        let files: Vec<bool> = (0..inner.layout.files.len())
            .map(|at| accepted(old.files.get(at).copied().flatten(), new.files[at]))
            .collect();
        let part = accepted(old.part, new.part);
        let geometry = &inner.layout.geometry;
        let mut unchanged = Bitfield::none(geometry.piece_count());
        for piece in have.iter().filter(|piece| piece.index() < geometry.piece_count()) {
            let mut all = true;
            for file in geometry.parts_of(piece) {
                all &= match inner.locate(&file, piece.index())? {
                    None => true,
                    // A removed file has taken its bytes with it.
                    Some((PART_FILE, _)) => {
                        part && old.files.get(file.file.0 as usize).is_some_and(Option::is_none)
                    }
                    Some((key, offset)) => {
                        let long = new.files[key as usize].is_some_and(|now| now.size >= offset + file.len);
                        files[key as usize] && long
                    }
                };
            }
            if all {
                unchanged.insert(piece);
            }
        }
        Ok(unchanged)
    }
}

impl Inner {
    /// Opens the root anew, since the open one may have been moved.
    fn confirm_root(&self) -> Result<Root, DiskError> {
        let changed = |how: &str| DiskError::new(DiskErrorKind::Changed, "find", &self.root).with_detail(how);
        let root = match Root::open(&self.root, self.options.follow) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(changed("it was moved or removed"));
            }
            other => other.map_err(|error| DiskError::from_io("find", self.root.as_path(), &error))?,
        };
        let folder = Path::new("");
        if let Some(open) = self.lock_open_root().clone()
            && root.mount_id(folder).ok() != open.root.mount_id(folder).ok()
        {
            return Err(changed("another file system is mounted there now"));
        }
        Ok(root)
    }

    /// Checks the file at a path; `len` is the length it must have, if that is known.
    fn confirm_file(&self, root: &Root, key: u32, len: Option<u64>) -> Result<(), DiskError> {
        let path = self.full_path(key);
        let found = root.stat(self.relative_path(key));
        let how = match found.map_err(|error| DiskError::from_io("find", &path, &error))? {
            FileStatus::Missing => "it was moved or removed",
            FileStatus::Plain { size, mtime_ns, ctime_ns, inode } => {
                let stamp = FileStamp { size, mtime_ns, ctime_ns, inode };
                let open = self.file_pool.get((self.number, key), false);
                let is_open =
                    open.is_none_or(|open| open.file.metadata().is_ok_and(|meta| meta.ino() == inode));
                if !is_open || !self.is_ours(key, inode) || len.is_some_and(|len| len != size) {
                    "it was cut off or replaced"
                } else if self.is_as_sealed(key, &stamp) {
                    return Ok(());
                } else {
                    ""
                }
            }
            FileStatus::Other => "it was cut off or replaced",
        };
        Err(DiskError::new(DiskErrorKind::Changed, "find", path).with_detail(how))
    }

    /// Whether a file with this inode is the one that we wrote to, if we did.
    pub(super) fn is_ours(&self, key: u32, inode: u64) -> bool {
        self.write_state().written.get(&key).is_none_or(|&ours| ours == inode)
    }

    /// Whether a file is as it was checked, if it is only read since. A new link to it changes only its status change
    /// time.
    pub(super) fn is_as_sealed(&self, key: u32, stamp: &FileStamp) -> bool {
        let sealed = self.sealed().files.get(key as usize).copied().flatten();
        let sealed = sealed.filter(|stamp| *stamp != FileStamp::FOREIGN);
        sealed.is_none_or(|sealed| FileStamp { ctime_ns: sealed.ctime_ns, ..*stamp } == sealed)
    }

    /// The length of a regular file; `None` if there is none.
    pub(super) fn plain_size(&self, key: u32) -> Option<u64> {
        match self.status(key) {
            Ok(FileStatus::Plain { size, .. }) => Some(size),
            _ => None,
        }
    }

    /// The state of a file's path; missing if the root is missing.
    fn status(&self, key: u32) -> Result<FileStatus, DiskError> {
        match self.open_root(false) {
            Ok(open_root) => self.stat(&open_root, key),
            Err(error) if error.kind == DiskErrorKind::Missing => Ok(FileStatus::Missing),
            Err(error) => Err(error),
        }
    }

    /// Allocated bytes of a file on disk.
    fn allocated_bytes(&self, key: u32) -> Result<u64, DiskError> {
        match self.open_to_read(key) {
            Ok(open) => {
                let meta = open.file.metadata();
                let meta =
                    meta.map_err(|error| DiskError::from_io("look at", self.full_path(key), &error))?;
                Ok(meta.blocks().saturating_mul(512))
            }
            Err(error) if error.kind == DiskErrorKind::Missing => Ok(0),
            Err(error) => Err(error),
        }
    }
}
