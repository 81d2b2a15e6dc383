//! Saving the resume record of a torrent, while it runs and when it stops.

use std::time::{Duration, SystemTime};

use super::content::Content;
use super::resume_record::{LifetimeTotals, initial_record, save, save_changed};
use super::{Driver, DriverEvent};
use crate::base::{Bitfield, Moment};
use crate::engine::shared::Shared;
use crate::store::{ResumeRecord, TorrentStore};
use crate::swarm::Summary;

/// How often a changed state is saved.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How often it is saved behind a flush.
const SYNC_EVERY: Duration = Duration::from_secs(60);

/// When to save, and what is not saved yet.
pub(super) struct ResumeWriter {
    /// Something changed since the last save.
    pub dirty: bool,
    /// A save is under way.
    pub saving: bool,
    /// When it was last saved.
    pub last: Moment,
    /// When it was last saved behind a flush.
    pub last_sync: Moment,
    /// The last save was behind no flush.
    pub unsynced: bool,
    /// The bytes that were moved in all earlier runs.
    pub totals: LifetimeTotals,
    /// A save that failed was told of.
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

    /// Payload sent in all earlier runs, in bytes.
    pub(super) const fn sent_before(&self) -> u64 {
        self.totals.sent
    }
}

impl Content {
    /// Where this torrent's record is kept, if it is ours to keep.
    fn store(&self, shared: &Shared) -> Option<TorrentStore> {
        shared.store.clone().filter(|_| self.lock.is_some())
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
    /// Saves if something changed and the last save is long enough ago.
    pub(super) fn save_if_due(&mut self, now: Moment, summary: &Summary) {
        let Some(content) = &mut self.content else { return };
        let sync = content.resume_writer.unsynced && now.since(content.resume_writer.last_sync) >= SYNC_EVERY;
        let due = content.resume_writer.dirty && now.since(content.resume_writer.last) >= SAVE_EVERY;
        // The first record comes first.
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
        self.shared.disk.run(move || {
            let error = save(&store, &storage, record, sync).err();
            let _ = events.send(DriverEvent::Saved { synced: sync, error });
        });
    }

    /// Saves at the end of the torrent's life in this session, without waiting for the disk. `writing` says
    /// that the last writes may come after it: then the record must not hold files to their stamps.
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
        let saved = self.shared.on_disk(move || Ok(save())).await;
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
