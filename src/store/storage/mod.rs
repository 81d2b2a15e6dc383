//! One torrent's files beneath a root.
//!
//! A volume knows where each byte of the torrent's line lies: in its file, nowhere (padding), or in the
//! part file, which holds the bytes of skipped files that share a piece with wanted ones. Files are
//! opened when they are needed first and closed when others need the descriptor.

mod part_file;
mod reading;
mod survey;
mod unverified;
mod wanted;
mod writing;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use self::part_file::PartFile;
pub(super) use self::reading::Presence;
pub use self::survey::{FileStamp, FileStamps, SurveyedFile};
use super::error::{DiskError, DiskErrorKind};
use super::files::{FileKey, FilePool, FileStatus, FileSystem, OpenFile, OpenMode, Root};
use super::layout::{Alloc, FileSpec, Layout, StorageOptions};
use super::write_strategy::WriteStrategy;
use crate::base::{FileIndex, FilePart};

/// The files of one torrent. Cheap to clone; clones share it.
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
    /// Per file, one of the constants below.
    locations: Box<[AtomicU8]>,
    /// Per file, whether it is wanted.
    wanted: Box<[AtomicBool]>,
    part_file: PartFile,
    /// Held for reading while bytes are read or written, for writing while they change their place.
    relocating: RwLock<()>,
    write_state: Mutex<WriteState>,
}

/// The folder and what is known of its file system.
#[derive(Debug)]
struct OpenRoot {
    root: Root,
    strategy: WriteStrategy,
}

/// What was done and is not durable or not repeated.
#[derive(Default, Debug)]
struct WriteState {
    /// Runs that are reserved, by file and number.
    extents: BTreeSet<(u32, u32)>,
    /// Files written to since the last flush.
    dirty: BTreeSet<u32>,
    /// Folders in which something was created since the last flush.
    folders: BTreeSet<PathBuf>,
    /// Pieces of which unproven bytes were laid aside in the part file.
    unverified: BTreeSet<u32>,
}

/// Not wanted, and nobody has looked yet whether it exists.
const UNKNOWN: u8 = 0;
/// The bytes lie in the file itself.
const IN_FILE: u8 = 1;
/// Not wanted and not there: the bytes lie in the part file.
const IN_PART_FILE: u8 = 2;

/// The number of the part file among the files.
const PART_FILE: u32 = u32::MAX;

impl Storage {
    /// The files of `layout` beneath `root`, which need not exist. `wanted` says of each file whether
    /// its bytes are to be stored; empty means all are. A file named as wanted is taken to hold its bytes
    /// itself, so it has to be what it was when the volume was used last: who does not know that names
    /// none, and then says what is wanted with [`Storage::set_wanted`].
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
            relocating: RwLock::default(),
            write_state: Mutex::default(),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// What it stores.
    pub fn layout(&self) -> &Layout {
        &self.inner.layout
    }

    /// The folder beneath which its files lie.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// The name of the part file in the root: hidden, and told apart by the beginning of the
    /// info-hash.
    ///
    /// It holds the bytes of skipped files that lie in a piece together with bytes of another file. Each
    /// piece that more than one file has a share in owns, in the order of pieces, a slot of one piece
    /// length; within its slot a byte lies where it lies in the piece. What was never written is a hole.
    pub fn part_file_name(&self) -> &Path {
        &self.inner.part_file.name
    }

    /// Whether verified pieces are written through maps now; `false` before the first is written.
    pub fn uses_maps(&self) -> bool {
        self.inner.lock_open_root().as_ref().is_some_and(|open_root| open_root.strategy.uses_maps())
    }

    /// Closes every file. They are opened again when needed.
    pub fn close(&self) {
        self.inner.file_pool.close_storage(self.inner.number);
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

    /// The whole path of a file, for people.
    fn full_path(&self, key: u32) -> PathBuf {
        self.root.join(self.relative_path(key))
    }

    fn lock_open_root(&self) -> MutexGuard<'_, Option<Arc<OpenRoot>>> {
        // The value is set in one step.
        self.open_root.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_state(&self) -> MutexGuard<'_, WriteState> {
        // Sets stay sets whatever panics.
        self.write_state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder, opened; made before if it may be.
    fn open_root(&self, make: bool) -> Result<Arc<OpenRoot>, DiskError> {
        let mut open_root = self.lock_open_root();
        if let Some(open_root) = &*open_root {
            return Ok(open_root.clone());
        }
        if make {
            std::fs::create_dir_all(&self.root)
                .map_err(|error| DiskError::from_io("make the folder", &self.root, &error))?;
        }
        let opened = Root::open(&self.root, self.options.follow).and_then(|root| {
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

    /// Where a part of a piece lies: which file and where in it. `None` for padding.
    fn locate(&self, part: &FilePart, piece: u32) -> Result<Option<(u32, u64)>, DiskError> {
        if part.pad {
            return Ok(None);
        }
        let file = part.file;
        let in_part = self.is_in_part_file(file)?;
        // A whole piece of a skipped file that came all the same belongs into the file.
        Ok(Some(match self.slot_offset(part, piece).filter(|_| in_part) {
            Some(offset) => (PART_FILE, offset),
            None => (file.0, part.offset),
        }))
    }

    /// Where in the part file this part of a piece has its place, if the piece has a slot there.
    fn slot_offset(&self, part: &FilePart, piece: u32) -> Option<u64> {
        let piece_len = u64::from(self.layout.geometry.piece_len());
        let line = self.layout.geometry.file_range(part.file).start + part.offset;
        self.part_file.slot(piece).map(|slot| slot * piece_len + line % piece_len)
    }

    fn is_wanted(&self, key: u32) -> bool {
        self.wanted[key as usize].load(Ordering::Relaxed)
    }

    /// Whether the bytes of a file that it shares with others lie in the part file.
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

    /// The file, opened for reading only.
    fn open_to_read(&self, key: u32) -> Result<Arc<OpenFile>, DiskError> {
        let handle: FileKey = (self.number, key);
        if let Some(open) = self.file_pool.get(handle, false) {
            return Ok(open);
        }
        let open_root = self.open_root(false)?;
        let opened = self.retry_open(|| open_root.root.open_file(self.relative_path(key), OpenMode::Read));
        let file = opened.map_err(|error| DiskError::from_io("open", self.full_path(key), &error))?;
        let open = Arc::new(OpenFile { file, writable: false });
        self.file_pool.insert(handle, open.clone());
        Ok(open)
    }

    /// The file, opened for writing, created if need be, and of its full length where that is asked.
    fn open_to_write(&self, open_root: &OpenRoot, key: u32) -> Result<Arc<OpenFile>, DiskError> {
        let handle: FileKey = (self.number, key);
        if let Some(open) = self.file_pool.get(handle, true) {
            return Ok(open);
        }
        let failed = |error: io::Error| DiskError::from_io("open", self.full_path(key), &error);
        let (executable, len) = match self.layout.files.get(key as usize) {
            Some(spec) => (spec.executable, Some(spec.len)),
            None => (false, None),
        };
        let path = self.relative_path(key);
        let file = self
            .retry_open(|| open_root.root.open_file(path, OpenMode::Write { executable }))
            .map_err(failed)?;
        let present = file.metadata().map_err(failed)?.len();
        if let Some(len) = len {
            let sized = self.options.alloc != Alloc::None;
            if present > len && !self.options.overwrite {
                let error = DiskError::new(DiskErrorKind::Foreign, "write", self.full_path(key));
                return Err(error.with("it is longer than the torrent's file"));
            }
            // What follows the end of a file that nobody asked for is not in the way.
            let cut = present > len && self.is_wanted(key);
            if cut || (present < len && sized) {
                file.set_len(len).map_err(failed)?;
            }
        }
        if present == 0 {
            let mut write_state = self.write_state();
            write_state.dirty.insert(key);
            write_state.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
        let open = Arc::new(OpenFile { file, writable: true });
        self.file_pool.insert(handle, open.clone());
        Ok(open)
    }

    /// Opens a file, and once more with fewer files open if there were too many.
    fn retry_open<T>(&self, mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                self.file_pool.close_half();
                open()
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
