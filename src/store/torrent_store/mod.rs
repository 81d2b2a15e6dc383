//! The torrent store: what torr remembers of its torrents, in one transactional file (redb) of the state directory.
//!
//! Of each torrent it holds the resume record, the torrent file, the time of its last use, and the process that works
//! on it. Processes share the file: each may keep it open, and one transaction at a time writes. Only the holder of a
//! torrent's lock ([`super::TorrentLock`]) changes its rows.
//!
//! A row that cannot be read costs only its torrent, which is then rechecked. A file that is no database is renamed,
//! never deleted. The file of a newer torr is refused.

mod bounded_locks;
mod database;
mod early_state;
mod encoding;
mod record;
mod rows;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{ReadTransaction, ReadableTable};

use self::database::StoreFile;
pub use self::record::{ResumeRecord, trusted_pieces};
pub use self::rows::Change;
use self::rows::{OWNERS, RECORDS, TORRENT_FILES, USED, apply, decode, nothing_if_missing, unseal};
pub use self::writer::StoreWriter;
use super::error::DiskError;
use crate::base::InfoHashes;

/// The name of the file in the state directory.
const FILE_NAME: &str = "library.redb";

/// The process that works on a torrent.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Owner {
    /// The process id.
    pub process: Option<u32>,
    /// Its download folder.
    pub folder: Option<PathBuf>,
}

/// The torrent store. The file is opened on first use and stays open until the last clone is dropped.
#[derive(Clone, Debug)]
pub struct TorrentStore {
    file: Arc<StoreFile>,
}

impl TorrentStore {
    /// The store of this state directory, which need not exist; a save creates it.
    pub fn in_state_dir(state: &Path) -> Self {
        Self { file: Arc::new(StoreFile::new(state.join(FILE_NAME))) }
    }

    /// The path of the store's file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// Makes these changes, all or none, and syncs. The error is [`super::DiskErrorKind::Busy`] if another process
    /// keeps the file to itself.
    pub fn save(&self, changes: &[Change]) -> Result<(), DiskError> {
        self.file.write(|transaction| {
            for change in changes {
                apply(transaction, change)?;
            }
            Ok(())
        })
    }

    /// The resume record of a torrent; `None` if there is none, or it cannot be read.
    pub fn load(&self, id: &InfoHashes) -> Result<Option<ResumeRecord>, DiskError> {
        let key = id.to_string();
        let row = self.file.read(|transaction| match transaction.open_table(RECORDS) {
            Ok(table) => Ok(table.get(key.as_str())?.map(|value| value.value().to_vec())),
            Err(error) => nothing_if_missing(error),
        })?;
        Ok(row.flatten().and_then(|row| decode(&key, &row)))
    }

    /// All resume records that can be read, in the order of their info-hashes.
    pub fn load_all(&self) -> Result<Vec<ResumeRecord>, DiskError> {
        let records = self.file.read(|transaction| {
            let table = match transaction.open_table(RECORDS) {
                Ok(table) => table,
                Err(error) => return nothing_if_missing(error),
            };
            let mut records = Vec::new();
            for row in table.iter()? {
                let (key, value) = row?;
                records.extend(decode(key.value(), value.value()));
            }
            Ok(records)
        })?;
        Ok(records.unwrap_or_default())
    }

    /// The torrent file of a torrent; `None` if there is none, or it is damaged.
    pub fn torrent_file(&self, id: &InfoHashes) -> Result<Option<Vec<u8>>, DiskError> {
        let key = id.to_string();
        let row = self.file.read(|transaction| match transaction.open_table(TORRENT_FILES) {
            Ok(table) => Ok(table.get(key.as_str())?.and_then(|value| unseal(value.value()))),
            Err(error) => nothing_if_missing(error),
        })?;
        Ok(row.flatten())
    }

    /// The info-hashes of all torrents whose torrent file is stored, most recently used first.
    pub fn list(&self) -> Result<Vec<InfoHashes>, DiskError> {
        let used = self.file.read(|transaction| {
            let table = match transaction.open_table(USED) {
                Ok(table) => table,
                Err(error) => return nothing_if_missing(error),
            };
            let mut used = Vec::new();
            for row in table.iter()? {
                let (key, time) = row?;
                used.extend(key.value().parse::<InfoHashes>().map(|id| (time.value(), id)));
            }
            Ok(used)
        })?;
        let mut used = used.unwrap_or_default();
        used.sort_by_key(|&(time, id)| (std::cmp::Reverse(time), id));
        Ok(used.into_iter().map(|(_, id)| id).collect())
    }

    /// The process that works on a torrent, as far as it has saved that.
    pub fn owner(&self, id: &InfoHashes) -> Result<Option<Owner>, DiskError> {
        let key = id.to_string();
        let process = self.file.read(|transaction| match transaction.open_table(OWNERS) {
            Ok(table) => Ok(table.get(key.as_str())?.map(|value| value.value())),
            Err(error) => nothing_if_missing(error),
        })?;
        let Some(process) = process.flatten() else { return Ok(None) };
        let folder = self.load(id)?.map(|record| record.folder);
        Ok(Some(Owner { process: Some(process), folder }))
    }

    /// Opens the file if it exists, which finds out whether it can be used.
    pub fn check(&self) -> Result<(), DiskError> {
        self.file.read(|_: &ReadTransaction| Ok(())).map(drop)
    }
}

#[cfg(test)]
pub(super) mod tests;
