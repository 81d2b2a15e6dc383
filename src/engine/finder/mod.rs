//! The driver of a torrent whose metadata is looked for: the task that feeds the search with facts and
//! carries out its orders, until it leaves everything to the driver of the torrent.

mod names;
mod orders;
mod report;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{self, Instant, MissedTickBehavior};

use self::names::Names;
use self::report::Reporter;
pub(super) use self::report::row;
use super::command::Find;
use super::dht::Search;
use super::driver::{FAREWELL, Fact, Published, REPORTS, ToDriver};
use super::event::{Event, Fault, FaultKind};
use super::lsd::Presence;
use super::shared::{Listing, Membership, Shared};
use crate::base::{InfoHash, Moment, Untrusted};
use crate::net::{Caller, FromPeer, Limits, Terms, ToPeer, peer};
use crate::proto::message::Message;
use crate::proto::metainfo::{self, Metainfo, MetainfoError};
use crate::swarm::event::{DialFailure, Hello, Input, Output, PeerKey, Source, TrackerKey, Wish};
use crate::swarm::seeker::Seeker;
use crate::swarm::{self, Heritage};

/// How often rows are published.
const PUBLISH_EVERY: Duration = Duration::from_millis(250);

/// A search that runs.
pub(super) struct Finder {
    pub orders: mpsc::UnboundedSender<ToDriver>,
    pub task: JoinHandle<()>,
}

/// What a search leaves to the driver of the torrent. Until that reads the channels, peers wait.
pub(super) struct Estate {
    pub heritage: Heritage,
    /// The trackers' URLs by key.
    pub urls: Vec<String>,
    /// The end of the last announce to each of them, as far as one was made.
    pub speaking: BTreeMap<TrackerKey, oneshot::Receiver<()>>,
    pub links: Vec<(PeerKey, Link)>,
    pub limits: Limits,
    pub facts: (mpsc::UnboundedSender<Fact>, mpsc::UnboundedReceiver<Fact>),
    pub reports: (Reports, mpsc::Receiver<(PeerKey, FromPeer)>),
    pub listing: Listing,
    pub callers: mpsc::Receiver<Caller>,
}

/// Where the tasks of peers report to.
type Reports = mpsc::Sender<(PeerKey, FromPeer)>;

/// One connection.
pub(super) struct Link {
    pub orders: mpsc::UnboundedSender<ToPeer>,
    pub member: Membership,
}

impl Finder {
    /// Asks for all that the search has; nothing if it has just ended.
    pub(super) async fn hand_over(self) -> Option<Box<Estate>> {
        let (give, given) = oneshot::channel();
        self.orders.send(ToDriver::HandOver(give)).ok()?;
        given.await.ok()
    }

    /// Ends the search, and waits until trackers have heard of it.
    pub(super) async fn leave(self) {
        let _ = self.orders.send(ToDriver::Stop);
        let _ = self.task.await;
    }
}

struct Driver {
    shared: Arc<Shared>,
    find: Find,
    seeker: Seeker,
    urls: Vec<String>,
    out: Vec<Output>,
    links: BTreeMap<PeerKey, Link>,
    limits: Limits,
    facts: mpsc::UnboundedSender<Fact>,
    reports: Reports,
    /// Announces that are under way.
    announcing: usize,
    /// The end of the last announce to each tracker, for which the next one waits.
    speaking: BTreeMap<TrackerKey, oneshot::Receiver<()>>,
    reporter: Reporter,
    /// How the names of peers fare.
    names: Names,
    /// The local network hears of us.
    presence: Option<Presence>,
    /// The search in the DHT that is under way.
    search: Option<Search>,
    paused: bool,
    /// It has proved private.
    private: bool,
    /// Why what was found is of no use.
    fault: Option<Fault>,
}

/// Whether a torrent of this name can be looked for at all.
pub(super) fn refuse(find: &Find) -> Option<Fault> {
    metainfo::downloadable(&find.info_hash).err().map(|error| fault(&find.info_hash, &error))
}

/// Looks for the metadata of a torrent until it is told to stop or to hand over.
pub(super) async fn run(
    shared: Arc<Shared>,
    find: Find,
    mut orders: mpsc::UnboundedReceiver<ToDriver>,
    publish: watch::Sender<Option<Published>>,
) {
    let (facts, mut facts_in) = mpsc::unbounded_channel();
    let (reports, mut reports_in) = mpsc::channel(REPORTS);
    let (listing, mut callers) = shared.listen_for(find.info_hash, false);
    let mut listing = Some(listing);
    let mut driver = Driver::new(shared, find, facts, reports, publish);
    driver.start();
    let mut tick = time::interval(PUBLISH_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        let wake = driver.wake_up();
        tokio::select! {
            Some(report) = reports_in.recv() => driver.reported(report),
            Some(fact) = facts_in.recv() => driver.fact(fact),
            Some(Caller { stream, addr, hello }) = callers.recv() => {
                driver.connected(stream, addr, true, hello);
            }
            order = orders.recv() => match order {
                None | Some(ToDriver::Stop) => break,
                Some(ToDriver::HandOver(give)) => {
                    // What was found to be of no use has nothing to leave.
                    let Some(listing) = listing else { break };
                    let _ = give.send(Box::new(Estate {
                        heritage: driver.seeker.leave(),
                        urls: driver.urls,
                        speaking: driver.speaking,
                        links: driver.links.into_iter().collect(),
                        limits: driver.limits,
                        facts: (driver.facts, facts_in),
                        reports: (driver.reports, reports_in),
                        listing,
                        callers,
                    }));
                    return;
                }
                Some(order) => driver.ordered(order),
            },
            () = time::sleep_until(wake) => driver.tell(Input::Tick),
            _ = tick.tick() => driver.publish(),
        }
        if driver.fault.is_some() {
            // Nobody who calls can be of use, or be given anything.
            listing = None;
        }
    }
    drop(listing);
    driver.leave(facts_in).await;
}

impl Driver {
    fn new(
        shared: Arc<Shared>,
        find: Find,
        facts: mpsc::UnboundedSender<Fact>,
        reports: Reports,
        publish: watch::Sender<Option<Published>>,
    ) -> Self {
        let urls = if find.use_trackers { find.trackers.clone() } else { Vec::new() };
        let config = swarm::Config {
            port: shared.port().unwrap_or(0),
            announce_key: shared.announce_key,
            trackers: (0..urls.len()).map(|at| vec![TrackerKey(at)]).collect(),
            max_peers: find.max_peers,
            dht: shared.dht_for(false).is_some(),
            pex: shared.pex,
            eager: find.eager,
            ours: shared.ours.clone(),
            ..swarm::Config::new(find.info_hash, shared.id)
        };
        let seeker = Seeker::new(shared.clock.now(), config, shared.draw_seed());
        Self {
            reporter: Reporter::new(publish, &find),
            names: Names::default(),
            seeker,
            urls,
            out: Vec::new(),
            links: BTreeMap::new(),
            limits: Limits::new(None, None),
            facts,
            reports,
            announcing: 0,
            speaking: BTreeMap::new(),
            presence: None,
            search: None,
            paused: false,
            private: false,
            fault: None,
            find,
            shared,
        }
    }

    /// Looks for the peers that the link names, and asks whoever is to be asked.
    fn start(&mut self) {
        if !self.find.peers.is_empty() {
            let addrs = self.find.peers.clone();
            self.tell(Input::Found { source: Source::User, addrs });
        }
        self.resolve();
        self.show_up();
        self.tell(Input::Tick);
    }

    /// Lets the local network hear of this torrent, unless it has proved private (BEP 27).
    fn show_up(&mut self) {
        if let Some(lsd) = self.shared.lsd.as_ref().filter(|_| !self.private) {
            let facts = self.facts.clone();
            self.presence = Some(lsd.join(self.find.info_hash, move |addrs| {
                let _ = facts.send(Fact::Heard(Input::Found { source: Source::Lsd, addrs }));
            }));
        }
    }

    fn wake_up(&self) -> Instant {
        let far = Duration::from_secs(3600);
        let at = self.seeker.deadline().unwrap_or(self.now() + far);
        Instant::from_std(self.shared.clock.instant(at))
    }

    fn ordered(&mut self, order: ToDriver) {
        match order {
            ToDriver::Pause => {
                self.paused = true;
                (self.presence, self.search) = (None, None);
                self.tell(Input::Wish(Wish::Pause));
            }
            ToDriver::Resume => {
                self.paused = false;
                self.show_up();
                self.tell(Input::Wish(Wish::Resume));
            }
            ToDriver::Peers(addrs) => self.tell(Input::Found { source: Source::User, addrs }),
            ToDriver::Look(look) => self.reporter.look = look,
            ToDriver::Budget(_) | ToDriver::Stop | ToDriver::HandOver(_) => {}
        }
        self.publish();
    }

    /// A report of a peer's task.
    fn reported(&mut self, (peer, report): (PeerKey, FromPeer)) {
        if !self.links.contains_key(&peer) {
            return;
        }
        match report {
            FromPeer::Heard(message) => {
                let choked = message == Message::Choke;
                self.tell(Input::Heard { peer, message });
                if choked && let Some(link) = self.links.get(&peer) {
                    let _ = link.orders.send(ToPeer::ChokeSeen);
                }
            }
            FromPeer::Drained => self.tell(Input::Drained { peer }),
            FromPeer::Wasted(bytes) => self.tell(Input::Wasted { peer, bytes }),
            // Nothing was asked for, and nothing served.
            FromPeer::Landed(_) | FromPeer::Sent(_) => {}
            FromPeer::Left(why) => {
                self.links.remove(&peer);
                self.tell(Input::Left { peer, why });
            }
        }
    }

    fn fact(&mut self, fact: Fact) {
        match fact {
            Fact::Dialled { addr, result: Ok((stream, hello)) } => self.connected(stream, addr, false, hello),
            Fact::Dialled { addr, result: Err(why) } => self.tell(Input::DialFailed { addr, why }),
            Fact::Answered { url, answer } => {
                self.announcing = self.announcing.saturating_sub(1);
                if let Some(at) = self.urls.iter().position(|known| *known == url) {
                    self.tell(Input::Announced { tracker: TrackerKey(at), answer: *answer });
                }
            }
            Fact::Heard(input) => self.tell(input),
            _ => {}
        }
    }

    fn connected(&mut self, stream: TcpStream, addr: SocketAddr, incoming: bool, hello: Hello) {
        let Some(member) = self.shared.join() else {
            if !incoming {
                self.tell(Input::DialFailed { addr, why: DialFailure::Local });
            }
            return;
        };
        let key = self.shared.next_peer();
        let (orders, inbox) = mpsc::unbounded_channel();
        let terms = Terms {
            key,
            fast: hello.reserved.fast(),
            pieces: None,
            pool: self.shared.pool.clone(),
            limits: [self.shared.limits.clone(), self.limits.clone()],
        };
        tokio::spawn(peer::run(stream, terms, inbox, self.reports.clone()));
        self.links.insert(key, Link { orders, member });
        self.tell(Input::Connected { peer: key, addr, incoming, hello });
    }

    /// Tells the machine a fact and carries out what it orders.
    fn tell(&mut self, input: Input) {
        let now = self.now();
        self.seeker.handle(now, input, &mut self.out);
        self.carry_out();
    }

    /// The dictionary is here, of use or not.
    fn found(&mut self, result: Result<Box<Metainfo>, MetainfoError>) {
        let id = self.find.info_hash;
        let event = match result {
            Ok(metainfo) => {
                if metainfo.is_private() {
                    self.private = true;
                    (self.presence, self.search) = (None, None);
                    self.shared.turn_private(id);
                }
                self.reporter.name(metainfo.name().clone());
                Event::Metadata { id, metainfo }
            }
            Err(error) => {
                (self.presence, self.search) = (None, None);
                let fault = fault(&id, &error);
                self.fault = Some(fault.clone());
                Event::Failed { id, fault }
            }
        };
        let _ = self.shared.events.send(event);
    }

    /// Leaves the swarm and tells the trackers.
    async fn leave(mut self, mut facts: mpsc::UnboundedReceiver<Fact>) {
        (self.presence, self.search) = (None, None);
        self.tell(Input::Wish(Wish::Stop));
        self.links.clear();
        let farewell = async {
            while self.announcing > 0 {
                match facts.recv().await {
                    Some(fact) => self.fact(fact),
                    None => break,
                }
            }
        };
        let _ = time::timeout(FAREWELL, farewell).await;
        self.reporter.left();
    }

    fn now(&self) -> Moment {
        self.shared.clock.now()
    }
}

/// Why the torrent of this name cannot be had.
fn fault(id: &InfoHash, error: &MetainfoError) -> Fault {
    let error = Untrusted::new(error.to_string());
    Fault {
        kind: FaultKind::BadMagnet,
        message: format!("the torrent {} cannot be used: {}", id.short(), error.fit(300)),
        hint: None,
    }
}
