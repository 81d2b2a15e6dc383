//! Torrents of earlier runs, as the torrent store has them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::driver::is_untouched;
use crate::base::InfoHashes;
use crate::proto::metainfo::Metainfo;
use crate::store::{DiskError, TorrentStore};

/// A torrent of an earlier run.
#[derive(Clone, Debug)]
pub struct StoredTorrent {
    /// The metadata, with the name of the files on disk.
    pub metainfo: Metainfo,
    /// The download folder, if its resume record exists.
    pub folder: Option<PathBuf>,
}

/// The info-hashes of all stored torrents, most recently used first.
pub fn list_stored_torrents(state: &Path) -> Result<Vec<InfoHashes>, DiskError> {
    TorrentStore::in_state_dir(state).list()
}

/// Loads a stored torrent; `None` if its torrent file is missing, damaged or that of another torrent.
pub fn load_stored_torrent(state: &Path, id: &InfoHashes) -> Result<Option<StoredTorrent>, DiskError> {
    load(&TorrentStore::in_state_dir(state), id)
}

fn load(store: &TorrentStore, id: &InfoHashes) -> Result<Option<StoredTorrent>, DiskError> {
    let Some(metainfo) = load_metainfo(store, id)? else { return Ok(None) };
    let record = store.load(id)?;
    let metainfo = match record.as_ref().and_then(|record| record.root_name.as_deref()) {
        Some(name) => metainfo.with_root_name(name),
        None => metainfo,
    };
    Ok(Some(StoredTorrent { metainfo, folder: record.map(|record| record.folder) }))
}

/// The stored torrents whose file or folder was exactly at `path`, most recently used first.
pub fn find_stored_torrents(state: &Path, path: &Path) -> Result<Vec<StoredTorrent>, DiskError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut folders: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut is_here = |folder: &Path| {
        let same = || folder == parent || folder.canonicalize().is_ok_and(|real| real == parent);
        *folders.entry(folder.to_owned()).or_insert_with(same)
    };
    let store = TorrentStore::in_state_dir(state);
    let records = store.load_all()?;
    let here: BTreeSet<InfoHashes> =
        records.into_iter().filter(|record| is_here(&record.folder)).map(|record| record.id).collect();
    if here.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for id in store.list()?.into_iter().filter(|id| here.contains(id)) {
        found.extend(load(&store, &id)?.filter(|stored| name == stored.metainfo.top_name()));
    }
    Ok(found)
}

impl StoredTorrent {
    /// Whether every piece was verified in an earlier run and no file has changed since.
    pub fn is_untouched(&self, state: &Path) -> bool {
        let folder = self.folder.as_deref();
        folder.is_some_and(|folder| is_untouched(&TorrentStore::in_state_dir(state), &self.metainfo, folder))
    }
}

/// Loads the metadata of a stored torrent. A hybrid torrent is stored under its v1 info-hash.
pub fn load_stored_metainfo(state: &Path, id: &InfoHashes) -> Result<Option<Metainfo>, DiskError> {
    load_metainfo(&TorrentStore::in_state_dir(state), id)
}

fn load_metainfo(store: &TorrentStore, id: &InfoHashes) -> Result<Option<Metainfo>, DiskError> {
    let Some(bytes) = store.torrent_file(id)? else { return Ok(None) };
    Ok(Metainfo::parse(&bytes)
        .and_then(Metainfo::downloadable)
        .ok()
        .filter(|found| found.info_hash().wire() == id.wire()))
}
