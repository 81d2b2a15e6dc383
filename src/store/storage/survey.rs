//! Looking at what is there: before anything is written, and to know it again later.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{IN_PART_FILE, Inner, PART_FILE, Storage};
use crate::base::{Bitfield, FileIndex};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::{FileStatus, Root, free_space};
use crate::store::layout::Alloc;

/// What lies where a file of the torrent belongs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SurveyedFile {
    /// The file.
    pub file: FileIndex,
    /// Its whole path.
    pub path: PathBuf,
    /// What lies there.
    pub status: FileStatus,
}

/// By what a file is known again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStamp {
    /// Its length in bytes.
    pub size: u64,
    /// When it was last changed, in nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When it or what the system knows of it was last changed: who sets the time above back changes this.
    pub ctime_ns: i64,
    /// Its number on the disk.
    pub inode: u64,
}

/// By what the files of a volume are known again.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct FileStamps {
    /// Each file, in the torrent's order; `None` for padding and what is not there or somebody else's.
    pub files: Vec<Option<FileStamp>>,
    /// The part file.
    pub part: Option<FileStamp>,
}

impl Storage {
    /// What is there now, file by file, padding left out.
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

    /// Of the files of a survey, those that are somebody else's as far as the bytes tell: longer than
    /// they may be, no plain file, or not empty and without any piece that matches (`have`).
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

    /// Makes ready for writing: the root, the space as far as it can be known and is to be reserved,
    /// and the wanted files that are empty. Wanted files that are too long are cut, where they may be.
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
                // Where the file system cannot reserve there is nothing better than a hole.
                open_root
                    .strategy
                    .reserve(&open.file, 0, len)
                    .map_err(|error| DiskError::from_io("reserve", inner.full_path(key), &error))?;
            }
        }
        Ok(())
    }

    /// Whether there is room on the disk for what these files still lack (empty means all files).
    /// Makes the root, to know which disk it is.
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

    /// Checks that every wanted file lies whole where its path says and is the one that was written to. What is written
    /// to a file that somebody has moved away goes with it.
    pub fn confirm_files(&self) -> Result<(), DiskError> {
        let inner = &*self.inner;
        // Not the folder that is open: that one may have been moved, too.
        let changed =
            |path: PathBuf, how: &str| DiskError::new(DiskErrorKind::Changed, "find", path).with(how);
        let root = match Root::open(&inner.root, inner.options.follow) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(changed(inner.root.clone(), "it was moved or removed"));
            }
            other => other.map_err(|error| DiskError::from_io("find", inner.root.as_path(), &error))?,
        };
        for (at, spec) in inner.layout.files.iter().enumerate() {
            let key = at as u32;
            if spec.pad || !inner.is_wanted(key) {
                continue;
            }
            let failed = |error: io::Error| DiskError::from_io("find", inner.full_path(key), &error);
            let how = match root.stat(&spec.path).map_err(failed)? {
                FileStatus::Plain { size, inode, .. } if size == spec.len && inner.is_open_as(key, inode) => {
                    continue;
                }
                FileStatus::Missing => "it was moved or removed",
                FileStatus::Plain { .. } | FileStatus::Other => "it was cut off or replaced",
            };
            return Err(changed(inner.full_path(key), how));
        }
        Ok(())
    }

    /// By what its files are known again. To be taken after [`Storage::flush`].
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
        let files = inner.layout.files.iter().enumerate();
        // What lies at the place of a file whose bytes are elsewhere is not ours.
        let is_ours = |at: usize| inner.locations[at].load(Ordering::Relaxed) != IN_PART_FILE;
        let files =
            files.map(|(at, spec)| if !spec.pad && is_ours(at) { stamp(at as u32) } else { Ok(None) });
        Ok(FileStamps { files: files.collect::<Result<_, DiskError>>()?, part: stamp(PART_FILE)? })
    }

    /// The stamps that decide about each piece are accepted by `same`, which gets the old and the new
    /// one; the pieces of `have` for which all are.
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
        let mut kept = Bitfield::none(geometry.piece_count());
        for piece in have.iter().filter(|piece| piece.index() < geometry.piece_count()) {
            let mut all = true;
            for file in geometry.parts_of(piece) {
                all &= match inner.locate(&file, piece.index())? {
                    None => true,
                    // A file that was there and is gone has taken its bytes with it.
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
                kept.insert(piece);
            }
        }
        Ok(kept)
    }
}

impl Inner {
    /// What lies at a file's place; nothing, if there is not even the root.
    fn status(&self, key: u32) -> Result<FileStatus, DiskError> {
        match self.open_root(false) {
            Ok(open_root) => self.stat(&open_root, key),
            Err(error) if error.kind == DiskErrorKind::Missing => Ok(FileStatus::Missing),
            Err(error) => Err(error),
        }
    }

    /// Whether a file that is open is the one of this number on the disk; one that is not open may be any.
    fn is_open_as(&self, key: u32, inode: u64) -> bool {
        let open = self.file_pool.get((self.number, key), false);
        open.is_none_or(|open| open.file.metadata().is_ok_and(|meta| meta.ino() == inode))
    }

    /// How many bytes of the disk a file takes already.
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
