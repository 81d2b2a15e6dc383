//! Records: what a later run may believe without hashing.
//!
//! A record says of each verified piece whether it was flushed to the disk or only written: what was only written
//! survives the end of the program, but neither that of the machine nor that of the disk, and is hashed again.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::{Bitfield, InfoHashes, Untrusted};
use crate::engine::command::{Add, ContentOptions, Source};
use crate::proto::metainfo::Metainfo;
use crate::store::{DiskError, Entry, Library, MAX_REMEMBERED, Remembered, Stamps, Volume, mount_of};
use crate::swarm::event::Priority;

/// A torrent, and what is wanted of its content.
#[derive(Clone)]
pub(super) struct Target {
    pub metainfo: Arc<Metainfo>,
    pub options: Arc<ContentOptions>,
}

/// The bytes that were moved in all earlier runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Totals {
    pub sent: u64,
    pub received: u64,
    pub added: Option<SystemTime>,
    pub finished: Option<SystemTime>,
}

impl Totals {
    pub(super) fn of(entry: Option<&Entry>) -> Self {
        entry.map_or_else(Self::default, |entry| Self {
            sent: entry.uploaded,
            received: entry.downloaded,
            added: Some(entry.added),
            finished: entry.finished,
        })
    }
}

/// The record of a torrent before its first byte moves in this session.
pub(super) fn beginning(target: &Target, have: &Bitfield, flushed: &Bitfield, totals: Totals) -> Entry {
    let Target { metainfo, options } = target;
    let now = SystemTime::now();
    let mut flushed = flushed.clone();
    // A piece that was lost since is claimed no longer.
    flushed.retain(have);
    Entry {
        id: metainfo.info_hash(),
        folder: options.folder.clone(),
        root_name: metainfo.root_name().map(str::to_owned),
        stamps: Stamps::default(),
        flushed,
        written: have.clone(),
        mount: None,
        uploaded: totals.sent,
        downloaded: totals.received,
        added: totals.added.unwrap_or(now),
        finished: totals.finished.or(options.seed_only.then_some(now)),
        saved: now,
        // Who only gives writes to nothing.
        running: !options.seed_only,
        partial: is_partial(target, have),
    }
}

/// Says before the first byte is written that the files of a torrent are ours.
pub(super) fn first(library: &Library, volume: &Volume, entry: Entry) {
    if let Err(error) = save(library, volume, entry) {
        tracing::warn!(error, "resume data is not saved; the next run will hash the files");
    }
}

/// Whether only a part of the torrent is wanted, or was when it was fetched.
fn is_partial(Target { options, .. }: &Target, have: &Bitfield) -> bool {
    options.priorities.contains(&Priority::Skip) || (options.seed_only && !have.is_full())
}

/// Keeps the torrent file, so that the torrent can be gone on with by its info-hash, and forgets what is old.
pub(super) fn remember(library: &Library, id: InfoHashes, torrent: &[u8]) {
    let kept = Remembered::of(library.folder()).keep(&id, torrent);
    if let Err(error) = kept.and_then(|()| library.prune(MAX_REMEMBERED)) {
        tracing::warn!(%error, "the torrent may not be remembered; its torrent file is needed to go on");
    }
}

/// The torrent file that is remembered: with the trackers that were added to it, and what its link says.
pub(super) fn torrent_file(metainfo: &Metainfo, add: &Add) -> Vec<u8> {
    let mut extras = metainfo.extras().clone();
    for url in &add.trackers {
        if !extras.trackers.iter().flatten().any(|known| known.raw() == url) {
            extras.trackers.push(vec![Untrusted::new(url.as_str())]);
        }
    }
    if let Source::Link(link) = &add.source {
        extras.web_seeds.extend(link.web_seeds.iter().cloned());
    }
    metainfo.clone().with_extras(extras).to_bytes()
}

/// The entry of the library for a torrent in this folder under this name. Files of another name are not those
/// that we began.
pub(super) fn load(library: &Library, torrent: &Metainfo, folder: &Path) -> Option<Entry> {
    let entry = match library.load(&torrent.info_hash()) {
        Ok(entry) => entry?,
        Err(error) => {
            tracing::warn!(%error, "resume data cannot be read; the files are hashed");
            return None;
        }
    };
    (entry.folder == folder && entry.root_name.as_deref() == torrent.root_name()).then_some(entry)
}

/// Per file of the volume, whether it is exactly as the record left it.
pub(super) fn unchanged(volume: &Volume, entry: &Entry) -> Result<Vec<bool>, DiskError> {
    let now = volume.stamps()?;
    Ok(now.files.iter().enumerate().map(|(at, stamp)| entry.stamps.files.get(at) == Some(stamp)).collect())
}

/// Saves a record.
pub(super) fn save(library: &Library, volume: &Volume, mut entry: Entry) -> Result<(), String> {
    // What is written behind this point may make a file younger than its stamp; what the record claims
    // was written before.
    entry.stamps = volume.stamps().map_err(|error| error.to_string())?;
    entry.mount = mount_of(volume.root());
    library.save(&[entry]).map_err(|error| error.to_string())
}

/// Saves a record behind the news that the file at `path` is not as we left it: no piece is claimed, and whatever lies
/// there now is another's.
pub(super) fn save_changed(
    library: &Library,
    volume: &Volume,
    mut entry: Entry,
    path: &Path,
) -> Result<(), String> {
    entry.stamps = volume.stamps().map_err(|error| error.to_string())?;
    for (stamp, spec) in entry.stamps.files.iter_mut().zip(volume.layout().files.iter()) {
        if volume.root().join(&spec.path) == path {
            *stamp = None;
        }
    }
    // Of a torrent that runs, files without a stamp are ours.
    let none = Bitfield::none(entry.written.len());
    (entry.flushed, entry.written, entry.running) = (none.clone(), none, false);
    library.save(&[entry]).map_err(|error| error.to_string())
}
