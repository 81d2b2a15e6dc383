//! The schedule of saves of a torrent's resume record.

use super::resume_record::LifetimeTotals;
use crate::base::Moment;

/// The schedule of saves.
pub(super) struct ResumeWriter {
    /// Something changed since the last save.
    pub dirty: bool,
    /// A save is in progress.
    pub saving: bool,
    /// The time of the last save.
    pub last: Moment,
    /// The time of the last save with a flush.
    pub last_sync: Moment,
    /// The last save had no flush.
    pub unsynced: bool,
    /// Totals over all earlier runs.
    pub totals: LifetimeTotals,
    /// A failed save was logged.
    pub complained: bool,
}

impl ResumeWriter {
    pub(super) const fn new(now: Moment, totals: LifetimeTotals) -> Self {
        Self {
            dirty: false,
            saving: false,
            last: now,
            last_sync: now,
            unsynced: false,
            totals,
            complained: false,
        }
    }

    /// Payload uploaded in all earlier runs, in bytes.
    pub(super) const fn sent_before(&self) -> u64 {
        self.totals.sent
    }
}
