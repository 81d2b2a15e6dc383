//! The torrent store: the resume record of each torrent, in one transactional file (redb).
//!
//! The file is opened for each load or save and closed again, so several processes can share it. A damaged
//! file, or one of a newer version, is renamed, never deleted; its torrents are then rechecked.

mod encoding;

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use redb::{
    ConcurrencyMode, Database, ReadableDatabase, ReadableTable, ReadableTableMetadata, TableDefinition,
};

use self::encoding::RecordError;
use super::error::{DiskError, DiskErrorKind};
use super::storage::{FileStamp, FileStamps, Storage};
use crate::base::{Bitfield, InfoHashes};

const TORRENTS: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("torrents");

/// Page cache in bytes; the file is open only for moments.
const CACHE: usize = 4 << 20;

/// Time for which a process that died may have written after its last save.
const GRACE: Duration = Duration::from_secs(60);

/// The resume record of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ResumeRecord {
    /// The info-hashes.
    pub id: InfoHashes,
    /// The download folder.
    pub folder: PathBuf,
    /// The name of the file or directory there, if it differs from the torrent's own name.
    pub root_name: Option<String>,
    /// The stamps by which a change of the files is detected.
    pub stamps: FileStamps,
    /// The verified pieces that were flushed to the disk: trusted after any end if the files are unchanged.
    pub flushed: Bitfield,
    /// The verified pieces that were written, including all flushed ones. The others are rechecked after any end,
    /// except a clean one after which the page cache lives on (`mount`).
    pub written: Bitfield,
    /// The mount through which the files were written, see [`Storage::mount`]; `None` if unknown.
    pub mount: Option<String>,
    /// Payload uploaded in all runs, in bytes.
    pub uploaded: u64,
    /// Payload downloaded in all runs, in bytes.
    pub downloaded: u64,
    /// The time the torrent was added.
    pub added: SystemTime,
    /// The time the last wanted piece was verified.
    pub finished: Option<SystemTime>,
    /// The time this record was saved.
    pub saved: SystemTime,
    /// Set while the torrent runs: its files may have been written to since.
    pub running: bool,
    /// Set if only some of the files are wanted.
    pub partial: bool,
}

impl ResumeRecord {
    /// Encodes the record.
    pub fn to_bytes(&self) -> Vec<u8> {
        encoding::encode(self)
    }

    /// Whether a file with the stamp `old` in this record may have the stamp `new` if only torr wrote to it.
    pub fn accepts(&self, old: FileStamp, new: FileStamp) -> bool {
        if self.running {
            new.size >= old.size
                && new.inode == old.inode
                && new.mtime_ns >= old.mtime_ns
                && new.ctime_ns >= old.ctime_ns
                && self.may_have_written(new)
        } else {
            old == new
        }
    }

    /// Whether a process that was running when this record was saved may have written to a file last, by its times.
    pub fn may_have_written(&self, new: FileStamp) -> bool {
        let last = self.saved.checked_add(GRACE).unwrap_or(self.saved);
        let last_ns = last.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos();
        self.running && i128::from(new.mtime_ns.max(new.ctime_ns)) <= last_ns as i128
    }

    /// Decodes a record; `None` if it is damaged or written by a newer torr.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        encoding::decode(bytes).ok()
    }
}

/// The torrent store; the file is open only during a call.
#[derive(Clone, Debug)]
pub struct TorrentStore {
    path: PathBuf,
}

impl TorrentStore {
    /// The store in this file, which need not exist; a save creates its folder.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The store of this state directory.
    pub fn in_state_dir(state: &Path) -> Self {
        Self::new(state.join("library.redb"))
    }

    /// The folder of the store.
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The path of the store's file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Saves these records, all or none, and syncs. The error is [`DiskErrorKind::Busy`] if another program
    /// holds the file.
    pub fn save(&self, records: &[ResumeRecord]) -> Result<(), DiskError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| DiskError::from_io("make the folder", folder, &error))?;
        }
        self.with_database(false, |database| {
            let change = database.begin_write()?;
            {
                let mut table = change.open_table(TORRENTS)?;
                for record in records {
                    table.insert(record.id.to_string().as_str(), encoding::encode(record).as_slice())?;
                }
            }
            Ok(change.commit()?)
        })
    }

    /// The resume record of a torrent, or `None`.
    pub fn load(&self, id: &InfoHashes) -> Result<Option<ResumeRecord>, DiskError> {
        let id = id.to_string();
        self.read(|table| {
            Ok(table.get(id.as_str())?.map(|value| value.value().to_vec()).into_iter().collect())
        })
        .map(|mut records| records.pop())
    }

    /// All resume records, in the order of their info-hashes.
    pub fn load_all(&self) -> Result<Vec<ResumeRecord>, DiskError> {
        self.read(|table| table.iter()?.map(|row| Ok(row?.1.value().to_vec())).collect())
    }

    /// Removes the record of a torrent.
    pub fn remove(&self, id: &InfoHashes) -> Result<(), DiskError> {
        if !self.path.exists() {
            return Ok(());
        }
        let id = id.to_string();
        self.with_database(false, |database| {
            let change = database.begin_write()?;
            change.open_table(TORRENTS)?.remove(id.as_str())?;
            Ok(change.commit()?)
        })
    }

    /// Removes the records saved longest ago if there are more than `max`, and a tenth of `max` more, so that
    /// it is seldom needed. A torrent without a record is rechecked when it is added again.
    pub fn prune(&self, max: usize) -> Result<(), DiskError> {
        if !self.path.exists() {
            return Ok(());
        }
        self.with_database(false, |database| {
            let count = match database.begin_read()?.open_table(TORRENTS) {
                Ok(table) => table.len()? as usize,
                Err(redb::TableError::TableDoesNotExist(_)) => 0,
                Err(error) => return Err(error.into()),
            };
            if count <= max {
                return Ok(());
            }
            let change = database.begin_write()?;
            {
                let mut table = change.open_table(TORRENTS)?;
                let mut by_age = Vec::with_capacity(count);
                for row in table.iter()? {
                    let (key, value) = row?;
                    // An unreadable record counts as the oldest.
                    let saved =
                        encoding::decode(value.value()).map_or(SystemTime::UNIX_EPOCH, |record| record.saved);
                    by_age.push((saved, key.value().to_owned()));
                }
                by_age.sort();
                for (_, key) in by_age.iter().take(by_age.len().saturating_sub(max) + max / 10) {
                    table.remove(key.as_str())?;
                }
                tracing::info!(max, "torrents saved long ago were forgotten; their files will be hashed");
            }
            Ok(change.commit()?)
        })
    }

    fn read(
        &self,
        rows: impl Fn(&redb::ReadOnlyTable<&'static str, &'static [u8]>) -> Result<Vec<Vec<u8>>, redb::Error>,
    ) -> Result<Vec<ResumeRecord>, DiskError> {
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let found =
            self.with_database(true, |database| match database.begin_read()?.open_table(TORRENTS) {
                Ok(table) => rows(&table),
                Err(redb::TableError::TableDoesNotExist(_)) => Ok(Vec::new()),
                Err(error) => Err(error.into()),
            })?;
        let decoded: Result<Vec<_>, _> = found.iter().map(|row| encoding::decode(row)).collect();
        decoded.or_else(|error| {
            let why = if error == RecordError::Newer { "written by a newer torr" } else { "damaged" };
            self.set_aside(why)?;
            Ok(Vec::new())
        })
    }

    /// Opens the file and does `work`; with `check_integrity`, every page is verified first. A damaged file
    /// is renamed, and the work is done with a new one.
    fn with_database<T>(
        &self,
        check_integrity: bool,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, DiskError> {
        match self.try_with_database(check_integrity, &work) {
            Err(StoreError::Unreadable) => {
                self.set_aside("damaged")?;
                self.try_with_database(check_integrity, &work).map_err(|error| self.to_disk_error(error))
            }
            other => other.map_err(|error| self.to_disk_error(error)),
        }
    }

    fn try_with_database<T>(
        &self,
        check_integrity: bool,
        work: impl Fn(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let opened = || {
            let mut builder = Database::builder();
            builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::MultiWriter);
            // Records are trusted, so an altered file must be an error.
            builder.set_check_integrity_on_open(check_integrity);
            let database = builder.create(&self.path)?;
            work(&database)
        };
        // redb may panic over a damaged file.
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(opened));
        result.unwrap_or(Err(redb::Error::Corrupted(String::new()))).map_err(StoreError::of)
    }

    /// Renames the file to the first free name of `NAME.bad`, `NAME.bad1`, …
    fn set_aside(&self, why: &str) -> Result<(), DiskError> {
        let names = (0..1000).map(|number| {
            let mut name = self.path.clone().into_os_string();
            name.push(if number == 0 { ".bad".to_owned() } else { format!(".bad{number}") });
            PathBuf::from(name)
        });
        let failed = |error| DiskError::from_io("set aside", self.path.as_path(), &error);
        let mut free = names.filter(|name| !name.exists());
        let aside = free.next().ok_or_else(|| failed(std::io::ErrorKind::AlreadyExists.into()))?;
        tracing::warn!(?aside, why, "the library was set aside; torrents are checked again");
        std::fs::rename(&self.path, aside).map_err(failed)
    }

    fn to_disk_error(&self, error: StoreError) -> DiskError {
        let (what, path) = ("use the library", self.path.as_path());
        match error {
            StoreError::Busy => DiskError::new(DiskErrorKind::Busy, what, path),
            StoreError::Io(error) => DiskError::from_io(what, path, &error),
            StoreError::Unreadable => {
                DiskError::new(DiskErrorKind::Io, what, path).with_detail("it cannot be read")
            }
        }
    }
}

/// The pieces of a record that need no recheck, because they were flushed and their files have the recorded stamps. A
/// record of a process that was still running may precede its last writes, so there the files may be slightly newer.
/// After a clean end written pieces count like flushed ones while the files are reached through the same mount: the
/// page cache holds them until they are on the disk.
pub fn trusted_pieces(storage: &Storage, record: &ResumeRecord) -> Result<Bitfield, DiskError> {
    let cached = !record.running && record.mount.is_some() && record.mount == storage.mount();
    let claimed = if cached { &record.written } else { &record.flushed };
    storage.unchanged_pieces(claimed, &record.stamps, |old, new| record.accepts(old, new))
}

/// An error of the store's file.
enum StoreError {
    Busy,
    Io(std::io::Error),
    Unreadable,
}

impl StoreError {
    fn of(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Busy,
            // A truncated file, or one that is no database, is reported like this.
            redb::Error::Io(error)
                if matches!(
                    error.kind(),
                    std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof
                ) =>
            {
                Self::Unreadable
            }
            redb::Error::Io(error) => Self::Io(error),
            _ => Self::Unreadable,
        }
    }
}

#[cfg(test)]
mod tests;
