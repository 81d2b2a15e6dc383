//! Flushes of files to the disk, and rereading them from the disk itself.
//!
//! Only written extents are flushed, one after the other, so that a flush can be cancelled between two of them: a
//! thread that waits for a slow disk would delay the end of the process.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};

use super::writing::extents;
use super::{Inner, PART_FILE, Storage};
use crate::base::Bitfield;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::map;
use crate::store::write_strategy::EXTENT;

impl Storage {
    /// Flushes everything that was written before this call.
    pub fn flush(&self) -> Result<(), DiskError> {
        self.flush_unless(&AtomicBool::new(false))
    }

    /// Flushes until it is cancelled, which is a [`DiskErrorKind::Cancelled`].
    pub fn flush_unless(&self, cancelled: &AtomicBool) -> Result<(), DiskError> {
        let inner = &*self.inner;
        inner.flush_dirty(|key| {
            if cancelled.load(Ordering::Relaxed) {
                return Err(DiskError::new(DiskErrorKind::Cancelled, "flush", inner.full_path(key)));
            }
            // The part file is removed only under the write lock.
            Ok(inner.relocating.read().unwrap_or_else(PoisonError::into_inner))
        })
    }

    /// Flushes everything; the caller holds the lock that keeps bytes in place.
    pub(super) fn flush_now(&self) -> Result<(), DiskError> {
        self.inner.flush_dirty(|_| Ok(()))
    }

    /// Marks pieces for the next flush, whichever program wrote them.
    pub fn mark_unflushed(&self, pieces: &Bitfield) {
        let inner = &*self.inner;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        for piece in pieces.iter() {
            for part in inner.layout.geometry.parts_of(piece) {
                // A location that cannot be determined holds nothing to flush.
                if let Ok(Some((key, offset))) = inner.locate(&part, piece.index()) {
                    inner.write_state().dirty.extend(extents(offset, part.len).map(|extent| (key, extent)));
                }
            }
        }
    }

    /// Drops the files of these pieces from the page cache, so that the next read comes from the disk itself: after a
    /// failed write the page cache may hold bytes that never reached it. Can be cancelled, which is a
    /// [`DiskErrorKind::Cancelled`].
    pub fn forget_cached(&self, pieces: &Bitfield, cancelled: impl Fn() -> bool) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        let mut files: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for piece in pieces.iter() {
            for part in inner.layout.geometry.parts_of(piece) {
                if let Some((key, offset)) = inner.locate(&part, piece.index())? {
                    files.entry(key).or_default().extend(extents(offset, part.len));
                }
            }
        }
        for (key, extents) in files {
            let open = match inner.open_to_read(key) {
                Err(error) if matches!(error.kind, DiskErrorKind::Missing | DiskErrorKind::NotPlain) => {
                    continue;
                }
                other => other?,
            };
            let failed = |error| DiskError::from_io("flush", inner.full_path(key), &error);
            // Only pages that are written back can be dropped.
            for extent in extents {
                if cancelled() {
                    return Err(DiskError::new(DiskErrorKind::Cancelled, "flush", inner.full_path(key)));
                }
                let start = u64::from(extent) * EXTENT;
                tolerate(map::write_back(&open.file, start, EXTENT)).map_err(failed)?;
            }
            tolerate(open.file.sync_data()).map_err(failed)?;
            // Advice: a file system without a page cache has nothing to drop.
            let _ = rustix::fs::fadvise(&open.file, 0, None, rustix::fs::Advice::DontNeed);
        }
        Ok(())
    }

    /// The mount through which all its files are reached: the boot id of the machine and the number of the mount, which
    /// is unique within a boot (Linux 6.8). `None` on older systems, or if there are several.
    pub fn mount(&self) -> Option<String> {
        let inner = &*self.inner;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let root = &inner.open_root(false).ok()?.root;
        let mount = root.mount_id(Path::new("")).ok()??;
        let files = inner.layout.files.iter().filter(|file| !file.pad).map(|file| file.path.as_path());
        // A link may lead to any other file system.
        let places: BTreeSet<&Path> =
            if inner.options.follow { files.collect() } else { files.filter_map(Path::parent).collect() };
        let elsewhere = |place: &Path| match root.mount_id(place) {
            Ok(id) => id != Some(mount),
            Err(error) => error.kind() != io::ErrorKind::NotFound,
        };
        (!places.into_iter().any(elsewhere)).then(|| format!("{}:{mount}", boot.trim()))
    }
}

impl Inner {
    /// Flushes what was written since the last flush, and leaves it to the next one after an error. `enter` is called
    /// before each step, and its result is held during the step.
    fn flush_dirty<T>(&self, enter: impl Fn(u32) -> Result<T, DiskError>) -> Result<(), DiskError> {
        let (dirty, folders) = {
            let mut write_state = self.write_state();
            (std::mem::take(&mut write_state.dirty), std::mem::take(&mut write_state.folders))
        };
        let mut read_only = BTreeSet::new();
        let flushed = dirty.iter().try_for_each(|&(key, extent)| {
            let _step = enter(key)?;
            if !self.flush_extent(key, extent)? {
                read_only.insert(key);
            }
            Ok(())
        });
        let flushed = flushed
            .and_then(|()| {
                read_only.iter().try_for_each(|&key| {
                    let _step = enter(key)?;
                    self.sync_file(key)
                })
            })
            .and_then(|()| self.flush_folders(&folders));
        if flushed.is_err() {
            let mut write_state = self.write_state();
            write_state.dirty.extend(dirty);
            write_state.folders.extend(folders);
        }
        flushed
    }

    /// Writes back one extent of a file and checks that it is still the file we write to. Returns whether the extent is
    /// durable; one of a file that is open for reading alone is not before [`Self::sync_file`].
    fn flush_extent(&self, key: u32, extent: u32) -> Result<bool, DiskError> {
        let open = match self.open_to_read(key) {
            // The part file is removed after its bytes were moved and flushed.
            Err(error) if key == PART_FILE && error.kind == DiskErrorKind::Missing => return Ok(true),
            other => other?,
        };
        let start = u64::from(extent) * EXTENT;
        // Through a file that is open for reading alone the system flushes no map.
        let write = if open.writable { map::flush } else { map::write_back };
        let flushed = tolerate(write(&open.file, start, EXTENT));
        flushed.map_err(|error| DiskError::from_io("flush", self.full_path(key), &error))?;
        self.expect_unchanged(key, &open.file, "flush")?;
        Ok(open.writable)
    }

    /// Syncs a file that is open for reading alone.
    fn sync_file(&self, key: u32) -> Result<(), DiskError> {
        let open = self.open_to_read(key)?;
        let synced = tolerate(open.file.sync_data());
        synced.map_err(|error| DiskError::from_io("flush", self.full_path(key), &error))
    }

    fn flush_folders(&self, folders: &BTreeSet<PathBuf>) -> Result<(), DiskError> {
        if folders.is_empty() {
            return Ok(());
        }
        let open_root = self.open_root(false)?;
        folders.iter().try_for_each(|folder| {
            let synced = open_root.root.sync_folder(folder);
            synced.map_err(|error| DiskError::from_io("flush", self.root.join(folder), &error))
        })
    }
}

/// Accepts that a file system does not support flushes.
fn tolerate(flushed: io::Result<()>) -> io::Result<()> {
    match flushed {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::ENOSYS | libc::EOPNOTSUPP)) =>
        {
            Ok(())
        }
        other => other,
    }
}
