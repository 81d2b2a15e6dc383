//! The disk of a session: its threads, its open files, its stored torrents.

use std::path::PathBuf;

use tokio::sync::oneshot;

use super::config::EngineConfig;
use super::event::{Fault, FaultKind};
use crate::base::Untrusted;
use crate::store::{Disk, DiskError, DiskErrorKind, DiskIo, FilePool, Pool, TorrentStore};

/// Memory for blocks read from disk and not uploaded yet, in bytes.
const SERVE_MEMORY: usize = 16 << 20;

/// The disk access of a session's torrents.
pub(super) struct DiskAccess {
    pub threads: Disk,
    pub io: DiskIo,
    pub file_pool: FilePool,
    /// The torrent store, if the session has a state directory.
    pub store: Option<TorrentStore>,
}

impl DiskAccess {
    /// Opens the torrent store and starts the disk threads.
    pub(super) async fn start(config: &EngineConfig) -> Result<Self, Fault> {
        let store = match &config.state_dir {
            Some(folder) => Some(open_store(folder.clone()).await?),
            None => None,
        };
        Ok(Self {
            threads: Disk::start(config.disk_threads.max(1), Pool::new(SERVE_MEMORY)),
            io: config.disk_io,
            file_pool: {
                FilePool::raise_limit();
                FilePool::from_limit()
            },
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

async fn open_store(state_dir: PathBuf) -> Result<TorrentStore, Fault> {
    tokio::fs::create_dir_all(&state_dir).await.map_err(|error| {
        let place = Untrusted::new(state_dir.to_string_lossy());
        Fault {
            kind: FaultKind::Permission,
            message: format!("cannot use the state directory {place}: {error}"),
            remedy: None,
        }
    })?;
    Ok(TorrentStore::in_state_dir(&state_dir))
}
