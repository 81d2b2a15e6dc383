//! Hashes files end to end, piece by piece, on all processors and several pieces at once.

use std::fs::File;
use std::io::IoSliceMut;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::base::{Geometry, Piece, Sha1Digest};
use crate::hash;
use crate::store::disk::Progress;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::write_strategy::read_at;

/// Bytes that a thread reads before it hashes them; more would not stay in the cache.
const BATCH_LEN: usize = 4 << 20;
/// Longer pieces are hashed as they are read, so that memory does not grow with the piece length.
const MAX_HELD: usize = 16 << 20;

/// Hashes the pieces of these files, each a path and its length, end to end. A file without a path is padding
/// (BEP 47). If the length of a file has changed, the error is [`DiskErrorKind::Changed`].
pub fn hash_pieces(
    files: &[(Option<PathBuf>, u64)],
    geometry: &Geometry,
    threads: usize,
    progress: &Progress,
) -> Result<Vec<Sha1Digest>, DiskError> {
    let all: Vec<Piece> = geometry.pieces().collect();
    hash_some_pieces(files, geometry, &all, threads, progress)
}

/// Hashes the given pieces and returns their digests in the same order.
pub fn hash_some_pieces(
    files: &[(Option<PathBuf>, u64)],
    geometry: &Geometry,
    pieces: &[Piece],
    threads: usize,
    progress: &Progress,
) -> Result<Vec<Sha1Digest>, DiskError> {
    let count = pieces.len();
    let shape = files.iter().map(|(path, len)| (*len, path.is_none()));
    let same = Geometry::new(u64::from(geometry.piece_len()), shape).is_ok_and(|shape| shape == *geometry);
    if !same {
        return Err(DiskError::new(DiskErrorKind::Invalid, "hash", ""));
    }
    let piece_len = geometry.piece_len() as usize;
    let per_step =
        (BATCH_LEN / piece_len).clamp(hash::lanes().max(1).min((64 << 20) / piece_len).max(1), 1024);
    let next = AtomicUsize::new(0);
    let outcome = Mutex::new((vec![[0; 20]; count], None));
    let work = || {
        let mut reader = Reader { files, geometry, open: None };
        let room = if piece_len > MAX_HELD { BATCH_LEN } else { per_step.min(count) * piece_len };
        let mut scratch = vec![0; room];
        loop {
            let from = next.fetch_add(per_step, Ordering::Relaxed);
            if from >= count {
                return;
            }
            let result = reader.digests(&pieces[from..count.min(from + per_step)], &mut scratch);
            let result = if progress.is_cancelled() {
                Err(DiskError::new(DiskErrorKind::Cancelled, "hash", ""))
            } else {
                result
            };
            let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
            match result {
                Ok(digests) => {
                    progress.count(digests.len() as u32, digests.len() as u32);
                    outcome.0[from..from + digests.len()].copy_from_slice(&digests);
                }
                Err(error) => {
                    next.store(usize::MAX / 2, Ordering::Relaxed);
                    outcome.1.get_or_insert(error);
                    return;
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.clamp(1, count.div_ceil(per_step).max(1)) {
            scope.spawn(work);
        }
        work();
    });
    match outcome.into_inner().unwrap_or_else(PoisonError::into_inner) {
        (digests, None) => Ok(digests),
        (_, Some(error)) => Err(error),
    }
}

struct Reader<'a> {
    files: &'a [(Option<PathBuf>, u64)],
    geometry: &'a Geometry,
    /// The file read last, which the next piece most likely continues.
    open: Option<(u32, File)>,
}

impl Reader<'_> {
    fn digests(&mut self, pieces: &[Piece], scratch: &mut [u8]) -> Result<Vec<Sha1Digest>, DiskError> {
        if self.geometry.piece_len() as usize > MAX_HELD {
            return pieces.iter().map(|&piece| self.digest_in_chunks(piece, scratch)).collect();
        }
        let mut rest = &mut *scratch;
        let mut read = Vec::with_capacity(pieces.len());
        for &piece in pieces {
            let (place, later) = std::mem::take(&mut rest).split_at_mut(self.geometry.len_of(piece) as usize);
            rest = later;
            self.read(self.geometry.piece_range(piece).start, place)?;
            read.push(&*place);
        }
        Ok(hash::sha1_many(read.iter().map(|bytes| std::iter::once(*bytes))))
    }

    fn digest_in_chunks(&mut self, piece: Piece, scratch: &mut [u8]) -> Result<Sha1Digest, DiskError> {
        let mut at = self.geometry.piece_range(piece);
        let mut hash = hash::Sha1::new();
        while !at.is_empty() {
            let len = (at.end - at.start).min(scratch.len() as u64);
            let run = &mut scratch[..len as usize];
            self.read(at.start, run)?;
            hash.update(run);
            at.start += len;
        }
        Ok(hash.finish())
    }

    /// Fills `place` from byte `from` of the torrent on.
    fn read(&mut self, from: u64, mut place: &mut [u8]) -> Result<(), DiskError> {
        for part in self.geometry.parts(from..from + place.len() as u64) {
            let (now, later) = std::mem::take(&mut place).split_at_mut(part.len as usize);
            place = later;
            match &self.files[part.file.0 as usize] {
                (None, _) => now.fill(0),
                (Some(path), len) => {
                    let failed = |error| DiskError::from_io("read", path.as_path(), &error);
                    if self.open.as_ref().is_none_or(|(file, _)| *file != part.file.0) {
                        let file = File::open(path).map_err(failed)?;
                        if file.metadata().map_err(failed)?.len() != *len {
                            return Err(DiskError::new(DiskErrorKind::Changed, "read", path.as_path()));
                        }
                        self.open = Some((part.file.0, file));
                    }
                    if let Some((_, file)) = &self.open {
                        read_at(file, part.offset, &mut [IoSliceMut::new(now)]).map_err(failed)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_hashed_over_files_and_padding() {
        let folder = tempfile::tempdir().unwrap();
        let lens = [100_000_u64, 0, 31_072, 77_777];
        let mut line = Vec::new();
        let files: Vec<_> = lens
            .iter()
            .enumerate()
            .map(|(at, &len)| {
                let bytes: Vec<u8> = (0..len).map(|i| (i % 253) as u8 ^ at as u8).collect();
                // The third is padding.
                if at == 2 {
                    line.extend(vec![0; bytes.len()]);
                    return (None, len);
                }
                let path = folder.path().join(at.to_string());
                std::fs::write(&path, &bytes).unwrap();
                line.extend(bytes);
                (Some(path), len)
            })
            .collect();
        let shape = files.iter().map(|(path, len)| (*len, path.is_none()));
        let geometry = Geometry::new(16_384, shape).unwrap();
        let expected: Vec<_> = line.chunks(16_384).map(hash::sha1).collect();
        for threads in [1, 3] {
            let progress = Progress::new();
            assert_eq!(hash_pieces(&files, &geometry, threads, &progress).unwrap(), expected);
            assert_eq!(progress.done(), geometry.piece_count());
        }
        let some: Vec<Piece> = geometry.pieces().step_by(3).collect();
        let found = hash_some_pieces(&files, &geometry, &some, 2, &Progress::new()).unwrap();
        assert_eq!(found, expected.iter().copied().step_by(3).collect::<Vec<_>>());
        assert!(hash_some_pieces(&files, &geometry, &[], 2, &Progress::new()).unwrap().is_empty());
        // A piece that is longer than all of it, read in runs.
        let long = Geometry::new(32 << 20, files.iter().map(|(path, len)| (*len, path.is_none()))).unwrap();
        assert_eq!(hash_pieces(&files, &long, 2, &Progress::new()).unwrap(), [hash::sha1(&line)]);
        let progress = Progress::new();
        progress.cancel();
        let cancelled = hash_pieces(&files, &geometry, 2, &progress).unwrap_err();
        assert_eq!(cancelled.kind, DiskErrorKind::Cancelled);
        std::fs::write(folder.path().join("0"), "short").unwrap();
        let changed = hash_pieces(&files, &geometry, 2, &Progress::new()).unwrap_err();
        assert_eq!(changed.kind, DiskErrorKind::Changed);
    }
}
