//! The driver of one torrent: the task that feeds its state machine with facts and carries out its
//! orders, from its info-hash to its last seeded byte.
//!
//! The driver owns the machine, the pieces that are being put together, and the ends of the channels to peers and
//! disk; nothing here is shared, so nothing here is locked. One loop serves every phase. While the metadata is
//! looked for there is no [`Content`]; when the content is wanted, a task of its own looks through the files
//! ([`open`]) and reports back like any other fact, while peers go on. A torrent whose metadata is known is heard
//! of by nobody before that task has ended.

mod content;
mod deferred;
mod events;
mod existing_files;
mod leave;
mod machine;
mod metadata;
mod open;
mod opening;
mod outputs;
mod peer_hosts;
mod piece_buffers;
mod resume_record;
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
pub(super) use self::resume_record::root_name_of;
use self::upload_reads::UploadReads;
use self::view_publisher::ViewPublisher;
use super::command::{Add, ContentOptions, TorrentSource};
use super::dht::PeerLookup;
use super::event::Fault;
use super::incoming::IncomingRegistration;
use super::lsd::LsdRegistration;
use super::shared::{ConnectionPermit, Shared};
use super::view::{Detail, Row};
use crate::base::{InfoHashes, Moment, TorrentId};
use crate::net::{Caller, FromPeer, Limits, ToPeer};
use crate::proto::metainfo::Metainfo;
use crate::store::{Buf, DiskError, PieceOutcome, SegmentOutcome};
use crate::swarm::event::{DialFailure, Hello, Input, Output, PeerKey, Source, TrackerKey, Wish};
use crate::swarm::{Summary, Torrent};

/// Orders of the session to a driver.
pub(super) enum ToDriver {
    Pause,
    Resume,
    Peers(Vec<SocketAddr>),
    NamedPeers(Vec<HostPort>),
    /// The torrent has these info-hashes, and no other torrent of the session has one of them.
    InfoHashes(InfoHashes),
    /// Fetch or give the content; the metadata is there.
    Start(Box<ContentOptions>),
    /// Bytes of unfinished pieces that may be held in memory.
    Budget(u64),
    /// Whether somebody looks at the detail.
    ShowDetail(bool),
    Stop,
}

/// The metadata of a torrent was found and proved right.
pub(super) type MetadataFound = (TorrentId, Arc<Metainfo>);

/// The view that a driver publishes of its torrent.
#[derive(Clone, Debug)]
pub(super) struct TorrentView {
    pub row: Row,
    pub detail: Option<Detail>,
    /// Nothing follows: the driver has left the swarm.
    pub last: bool,
}

/// A result of the tasks and jobs that carry out orders.
enum DriverEvent {
    Dialled {
        addr: SocketAddr,
        result: Result<(TcpStream, Hello), DialFailure>,
    },
    /// Pieces of so many bytes that lay on the disk are hashed from now on.
    Checking(u64),
    /// The files are looked through, or cannot be.
    Opened(Box<Result<OpenedContent, Fault>>),
    /// The disk is ready, or cannot be.
    Ready(Result<(), DiskError>),
    Piece(PieceOutcome),
    Segment(SegmentOutcome),
    /// Every wanted piece is written, and the files are where they belong, or not.
    Confirmed(Result<(), DiskError>),
    ReadDone {
        peer: PeerKey,
        result: Result<Vec<Buf>, DiskError>,
    },
    Input(Input),
    /// A burst that could not be read for a peer may be tried again.
    RetryRead {
        peer: PeerKey,
    },
    /// The position of the reader, on the line of bytes.
    ReaderAt(u64),
    Saved {
        synced: bool,
        error: Option<String>,
    },
}

/// The driver's end of one connection.
struct PeerLink {
    orders: mpsc::UnboundedSender<ToPeer>,
    reads: UploadReads,
    _permit: ConnectionPermit,
}

/// How often rows are published and goals looked at.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// Reports of peers that may wait for the driver before peers wait for it.
const REPORTS: usize = 256;
/// Reports taken at one go before timers and orders get their turn.
const REPORTS_AT_ONCE: usize = 64;
/// Callers that may wait for a torrent.
const CALLERS: usize = 64;

struct Driver {
    shared: Arc<Shared>,
    add: Box<Add>,
    id: TorrentId,
    /// The info-hashes, as far as they are known.
    info_hashes: InfoHashes,
    /// The metadata, once it is known.
    metainfo: Option<Arc<Metainfo>>,
    torrent: Torrent,
    /// The trackers' URLs by key.
    urls: Vec<String>,
    out: Vec<Output>,
    peers: BTreeMap<PeerKey, PeerLink>,
    limits: Limits,
    /// How the names of peers fare.
    peer_hosts: PeerHosts,
    /// The progress of the metadata.
    metadata_progress: MetadataProgress,
    /// The files are being looked through.
    opening: Option<ContentOpening>,
    /// The content, once the files are looked through.
    content: Option<Content>,
    /// Bytes of unfinished pieces that are allowed, until the machine is told.
    budget: Option<u64>,
    /// Announces that are under way.
    announcing: usize,
    /// The end of the last announce to each tracker: the next one waits for it, or a farewell could overtake
    /// what went before it.
    last_announces: BTreeMap<TrackerKey, oneshot::Receiver<()>>,
    to: Senders,
    view_publisher: ViewPublisher,
    /// Callers are let in; before, nobody has heard of the torrent.
    registration: Option<IncomingRegistration>,
    /// The local network hears of us.
    lsd_registration: Option<LsdRegistration>,
    /// The search in the DHT that is under way.
    dht_lookup: Option<PeerLookup>,
    paused: bool,
    leaving: bool,
    fault: Option<Fault>,
}

/// The ways to the driver, for tasks that it starts, and to the session.
struct Senders {
    events: mpsc::UnboundedSender<DriverEvent>,
    reports: mpsc::Sender<(PeerKey, FromPeer)>,
    callers: mpsc::Sender<Caller>,
    found: mpsc::UnboundedSender<MetadataFound>,
}

/// The channels that the driver listens to.
struct Inbox {
    orders: mpsc::UnboundedReceiver<ToDriver>,
    events: mpsc::UnboundedReceiver<DriverEvent>,
    reports: mpsc::Receiver<(PeerKey, FromPeer)>,
    callers: mpsc::Receiver<Caller>,
}

/// Drives a torrent to its end. If its metadata is known, its content must be wanted.
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
                Some(Caller { stream, addr, hello }) = inbox.callers.recv() => {
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

    /// Lets others hear of the torrent, and begins to look for peers.
    fn join_swarm(&mut self) {
        let (private, callers) = (self.torrent.is_private(), self.to.callers.clone());
        self.registration = Some(self.shared.register_incoming(self.info_hashes, private, callers));
        self.add_torrent_nodes();
        if !self.add.peers.is_empty() {
            let addrs = std::mem::take(&mut self.add.peers);
            self.handle_input(Input::Found { source: Source::User, addrs });
        }
        let named = std::mem::take(&mut self.add.named_peers);
        self.look_up_names(named);
        self.register_lsd();
        self.handle_input(Input::Tick);
    }

    /// Whether nobody has heard of the torrent yet: then the machine is told nothing.
    const fn is_unannounced(&self) -> bool {
        self.registration.is_none()
    }

    /// The machine's next deadline, as the runtime's time.
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
                self.handle_input_if_announced(Input::Wish(Wish::Pause));
            }
            ToDriver::Resume => {
                self.paused = false;
                self.register_lsd();
                self.handle_input_if_announced(Input::Wish(Wish::Resume));
            }
            ToDriver::Peers(addrs) if self.is_unannounced() => self.add.peers.extend(addrs),
            ToDriver::Peers(addrs) => self.handle_input(Input::Found { source: Source::User, addrs }),
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

    /// Lets the local network hear of this torrent, unless it is private (BEP 27).
    fn register_lsd(&mut self) {
        let may = !self.paused && !self.is_unannounced() && !self.torrent.is_private();
        if let Some(lsd) = self.shared.lsd.as_ref().filter(|_| may) {
            let events = self.to.events.clone();
            self.lsd_registration = Some(lsd.join(self.info_hashes, move |addrs| {
                let _ = events.send(DriverEvent::Input(Input::Found { source: Source::Lsd, addrs }));
            }));
        }
    }

    /// Publishes, saves, and looks whether the goal is reached; called four times a second.
    fn tick(&mut self) {
        let (now, summary) = (self.now(), self.summary());
        if self.check_goal(now, &summary) {
            return;
        }
        self.watch_metadata(now, &summary);
        self.publish(now, &summary, false);
    }

    /// Tells the machine a fact and carries out what it orders.
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
