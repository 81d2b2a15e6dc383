//! Saves of the resume record, during the run and when the torrent stops.

use std::time::{Duration, SystemTime};

use super::content::Content;
use super::resume_record::{change, change_without, initial_record, unfinished};
use super::{Driver, DriverEvent};
use crate::base::{Bitfield, Moment};
use crate::engine::disk::SessionStore;
use crate::engine::shared::Shared;
use crate::store::{Change, DiskError, DiskErrorKind, LentBlocks, ResumeRecord};
use crate::swarm::Summary;

/// Interval between saves of a changed state.
const SAVE_INTERVAL: Duration = Duration::from_secs(5);
/// Age of a piece from which on its blocks are saved. Most pieces of a fast download are verified earlier, and writing
/// their blocks twice would be in vain.
const MIN_SAVED_AGE: Duration = Duration::from_secs(1);
/// Interval between flushes of written pieces.
const FLUSH_INTERVAL: Duration = Duration::from_secs(5);

impl Content {
    /// The torrent store, if we hold the torrent lock.
    fn store(&self, shared: &Shared) -> Option<SessionStore> {
        shared.disk.store.clone().filter(|_| self.lock.is_some())
    }

    fn record(&self, have: &Bitfield, summary: &Summary, running: bool) -> ResumeRecord {
        let totals = self.resume_writer.totals;
        let now = SystemTime::now();
        ResumeRecord {
            uploaded: totals.sent.saturating_add(summary.sent),
            downloaded: totals.received.saturating_add(summary.received),
            finished: totals.finished.or(self.goal.is_finished().then_some(now)),
            running: running && !self.target.options.seed_only,
            stamps: self.resume_writer.stamps.clone(),
            unfinished: unfinished(self.pieces.buffers()),
            ..initial_record(&self.target, have, &self.resume_writer.flushed, totals)
        }
    }
}

impl Driver {
    /// Saves the record if it is due.
    pub(super) fn save_if_due(&mut self, now: Moment, summary: &Summary) {
        let Some(content) = &mut self.content else { return };
        let due = content.resume_writer.dirty && now.since(content.resume_writer.last) >= SAVE_INTERVAL;
        // Not before the initial record is saved, and rather after the blocks of unfinished pieces than before them.
        let waits = content.resume_writer.saving || content.resume_writer.saving_blocks > 0;
        if waits || content.deferred.is_some() || !due {
            return;
        }
        let Some(store) = content.store(&self.shared) else { return };
        (content.resume_writer.saving, content.resume_writer.dirty, content.resume_writer.last) =
            (true, false, now);
        let (storage, events) = (content.storage.clone(), self.to.events.clone());
        let record = content.record(self.torrent.have(), summary, true);
        // Nobody else may save a record before this one, however long a disk thread takes.
        let lock = content.lock.clone();
        self.shared.disk.threads.run(move || {
            let saved = move |result: Result<(), DiskError>| {
                drop(lock);
                let _ = events.send(DriverEvent::Saved(result));
            };
            match change(&storage, record, false) {
                Ok(change) => store.writer.save(vec![change], saved),
                Err(error) => saved(Err(error)),
            }
        });
    }

    /// Saves the blocks of unfinished pieces if it is due. The next record names them.
    pub(super) fn save_blocks_if_due(&mut self, now: Moment) {
        let Some(content) = &mut self.content else { return };
        if now.since(content.resume_writer.last_blocks) >= SAVE_INTERVAL {
            content.resume_writer.last_blocks = now;
            self.save_blocks(now, MIN_SAVED_AGE);
        }
    }

    /// Saves the blocks of unfinished pieces that are open for `age` and not saved yet: they are written to their
    /// places, once each. Only their own pieces wait for that. Without a record that names them they are not saved.
    pub(super) fn save_blocks(&mut self, now: Moment, age: Duration) {
        let Some(content) = &mut self.content else { return };
        let failed = content.changed.is_some() || self.fault.is_some();
        if failed || content.deferred.is_some() || content.store(&self.shared).is_none() {
            return;
        }
        let Content { pieces, not_ours, storage, resume_writer, .. } = content;
        let due = |opened: Moment| now.since(opened) >= age;
        for lent in pieces.lend_unsaved(due, |piece| !not_ours.has(piece)) {
            resume_writer.saving_blocks += 1;
            let (storage, events) = (storage.clone(), self.to.events.clone());
            self.shared.disk.threads.run(move || {
                let saved = lent.save(&storage);
                let _ = events.send(DriverEvent::BlocksSaved(lent, saved));
            });
        }
    }

    /// Handles the end of a save of blocks. A failure costs only these blocks, and only if this run ends before their
    /// piece is verified; if the disk is full, say, the piece will report it. A file that was replaced or removed is
    /// opened anew by the next write, so only the first one can report that.
    pub(super) fn blocks_saved(&mut self, lent: LentBlocks, saved: &Result<(), DiskError>) {
        let Some(content) = &mut self.content else { return };
        let Content { pieces, resume_writer, .. } = content;
        resume_writer.saving_blocks = resume_writer.saving_blocks.saturating_sub(1);
        resume_writer.dirty = true;
        let piece = lent.piece();
        pieces.take_back(lent, saved.is_ok());
        match saved {
            Ok(()) => {}
            Err(error) if matches!(error.kind, DiskErrorKind::Changed | DiskErrorKind::Missing) => {
                return self.disk_failed(error);
            }
            Err(error) => tracing::debug!(%error, "blocks of an unfinished piece are not saved"),
        }
        self.advance_piece(piece);
    }

    /// Flushes written pieces if it is due. The transfer goes on meanwhile.
    pub(super) fn flush_if_due(&mut self, now: Moment) {
        let Some(content) = &mut self.content else { return };
        if now.since(content.resume_writer.last_flush) >= FLUSH_INTERVAL {
            content.resume_writer.last_flush = now;
            self.flush();
        }
    }

    /// Starts a flush of written pieces unless one is in progress. Returns whether one is now.
    pub(super) fn flush(&mut self) -> bool {
        let Some(content) = &mut self.content else { return false };
        let unflushed = content.resume_writer.flushed.lacks_some_of(self.torrent.have());
        if !unflushed || content.resume_writer.flushing || content.deferred.is_some() {
            return content.resume_writer.flushing;
        }
        content.resume_writer.flushing = true;
        let (have, events) = (self.torrent.have().clone(), self.to.events.clone());
        self.shared.disk.threads.flush(&content.storage, move |flushed| {
            let _ = events.send(DriverEvent::Flushed(flushed.map(|()| have)));
        });
        true
    }

    pub(super) fn is_flushing(&self) -> bool {
        self.content.as_ref().is_some_and(|content| content.resume_writer.flushing)
    }

    /// Handles the end of a flush.
    pub(super) fn flush_done(&mut self, flushed: Result<Bitfield, DiskError>) {
        let Some(Content { resume_writer, .. }) = &mut self.content else { return };
        resume_writer.flushing = false;
        match flushed {
            Ok(pieces) => {
                resume_writer.flushed = pieces;
                resume_writer.flushed.retain(self.torrent.have());
                resume_writer.dirty = true;
            }
            // The next flush tries again.
            Err(error) if matches!(error.kind, DiskErrorKind::Cancelled | DiskErrorKind::Busy) => {}
            Err(error) => self.disk_failed(&error),
        }
    }

    /// Saves the last record of this run, without a flush, unless an earlier save has not ended: it would replace this
    /// one, and its record is the more careful one. With `writing`, writes may follow the save, so
    /// later changes of the files must not invalidate the record. After a fault, or during a flush whose result nobody
    /// will learn, the page cache is not to be relied on.
    pub(super) async fn save_at_the_end(&self, writing: bool) {
        let ready = |content: &&Content| content.deferred.is_none() && !content.resume_writer.saving;
        let Some(content) = self.content.as_ref().filter(ready) else { return };
        let Some(store) = content.store(&self.shared) else { return };
        let record = content.record(self.torrent.have(), &self.summary(), writing);
        let clean = !writing && self.fault.is_none() && !self.is_flushing();
        let (storage, changed) = (content.storage.clone(), content.changed.clone());
        let id = record.id;
        let change = move || match changed {
            Some(path) => change_without(&storage, record, &path),
            None => change(&storage, record, clean),
        };
        let saved = match self.shared.disk.run(change).await {
            Ok(change) => store.save(vec![change, Change::Owner(id, None)]).await,
            Err(error) => Err(error),
        };
        if let Err(error) = saved {
            tracing::warn!(%error, "resume data is not saved");
        }
    }

    pub(super) fn save_done(&mut self, saved: Result<(), DiskError>) {
        let Some(Content { resume_writer, .. }) = &mut self.content else { return };
        resume_writer.saving = false;
        if let Err(error) = saved {
            resume_writer.dirty = true;
            if !std::mem::replace(&mut resume_writer.complained, true) {
                tracing::warn!(%error, "resume data is not saved; the next run will hash the files");
            }
        }
    }
}
