//! The struct that holds the parts of a node, and the list of what it hears.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, NodeId, Rng, Timers};
use crate::proto::krpc::{self, Body, Packet};

use super::event::{Family, Input, Outcome, Output, TaskKey};
use super::flights::Flights;
use super::flood::Flood;
use super::items::Items;
use super::peers::Peers;
use super::secrets::Secrets;
use super::side::Side;
use super::task::Task;
use super::tokens::Tokens;

/// How often the node looks after itself.
pub(super) const ROUND: Duration = Duration::from_secs(5);
/// What torr calls itself in packets: two letters and a version (BEP 5).
pub(super) const VERSION: [u8; 4] = *b"tR\x00\x01";

/// What a node is told once, at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The families it speaks.
    pub families: Vec<Family>,
    /// Ids of an earlier run. Without one it is drawn.
    pub ids: Vec<(Family, NodeId)>,
    /// Only ask, never answer (BEP 43): for who cannot be reached, or will not be there for long.
    pub read_only: bool,
    /// The most bytes per second of answers.
    pub answer_rate: Option<u64>,
    /// The most packets per second that are looked at.
    pub packet_rate: Option<u32>,
}

impl Default for Config {
    /// IPv4 and IPv6, answering with 8 kB/s and looking at 4000 packets in a second.
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

/// What is worth keeping of a node when it ends, so that the next one begins warm.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Saved {
    /// The id of each family.
    pub ids: Vec<(Family, NodeId)>,
    /// Where nodes are, the best first.
    pub nodes: Vec<SocketAddr>,
}

/// What a question was asked for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose {
    /// To see whether somebody is there.
    Ping,
    /// For a task whose only question it is.
    Only(TaskKey),
    /// As a step of a search, so many steps from what we knew.
    Step(TaskKey, u32),
    /// To have something kept.
    Store(TaskKey),
}

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// The node looks after itself.
    Round,
}

/// A node: give it facts with [`Dht::handle`], and `Tick` when [`Dht::deadline`] is reached.
#[derive(Clone, Debug)]
pub struct Dht {
    pub(super) sides: Vec<Side>,
    pub(super) read_only: bool,
    pub(super) tasks: BTreeMap<TaskKey, Task>,
    /// The key of the next task of the node's own; they count down from the greatest.
    pub(super) next_own: u64,
    pub(super) flights: Flights<Purpose>,
    pub(super) peers: Peers,
    pub(super) items: Items,
    pub(super) tokens: Tokens,
    pub(super) flood: Flood,
    pub(super) secrets: Secrets,
    pub(super) rng: Rng,
    pub(super) timers: Timers<Timer>,
}

impl Dht {
    /// A node that knows nobody. `secret` comes from the system's randomness; the same secret and facts
    /// give the same orders.
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
            flights: Flights::default(),
            peers: Peers::default(),
            items: Items::default(),
            tokens,
            flood: Flood::new(now, seed, config.answer_rate, config.packet_rate),
            secrets,
            rng: Rng::new(seed),
            timers,
        }
    }

    /// Takes a fact that became known at `now`, and pushes what is to be done about it.
    pub fn handle(&mut self, now: Moment, input: Input<'_>, out: &mut Vec<Output>) {
        self.tokens.turn(now, &mut self.secrets);
        match input {
            Input::Tick => {}
            Input::Heard { from, bytes } => self.heard(now, from, bytes, out),
            Input::Unsent(to) => self.unsent(now, to, out),
            Input::Nodes(origin, addrs) => self.nodes(now, origin, addrs, out),
            Input::Begin(key, goal) => self.begin(now, key, goal, false, out),
            Input::Drop(key) => drop(self.tasks.remove(&key)),
        }
        self.wait(now, out);
        self.keep(now, out);
    }

    /// When the next `Tick` is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        let timer = self.timers.next().map(|(at, _)| at);
        timer.into_iter().chain(self.flights.deadline()).min()
    }

    /// The id in a family, if it is spoken.
    pub fn id(&self, family: Family) -> Option<NodeId> {
        self.side(family).map(|side| side.table.own())
    }

    /// How many nodes are known to be there.
    pub fn node_count(&self, family: Family) -> usize {
        self.side(family).map_or(0, |side| side.table.count())
    }

    /// The address at which others see us in a family, once enough of them agree.
    pub fn seen_as(&self, family: Family) -> Option<IpAddr> {
        self.side(family).and_then(|side| side.seen)
    }

    /// Whether there is anybody in a family who could be asked: a node that is known, or an address where one may be.
    pub fn has_anybody(&self, family: Family) -> bool {
        self.side(family).is_some_and(|side| !side.table.is_empty() || !side.starts.is_empty())
    }

    /// How many questions wait for their answer.
    pub fn under_way(&self) -> usize {
        self.flights.len()
    }

    /// How many torrents others have announced to us.
    pub fn torrents_kept(&self) -> usize {
        self.peers.len()
    }

    /// How many peers of them are kept.
    pub fn peers_kept(&self) -> usize {
        self.peers.count()
    }

    /// How far a task that is under way has come.
    pub fn so_far(&self, key: TaskKey) -> Option<&Outcome> {
        self.tasks.get(&key).map(|task| &task.outcome)
    }

    /// Whether an answer to a question of this number may come.
    pub fn is_busy(&self, key: TaskKey) -> bool {
        self.tasks.contains_key(&key)
    }

    /// What is worth keeping for the next run; at most `most` nodes of each family.
    pub fn saved(&self, most: usize) -> Saved {
        let ids = self.sides.iter().map(|side| (side.family, side.table.own())).collect();
        let mut nodes = Vec::new();
        for side in &self.sides {
            // What was known before and is not refuted is worth more than an empty place.
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

    /// Orders a packet to be sent.
    pub(super) fn send(&self, to: SocketAddr, mut packet: Packet, out: &mut Vec<Output>) {
        packet.version = Some(VERSION);
        packet.read_only = self.read_only && matches!(packet.body, Body::Query(..));
        out.push(Output::Send { to, bytes: packet.encode() });
    }

    fn heard(&mut self, now: Moment, from: SocketAddr, bytes: &[u8], out: &mut Vec<Output>) {
        // What came to a socket of IPv6 from an IPv4 address is of that family.
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        // Too much comes: what may answer a question of ours is looked at nevertheless.
        if !self.flood.hears(now) && !self.flights.is_asked(from) {
            return;
        }
        if from.port() == 0 || self.side(Family::of(&from)).is_none() {
            return;
        }
        match krpc::read(bytes) {
            Ok(Packet { transaction, body: Body::Query(id, query), read_only, .. }) => {
                self.asked(now, from, bytes.len(), &transaction, id, query, read_only, out);
            }
            Ok(packet) => self.answered(now, from, packet, out),
            Err(malformed) => {
                if let Some(answer) = malformed.answer {
                    self.garbled(now, from, bytes.len(), answer, out);
                }
            }
        }
    }
}
