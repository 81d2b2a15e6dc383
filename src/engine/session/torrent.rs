//! A torrent of the session: its driver while it runs, and its options until then.

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

/// A torrent of the session.
pub(super) struct SessionTorrent {
    pub id: TorrentId,
    /// The known info-hashes; no other torrent of the session has one of them.
    pub info_hashes: InfoHashes,
    pub activity: Activity,
    /// Set while the torrent is paused; its driver does not start then.
    pub paused: bool,
    /// The options of the torrent, until its driver starts.
    pub add: Option<Box<Add>>,
    /// The metadata, once it is known.
    pub metainfo: Option<Arc<Metainfo>>,
    /// The options of the content, until it is started.
    pub content: Option<Box<ContentOptions>>,
    pub driver: Option<RunningDriver>,
    /// The last row of its driver, or one made here while it is queued.
    pub row: Row,
}

/// The activity of a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Activity {
    /// The metadata lookup is queued.
    LookupQueued,
    /// The metadata is being fetched.
    LookingUp,
    /// The metadata is known, and no content was requested.
    Idle,
    /// The content is queued. The driver of a metadata lookup stays in the swarm meanwhile.
    Queued,
    /// The content is being downloaded or seeded.
    Running,
    /// The driver has ended.
    Ended,
}

pub(super) struct RunningDriver {
    pub orders: mpsc::UnboundedSender<ToDriver>,
    pub published: watch::Receiver<Option<TorrentView>>,
    pub task: JoinHandle<()>,
}

impl SessionTorrent {
    /// Queues the content if the metadata is known and content was requested.
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

    /// Tells the driver to stop and returns its task.
    pub(super) fn leave(self) -> Option<JoinHandle<()>> {
        self.send_order(ToDriver::Stop);
        self.driver.map(|running| running.task)
    }

    pub(super) fn send_order(&self, order: ToDriver) {
        if let Some(running) = &self.driver {
            let _ = running.orders.send(order);
        }
    }

    /// Whether the torrent counts as a running download.
    pub(super) fn is_downloading(&self) -> bool {
        let counts = !matches!(self.row.state, State::Seeding | State::Done | State::Paused | State::Error);
        let runs = self.driver.as_ref().is_some_and(|running| !running.task.is_finished());
        self.activity == Activity::Running && counts && runs
    }
}

/// The state of a queued torrent.
pub(super) fn queued_state(jobs: usize, paused: bool) -> (State, Reason) {
    why(&Circumstances { paused, queued_behind: Some(jobs as u32), ..Circumstances::default() })
}
