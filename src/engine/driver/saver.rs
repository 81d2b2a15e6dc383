//! When the record of a torrent is saved.

use super::record::Totals;
use crate::base::{Bitfield, Moment};

/// When to save, and what is not saved yet.
pub(super) struct Saver {
    /// Something changed since the last save.
    pub dirty: bool,
    /// A save is under way.
    pub saving: bool,
    /// When it was last saved.
    pub last: Moment,
    /// A flush is under way.
    pub flushing: bool,
    /// When the last flush began.
    pub last_flush: Moment,
    /// The pieces that are on the disk itself.
    pub flushed: Bitfield,
    /// The bytes that were moved in all earlier runs.
    pub totals: Totals,
    /// A save that failed was told of.
    pub complained: bool,
}

impl Saver {
    pub(super) const fn new(now: Moment, flushed: Bitfield, totals: Totals) -> Self {
        Self {
            dirty: false,
            saving: false,
            last: now,
            flushing: false,
            last_flush: now,
            flushed,
            totals,
            complained: false,
        }
    }

    /// Payload sent in all earlier runs, in bytes.
    pub(super) const fn sent_before(&self) -> u64 {
        self.totals.sent
    }
}
