//! The metadata of a link: its progress, its timeout, and what follows once it is complete.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use crate::base::{InfoHashes, Moment, Untrusted, units};
use crate::engine::command::{Add, TorrentSource};
use crate::engine::event::{Fault, FaultKind, Remedy};
use crate::engine::why::metadata;
use crate::proto::metainfo::{self, Metainfo, MetainfoError};
use crate::swarm::{MetadataSummary, Summary};

/// The least progress, as bytes in a time: a peer that sends less stalls the download.
const MIN_PROGRESS: (f64, Duration) = (16.0 * 1024.0, Duration::from_secs(5));

/// The progress of the metadata, and the time without any.
pub(super) struct MetadataProgress {
    /// Bytes received in the most successful attempt. A new attempt after wrong metadata counts once it has
    /// got further.
    pub received: u64,
    /// Bytes at the last progress.
    last: u64,
    since: Moment,
}

impl MetadataProgress {
    pub(super) const fn new(now: Moment) -> Self {
        Self { received: 0, last: 0, since: now }
    }

    /// Records the received bytes, and returns the time without progress.
    fn update(&mut self, now: Moment, metadata: &MetadataSummary) -> Duration {
        self.received = self.received.max(metadata.progress.map_or(0, |(have, _)| have));
        let new = self.received - self.last;
        let waited = now.since(self.since);
        if new > 0 && new as f64 * MIN_PROGRESS.1.as_secs_f64() >= MIN_PROGRESS.0 * waited.as_secs_f64() {
            self.restart(now);
        }
        now.since(self.since)
    }

    /// Restarts the timeout.
    fn restart(&mut self, now: Moment) {
        (self.last, self.since) = (self.received, now);
    }
}

impl Driver {
    /// Handles the verified metadata, or an info dictionary that cannot be used.
    pub(super) fn metadata_received(&mut self, result: Result<Box<Metainfo>, MetainfoError>) {
        match result {
            Ok(metainfo) => {
                if metainfo.is_private() {
                    (self.lsd_registration, self.dht_lookup) = (None, None);
                    if let Some(registration) = &mut self.registration {
                        self.shared.network.make_private(registration);
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

    /// Adds an info-hash that became known with the metadata.
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

    /// Stops the torrent if its metadata has made no progress within the timeout. Time while paused does not
    /// count.
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

/// The fault of a link whose metadata cannot be fetched.
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
