//! Resume records: the pieces that a later run need not recheck.
//!
//! A record says of each verified piece whether it was flushed to the disk or only written. What was only written
//! survives a crash of the program, but neither one of the machine nor the loss of the disk, and is rechecked.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::base::{Bitfield, Untrusted};
use crate::engine::command::{Add, ContentOptions, ExistingFiles, TorrentSource};
use crate::proto::metainfo::Metainfo;
use crate::store::{Change, DiskError, FileStamps, PieceBuffer, ResumeRecord, Storage, TorrentStore};
use crate::swarm::event::Priority;

/// A torrent and the options of its content.
#[derive(Clone)]
pub(super) struct ContentTarget {
    pub metainfo: Arc<Metainfo>,
    pub options: Arc<ContentOptions>,
}

/// Totals over all earlier runs.
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

/// The resume record before the first transfer of this run.
pub(super) fn initial_record(
    target: &ContentTarget,
    have: &Bitfield,
    flushed: &Bitfield,
    totals: LifetimeTotals,
) -> ResumeRecord {
    let ContentTarget { metainfo, options } = target;
    let now = SystemTime::now();
    // Pieces of a download that were trusted unseen are not verified. What is only seeded was hashed before.
    let unseen = options.existing == ExistingFiles::Trust && !options.seed_only;
    let written = if unseen { Bitfield::none(have.len()) } else { have.clone() };
    let mut flushed = flushed.clone();
    // A piece that was lost since is no longer claimed.
    flushed.retain(&written);
    ResumeRecord {
        id: metainfo.info_hash(),
        folder: options.folder.clone(),
        root_name: metainfo.root_name().map(str::to_owned),
        stamps: FileStamps::default(),
        flushed,
        written,
        mount: None,
        uploaded: totals.sent,
        downloaded: totals.received,
        added: totals.added.unwrap_or(now),
        finished: totals.finished.or(options.seed_only.then_some(now)),
        saved: now,
        // Seeding writes to no file.
        running: !options.seed_only,
        partial: is_partial(target, have),
        unfinished: BTreeMap::new(),
    }
}

/// The blocks of unfinished pieces that are on the disk, for a record.
pub(super) fn unfinished<'a>(
    buffers: impl Iterator<Item = &'a PieceBuffer>,
) -> BTreeMap<u32, Vec<Range<u32>>> {
    let saved = buffers.map(|buffer| (buffer.piece().index(), buffer.saved_blocks()));
    saved.filter(|(_, ranges)| !ranges.is_empty()).collect()
}

/// Whether only a part of the torrent is wanted, or was when it was downloaded.
fn is_partial(ContentTarget { options, .. }: &ContentTarget, have: &Bitfield) -> bool {
    options.priorities.contains(&Priority::Skip) || (options.seed_only && !have.is_full())
}

/// The torrent file to store: with the added trackers and the web seeds of the link.
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

/// Loads the resume record for a torrent in this folder, with this name of its files. A record of other files
/// is ignored.
pub(super) fn load(store: &TorrentStore, torrent: &Metainfo, folder: &Path) -> Option<ResumeRecord> {
    let record = match store.load(&torrent.info_hash()) {
        Ok(record) => record?,
        Err(error) => {
            tracing::warn!(%error, "resume data cannot be read; the files are hashed");
            return None;
        }
    };
    (record.folder == folder && record.root_name.as_deref() == torrent.root_name()).then_some(record)
}

/// Whether each file of the storage still has the stamp in the record.
pub(super) fn unchanged(storage: &Storage, record: &ResumeRecord) -> Result<Vec<bool>, DiskError> {
    let now = storage.file_stamps()?;
    Ok(now.files.iter().enumerate().map(|(at, stamp)| record.stamps.files.get(at) == Some(stamp)).collect())
}

/// The change that saves a record, with the present stamps unless it has some. After a `clean` end what was written and
/// not flushed is safe in the page cache.
pub(super) fn change(storage: &Storage, mut record: ResumeRecord, clean: bool) -> Result<Change, DiskError> {
    if record.stamps.files.is_empty() {
        record.stamps = storage.sealed_stamps();
    }
    if record.stamps.files.is_empty() {
        // Later writes may give a file newer times than its stamp, but what the record claims was written before.
        record.stamps = storage.file_stamps()?;
    }
    record.mount = if clean { storage.mount() } else { None };
    Ok(Change::Record(Box::new(record)))
}

/// The change that saves a record after the file at `path` has changed unexpectedly: no piece is flushed for sure, so all
/// of them are rechecked, and that file is not ours.
pub(super) fn change_without(
    storage: &Storage,
    mut record: ResumeRecord,
    path: &Path,
) -> Result<Change, DiskError> {
    record.stamps = storage.file_stamps()?;
    for (stamp, spec) in record.stamps.files.iter_mut().zip(storage.layout().files.iter()) {
        if storage.root().join(&spec.path) == path {
            *stamp = None;
        }
    }
    // A running torrent owns even files without a stamp.
    record.running = false;
    record.flushed = Bitfield::none(record.written.len());
    record.unfinished.clear();
    Ok(Change::Record(Box::new(record)))
}
