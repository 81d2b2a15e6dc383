//! The way from a face to the engine: a [`Door`] and the words that are exchanged through it.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use super::Error;
use crate::base::TorrentId;
use crate::engine::{Engine, Handle};

pub use crate::engine::{
    Add, After, Alloc, Command, ContentOptions, Detail, DifferentFile, DiskIo, EngineConfig, Event,
    ExistingFiles, Fault, FaultKind, Link, Order, PeerRow, PeerSource, Priority, ReadOutcome, Reader, Reason,
    Remedy as FaultRemedy, Row, ScrapeResult, SeedGoal, State, StoredTorrent, TorrentSource, Treatment, View,
    content, find_stored_torrents, list_stored_torrents, load_stored_metainfo, load_stored_torrent,
    scrape_trackers,
};

/// Events of a session, in the order in which they happened.
pub type Events = mpsc::UnboundedReceiver<Event>;

/// A session in this process. Dropping it stops the session without waiting for it.
#[derive(Debug)]
pub struct Door(Handle);

impl Door {
    /// Starts a session inside the tokio runtime of the caller. Fails if the port is taken, the bind address is
    /// not ours, or the state directory cannot be used.
    pub async fn open(config: EngineConfig) -> Result<(Self, Events), Error> {
        let mut handle = Engine::start(config).await?;
        let events = handle.events().expect("the events of a new session are there");
        Ok((Self(handle), events))
    }

    /// Adds a torrent, and returns the id by which commands, events and views name it. A refused one is told as
    /// [`Event::Failed`] under this id.
    pub fn add(&self, add: Add) -> TorrentId {
        self.0.add(add)
    }

    /// Sends a command; events tell its outcome.
    pub fn send(&self, command: Command) {
        self.0.send(command);
    }

    /// The latest view.
    pub fn view(&self) -> Arc<View> {
        self.0.view()
    }

    /// Views as they are published, at most four a second.
    pub fn views(&self) -> watch::Receiver<Arc<View>> {
        self.0.views()
    }

    /// Saves, tells the trackers, ends every connection. Returns within two seconds, whatever trackers and peers
    /// do.
    pub async fn stop(&self) {
        self.0.stop().await;
    }
}
