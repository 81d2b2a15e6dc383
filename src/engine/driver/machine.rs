//! Settings of a torrent's state machine.

use std::sync::Arc;

use crate::base::{FileIndex, Geometry, Untrusted};
use crate::engine::command::{Add, ContentOptions, TorrentSource};
use crate::engine::shared::Shared;
use crate::proto::metainfo::Metainfo;
use crate::swarm;
use crate::swarm::event::{Priority, TrackerKey};

/// The settings of the state machine, and the trackers' URLs by key.
pub(super) fn torrent_config(shared: &Shared, add: &Add) -> (Vec<String>, swarm::Config) {
    let mut urls: Vec<String> = Vec::new();
    let mut tiers = Vec::new();
    let (metainfo, link) = match &add.source {
        TorrentSource::Metainfo(metainfo) => (Some(&**metainfo), None),
        TorrentSource::Link(link) => (None, Some(&**link)),
    };
    let of_torrent = metainfo.iter().flat_map(|metainfo| &metainfo.extras().trackers);
    let of_torrent = of_torrent.map(|tier| tier.iter().map(Untrusted::raw).collect());
    let added = add.trackers.iter().map(|url| vec![url.as_str()]);
    for tier in of_torrent.chain(added).filter(|_| add.use_trackers) {
        let tier: Vec<&str> = tier;
        let mut keys = Vec::new();
        for url in tier {
            // A tracker named twice is used once.
            if !urls.iter().any(|known| known == url) {
                urls.push(url.to_owned());
                keys.push(TrackerKey(urls.len() - 1));
            }
        }
        if !keys.is_empty() {
            tiers.push(keys);
        }
    }
    let private = metainfo.is_some_and(Metainfo::is_private);
    let seed_only = add.content.as_ref().is_some_and(|options| options.seed_only);
    // The metadata of a private torrent is uploaded only if we seed it by a link, which would be useless
    // without the metadata.
    let lent = metainfo.filter(|_| seed_only || !private);
    let config = swarm::Config {
        port: shared.network.port().unwrap_or(0),
        private,
        dht: shared.network.dht_for(private).is_some(),
        pex: shared.network.pex,
        eager: link.is_some_and(|link| link.eager),
        info: lent.map_or_else(Arc::default, |metainfo| metainfo.raw_info().into()),
        announce_key: shared.network.announce_key,
        trackers: tiers,
        max_peers: add.max_peers,
        upload_limit: add.up.or(shared.network.limits.up.get()),
        ours: shared.network.ours.clone(),
        ..swarm::Config::new(add.info_hashes(), shared.network.id)
    };
    (urls, config)
}

/// The priority of each piece: the highest of its files. With `ends_first`, the first and last piece of every
/// wanted file have high priority.
pub(super) fn piece_priorities(options: &ContentOptions, geometry: &Geometry) -> Vec<Priority> {
    if options.priorities.is_empty() && !options.ends_first {
        return Vec::new();
    }
    let mut pieces = vec![Priority::Skip; geometry.piece_count() as usize];
    for file in (0..geometry.file_count()).map(FileIndex) {
        let priority = options.priorities.get(file.0 as usize).copied().unwrap_or_default();
        if geometry.is_pad(file) || priority == Priority::Skip {
            continue;
        }
        let range = geometry.pieces_of(file);
        for at in range.clone() {
            let end = options.ends_first && (at == range.start || at + 1 == range.end);
            let wanted = if end { Priority::High } else { priority };
            let piece = &mut pieces[at as usize];
            *piece = (*piece).max(wanted);
        }
    }
    pieces
}
