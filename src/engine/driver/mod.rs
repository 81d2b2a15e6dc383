//! The driver of one torrent: the task that feeds its state machine with facts and carries out its
//! orders. It owns the machine, the pieces that are being put together, and the ends of the channels to
//! peers and disk; nothing here is shared, so nothing here is locked.

mod facts;
mod goal;
mod leave;
mod machine;
mod open;
mod orders;
mod pieces;
mod reads;
mod report;
mod save;
mod stream;
mod succession;
mod unready;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, Instant, MissedTickBehavior};

use self::goal::Goal;
pub(super) use self::open::untouched;
use self::pieces::Pieces;
use self::reads::Reads;
use self::report::Reporter;
pub(super) use self::report::tracker_status;
use self::save::Saver;
pub(super) use self::save::name_of;
use self::stream::Stream;
use self::unready::Unready;
use super::command::Add;
use super::dht::Search;
use super::event::{Event, Fault};
use super::finder::{Estate, Finder};
use super::lsd::Presence;
use super::shared::{Claim, Listing, Membership, Shared};
use super::view::{Detail, Row};
use crate::base::{Geometry, InfoHash, Moment};
use crate::net::{Caller, FromPeer, Limits, ToPeer};
use crate::proto::announce::AnnounceReply;
use crate::store::{Buf, DiskError, Hold, Kept, Settled, Volume};
use crate::swarm::event::{
    DialFailure, Hello, Input, Output, PeerKey, Source, TrackerFailure, TrackerKey, Wish,
};
use crate::swarm::{Summary, Torrent};

/// What the session tells a driver.
pub(super) enum ToDriver {
    Pause,
    Resume,
    Peers(Vec<SocketAddr>),
    /// Bytes of unfinished pieces that may be held in memory.
    Budget(u64),
    /// Whether somebody looks at the detail.
    Look(bool),
    /// Leave everything to the driver of the torrent; only a search does.
    HandOver(oneshot::Sender<Box<Estate>>),
    Stop,
}

/// What a driver shows.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub row: Row,
    pub detail: Option<Detail>,
}

/// What comes back from the tasks and jobs that carry out orders.
pub(super) enum Fact {
    Dialled {
        addr: SocketAddr,
        result: Result<(TcpStream, Hello), DialFailure>,
    },
    /// A tracker answered an announce that a search had made.
    Answered {
        url: String,
        answer: Box<Result<AnnounceReply, TrackerFailure>>,
    },
    /// The disk is ready, or cannot be.
    Ready(Result<(), DiskError>),
    Kept(Kept),
    Settled(Settled),
    Fetched {
        peer: PeerKey,
        result: Result<Vec<Buf>, DiskError>,
    },
    Heard(Input),
    /// What could not be read for a peer may be tried again.
    ReadAgain {
        peer: PeerKey,
    },
    /// Who reads while it comes is here, on the line of bytes.
    ReadTo(u64),
    Saved {
        synced: bool,
        error: Option<String>,
    },
}

/// The driver's end of one connection.
struct Link {
    orders: mpsc::UnboundedSender<ToPeer>,
    reads: Reads,
    _member: Membership,
}

/// How often rows are published and goals looked at.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);
/// Reports of peers that may wait for the driver before peers wait for it.
pub(super) const REPORTS: usize = 256;
/// Reports taken at one go before timers and orders get their turn.
const REPORTS_AT_ONCE: usize = 64;
/// How long trackers may take to hear that we leave.
pub(super) const FAREWELL: Duration = Duration::from_millis(900);

struct Driver {
    shared: Arc<Shared>,
    add: Box<Add>,
    id: InfoHash,
    geometry: Arc<Geometry>,
    volume: Volume,
    limits: Limits,
    torrent: Torrent,
    /// The trackers' URLs by key.
    urls: Vec<String>,
    out: Vec<Output>,
    peers: BTreeMap<PeerKey, Link>,
    pieces: Pieces,
    /// The memory set aside for them.
    claim: Claim,
    /// What waits for the disk to be ready; nothing if it is.
    unready: Option<Unready>,
    /// Pieces and runs that the disk is hashing and writing.
    keeping: usize,
    /// Announces that are under way.
    announcing: usize,
    facts: mpsc::UnboundedSender<Fact>,
    reports: mpsc::Sender<(PeerKey, FromPeer)>,
    goal: Goal,
    saver: Saver,
    reporter: Reporter,
    stream: Option<Stream>,
    /// The local network hears of us.
    presence: Option<Presence>,
    paused: bool,
    fault: Option<Fault>,
    began: Moment,
    /// The right to keep the torrent's record, until the last word is saved.
    hold: Option<Hold>,
    /// The search in the DHT that is under way.
    search: Option<Search>,
    /// The end of the last announce to each tracker: the next one waits for it, or a farewell could overtake
    /// what went before it.
    speaking: BTreeMap<TrackerKey, oneshot::Receiver<()>>,
}

/// What the driver listens to.
struct Inbox {
    orders: mpsc::UnboundedReceiver<ToDriver>,
    facts: mpsc::UnboundedReceiver<Fact>,
    reports: mpsc::Receiver<(PeerKey, FromPeer)>,
    callers: mpsc::Receiver<Caller>,
}

/// Opens a torrent and drives it to its end. Where its metadata was looked for, the search goes on until
/// the files are looked through; then its connections are taken over.
pub(super) async fn run(
    shared: Arc<Shared>,
    add: Box<Add>,
    finder: Option<Finder>,
    mut orders: mpsc::UnboundedReceiver<ToDriver>,
    publish: watch::Sender<Option<Published>>,
) {
    let id = add.metainfo.info_hash();
    let mut reporter = Reporter::new(publish, &add);
    let mut early = Vec::new();
    let mut finder = finder;
    let mut opened = open::open(&shared, &add, &mut orders, &mut early, &mut reporter).await;
    if finder.is_none()
        && let Ok(Some(ready)) = &mut opened
        && let Err(error) = ready.prepared().await
    {
        // Without a peer to ask nothing is lost by waiting, and nobody hears of a torrent that comes to nothing.
        opened = Err(Fault::from_disk(&error));
    }
    match opened {
        Ok(Some(opened)) => {
            let estate = match finder.take() {
                Some(finder) => finder.hand_over().await,
                None => None,
            };
            let (mut driver, inbox, listing) = if let Some(estate) = estate {
                succession::succeed(shared, add, opened, *estate, orders, reporter)
            } else {
                let (facts, facts_in) = mpsc::unbounded_channel();
                let (reports, reports_in) = mpsc::channel(REPORTS);
                let (listing, callers) = shared.listen_for(id, add.metainfo.is_private());
                let inbox = Inbox { orders, facts: facts_in, reports: reports_in, callers };
                (Driver::new(shared, add, opened, facts, reports, reporter), inbox, listing)
            };
            for order in early {
                driver.ordered(order);
            }
            driver.run(inbox, listing).await;
        }
        Ok(None) => reporter.left_before_start(),
        Err(fault) => {
            reporter.failed_before_start(&fault);
            let _ = shared.events.send(Event::Failed { id, fault });
        }
    }
    if let Some(finder) = finder {
        finder.leave().await;
    }
}

impl Driver {
    fn new(
        shared: Arc<Shared>,
        add: Box<Add>,
        opened: open::Opened,
        facts: mpsc::UnboundedSender<Fact>,
        reports: mpsc::Sender<(PeerKey, FromPeer)>,
        reporter: Reporter,
    ) -> Self {
        let now = shared.clock.now();
        let limits = Limits::new(add.down, add.up);
        let (urls, config) = machine::config(&shared, &add, &opened);
        let torrent = Torrent::new(now, config, opened.geometry.clone(), opened.have, shared.draw_seed());
        Self {
            id: add.metainfo.info_hash(),
            geometry: opened.geometry,
            volume: opened.volume,
            limits,
            torrent,
            urls,
            out: Vec::new(),
            peers: BTreeMap::new(),
            pieces: Pieces::default(),
            claim: Claim::new(&shared),
            unready: Unready::until(opened.ready, &facts),
            keeping: 0,
            announcing: 0,
            facts,
            reports,
            goal: Goal::new(add.after),
            saver: Saver::new(now, opened.totals),
            reporter,
            stream: None,
            presence: None,
            paused: false,
            fault: None,
            began: now,
            hold: opened.hold,
            search: None,
            speaking: BTreeMap::new(),
            shared,
            add,
        }
    }

    async fn run(mut self, mut inbox: Inbox, listing: Listing) {
        let _ = self.shared.events.send(Event::Checked { id: self.id, have: self.summary().done });
        if let Some(feed) = self.add.read.take() {
            self.read(feed);
        }
        self.name_nodes();
        if !self.add.peers.is_empty() {
            let addrs = self.add.peers.clone();
            self.tell(Input::Found { source: Source::User, addrs });
        }
        self.show_up();
        if self.torrent.is_finished() {
            self.finished();
        }
        let mut tick = time::interval(PUBLISH_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        while self.fault.is_none() && !self.goal.is_reached() {
            let wake = self.wake_up();
            tokio::select! {
                report = inbox.reports.recv() => {
                    let Some(report) = report else { break };
                    self.reported(report);
                    for _ in 1..REPORTS_AT_ONCE {
                        let Ok(report) = inbox.reports.try_recv() else { break };
                        self.reported(report);
                    }
                }
                Some(fact) = inbox.facts.recv() => self.fact(fact),
                Some(Caller { stream, addr, hello }) = inbox.callers.recv() => {
                    self.connected(stream, addr, true, hello);
                }
                order = inbox.orders.recv() => match order {
                    None | Some(ToDriver::Stop) => break,
                    Some(order) => self.ordered(order),
                },
                () = time::sleep_until(wake) => self.tell(Input::Tick),
                _ = tick.tick() => self.look_round(),
            }
        }
        drop(listing);
        self.search = None;
        self.leave(inbox).await;
    }

    /// The machine's next deadline, as the runtime's time.
    fn wake_up(&self) -> Instant {
        let far = Duration::from_secs(3600);
        let at = self.torrent.deadline().unwrap_or(self.now() + far);
        Instant::from_std(self.shared.clock.instant(at))
    }

    fn ordered(&mut self, order: ToDriver) {
        match order {
            ToDriver::Pause => {
                self.paused = true;
                self.presence = None;
                self.search = None;
                self.tell(Input::Wish(Wish::Pause));
            }
            ToDriver::Resume => {
                self.paused = false;
                self.show_up();
                self.tell(Input::Wish(Wish::Resume));
            }
            ToDriver::Peers(addrs) => {
                self.tell(Input::Found { source: Source::User, addrs });
            }
            ToDriver::Budget(bytes) => self.tell(Input::Budget { bytes }),
            ToDriver::Look(look) => self.reporter.look = look,
            ToDriver::HandOver(_) | ToDriver::Stop => {}
        }
    }

    /// Lets the local network hear of this torrent, unless it is private (BEP 27).
    fn show_up(&mut self) {
        if let Some(lsd) = self.shared.lsd.as_ref().filter(|_| !self.add.metainfo.is_private()) {
            let facts = self.facts.clone();
            self.presence = Some(lsd.join(self.id, move |addrs| {
                let _ = facts.send(Fact::Heard(Input::Found { source: Source::Lsd, addrs }));
            }));
        }
    }

    /// What is done four times a second: show, save, see whether the goal is reached.
    fn look_round(&mut self) {
        let now = self.now();
        let summary = self.summary();
        if self.goal.check(now, &summary, self.saver.sent_before()) {
            return;
        }
        self.save_if_due(now, &summary);
        self.publish(now, &summary);
    }

    /// Tells the machine a fact and carries out what it orders.
    fn tell(&mut self, input: Input) {
        let now = self.now();
        self.torrent.handle(now, input, &mut self.out);
        self.claim.set(self.torrent.held());
        self.carry_out();
    }

    /// Every wanted piece is there.
    fn finished(&mut self) {
        let now = self.now();
        if self.goal.finish(now) {
            let path = self.add.folder.join(open::top_name(&self.add.metainfo));
            let (received, took) = (self.summary().received, now.since(self.began));
            let _ = self.shared.events.send(Event::Finished { id: self.id, path, received, took });
        }
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    fn summary(&self) -> Summary {
        self.torrent.summary(self.now())
    }
}
