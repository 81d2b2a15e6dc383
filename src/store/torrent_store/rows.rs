//! The tables of the torrent store and their rows.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::time::SystemTime;

use redb::{ReadableTable, TableDefinition, TableError, WriteTransaction};

use super::record::ResumeRecord;
use crate::base::InfoHashes;
use crate::hash;

/// Encoded resume records.
pub(super) const RECORDS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("torrents");
/// Torrent files, each followed by its SHA-1 digest.
pub(super) const TORRENT_FILES: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("torrent_files");
/// The time of the last use of each torrent file, in nanoseconds since 1970.
pub(super) const USED: TableDefinition<'_, &str, u64> = TableDefinition::new("used");
/// The processes that hold the torrents' locks.
pub(super) const OWNERS: TableDefinition<'_, &str, (u32, &[u8])> = TableDefinition::new("owners");

/// A change of the torrent store.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Saves a resume record.
    Record(Box<ResumeRecord>),
    /// Saves a torrent file, as the one used last.
    TorrentFile(InfoHashes, Vec<u8>),
    /// Sets the process that works on a torrent.
    Owner(InfoHashes, Option<Owner>),
}

/// The process that works on a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Owner {
    /// The process id.
    pub process: u32,
    /// The download folder of that process.
    pub folder: PathBuf,
}

pub(super) fn apply(transaction: &WriteTransaction, change: &Change) -> Result<(), redb::Error> {
    match change {
        Change::Record(record) => {
            let mut table = transaction.open_table(RECORDS)?;
            table.insert(record.id.to_string().as_str(), record.to_bytes().as_slice())?;
        }
        Change::TorrentFile(id, bytes) => save_torrent_file(transaction, id, bytes, SystemTime::now())?,
        Change::Owner(id, owner) => {
            let mut table = transaction.open_table(OWNERS)?;
            let key = id.to_string();
            match owner {
                Some(Owner { process, folder }) => {
                    drop(table.insert(key.as_str(), (*process, folder.as_os_str().as_bytes()))?);
                }
                None => drop(table.remove(key.as_str())?),
            }
        }
    }
    Ok(())
}

pub(super) fn has_torrent_file(transaction: &WriteTransaction, id: &InfoHashes) -> Result<bool, redb::Error> {
    let table = transaction.open_table(TORRENT_FILES)?;
    let found = table.get(id.to_string().as_str())?.is_some();
    Ok(found)
}

pub(super) fn save_torrent_file(
    transaction: &WriteTransaction,
    id: &InfoHashes,
    bytes: &[u8],
    used: SystemTime,
) -> Result<(), redb::Error> {
    let key = id.to_string();
    let used = used.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
    transaction.open_table(USED)?.insert(key.as_str(), used)?;
    let mut table = transaction.open_table(TORRENT_FILES)?;
    let sealed = [bytes, &hash::sha1(bytes)].concat();
    // A torrent file may be large, and most runs change nothing.
    if table.get(key.as_str())?.is_none_or(|there| there.value() != sealed) {
        table.insert(key.as_str(), sealed.as_slice())?;
    }
    Ok(())
}

/// The record of this key; `None` if it cannot be read.
pub(super) fn decode(key: &str, row: &[u8]) -> Option<ResumeRecord> {
    let record = ResumeRecord::from_bytes(row).filter(|record| record.id.to_string() == key);
    if record.is_none() {
        tracing::warn!(torrent = key, "its record cannot be read; its files are hashed");
    }
    record
}

pub(super) fn unseal(sealed: &[u8]) -> Option<Vec<u8>> {
    let (bytes, digest) = sealed.split_last_chunk::<20>()?;
    (hash::sha1(bytes) == *digest).then(|| bytes.to_vec())
}

/// A table that nothing was ever written to does not exist.
pub(super) fn nothing_if_missing<T: Default>(error: TableError) -> Result<T, redb::Error> {
    match error {
        TableError::TableDoesNotExist(_) => Ok(T::default()),
        error => Err(error.into()),
    }
}
