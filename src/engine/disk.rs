//! The disk of a session: its threads, its open files, its stored torrents.

use std::path::Path;

use tokio::sync::{Semaphore, oneshot};

use super::config::EngineConfig;
use super::event::{Fault, FaultKind};
use crate::base::Untrusted;
use crate::store::{
    Change, Disk, DiskError, DiskErrorKind, DiskIo, FilePool, Pool, StoreWriter, TorrentLocks, TorrentStore,
};

/// Memory for blocks read from disk and not uploaded yet, in bytes.
const SERVE_MEMORY: usize = 16 << 20;

/// Maximum number of torrents whose existing files are surveyed at once.
const MAX_SURVEYS: usize = 32;

/// The disk access of a session's torrents.
pub(super) struct DiskAccess {
    pub threads: Disk,
    pub io: DiskIo,
    pub file_pool: FilePool,
    /// Permits for surveys of existing files, each of which holds a folder open.
    pub surveys: Semaphore,
    /// The torrent store, if the session has a state directory.
    pub store: Option<SessionStore>,
}

/// The torrent store of a session, and its locks there.
#[derive(Clone, Debug)]
pub(super) struct SessionStore {
    pub writer: StoreWriter,
    pub locks: TorrentLocks,
}

impl DiskAccess {
    /// Opens the torrent store and starts the disk threads.
    pub(super) async fn start(config: &EngineConfig) -> Result<Self, Fault> {
        let store = match config.state_dir.clone() {
            Some(folder) => {
                let opened = tokio::task::spawn_blocking(move || SessionStore::open(&folder)).await;
                opened.unwrap_or(Ok(None))?
            }
            None => None,
        };
        Ok(Self {
            threads: Disk::start(config.disk_threads.max(1), Pool::new(SERVE_MEMORY)),
            io: config.disk_io,
            file_pool: {
                FilePool::raise_limit();
                FilePool::from_limit()
            },
            surveys: Semaphore::new(MAX_SURVEYS),
            store,
        })
    }

    /// Runs a closure that works with files on a disk thread.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, DiskError> {
        let (done, result) = oneshot::channel();
        self.threads.run(move || {
            let _ = done.send(work());
        });
        result.await.unwrap_or_else(|_| Err(DiskError::new(DiskErrorKind::Cancelled, "finish", "")))
    }
}

impl SessionStore {
    /// Opens the store of a state directory. `None` if it cannot be used, except that of a newer torr.
    fn open(state_dir: &Path) -> Result<Option<Self>, Fault> {
        std::fs::create_dir_all(state_dir).map_err(|error| {
            let place = Untrusted::new(state_dir.to_string_lossy());
            Fault {
                kind: FaultKind::Permission,
                message: format!("cannot use the state directory {place}: {error}"),
                remedy: None,
            }
        })?;
        let store = TorrentStore::in_state_dir(state_dir);
        let opened = store.check().and_then(|()| {
            Ok(Self { writer: StoreWriter::start(store)?, locks: TorrentLocks::open(state_dir)? })
        });
        match opened {
            Ok(opened) => Ok(Some(opened)),
            Err(error) if error.kind == DiskErrorKind::Newer => Err(Fault::from_disk(&error)),
            Err(error) => {
                tracing::warn!(%error, "nothing is remembered of these torrents");
                Ok(None)
            }
        }
    }

    /// The store, to read from.
    pub(super) const fn reader(&self) -> &TorrentStore {
        self.writer.store()
    }

    /// Saves changes, and waits until they are on the disk.
    pub(super) async fn save(&self, changes: Vec<Change>) -> Result<(), DiskError> {
        let (done, saved) = oneshot::channel();
        self.writer.save(changes, move |result| {
            let _ = done.send(result);
        });
        saved.await.unwrap_or_else(|_| Err(DiskError::new(DiskErrorKind::Cancelled, "save", "")))
    }
}
