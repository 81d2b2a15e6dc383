//! The handle by which a face holds a running engine.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use super::command::{Add, Command};
use super::config::EngineConfig;
use super::event::{Event, Fault};
use super::session::{self, ToSession};
use super::view::View;
use crate::base::TorrentId;

/// The engine; [`Engine::start`] runs one.
pub struct Engine;

impl Engine {
    /// Starts a session inside the tokio runtime of the caller. Fails if the port is taken, the bind address
    /// is not ours, or the state directory cannot be used. Raises the soft limit of open files of this process
    /// to the hard one.
    pub async fn start(config: EngineConfig) -> Result<Handle, Fault> {
        let (events, heard) = mpsc::unbounded_channel();
        let (view, views) = watch::channel(Arc::new(View::default()));
        let (orders, inbox) = mpsc::unbounded_channel();
        session::start(config, events, view, inbox).await?;
        let ids = AtomicU32::new(TorrentId::FIRST.number());
        Ok(Handle { orders, ids, views, events: Some(heard) })
    }
}

/// A running session. Dropping it stops the session without waiting for it.
#[derive(Debug)]
pub struct Handle {
    orders: mpsc::UnboundedSender<ToSession>,
    /// The id of the next torrent.
    ids: AtomicU32,
    views: watch::Receiver<Arc<View>>,
    events: Option<mpsc::UnboundedReceiver<Event>>,
}

impl Handle {
    /// Adds a torrent and returns the id by which commands, events and views name it. A refused torrent is
    /// reported as [`Event::Failed`] under this id.
    ///
    /// # Panics
    /// After 2^32 - 1 torrents.
    pub fn add(&self, add: Add) -> TorrentId {
        let next = |number| Some(TorrentId::new(number).next().number());
        let number = match self.ids.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next) {
            Ok(number) | Err(number) => number,
        };
        let id = TorrentId::new(number);
        self.send(Command::Add(id, Box::new(add)));
        id
    }

    /// Sends a command; events report its outcome.
    pub fn send(&self, command: Command) {
        // A session that has ended receives nothing; its last event has said why.
        let _ = self.orders.send(ToSession::Command(command));
    }

    /// The latest view.
    pub fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// Views as they are published, at most four a second.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// The receiver of events; `None` after the first call.
    pub fn events(&mut self) -> Option<mpsc::UnboundedReceiver<Event>> {
        self.events.take()
    }

    /// Saves resume data, announces `stopped` to the trackers and closes every connection. Returns within two
    /// seconds, whatever trackers and peers do.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(ToSession::Stop(done)).is_ok() {
            let _ = ended.await;
        }
    }
}
