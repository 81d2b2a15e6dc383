//! Bytes at rest: buffers, files, memory maps, disk threads that hash and write pieces, and the stored
//! torrents.
//!
//! This room acts and does not decide. It knows neither peers nor sockets nor an async runtime: callers hand
//! jobs to [`Disk`], whose threads end each job by calling its closure.

#![allow(
    clippy::disallowed_methods,
    reason = "a loud room: it works with threads and with the times of files"
)]

mod atomic;
mod disk;
mod error;
mod files;
mod layout;
mod lock;
mod map;
mod piece_buffer;
mod pool;
mod scan;
mod sigbus;
mod storage;
#[cfg(test)]
mod testing;
mod torrent_store;
mod unfinished;
mod write_strategy;

pub use atomic::write_atomic;
pub use disk::{Checked, Disk, PieceOutcome, Progress, SegmentOutcome};
pub use error::{DiskError, DiskErrorKind};
pub use files::{FilePool, FileStatus};
pub use layout::{Alloc, DiskIo, FileSpec, Layout, StorageOptions};
pub use lock::{TorrentLock, TorrentLocks};
pub use piece_buffer::{HashState, LentBlocks, PieceBuffer, Segment};
pub use pool::{BUF_LEN, Buf, Pool, PoolCounters};
pub use scan::{
    CachedHashes, HashCache, Patterns, Scan, ScanOptions, ScanStamp, ScannedFile, Skipped, first_changed,
    first_unreadable, hash_pieces, hash_some_pieces, matching_piece, scan,
};
pub use storage::{Difference, FileStamp, FileStamps, FilledPart, IfDifferent, Storage, SurveyedFile};
pub use torrent_store::{Change, Owner, ResumeRecord, StoreWriter, TorrentStore, trusted_pieces};
pub use unfinished::{RestoreMemory, restore_unfinished};
