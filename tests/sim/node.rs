//! One node: a machine on the network. Its parts can be absent: a torrent with its store, its line and the
//! books that are kept on it; a node of the DHT; a voice in the local network.

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use torr::base::{Bitfield, Block, Geometry, Moment, PeerId, Piece, Rng};
use torr::dht::{Saved, TaskKey};
use torr::proto::handshake::Reserved;
use torr::proto::metainfo::Metainfo;
use torr::swarm::event::{Order, PeerKey, Priority, TrackerKey};
use torr::swarm::local::Local;
use torr::swarm::{Config, ContentSetup, Torrent};

use super::checks::Ledger;
use super::datagrams::DhtPart;
use super::disk::Disk;
use super::liar::{Content, Manner};
use super::plan::{NodePlan, Start, address_of};

/// One node, on or off.
#[derive(Clone)]
pub struct Node {
    pub plan: NodePlan,
    pub number: usize,
    /// Whether it has no torrent and never will.
    pub is_router: bool,
    /// The running client; nothing while it is away.
    pub torrent: Option<Torrent>,
    /// Whether it knows the info dictionary, now and after a restart.
    pub knows_info: bool,
    pub dht: Option<DhtPart>,
    /// The record of its DHT node while it is away.
    pub saved: Option<Saved>,
    /// Its search in the DHT for peers of its torrent.
    pub search: Option<TaskKey>,
    pub local: Option<Local>,
    pub(super) local_wake: Option<Moment>,
    pub ledger: Ledger,
    pub disk: Disk,
    /// Blocks that have just come, until the torrent has said which of them are of use.
    pub landed: Vec<(Block, Content)>,
    pub rng: Rng,
    /// When its client is to be woken.
    pub wake: Option<Moment>,
    /// Wakes without any time passing.
    pub spins: u32,
    /// Whether its uplink is busy.
    pub sending: bool,
    /// Ways that have something for the uplink: connection and end.
    pub turns: VecDeque<(usize, usize)>,
    /// When its downlink is free.
    pub down_free: Moment,
    /// How often it came.
    pub lives: u64,
    /// Whether it went for good.
    pub gone: bool,
    /// When it was complete for the first time.
    pub completed: Option<Moment>,
    pub tally: Tally,
    /// The priorities that its user wanted at first.
    pub priorities: Vec<Priority>,
    /// The priorities that its user wants now.
    pub wishes: Vec<Priority>,
    have: Bitfield,
}

/// The history of a node.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub landed: u64,
    pub wasted: u64,
    pub sent: u64,
    pub dials: u64,
    pub announces: u64,
    pub spoiled: std::collections::BTreeMap<Piece, u32>,
    pub banned: BTreeSet<IpAddr>,
    /// Bytes of extension messages that came before the content was open.
    pub early: u64,
    /// The connections there were when the content was opened, and those that were closed by it.
    pub opened_with: Vec<PeerKey>,
    pub closed_by_opening: u32,
    /// When the content was opened.
    pub opened: Option<Moment>,
    /// The connection over which the first block came.
    pub first_block: Option<PeerKey>,
}

impl Node {
    pub fn new(
        plan: NodePlan,
        number: usize,
        geometry: &Arc<Geometry>,
        liars: &Arc<BTreeSet<IpAddr>>,
        mut rng: Rng,
    ) -> Self {
        let count = geometry.piece_count();
        let mut have = Bitfield::none(count);
        let mut wanted = Bitfield::none(count);
        let mut priorities = Vec::new();
        for piece in geometry.pieces() {
            let has = match plan.start {
                Start::Nothing => false,
                Start::Everything => true,
                Start::Part(percent) => rng.below(100) < percent,
            };
            if has {
                have.insert(piece);
            }
            let skip = plan.start != Start::Everything && rng.below(100) < plan.skips;
            priorities.push(if skip { Priority::Skip } else { plan.priority });
            if !skip {
                wanted.insert(piece);
            }
        }
        let (budget, most) = (plan.budget, plan.max_peers);
        let knows_info = !plan.link;
        let ledger =
            Ledger::new(geometry.clone(), liars.clone(), have.clone(), wanted, budget, most, knows_info);
        Self {
            number,
            is_router: false,
            torrent: None,
            knows_info,
            dht: None,
            saved: None,
            search: None,
            local: None,
            local_wake: None,
            ledger,
            disk: Disk::new(plan.disk),
            landed: Vec::new(),
            rng,
            wake: None,
            spins: 0,
            sending: false,
            turns: VecDeque::new(),
            down_free: Moment::START,
            lives: 0,
            gone: false,
            completed: None,
            tally: Tally::default(),
            have,
            wishes: priorities.clone(),
            priorities,
            plan,
        }
    }

    /// A node that has no torrent and never will.
    pub fn without_torrent(number: usize, geometry: &Arc<Geometry>, liars: &Arc<BTreeSet<IpAddr>>) -> Self {
        let node = Self::new(NodePlan::router(), number, geometry, liars, Rng::new(number as u64));
        Self { is_router: true, ..node }
    }

    /// Where it is called.
    pub fn addr(&self) -> SocketAddr {
        self.dht.as_ref().map_or_else(|| address_of(self.number), |part| part.addrs[0])
    }

    /// The client starts, with the pieces it had when it went.
    pub fn start(&mut self, now: Moment, metainfo: &Metainfo, geometry: &Arc<Geometry>, trackers: usize) {
        let mut config = Config::new(metainfo.info_hash(), self.id(self.lives));
        config.port = address_of(self.number).port();
        config.trackers = (0..trackers).map(|tracker| vec![TrackerKey(tracker)]).collect();
        config.max_peers = self.plan.max_peers;
        config.upload_limit = self.plan.says_limit.then_some(self.plan.up);
        config.pex = self.plan.pex;
        config.dht = self.dht.is_some();
        config.eager = true;
        config.announce_key = self.number as u32;
        let seed = self.rng.next_u64();
        self.torrent = Some(if self.knows_info {
            config.info = metainfo.raw_info().into();
            Torrent::with_content(now, config, self.setup(geometry), seed)
        } else {
            Torrent::new(now, config, seed)
        });
    }

    /// The content as it is opened.
    pub fn setup(&self, geometry: &Arc<Geometry>) -> ContentSetup {
        ContentSetup {
            geometry: geometry.clone(),
            have: self.have.clone(),
            priorities: self.wishes.clone(),
            order: if self.plan.in_order { Order::InOrder } else { Order::RarestFirst },
            seed_only: false,
            unfinished: Vec::new(),
        }
    }

    /// The client ends; what is verified stays on the disk.
    pub fn end(&mut self, geometry: &Arc<Geometry>, liars: &Arc<BTreeSet<IpAddr>>) {
        self.torrent = None;
        self.saved = self.dht.take().map(|part| part.dht.saved(200));
        self.search = None;
        self.local = None;
        self.local_wake = None;
        self.wake = None;
        self.disk.forget();
        self.turns.clear();
        self.have = self.ledger.have().clone();
        self.wishes.clone_from(&self.priorities);
        let mut wanted = Bitfield::none(geometry.piece_count());
        for (piece, priority) in geometry.pieces().zip(&self.priorities) {
            if *priority != Priority::Skip {
                wanted.insert(piece);
            }
        }
        let (budget, peers) = (self.plan.budget, self.plan.max_peers);
        let (have, opened) = (self.have.clone(), self.knows_info);
        self.ledger = Ledger::new(geometry.clone(), liars.clone(), have, wanted, budget, peers, opened);
    }

    /// The name it gives itself in this life.
    pub fn id(&self, life: u64) -> PeerId {
        let mut chance = [0; 12];
        chance[..8].copy_from_slice(&(self.number as u64).to_be_bytes());
        chance[8..].copy_from_slice(&(life as u32).to_be_bytes());
        PeerId::new(chance)
    }

    /// Whether the client runs.
    pub fn is_on(&self) -> bool {
        self.torrent.is_some() || self.plan.script.is_some() && self.lives > 0 && !self.gone
    }

    /// Whether it is to have all it wants in the end.
    pub fn is_served(&self) -> bool {
        self.plan.manner == Manner::Honest && self.plan.script.is_none() && !self.is_router
    }

    /// From it to the middle of the network.
    pub fn latency(&self) -> Duration {
        self.plan.latency
    }

    /// The handshake that another hears. A bit is in force only where both set it, so a node hears of it only
    /// then.
    pub fn reserved(&self, other: &Self) -> Reserved {
        let mut reserved = Reserved::NONE.with_extended();
        if self.plan.fast && other.plan.fast {
            reserved = reserved.with_fast();
        }
        if self.dht.is_some() && other.dht.is_some() {
            reserved = reserved.with_dht();
        }
        reserved
    }

    /// The bytes that may be on the way from or to another node: what both lines carry in a round trip,
    /// and some more.
    pub fn window(&self, other: &Self) -> u64 {
        let trip = (self.plan.latency + other.plan.latency) * 2;
        let rate = self.plan.up.max(other.plan.up) as f64;
        (256 << 10) + (rate * trip.as_secs_f64()) as u64
    }
}
