//! The file of the torrent store: opened when it is first needed, shared with other processes, set aside if it is
//! damaged.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use redb::{
    ConcurrencyMode, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, TableError,
    WriteTransaction,
};

use super::bounded_locks::BoundedLocks;
use super::early_state::{self, EarlyTorrentFile};
use super::rows;
use crate::store::error::{DiskError, DiskErrorKind};

/// The version of the file, under [`FORMAT_KEY`]. A torr that adds tables or changes their rows counts it up.
const FORMAT: u64 = 2;
const FORMAT_KEY: &str = "format";
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

/// The format of redb's files, and the offsets of its number in their header, in either commit slot (redb, "File
/// format").
const REDB_FORMAT: u8 = 3;
const REDB_FORMAT_OFFSETS: [usize; 2] = [64, 192];

/// Page cache in bytes.
const CACHE: usize = 4 << 20;

/// The file of the torrent store.
#[derive(Debug)]
pub(super) struct StoreFile {
    path: PathBuf,
    open: Mutex<Option<OpenFile>>,
}

/// The open file, and its device and inode.
#[derive(Clone, Debug)]
struct OpenFile {
    database: Arc<redb::Database>,
    place: (u64, u64),
}

impl StoreFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, open: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Reads in one transaction; `None` if there is no file, or it was damaged and is set aside.
    pub(super) fn read<T>(
        &self,
        work: impl Fn(&ReadTransaction) -> Result<T, redb::Error>,
    ) -> Result<Option<T>, DiskError> {
        // The folder of an early version counts as a file: it becomes one.
        if !self.path.exists() && !early_state::is_there(&self.path) {
            return Ok(None);
        }
        let read = |database: &redb::Database| work(&database.begin_read()?);
        match self.attempt(&read) {
            Err(StoreError::Unreadable) if self.set_aside_if_damaged()? => Ok(None),
            Err(StoreError::Unreadable) => self.attempt(&read).map(Some),
            other => other.map(Some),
        }
        .map_err(|error| self.to_disk_error(error))
    }

    /// Writes in one transaction, and syncs. A damaged file is set aside and a new one written.
    pub(super) fn write(
        &self,
        work: impl Fn(&WriteTransaction) -> Result<(), redb::Error>,
    ) -> Result<(), DiskError> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| DiskError::from_io("make the folder", folder, &error))?;
        }
        let change = |database: &redb::Database| {
            let change = begin_write(database)?;
            work(&change)?;
            Ok(change.commit()?)
        };
        match self.attempt(&change) {
            Err(StoreError::Unreadable) => {
                self.set_aside_if_damaged()?;
                self.attempt(&change)
            }
            other => other,
        }
        .map_err(|error| self.to_disk_error(error))
    }

    fn attempt<T>(&self, work: &dyn Fn(&redb::Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        // redb may panic over a damaged file.
        let guarded = AssertUnwindSafe(|| {
            let open = self.open()?;
            work(&open.database).map_err(StoreError::of)
        });
        let result = catch_unwind(guarded).unwrap_or(Err(StoreError::Unreadable));
        // After any failure of its file, redb wants it to be opened anew.
        if result.is_err() {
            *self.lock() = None;
        }
        result
    }

    /// The open file. One that was removed or replaced meanwhile is left alone, and the one that is there is opened.
    fn open(&self) -> Result<OpenFile, StoreError> {
        let mut open = self.lock();
        let there = std::fs::metadata(&self.path).map(|meta| place(&meta));
        if let Some(open) =
            open.as_ref().filter(|open| there.as_ref().is_ok_and(|there| *there == open.place))
        {
            return Ok(open.clone());
        }
        *open = None;
        let (database, place) = self.open_file(false)?;
        check_format(&database)?;
        early_state::take_over(&self.path, |torrents| save_early(&database, torrents));
        let opened = OpenFile { database: Arc::new(database), place };
        *open = Some(opened.clone());
        Ok(opened)
    }

    /// Opens the file, and verifies every page of it first if that is asked for.
    fn open_file(&self, verified: bool) -> Result<(redb::Database, (u64, u64)), StoreError> {
        let mut builder = redb::Database::builder();
        builder.set_cache_size(CACHE).set_concurrency_mode(ConcurrencyMode::MultiWriter);
        builder.set_check_integrity_on_open(verified);
        let file = File::options().read(true).write(true).create(true).truncate(false).open(&self.path);
        let file = file.map_err(StoreError::Io)?;
        let place = place(&file.metadata().map_err(StoreError::Io)?);
        let database = BoundedLocks::new(file).and_then(|backend| builder.create_with_backend(backend));
        Ok((database.map_err(|error| StoreError::of(error.into()))?, place))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<OpenFile>> {
        // The value is set in one step.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Renames the file to the first free name of `NAME.bad`, `NAME.bad1`, … if its pages prove damaged; another process
    /// may have replaced a damaged one already. Returns whether it was renamed.
    fn set_aside_if_damaged(&self) -> Result<bool, DiskError> {
        if is_of_newer_redb(&self.path) {
            return Err(self.to_disk_error(StoreError::Newer));
        }
        let verified = catch_unwind(AssertUnwindSafe(|| self.open_file(true).map(drop)));
        match verified.unwrap_or(Err(StoreError::Unreadable)) {
            Ok(()) => return Ok(false),
            Err(StoreError::Unreadable) => {}
            Err(error) => return Err(self.to_disk_error(error)),
        }
        let names = (0..1000).map(|number| {
            let mut name = self.path.clone().into_os_string();
            name.push(if number == 0 { ".bad".to_owned() } else { format!(".bad{number}") });
            PathBuf::from(name)
        });
        let failed = |error| DiskError::from_io("set aside", self.path.as_path(), &error);
        let mut free = names.filter(|name| !name.exists());
        let aside = free.next().ok_or_else(|| failed(io::ErrorKind::AlreadyExists.into()))?;
        tracing::warn!(?aside, "the library is damaged and was set aside; torrents are checked again");
        std::fs::rename(&self.path, aside).map_err(failed)?;
        Ok(true)
    }

    fn to_disk_error(&self, error: StoreError) -> DiskError {
        let (what, path) = ("use the library", self.path.as_path());
        match error {
            StoreError::Busy => DiskError::new(DiskErrorKind::Busy, what, path),
            StoreError::Newer => DiskError::new(DiskErrorKind::Newer, what, path),
            StoreError::Io(error) => DiskError::from_io(what, path, &error),
            StoreError::Unreadable => {
                DiskError::new(DiskErrorKind::Io, what, path).with_detail("it cannot be read")
            }
        }
    }
}

/// Saves the torrent files of an early version.
fn save_early(database: &redb::Database, torrents: &[EarlyTorrentFile]) -> Result<(), redb::Error> {
    let change = begin_write(database)?;
    for EarlyTorrentFile { id, used, bytes, .. } in torrents {
        if !rows::has_torrent_file(&change, id)? {
            rows::save_torrent_file(&change, id, bytes, *used)?;
        }
    }
    Ok(change.commit()?)
}

/// Begins a write transaction.
fn begin_write(database: &redb::Database) -> Result<WriteTransaction, redb::Error> {
    let change = database.begin_write()?;
    let mut meta = change.open_table(META)?;
    if meta.get(FORMAT_KEY)?.map(|value| value.value()) != Some(FORMAT) {
        meta.insert(FORMAT_KEY, FORMAT)?;
    }
    drop(meta);
    Ok(change)
}

/// Refuses the file of a newer torr: it may hold what this one would lose.
fn check_format(database: &redb::Database) -> Result<(), StoreError> {
    let read = || -> Result<u64, redb::Error> {
        match database.begin_read()?.open_table(META) {
            Ok(meta) => Ok(meta.get(FORMAT_KEY)?.map_or(0, |value| value.value())),
            Err(TableError::TableDoesNotExist(_)) => Ok(0),
            Err(error) => Err(error.into()),
        }
    };
    if read().map_err(StoreError::of)? > FORMAT { Err(StoreError::Newer) } else { Ok(()) }
}

/// Whether a later redb has written the file, in a format that this one calls damaged.
fn is_of_newer_redb(path: &Path) -> bool {
    let mut header = [0; 256];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut header));
    read.is_ok()
        && header.starts_with(b"redb")
        && REDB_FORMAT_OFFSETS.iter().all(|&at| header[at] > REDB_FORMAT)
}

fn place(meta: &Metadata) -> (u64, u64) {
    (meta.dev(), meta.ino())
}

/// An error of the store's file.
enum StoreError {
    /// Another process holds the file.
    Busy,
    /// A newer torr wrote the file.
    Newer,
    Io(io::Error),
    Unreadable,
}

impl StoreError {
    fn of(error: redb::Error) -> Self {
        match error {
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Busy,
            // A truncated file, or one that is no database, is reported like this.
            redb::Error::Io(error)
                if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
            {
                Self::Unreadable
            }
            redb::Error::Io(error) if error.kind() == io::ErrorKind::WouldBlock => Self::Busy,
            redb::Error::Io(error) => Self::Io(error),
            redb::Error::Corrupted(_)
            | redb::Error::UpgradeRequired(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::TableIsMultimap(_) => Self::Unreadable,
            error => Self::Io(io::Error::other(error)),
        }
    }
}
