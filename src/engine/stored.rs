//! Torrents of earlier runs: what is remembered of them in a state directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::driver::{is_untouched, root_name_of};
use crate::base::InfoHashes;
use crate::proto::metainfo::Metainfo;
use crate::store::{DiskError, StoredTorrentFiles, TorrentStore};

/// A torrent of an earlier run.
#[derive(Clone, Debug)]
pub struct StoredTorrent {
    /// The torrent.
    pub metainfo: Metainfo,
    /// Where its torrent file is kept.
    pub torrent_file: PathBuf,
    /// The folder in which its file or folder lay, if that is known.
    pub folder: Option<PathBuf>,
}

/// Every torrent that is remembered in this state directory, those used last first.
pub fn list_stored_torrents(state: &Path) -> Result<Vec<InfoHashes>, DiskError> {
    StoredTorrentFiles::in_state_dir(state).list()
}

/// The memory of a torrent; nothing if its torrent file is not there, or is not the right one any more.
pub fn load_stored_torrent(state: &Path, id: &InfoHashes) -> Result<Option<StoredTorrent>, DiskError> {
    let Some(metainfo) = load_stored_metainfo(state, id)? else { return Ok(None) };
    let record = TorrentStore::in_state_dir(state).load(id)?;
    let metainfo = match record.as_ref().and_then(root_name_of) {
        Some(name) => metainfo.with_root_name(name),
        None => metainfo,
    };
    Ok(Some(StoredTorrent {
        metainfo,
        torrent_file: StoredTorrentFiles::in_state_dir(state).path(id),
        folder: record.map(|record| record.folder),
    }))
}

/// The torrents of earlier runs whose file or folder lay exactly here, those used last first.
pub fn find_stored_torrents(state: &Path, path: &Path) -> Result<Vec<StoredTorrent>, DiskError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut folders: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut is_here = |folder: &Path| {
        let same = || folder == parent || folder.canonicalize().is_ok_and(|real| real == parent);
        *folders.entry(folder.to_owned()).or_insert_with(same)
    };
    let records = TorrentStore::in_state_dir(state).load_all()?;
    let here: BTreeSet<InfoHashes> =
        records.into_iter().filter(|record| is_here(&record.folder)).map(|record| record.id).collect();
    if here.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for id in list_stored_torrents(state)?.into_iter().filter(|id| here.contains(id)) {
        if let Some(stored) =
            load_stored_torrent(state, &id)?.filter(|stored| name == stored.metainfo.top_name())
        {
            found.push(stored);
        }
    }
    Ok(found)
}

impl StoredTorrent {
    /// Whether every piece of it was verified in an earlier run and no file has changed since.
    pub fn is_untouched(&self, state: &Path) -> bool {
        let folder = self.folder.as_deref();
        folder.is_some_and(|folder| is_untouched(&TorrentStore::in_state_dir(state), &self.metainfo, folder))
    }
}

/// The torrent that is remembered under an info-hash, as its torrent file has it. One that is v1 and v2 is
/// remembered by its v1 digits.
pub fn load_stored_metainfo(state: &Path, id: &InfoHashes) -> Result<Option<Metainfo>, DiskError> {
    let Some(bytes) = StoredTorrentFiles::in_state_dir(state).load(id)? else { return Ok(None) };
    Ok(Metainfo::parse(&bytes)
        .and_then(Metainfo::downloadable)
        .ok()
        .filter(|found| found.info_hash().wire() == id.wire()))
}
