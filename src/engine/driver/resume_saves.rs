//! Saves of the resume record, during the run and when the torrent stops.

use std::time::{Duration, SystemTime};

use super::content::Content;
use super::resume_record::{initial_record, save, save_changed};
use super::{Driver, DriverEvent};
use crate::base::{Bitfield, Moment};
use crate::engine::shared::Shared;
use crate::store::{ResumeRecord, TorrentStore};
use crate::swarm::Summary;

/// Interval between saves of a changed state.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// Interval between saves with a flush.
const SYNC_EVERY: Duration = Duration::from_secs(60);

impl Content {
    /// The torrent store, if we hold the torrent lock.
    fn store(&self, shared: &Shared) -> Option<TorrentStore> {
        shared.disk.store.clone().filter(|_| self.lock.is_some())
    }

    fn record(&self, have: &Bitfield, summary: &Summary, running: bool) -> ResumeRecord {
        let totals = self.resume_writer.totals;
        let now = SystemTime::now();
        ResumeRecord {
            uploaded: totals.sent.saturating_add(summary.sent),
            downloaded: totals.received.saturating_add(summary.received),
            finished: totals.finished.or(self.goal.is_finished().then_some(now)),
            running,
            ..initial_record(&self.target, have, totals)
        }
    }
}

impl Driver {
    /// Saves the record if it is due.
    pub(super) fn save_if_due(&mut self, now: Moment, summary: &Summary) {
        let Some(content) = &mut self.content else { return };
        let sync = content.resume_writer.unsynced && now.since(content.resume_writer.last_sync) >= SYNC_EVERY;
        let due = content.resume_writer.dirty && now.since(content.resume_writer.last) >= SAVE_EVERY;
        // Not before the initial record is saved.
        if content.resume_writer.saving || content.deferred.is_some() || !(due || sync) {
            return;
        }
        let Some(store) = content.store(&self.shared) else { return };
        (content.resume_writer.saving, content.resume_writer.dirty, content.resume_writer.last) =
            (true, false, now);
        if sync {
            content.resume_writer.last_sync = now;
        }
        let (storage, events) = (content.storage.clone(), self.to.events.clone());
        let record = content.record(self.torrent.have(), summary, true);
        self.shared.disk.threads.run(move || {
            let error = save(&store, &storage, record, sync).err();
            let _ = events.send(DriverEvent::Saved { synced: sync, error });
        });
    }

    /// Saves the last record of this run, without a flush. With `writing`, writes may follow the save, so
    /// later changes of the files must not invalidate the record.
    pub(super) async fn save_at_the_end(&self, writing: bool) {
        let Some(content) = self.content.as_ref().filter(|content| content.deferred.is_none()) else {
            return;
        };
        let Some(store) = content.store(&self.shared) else { return };
        let record = content.record(self.torrent.have(), &self.summary(), writing);
        let (storage, changed) = (content.storage.clone(), content.changed.clone());
        let save = move || match changed {
            Some(path) => save_changed(&store, &storage, record, &path),
            None => save(&store, &storage, record, false),
        };
        let saved = self.shared.disk.run(move || Ok(save())).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!(error, "resume data is not saved");
        }
    }

    pub(super) fn save_done(&mut self, synced: bool, error: Option<String>) {
        let Some(Content { resume_writer, .. }) = &mut self.content else { return };
        resume_writer.saving = false;
        match error {
            None => resume_writer.unsynced = !synced,
            Some(error) => {
                resume_writer.dirty = true;
                if !std::mem::replace(&mut resume_writer.complained, true) {
                    tracing::warn!(error, "resume data is not saved; the next run will hash the files");
                }
            }
        }
    }
}
