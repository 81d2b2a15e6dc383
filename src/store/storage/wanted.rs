//! Changes of which files are wanted.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::{IN_FILE, IN_PART_FILE, Inner, OpenRoot, PART_FILE, Storage, UNKNOWN};
use crate::base::{Bitfield, FileIndex};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::FileStatus;
use crate::store::write_strategy::read_at;

/// Bytes moved at once.
const CHUNK_LEN: u64 = 1 << 20;

impl Storage {
    /// Protects existing files that are not wanted and not ours: bytes they share with wanted files go to the
    /// part file, as if the files did not exist. A file that already holds such bytes, in a piece of `have`,
    /// is not protected.
    pub fn protect_foreign_files(&self, files: &[FileIndex], have: &Bitfield) {
        let inner = &*self.inner;
        let _all = inner.relocating.write().unwrap_or_else(PoisonError::into_inner);
        for &file in files {
            let mut pieces = inner.layout.geometry.pieces_of(file);
            let holds = |index| inner.layout.geometry.piece(index).is_some_and(|piece| have.has(piece));
            if !pieces.any(|index| inner.part_file.slot(index).is_some() && holds(index)) {
                inner.locations[file.0 as usize].store(IN_PART_FILE, Ordering::Relaxed);
            }
        }
    }

    /// Sets which files are wanted; empty means all. Bytes of newly wanted files in pieces of `have` move
    /// from the part file to the file; an unused part file is removed. Files that are no longer wanted stay
    /// unchanged.
    pub fn set_wanted(&self, wanted: &[bool], have: &Bitfield) -> Result<(), DiskError> {
        let inner = &*self.inner;
        if !wanted.is_empty() && wanted.len() != inner.layout.files.len() {
            return Err(DiskError::new(DiskErrorKind::Invalid, "choose the files of", inner.root.as_path()));
        }
        let _all = inner.relocating.write().unwrap_or_else(PoisonError::into_inner);
        let open_root = match inner.open_root(false) {
            Ok(open_root) => Some(open_root),
            Err(error) if error.kind == DiskErrorKind::Missing => None,
            Err(error) => return Err(error),
        };
        let mut moved = false;
        let mut part_needed = false;
        for at in 0..inner.layout.files.len() {
            let file = FileIndex(at as u32);
            let want = wanted.get(at).copied().unwrap_or(true);
            let location = &inner.locations[at];
            inner.wanted[at].store(want, Ordering::Relaxed);
            if inner.layout.files[at].pad {
                location.store(IN_FILE, Ordering::Relaxed);
            } else if want {
                if let Some(open_root) = &open_root
                    && inner.is_in_part_file(file)?
                {
                    inner.move_from_part_file(open_root, file, have)?;
                    moved = true;
                }
                location.store(IN_FILE, Ordering::Relaxed);
            } else {
                let there = match &open_root {
                    Some(open_root) => inner.stat(open_root, file.0)? != FileStatus::Missing,
                    None => false,
                };
                if !there {
                    location.store(UNKNOWN, Ordering::Relaxed);
                }
                part_needed |= inner.is_in_part_file(file)?;
            }
        }
        part_needed |= inner.has_parts_aside();
        if moved {
            // Their pieces may count as flushed, and the part file may go.
            self.flush_now()?;
        }
        if let Some(open_root) = open_root
            && !part_needed
            && inner.write_state().unverified.is_empty()
            && inner.stat(&open_root, PART_FILE)? != FileStatus::Missing
        {
            inner.remove_part_file(&open_root)?;
        }
        Ok(())
    }
}

impl Inner {
    /// Removes the part file, which nobody may be using.
    pub(super) fn remove_part_file(&self, open_root: &OpenRoot) -> Result<(), DiskError> {
        self.close_file(PART_FILE);
        let mut write_state = self.write_state();
        write_state.dirty.retain(|&(key, _)| key != PART_FILE);
        write_state.unverified.clear();
        drop(write_state);
        let removed = open_root.root.remove(&self.part_file.name);
        removed.map_err(|error| DiskError::from_io("remove", self.full_path(PART_FILE), &error))
    }

    /// Copies the bytes of a file from the part file into the file.
    fn move_from_part_file(
        &self,
        open_root: &OpenRoot,
        file: FileIndex,
        have: &Bitfield,
    ) -> Result<(), DiskError> {
        let geometry = &self.layout.geometry;
        let range = geometry.file_range(file);
        let pieces = geometry.pieces_of(file).filter_map(|index| geometry.piece(index));
        for piece in pieces.filter(|&piece| have.has(piece)) {
            let mine = geometry.piece_range(piece);
            let mine = mine.start.max(range.start)..mine.end.min(range.end);
            let mut at = mine.start;
            while at < mine.end {
                let chunk = at..mine.end.min(at + CHUNK_LEN);
                let Some(part) = geometry.parts(chunk.clone()).next() else { break };
                if let Some((PART_FILE, offset)) = self.locate(&part, piece.index())? {
                    let mut bytes = vec![0; part.len as usize];
                    let open = self.open_to_read(PART_FILE)?;
                    read_at(&open.file, offset, &mut [std::io::IoSliceMut::new(&mut bytes)])
                        .map_err(|error| DiskError::from_io("read", self.full_path(PART_FILE), &error))?;
                    self.write_slices(open_root, file.0, part.offset, &[&bytes])?;
                }
                at += part.len;
            }
        }
        Ok(())
    }
}
