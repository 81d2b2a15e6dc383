//! Torrents of earlier runs: what is remembered of them in a state directory.

use std::path::{Path, PathBuf};

use super::driver::name_of;
use crate::base::InfoHash;
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
pub fn remembered(state: &Path) -> Result<Vec<InfoHash>, DiskError> {
    Remembered::of(state).all()
}

/// What is remembered of a torrent; nothing if its torrent file is not there, or is not the right one any more.
pub fn recall(state: &Path, id: &InfoHash) -> Result<Option<Recalled>, DiskError> {
    let Some(metainfo) = recall_metainfo(state, id)? else { return Ok(None) };
    let entry = Library::of(state).load(id)?;
    let metainfo = match entry.as_ref().and_then(name_of) {
        Some(name) => metainfo.with_root_name(name),
        None => metainfo,
    };
    Ok(Some(Recalled {
        metainfo,
        torrent_file: Remembered::of(state).path(id),
        folder: entry.map(|entry| entry.folder),
    }))
}

/// The torrent that is remembered under an info-hash, as its torrent file has it. One that is v1 and v2 is
/// remembered by its v1 digits.
pub fn recall_metainfo(state: &Path, id: &InfoHash) -> Result<Option<Metainfo>, DiskError> {
    let Some(bytes) = Remembered::of(state).read(id)? else { return Ok(None) };
    Ok(Metainfo::parse(&bytes).ok().filter(|found| found.info_hash().wire() == id.wire()))
}
