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

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::{ReadableTable, TableDefinition, Value};

use self::database::StoreFile;
pub use self::record::{ResumeRecord, trusted_pieces};
pub use self::rows::{Change, Owner};
use self::rows::{OWNERS, RECORDS, TORRENT_FILES, USED, apply, decode, nothing_if_missing, unseal};
pub use self::writer::StoreWriter;
use super::error::DiskError;
use crate::base::InfoHashes;

/// The name of the file in the state directory.
const FILE_NAME: &str = "library.redb";

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
        let record = self.get(RECORDS, &key, |row| decode(&key, row))?;
        Ok(record.flatten())
    }

    /// All resume records that can be read, in the order of their info-hashes.
    pub fn load_all(&self) -> Result<Vec<ResumeRecord>, DiskError> {
        let records = self.get_all(RECORDS, decode)?;
        Ok(records.into_iter().flatten().collect())
    }

    /// The torrent file of a torrent; `None` if there is none, or it is damaged.
    pub fn torrent_file(&self, id: &InfoHashes) -> Result<Option<Vec<u8>>, DiskError> {
        let bytes = self.get(TORRENT_FILES, &id.to_string(), unseal)?;
        Ok(bytes.flatten())
    }

    /// The info-hashes of all torrents whose torrent file is stored, most recently used first.
    pub fn list(&self) -> Result<Vec<InfoHashes>, DiskError> {
        let used = self.get_all(USED, |key, time| Some((time, key.parse::<InfoHashes>().ok()?)))?;
        let mut used: Vec<_> = used.into_iter().flatten().collect();
        used.sort_by_key(|&(time, id)| (std::cmp::Reverse(time), id));
        Ok(used.into_iter().map(|(_, id)| id).collect())
    }

    /// The process that works on a torrent, as far as it has saved that.
    pub fn owner(&self, id: &InfoHashes) -> Result<Option<Owner>, DiskError> {
        self.get(OWNERS, &id.to_string(), |(process, folder)| Owner {
            process,
            folder: PathBuf::from(OsStr::from_bytes(folder)),
        })
    }

    /// Opens the file if it exists, which finds out whether it can be used.
    pub fn check(&self) -> Result<(), DiskError> {
        self.file.read(|_| Ok(())).map(drop)
    }

    /// The row of a key, as `read` returns it.
    fn get<V: Value + 'static, T>(
        &self,
        table: TableDefinition<'_, &'static str, V>,
        key: &str,
        read: impl Fn(V::SelfType<'_>) -> T,
    ) -> Result<Option<T>, DiskError> {
        let row = self.file.read(|transaction| match transaction.open_table(table) {
            Ok(table) => Ok(table.get(key)?.map(|row| read(row.value()))),
            Err(error) => nothing_if_missing(error),
        })?;
        Ok(row.flatten())
    }

    /// All rows in the order of their keys, as `read` returns them.
    fn get_all<V: Value + 'static, T>(
        &self,
        table: TableDefinition<'_, &'static str, V>,
        read: impl Fn(&str, V::SelfType<'_>) -> T,
    ) -> Result<Vec<T>, DiskError> {
        let rows = self.file.read(|transaction| match transaction.open_table(table) {
            Ok(table) => table
                .iter()?
                .map(|row| {
                    let (key, row) = row?;
                    Ok(read(key.value(), row.value()))
                })
                .collect(),
            Err(error) => nothing_if_missing(error),
        })?;
        Ok(rows.unwrap_or_default())
    }
}

#[cfg(test)]
pub(super) mod tests;
