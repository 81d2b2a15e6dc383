//! The watch over the files of a torrent: those in use are checked every few seconds, so that one that was removed,
//! replaced or edited is noticed. Files that are not used are closed, which releases their locks and descriptors.

use std::time::Duration;

use super::{Driver, DriverEvent};
use crate::base::Moment;
use crate::store::{DiskError, DiskErrorKind};

/// Interval between checks.
const INTERVAL: Duration = Duration::from_secs(3);
/// Number of intervals without use after which the files are closed.
const IDLE_INTERVALS: u32 = 10;

/// The state of the watch.
#[derive(Debug)]
pub(super) struct FileWatch {
    last: Moment,
    /// Number of intervals since the last use.
    idle: u32,
    /// A check is in progress.
    checking: bool,
    /// The files are only read from now on, and their stamps are known.
    sealed: bool,
}

impl FileWatch {
    /// The watch over files that are only read (`sealed`), or also written.
    pub(super) const fn new(now: Moment, sealed: bool) -> Self {
        Self { last: now, idle: 0, checking: false, sealed }
    }
}

impl Driver {
    /// Checks the files in use if it is due.
    pub(super) fn watch_files(&mut self, now: Moment) {
        let Some(content) = &mut self.content else { return };
        let watch = &mut content.file_watch;
        if watch.checking || content.deferred.is_some() || now.since(watch.last) < INTERVAL {
            return;
        }
        watch.last = now;
        let storage = content.storage.clone();
        let written = content.goal.is_finished() && content.writes_pending == 0;
        if written && !watch.sealed && !content.resume_writer.flushed.lacks_some_of(self.torrent.have()) {
            watch.sealed = true;
            self.shared.disk.threads.run(move || {
                // Releases the locks. Should the stamps not be known, nothing is compared with them.
                storage.close();
                storage.seal(storage.file_stamps().unwrap_or_default());
            });
        } else if storage.take_used() {
            (watch.idle, watch.checking) = (0, true);
            let events = self.to.events.clone();
            self.shared.disk.threads.run(move || {
                let _ = events.send(DriverEvent::OpenFilesChecked(storage.confirm_open_files()));
            });
        } else if watch.idle < IDLE_INTERVALS {
            watch.idle += 1;
            if watch.idle == IDLE_INTERVALS {
                self.shared.disk.threads.run(move || storage.close());
            }
        }
    }

    /// Handles the end of a check.
    pub(super) fn open_files_checked(&mut self, found: Result<(), DiskError>) {
        if let Some(content) = &mut self.content {
            content.file_watch.checking = false;
        }
        match found {
            Err(error) if error.kind == DiskErrorKind::Changed => self.disk_failed(&error),
            // Other errors show when the files are used.
            _ => {}
        }
    }
}
