//! Runs of pieces that are too long to be held whole: hashed on from where the front of the piece is, and
//! written early.
//!
//! What is written early lies at its place in pieces that nobody claims: it is never served and never
//! named in resume data before the last run has proved the whole piece right. If it proves wrong, its place
//! holds what a hole may hold: anything. Only the place of a file that is there and not wanted is left
//! alone: its bytes wait in the part file until they are proved right.

use super::Done;
use super::keep::PieceOutcome;
use crate::base::BLOCK_LEN;
use crate::hash::{self, Part};
use crate::proto::metainfo::PieceDigest;
use crate::store::assembly::{Front, Run};
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::storage::Storage;

/// What became of a run.
#[derive(Debug)]
pub enum SegmentOutcome {
    /// It is hashed and in its place, and its buffers are free.
    Written(Front),
    /// It was the last, or could not be written: what became of the piece.
    Ended(Front, PieceOutcome),
    /// Its piece was given up before it was written.
    Stale(Front),
}

pub(super) struct SettleJob {
    pub(super) storage: Storage,
    pub(super) run: Run,
    pub(super) done: Done<SegmentOutcome>,
}

impl SettleJob {
    /// Ends the job without doing it.
    pub(super) fn refuse(self) {
        let error = DiskError::new(DiskErrorKind::Cancelled, "write to", self.storage.root());
        let kept = PieceOutcome::WriteFailed { piece: self.run.piece(), error };
        (self.done)(SegmentOutcome::Ended(self.run.front, kept));
    }

    /// Writes what was just hashed, unless it is known to be wrong or its piece is given up.
    fn end(self) {
        let Self { storage, run: Run { mut front, first, bufs, last }, done } = self;
        let piece = front.piece();
        let settled = if front.is_stale() {
            SegmentOutcome::Stale(front)
        } else if last.is_some()
            && !storage.layout().hashes.verify(piece, &PieceDigest::V1(front.stream.digest()))
        {
            let digests = std::mem::take(&mut front.digests);
            SegmentOutcome::Ended(front, PieceOutcome::HashFailed { piece, digests })
        } else {
            let begin = u64::from(first) * u64::from(BLOCK_LEN);
            let written = match last {
                None => storage.write_unverified(piece, begin, &bufs),
                Some(_) => storage.write_last_segment(piece, begin, &bufs),
            };
            match (written, last) {
                (Err(error), _) => SegmentOutcome::Ended(front, PieceOutcome::WriteFailed { piece, error }),
                (Ok(()), None) => SegmentOutcome::Written(front),
                (Ok(()), Some(wanted)) => {
                    let digests = if wanted { std::mem::take(&mut front.digests) } else { Vec::new() };
                    SegmentOutcome::Ended(front, PieceOutcome::Verified { piece, digests })
                }
            }
        };
        // Who hears of the run may count on its memory.
        drop(bufs);
        done(settled);
    }
}

/// Hashes the runs side by side, each of another piece, then writes one after the other.
pub(super) fn settle(mut jobs: Vec<SettleJob>) {
    let parts: Vec<Part<'_, _>> = jobs
        .iter()
        .map(|SettleJob { run, .. }| Part {
            from: run.front.stream,
            chunks: &run.bufs,
            last: run.last.is_some(),
        })
        .collect();
    let (streams, digests) = hash::sha1_parts(&parts);
    let mut digests = digests.into_iter();
    for (job, stream) in jobs.iter_mut().zip(streams) {
        job.run.front.stream = stream;
        job.run.front.digests.extend(digests.by_ref().take(job.run.bufs.len()));
    }
    jobs.into_iter().for_each(SettleJob::end);
}

#[cfg(test)]
mod tests;
