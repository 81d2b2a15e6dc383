//! Blocks of unfinished pieces on the disk: written to their places while the download goes on, and read back by a
//! later run. Only the hash of the whole piece decides whether they are right.

use std::ops::Range;

use super::error::{DiskError, DiskErrorKind};
use super::piece_buffer::{LentBlocks, PieceBuffer};
use super::pool::{Buf, Pool};
use super::storage::Storage;
use super::torrent_store::ResumeRecord;
use crate::base::{BLOCK_LEN, Bitfield, FileIndex, Piece, RUN_BLOCKS, RUN_LEN, Sha1Digest};
use crate::hash::{Part, Stream, sha1_parts};

/// Memory for restored blocks.
pub struct RestoreMemory<'a> {
    /// The pool that the buffers are taken from.
    pub pool: &'a Pool,
    /// Maximum bytes that all unfinished pieces may hold.
    pub budget: u64,
    /// Whether a piece of this many blocks is segmented.
    pub is_segmented: &'a dyn Fn(u32) -> bool,
}

impl LentBlocks {
    /// Writes the blocks to their places, unless their piece was given up.
    pub fn save(&self, storage: &Storage) -> Result<(), DiskError> {
        if self.is_stale() {
            return Ok(());
        }
        self.bufs.chunk_by(|(one, _), (next, _)| one + 1 == *next).try_for_each(|run| {
            let chunks: Vec<&Buf> = run.iter().map(|(_, buf)| buf).collect();
            storage.write_unverified(self.piece(), u64::from(run[0].0) * u64::from(BLOCK_LEN), &chunks)
        })
    }
}

/// Reads the blocks of the record's unfinished pieces, except those in `have`, into new buffers. `wanted` says which
/// files are wanted. Left out are pieces whose files have changed, and those beyond the memory.
pub fn restore_unfinished(
    storage: &Storage,
    record: &ResumeRecord,
    have: &Bitfield,
    wanted: &[bool],
    memory: &RestoreMemory<'_>,
    cancelled: impl Fn() -> bool,
) -> Result<Vec<PieceBuffer>, DiskError> {
    let geometry = &*storage.layout().geometry;
    let stamps = storage.file_stamps()?;
    let unchanged = |file: Option<FileIndex>| {
        let of = |stamps: &super::FileStamps| match file {
            None => stamps.part,
            Some(FileIndex(at)) => stamps.files.get(at as usize).copied().flatten(),
        };
        of(&record.stamps).zip(of(&stamps)).is_some_and(|(old, new)| record.accepts(old, new))
    };
    let is_wanted = |piece| {
        let mut parts = geometry.parts_of(piece);
        parts.any(|part| !part.pad && wanted.get(part.file.0 as usize).copied().unwrap_or(true))
    };
    let (mut restored, mut left) = (Vec::new(), memory.budget);
    for (&index, ranges) in &record.unfinished {
        if cancelled() {
            return Err(DiskError::new(DiskErrorKind::Cancelled, "read", storage.root()));
        }
        let Some(piece) = geometry.piece(index).filter(|&piece| !have.has(piece) && is_wanted(piece)) else {
            continue;
        };
        let total = geometry.blocks_in(piece);
        let segmented = (memory.is_segmented)(total);
        let last = ranges.last().map_or(0, |range| range.end);
        // Files of the piece in which nothing was saved need not be there.
        let is_unchanged = |range: &Range<u32>| {
            let byte = |block: u32| u64::from(block) * u64::from(BLOCK_LEN);
            storage.unverified_bytes_lie_in(piece, byte(range.start)..byte(range.end), wanted, unchanged)
        };
        if last > total || !ranges.iter().all(is_unchanged) {
            continue;
        }
        let front = if segmented { front(ranges.first(), total) } else { 0 };
        let held = u64::from(if segmented { (last - front).max(RUN_BLOCKS) } else { total });
        let held = held * u64::from(BLOCK_LEN);
        if held > left {
            continue;
        }
        let mut buffer = if segmented {
            match hash_front(storage, piece, front, wanted, &cancelled) {
                Ok((stream, digests)) => PieceBuffer::segmented_after(geometry, piece, stream, digests),
                Err(error) => {
                    tracing::debug!(%error, index, "an unfinished piece is not restored");
                    continue;
                }
            }
        } else {
            PieceBuffer::new(geometry, piece)
        };
        for range in ranges {
            read_blocks(storage, &mut buffer, range.start.max(front)..range.end, wanted, memory.pool);
        }
        if front > 0 || buffer.received().next().is_some() {
            left -= held;
            restored.push(buffer);
        }
    }
    Ok(restored)
}

/// Number of blocks at the front of a segmented piece that left in segments, all but the last segment at most.
fn front(first: Option<&Range<u32>>, total: u32) -> u32 {
    let there = first.filter(|range| range.start == 0).map_or(0, |range| range.end);
    there.min(total.saturating_sub(1)) / RUN_BLOCKS * RUN_BLOCKS
}

/// Hashes the first `front` blocks of a piece, segment by segment, and each block for itself.
fn hash_front(
    storage: &Storage,
    piece: Piece,
    front: u32,
    wanted: &[bool],
    cancelled: impl Fn() -> bool,
) -> Result<(Stream, Vec<Sha1Digest>), DiskError> {
    let (mut stream, mut digests) = (Stream::default(), Vec::new());
    let mut bytes = if front > 0 { vec![0; RUN_LEN as usize] } else { Vec::new() };
    for begin in (0..u64::from(front) * u64::from(BLOCK_LEN)).step_by(RUN_LEN as usize) {
        if cancelled() {
            return Err(DiskError::new(DiskErrorKind::Cancelled, "read", storage.root()));
        }
        storage.read_unverified(piece, begin, &mut [&mut bytes], wanted)?;
        let chunks: Vec<&[u8]> = bytes.chunks(BLOCK_LEN as usize).collect();
        let (streams, new) = sha1_parts(&[Part { from: stream, chunks: &chunks, last: false }]);
        stream = streams[0];
        digests.extend(new);
    }
    Ok((stream, digests))
}

/// Reads blocks into a buffer, as far as there is memory and they can be read.
fn read_blocks(storage: &Storage, buffer: &mut PieceBuffer, range: Range<u32>, wanted: &[bool], pool: &Pool) {
    let geometry = &*storage.layout().geometry;
    let blocks: Vec<_> = range.filter_map(|index| geometry.block(buffer.piece(), index)).collect();
    let mut bufs = pool.take_many(blocks.len());
    let mut slices: Vec<&mut [u8]> = Vec::new();
    for (block, buf) in blocks.iter().zip(&mut bufs) {
        buf.set_len(block.len() as usize);
        slices.push(&mut buf.whole_mut()[..block.len() as usize]);
    }
    let Some(first) = blocks.first() else { return };
    if let Err(error) = storage.read_unverified(buffer.piece(), u64::from(first.begin()), &mut slices, wanted)
    {
        return tracing::debug!(%error, piece = buffer.piece().index(), "blocks are not restored");
    }
    for (&block, buf) in blocks.iter().zip(bufs) {
        buffer.insert_saved(block, buf);
    }
}

#[cfg(test)]
mod tests;
