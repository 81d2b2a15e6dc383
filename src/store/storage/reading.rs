//! Reads of piece data.

use std::io::IoSliceMut;
use std::ops::Range;
use std::sync::PoisonError;

use super::{Inner, Storage};
use crate::base::{FilePart, Piece};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::is_hole;
use crate::store::write_strategy::read_at;

/// The presence of a piece on disk, without reading it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::store) enum Presence {
    /// A file of the piece is missing or too short.
    Absent,
    /// A hole: nothing was ever written there, and it reads as zeros.
    Hole,
    /// Data was written.
    Data,
}

impl Storage {
    /// Fills `slices`, end to end, from byte `start` of the torrent on.
    pub fn read(&self, start: u64, slices: &mut [&mut [u8]]) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        inner.read_from(start, slices, |part, piece| inner.locate(part, piece))
    }

    /// The presence of a piece, without reading it. Errors other than a missing file are returned.
    pub(in crate::store) fn presence(&self, piece: Piece) -> Result<Presence, DiskError> {
        let inner = &*self.inner;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        let mut presence = Presence::Hole;
        for part in inner.layout.geometry.parts_of(piece) {
            let Some((key, offset)) = inner.locate(&part, piece.index())? else { continue };
            let open = match inner.open_to_read(key) {
                Err(error) if matches!(error.kind, DiskErrorKind::Missing | DiskErrorKind::NotPlain) => {
                    return Ok(Presence::Absent);
                }
                other => other?,
            };
            let present = open.file.metadata();
            let present =
                present.map_err(|error| DiskError::from_io("look at", inner.full_path(key), &error))?;
            if present.len() < offset + part.len {
                return Ok(Presence::Absent);
            }
            if !is_hole(&open.file, offset, part.len) {
                presence = Presence::Data;
            }
        }
        Ok(presence)
    }

    /// Tells the system that a piece will be read soon.
    pub(in crate::store) fn will_read(&self, piece: Piece) {
        let inner = &*self.inner;
        for part in inner.layout.geometry.parts_of(piece) {
            if let Ok(Some((key, offset))) = inner.locate(&part, piece.index())
                && let Ok(open) = inner.open_to_read(key)
            {
                let advice = rustix::fs::Advice::WillNeed;
                // Only advice: the read itself will report errors.
                let _ = rustix::fs::fadvise(&open.file, offset, std::num::NonZeroU64::new(part.len), advice);
            }
        }
    }
}

impl Inner {
    /// Fills `slices`, end to end, from byte `start` of the torrent on. `locate` says where the bytes of a part
    /// lie.
    pub(super) fn read_from(
        &self,
        start: u64,
        slices: &mut [&mut [u8]],
        locate: impl Fn(&FilePart, u32) -> Result<Option<(u32, u64)>, DiskError>,
    ) -> Result<(), DiskError> {
        let len: u64 = slices.iter().map(|slice| slice.len() as u64).sum();
        let end = start.checked_add(len).filter(|&end| end <= self.layout.geometry.end());
        let end = end.ok_or_else(|| DiskError::new(DiskErrorKind::Invalid, "read", self.root.as_path()))?;
        let mut slices = slices.iter_mut();
        let mut rest: &mut [u8] = &mut [];
        for (piece, part) in self.located_parts(start..end) {
            let mut run = Vec::new();
            let mut missing = part.len as usize;
            while missing > 0 {
                if rest.is_empty() {
                    rest = slices.next().expect("the slices are as long as the parts, see above");
                }
                let count = missing.min(rest.len());
                let (now, later) = std::mem::take(&mut rest).split_at_mut(count);
                missing -= count;
                run.push(IoSliceMut::new(now));
                rest = later;
            }
            match locate(&part, piece)? {
                None => run.iter_mut().for_each(|slice| slice.fill(0)),
                Some((key, offset)) => {
                    let open = self.open_to_read(key)?;
                    read_at(&open.file, offset, &mut run)
                        .map_err(|error| DiskError::from_io("read", self.full_path(key), &error))?;
                }
            }
        }
        Ok(())
    }

    /// The parts of files in a byte range of the torrent, cut at pieces, each with its piece.
    fn located_parts(&self, range: Range<u64>) -> impl Iterator<Item = (u32, FilePart)> + '_ {
        let piece_len = u64::from(self.layout.geometry.piece_len());
        let mut at = range.start;
        std::iter::from_fn(move || {
            (at < range.end).then(|| {
                let piece = at / piece_len;
                let in_piece = range.end.min((piece + 1) * piece_len);
                // Parts are cut at pieces, so that those in the part file are found. One step per piece is
                // cheap beside the read.
                let part = self.layout.geometry.parts(at..in_piece).next()?;
                at += part.len;
                Some((piece as u32, part))
            })?
        })
    }
}
