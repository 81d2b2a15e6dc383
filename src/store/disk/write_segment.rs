//! Segments of pieces that are too long to be held whole: each continues the hash of its piece and is written
//! before the piece is verified.
//!
//! A piece written in this way is never served and never named in resume data before its last segment has
//! verified it. If it proves wrong, its place may hold anything, as a hole may. Existing files that are not
//! wanted are never overwritten: their bytes wait in the part file until the piece is verified.

use super::Done;
use super::verify_and_write::PieceOutcome;
use crate::base::BLOCK_LEN;
use crate::hash::{self, Part};
use crate::proto::metainfo::PieceDigest;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::piece_buffer::{HashState, Segment};
use crate::store::storage::Storage;

/// The result of writing a segment.
#[derive(Debug)]
pub enum SegmentOutcome {
    /// The segment is hashed and written, and its buffers are free.
    Written(HashState),
    /// The last segment, or one that could not be written: the result of the whole piece.
    Ended(HashState, PieceOutcome),
    /// The piece was given up before the segment was written.
    Stale(HashState),
}

pub(super) struct SegmentJob {
    pub(super) storage: Storage,
    pub(super) segment: Segment,
    pub(super) done: Done<SegmentOutcome>,
}

impl SegmentJob {
    /// Ends the job without doing it.
    pub(super) fn refuse(self) {
        let error = DiskError::new(DiskErrorKind::Cancelled, "write to", self.storage.root());
        let outcome = PieceOutcome::WriteFailed { piece: self.segment.piece(), error };
        (self.done)(SegmentOutcome::Ended(self.segment.hash_state, outcome));
    }

    /// Writes the hashed segment, unless its piece is wrong or was given up.
    fn write(self) {
        let Self { storage, segment: Segment { mut hash_state, first, bufs, last }, done } = self;
        let piece = hash_state.piece();
        let outcome = if hash_state.is_stale() {
            SegmentOutcome::Stale(hash_state)
        } else if last.is_some()
            && !storage.layout().hashes.verify(piece, &PieceDigest::V1(hash_state.stream.digest()))
        {
            let digests = std::mem::take(&mut hash_state.digests);
            SegmentOutcome::Ended(hash_state, PieceOutcome::HashFailed { piece, digests })
        } else {
            let begin = u64::from(first) * u64::from(BLOCK_LEN);
            let written = match last {
                None => storage.write_unverified(piece, begin, &bufs),
                Some(_) => storage.write_last_segment(piece, begin, &bufs),
            };
            match (written, last) {
                (Err(error), _) => {
                    SegmentOutcome::Ended(hash_state, PieceOutcome::WriteFailed { piece, error })
                }
                (Ok(()), None) => SegmentOutcome::Written(hash_state),
                (Ok(()), Some(wanted)) => {
                    let digests = if wanted { std::mem::take(&mut hash_state.digests) } else { Vec::new() };
                    SegmentOutcome::Ended(hash_state, PieceOutcome::Verified { piece, digests })
                }
            }
        };
        // The caller may rely on the memory being free.
        drop(bufs);
        done(outcome);
    }
}

/// Hashes segments of different pieces side by side, then writes them.
pub(super) fn write_segments(mut jobs: Vec<SegmentJob>) {
    let parts: Vec<Part<'_, _>> = jobs
        .iter()
        .map(|SegmentJob { segment, .. }| Part {
            from: segment.hash_state.stream,
            chunks: &segment.bufs,
            last: segment.last.is_some(),
        })
        .collect();
    let (streams, digests) = hash::sha1_parts(&parts);
    let mut digests = digests.into_iter();
    for (job, stream) in jobs.iter_mut().zip(streams) {
        job.segment.hash_state.stream = stream;
        job.segment.hash_state.digests.extend(digests.by_ref().take(job.segment.bufs.len()));
    }
    jobs.into_iter().for_each(SegmentJob::write);
}

#[cfg(test)]
mod tests;
