//! Rechecks: hashing the pieces that are on disk.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::Done;
use crate::base::{Bitfield, Piece};
use crate::hash;
use crate::proto::metainfo::PieceDigest;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::storage::{FilledPart, FilledParts, Presence, Storage};

/// Bytes read in one step: small enough to stay in the cache until they are hashed.
const STEP_LEN: usize = 4 << 20;
/// Maximum bytes of a step that hashes several long pieces at once. A longer piece is hashed as it is read.
const MAX_STEP: usize = 32 << 20;
/// Bytes read at once of such a piece.
const CHUNK_LEN: usize = 1 << 20;

/// The progress of a recheck, and the way to cancel it. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Progress {
    shared: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    done: AtomicU32,
    good: AtomicU32,
    cancelled: AtomicBool,
}

impl Progress {
    /// No progress yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of pieces checked.
    pub fn done(&self) -> u32 {
        self.shared.done.load(Ordering::Relaxed)
    }

    /// Number of checked pieces that are right.
    pub fn good(&self) -> u32 {
        self.shared.good.load(Ordering::Relaxed)
    }

    /// Cancels the work; it ends with [`DiskErrorKind::Cancelled`] soon.
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    /// Whether the work was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    pub(in crate::store) fn count(&self, pieces: u32, good: u32) {
        self.shared.done.fetch_add(pieces, Ordering::Relaxed);
        self.shared.good.fetch_add(good, Ordering::Relaxed);
    }
}

/// The result of a recheck.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checked {
    /// The pieces that are right.
    pub good: Bitfield,
    /// The parts of wrong pieces that hold more than zeros, in the order of pieces.
    pub filled: Vec<FilledPart>,
}

/// A recheck that several threads work on.
pub(super) struct CheckJob {
    storage: Storage,
    pieces: Vec<Piece>,
    per_step: usize,
    next: AtomicUsize,
    progress: Progress,
    state: Mutex<Outcome>,
}

struct Outcome {
    good: Bitfield,
    filled: Vec<FilledPart>,
    checked: usize,
    /// The digests of zeros, by length: holes are hashed without reading them.
    zeros: BTreeMap<u32, PieceDigest>,
    error: Option<DiskError>,
    done: Option<Done<Result<Checked, DiskError>>>,
}

impl CheckJob {
    pub(super) fn new(
        storage: Storage,
        pieces: &Bitfield,
        progress: Progress,
        done: Done<Result<Checked, DiskError>>,
    ) -> Self {
        let geometry = &storage.layout().geometry;
        let count = geometry.piece_count();
        let piece_len = geometry.piece_len() as usize;
        let per_step = (STEP_LEN / piece_len).max(hash::lanes().min(MAX_STEP / piece_len)).clamp(1, 1024);
        let pieces = pieces.iter().filter(|piece| piece.index() < count).collect();
        let outcome = Outcome {
            good: Bitfield::none(count),
            filled: Vec::new(),
            checked: 0,
            zeros: BTreeMap::new(),
            error: None,
            done: Some(done),
        };
        Self { storage, pieces, per_step, next: AtomicUsize::new(0), progress, state: Mutex::new(outcome) }
    }

    /// Whether a step is left. A check of no pieces has one step, which reports the result.
    pub(super) fn has_steps(&self) -> bool {
        let next = self.next.load(Ordering::Relaxed);
        next < self.pieces.len() || (self.pieces.is_empty() && next == 0)
    }

    pub(super) fn cancel(&self) {
        self.finish(Some(DiskError::new(DiskErrorKind::Cancelled, "check", self.storage.root())));
    }

    /// Does the next step, if one is left.
    pub(super) fn step(&self, scratch: &mut Vec<u8>) {
        self.take_step(scratch);
        if !self.has_steps() {
            // The memory may not be needed again for long.
            *scratch = Vec::new();
        }
    }

    fn take_step(&self, scratch: &mut Vec<u8>) {
        let from = self.next.fetch_add(self.per_step, Ordering::Relaxed);
        if self.progress.is_cancelled() {
            self.next.store(usize::MAX / 2, Ordering::Relaxed);
            return self.cancel();
        }
        let to = (from + self.per_step).min(self.pieces.len());
        let Some(mine) = self.pieces.get(from..to) else { return };
        for &piece in self.pieces.iter().skip(to).take(self.per_step) {
            self.storage.will_read(piece);
        }
        match self.verify_pieces(mine, scratch) {
            Ok((good, filled)) => {
                self.progress.count(mine.len() as u32, good.len() as u32);
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.checked += mine.len();
                for piece in good {
                    state.good.insert(piece);
                }
                state.filled.extend(filled);
                let all = state.checked == self.pieces.len();
                drop(state);
                if all {
                    self.finish(None);
                }
            }
            Err(error) => {
                self.next.store(usize::MAX / 2, Ordering::Relaxed);
                self.finish(Some(error));
            }
        }
    }

    fn finish(&self, error: Option<DiskError>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.error = state.error.take().or(error);
        let result = if let Some(error) = &state.error {
            Err(error.clone())
        } else {
            let mut filled = std::mem::take(&mut state.filled);
            filled.sort_unstable();
            Ok(Checked { good: state.good.clone(), filled })
        };
        let done = state.done.take();
        drop(state);
        if let Some(done) = done {
            done(result);
        }
    }

    /// Returns the pieces that are right, and the parts of the others that hold data.
    fn verify_pieces(
        &self,
        pieces: &[Piece],
        scratch: &mut Vec<u8>,
    ) -> Result<(Vec<Piece>, Vec<FilledPart>), DiskError> {
        let layout = self.storage.layout();
        let geometry = &layout.geometry;
        let right = |piece: Piece, digest: &PieceDigest| layout.hashes.verify(piece, digest);
        let (mut good, mut filled) = (Vec::new(), Vec::new());
        let mut to_read = Vec::new();
        for &piece in pieces {
            match self.storage.presence(piece)? {
                Presence::Absent => filled.extend(self.storage.filled_parts(piece)?),
                Presence::Hole => {
                    if right(piece, &self.digest_of_zeros(geometry.len_of(piece))) {
                        good.push(piece);
                    }
                }
                Presence::Data => to_read.push(piece),
            }
        }
        if geometry.piece_len() as usize > MAX_STEP {
            for piece in to_read {
                let mut parts = FilledParts::of(&self.storage, piece)?;
                match self.hash_in_chunks(piece, scratch, &mut parts)? {
                    Some(digest) if right(piece, &digest) => good.push(piece),
                    Some(_) => filled.extend(parts.found()),
                    None => filled.extend(self.storage.filled_parts(piece)?),
                }
            }
            return Ok((good, filled));
        }
        let piece_len = geometry.piece_len() as usize;
        scratch.resize(scratch.len().max(to_read.len() * piece_len), 0);
        let mut read = Vec::with_capacity(to_read.len());
        for (piece, place) in to_read.into_iter().zip(scratch.chunks_exact_mut(piece_len)) {
            let place = &mut place[..geometry.len_of(piece) as usize];
            if present(self.storage.read(geometry.piece_range(piece).start, &mut [place]))? {
                read.push((piece, &*place));
            } else {
                filled.extend(self.storage.filled_parts(piece)?);
            }
        }
        let digests = hash::sha1_many(read.iter().map(|(_, bytes)| std::iter::once(*bytes)));
        for ((piece, bytes), digest) in read.into_iter().zip(digests) {
            if right(piece, &PieceDigest::V1(digest)) {
                good.push(piece);
            } else {
                let mut parts = FilledParts::of(&self.storage, piece)?;
                parts.scan(0, bytes);
                filled.extend(parts.found());
            }
        }
        Ok((good, filled))
    }

    /// The digest of a piece too long to be held in memory. `parts` sees its bytes, too.
    fn hash_in_chunks(
        &self,
        piece: Piece,
        scratch: &mut Vec<u8>,
        parts: &mut FilledParts,
    ) -> Result<Option<PieceDigest>, DiskError> {
        scratch.resize(scratch.len().max(CHUNK_LEN), 0);
        let range = self.storage.layout().geometry.piece_range(piece);
        let mut hasher = hash::Sha1::new();
        let mut at = range.start;
        while at < range.end {
            let chunk = &mut scratch[..CHUNK_LEN.min((range.end - at) as usize)];
            if !present(self.storage.read(at, &mut [chunk]))? {
                return Ok(None);
            }
            hasher.update(chunk);
            parts.scan(at - range.start, chunk);
            at += chunk.len() as u64;
        }
        Ok(Some(PieceDigest::V1(hasher.finish())))
    }

    fn digest_of_zeros(&self, len: u32) -> PieceDigest {
        let known = self.state.lock().unwrap_or_else(PoisonError::into_inner).zeros.get(&len).copied();
        known.unwrap_or_else(|| {
            let mut hasher = hash::Sha1::new();
            let zeros = [0; 16_384];
            let mut left = len as usize;
            while left > 0 {
                hasher.update(&zeros[..left.min(zeros.len())]);
                left -= left.min(zeros.len());
            }
            let digest = PieceDigest::V1(hasher.finish());
            self.state.lock().unwrap_or_else(PoisonError::into_inner).zeros.insert(len, digest);
            digest
        })
    }
}

/// Whether a read found its bytes. A file that was removed or truncated meanwhile has none.
fn present(read: Result<(), DiskError>) -> Result<bool, DiskError> {
    match read {
        Ok(()) => Ok(true),
        Err(error) if matches!(error.kind, DiskErrorKind::Missing | DiskErrorKind::Changed) => Ok(false),
        Err(error) => Err(error),
    }
}
