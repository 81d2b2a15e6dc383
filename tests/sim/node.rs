//! One simulated client: a real torrent, its store, its line, and the books that are kept on it.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use torr::base::{Bitfield, Geometry, InfoHashes, Moment, PeerId, Piece, Rng};
use torr::proto::handshake::Reserved;
use torr::swarm::event::{Order, Priority, TrackerKey};
use torr::swarm::{Config, Torrent};

use super::checks::Ledger;
use super::disk::Disk;
use super::plan::{NodePlan, Start, address_of};

/// One node, on or off.
pub struct Node {
    pub plan: NodePlan,
    pub number: usize,
    /// The running client; nothing while it is away.
    pub torrent: Option<Torrent>,
    pub ledger: Ledger,
    pub disk: Disk,
    pub rng: Rng,
    /// When its client is to be woken.
    pub wake: Option<Moment>,
    /// Wakes without any time passing.
    pub spins: u32,
    /// Its uplink is busy.
    pub sending: bool,
    /// Ways that have something for the uplink: connection and end.
    pub turns: VecDeque<(usize, usize)>,
    /// When its downlink is free.
    pub down_free: Moment,
    /// How often it came.
    pub lives: u64,
    /// It went for good.
    pub gone: bool,
    /// When it was complete for the first time.
    pub completed: Option<Moment>,
    pub tally: Tally,
    /// What its user wanted at first.
    pub priorities: Vec<Priority>,
    have: Bitfield,
}

/// What a node lived through.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub landed: u64,
    pub wasted: u64,
    pub sent: u64,
    pub dials: u64,
    pub announces: u64,
    pub spoiled: std::collections::BTreeMap<Piece, u32>,
    pub banned: BTreeSet<IpAddr>,
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
        let ledger =
            Ledger::new(geometry.clone(), liars.clone(), have.clone(), wanted, plan.budget, plan.max_peers);
        Self {
            number,
            torrent: None,
            ledger,
            disk: Disk::new(plan.disk),
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
            priorities,
            plan,
        }
    }

    /// The client starts, with the pieces it had when it went.
    pub fn start(&mut self, now: Moment, geometry: &Arc<Geometry>, trackers: usize) {
        self.lives += 1;
        let mut config = Config::new(InfoHashes::from_v1([7; 20]), self.id(self.lives));
        config.port = address_of(self.number).port();
        config.trackers = (0..trackers).map(|tracker| vec![TrackerKey(tracker)]).collect();
        config.max_peers = self.plan.max_peers;
        config.upload_limit = self.plan.says_limit.then_some(self.plan.up);
        config.order = if self.plan.in_order { Order::InOrder } else { Order::RarestFirst };
        config.priorities.clone_from(&self.priorities);
        config.pex = self.plan.pex;
        config.announce_key = self.number as u32;
        self.torrent =
            Some(Torrent::new(now, config, geometry.clone(), self.have.clone(), self.rng.next_u64()));
    }

    /// The client ends; what is verified stays on the disk.
    pub fn end(&mut self, geometry: &Arc<Geometry>, liars: &Arc<BTreeSet<IpAddr>>) {
        self.torrent = None;
        self.wake = None;
        self.disk.forget();
        self.turns.clear();
        self.have = self.ledger.have().clone();
        let mut wanted = Bitfield::none(geometry.piece_count());
        for (piece, priority) in geometry.pieces().zip(&self.priorities) {
            if *priority != Priority::Skip {
                wanted.insert(piece);
            }
        }
        let (budget, peers) = (self.plan.budget, self.plan.max_peers);
        self.ledger = Ledger::new(geometry.clone(), liars.clone(), self.have.clone(), wanted, budget, peers);
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
        self.torrent.is_some()
    }

    /// From it to the middle of the network.
    pub fn latency(&self) -> Duration {
        self.plan.latency
    }

    /// What its handshake says to a node that can or cannot speak the fast extension. A bit is in force
    /// only where both set it, so a node hears of it only then.
    pub fn reserved(fast: bool) -> Reserved {
        Reserved([0, 0, 0, 0, 0, 0x10, 0, if fast { 0x04 } else { 0 }])
    }

    /// The bytes that may be on the way from or to another node: what both lines carry in a round trip,
    /// and some more.
    pub fn window(&self, other: &Self) -> u64 {
        let trip = (self.plan.latency + other.plan.latency) * 2;
        let rate = self.plan.up.max(other.plan.up) as f64;
        (256 << 10) + (rate * trip.as_secs_f64()) as u64
    }
}
