//! The encoding of resume records: a version, the fields of [`ResumeRecord`] in order, little-endian and with
//! counts before lists, and the SHA-1 digest of all that.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::record::ResumeRecord;
use crate::base::{BLOCK_LEN, Bitfield, InfoHashes, MAX_PIECE_LEN, MAX_PIECES};
use crate::hash;
use crate::store::storage::{FileStamp, FileStamps};

/// The version of records that torr writes, and the newest it reads.
const VERSION: u16 = 4;
/// The last version whose records name no unfinished pieces.
const WITHOUT_UNFINISHED: u16 = 3;
/// The last version whose records end with boot id and name, see [`Reader::old`].
const OLD: u16 = 2;

/// Maximum number of unfinished pieces: many times those whose blocks fit into memory.
const MAX_UNFINISHED: usize = 1 << 16;
/// Maximum number of blocks in a piece.
const MAX_BLOCKS: u32 = MAX_PIECE_LEN / BLOCK_LEN;

/// An error of decoding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RecordError {
    /// A newer version of torr wrote the record.
    Newer,
    /// The record is damaged.
    Damaged,
}

impl ResumeRecord {
    /// Encodes the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        encode(self)
    }

    /// Decodes a record; `None` if it is damaged or written by a newer torr.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        decode(bytes).ok()
    }
}

fn encode(record: &ResumeRecord) -> Vec<u8> {
    let mut out = Vec::new();
    out.extend(VERSION.to_le_bytes());
    put_bytes(&mut out, record.id.to_string().as_bytes());
    put_bytes(&mut out, record.folder.as_os_str().as_bytes());
    put_bytes(&mut out, record.root_name.as_deref().unwrap_or_default().as_bytes());
    put_bytes(&mut out, record.mount.as_deref().unwrap_or_default().as_bytes());
    put_number(&mut out, record.stamps.files.len() as u64);
    for stamp in record.stamps.files.iter().chain([&record.stamps.part]) {
        match stamp {
            None => out.push(0),
            Some(stamp) => {
                out.push(1);
                put_number(&mut out, stamp.size);
                put_number(&mut out, stamp.mtime_ns as u64);
                put_number(&mut out, stamp.ctime_ns as u64);
                put_number(&mut out, stamp.inode);
            }
        }
    }
    put_number(&mut out, u64::from(record.written.len()));
    put_bytes(&mut out, record.flushed.as_bytes());
    put_bytes(&mut out, record.written.as_bytes());
    put_number(&mut out, record.uploaded);
    put_number(&mut out, record.downloaded);
    put_time(&mut out, Some(record.added));
    put_time(&mut out, record.finished);
    put_time(&mut out, Some(record.saved));
    out.push(u8::from(record.running));
    out.push(u8::from(record.partial));
    put_unfinished(&mut out, &record.unfinished);
    let digest = hash::sha1(&out);
    out.extend(digest);
    out
}

fn decode(bytes: &[u8]) -> Result<ResumeRecord, RecordError> {
    let version = bytes.first_chunk().copied().map(u16::from_le_bytes).ok_or(RecordError::Damaged)?;
    let (body, digest) = bytes.split_last_chunk::<20>().ok_or(RecordError::Damaged)?;
    if hash::sha1(body) != *digest {
        return Err(RecordError::Damaged);
    }
    if version > VERSION {
        return Err(RecordError::Newer);
    }
    let mut reader = Reader { rest: body.get(2..).unwrap_or_default(), version };
    let record = reader.record()?;
    if reader.rest.is_empty() { Ok(record) } else { Err(RecordError::Damaged) }
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_le_bytes());
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend(bytes);
}

/// Appends the number of pieces, and of each its index, the number of its ranges, and their starts and ends.
fn put_unfinished(out: &mut Vec<u8>, unfinished: &BTreeMap<u32, Vec<Range<u32>>>) {
    put_number(out, unfinished.len().min(MAX_UNFINISHED) as u64);
    for (&piece, ranges) in unfinished.iter().take(MAX_UNFINISHED) {
        put_number(out, u64::from(piece));
        put_number(out, ranges.len() as u64);
        for range in ranges {
            put_number(out, u64::from(range.start));
            put_number(out, u64::from(range.end));
        }
    }
}

/// Appends nanoseconds since 1970, at least 1; 0 means none.
fn put_time(out: &mut Vec<u8>, time: Option<SystemTime>) {
    let since = time.map(|time| time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    put_number(out, since.map_or(0, |since| u64::try_from(since.as_nanos()).unwrap_or(u64::MAX).max(1)));
}

struct Reader<'a> {
    rest: &'a [u8],
    version: u16,
}

impl<'a> Reader<'a> {
    fn record(&mut self) -> Result<ResumeRecord, RecordError> {
        let damaged = RecordError::Damaged;
        let id = std::str::from_utf8(self.bytes()?).map_err(|_| damaged)?;
        let id: InfoHashes = id.parse().map_err(|_| damaged)?;
        let folder = PathBuf::from(OsString::from_vec(self.bytes()?.to_vec()));
        let (root_name, mount) = if self.is_old() { (None, None) } else { (self.text()?, self.text()?) };
        let count = self.number()? as usize;
        if count > self.rest.len() {
            return Err(damaged);
        }
        let files = (0..count).map(|_| self.stamp()).collect::<Result<_, _>>()?;
        let stamps = FileStamps { files, part: self.stamp()? };
        let pieces = self.number()?;
        let pieces = u32::try_from(pieces).ok().filter(|&pieces| pieces <= MAX_PIECES).ok_or(damaged)?;
        let flushed = self.pieces(pieces)?;
        let written = if self.is_old() { flushed.clone() } else { self.pieces(pieces)? };
        if flushed.iter().any(|piece| !written.has(piece)) {
            return Err(damaged);
        }
        let record = ResumeRecord {
            id,
            folder,
            root_name,
            stamps,
            flushed,
            written,
            mount,
            uploaded: self.number()?,
            downloaded: self.number()?,
            added: self.time()?.ok_or(damaged)?,
            finished: self.time()?,
            saved: self.time()?.ok_or(damaged)?,
            running: self.flag()?,
            partial: self.flag()?,
            unfinished: if self.version <= WITHOUT_UNFINISHED {
                BTreeMap::new()
            } else {
                self.unfinished(pieces)?
            },
        };
        if self.is_old() { self.old(record) } else { Ok(record) }
    }

    const fn is_old(&self) -> bool {
        self.version <= OLD
    }

    /// Reads the rest of an old record: the boot id if its pieces were written without a flush, and after a zero the
    /// name of the torrent's files on disk, if it differs from the torrent's own name.
    fn old(&mut self, record: ResumeRecord) -> Result<ResumeRecord, RecordError> {
        let extra = self.bytes()?;
        let (boot, name) = match extra.iter().position(|&byte| byte == 0) {
            Some(at) => {
                let name = std::str::from_utf8(&extra[at + 1..]).ok().filter(|name| !name.is_empty());
                (&extra[..at], name)
            }
            None => (extra, None),
        };
        let flushed = if boot.is_empty() { record.flushed } else { Bitfield::none(record.written.len()) };
        Ok(ResumeRecord { flushed, root_name: name.map(str::to_owned), ..record })
    }

    fn pieces(&mut self, count: u32) -> Result<Bitfield, RecordError> {
        Bitfield::from_bytes(self.bytes()?, count).ok_or(RecordError::Damaged)
    }

    /// Reads the unfinished pieces of a torrent of this many pieces. Nothing is set aside for a count before the
    /// bytes that it counts are there.
    fn unfinished(&mut self, pieces: u32) -> Result<BTreeMap<u32, Vec<Range<u32>>>, RecordError> {
        let mut unfinished = BTreeMap::new();
        let count = self.number()?;
        if count > MAX_UNFINISHED as u64 {
            return Err(RecordError::Damaged);
        }
        let mut next = 0;
        for _ in 0..count {
            let piece = self.number_in(next..pieces)?;
            next = piece + 1;
            let (ranges, mut end) = (self.number()?, 0);
            let mut blocks = Vec::new();
            for _ in 0..ranges {
                let start = self.number_in(end..MAX_BLOCKS)?;
                end = self.number_in(start + 1..MAX_BLOCKS + 1)?;
                blocks.push(start..end);
            }
            unfinished.insert(piece, blocks);
        }
        Ok(unfinished)
    }

    /// Reads a number of this range.
    fn number_in(&mut self, range: Range<u32>) -> Result<u32, RecordError> {
        let number = u32::try_from(self.number()?).ok();
        number.filter(|number| range.contains(number)).ok_or(RecordError::Damaged)
    }

    /// Reads a text; `None` if it is empty.
    fn text(&mut self) -> Result<Option<String>, RecordError> {
        let text = std::str::from_utf8(self.bytes()?).map_err(|_| RecordError::Damaged)?;
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], RecordError> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(RecordError::Damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, RecordError> {
        let (number, rest) = self.rest.split_first_chunk().ok_or(RecordError::Damaged)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*number))
    }

    fn flag(&mut self) -> Result<bool, RecordError> {
        match self.take(1)? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(RecordError::Damaged),
        }
    }

    fn bytes(&mut self) -> Result<&'a [u8], RecordError> {
        let len = self.number()?;
        self.take(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn stamp(&mut self) -> Result<Option<FileStamp>, RecordError> {
        if !self.flag()? {
            return Ok(None);
        }
        let (size, mtime_ns) = (self.number()?, self.number()? as i64);
        // Version 1 had neither field: with these values no file matches and all are rechecked.
        let (ctime_ns, inode) = match self.version {
            ..2 => (i64::MAX, 0),
            _ => (self.number()? as i64, self.number()?),
        };
        Ok(Some(FileStamp { size, mtime_ns, ctime_ns, inode }))
    }

    fn time(&mut self) -> Result<Option<SystemTime>, RecordError> {
        match self.number()? {
            0 => Ok(None),
            since => {
                let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_nanos(since));
                time.map(Some).ok_or(RecordError::Damaged)
            }
        }
    }
}

#[cfg(test)]
mod tests;
