//! Unproven parts: bytes of existing files that torr did not write and no piece hash has judged.
//!
//! Their piece does not match as it lies on the disk, but it also covers blank space or other files, so nothing shows
//! which bytes are wrong. Once the piece was received and verified, the bytes are compared with it: equal ones
//! stay as they are, blank ones are filled, and different ones are treated as [`IfDifferent`] says. Until then no byte
//! of the part is written. Unproven parts of files that are not wanted are never written: the bytes of their pieces
//! stay in the part file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::filled_parts::pages;
use super::writing::extents;
use super::{Inner, OpenRoot, Storage};
use crate::base::{FileIndex, FilePart, Piece};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::write_strategy::read_at;

/// The treatment of unproven bytes that differ from their verified piece.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum IfDifferent {
    /// Fail with [`DiskErrorKind::Different`] and write nothing.
    #[default]
    Refuse,
    /// Replace them.
    Replace,
    /// Copy the file first, then replace them.
    Backup,
}

/// Bytes of a file that differ from the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    /// The file.
    pub file: FileIndex,
    /// The full path of the file.
    pub path: PathBuf,
    /// The bytes in the file.
    pub ranges: Vec<Range<u64>>,
    /// The copy of the old file, if one was made.
    pub backup: Option<PathBuf>,
}

/// The unproven parts of a storage.
#[derive(Default, Debug)]
pub(super) struct UnprovenParts {
    /// Set once there are any, so that others need no lock.
    any: AtomicBool,
    state: Mutex<State>,
    /// Held while a file is copied.
    backing_up: Mutex<()>,
}

#[derive(Default, Debug)]
struct State {
    /// Pieces and their files.
    parts: BTreeSet<(u32, u32)>,
    if_different: IfDifferent,
    /// The lengths of the files before anything was written to them.
    sizes: BTreeMap<u32, u64>,
    /// The copies that were made.
    backups: BTreeMap<u32, PathBuf>,
    /// Replaced bytes that were not reported yet.
    replaced: Vec<Difference>,
    /// Refused bytes that were not reported yet.
    refused: Vec<Difference>,
}

impl Storage {
    /// Protects unproven parts. Call it before anything is written.
    pub fn protect_unproven(&self, parts: &[(Piece, FileIndex)], if_different: IfDifferent) {
        let unproven = &self.inner.unproven_parts;
        let sizes: BTreeMap<u32, u64> =
            parts.iter().filter_map(|(_, file)| Some((file.0, self.inner.plain_size(file.0)?))).collect();
        let mut state = unproven.state();
        state.parts = parts.iter().map(|(piece, file)| (piece.index(), file.0)).collect();
        state.if_different = if_different;
        state.sizes = sizes;
        unproven.any.store(!state.parts.is_empty(), Ordering::Release);
    }

    /// The bytes that were replaced since the last call.
    pub fn take_replaced(&self) -> Vec<Difference> {
        self.inner.unproven_parts.take(|state| &mut state.replaced)
    }

    /// The differences that were found since the last call and failed a write.
    pub fn take_refused(&self) -> Vec<Difference> {
        self.inner.unproven_parts.take(|state| &mut state.refused)
    }
}

impl UnprovenParts {
    fn state(&self) -> MutexGuard<'_, State> {
        // No invariant spans the fields.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, which: impl FnOnce(&mut State) -> &mut Vec<Difference>) -> Vec<Difference> {
        if !self.any.load(Ordering::Acquire) {
            return Vec::new();
        }
        std::mem::take(which(&mut self.state()))
    }

    /// Whether a part of a piece is unproven.
    pub(super) fn contains(&self, piece: u32, file: FileIndex) -> bool {
        self.any.load(Ordering::Acquire) && self.state().parts.contains(&(piece, file.0))
    }

    /// The files with unproven parts.
    pub(super) fn files(&self) -> BTreeSet<u32> {
        self.state().parts.iter().map(|&(_, file)| file).collect()
    }
}

impl Inner {
    /// Whether a part of a file that is wanted has to be compared before it is written.
    pub(super) fn is_unproven(&self, part: &FilePart, piece: u32) -> bool {
        self.unproven_parts.contains(piece, part.file) && self.is_wanted(part.file.0)
    }

    /// Whether a part lies in the part file because the existing file is neither wanted nor proven.
    pub(super) fn is_kept_aside(&self, part: &FilePart, piece: u32) -> bool {
        self.unproven_parts.contains(piece, part.file) && !self.is_wanted(part.file.0)
    }

    /// Whether a file that is not wanted has parts in the part file.
    pub(super) fn has_parts_aside(&self) -> bool {
        self.unproven_parts.files().iter().any(|&key| !self.is_wanted(key))
    }

    /// Forgets the unproven parts of a piece that was verified and written.
    pub(super) fn forget_unproven(&self, piece: Piece) {
        if self.unproven_parts.any.load(Ordering::Acquire) {
            let wanted = |file: u32| self.is_wanted(file);
            let piece = piece.index();
            self.unproven_parts.state().parts.retain(|&(of, file)| of != piece || !wanted(file));
        }
    }

    /// Compares bytes of an unproven part with those of the piece, and fills its blank pages. Returns whether the
    /// part now has the bytes of the piece.
    pub(super) fn prove(
        &self,
        open_root: &OpenRoot,
        part: &FilePart,
        piece: Piece,
        slices: &[&[u8]],
    ) -> Result<bool, DiskError> {
        let key = part.file.0;
        let compared = self.compare(part, piece, slices)?;
        let if_different = self.unproven_parts.state().if_different;
        let refuses = if_different == IfDifferent::Refuse && !compared.different.is_empty();
        let backup = match if_different {
            IfDifferent::Backup if !compared.different.is_empty() => Some(self.back_up_once(open_root, key)?),
            _ => None,
        };
        if !refuses {
            for (offset, bytes) in compared.to_write {
                self.write_slices(open_root, key, offset, &[&bytes])?;
            }
        }
        if !compared.different.is_empty() {
            let (file, path, ranges) = (part.file, self.full_path(key), compared.different);
            let difference = Difference { file, path, ranges, backup };
            let mut state = self.unproven_parts.state();
            let list = if refuses { &mut state.refused } else { &mut state.replaced };
            list.push(difference);
        }
        if refuses {
            return Ok(false);
        }
        // Bytes of another program may be in the page cache alone.
        let dirty = extents(part.offset, part.len).map(|extent| (key, extent));
        self.write_state().dirty.extend(dirty);
        Ok(true)
    }

    fn compare(&self, part: &FilePart, piece: Piece, slices: &[&[u8]]) -> Result<Compared, DiskError> {
        let key = part.file.0;
        let open = match self.open_to_read(key) {
            Err(error) if error.kind == DiskErrorKind::Missing => {
                return Err(DiskError::new(DiskErrorKind::Changed, "read", self.full_path(key)));
            }
            other => other?,
        };
        let failed = |error: io::Error| DiskError::from_io("read", self.full_path(key), &error);
        let size = open.file.metadata().map_err(failed)?.len();
        // Other pieces may have extended the file since.
        let size = self.unproven_parts.state().sizes.get(&key).map_or(size, |&before| size.min(before));
        let in_piece = self.range_in_piece(part, piece);
        let mut received = Slices { slices, at: 0 };
        let mut compared = Compared::default();
        for page in pages(in_piece.clone(), part.offset) {
            let offset = part.offset + (page.start - in_piece.start);
            let wanted = received.take((page.end - page.start) as usize);
            let mut old = vec![0; wanted.len()];
            let present = size.saturating_sub(offset).min(old.len() as u64) as usize;
            if present > 0 {
                read_at(&open.file, offset, &mut [IoSliceMut::new(&mut old[..present])]).map_err(failed)?;
            }
            if old == wanted && present == old.len() {
                continue;
            }
            if let Some(range) = differing(&old, &wanted) {
                compared.add_difference(offset + range.start..offset + range.end);
            }
            compared.add_write(offset, wanted);
        }
        Ok(compared)
    }

    /// Copies a file, as long as it was when it was found, unless that was done.
    fn back_up_once(&self, open_root: &OpenRoot, key: u32) -> Result<PathBuf, DiskError> {
        // A second copy would hold bytes that were replaced meanwhile.
        let _alone = self.unproven_parts.backing_up.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, size) = {
            let state = self.unproven_parts.state();
            (state.backups.get(&key).cloned(), state.sizes.get(&key).copied())
        };
        if let Some(backup) = known {
            return Ok(backup);
        }
        let backup = self.copy_to_backup(open_root, key, size)?;
        self.unproven_parts.state().backups.insert(key, backup.clone());
        Ok(backup)
    }
}

#[derive(Default)]
struct Compared {
    different: Vec<Range<u64>>,
    /// Bytes that a write has to change, each with the offset in the file.
    to_write: Vec<(u64, Vec<u8>)>,
}

impl Compared {
    fn add_difference(&mut self, range: Range<u64>) {
        match self.different.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => self.different.push(range),
        }
    }

    fn add_write(&mut self, offset: u64, bytes: Vec<u8>) {
        match self.to_write.last_mut() {
            Some((start, before)) if *start + before.len() as u64 == offset => before.extend(bytes),
            _ => self.to_write.push((offset, bytes)),
        }
    }
}

/// Slices that are read from end to end.
struct Slices<'a> {
    slices: &'a [&'a [u8]],
    at: usize,
}

impl Slices<'_> {
    fn take(&mut self, mut len: usize) -> Vec<u8> {
        let mut taken = Vec::with_capacity(len);
        while let Some((first, rest)) = self.slices.split_first()
            && len > 0
        {
            let now = len.min(first.len() - self.at);
            taken.extend_from_slice(&first[self.at..self.at + now]);
            (self.at, len) = (self.at + now, len - now);
            if self.at == first.len() {
                (self.slices, self.at) = (rest, 0);
            }
        }
        taken
    }
}

/// The bytes from the first that differs to the last. The zeros at both ends of the old page are blank.
fn differing(old: &[u8], new: &[u8]) -> Option<Range<u64>> {
    let start = old.iter().position(|&byte| byte != 0)?;
    let end = old.iter().rposition(|&byte| byte != 0)? + 1;
    let differs = |at: &usize| old[*at] != new[*at];
    let first = (start..end).find(differs)?;
    let last = (start..end).rev().find(differs)?;
    Some(first as u64..last as u64 + 1)
}
