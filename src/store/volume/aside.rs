//! Unproven bytes of files that are there and not wanted.
//!
//! A piece taken in runs is written before it is verified. The bytes that it shares with a file that is
//! there already and that nobody asked for must not reach that file before they are proved right: until
//! then they lie in the part file, in the place they would have if the file were not there.

use std::io::IoSliceMut;
use std::sync::PoisonError;

use super::{Inner, PART, Volume};
use crate::base::{FileIndex, FilePart, Piece};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::Found;
use crate::store::place::read_at;

/// How much is copied at once, in bytes.
const RUN: u64 = 1 << 20;

impl Volume {
    /// Puts the first `len` bytes of a verified piece into place, as far as they were laid aside.
    pub(super) fn take_from_aside(&self, piece: Piece, len: u64) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let stay = inner.moving.read().unwrap_or_else(PoisonError::into_inner);
        if !inner.ledger().aside.contains(&piece.index()) {
            return Ok(());
        }
        let base = inner.base(true)?;
        let start = inner.layout.geometry.piece_range(piece).start;
        let mut at = start;
        while at < start + len {
            let run = at..(start + len).min(at + RUN);
            let Some(part) = inner.layout.geometry.parts(run).next() else { break };
            if let Some(offset) = inner.aside(&part, piece.index())? {
                let mut bytes = vec![0; part.len as usize];
                let open = inner.open_to_read(PART)?;
                read_at(&open.file, offset, &mut [IoSliceMut::new(&mut bytes)])
                    .map_err(|error| DiskError::from_io("read", inner.shown(PART), &error))?;
                inner.put(&base, part.file.0, part.offset, &[&bytes])?;
            }
            at += part.len;
        }
        let mut ledger = inner.ledger();
        ledger.aside.remove(&piece.index());
        let was_last = ledger.aside.is_empty();
        drop((ledger, stay));
        if was_last {
            self.remove_idle_part()?;
        }
        Ok(())
    }

    /// Removes the part file where nothing lies in it that is needed.
    fn remove_idle_part(&self) -> Result<(), DiskError> {
        let inner = &*self.inner;
        let _all = inner.moving.write().unwrap_or_else(PoisonError::into_inner);
        let files = (0..inner.layout.files.len() as u32).filter(|&key| !inner.layout.files[key as usize].pad);
        for key in files {
            if inner.is_in_part(FileIndex(key))? {
                return Ok(());
            }
        }
        let base = match inner.base(false) {
            Err(error) if error.kind == DiskErrorKind::Missing => return Ok(()),
            other => other?,
        };
        if inner.ledger().aside.is_empty() && inner.look(&base, PART)? != Found::Missing {
            inner.remove_part(&base)?;
        }
        Ok(())
    }
}

impl Inner {
    /// Where in the part file the bytes of this part of a piece are laid aside, if they have to be.
    pub(super) fn aside(&self, part: &FilePart, piece: u32) -> Result<Option<u64>, DiskError> {
        if part.pad || self.is_wanted(part.file.0) || self.is_in_part(part.file)? {
            return Ok(None);
        }
        Ok(self.in_slot(part, piece))
    }
}
