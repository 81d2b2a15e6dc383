//! The schedule of saves of a torrent's resume record.

use super::resume_record::LifetimeTotals;
use crate::base::{Bitfield, Moment};
use crate::store::FileStamps;

/// The schedule of saves.
pub(super) struct ResumeWriter {
    /// Something changed since the last save.
    pub dirty: bool,
    /// A save is in progress.
    pub saving: bool,
    /// The time of the last save.
    pub last: Moment,
    /// The time of the last save of unfinished pieces' blocks.
    pub last_blocks: Moment,
    /// Number of pieces whose blocks are being saved.
    pub saving_blocks: usize,
    /// A flush is in progress.
    pub flushing: bool,
    /// The time of the last flush.
    pub last_flush: Moment,
    /// The pieces that are flushed.
    pub flushed: Bitfield,
    /// The stamps of the files as they were checked, if this run only seeds them; else empty.
    pub stamps: FileStamps,
    /// Totals over all earlier runs.
    pub totals: LifetimeTotals,
    /// A failed save was logged.
    pub complained: bool,
}

impl ResumeWriter {
    pub(super) const fn new(
        now: Moment,
        flushed: Bitfield,
        stamps: FileStamps,
        totals: LifetimeTotals,
    ) -> Self {
        Self {
            dirty: false,
            saving: false,
            last: now,
            last_blocks: now,
            saving_blocks: 0,
            flushing: false,
            last_flush: now,
            flushed,
            stamps,
            totals,
            complained: false,
        }
    }

    /// Payload uploaded in all earlier runs, in bytes.
    pub(super) const fn sent_before(&self) -> u64 {
        self.totals.sent
    }
}
