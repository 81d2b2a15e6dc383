//! Links of a session: those whose metadata is looked for, and those of which work is being made.

use std::collections::{BTreeMap, HashMap};

use tokio::task::{self, JoinSet};

use super::super::work::{Then, Work};
use crate::app::{Error, ErrorKind};
use crate::base::TorrentId;
use crate::proto::metainfo::Metainfo;

/// See the head of this file.
#[derive(Default)]
pub struct Links {
    sought: BTreeMap<TorrentId, Then>,
    making: JoinSet<Result<Work, Error>>,
    whose: HashMap<task::Id, TorrentId>,
}

impl Links {
    /// The metadata of one more is looked for, and this comes of it.
    pub fn add(&mut self, id: TorrentId, then: Then) {
        self.sought.insert(id, then);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.sought.len() + self.making.len()
    }

    /// The metadata of one was found: makes work of it, apart from everything that must not wait for disks.
    pub fn found(&mut self, id: TorrentId, metainfo: Metainfo) {
        if let Some(then) = self.sought.remove(&id) {
            let making = self.making.spawn_blocking(move || then(metainfo));
            self.whose.insert(making.id(), id);
        }
    }

    /// The next of which work was made, by the id under which it was looked for; waits for ever while there
    /// are none.
    pub async fn made(&mut self) -> (TorrentId, Result<Work, Error>) {
        loop {
            let (task, made) = match self.making.join_next_with_id().await {
                None => std::future::pending().await,
                Some(Ok((task, made))) => (task, made),
                Some(Err(error)) => {
                    let message = "an internal error stopped this torrent";
                    (error.id(), Err(Error::new(ErrorKind::Internal, "internal", message)))
                }
            };
            if let Some(id) = self.whose.remove(&task) {
                return (id, made);
            }
        }
    }

    /// One is not looked for any more; says whether it was.
    pub fn give_up(&mut self, id: TorrentId) -> bool {
        self.sought.remove(&id).is_some()
    }
}
