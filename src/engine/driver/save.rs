//! Saving the record of a torrent, while it runs and at its end.

use std::time::{Duration, SystemTime};

use super::content::Content;
use super::record::{beginning, save, save_changed};
use super::{Driver, Fact};
use crate::base::{Bitfield, Moment};
use crate::engine::shared::Shared;
use crate::store::{ResumeRecord, TorrentStore};
use crate::swarm::Summary;

/// How often a changed state is saved.
const SAVE_EVERY: Duration = Duration::from_secs(5);
/// How often it is saved behind a flush.
const SYNC_EVERY: Duration = Duration::from_secs(60);

impl Content {
    /// Where this torrent's record is kept, if it is ours to keep.
    fn store(&self, shared: &Shared) -> Option<TorrentStore> {
        shared.store.clone().filter(|_| self.hold.is_some())
    }

    fn record(&self, have: &Bitfield, summary: &Summary, running: bool) -> ResumeRecord {
        let totals = self.saver.totals;
        let now = SystemTime::now();
        ResumeRecord {
            uploaded: totals.sent.saturating_add(summary.sent),
            downloaded: totals.received.saturating_add(summary.received),
            finished: totals.finished.or(self.goal.is_finished().then_some(now)),
            running,
            ..beginning(&self.target, have, totals)
        }
    }
}

impl Driver {
    /// Saves if something changed and the last save is long enough ago.
    pub(super) fn save_if_due(&mut self, now: Moment, summary: &Summary) {
        let Some(content) = &mut self.content else { return };
        let sync = content.saver.unsynced && now.since(content.saver.last_sync) >= SYNC_EVERY;
        let due = content.saver.dirty && now.since(content.saver.last) >= SAVE_EVERY;
        // The first record comes first.
        if content.saver.saving || content.deferred.is_some() || !(due || sync) {
            return;
        }
        let Some(store) = content.store(&self.shared) else { return };
        (content.saver.saving, content.saver.dirty, content.saver.last) = (true, false, now);
        if sync {
            content.saver.last_sync = now;
        }
        let (storage, facts) = (content.storage.clone(), self.to.facts.clone());
        let record = content.record(self.torrent.have(), summary, true);
        self.shared.disk.run(move || {
            let error = save(&store, &storage, record, sync).err();
            let _ = facts.send(Fact::Saved { synced: sync, error });
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

    pub(super) fn saved(&mut self, synced: bool, error: Option<String>) {
        let Some(Content { saver, .. }) = &mut self.content else { return };
        saver.saving = false;
        match error {
            None => saver.unsynced = !synced,
            Some(error) => {
                saver.dirty = true;
                if !std::mem::replace(&mut saver.complained, true) {
                    tracing::warn!(error, "resume data is not saved; the next run will hash the files");
                }
            }
        }
    }
}
