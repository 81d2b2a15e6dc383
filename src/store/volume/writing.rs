//! Putting verified pieces into their files.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::PoisonError;

use super::{Base, Inner, PART, Volume};
use crate::base::Piece;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::free_space;
use crate::store::layout::Alloc;
use crate::store::place::EXTENT;

impl Volume {
    /// Writes a verified piece, given as chunks end to end.
    pub fn write<B: AsRef<[u8]>>(&self, piece: Piece, chunks: &[B]) -> Result<(), DiskError> {
        if length(chunks) != u64::from(self.inner.layout.geometry.len_of(piece)) {
            return Err(self.misfit());
        }
        self.write_run(piece, 0, chunks, true)
    }

    /// Writes a run of a piece that is not verified yet, given as chunks end to end, from the byte `begin`
    /// of the piece on. The piece must not be claimed by anybody before it is verified as a whole: until
    /// then its place holds anything, as a hole does. What belongs to a file that is there and not wanted
    /// is only laid aside.
    pub fn write_early<B: AsRef<[u8]>>(
        &self,
        piece: Piece,
        begin: u64,
        chunks: &[B],
    ) -> Result<(), DiskError> {
        self.write_run(piece, begin, chunks, false)
    }

    /// Writes the last run of a piece that is verified with it, from the byte `begin` of the piece on, and
    /// puts into place what was laid aside of the runs before.
    pub fn write_last<B: AsRef<[u8]>>(
        &self,
        piece: Piece,
        begin: u64,
        chunks: &[B],
    ) -> Result<(), DiskError> {
        self.take_from_aside(piece, begin)?;
        self.write_run(piece, begin, chunks, true)
    }

    fn write_run<B: AsRef<[u8]>>(
        &self,
        piece: Piece,
        begin: u64,
        chunks: &[B],
        proven: bool,
    ) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let whole = inner.layout.geometry.piece_range(piece);
        let start = whole.start.saturating_add(begin);
        let range = start..start.saturating_add(length(chunks));
        if range.end > whole.end {
            return Err(self.misfit());
        }
        let base = inner.base(true)?;
        let _stay = inner.moving.read().unwrap_or_else(PoisonError::into_inner);
        let mut chunks = chunks.iter().map(AsRef::as_ref);
        let mut rest: &[u8] = &[];
        let mut slices = Vec::new();
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
            let aside = if proven { None } else { inner.aside(&part, piece.index())? };
            if aside.is_some() {
                inner.ledger().aside.insert(piece.index());
            }
            let place = match aside {
                Some(offset) => Some((PART, offset)),
                None => inner.locate(&part, piece.index())?,
            };
            if let Some((key, offset)) = place {
                inner.put(&base, key, offset, &slices)?;
            }
        }
        Ok(())
    }

    fn misfit(&self) -> DiskError {
        DiskError::new(DiskErrorKind::Invalid, "write a piece of", self.root())
    }
}

impl Inner {
    /// Puts bytes at a place of a file of which all is known.
    pub(super) fn put(&self, base: &Base, key: u32, offset: u64, slices: &[&[u8]]) -> Result<(), DiskError> {
        let open = self.open_to_write(base, key)?;
        self.expect_unchanged(key, &open.file, "write")?;
        let len: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
        // Noted before, so that a flush that comes between is not the last.
        self.ledger().dirty.extend(extents(offset, len).map(|extent| (key, extent)));
        let result = self
            .reserve(base, key, &open.file, offset, len)
            .and_then(|reserved| base.ways.put(&open.file, offset, slices, reserved));
        result.map_err(|error| {
            // What was reserved or opened may be gone.
            self.forget(key);
            let path = self.shown(key);
            let failed = DiskError::from_io("write", &path, &error);
            match (failed.kind, free_space(&open.file)) {
                (DiskErrorKind::NoSpace, Ok(free)) => DiskError::no_space("write", path, len, free),
                _ => failed,
            }
        })
    }

    /// Reserves the extents that a run touches. `false` if maps must not be used there.
    fn reserve(&self, base: &Base, key: u32, file: &File, offset: u64, len: u64) -> io::Result<bool> {
        let Some(spec) = self.layout.files.get(key as usize) else { return Ok(false) };
        if self.options.alloc == Alloc::None {
            // A file that may only grow cannot be mapped ahead of what is written.
            return Ok(false);
        }
        for extent in extents(offset, len) {
            let name = (key, extent);
            if self.ledger().extents.contains(&name) {
                continue;
            }
            let start = u64::from(extent) * EXTENT;
            match base.ways.reserve(file, start, EXTENT.min(spec.len - start)) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // The extent does not fit, but perhaps the run does.
                Err(error) if error.raw_os_error() == Some(libc::ENOSPC) => return Ok(false),
                Err(error) => return Err(error),
            }
            self.ledger().extents.insert(name);
        }
        Ok(true)
    }

    pub(super) fn forget(&self, key: u32) {
        self.handles.forget((self.number, key));
        let mut ledger = self.ledger();
        let gone: Vec<_> = ledger.extents.range((key, 0)..=(key, u32::MAX)).copied().collect();
        for extent in gone {
            ledger.extents.remove(&extent);
        }
    }

    /// Refuses a file that somebody removed or cut while it was open here.
    pub(super) fn expect_unchanged(
        &self,
        key: u32,
        file: &File,
        what: &'static str,
    ) -> Result<(), DiskError> {
        let now = file.metadata().map_err(|error| DiskError::from_io(what, self.shown(key), &error))?;
        let short = key != PART
            && self.options.alloc != Alloc::None
            && now.len() < self.layout.files[key as usize].len;
        let how = match (now.nlink(), short) {
            (0, _) => "it was removed",
            (_, true) => "it was cut off",
            _ => return Ok(()),
        };
        self.forget(key);
        Err(DiskError::new(DiskErrorKind::Changed, what, self.shown(key)).with(how))
    }
}

/// The numbers of the extents that a run touches.
pub(super) fn extents(offset: u64, len: u64) -> impl Iterator<Item = u32> {
    (offset / EXTENT..offset.saturating_add(len).div_ceil(EXTENT)).map(|extent| extent as u32)
}

fn length<B: AsRef<[u8]>>(chunks: &[B]) -> u64 {
    chunks.iter().map(|chunk| chunk.as_ref().len() as u64).sum()
}
