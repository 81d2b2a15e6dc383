//! Verify, then write: several whole pieces are hashed at once, and those that are right are written.

use super::Done;
use crate::base::{Piece, Sha1Digest};
use crate::hash;
use crate::proto::metainfo::PieceDigest;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::piece_buffer::PieceBuffer;
use crate::store::pool::Buf;
use crate::store::storage::Storage;

/// What became of a piece that was to be kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PieceOutcome {
    /// It has the right digest and is in the files, if not yet durable.
    Verified {
        /// Which.
        piece: Piece,
        /// The digest of each of its blocks, where they were asked for; else empty.
        digests: Vec<Sha1Digest>,
    },
    /// It has another digest; its blocks are gone.
    HashFailed {
        /// Which.
        piece: Piece,
        /// The digest of each of its blocks.
        digests: Vec<Sha1Digest>,
    },
    /// It could not be written; its blocks are gone.
    WriteFailed {
        /// Which.
        piece: Piece,
        /// Why.
        error: DiskError,
    },
}

pub(super) struct PieceJob {
    pub(super) storage: Storage,
    pub(super) buffer: PieceBuffer,
    pub(super) digests: bool,
    pub(super) done: Done<PieceOutcome>,
}

impl PieceJob {
    /// Ends the job without doing it.
    pub(super) fn refuse(self) {
        let error = DiskError::new(DiskErrorKind::Cancelled, "write to", self.storage.root());
        (self.done)(PieceOutcome::WriteFailed { piece: self.buffer.piece(), error });
    }
}

/// Hashes the pieces side by side, then writes one after the other.
pub(super) fn run(jobs: Vec<PieceJob>) {
    let mut whole = Vec::with_capacity(jobs.len());
    for job in jobs {
        let piece = job.buffer.piece();
        if let Ok(bufs) = job.buffer.into_bufs() {
            whole.push((job.storage, piece, bufs, job.digests, job.done));
        } else {
            let error = DiskError::new(DiskErrorKind::Invalid, "write to", job.storage.root());
            (job.done)(PieceOutcome::WriteFailed { piece, error: error.with("blocks are missing") });
        }
    }
    let found = hash::sha1_many(whole.iter().map(|(_, _, bufs, ..)| bufs));
    for ((storage, piece, bufs, digests, done), found) in whole.into_iter().zip(found) {
        let right = storage.layout().hashes.verify(piece, &PieceDigest::V1(found));
        let outcome = write_if_right(&storage, piece, &bufs, digests, right);
        // Who hears of the piece may count on its memory.
        drop(bufs);
        done(outcome);
    }
}

fn write_if_right(storage: &Storage, piece: Piece, bufs: &[Buf], digests: bool, right: bool) -> PieceOutcome {
    let digests = if digests || !right { hash::sha1_each(bufs) } else { Vec::new() };
    if !right {
        return PieceOutcome::HashFailed { piece, digests };
    }
    match storage.write(piece, bufs) {
        Ok(()) => PieceOutcome::Verified { piece, digests },
        Err(error) => PieceOutcome::WriteFailed { piece, error },
    }
}
