//! The torrent files of torrents that torr has downloaded or seeded: a folder of the state directory holds
//! the most recent ones, so that a torrent can be resumed by its info-hash alone.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::atomic::write_atomic;
use super::error::{DiskError, DiskErrorKind};
use crate::base::InfoHashes;

/// Maximum number of stored torrents. More would slow down every start.
pub const MAX_STORED_TORRENTS: usize = 1000;
/// Maximum size of all stored torrent files, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Maximum size of one torrent file, in bytes.
const MAX_EACH: u64 = 32 << 20;

/// The folder of stored torrent files.
#[derive(Clone, Debug)]
pub struct StoredTorrentFiles {
    folder: PathBuf,
}

struct StoredFile {
    id: InfoHashes,
    used: SystemTime,
    len: u64,
}

impl StoredTorrentFiles {
    /// The stored torrent files of this state directory.
    pub fn in_state_dir(state: &Path) -> Self {
        Self { folder: state.join("torrents") }
    }

    /// Stores a torrent file as the most recent, and removes the oldest if there are too many.
    pub fn save(&self, id: &InfoHashes, torrent: &[u8]) -> Result<(), DiskError> {
        let path = self.path(id);
        let is_same = self.load(id).ok().flatten().is_some_and(|bytes| bytes == torrent);
        let touched =
            is_same && File::open(&path).and_then(|file| file.set_modified(SystemTime::now())).is_ok();
        if !touched {
            std::fs::create_dir_all(&self.folder)
                .map_err(|error| DiskError::from_io("make the folder", &self.folder, &error))?;
            write_atomic(&path, torrent, true)?;
        }
        self.remove_oldest(MAX_STORED_TORRENTS, MAX_BYTES)
    }

    /// The stored torrent file of this info-hash, or `None`.
    pub fn load(&self, id: &InfoHashes) -> Result<Option<Vec<u8>>, DiskError> {
        let path = self.path(id);
        let failed = |error: io::Error| DiskError::from_io("read", &path, &error);
        let file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other.map_err(failed)?,
        };
        let mut bytes = Vec::new();
        file.take(MAX_EACH + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MAX_EACH {
            return Err(DiskError::new(DiskErrorKind::Invalid, "read", path));
        }
        Ok(Some(bytes))
    }

    /// The info-hashes of all stored torrents, most recently used first.
    pub fn list(&self) -> Result<Vec<InfoHashes>, DiskError> {
        Ok(self.stored_files()?.into_iter().map(|file| file.id).collect())
    }

    /// The path of the torrent file of this info-hash, stored or not.
    pub fn path(&self, id: &InfoHashes) -> PathBuf {
        self.folder.join(format!("{id}.torrent"))
    }

    fn stored_files(&self) -> Result<Vec<StoredFile>, DiskError> {
        let failed = |error: io::Error| DiskError::from_io("look into", &self.folder, &error);
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(failed)?,
        };
        let mut stored_files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".torrent")?.parse().ok());
            // Other files in the folder are not ours.
            if let (Some(id), Ok(meta)) = (id, entry.metadata()) {
                let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                stored_files.push(StoredFile { id, used, len: meta.len() });
            }
        }
        stored_files.sort_by_key(|file| (std::cmp::Reverse(file.used), file.id));
        Ok(stored_files)
    }

    fn remove_oldest(&self, max_files: usize, max_bytes: u64) -> Result<(), DiskError> {
        let mut bytes = 0;
        for (at, file) in self.stored_files()?.iter().enumerate() {
            bytes += file.len;
            if at >= max_files || bytes > max_bytes {
                tracing::info!(id = %file.id, max_files, "a torrent not used for long is remembered no more");
                let path = self.path(&file.id);
                std::fs::remove_file(&path).map_err(|error| DiskError::from_io("remove", &path, &error))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn id(n: u8) -> InfoHashes {
        InfoHashes::from_v1([n; 20])
    }

    #[test]
    fn what_is_kept_is_found_and_the_last_used_is_first() {
        let state = tempfile::tempdir().unwrap();
        let stored = StoredTorrentFiles::in_state_dir(state.path());
        assert_eq!((stored.list().unwrap(), stored.load(&id(1)).unwrap()), (vec![], None));
        for n in 1..=3 {
            stored.save(&id(n), &[n; 10]).unwrap();
            let age = SystemTime::now() - Duration::from_secs(100 - u64::from(n));
            File::open(stored.path(&id(n))).unwrap().set_modified(age).unwrap();
        }
        std::fs::write(state.path().join("torrents/mine.txt"), "not yours").unwrap();
        assert_eq!(stored.list().unwrap(), [id(3), id(2), id(1)]);
        stored.save(&id(1), &[1; 10]).unwrap();
        assert_eq!(stored.list().unwrap(), [id(1), id(3), id(2)]);
        assert_eq!(stored.load(&id(2)).unwrap(), Some(vec![2; 10]));
        stored.remove_oldest(2, 1000).unwrap();
        assert_eq!(stored.list().unwrap(), [id(1), id(3)]);
        stored.remove_oldest(9, 15).unwrap();
        assert_eq!(stored.list().unwrap(), [id(1)]);
        assert!(state.path().join("torrents/mine.txt").exists());
    }
}
