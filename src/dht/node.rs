//! The node, which holds all parts and dispatches its inputs.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, NodeId, Rng, Timers};
use crate::proto::krpc::{self, Body, Packet};

use super::event::{Family, Input, Outcome, Output, TaskKey};
use super::flood::FloodGuard;
use super::items::Items;
use super::peers::Peers;
use super::pending::PendingQueries;
use super::secrets::Secrets;
use super::side::Side;
use super::task::Task;
use super::tokens::Tokens;

/// The longest time between two rounds of maintenance.
pub(super) const ROUND: Duration = Duration::from_secs(5);
/// torr's client version in packets: two letters and two bytes (BEP 5, `v`).
pub(super) const VERSION: [u8; 4] = *b"tR\x00\x01";

/// The configuration of a node.
#[derive(Clone, Debug)]
pub struct Config {
    /// The address families to support.
    pub families: Vec<Family>,
    /// The node ids of an earlier run. A family without one gets a random id.
    pub ids: Vec<(Family, NodeId)>,
    /// Send queries but do not answer any (BEP 43): for nodes that are unreachable or short-lived.
    pub read_only: bool,
    /// The most bytes of replies per second.
    pub answer_rate: Option<u64>,
    /// The most packets per second that are read.
    pub packet_rate: Option<u32>,
}

impl Default for Config {
    /// Both address families, 8 kB of replies and 4000 packets per second.
    fn default() -> Self {
        Self {
            families: Family::ALL.to_vec(),
            ids: Vec::new(),
            read_only: false,
            answer_rate: Some(8000),
            packet_rate: Some(4000),
        }
    }
}

/// The state to save when a node ends, so that the next one joins quickly.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// The node id of each address family.
    pub ids: Vec<(Family, NodeId)>,
    /// Addresses of nodes, best first.
    pub nodes: Vec<SocketAddr>,
}

/// The purpose of a query.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// Checks whether a node is alive.
    Ping,
    /// The only query of a task.
    Only(TaskKey),
    /// A step of a lookup, with its depth.
    Step(TaskKey, u32),
    /// An announce or put.
    Store(TaskKey),
}

/// The purpose of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// The next round of maintenance.
    Round,
}

/// A DHT node: give it inputs with [`Dht::handle`], and `Tick` when [`Dht::deadline`] is reached.
#[derive(Clone, Debug)]
pub struct Dht {
    pub(super) sides: Vec<Side>,
    pub(super) read_only: bool,
    pub(super) tasks: BTreeMap<TaskKey, Task>,
    /// The key of the next task of the node's own; these count down from the greatest.
    pub(super) next_own: u64,
    pub(super) pending: PendingQueries<Purpose>,
    pub(super) peers: Peers,
    pub(super) items: Items,
    pub(super) tokens: Tokens,
    pub(super) flood: FloodGuard,
    pub(super) secrets: Secrets,
    pub(super) rng: Rng,
    pub(super) timers: Timers<Timer>,
}

impl Dht {
    /// Makes a node without neighbours. `secret` must come from the system's randomness. The same secret and
    /// inputs give the same outputs.
    pub fn new(now: Moment, config: &Config, secret: [u8; 32]) -> Self {
        let mut secrets = Secrets::new(secret);
        let seed = secrets.draw();
        let seed = seed.iter().take(8).fold(0, |seed, &byte| (seed << 8) | u64::from(byte));
        let sides = config.families.iter().map(|&family| {
            let drawn = NodeId(secrets.draw_id());
            let known = config.ids.iter().find(|(of, _)| *of == family).map(|&(_, id)| id);
            Side::new(family, known.unwrap_or(drawn))
        });
        let sides = sides.collect();
        let tokens = Tokens::new(now, &mut secrets);
        let mut timers = Timers::new();
        timers.set(Timer::Round, now);
        Self {
            sides,
            read_only: config.read_only,
            tasks: BTreeMap::new(),
            next_own: u64::MAX,
            pending: PendingQueries::default(),
            peers: Peers::default(),
            items: Items::default(),
            tokens,
            flood: FloodGuard::new(now, seed, config.answer_rate, config.packet_rate),
            secrets,
            rng: Rng::new(seed),
            timers,
        }
    }

    /// Handles an input at the time `now`, and pushes the outputs.
    pub fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Vec<Output>) {
        self.tokens.rotate(now, &mut self.secrets);
        match input {
            Input::Tick => {}
            Input::Received { from, bytes } => self.handle_packet(now, from, bytes, out),
            Input::Unsent(to) => self.fail_queries_to(now, to, out),
            Input::Nodes(origin, addrs) => self.add_nodes(now, origin, addrs, out),
            Input::Begin(key, goal) => self.begin_task(now, key, goal, false, out),
            Input::Drop(key) => drop(self.tasks.remove(&key)),
        }
        self.handle_overdue(now, out);
        self.maintain(now, out);
    }

    /// The time at which the next `Tick` is due.
    pub fn deadline(&self) -> Option<Moment> {
        let timer = self.timers.next().map(|(at, _)| at);
        timer.into_iter().chain(self.pending.deadline()).min()
    }

    /// The node id in an address family, if supported.
    pub fn id(&self, family: Family) -> Option<NodeId> {
        self.side(family).map(|side| side.table.own())
    }

    /// The number of good nodes in the table.
    pub fn node_count(&self, family: Family) -> usize {
        self.side(family).map_or(0, |side| side.table.count())
    }

    /// The external address in an address family, once enough nodes agree on it.
    pub fn seen_as(&self, family: Family) -> Option<IpAddr> {
        self.side(family).and_then(|side| side.seen)
    }

    /// Whether there is a node, or an address at which one may be, in an address family.
    pub fn has_anybody(&self, family: Family) -> bool {
        self.side(family).is_some_and(|side| !side.table.is_empty() || !side.starts.is_empty())
    }

    /// The number of pending queries.
    pub fn under_way(&self) -> usize {
        self.pending.len()
    }

    /// The number of torrents that peers have announced to us.
    pub fn torrents_kept(&self) -> usize {
        self.peers.len()
    }

    /// The number of peers that have announced themselves to us.
    pub fn peers_kept(&self) -> usize {
        self.peers.count()
    }

    /// The outcome so far of a running task.
    pub fn so_far(&self, key: TaskKey) -> Option<&Outcome> {
        self.tasks.get(&key).map(|task| &task.outcome)
    }

    /// Whether the task is running.
    pub fn is_busy(&self, key: TaskKey) -> bool {
        self.tasks.contains_key(&key)
    }

    /// Returns the state to save for the next run, with at most `most` nodes of each family.
    pub fn saved(&self, most: usize) -> Saved {
        let ids = self.sides.iter().map(|side| (side.family, side.table.own())).collect();
        let mut nodes = Vec::new();
        for side in &self.sides {
            // Nodes of the last run that were not refuted are better than an empty place.
            let known = side.table.all().into_iter().map(|(_, addr)| addr);
            let mut all: Vec<SocketAddr> = Vec::new();
            for addr in known.chain(side.starts.kept()) {
                if all.len() < most && !all.contains(&addr) {
                    all.push(addr);
                }
            }
            nodes.extend(all);
        }
        Saved { ids, nodes }
    }

    pub(super) fn side(&self, family: Family) -> Option<&Side> {
        self.sides.iter().find(|side| side.family == family)
    }

    pub(super) fn side_mut(&mut self, family: Family) -> Option<&mut Side> {
        self.sides.iter_mut().find(|side| side.family == family)
    }

    /// Outputs a packet to be sent.
    pub(super) fn send(&self, to: SocketAddr, mut packet: Packet, out: &mut Vec<Output>) {
        packet.version = Some(VERSION);
        packet.read_only = self.read_only && matches!(packet.body, Body::Query(..));
        out.push(Output::Send { to, bytes: packet.encode() });
    }

    fn handle_packet(&mut self, now: Moment, from: SocketAddr, bytes: &[u8], out: &mut Vec<Output>) {
        // An IPv4-mapped address, on a socket of IPv6, belongs to the IPv4 network.
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        // Beyond the packet limit, only packets that may be replies to our own queries are read.
        if !self.flood.accept_packet(now) && !self.pending.is_asked(from) {
            return;
        }
        if from.port() == 0 || self.side(Family::of(&from)).is_none() {
            return;
        }
        match krpc::read(bytes) {
            Ok(Packet { transaction, body: Body::Query(id, query), read_only, .. }) => {
                self.handle_query(now, from, bytes.len(), &transaction, id, query, read_only, out);
            }
            Ok(packet) => self.handle_reply(now, from, packet, out),
            Err(malformed) => {
                if let Some(answer) = malformed.answer {
                    self.handle_malformed(now, from, bytes.len(), answer, out);
                }
            }
        }
    }
}
