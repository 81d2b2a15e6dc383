//! Torrents of earlier runs: what is remembered of them in a state directory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::driver::untouched;
use crate::base::InfoHashes;
use crate::proto::metainfo::Metainfo;
use crate::store::{DiskError, Library, Remembered};

/// A torrent of an earlier run.
#[derive(Clone, Debug)]
pub struct Recalled {
    /// The torrent.
    pub metainfo: Metainfo,
    /// Where its torrent file is kept.
    pub torrent_file: PathBuf,
    /// The folder in which its file or folder lay, if that is known.
    pub folder: Option<PathBuf>,
}

/// Every torrent that is remembered in this state directory, those used last first.
pub fn remembered(state: &Path) -> Result<Vec<InfoHashes>, DiskError> {
    Remembered::of(state).all()
}

/// The memory of a torrent; nothing if its torrent file is not there, or is not the right one any more.
pub fn recall(state: &Path, id: &InfoHashes) -> Result<Option<Recalled>, DiskError> {
    let Some(metainfo) = recall_metainfo(state, id)? else { return Ok(None) };
    let entry = Library::of(state).load(id)?;
    let metainfo = match entry.as_ref().and_then(|entry| entry.root_name.as_deref()) {
        Some(name) => metainfo.with_root_name(name),
        None => metainfo,
    };
    Ok(Some(Recalled {
        metainfo,
        torrent_file: Remembered::of(state).path(id),
        folder: entry.map(|entry| entry.folder),
    }))
}

/// The torrents of earlier runs whose file or folder lay exactly here, those used last first.
pub fn recalled_at(state: &Path, path: &Path) -> Result<Vec<Recalled>, DiskError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Ok(Vec::new()) };
    let mut folders: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut is_here = |folder: &Path| {
        let same = || folder == parent || folder.canonicalize().is_ok_and(|real| real == parent);
        *folders.entry(folder.to_owned()).or_insert_with(same)
    };
    let entries = Library::of(state).load_all()?;
    let here: BTreeSet<InfoHashes> =
        entries.into_iter().filter(|entry| is_here(&entry.folder)).map(|entry| entry.id).collect();
    if here.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for id in remembered(state)?.into_iter().filter(|id| here.contains(id)) {
        if let Some(recalled) = recall(state, &id)?.filter(|recalled| name == recalled.metainfo.top_name()) {
            found.push(recalled);
        }
    }
    Ok(found)
}

impl Recalled {
    /// Whether every piece of it was verified in an earlier run and no file has changed since.
    pub fn is_untouched(&self, state: &Path) -> bool {
        let folder = self.folder.as_deref();
        folder.is_some_and(|folder| untouched(&Library::of(state), &self.metainfo, folder))
    }
}

/// The torrent that is remembered under an info-hash, as its torrent file has it. One that is v1 and v2 is
/// remembered by its v1 digits.
pub fn recall_metainfo(state: &Path, id: &InfoHashes) -> Result<Option<Metainfo>, DiskError> {
    let Some(bytes) = Remembered::of(state).read(id)? else { return Ok(None) };
    Ok(Metainfo::parse(&bytes)
        .and_then(Metainfo::downloadable)
        .ok()
        .filter(|found| found.info_hash().wire() == id.wire()))
}
