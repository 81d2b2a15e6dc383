//! The session: starts and stops the drivers of torrents, queues metadata lookups and downloads, and
//! publishes one view of all torrents.

mod queue;
#[cfg(test)]
mod tests;
mod torrent;
mod views;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};

use self::queue::lookup_queued;
use self::torrent::{Activity, SessionTorrent, queued_state};
use super::command::{Add, Command, ContentOptions, TorrentSource};
use super::config::EngineConfig;
use super::driver::{self, MetadataFound, ToDriver};
use super::event::{Event, Fault, FaultKind};
use super::shared::Shared;
use super::view::{Reason, Row, State, View};
use super::why::{Circumstances, why};
use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;

/// A message from the handle to the session.
#[derive(Debug)]
pub enum ToSession {
    /// A command of a face.
    Command(Command),
    /// Stop, and confirm it.
    Stop(oneshot::Sender<()>),
}

/// Interval between views.
const VIEW_EVERY: Duration = Duration::from_millis(250);
/// Maximum number of user-supplied peers of a queued torrent.
const MAX_PEERS: usize = 1000;
/// Timeout for drivers to stop; those still running are abandoned.
const STOP_TIMEOUT: Duration = driver::LEAVE_TIMEOUT.saturating_add(Duration::from_millis(100));

/// Starts a session.
pub(super) async fn start(
    config: EngineConfig,
    events: mpsc::UnboundedSender<Event>,
    view: watch::Sender<Arc<View>>,
    inbox: mpsc::UnboundedReceiver<ToSession>,
) -> Result<(), Fault> {
    let jobs = config.jobs.max(1);
    let shared = Shared::start(config, events.clone()).await?;
    // The listening port is known before any event.
    view.send_replace(Arc::new(View { port: shared.network.port(), ..View::default() }));
    let (session, found) = Session::new(shared, events, view, jobs);
    tokio::spawn(session.run(inbox, found));
    Ok(())
}

struct Session {
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Event>,
    view: watch::Sender<Arc<View>>,
    jobs: usize,
    torrents: Vec<SessionTorrent>,
    /// Tasks of removed torrents that are leaving their swarm.
    leaving: Vec<JoinHandle<()>>,
    /// Channel for metadata that drivers have received.
    to_found: mpsc::UnboundedSender<MetadataFound>,
    show_detail: Option<TorrentId>,
    /// Number of views published.
    views: u32,
    /// Set while the session stops.
    stopping: bool,
}

impl Session {
    fn new(
        shared: Arc<Shared>,
        events: mpsc::UnboundedSender<Event>,
        view: watch::Sender<Arc<View>>,
        jobs: usize,
    ) -> (Self, mpsc::UnboundedReceiver<MetadataFound>) {
        let (to_found, found) = mpsc::unbounded_channel();
        let session = Self {
            shared,
            events,
            view,
            jobs,
            torrents: Vec::new(),
            leaving: Vec::new(),
            to_found,
            show_detail: None,
            views: 0,
            stopping: false,
        };
        (session, found)
    }

    async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<ToSession>,
        mut found: mpsc::UnboundedReceiver<MetadataFound>,
    ) {
        let mut tick = time::interval(VIEW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let done = loop {
            tokio::select! {
                // The metadata of a driver is handled before its end is noticed.
                biased;
                Some((id, metainfo)) = found.recv() => self.found(id, metainfo),
                order = inbox.recv() => match order {
                    Some(ToSession::Command(command)) => self.command(command),
                    Some(ToSession::Stop(done)) => break Some(done),
                    None => break None,
                },
                _ = tick.tick() => self.publish_view(),
            }
        };
        self.stop().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Add(id, add) => self.add(id, add),
            Command::Start(id, options) => self.start(id, options),
            Command::Pause(id) => self.send_order(id, ToDriver::Pause),
            Command::Resume(id) => self.send_order(id, ToDriver::Resume),
            Command::Peers(id, addrs) => self.send_order(id, ToDriver::Peers(addrs)),
            Command::NamedPeers(id, names) => self.send_order(id, ToDriver::NamedPeers(names)),
            Command::Remove(id) => self.remove(id),
            Command::Limits { down, up } => self.shared.network.set_limits(down, up),
            Command::ShowDetail(id) => {
                self.show_detail = id;
                for torrent in &self.torrents {
                    torrent.send_order(ToDriver::ShowDetail(id == Some(torrent.id)));
                }
            }
        }
        self.start_queued();
    }

    fn add(&mut self, id: TorrentId, mut add: Box<Add>) {
        let info_hashes = add.info_hashes();
        let there = self.is_taken(id, &info_hashes).then(|| duplicate(&add.name()));
        if let Some(fault) = there.or_else(|| driver::refuse_magnet(&add)) {
            let _ = self.events.send(Event::Failed { id, fault });
            return;
        }
        let content = add.content.take();
        let (activity, metainfo, row) = match &mut add.source {
            TorrentSource::Metainfo(metainfo) => {
                let row = Row::new(id, info_hashes, metainfo.name().clone(), paused());
                (Activity::Idle, Some(metainfo.clone()), row)
            }
            TorrentSource::Link(link) => {
                link.eager |= content.is_some();
                let row = Row::new(id, info_hashes, link.name(), lookup_queued());
                (Activity::LookupQueued, None, row)
            }
        };
        let mut torrent = SessionTorrent {
            id,
            info_hashes,
            activity,
            paused: false,
            add: Some(add),
            metainfo,
            content,
            driver: None,
            row,
        };
        torrent.queue(self.jobs, &self.events);
        self.torrents.push(torrent);
    }

    /// Downloads or seeds the content of a torrent.
    fn start(&mut self, id: TorrentId, options: Box<ContentOptions>) {
        let Some(torrent) = self.torrents.iter_mut().find(|torrent| torrent.id == id) else { return };
        if matches!(torrent.activity, Activity::LookupQueued | Activity::LookingUp | Activity::Idle) {
            torrent.content = Some(options);
            torrent.queue(self.jobs, &self.events);
        }
    }

    /// Removes a torrent from the session.
    fn remove(&mut self, id: TorrentId) {
        let Some(at) = self.torrents.iter().position(|torrent| torrent.id == id) else { return };
        self.leaving.retain(|task| !task.is_finished());
        self.leaving.extend(self.torrents.remove(at).leave());
    }

    /// Whether another torrent has one of these info-hashes.
    fn is_taken(&self, id: TorrentId, info_hashes: &InfoHashes) -> bool {
        self.torrents.iter().any(|torrent| torrent.id != id && torrent.info_hashes.overlaps(info_hashes))
    }

    /// Handles the metadata of a link. If another torrent turns out to have the same info-hash, this one is
    /// refused.
    fn found(&mut self, id: TorrentId, metainfo: Arc<Metainfo>) {
        let Some(torrent) = self.torrents.iter().find(|torrent| torrent.id == id) else { return };
        let info_hashes = torrent.info_hashes.merge(metainfo.info_hash()).unwrap_or(torrent.info_hashes);
        if self.is_taken(id, &info_hashes) {
            let fault = duplicate(metainfo.name());
            let _ = self.events.send(Event::Failed { id, fault });
            self.remove(id);
            return self.start_queued();
        }
        let Some(torrent) = self.torrents.iter_mut().find(|torrent| torrent.id == id) else { return };
        torrent.info_hashes = info_hashes;
        torrent.row.info_hashes = info_hashes;
        torrent.send_order(ToDriver::InfoHashes(info_hashes));
        let event = Event::Metadata { id, info_hashes, metainfo: Box::new((*metainfo).clone()) };
        let _ = self.events.send(event);
        (torrent.metainfo, torrent.activity) = (Some(metainfo), Activity::Idle);
        torrent.queue(self.jobs, &self.events);
        self.start_queued();
    }

    fn send_order(&mut self, id: TorrentId, order: ToDriver) {
        let jobs = self.jobs;
        let Some(torrent) = self.torrents.iter_mut().find(|torrent| torrent.id == id) else { return };
        match &order {
            ToDriver::Pause => torrent.paused = true,
            ToDriver::Resume => torrent.paused = false,
            _ => {}
        }
        match torrent.activity {
            Activity::Queued => (torrent.row.state, torrent.row.reason) = queued_state(jobs, torrent.paused),
            Activity::LookupQueued if torrent.paused => (torrent.row.state, torrent.row.reason) = paused(),
            Activity::LookupQueued => (torrent.row.state, torrent.row.reason) = lookup_queued(),
            _ => {}
        }
        match (&mut torrent.add, order) {
            // The driver starts with these peers.
            (Some(add), ToDriver::Peers(addrs)) => {
                add.peers.extend(addrs);
                add.peers.truncate(MAX_PEERS);
            }
            (Some(add), ToDriver::NamedPeers(names)) => {
                add.named_peers.extend(names);
                add.named_peers.truncate(MAX_PEERS);
            }
            (_, order) => torrent.send_order(order),
        }
    }

    async fn stop(mut self) {
        let mut leaving = std::mem::take(&mut self.leaving);
        let mut tasks: Vec<&mut JoinHandle<()>> = leaving.iter_mut().collect();
        self.stopping = true;
        for torrent in &mut self.torrents {
            torrent.send_order(ToDriver::Stop);
            tasks.extend(torrent.driver.as_mut().map(|running| &mut running.task));
        }
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        let _ = time::timeout(STOP_TIMEOUT, all).await;
        // The last view holds the final figures of all torrents.
        self.publish_view();
        self.shared.stop().await;
    }
}

/// The fault of a torrent that the session already has.
fn duplicate(name: &Untrusted) -> Fault {
    Fault { kind: FaultKind::Duplicate, message: format!("{name} is already in this session"), remedy: None }
}

fn paused() -> (State, Reason) {
    why(&Circumstances { paused: true, ..Circumstances::default() })
}
