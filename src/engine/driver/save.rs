//! Saving the record of a torrent, while it runs and at its end.

use std::time::{Duration, SystemTime};

use super::content::Content;
use super::record::{beginning, save, save_changed};
use super::{Driver, Fact};
use crate::base::{Bitfield, Moment};
use crate::engine::shared::Shared;
use crate::store::{DiskError, DiskErrorKind, Entry, Library};
use crate::swarm::Summary;

/// How often a changed state is saved.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);
/// How often written pieces are flushed.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

impl Content {
    /// Where this torrent's record is kept, if it is ours to keep.
    fn library(&self, shared: &Shared) -> Option<Library> {
        shared.library.clone().filter(|_| self.hold.is_some())
    }

    fn entry(&self, have: &Bitfield, summary: &Summary, running: bool) -> Entry {
        let totals = self.saver.totals;
        let now = SystemTime::now();
        Entry {
            uploaded: totals.sent.saturating_add(summary.sent),
            downloaded: totals.received.saturating_add(summary.received),
            finished: totals.finished.or(self.goal.is_finished().then_some(now)),
            running,
            ..beginning(&self.target, have, &self.saver.flushed, totals)
        }
    }
}

impl Driver {
    /// Saves if something changed and the last save is long enough ago.
    pub(super) fn save_if_due(&mut self, now: Moment, summary: &Summary) {
        let Some(content) = &mut self.content else { return };
        let due = content.saver.dirty && now.since(content.saver.last) >= SAVE_INTERVAL;
        // The first record comes first.
        if content.saver.saving || content.deferred.is_some() || !due {
            return;
        }
        let Some(library) = content.library(&self.shared) else { return };
        (content.saver.saving, content.saver.dirty, content.saver.last) = (true, false, now);
        let (volume, facts) = (content.volume.clone(), self.to.facts.clone());
        let entry = content.entry(self.torrent.have(), summary, true);
        self.shared.disk.run(move || {
            let error = save(&library, &volume, entry).err();
            let _ = facts.send(Fact::Saved(error));
        });
    }

    /// Flushes if pieces were written and the last flush is long enough ago. The torrent goes on meanwhile.
    pub(super) fn flush_if_due(&mut self, now: Moment) {
        let Some(content) = &mut self.content else { return };
        if now.since(content.saver.last_flush) >= FLUSH_INTERVAL {
            content.saver.last_flush = now;
            self.flush();
        }
    }

    /// Flushes what was written, if that is not under way; says whether it is now.
    pub(super) fn flush(&mut self) -> bool {
        let Some(content) = &mut self.content else { return false };
        let unflushed = content.saver.flushed.lacks_some_of(self.torrent.have());
        if !unflushed || content.saver.flushing || content.deferred.is_some() {
            return content.saver.flushing;
        }
        content.saver.flushing = true;
        let (have, facts) = (self.torrent.have().clone(), self.to.facts.clone());
        self.shared.disk.flush(&content.volume, move |flushed| {
            let _ = facts.send(Fact::Flushed(flushed.map(|()| have)));
        });
        true
    }

    /// Whether a flush is under way.
    pub(super) fn is_flushing(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.saver.flushing)
    }

    /// These pieces are on the disk itself, or the flush failed.
    pub(super) fn flushed(&mut self, flushed: Result<Bitfield, DiskError>) {
        let Some(Content { saver, .. }) = &mut self.content else { return };
        saver.flushing = false;
        match flushed {
            Ok(pieces) => {
                saver.flushed = pieces;
                saver.flushed.retain(self.torrent.have());
                saver.dirty = true;
            }
            // The next one tries it again.
            Err(error) if matches!(error.kind, DiskErrorKind::Cancelled | DiskErrorKind::Busy) => {}
            Err(error) => self.disk_failed(&error),
        }
    }

    /// Saves at the end of the torrent's life in this session, without waiting for the disk. `writing` says
    /// that the last writes may come after it: then the record must not hold files to their stamps.
    pub(super) async fn save_at_the_end(&self, writing: bool) {
        let Some(content) = self.content.as_ref().filter(|content| content.deferred.is_none()) else {
            return;
        };
        let Some(library) = content.library(&self.shared) else { return };
        let entry = content.entry(self.torrent.have(), &self.summary(), writing);
        let (volume, changed) = (content.volume.clone(), content.changed.clone());
        let save = move || match changed {
            Some(path) => save_changed(&library, &volume, entry, &path),
            None => save(&library, &volume, entry),
        };
        let saved = self.shared.on_disk(move || Ok(save())).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(error, "resume data is not saved");
        }
    }

    pub(super) fn saved(&mut self, error: Option<String>) {
        let Some(Content { saver, .. }) = &mut self.content else { return };
        saver.saving = false;
        if let Some(error) = error {
            saver.dirty = true;
            if !std::mem::replace(&mut saver.complained, true) {
                tracing::warn!(error, "resume data is not saved; the next run will hash the files");
            }
        }
    }
}
