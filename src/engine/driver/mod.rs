//! The driver of one torrent: the task that feeds its state machine with facts and carries out its
//! orders. It owns the machine, the pieces that are being put together, and the ends of the channels to
//! peers and disk; nothing here is shared, so nothing here is locked.

mod facts;
mod goal;
mod open;
mod orders;
mod pieces;
mod reads;
mod report;
mod save;
mod stream;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, Instant, MissedTickBehavior};

use self::goal::Goal;
use self::pieces::Pieces;
use self::reads::Reads;
use self::report::Reporter;
use self::save::Saver;
pub(super) use self::save::name_of;
use self::stream::Stream;
use super::command::Add;
use super::dht::Search;
use super::event::{Event, Fault};
use super::shared::{Claim, Listing, Membership, Shared};
use super::view::{Detail, Row};
use crate::base::{Geometry, InfoHash, Moment};
use crate::net::{Caller, FromPeer, Limits, ToPeer};
use crate::store::{Buf, DiskError, Hold, Kept, Settled, Volume};
use crate::swarm::event::{DialFailure, Hello, Input, Output, PeerKey, TrackerKey, Wish};
use crate::swarm::{Summary, Torrent};

/// What the session tells a driver.
#[derive(Debug)]
pub(super) enum ToDriver {
    Pause,
    Resume,
    Peers(Vec<SocketAddr>),
    /// Bytes of unfinished pieces that may be held in memory.
    Budget(u64),
    /// Whether somebody looks at the detail.
    Look(bool),
    Stop,
}

/// What a driver shows.
#[derive(Clone, Debug)]
pub(super) struct Published {
    pub row: Row,
    pub detail: Option<Detail>,
}

/// What comes back from the tasks and jobs that carry out orders.
enum Fact {
    Dialled {
        addr: SocketAddr,
        result: Result<(TcpStream, Hello), DialFailure>,
    },
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
const REPORTS: usize = 256;
/// Reports taken at one go before timers and orders get their turn.
const REPORTS_AT_ONCE: usize = 64;
/// How long trackers may take to hear that we leave.
const FAREWELL: Duration = Duration::from_millis(900);
/// How long pieces that are whole may take to be written when we leave.
const LAST_WRITES: Duration = Duration::from_millis(800);

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

/// Opens a torrent and drives it to its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    add: Box<Add>,
    mut orders: mpsc::UnboundedReceiver<ToDriver>,
    publish: watch::Sender<Option<Published>>,
) {
    let id = add.metainfo.info_hash();
    let mut reporter = Reporter::new(publish, &add);
    let mut early = Vec::new();
    match open::open(&shared, &add, &mut orders, &mut early, &mut reporter).await {
        Ok(Some(opened)) => {
            let (facts, facts_in) = mpsc::unbounded_channel();
            let (reports, reports_in) = mpsc::channel(REPORTS);
            let (listing, callers) = shared.listen_for(id, add.metainfo.is_private());
            let inbox = Inbox { orders, facts: facts_in, reports: reports_in, callers };
            let mut driver = Driver::new(shared, add, opened, facts, reports, reporter);
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
        let (urls, config) = open::swarm_config(&shared, &add, &opened);
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
            keeping: 0,
            announcing: 0,
            facts,
            reports,
            goal: Goal::new(add.after),
            saver: Saver::new(now, opened.totals),
            reporter,
            stream: None,
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
            self.tell(Input::Found { source: crate::swarm::event::Source::User, addrs });
        }
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
                self.search = None;
                self.tell(Input::Wish(Wish::Pause));
            }
            ToDriver::Resume => {
                self.paused = false;
                self.tell(Input::Wish(Wish::Resume));
            }
            ToDriver::Peers(addrs) => {
                self.tell(Input::Found { source: crate::swarm::event::Source::User, addrs });
            }
            ToDriver::Budget(bytes) => self.tell(Input::Budget { bytes }),
            ToDriver::Look(look) => self.reporter.look = look,
            ToDriver::Stop => {}
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

    /// Leaves the swarm: the machine says goodbye, what is whole is written, what is known is saved.
    async fn leave(mut self, mut inbox: Inbox) {
        let reached = self.goal.is_reached();
        // What peers have reported already counts, so that figures add up at the end.
        while let Ok(report) = inbox.reports.try_recv() {
            self.reported(report);
        }
        // Before the goodbye, for a machine that has stopped takes in no more pieces.
        let quiet = async {
            while self.keeping > 0 {
                match inbox.facts.recv().await {
                    Some(fact) => self.fact(fact),
                    None => break,
                }
            }
        };
        let _ = time::timeout(LAST_WRITES, quiet).await;
        self.tell(Input::Wish(Wish::Stop));
        self.peers.clear();
        let summary = self.summary();
        self.save_at_the_end(&summary).await;
        let farewell = async {
            while self.announcing > 0 {
                match inbox.facts.recv().await {
                    Some(fact) => self.fact(fact),
                    None => break,
                }
            }
        };
        let _ = time::timeout(FAREWELL, farewell).await;
        let now = self.now();
        self.reporter.done = reached && self.fault.is_none();
        self.publish(now, &summary);
        let event = match self.fault.take() {
            Some(fault) => Event::Failed { id: self.id, fault },
            None if reached => Event::Done { id: self.id },
            None => return,
        };
        let _ = self.shared.events.send(event);
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }

    fn summary(&self) -> Summary {
        self.torrent.summary(self.now())
    }
}
