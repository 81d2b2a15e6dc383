//! The driver of one torrent: the task that feeds its state machine with inputs and executes its outputs,
//! from the info-hash to the last uploaded block.
//!
//! The driver owns the state machine, the piece buffers, and the channels to peers and disk; nothing is
//! shared, so nothing is locked. One loop serves every phase. During the metadata phase there is no
//! [`Content`]; when the content is wanted, a task checks the files ([`open`]) and reports back by an event,
//! while connections stay. A torrent added with its metadata contacts nobody before that task has ended.

mod content;
mod deferred;
mod events;
mod existing_files;
mod file_class;
mod file_watch;
mod known_pieces;
mod leave;
mod machine;
mod metadata;
mod open;
mod opening;
mod outputs;
mod peer_hosts;
mod piece_buffers;
mod resume_record;
mod resume_saves;
mod resume_writer;
mod seed_goal;
mod stream;
mod upload_reads;
mod view_publisher;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, Instant, MissedTickBehavior};

use self::content::Content;
pub(super) use self::existing_files::is_untouched;
pub(super) use self::leave::LEAVE_TIMEOUT;
use self::metadata::MetadataProgress;
pub(super) use self::metadata::refuse_magnet;
use self::open::OpenedContent;
use self::opening::ContentOpening;
use self::peer_hosts::{HostPort, PeerHosts};
use self::upload_reads::UploadReads;
use self::view_publisher::ViewPublisher;
use super::command::{Add, ContentOptions, TorrentSource};
use super::dht::PeerLookup;
use super::event::Fault;
use super::incoming::IncomingRegistration;
use super::lsd::LsdRegistration;
use super::permits::ConnectionPermit;
use super::shared::Shared;
use super::view::{Detail, Row};
use crate::base::{Bitfield, InfoHashes, Moment, TorrentId};
use crate::net::{FromPeer, IncomingPeer, Limits, ToPeer};
use crate::proto::metainfo::Metainfo;
use crate::store::{Buf, DiskError, LentBlocks, PieceOutcome, SegmentOutcome};
use crate::swarm::event::{
    DialFailure, Input, Output, PeerHandshake, PeerKey, Source, TorrentCommand, TrackerKey,
};
use crate::swarm::{Summary, Torrent};

/// Orders of the session to a driver.
pub(super) enum ToDriver {
    Pause,
    Resume,
    Peers(Vec<SocketAddr>),
    NamedPeers(Vec<HostPort>),
    /// The info-hashes of the torrent, which no other torrent of the session has.
    InfoHashes(InfoHashes),
    /// Download or seed the content; the metadata is known.
    Start(Box<ContentOptions>),
    /// Memory for incomplete pieces, in bytes.
    Budget(u64),
    /// Publish the details of the torrent.
    ShowDetail(bool),
    Stop,
}

/// The verified metadata of a link.
pub(super) type MetadataFound = (TorrentId, Arc<Metainfo>);

/// The view of a torrent that its driver publishes.
#[derive(Clone, Debug)]
pub(super) struct TorrentView {
    pub row: Row,
    pub detail: Option<Detail>,
    /// The last view: the driver has left the swarm.
    pub last: bool,
}

/// Results of the tasks and jobs that execute outputs.
enum DriverEvent {
    Dialled {
        addr: SocketAddr,
        result: Result<(TcpStream, PeerHandshake), DialFailure>,
    },
    /// A recheck of this many bytes begins.
    Checking(u64),
    /// The files are checked and open, or failed to open.
    Opened(Box<Result<OpenedContent, Fault>>),
    /// The disk is ready for I/O, or failed.
    Ready(Result<(), DiskError>),
    Piece(PieceOutcome),
    Segment(SegmentOutcome),
    /// Blocks of an unfinished piece are saved, or the save failed.
    BlocksSaved(LentBlocks, Result<(), DiskError>),
    /// The files of a finished torrent are in place, or not.
    Confirmed(Result<(), DiskError>),
    ReadDone {
        peer: PeerKey,
        result: Result<Vec<Buf>, DiskError>,
    },
    Input(Input),
    /// A read that failed for the moment is due again.
    RetryRead {
        peer: PeerKey,
    },
    /// The position of the streaming reader, in bytes of the torrent.
    ReaderAt(u64),
    /// The resume record is saved, or the save failed.
    Saved(Result<(), DiskError>),
    /// The files in use are as they were, or not.
    OpenFilesChecked(Result<(), DiskError>),
    /// These pieces are flushed, or the flush failed.
    Flushed(Result<Bitfield, DiskError>),
}

/// The driver's end of a connection.
struct PeerLink {
    orders: mpsc::UnboundedSender<ToPeer>,
    reads: UploadReads,
    _permit: ConnectionPermit,
}

/// Interval between published views and checks of the goal.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// Number of reports that may wait for the driver; beyond that, peers wait.
const REPORTS: usize = 256;
/// Number of reports handled before timers and orders get their turn.
const REPORTS_AT_ONCE: usize = 64;
/// Number of incoming connections that may wait for the driver.
const CALLERS: usize = 64;

struct Driver {
    shared: Arc<Shared>,
    add: Box<Add>,
    id: TorrentId,
    /// The known info-hashes.
    info_hashes: InfoHashes,
    /// The metadata, once it is known.
    metainfo: Option<Arc<Metainfo>>,
    torrent: Torrent,
    /// The trackers' URLs by key.
    urls: Vec<String>,
    out: Vec<Output>,
    peers: BTreeMap<PeerKey, PeerLink>,
    limits: Limits,
    /// Peers known by host name.
    peer_hosts: PeerHosts,
    /// The progress of the metadata.
    metadata_progress: MetadataProgress,
    /// The check of the files, while it runs.
    opening: Option<ContentOpening>,
    /// The content, once the files are open.
    content: Option<Content>,
    /// Memory for incomplete pieces, until the state machine runs.
    budget: Option<u64>,
    /// Number of announces in flight.
    announcing: usize,
    /// The end of the last announce to each tracker. The next announce waits for it, or `stopped` could
    /// overtake an earlier one.
    last_announces: BTreeMap<TrackerKey, oneshot::Receiver<()>>,
    to: Senders,
    view_publisher: ViewPublisher,
    /// The registration for incoming connections; `None` before the torrent has joined the swarm.
    registration: Option<IncomingRegistration>,
    /// The registration with Local Service Discovery.
    lsd_registration: Option<LsdRegistration>,
    /// The DHT lookup in flight.
    dht_lookup: Option<PeerLookup>,
    paused: bool,
    leaving: bool,
    fault: Option<Fault>,
}

/// Senders for the tasks that the driver starts, and to the session.
struct Senders {
    events: mpsc::UnboundedSender<DriverEvent>,
    reports: mpsc::Sender<(PeerKey, FromPeer)>,
    callers: mpsc::Sender<IncomingPeer>,
    found: mpsc::UnboundedSender<MetadataFound>,
}

/// The channels that the driver receives from.
struct Inbox {
    orders: mpsc::UnboundedReceiver<ToDriver>,
    events: mpsc::UnboundedReceiver<DriverEvent>,
    reports: mpsc::Receiver<(PeerKey, FromPeer)>,
    callers: mpsc::Receiver<IncomingPeer>,
}

/// Runs the driver of a torrent to its end. A torrent added with its metadata must have content options.
pub(super) async fn run(
    shared: Arc<Shared>,
    id: TorrentId,
    add: Box<Add>,
    orders: mpsc::UnboundedReceiver<ToDriver>,
    found: mpsc::UnboundedSender<MetadataFound>,
    publish: watch::Sender<Option<TorrentView>>,
) {
    let (events, events_in) = mpsc::unbounded_channel();
    let (reports, reports_in) = mpsc::channel(REPORTS);
    let (callers, callers_in) = mpsc::channel(CALLERS);
    let inbox = Inbox { orders, events: events_in, reports: reports_in, callers: callers_in };
    let to = Senders { events, reports, callers, found };
    Driver::new(shared, id, add, to, publish).run(inbox).await;
}

impl Driver {
    fn new(
        shared: Arc<Shared>,
        id: TorrentId,
        add: Box<Add>,
        to: Senders,
        publish: watch::Sender<Option<TorrentView>>,
    ) -> Self {
        let now = shared.clock.now();
        let metainfo = match &add.source {
            TorrentSource::Metainfo(metainfo) => Some(metainfo.clone()),
            TorrentSource::Link(_) => None,
        };
        let (urls, config) = machine::torrent_config(&shared, &add);
        Self {
            id,
            info_hashes: add.info_hashes(),
            metainfo,
            torrent: Torrent::new(now, config, shared.draw_seed()),
            urls,
            out: Vec::new(),
            peers: BTreeMap::new(),
            limits: Limits::new(add.down, add.up),
            peer_hosts: PeerHosts::default(),
            metadata_progress: MetadataProgress::new(now),
            opening: None,
            content: None,
            budget: None,
            announcing: 0,
            last_announces: BTreeMap::new(),
            to,
            view_publisher: ViewPublisher::new(publish, id, &add),
            registration: None,
            lsd_registration: None,
            dht_lookup: None,
            paused: false,
            leaving: false,
            fault: None,
            add,
            shared,
        }
    }

    async fn run(mut self, mut inbox: Inbox) {
        match self.add.content.take() {
            Some(options) => self.open(*options),
            None => self.join_swarm(),
        }
        let mut tick = time::interval(PUBLISH_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.fault.is_none() && !self.is_goal_reached() {
            let wake = self.next_wake();
            tokio::select! {
                report = inbox.reports.recv() => {
                    let Some(report) = report else { break };
                    self.handle_report(report);
                    for _ in 1..REPORTS_AT_ONCE {
                        let Ok(report) = inbox.reports.try_recv() else { break };
                        self.handle_report(report);
                    }
                }
                Some(event) = inbox.events.recv() => self.handle_event(event),
                Some(IncomingPeer { stream, addr, hello }) = inbox.callers.recv() => {
                    self.add_peer(stream, addr, true, hello);
                }
                order = inbox.orders.recv() => match order {
                    None | Some(ToDriver::Stop) => break,
                    Some(order) => self.handle_order(order),
                },
                () = time::sleep_until(wake) => self.handle_input(Input::Tick),
                _ = tick.tick() => self.tick(),
            }
        }
        self.leave(inbox).await;
    }

    /// Joins the swarm: accepts incoming connections and looks for peers.
    fn join_swarm(&mut self) {
        let (private, callers) = (self.torrent.is_private(), self.to.callers.clone());
        self.registration = Some(self.shared.network.register_incoming(self.info_hashes, private, callers));
        self.add_torrent_nodes();
        if !self.add.peers.is_empty() {
            let addrs = std::mem::take(&mut self.add.peers);
            self.handle_input(Input::PeersFound { source: Source::User, addrs });
        }
        let named = std::mem::take(&mut self.add.named_peers);
        self.look_up_names(named);
        self.register_lsd();
        self.handle_input(Input::Tick);
    }

    /// Whether the torrent has not joined the swarm yet. The state machine gets no input before.
    const fn is_unannounced(&self) -> bool {
        self.registration.is_none()
    }

    /// The next deadline of the state machine.
    fn next_wake(&self) -> Instant {
        let far = Duration::from_secs(3600);
        let deadline = self.torrent.deadline().filter(|_| !self.is_unannounced());
        let at = deadline.unwrap_or(self.now() + far);
        Instant::from_std(self.shared.clock.instant(at))
    }

    fn handle_order(&mut self, order: ToDriver) {
        match order {
            ToDriver::Pause => {
                self.paused = true;
                (self.lsd_registration, self.dht_lookup) = (None, None);
                self.handle_input_if_announced(Input::Command(TorrentCommand::Pause));
            }
            ToDriver::Resume => {
                self.paused = false;
                self.register_lsd();
                self.handle_input_if_announced(Input::Command(TorrentCommand::Resume));
            }
            ToDriver::Peers(addrs) if self.is_unannounced() => self.add.peers.extend(addrs),
            ToDriver::Peers(addrs) => self.handle_input(Input::PeersFound { source: Source::User, addrs }),
            ToDriver::NamedPeers(names) if self.is_unannounced() => self.add.named_peers.extend(names),
            ToDriver::NamedPeers(names) => self.look_up_names(names),
            ToDriver::InfoHashes(info_hashes) => self.set_info_hashes(info_hashes),
            ToDriver::Start(options) => self.open(*options),
            ToDriver::Budget(bytes) if self.is_unannounced() => self.budget = Some(bytes),
            ToDriver::Budget(bytes) => self.handle_input(Input::Budget { bytes }),
            ToDriver::ShowDetail(show_detail) => self.view_publisher.show_detail = show_detail,
            ToDriver::Stop => {}
        }
    }

    /// Registers the torrent with Local Service Discovery, unless it is private (BEP 27).
    fn register_lsd(&mut self) {
        let may = !self.paused && !self.is_unannounced() && !self.torrent.is_private();
        if let Some(lsd) = self.shared.network.lsd.as_ref().filter(|_| may) {
            let events = self.to.events.clone();
            self.lsd_registration = Some(lsd.join(self.info_hashes, move |addrs| {
                let _ = events.send(DriverEvent::Input(Input::PeersFound { source: Source::Lsd, addrs }));
            }));
        }
    }

    /// Publishes the view, saves resume data and checks the goal, four times a second.
    fn tick(&mut self) {
        let (now, summary) = (self.now(), self.summary());
        if self.check_goal(now, &summary) {
            return;
        }
        self.watch_metadata(now, &summary);
        self.publish(now, &summary, false);
    }

    /// Hands an input to the state machine and executes its outputs.
    fn handle_input(&mut self, input: Input) {
        let now = self.now();
        self.torrent.handle(now, input, &mut self.out);
        if let Some(content) = &mut self.content {
            content.reservation.set(self.torrent.held());
        }
        self.execute_outputs();
    }

    fn handle_input_if_announced(&mut self, input: Input) {
        if !self.is_unannounced() {
            self.handle_input(input);
        }
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    fn summary(&self) -> Summary {
        self.torrent.summary(self.now())
    }
}
