//! Which parts of a piece hold more than zeros in their files.
//!
//! The unit is 4 KiB of the file, a page: one that is missing, a hole or all zeros is blank, and nothing in it can be lost. Whole
//! pages are what a client or a power cut leaves unwritten; fewer zeros are data.

use std::io::{self, IoSliceMut};
use std::ops::Range;
use std::sync::PoisonError;

use super::{Inner, PART_FILE, Storage};
use crate::base::{FileIndex, FilePart, Piece};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::files::is_hole;
use crate::store::write_strategy::read_at;

/// Bytes read at once.
const CHUNK_LEN: u64 = 256 << 10;
/// The unit that is blank or not.
const PAGE_LEN: u64 = 4 << 10;

/// A part of a piece that holds data.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FilledPart {
    /// The piece.
    pub piece: Piece,
    /// The file.
    pub file: FileIndex,
    /// Whether every page of the part holds data.
    pub whole: bool,
}

/// The search for data in the parts of one piece.
#[derive(Debug)]
pub(in crate::store) struct FilledParts {
    piece: Piece,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    file: FileIndex,
    /// The bytes of the piece.
    range: Range<u64>,
    /// The offset of the first of them in the file.
    offset: u64,
    data: bool,
    blank: bool,
}

impl FilledParts {
    /// The parts of a piece that lie in their files. No data was found yet.
    pub(in crate::store) fn of(storage: &Storage, piece: Piece) -> Result<Self, DiskError> {
        let inner = &*storage.inner;
        let mut parts = Vec::new();
        for part in inner.layout.geometry.parts_of(piece) {
            if !matches!(inner.locate(&part, piece.index())?, None | Some((PART_FILE, _))) {
                let range = inner.range_in_piece(&part, piece);
                parts.push(Part { file: part.file, range, offset: part.offset, data: false, blank: false });
            }
        }
        Ok(Self { piece, parts })
    }

    /// Scans bytes of the piece from `begin` on.
    pub(in crate::store) fn scan(&mut self, begin: u64, bytes: &[u8]) {
        let seen = begin..begin + bytes.len() as u64;
        for part in &mut self.parts {
            let range = part.range.start.max(seen.start)..part.range.end.min(seen.end);
            if range.is_empty() {
                continue;
            }
            let offset = part.offset + (range.start - part.range.start);
            for page in pages(range, offset) {
                let at = (page.start - begin) as usize..(page.end - begin) as usize;
                part.scan_page(&bytes[at]);
            }
        }
    }

    /// The parts that hold data.
    pub(in crate::store) fn found(self) -> impl Iterator<Item = FilledPart> {
        let piece = self.piece;
        let filled = self.parts.into_iter().filter(|part| part.data);
        filled.map(move |part| FilledPart { piece, file: part.file, whole: !part.blank })
    }
}

impl Part {
    fn scan_page(&mut self, page: &[u8]) {
        if is_blank(page) {
            self.blank = true;
        } else {
            self.data = true;
        }
    }
}

impl Storage {
    /// The parts of a piece that hold data. Holes are not read.
    pub(in crate::store) fn filled_parts(&self, piece: Piece) -> Result<Vec<FilledPart>, DiskError> {
        let inner = &*self.inner;
        let _stay = inner.relocating.read().unwrap_or_else(PoisonError::into_inner);
        let mut parts = FilledParts::of(self, piece)?;
        let mut bytes = Vec::new();
        for part in &mut parts.parts {
            inner.fill(part, &mut bytes)?;
        }
        Ok(parts.found().collect())
    }
}

impl Inner {
    /// The bytes of a piece that a part of a file is.
    pub(super) fn range_in_piece(&self, part: &FilePart, piece: Piece) -> Range<u64> {
        let geometry = &self.layout.geometry;
        let start = geometry.file_range(part.file).start + part.offset - geometry.piece_range(piece).start;
        start..start + part.len
    }

    /// Reads a part until it is known to hold both data and blank pages, or to its end.
    fn fill(&self, part: &mut Part, bytes: &mut Vec<u8>) -> Result<(), DiskError> {
        let key = part.file.0;
        let open = match self.open_to_read(key) {
            Err(error) if matches!(error.kind, DiskErrorKind::Missing | DiskErrorKind::NotPlain) => {
                return Ok(());
            }
            other => other?,
        };
        let failed = |error| DiskError::from_io("read", self.full_path(key), &error);
        let size = open.file.metadata().map_err(failed)?.len();
        let mut at = part.range.start;
        while at < part.range.end && !(part.data && part.blank) {
            let offset = part.offset + (at - part.range.start);
            let end = part.range.end.min(at + CHUNK_LEN - offset % PAGE_LEN);
            let present = size.saturating_sub(offset).min(end - at);
            if present < end - at {
                part.blank = true;
            }
            if present == 0 || is_hole(&open.file, offset, present) {
                part.blank = true;
            } else {
                bytes.resize(present as usize, 0);
                match read_at(&open.file, offset, &mut [IoSliceMut::new(bytes)]) {
                    // The file was cut off meanwhile.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => bytes.fill(0),
                    other => other.map_err(failed)?,
                }
                for page in pages(at..at + present, offset) {
                    part.scan_page(&bytes[(page.start - at) as usize..(page.end - at) as usize]);
                }
            }
            at = end;
        }
        Ok(())
    }
}

/// The pages of a file that a range of a piece touches, cut to the range, which begins at `offset` in the file.
pub(super) fn pages(range: Range<u64>, offset: u64) -> impl Iterator<Item = Range<u64>> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        let page = at..range.end.min(at + PAGE_LEN - (offset + (at - range.start)) % PAGE_LEN);
        at = page.end;
        (page.start < page.end).then_some(page)
    })
}

/// Whether bytes are all zeros.
fn is_blank(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}
