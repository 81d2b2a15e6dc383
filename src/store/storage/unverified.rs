//! Unverified bytes of existing files that are not wanted, or not proven.
//!
//! A segmented piece is written before it is verified, and so are the blocks of a piece that stays unfinished for
//! some time. Bytes that it shares with an existing file that is not wanted, or of which this part is unproven, must not
//! reach that file before: they wait in the part file, in the slot of the piece.

use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::PoisonError;

use super::{Inner, PART_FILE, Storage};
use crate::base::{FileIndex, FilePart, Piece};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::FileStatus;
use crate::store::write_strategy::read_at;

/// Bytes copied at once.
const CHUNK_LEN: u64 = 1 << 20;

impl Storage {
    /// Moves the first `len` bytes of a verified piece from the part file to their files, as far as they wait
    /// there.
    pub(super) fn move_unverified_into_place(&self, piece: Piece, len: u64) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        if !inner.write_state().unverified.contains(&piece.index()) {
            return Ok(());
        }
        let open_root = inner.open_root(true)?;
        let start = inner.layout.geometry.piece_range(piece).start;
        let (mut at, mut different) = (start, None);
        while at < start + len {
            let chunk = at..(start + len).min(at + CHUNK_LEN);
            let Some(part) = inner.layout.geometry.parts(chunk).next() else { break };
            if let Some(offset) = inner.unverified(&part, piece.index())? {
                let mut bytes = vec![0; part.len as usize];
                let open = inner.open_to_read(PART_FILE)?;
                read_at(&open.file, offset, &mut [IoSliceMut::new(&mut bytes)])
                    .map_err(|error| DiskError::from_io("read", inner.full_path(PART_FILE), &error))?;
                if !inner.is_unproven(&part, piece.index()) {
                    inner.write_slices(&open_root, part.file.0, part.offset, &[&bytes])?;
                } else if !inner.prove(&open_root, &part, piece, &[&bytes])? {
                    different.get_or_insert(part.file.0);
                }
            }
            at += part.len;
        }
        drop(stay);
        if let Some(key) = different {
            return Err(inner.different(key));
        }
        self.forget_unverified(piece)
    }

    /// Forgets the bytes of a piece that wait in the part file: it was verified and written, or is given up. The part
    /// file is removed if nothing else needs it.
    pub fn forget_unverified(&self, piece: Piece) -> Result<(), DiskError> {
        let mut write_state = self.inner.write_state();
        let was_last = write_state.unverified.remove(&piece.index()) && write_state.unverified.is_empty();
        drop(write_state);
        if was_last { self.remove_unused_part_file() } else { Ok(()) }
    }

    /// Reads unverified bytes of a piece, from byte `begin` of the piece on, from where an earlier run has written
    /// them if the same files were `wanted` then. The part file is kept for those that wait there.
    pub(in crate::store) fn read_unverified(
        &self,
        piece: Piece,
        begin: u64,
        slices: &mut [&mut [u8]],
        wanted: &[bool],
    ) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        let start = inner.layout.geometry.piece_range(piece).start.saturating_add(begin);
        inner.read_from(start, slices, |part, index| {
            let place = inner.unverified_place(part, index, wanted);
            if let Some((PART_FILE, _)) = place {
                inner.write_state().unverified.insert(index);
            }
            Ok(place)
        })
    }

    /// Whether unverified bytes of a piece, from byte `begin` of the piece to `end`, lie in files that `unchanged`
    /// accepts; `None` stands for the part file.
    pub(in crate::store) fn unverified_bytes_lie_in(
        &self,
        piece: Piece,
        Range { start, end }: Range<u64>,
        wanted: &[bool],
        unchanged: impl Fn(Option<FileIndex>) -> bool,
    ) -> bool {
        let geometry = &self.inner.layout.geometry;
        let whole = geometry.piece_range(piece);
        let bytes = whole.start + start..whole.end.min(whole.start + end);
        geometry.parts(bytes).all(|part| match self.inner.unverified_place(&part, piece.index(), wanted) {
            None => true,
            Some((PART_FILE, _)) => unchanged(None),
            Some((key, _)) => unchanged(Some(FileIndex(key))),
        })
    }

    /// Removes the part file if nothing in it is needed.
    fn remove_unused_part_file(&self) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let _all = inner.relocating.write().unwrap_or_else(PoisonError::into_inner);
        let files = (0..inner.layout.files.len() as u32).filter(|&key| !inner.layout.files[key as usize].pad);
        for key in files {
            if inner.is_in_part_file(FileIndex(key))? {
                return Ok(());
            }
        }
        if inner.has_parts_aside() {
            return Ok(());
        }
        let open_root = match inner.open_root(false) {
            Err(error) if error.kind == DiskErrorKind::Missing => return Ok(()),
            other => other?,
        };
        if inner.write_state().unverified.is_empty()
            && inner.stat(&open_root, PART_FILE)? != FileStatus::Missing
        {
            inner.remove_part_file(&open_root)?;
        }
        Ok(())
    }
}

impl Inner {
    /// The file and the offset in it where unverified bytes of this part of a piece are written when these files
    /// are wanted. `None` for padding.
    fn unverified_place(&self, part: &FilePart, piece: u32, wanted: &[bool]) -> Option<(u32, u64)> {
        if part.pad {
            return None;
        }
        let is_wanted = wanted.get(part.file.0 as usize).copied().unwrap_or(true);
        let slot = if is_wanted { None } else { self.slot_offset(part, piece) };
        Some(slot.map_or((part.file.0, part.offset), |offset| (PART_FILE, offset)))
    }

    /// The offset in the part file where unverified bytes of this part of a piece wait; `None` if they go to
    /// the file directly.
    pub(super) fn unverified(&self, part: &FilePart, piece: u32) -> Result<Option<u64>, DiskError> {
        let waits = !self.is_wanted(part.file.0) || self.is_unproven(part, piece);
        // What is kept aside stays in the part file anyway.
        if part.pad || !waits || self.is_in_part_file(part.file)? || self.is_kept_aside(part, piece) {
            return Ok(None);
        }
        Ok(self.slot_offset(part, piece))
    }
}
