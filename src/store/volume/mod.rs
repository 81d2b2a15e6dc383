//! One torrent's files beneath a root.
//!
//! A volume knows where each byte of the torrent's line lies: in its file, nowhere (padding), or in the
//! part file, which holds the bytes of skipped files that share a piece with wanted ones. Files are
//! opened when they are needed first and closed when others need the descriptor.

mod aside;
mod flushing;
mod moving;
mod reading;
mod seams;
mod survey;
mod writing;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

pub(super) use self::reading::Presence;
use self::seams::Seams;
pub use self::survey::{FileFact, Stamp, Stamps};
use super::error::{DiskError, DiskErrorKind};
use super::files::{FileKey, FileSystem, Found, Handles, OpenFile, Purpose, Root};
use super::layout::{Alloc, FileSpec, Layout, VolumeOptions};
use super::place::Ways;
use crate::base::{FileIndex, FilePart};

/// The files of one torrent. Cheap to clone; clones share it.
#[derive(Clone, Debug)]
pub struct Volume {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    number: u64,
    root: PathBuf,
    layout: Layout,
    options: VolumeOptions,
    handles: Handles,
    base: Mutex<Option<Arc<Base>>>,
    /// Per file, one of the constants below.
    places: Box<[AtomicU8]>,
    /// Per file, whether it is wanted.
    wanted: Box<[AtomicBool]>,
    seams: Seams,
    /// Held for reading while bytes are read or written, for writing while they change their place.
    moving: RwLock<()>,
    ledger: Mutex<Ledger>,
}

/// The folder and what is known of its file system.
#[derive(Debug)]
struct Base {
    root: Root,
    ways: Ways,
}

/// What was done and is not durable or not repeated.
#[derive(Default, Debug)]
struct Ledger {
    /// Runs that are reserved, by file and number.
    extents: BTreeSet<(u32, u32)>,
    /// Runs written to since the last flush, by file and number.
    dirty: BTreeSet<(u32, u32)>,
    /// Folders in which something was created since the last flush.
    folders: BTreeSet<PathBuf>,
    /// Pieces of which unproven bytes were laid aside in the part file.
    aside: BTreeSet<u32>,
}

/// Not wanted, and nobody has looked yet whether it exists.
const UNKNOWN: u8 = 0;
/// The bytes lie in the file itself.
const IN_FILE: u8 = 1;
/// Not wanted and not there: the bytes lie in the part file.
const IN_PART: u8 = 2;

/// The number of the part file among the files.
const PART: u32 = u32::MAX;

impl Volume {
    /// The files of `layout` beneath `root`, which need not exist. `wanted` says of each file whether
    /// its bytes are to be stored; empty means all are. A file named as wanted is taken to hold its bytes
    /// itself, so it has to be what it was when the volume was used last: who does not know that names
    /// none, and then says what is wanted with [`Volume::set_wanted`].
    pub fn new(
        root: &Path,
        layout: Layout,
        options: VolumeOptions,
        wanted: &[bool],
        handles: &Handles,
    ) -> Result<Self, DiskError> {
        if !wanted.is_empty() && wanted.len() != layout.files.len() {
            return Err(DiskError::new(DiskErrorKind::Invalid, "choose the files of", root));
        }
        let is_wanted = |at: usize| wanted.get(at).copied().unwrap_or(true);
        let place = |at| AtomicU8::new(if is_wanted(at) { IN_FILE } else { UNKNOWN });
        let places = (0..layout.files.len()).map(place).collect();
        let wanted = (0..layout.files.len()).map(|at| AtomicBool::new(is_wanted(at))).collect();
        let inner = Inner {
            number: handles.new_volume(),
            root: root.to_owned(),
            seams: Seams::of(&layout),
            layout,
            options,
            handles: handles.clone(),
            base: Mutex::default(),
            places,
            wanted,
            moving: RwLock::default(),
            ledger: Mutex::default(),
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
    pub fn part_name(&self) -> &Path {
        &self.inner.seams.name
    }

    /// Whether verified pieces are written through maps now; `false` before the first is written.
    pub fn uses_maps(&self) -> bool {
        self.inner.lock_base().as_ref().is_some_and(|base| base.ways.uses_maps())
    }

    /// Closes every file. They are opened again when needed.
    pub fn close(&self) {
        self.inner.handles.forget_volume(self.inner.number);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.handles.forget_volume(self.number);
    }
}

impl Inner {
    fn spec(&self, file: FileIndex) -> &FileSpec {
        &self.layout.files[file.0 as usize]
    }

    /// The path of a file beneath the root.
    fn relative(&self, key: u32) -> &Path {
        if key == PART { &self.seams.name } else { &self.layout.files[key as usize].path }
    }

    /// The whole path of a file, for people.
    fn shown(&self, key: u32) -> PathBuf {
        self.root.join(self.relative(key))
    }

    fn lock_base(&self) -> MutexGuard<'_, Option<Arc<Base>>> {
        // The value is set in one step.
        self.base.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        // Sets stay sets whatever panics.
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder, opened; made before if it may be.
    fn base(&self, make: bool) -> Result<Arc<Base>, DiskError> {
        let mut base = self.lock_base();
        if let Some(base) = &*base {
            return Ok(base.clone());
        }
        if make {
            std::fs::create_dir_all(&self.root)
                .map_err(|error| DiskError::from_io("make the folder", &self.root, &error))?;
        }
        let opened = Root::open(&self.root, self.options.follow).and_then(|root| {
            let system = FileSystem::of(std::fs::File::open(root.path())?)?;
            let ways = Ways::new(self.options.io, system, self.layout.geometry.piece_len(), &self.handles);
            Ok(Arc::new(Base { root, ways }))
        });
        let opened = opened.map_err(|error| DiskError::from_io("open the folder", &self.root, &error))?;
        *base = Some(opened.clone());
        Ok(opened)
    }

    /// Where a part of a piece lies: which file and where in it. `None` for padding.
    fn locate(&self, part: &FilePart, piece: u32) -> Result<Option<(u32, u64)>, DiskError> {
        if part.pad {
            return Ok(None);
        }
        let file = part.file;
        let in_part = self.is_in_part(file)?;
        // A whole piece of a skipped file that came all the same belongs into the file.
        Ok(Some(match self.in_slot(part, piece).filter(|_| in_part) {
            Some(offset) => (PART, offset),
            None => (file.0, part.offset),
        }))
    }

    /// Where in the part file this part of a piece has its place, if the piece has a slot there.
    fn in_slot(&self, part: &FilePart, piece: u32) -> Option<u64> {
        let piece_len = u64::from(self.layout.geometry.piece_len());
        let line = self.layout.geometry.file_range(part.file).start + part.offset;
        self.seams.slot(piece).map(|slot| slot * piece_len + line % piece_len)
    }

    fn is_wanted(&self, key: u32) -> bool {
        self.wanted[key as usize].load(Ordering::Relaxed)
    }

    /// Whether the bytes of a file that it shares with others lie in the part file.
    fn is_in_part(&self, file: FileIndex) -> Result<bool, DiskError> {
        let place = &self.places[file.0 as usize];
        if place.load(Ordering::Relaxed) == UNKNOWN {
            let there = match self.base(false) {
                Ok(base) => self.look(&base, file.0)? != Found::Missing,
                Err(error) if error.kind == DiskErrorKind::Missing => false,
                Err(error) => return Err(error),
            };
            place.store(if there { IN_FILE } else { IN_PART }, Ordering::Relaxed);
        }
        Ok(place.load(Ordering::Relaxed) == IN_PART)
    }

    fn look(&self, base: &Base, key: u32) -> Result<Found, DiskError> {
        let found = base.root.look(self.relative(key));
        found.map_err(|error| DiskError::from_io("look at", self.shown(key), &error))
    }

    /// The file, opened for reading only.
    fn open_to_read(&self, key: u32) -> Result<Arc<OpenFile>, DiskError> {
        let handle: FileKey = (self.number, key);
        if let Some(open) = self.handles.get(handle, false) {
            return Ok(open);
        }
        let base = self.base(false)?;
        let opened = self.patiently(|| base.root.open_file(self.relative(key), Purpose::Read));
        let file = opened.map_err(|error| DiskError::from_io("open", self.shown(key), &error))?;
        let open = Arc::new(OpenFile { file, writable: false });
        self.handles.put(handle, open.clone());
        Ok(open)
    }

    /// The file, opened for writing, created if need be, and of its full length where that is asked.
    fn open_to_write(&self, base: &Base, key: u32) -> Result<Arc<OpenFile>, DiskError> {
        let handle: FileKey = (self.number, key);
        if let Some(open) = self.handles.get(handle, true) {
            return Ok(open);
        }
        let failed = |error: io::Error| DiskError::from_io("open", self.shown(key), &error);
        let (executable, len) = match self.layout.files.get(key as usize) {
            Some(spec) => (spec.executable, Some(spec.len)),
            None => (false, None),
        };
        let path = self.relative(key);
        let file =
            self.patiently(|| base.root.open_file(path, Purpose::Write { executable })).map_err(failed)?;
        let present = file.metadata().map_err(failed)?.len();
        if let Some(len) = len {
            let sized = self.options.alloc != Alloc::None;
            if present > len && !self.options.overwrite {
                let error = DiskError::new(DiskErrorKind::Foreign, "write", self.shown(key));
                return Err(error.with("it is longer than the torrent's file"));
            }
            // What follows the end of a file that nobody asked for is not in the way.
            let cut = present > len && self.is_wanted(key);
            if cut || (present < len && sized) {
                file.set_len(len).map_err(failed)?;
            }
        }
        if present == 0 {
            let mut ledger = self.ledger();
            ledger.dirty.insert((key, 0));
            ledger.folders.extend(path.ancestors().skip(1).map(Path::to_owned));
        }
        let open = Arc::new(OpenFile { file, writable: true });
        self.handles.put(handle, open.clone());
        Ok(open)
    }

    /// Opens a file, and once more with fewer files open if there were too many.
    fn patiently<T>(&self, mut open: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        match open() {
            Err(error) if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) => {
                self.handles.shed();
                open()
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
