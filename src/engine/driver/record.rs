//! Records: what a later run may believe without hashing.
//!
//! A record never claims a piece whose bytes could be gone. Bytes that were written survive a crash of
//! the program but not one of the machine, so a record that was saved without waiting for the disk
//! carries the name of the machine's present boot, and is believed in that boot only; a record saved
//! behind a flush carries none.

use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::{Bitfield, InfoHashes, Untrusted};
use crate::engine::command::{Add, ContentOptions, Source};
use crate::proto::metainfo::Metainfo;
use crate::store::{DiskError, Entry, FileStamps, Library, MAX_REMEMBERED, Remembered, Storage};
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
pub(super) fn beginning(target: &Target, have: &Bitfield, totals: Totals) -> Entry {
    let Target { metainfo, options } = target;
    let now = SystemTime::now();
    Entry {
        id: metainfo.info_hash(),
        folder: options.folder.clone(),
        stamps: FileStamps::default(),
        have: have.clone(),
        uploaded: totals.sent,
        downloaded: totals.received,
        added: totals.added.unwrap_or(now),
        finished: totals.finished.or(options.seed_only.then_some(now)),
        saved: now,
        // Who only gives writes to nothing.
        running: !options.seed_only,
        partial: is_partial(target, have),
        extra: renamed(metainfo),
    }
}

/// Says before the first byte is written that the files of a torrent are ours.
pub(super) fn first(library: &Library, storage: &Storage, entry: Entry) {
    if let Err(error) = save(library, storage, entry, false) {
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
    let mut entry = entry;
    let named = entry.extra.iter().position(|&byte| byte == NAMED).unwrap_or(entry.extra.len());
    let name = entry.extra.split_off(named);
    if entry.folder != folder || name != renamed(torrent) {
        return None;
    }
    if !entry.extra.is_empty() && entry.extra != boot() {
        // The machine has started again since, and what it had not written is gone.
        entry.have = Bitfield::none(entry.have.len());
        entry.stamps = FileStamps::default();
        entry.running = true;
    }
    Some(entry)
}

/// Per file of the volume, whether it is exactly as the record left it.
pub(super) fn unchanged(storage: &Storage, entry: &Entry) -> Result<Vec<bool>, DiskError> {
    let now = storage.file_stamps()?;
    Ok(now.files.iter().enumerate().map(|(at, stamp)| entry.stamps.files.get(at) == Some(stamp)).collect())
}

/// Saves a record, behind a flush if `sync`.
pub(super) fn save(library: &Library, storage: &Storage, mut entry: Entry, sync: bool) -> Result<(), String> {
    if sync {
        storage.flush().map_err(|error| error.to_string())?;
    } else {
        entry.extra.splice(..0, boot());
    }
    // What is written behind this point may make a file younger than its stamp; what the record claims
    // was written before.
    entry.stamps = storage.file_stamps().map_err(|error| error.to_string())?;
    library.save(&[entry]).map_err(|error| error.to_string())
}

/// Saves a record behind the news that the file at `path` is not as we left it: no piece is claimed, and whatever lies
/// there now is another's.
pub(super) fn save_changed(
    library: &Library,
    storage: &Storage,
    mut entry: Entry,
    path: &Path,
) -> Result<(), String> {
    entry.stamps = storage.file_stamps().map_err(|error| error.to_string())?;
    for (stamp, spec) in entry.stamps.files.iter_mut().zip(storage.layout().files.iter()) {
        if storage.root().join(&spec.path) == path {
            *stamp = None;
        }
    }
    // Of a torrent that runs, files without a stamp are ours.
    (entry.have, entry.running) = (Bitfield::none(entry.have.len()), false);
    library.save(&[entry]).map_err(|error| error.to_string())
}

/// Stands in a record between the name of a boot and that of the files, neither of which holds it.
const NAMED: u8 = 0;

/// The name of the torrent's files in a record, where it is not the torrent's own name for them.
pub(in crate::engine) fn name_of(entry: &Entry) -> Option<&str> {
    let at = entry.extra.iter().position(|&byte| byte == NAMED)?;
    std::str::from_utf8(&entry.extra[at + 1..]).ok()
}

/// The name of the torrent's files, as a record keeps it: nothing where they bear the torrent's own.
fn renamed(torrent: &Metainfo) -> Vec<u8> {
    torrent.root_name().map_or_else(Vec::new, |name| [&[NAMED], name.as_bytes()].concat())
}

/// The name of the machine's present boot; empty where it has none, and then only flushed records are made
/// good use of.
fn boot() -> Vec<u8> {
    std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| b"unknown".to_vec())
}
