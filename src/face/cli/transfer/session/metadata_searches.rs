//! The metadata searches of a session: those that are open, and those whose metadata is being worked on.

use std::collections::{BTreeMap, HashMap};

use tokio::task::{self, JoinSet};

use crate::app::submission::{MetadataSearch, Submission};
use crate::app::{Error, ErrorKind};
use crate::base::TorrentId;
use crate::proto::metainfo::Metainfo;

/// The metadata searches of a session.
#[derive(Default)]
pub struct MetadataSearches {
    open: BTreeMap<TorrentId, MetadataSearch>,
    resolving: JoinSet<Result<Submission, Error>>,
    ids: HashMap<task::Id, TorrentId>,
}

impl MetadataSearches {
    /// Adds a search that was begun under this id.
    pub fn add(&mut self, id: TorrentId, search: MetadataSearch) {
        self.open.insert(id, search);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.open.len() + self.resolving.len()
    }

    /// Takes the metadata that was found, and builds the next submission where disks may be waited for.
    pub fn found(&mut self, id: TorrentId, metainfo: Metainfo) {
        if let Some(search) = self.open.remove(&id) {
            let task = self.resolving.spawn_blocking(move || search.resolve(metainfo));
            self.ids.insert(task.id(), id);
        }
    }

    /// Waits for the next submission that was built of found metadata; for ever while there is none.
    pub async fn resolved(&mut self) -> (TorrentId, Result<Submission, Error>) {
        loop {
            let (task, submission) = match self.resolving.join_next_with_id().await {
                None => std::future::pending().await,
                Some(Ok((task, submission))) => (task, submission),
                Some(Err(error)) => {
                    let message = "an internal error stopped this torrent";
                    (error.id(), Err(Error::new(ErrorKind::Internal, "internal", message)))
                }
            };
            if let Some(id) = self.ids.remove(&task) {
                return (id, submission);
            }
        }
    }

    /// Ends a search; says whether it was open.
    pub fn give_up(&mut self, id: TorrentId) -> bool {
        self.open.remove(&id).is_some()
    }
}
