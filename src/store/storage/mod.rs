//! The files of one torrent beneath a root folder.
//!
//! The storage knows where each byte of the torrent lies: in its file, nowhere (padding), or in the part
//! file, which holds the bytes of skipped files that share a piece with wanted ones. Files are opened on
//! first use and closed when the file pool needs the descriptor.

mod backup;
mod filled_parts;
mod flushing;
mod opening;
mod part_file;
mod reading;
mod survey;
mod unproven;
mod unverified;
mod wanted;
mod writing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub use self::filled_parts::FilledPart;
pub(super) use self::filled_parts::FilledParts;
use self::part_file::PartFile;
pub(super) use self::reading::Presence;
pub use self::survey::{FileStamp, FileStamps, SurveyedFile};
use self::unproven::UnprovenParts;
pub use self::unproven::{Difference, IfDifferent};
use super::error::{DiskError, DiskErrorKind};
use super::files::{FilePool, FileStatus, FileSystem, Root};
use super::layout::{FileSpec, Layout, StorageOptions};
use super::write_strategy::WriteStrategy;
use crate::base::{FileIndex, FilePart};

/// The files of one torrent. Clones share it.
#[derive(Clone, Debug)]
pub struct Storage {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    number: u64,
    root: PathBuf,
    layout: Layout,
    options: StorageOptions,
    file_pool: FilePool,
    open_root: Mutex<Option<Arc<OpenRoot>>>,
    /// Location of the bytes of each file: `UNKNOWN`, `IN_FILE` or `IN_PART_FILE`.
    locations: Box<[AtomicU8]>,
    /// Whether each file is wanted.
    wanted: Box<[AtomicBool]>,
    part_file: PartFile,
    unproven_parts: UnprovenParts,
    /// Read-locked for I/O, write-locked while bytes move between a file and the part file.
    relocating: RwLock<()>,
    write_state: Mutex<WriteState>,
    /// Held while a file is opened for writing.
    opening: Mutex<()>,
    /// The stamps of files that nobody may change, see [`Storage::seal`].
    sealed: Mutex<FileStamps>,
    /// Set by each access to the files, see [`Storage::take_used`].
    used: AtomicBool,
}

/// The open root folder and the write strategy for its file system.
#[derive(Debug)]
struct OpenRoot {
    root: Root,
    strategy: WriteStrategy,
}

/// Writes that are not synced yet, and reservations.
#[derive(Default, Debug)]
struct WriteState {
    /// Reserved extents, by file and number.
    extents: BTreeSet<(u32, u32)>,
    /// Extents written to since the last flush, by file and number.
    dirty: BTreeSet<(u32, u32)>,
    /// Files that were opened for writing, with their inodes. They have their full length since.
    written: BTreeMap<u32, u64>,
    /// Folders with new entries since the last flush.
    folders: BTreeSet<PathBuf>,
    /// Pieces with unverified bytes in the part file.
    unverified: BTreeSet<u32>,
}

/// The file is not wanted; whether it exists was not checked yet.
const UNKNOWN: u8 = 0;
/// The bytes lie in the file itself.
const IN_FILE: u8 = 1;
/// The file is not wanted and does not exist: its bytes lie in the part file.
const IN_PART_FILE: u8 = 2;

/// The file index of the part file.
const PART_FILE: u32 = u32::MAX;

impl Storage {
    /// The storage of `layout` beneath `root`, which need not exist. `wanted` says which files are wanted;
    /// empty means all. A wanted file is expected to hold its own bytes, so `wanted` must be what it was when
    /// the storage was last used. If that is unknown, pass all `false` and call [`Storage::set_wanted`]
    /// afterwards.
    pub fn new(
        root: &Path,
        layout: Layout,
        options: StorageOptions,
        wanted: &[bool],
        file_pool: &FilePool,
    ) -> Result<Self, DiskError> {
        if !wanted.is_empty() && wanted.len() != layout.files.len() {
            return Err(DiskError::new(DiskErrorKind::Invalid, "choose the files of", root));
        }
        let is_wanted = |at: usize| wanted.get(at).copied().unwrap_or(true);
        let location = |at| AtomicU8::new(if is_wanted(at) { IN_FILE } else { UNKNOWN });
        let locations = (0..layout.files.len()).map(location).collect();
        let wanted = (0..layout.files.len()).map(|at| AtomicBool::new(is_wanted(at))).collect();
        let inner = Inner {
            number: file_pool.next_storage_id(),
            root: root.to_owned(),
            part_file: PartFile::of(&layout),
            layout,
            options,
            file_pool: file_pool.clone(),
            open_root: Mutex::default(),
            locations,
            wanted,
            unproven_parts: UnprovenParts::default(),
            relocating: RwLock::default(),
            write_state: Mutex::default(),
            opening: Mutex::default(),
            sealed: Mutex::default(),
            used: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The layout of the torrent.
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// The root folder.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The name of the part file in the root: hidden, with the beginning of the info-hash.
    ///
    /// The part file holds the bytes of skipped files that share a piece with another file. Each piece that
    /// covers several files owns a slot of one piece length, in piece order; within the slot, offsets are
    /// those in the piece. Bytes never written are holes.
    pub fn part_file_name(&self) -> &Path {
        &self.inner.part_file.name
    }

    /// Whether pieces are written through memory maps now; `false` before the first write.
    pub fn uses_maps(&self) -> bool {
        self.inner.lock_open_root().as_ref().is_some_and(|open_root| open_root.strategy.uses_maps())
    }

    /// Says whether the disk threads cannot keep up with the pieces that arrive, for all storages of the file pool.
    pub(super) fn set_behind(&self, behind: bool) {
        self.inner.file_pool.set_behind(behind);
    }

    /// Closes all files and the root folder, which releases the locks on the files. They are reopened on demand.
    pub fn close(&self) {
        self.inner.file_pool.close_storage(self.inner.number);
        *self.inner.lock_open_root() = None;
    }

    /// Whether the files were read or written since the last call.
    pub fn take_used(&self) -> bool {
        self.inner.used.swap(false, Ordering::Relaxed)
    }

    /// Sets the stamps of the files as they were checked, if they are only read from now on. A file that differs when
    /// it is opened again was changed by another program.
    pub fn seal(&self, stamps: FileStamps) {
        *self.inner.sealed() = stamps;
    }

    /// The stamps that were set; empty if none were.
    pub fn sealed_stamps(&self) -> FileStamps {
        self.inner.sealed().clone()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.file_pool.close_storage(self.number);
    }
}

impl Inner {
    fn spec(&self, file: FileIndex) -> &FileSpec {
        &self.layout.files[file.0 as usize]
    }

    /// The path of a file beneath the root.
    fn relative_path(&self, key: u32) -> &Path {
        if key == PART_FILE { &self.part_file.name } else { &self.layout.files[key as usize].path }
    }

    /// The full path of a file, for messages.
    fn full_path(&self, key: u32) -> PathBuf {
        self.root.join(self.relative_path(key))
    }

    fn lock_open_root(&self) -> MutexGuard<'_, Option<Arc<OpenRoot>>> {
        // The value is set in one step.
        self.open_root.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> MutexGuard<'_, WriteState> {
        // No invariant spans the sets.
        self.write_state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sealed(&self) -> MutexGuard<'_, FileStamps> {
        // The value is set in one step.
        self.sealed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens the root folder; creates it first if `make` is set.
    fn open_root(&self, make: bool) -> Result<Arc<OpenRoot>, DiskError> {
        self.used.store(true, Ordering::Relaxed);
        let mut open_root = self.lock_open_root();
        if let Some(open_root) = &*open_root {
            return Ok(open_root.clone());
        }
        if make {
            std::fs::create_dir_all(&self.root)
                .map_err(|error| DiskError::from_io("make the folder", &self.root, &error))?;
        }
        let opened = self.retry_open(|| Root::open(&self.root, self.options.follow)).and_then(|root| {
            let system = FileSystem::of(std::fs::File::open(root.path())?)?;
            let strategy = WriteStrategy::new(
                self.options.io,
                system,
                self.layout.geometry.piece_len(),
                &self.file_pool,
            );
            Ok(Arc::new(OpenRoot { root, strategy }))
        });
        let opened = opened.map_err(|error| DiskError::from_io("open the folder", &self.root, &error))?;
        *open_root = Some(opened.clone());
        Ok(opened)
    }

    /// Locates a part of a piece: the file and the offset in it. `None` for padding.
    fn locate(&self, part: &FilePart, piece: u32) -> Result<Option<(u32, u64)>, DiskError> {
        if part.pad {
            return Ok(None);
        }
        let file = part.file;
        let in_part = self.is_in_part_file(file)? || self.is_kept_aside(part, piece);
        // A piece of a skipped file that is shared with no other file goes into the file itself.
        Ok(Some(match self.slot_offset(part, piece).filter(|_| in_part) {
            Some(offset) => (PART_FILE, offset),
            None => (file.0, part.offset),
        }))
    }

    /// The offset of this part of a piece in the part file, if the piece has a slot there.
    fn slot_offset(&self, part: &FilePart, piece: u32) -> Option<u64> {
        let piece_len = u64::from(self.layout.geometry.piece_len());
        let line = self.layout.geometry.file_range(part.file).start + part.offset;
        self.part_file.slot(piece).map(|slot| slot * piece_len + line % piece_len)
    }

    fn is_wanted(&self, key: u32) -> bool {
        self.wanted[key as usize].load(Ordering::Relaxed)
    }

    /// Whether the shared bytes of a file lie in the part file.
    fn is_in_part_file(&self, file: FileIndex) -> Result<bool, DiskError> {
        let location = &self.locations[file.0 as usize];
        if location.load(Ordering::Relaxed) == UNKNOWN {
            let there = match self.open_root(false) {
                Ok(open_root) => self.stat(&open_root, file.0)? != FileStatus::Missing,
                Err(error) if error.kind == DiskErrorKind::Missing => false,
                Err(error) => return Err(error),
            };
            location.store(if there { IN_FILE } else { IN_PART_FILE }, Ordering::Relaxed);
        }
        Ok(location.load(Ordering::Relaxed) == IN_PART_FILE)
    }

    fn stat(&self, open_root: &OpenRoot, key: u32) -> Result<FileStatus, DiskError> {
        let status = open_root.root.stat(self.relative_path(key));
        status.map_err(|error| DiskError::from_io("look at", self.full_path(key), &error))
    }
}

#[cfg(test)]
mod tests;
