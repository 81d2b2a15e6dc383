//! How the state machine of a torrent is set up.

use std::sync::Arc;

use super::open::Opened;
use crate::base::{FileIndex, Geometry, Untrusted};
use crate::engine::command::Add;
use crate::engine::shared::Shared;
use crate::swarm;
use crate::swarm::event::{Priority, TrackerKey};

/// What it is told at its start, and the trackers' URLs by key.
pub(super) fn config(shared: &Shared, add: &Add, opened: &Opened) -> (Vec<String>, swarm::Config) {
    let mut urls: Vec<String> = Vec::new();
    let mut tiers = Vec::new();
    if add.use_trackers {
        let of_torrent =
            add.metainfo.extras().trackers.iter().map(|tier| tier.iter().map(Untrusted::raw).collect());
        let added = add.trackers.iter().map(|url| vec![url.as_str()]);
        for tier in of_torrent.chain(added) {
            let tier: Vec<&str> = tier;
            let mut keys = Vec::new();
            for url in tier {
                // One that is named twice is one tracker all the same.
                if !urls.iter().any(|known| known == url) {
                    urls.push(url.to_owned());
                    keys.push(TrackerKey(urls.len() - 1));
                }
            }
            if !keys.is_empty() {
                tiers.push(keys);
            }
        }
    }
    let config = swarm::Config {
        info_hash: add.metainfo.info_hash(),
        id: shared.id,
        port: shared.port().unwrap_or(0),
        private: add.metainfo.is_private(),
        dht: shared.dht_for(add.metainfo.is_private()).is_some(),
        pex: shared.pex,
        eager: false,
        info: if lends(add) { add.metainfo.raw_info().into() } else { Arc::default() },
        announce_key: shared.announce_key,
        trackers: tiers,
        max_peers: add.max_peers,
        upload_limit: add.up.or(shared.limits.up.get()),
        order: add.order,
        priorities: piece_priorities(add, &opened.geometry),
        seed_only: add.seed_only,
        ours: shared.ours.clone(),
        client: concat!("torr ", env!("CARGO_PKG_VERSION")).to_owned(),
    };
    (urls, config)
}

/// Whether others may have the info dictionary of us. That of a private torrent is for those who know it already, unless
/// it is given with a link, which says nothing without it.
fn lends(add: &Add) -> bool {
    add.seed_only || !add.metainfo.is_private()
}

/// The priority of a piece is the highest of the files it holds bytes of; with `ends_first` the first and
/// last pieces of every wanted file come before the rest.
fn piece_priorities(add: &Add, geometry: &Geometry) -> Vec<Priority> {
    if add.priorities.is_empty() && !add.ends_first {
        return Vec::new();
    }
    let mut pieces = vec![Priority::Skip; geometry.piece_count() as usize];
    for file in (0..geometry.file_count()).map(FileIndex) {
        let priority = add.priorities.get(file.0 as usize).copied().unwrap_or_default();
        if geometry.is_pad(file) || priority == Priority::Skip {
            continue;
        }
        let range = geometry.pieces_of(file);
        for at in range.clone() {
            let end = add.ends_first && (at == range.start || at + 1 == range.end);
            let wanted = if end { Priority::High } else { priority };
            let piece = &mut pieces[at as usize];
            *piece = (*piece).max(wanted);
        }
    }
    pieces
}
