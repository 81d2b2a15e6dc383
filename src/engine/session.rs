//! The session: many torrents under one roof. It starts and ends their drivers, lets look-ups of metadata and
//! downloads wait their turn, and puts their rows into one view.

mod entry;
#[cfg(test)]
mod tests;
mod turns;
mod views;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};

use self::entry::{Activity, Entry, waiting};
use self::turns::waiting_to_look_up;
use super::command::{Add, Command, ContentOptions, Source};
use super::config::EngineConfig;
use super::driver::{self, Found, ToDriver};
use super::event::{Event, Fault, FaultKind};
use super::shared::Shared;
use super::view::{Reason, Row, State, View};
use super::why::{Circumstances, why};
use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;

/// A message to the session from its handle.
#[derive(Debug)]
pub enum ToSession {
    /// A command of a face.
    Command(Command),
    /// End, and say when it is done.
    Stop(oneshot::Sender<()>),
}

/// How often views are made.
const VIEW_EVERY: Duration = Duration::from_millis(250);
/// Peers that are kept for a torrent until its turn comes.
const MAX_PEERS: usize = 1000;
/// The longest drivers may take to end: whichever has not finished by then is left behind.
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
    // Whoever hears of a torrent can tell where it is found.
    view.send_replace(Arc::new(View { port: shared.port(), ..View::default() }));
    let (session, found) = Session::new(shared, events, view, jobs);
    tokio::spawn(session.run(inbox, found));
    Ok(())
}

struct Session {
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Event>,
    view: watch::Sender<Arc<View>>,
    jobs: usize,
    torrents: Vec<Entry>,
    /// Tasks of torrents that were removed, while they take their leave.
    leaving: Vec<JoinHandle<()>>,
    /// Where drivers tell of metadata that they found.
    to_found: mpsc::UnboundedSender<Found>,
    look: Option<TorrentId>,
    /// How many views were made.
    views: u32,
    /// Drivers end because they were told to.
    stopping: bool,
}

impl Session {
    fn new(
        shared: Arc<Shared>,
        events: mpsc::UnboundedSender<Event>,
        view: watch::Sender<Arc<View>>,
        jobs: usize,
    ) -> (Self, mpsc::UnboundedReceiver<Found>) {
        let (to_found, found) = mpsc::unbounded_channel();
        let session = Self {
            shared,
            events,
            view,
            jobs,
            torrents: Vec::new(),
            leaving: Vec::new(),
            to_found,
            look: None,
            views: 0,
            stopping: false,
        };
        (session, found)
    }

    async fn run(
        mut self,
        mut inbox: mpsc::UnboundedReceiver<ToSession>,
        mut found: mpsc::UnboundedReceiver<Found>,
    ) {
        let mut tick = time::interval(VIEW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let done = loop {
            tokio::select! {
                // What a driver found is heard before its end is seen.
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
            Command::Pause(id) => self.tell(id, ToDriver::Pause),
            Command::Resume(id) => self.tell(id, ToDriver::Resume),
            Command::Peers(id, addrs) => self.tell(id, ToDriver::Peers(addrs)),
            Command::NamedPeers(id, names) => self.tell(id, ToDriver::NamedPeers(names)),
            Command::Remove(id) => self.remove(id),
            Command::Limits { down, up } => self.shared.set_limits(down, up),
            Command::Look(id) => {
                self.look = id;
                for entry in &self.torrents {
                    entry.tell(ToDriver::Look(id == Some(entry.id)));
                }
            }
        }
        self.give_turns();
    }

    fn add(&mut self, id: TorrentId, mut add: Box<Add>) {
        let info_hashes = add.info_hashes();
        let there = self.is_taken(id, &info_hashes).then(|| duplicate(&add.name()));
        if let Some(fault) = there.or_else(|| driver::refuse(&add)) {
            let _ = self.events.send(Event::Failed { id, fault });
            return;
        }
        let content = add.content.take();
        let (activity, metainfo, row) = match &mut add.source {
            Source::Metainfo(metainfo) => {
                let row = Row::new(id, info_hashes, metainfo.name().clone(), paused());
                (Activity::Known, Some(metainfo.clone()), row)
            }
            Source::Link(link) => {
                link.eager |= content.is_some();
                let row = Row::new(id, info_hashes, link.name(), waiting_to_look_up());
                (Activity::LookupQueued, None, row)
            }
        };
        let mut entry = Entry {
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
        entry.queue(self.jobs, &self.events);
        self.torrents.push(entry);
    }

    /// The content of a torrent is wanted.
    fn start(&mut self, id: TorrentId, options: Box<ContentOptions>) {
        let Some(entry) = self.torrents.iter_mut().find(|entry| entry.id == id) else { return };
        if matches!(entry.activity, Activity::LookupQueued | Activity::LookingUp | Activity::Known) {
            entry.content = Some(options);
            entry.queue(self.jobs, &self.events);
        }
    }

    /// Takes a torrent out of the session.
    fn remove(&mut self, id: TorrentId) {
        let Some(at) = self.torrents.iter().position(|entry| entry.id == id) else { return };
        self.leaving.retain(|task| !task.is_finished());
        self.leaving.extend(self.torrents.remove(at).leave());
    }

    /// Whether a torrent other than this has one of these info-hashes.
    fn is_taken(&self, id: TorrentId, info_hashes: &InfoHashes) -> bool {
        self.torrents.iter().any(|entry| entry.id != id && entry.info_hashes.overlaps(info_hashes))
    }

    /// The metadata of a torrent was found. Only now may it turn out that the torrent is there already, added by
    /// its other info-hash: it is refused then.
    fn found(&mut self, id: TorrentId, metainfo: Arc<Metainfo>) {
        let Some(entry) = self.torrents.iter().find(|entry| entry.id == id) else { return };
        let info_hashes = entry.info_hashes.merge(metainfo.info_hash()).unwrap_or(entry.info_hashes);
        if self.is_taken(id, &info_hashes) {
            let fault = duplicate(metainfo.name());
            let _ = self.events.send(Event::Failed { id, fault });
            self.remove(id);
            return self.give_turns();
        }
        let Some(entry) = self.torrents.iter_mut().find(|entry| entry.id == id) else { return };
        entry.info_hashes = info_hashes;
        entry.row.info_hashes = info_hashes;
        entry.tell(ToDriver::InfoHashes(info_hashes));
        let event = Event::Metadata { id, info_hashes, metainfo: Box::new((*metainfo).clone()) };
        let _ = self.events.send(event);
        (entry.metainfo, entry.activity) = (Some(metainfo), Activity::Known);
        entry.queue(self.jobs, &self.events);
        self.give_turns();
    }

    fn tell(&mut self, id: TorrentId, order: ToDriver) {
        let jobs = self.jobs;
        let Some(entry) = self.torrents.iter_mut().find(|entry| entry.id == id) else { return };
        match &order {
            ToDriver::Pause => entry.paused = true,
            ToDriver::Resume => entry.paused = false,
            _ => {}
        }
        match entry.activity {
            Activity::Queued => (entry.row.state, entry.row.reason) = waiting(jobs, entry.paused),
            Activity::LookupQueued if entry.paused => (entry.row.state, entry.row.reason) = paused(),
            Activity::LookupQueued => (entry.row.state, entry.row.reason) = waiting_to_look_up(),
            _ => {}
        }
        match (&mut entry.add, order) {
            // Its driver begins with them.
            (Some(add), ToDriver::Peers(addrs)) => {
                add.peers.extend(addrs);
                add.peers.truncate(MAX_PEERS);
            }
            (Some(add), ToDriver::NamedPeers(names)) => {
                add.named_peers.extend(names);
                add.named_peers.truncate(MAX_PEERS);
            }
            (_, order) => entry.tell(order),
        }
    }

    async fn stop(mut self) {
        let mut leaving = std::mem::take(&mut self.leaving);
        let mut tasks: Vec<&mut JoinHandle<()>> = leaving.iter_mut().collect();
        self.stopping = true;
        for entry in &mut self.torrents {
            entry.tell(ToDriver::Stop);
            tasks.extend(entry.driver.as_mut().map(|running| &mut running.task));
        }
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        let _ = time::timeout(STOP_TIMEOUT, all).await;
        // The last view holds what each of them moved in all.
        self.publish_view();
        self.shared.stop().await;
    }
}

/// Why a torrent is refused that is in the session already.
fn duplicate(name: &Untrusted) -> Fault {
    Fault { kind: FaultKind::Duplicate, message: format!("{name} is already in this session"), remedy: None }
}

fn paused() -> (State, Reason) {
    why(&Circumstances { paused: true, ..Circumstances::default() })
}
