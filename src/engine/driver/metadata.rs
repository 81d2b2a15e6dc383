//! The metadata of a torrent that was added by a link: what is made of it when it is there, and when waiting for it
//! has been long enough.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use crate::base::{InfoHashes, Moment, Untrusted, units};
use crate::engine::command::{Add, TorrentSource};
use crate::engine::event::{Fault, FaultKind, Remedy};
use crate::engine::why::metadata;
use crate::proto::metainfo::{self, Metainfo, MetainfoError};
use crate::swarm::{MetadataSummary, Summary};

/// The least of the metadata that has to come in so long to be progress: a peer that sends less only wants to be
/// waited for, and could go on for days.
const MIN_PROGRESS: (f64, Duration) = (16.0 * 1024.0, Duration::from_secs(5));

/// The progress of the metadata, and since when there has been none.
pub(super) struct MetadataProgress {
    /// Bytes of it that have come, of the attempt that came farthest: an attempt that was spoiled by a liar is
    /// made up for first.
    pub received: u64,
    /// The bytes at the last progress, and its time.
    last: u64,
    since: Moment,
}

impl MetadataProgress {
    pub(super) const fn new(now: Moment) -> Self {
        Self { received: 0, last: 0, since: now }
    }

    /// Looks how much has come, and says for how long there has been no progress.
    fn update(&mut self, now: Moment, metadata: &MetadataSummary) -> Duration {
        self.received = self.received.max(metadata.progress.map_or(0, |(have, _)| have));
        let new = self.received - self.last;
        let waited = now.since(self.since);
        if new > 0 && new as f64 * MIN_PROGRESS.1.as_secs_f64() >= MIN_PROGRESS.0 * waited.as_secs_f64() {
            self.restart(now);
        }
        now.since(self.since)
    }

    /// Time counts anew from here.
    fn restart(&mut self, now: Moment) {
        (self.last, self.since) = (self.received, now);
    }
}

impl Driver {
    /// The info dictionary is here, of use or not.
    pub(super) fn metadata_received(&mut self, result: Result<Box<Metainfo>, MetainfoError>) {
        match result {
            Ok(metainfo) => {
                if metainfo.is_private() {
                    (self.lsd_registration, self.dht_lookup) = (None, None);
                    if let Some(registration) = &mut self.registration {
                        self.shared.make_private(registration);
                    }
                }
                self.view_publisher.name(metainfo.name().clone());
                let metainfo = Arc::new(*metainfo);
                self.metainfo = Some(metainfo.clone());
                let _ = self.to.found.send((self.id, metainfo));
            }
            Err(error) => {
                self.fault.get_or_insert_with(|| cannot_be_used(&self.info_hashes, &error));
            }
        }
    }

    /// Goes by these info-hashes from now on, which are those that were known and maybe one more.
    pub(super) fn set_info_hashes(&mut self, info_hashes: InfoHashes) {
        if info_hashes == self.info_hashes {
            return;
        }
        self.info_hashes = info_hashes;
        if let Some(registration) = &mut self.registration {
            registration.extend(info_hashes);
        }
        self.register_lsd();
    }

    /// Ends the torrent if its metadata has made no progress for as long as is allowed. Only time in which it
    /// should come counts.
    pub(super) fn watch_metadata(&mut self, now: Moment, summary: &Summary) {
        let (Some(metadata), None) = (&summary.metadata, &self.metainfo) else { return };
        let waited = self.metadata_progress.update(now, metadata);
        if self.paused {
            return self.metadata_progress.restart(now);
        }
        if let Some(limit) = self.add.metadata_timeout.filter(|&limit| waited >= limit) {
            let asked = metadata::asked(&self.metadata_search(summary));
            let asked = if asked.is_empty() { asked } else { format!(": {asked}") };
            let (name, limit) = (self.add.name().fit(100), units::span(limit));
            let message = format!("no file list of {name} came within {limit}{asked}");
            self.fault =
                Some(Fault { kind: FaultKind::NoMetadata, message, remedy: Some(Remedy::MorePeers) });
        }
    }
}

/// The fault of a torrent that cannot be looked for at all.
pub(in crate::engine) fn refuse_magnet(add: &Add) -> Option<Fault> {
    let TorrentSource::Link(link) = &add.source else { return None };
    let id = link.info_hash;
    metainfo::downloadable(&id).err().map(|error| cannot_be_used(&id, &error))
}

fn cannot_be_used(id: &InfoHashes, error: &MetainfoError) -> Fault {
    let error = Untrusted::new(error.to_string());
    Fault {
        kind: FaultKind::BadMagnet,
        message: format!("the torrent {} cannot be used: {}", id.short(), error.fit(300)),
        remedy: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_list_has_to_come_at_some_pace() {
        let longest = |bytes: u64, every: u64| {
            let at = |n: u64| Moment::START + Duration::from_secs(n * every);
            let mut metadata_progress = MetadataProgress::new(at(0));
            let mut waited = (0..100).map(|n| {
                let progress = Some((n * bytes, 1 << 30));
                let metadata =
                    MetadataSummary { found: false, offering: 1, refusing: 0, too_long: 0, progress };
                metadata_progress.update(at(n), &metadata).as_secs()
            });
            waited.by_ref().max().unwrap()
        };
        assert_eq!(longest(16 << 10, 5), 0);
        assert_eq!(longest(1 << 20, 60), 0);
        assert_eq!(longest(16 << 10, 6), 99 * 6, "a dripper");
        assert_eq!(longest(0, 1), 99);
    }
}
