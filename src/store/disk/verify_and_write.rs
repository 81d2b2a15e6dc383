//! Verify, then write: whole pieces are hashed several at once, and the right ones are written.

use super::Done;
use crate::base::{Piece, Sha1Digest};
use crate::hash;
use crate::proto::metainfo::PieceDigest;
use crate::store::error::{DiskError, DiskErrorKind};
use crate::store::piece_buffer::PieceBuffer;
use crate::store::pool::Buf;
use crate::store::storage::Storage;

/// The result of verifying and writing a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PieceOutcome {
    /// The piece has the right hash and is written, though not yet synced.
    Verified {
        /// The verified piece.
        piece: Piece,
        /// The digests of its blocks if they were asked for; otherwise empty.
        digests: Vec<Sha1Digest>,
    },
    /// The piece has the wrong hash; its blocks are dropped.
    HashFailed {
        /// The wrong piece.
        piece: Piece,
        /// The digests of its blocks, for the smart ban.
        digests: Vec<Sha1Digest>,
    },
    /// The piece could not be written; its blocks are dropped.
    WriteFailed {
        /// The piece that was not written.
        piece: Piece,
        /// The error of the disk.
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

/// Hashes the pieces side by side, then writes the right ones.
pub(super) fn write_pieces(jobs: Vec<PieceJob>) {
    let mut whole = Vec::with_capacity(jobs.len());
    for job in jobs {
        let piece = job.buffer.piece();
        if let Ok(bufs) = job.buffer.into_bufs() {
            whole.push((job.storage, piece, bufs, job.digests, job.done));
        } else {
            let error = DiskError::new(DiskErrorKind::Invalid, "write to", job.storage.root());
            (job.done)(PieceOutcome::WriteFailed { piece, error: error.with_detail("blocks are missing") });
        }
    }
    let found = hash::sha1_many(whole.iter().map(|(_, _, bufs, ..)| bufs));
    for ((storage, piece, bufs, digests, done), found) in whole.into_iter().zip(found) {
        let right = storage.layout().hashes.verify(piece, &PieceDigest::V1(found));
        let outcome = write_if_right(&storage, piece, &bufs, digests, right);
        // The caller may rely on the memory being free.
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
