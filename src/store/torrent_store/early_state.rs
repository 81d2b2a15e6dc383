//! The state of early versions: a folder of torrent files beside the store. It is taken over when the store is opened.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::base::InfoHashes;

/// Maximum size of a torrent file, in bytes.
const MAX_LEN: u64 = 32 << 20;

/// A torrent file of an early version.
pub(super) struct EarlyTorrentFile {
    path: PathBuf,
    pub id: InfoHashes,
    pub used: SystemTime,
    pub bytes: Vec<u8>,
}

/// Whether the folder of an early version is beside the store's file.
pub(super) fn is_there(store: &Path) -> bool {
    folder(store).is_dir()
}

/// Moves the torrent files of an early version into the store by `save`. What fails stays where it is.
pub(super) fn take_over(store: &Path, save: impl FnOnce(&[EarlyTorrentFile]) -> Result<(), redb::Error>) {
    if !is_there(store) {
        return;
    }
    let folder = folder(store);
    let found = torrent_files(&folder);
    if found.is_empty() {
        return;
    }
    match save(&found) {
        Ok(()) => {
            for file in &found {
                let _ = std::fs::remove_file(&file.path);
            }
            // Other files in it are not ours.
            let _ = std::fs::remove_dir(&folder);
            tracing::info!(count = found.len(), "remembered torrents were moved into the library");
        }
        Err(error) => tracing::warn!(%error, ?folder, "torrents of an earlier version are not remembered"),
    }
}

fn folder(store: &Path) -> PathBuf {
    store.with_file_name("torrents")
}

fn torrent_files(folder: &Path) -> Vec<EarlyTorrentFile> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".torrent")?.parse().ok());
        let Some(id) = id else { continue };
        let mut bytes = Vec::new();
        let read = File::open(&path).and_then(|file| {
            let used = file.metadata()?.modified()?;
            file.take(MAX_LEN + 1).read_to_end(&mut bytes)?;
            Ok(used)
        });
        if let Ok(used) = read
            && bytes.len() as u64 <= MAX_LEN
        {
            found.push(EarlyTorrentFile { path, id, used, bytes });
        }
    }
    found
}
