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
use crate::engine::command::{Add, ContentOptions, TorrentSource};
use crate::proto::metainfo::Metainfo;
use crate::store::{
    DiskError, FileStamps, MAX_STORED_TORRENTS, ResumeRecord, Storage, StoredTorrentFiles, TorrentStore,
};
use crate::swarm::event::Priority;

/// A torrent, and what is wanted of its content.
#[derive(Clone)]
pub(super) struct ContentTarget {
    pub metainfo: Arc<Metainfo>,
    pub options: Arc<ContentOptions>,
}

/// The bytes that were moved in all earlier runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct LifetimeTotals {
    pub sent: u64,
    pub received: u64,
    pub added: Option<SystemTime>,
    pub finished: Option<SystemTime>,
}

impl LifetimeTotals {
    pub(super) fn of(record: Option<&ResumeRecord>) -> Self {
        record.map_or_else(Self::default, |record| Self {
            sent: record.uploaded,
            received: record.downloaded,
            added: Some(record.added),
            finished: record.finished,
        })
    }
}

/// The record of a torrent before its first byte moves in this session.
pub(super) fn initial_record(
    target: &ContentTarget,
    have: &Bitfield,
    totals: LifetimeTotals,
) -> ResumeRecord {
    let ContentTarget { metainfo, options } = target;
    let now = SystemTime::now();
    ResumeRecord {
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
        extra: encode_root_name(metainfo),
    }
}

/// Says before the first byte is written that the files of a torrent are ours.
pub(super) fn save_initial(store: &TorrentStore, storage: &Storage, record: ResumeRecord) {
    if let Err(error) = save(store, storage, record, false) {
        tracing::warn!(error, "resume data is not saved; the next run will hash the files");
    }
}

/// Whether only a part of the torrent is wanted, or was when it was fetched.
fn is_partial(ContentTarget { options, .. }: &ContentTarget, have: &Bitfield) -> bool {
    options.priorities.contains(&Priority::Skip) || (options.seed_only && !have.is_full())
}

/// Keeps the torrent file, so that the torrent can be gone on with by its info-hash, and forgets what is old.
pub(super) fn store_torrent_file(store: &TorrentStore, id: InfoHashes, torrent: &[u8]) {
    let kept = StoredTorrentFiles::in_state_dir(store.folder()).save(&id, torrent);
    if let Err(error) = kept.and_then(|()| store.prune(MAX_STORED_TORRENTS)) {
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
    if let TorrentSource::Link(link) = &add.source {
        extras.web_seeds.extend(link.web_seeds.iter().cloned());
    }
    metainfo.clone().with_extras(extras).to_bytes()
}

/// The entry of the library for a torrent in this folder under this name. Files of another name are not those
/// that we began.
pub(super) fn load(store: &TorrentStore, torrent: &Metainfo, folder: &Path) -> Option<ResumeRecord> {
    let record = match store.load(&torrent.info_hash()) {
        Ok(record) => record?,
        Err(error) => {
            tracing::warn!(%error, "resume data cannot be read; the files are hashed");
            return None;
        }
    };
    let mut record = record;
    let named = record.extra.iter().position(|&byte| byte == NAME_SEPARATOR).unwrap_or(record.extra.len());
    let name = record.extra.split_off(named);
    if record.folder != folder || name != encode_root_name(torrent) {
        return None;
    }
    if !record.extra.is_empty() && record.extra != boot_id() {
        // The machine has started again since, and what it had not written is gone.
        record.have = Bitfield::none(record.have.len());
        record.stamps = FileStamps::default();
        record.running = true;
    }
    Some(record)
}

/// Per file of the volume, whether it is exactly as the record left it.
pub(super) fn unchanged(storage: &Storage, record: &ResumeRecord) -> Result<Vec<bool>, DiskError> {
    let now = storage.file_stamps()?;
    Ok(now.files.iter().enumerate().map(|(at, stamp)| record.stamps.files.get(at) == Some(stamp)).collect())
}

/// Saves a record, behind a flush if `sync`.
pub(super) fn save(
    store: &TorrentStore,
    storage: &Storage,
    mut record: ResumeRecord,
    sync: bool,
) -> Result<(), String> {
    if sync {
        storage.flush().map_err(|error| error.to_string())?;
    } else {
        record.extra.splice(..0, boot_id());
    }
    // What is written behind this point may make a file younger than its stamp; what the record claims
    // was written before.
    record.stamps = storage.file_stamps().map_err(|error| error.to_string())?;
    store.save(&[record]).map_err(|error| error.to_string())
}

/// Saves a record behind the news that the file at `path` is not as we left it: no piece is claimed, and whatever lies
/// there now is another's.
pub(super) fn save_changed(
    store: &TorrentStore,
    storage: &Storage,
    mut record: ResumeRecord,
    path: &Path,
) -> Result<(), String> {
    record.stamps = storage.file_stamps().map_err(|error| error.to_string())?;
    for (stamp, spec) in record.stamps.files.iter_mut().zip(storage.layout().files.iter()) {
        if storage.root().join(&spec.path) == path {
            *stamp = None;
        }
    }
    // Of a torrent that runs, files without a stamp are ours.
    (record.have, record.running) = (Bitfield::none(record.have.len()), false);
    store.save(&[record]).map_err(|error| error.to_string())
}

/// Stands in a record between the name of a boot and that of the files, neither of which holds it.
const NAME_SEPARATOR: u8 = 0;

/// The name of the torrent's files in a record, where it is not the torrent's own name for them.
pub(in crate::engine) fn root_name_of(record: &ResumeRecord) -> Option<&str> {
    let at = record.extra.iter().position(|&byte| byte == NAME_SEPARATOR)?;
    std::str::from_utf8(&record.extra[at + 1..]).ok()
}

/// The name of the torrent's files, as a record keeps it: nothing where they bear the torrent's own.
fn encode_root_name(torrent: &Metainfo) -> Vec<u8> {
    torrent.root_name().map_or_else(Vec::new, |name| [&[NAME_SEPARATOR], name.as_bytes()].concat())
}

/// The name of the machine's present boot; empty where it has none, and then only flushed records are made
/// good use of.
fn boot_id() -> Vec<u8> {
    std::fs::read("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| b"unknown".to_vec())
}
