//! One torrent of the session: its driver once its turn has come, and what is kept of it until then.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::base::{InfoHashes, TorrentId};
use crate::engine::command::{Add, ContentOptions};
use crate::engine::driver::{ToDriver, TorrentView};
use crate::engine::event::Event;
use crate::engine::view::{Reason, Row, State};
use crate::engine::why::{Circumstances, why};
use crate::proto::metainfo::Metainfo;

/// One torrent of the session.
pub(super) struct SessionTorrent {
    pub id: TorrentId,
    /// Its info-hashes, as far as they are known; no other torrent of the session has one of them.
    pub info_hashes: InfoHashes,
    pub activity: Activity,
    /// Whether it is paused; its driver does not start meanwhile.
    pub paused: bool,
    /// The way it was added, until its driver is started.
    pub add: Option<Box<Add>>,
    /// Its metadata, once that is known.
    pub metainfo: Option<Arc<Metainfo>>,
    /// The options of its content, until that is begun.
    pub content: Option<Box<ContentOptions>>,
    pub driver: Option<RunningDriver>,
    /// The last row its driver published, or one made for it while it waits.
    pub row: Row,
}

/// The activity of the session for a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Activity {
    /// Its metadata is looked for when its turn comes.
    LookupQueued,
    /// Its metadata is looked for.
    LookingUp,
    /// Its metadata is known, and nothing is wanted of its content.
    Idle,
    /// Its content is fetched or given when its turn comes. Where its metadata was looked for, its driver stays in
    /// the swarm until then.
    Queued,
    /// Its content is fetched or given.
    Running,
    /// Its driver has ended.
    Ended,
}

pub(super) struct RunningDriver {
    pub orders: mpsc::UnboundedSender<ToDriver>,
    pub published: watch::Receiver<Option<TorrentView>>,
    pub task: JoinHandle<()>,
}

impl SessionTorrent {
    /// Lets it wait for its turn, if it is known what it is and what is wanted of it.
    pub(super) fn queue(&mut self, jobs: usize, events: &mpsc::UnboundedSender<Event>) {
        let Self { activity: Activity::Idle, metainfo: Some(metainfo), content: Some(options), .. } = self
        else {
            return;
        };
        let row = self.row.of_content(metainfo, options, queued_state(jobs, self.paused));
        let _ = events.send(Event::Added {
            id: row.id,
            info_hashes: row.info_hashes,
            name: row.name.clone(),
            size: row.wanted,
            files: row.files,
        });
        (self.row, self.activity) = (row, Activity::Queued);
    }

    /// Tells it to stop, and gives its task, if anything of it runs.
    pub(super) fn leave(self) -> Option<JoinHandle<()>> {
        self.send_order(ToDriver::Stop);
        self.driver.map(|running| running.task)
    }

    pub(super) fn send_order(&self, order: ToDriver) {
        if let Some(running) = &self.driver {
            let _ = running.orders.send(order);
        }
    }

    /// Whether it takes one of the places for downloads.
    pub(super) fn is_downloading(&self) -> bool {
        let counts = !matches!(self.row.state, State::Seeding | State::Done | State::Paused | State::Error);
        let runs = self.driver.as_ref().is_some_and(|running| !running.task.is_finished());
        self.activity == Activity::Running && counts && runs
    }
}

/// The state of a torrent that waits for its turn.
pub(super) fn queued_state(jobs: usize, paused: bool) -> (State, Reason) {
    why(&Circumstances { paused, queued_behind: Some(jobs as u32), ..Circumstances::default() })
}
