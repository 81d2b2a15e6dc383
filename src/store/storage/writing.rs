//! Writes of pieces.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::PoisonError;

use super::{Inner, OpenRoot, PART_FILE, Storage};
use crate::base::Piece;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::free_space;
use crate::store::layout::Alloc;
use crate::store::write_strategy::EXTENT;

impl Storage {
    /// Writes a verified piece, given as chunks end to end.
    pub fn write<B: AsRef<[u8]>>(&self, piece: Piece, chunks: &[B]) -> Result<(), DiskError> {
        if length(chunks) != u64::from(self.inner.layout.geometry.len_of(piece)) {
            return Err(self.wrong_length());
        }
        self.write_range(piece, 0, chunks, true)?;
        self.inner.forget_unproven(piece);
        self.forget_unverified(piece)
    }

    /// Writes bytes of an unverified piece, from byte `begin` of the piece on. The piece must not be claimed
    /// before the whole of it is verified. Bytes of existing files that are not wanted go to the part file.
    pub fn write_unverified<B: AsRef<[u8]>>(
        &self,
        piece: Piece,
        begin: u64,
        chunks: &[B],
    ) -> Result<(), DiskError> {
        self.write_range(piece, begin, chunks, false)
    }

    /// Writes the last segment of a verified piece, from byte `begin` of the piece on, and moves the bytes of
    /// earlier segments from the part file to their files.
    pub fn write_last_segment<B: AsRef<[u8]>>(
        &self,
        piece: Piece,
        begin: u64,
        chunks: &[B],
    ) -> Result<(), DiskError> {
        self.move_unverified_into_place(piece, begin)?;
        self.write_range(piece, begin, chunks, true)?;
        self.inner.forget_unproven(piece);
        Ok(())
    }

    fn write_range<B: AsRef<[u8]>>(
        &self,
        piece: Piece,
        begin: u64,
        chunks: &[B],
        verified: bool,
    ) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let whole = inner.layout.geometry.piece_range(piece);
        let start = whole.start.saturating_add(begin);
        let range = start..start.saturating_add(length(chunks));
        if range.end > whole.end {
            return Err(self.wrong_length());
        }
        let open_root = inner.open_root(true)?;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        let mut chunks = chunks.iter().map(AsRef::as_ref);
        let mut rest: &[u8] = &[];
        let mut slices = Vec::new();
        let mut different = None;
        for part in inner.layout.geometry.parts(range) {
            slices.clear();
            let mut missing = part.len as usize;
            while missing > 0 {
                if rest.is_empty() {
                    rest = chunks.next().expect("the chunks are as long as the parts, see above");
                }
                let (now, later) = rest.split_at(missing.min(rest.len()));
                slices.push(now);
                missing -= now.len();
                rest = later;
            }
            let unverified = if verified { None } else { inner.unverified(&part, piece.index())? };
            if unverified.is_some() {
                inner.write_state().unverified.insert(piece.index());
            }
            if unverified.is_none() && inner.is_unproven(&part, piece.index()) {
                if !inner.prove(&open_root, &part, piece, &slices)? {
                    different.get_or_insert(part.file.0);
                }
                continue;
            }
            let location = match unverified {
                Some(offset) => Some((PART_FILE, offset)),
                None => inner.locate(&part, piece.index())?,
            };
            if let Some((key, offset)) = location {
                inner.write_slices(&open_root, key, offset, &slices)?;
            }
        }
        different.map_or(Ok(()), |key| Err(inner.different(key)))
    }

    fn wrong_length(&self) -> DiskError {
        DiskError::new(DiskErrorKind::Invalid, "write a piece of", self.root())
    }
}

impl Inner {
    /// The error for a file whose unproven bytes differ from a verified piece.
    pub(super) fn different(&self, key: u32) -> DiskError {
        DiskError::new(DiskErrorKind::Different, "write", self.full_path(key))
    }

    /// Writes slices, end to end, at an offset of a file.
    pub(super) fn write_slices(
        &self,
        open_root: &OpenRoot,
        key: u32,
        offset: u64,
        slices: &[&[u8]],
    ) -> Result<(), DiskError> {
        let open = self.open_to_write(open_root, key)?;
        self.expect_unchanged(key, &open.file, "write")?;
        let len: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
        let result = self
            .reserve(open_root, key, &open.file, offset, len)
            .and_then(|reserved| open_root.strategy.write(&open.file, offset, slices, reserved));
        // After the write: a flush that comes in between must not take the mark and miss the bytes.
        self.write_state().dirty.extend(extents(offset, len).map(|extent| (key, extent)));
        result.map_err(|error| {
            // The reserved space or the open file may be gone.
            self.close_file(key);
            let path = self.full_path(key);
            let failed = DiskError::from_io("write", &path, &error);
            match (failed.kind, free_space(&open.file)) {
                (DiskErrorKind::NoSpace, Ok(free)) => DiskError::no_space("write", path, len, free),
                _ => failed,
            }
        })
    }

    /// Reserves the extents that a write touches. Returns `false` if memory maps must not be used there.
    fn reserve(
        &self,
        open_root: &OpenRoot,
        key: u32,
        file: &File,
        offset: u64,
        len: u64,
    ) -> io::Result<bool> {
        let Some(spec) = self.layout.files.get(key as usize) else { return Ok(false) };
        if self.options.alloc == Alloc::None {
            // A file that only grows cannot be mapped ahead of its end.
            return Ok(false);
        }
        for extent in extents(offset, len) {
            let name = (key, extent);
            if self.write_state().extents.contains(&name) {
                continue;
            }
            let start = u64::from(extent) * EXTENT;
            match open_root.strategy.reserve(file, start, EXTENT.min(spec.len - start)) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // The whole extent does not fit, but the write may.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => return Ok(false),
                Err(error) => return Err(error),
            }
            self.write_state().extents.insert(name);
        }
        Ok(true)
    }

    pub(super) fn close_file(&self, key: u32) {
        self.file_pool.close((self.number, key));
        let mut write_state = self.write_state();
        let gone: Vec<_> = write_state.extents.range((key, 0)..=(key, u32::MAX)).copied().collect();
        for extent in gone {
            write_state.extents.remove(&extent);
        }
    }

    /// Fails if somebody removed or truncated the file while it was open.
    pub(super) fn expect_unchanged(
        &self,
        key: u32,
        file: &File,
        what: &'static str,
    ) -> Result<(), DiskError> {
        let now = file.metadata().map_err(|error| DiskError::from_io(what, self.full_path(key), &error))?;
        // A file that we have not written to may be as short as it was found.
        let short = key != PART_FILE
            && self.options.alloc != Alloc::None
            && self.write_state().written.contains_key(&key)
            && now.len() < self.layout.files[key as usize].len;
        let how = match (now.nlink(), short) {
            (0, _) => "it was removed",
            (_, true) => "it was cut off",
            _ => return Ok(()),
        };
        self.close_file(key);
        Err(DiskError::new(DiskErrorKind::Changed, what, self.full_path(key)).with_detail(how))
    }
}

/// The numbers of the extents that a range touches.
pub(super) fn extents(offset: u64, len: u64) -> impl Iterator<Item = u32> {
    (offset / EXTENT..offset.saturating_add(len).div_ceil(EXTENT)).map(|extent| extent as u32)
}

fn length<B: AsRef<[u8]>>(chunks: &[B]) -> u64 {
    chunks.iter().map(|chunk| chunk.as_ref().len() as u64).sum()
}
