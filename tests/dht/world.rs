//! The world the nodes live in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::sync::OnceLock;
use std::time::Duration;

use torr::base::{Moment, NodeId, Rng};
use torr::dht::{Config, Dht, Family, Goal, Input, Origin, Outcome, Output, TaskKey, node_id};
use torr::proto::krpc::{self, Body, Packet, Query, Reply};

use crate::sim::heap::Heap;

/// How a node behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// As it should.
    Honest,
    /// It hears only those it has written to shortly before.
    Hidden,
    /// It answers every search with nodes that do not exist, right beside what is looked for.
    Liar,
    /// The same, but those it makes up are in the networks of the honest nodes that are nearest.
    Displacer,
    /// It is not there any more.
    Dead,
    /// As it should, but under an id of its own choice.
    Unfit,
}

#[derive(Clone)]
pub struct World {
    pub now: Moment,
    pub rng: Rng,
    /// One packet in so many is lost; 0 for none.
    pub loss: u64,
    /// A node that has lost its network.
    pub cut: Option<SocketAddr>,
    pub packets: u64,
    pub bytes: u64,
    /// By the first of their addresses.
    nodes: BTreeMap<SocketAddr, Node>,
    /// The node behind each of the other addresses.
    homes: BTreeMap<SocketAddr, SocketAddr>,
    heap: Heap<Event>,
    /// What was told of tasks: peers found, and how each ended and when.
    pub peers: BTreeMap<TaskKey, Vec<SocketAddr>>,
    pub ended: BTreeMap<TaskKey, (Moment, Outcome)>,
    next_task: u64,
    /// A digest of all that happened.
    pub trace: u64,
}

#[derive(Clone)]
struct Node {
    dht: Dht,
    addrs: Vec<SocketAddr>,
    kind: Kind,
    wake: Option<Moment>,
    /// Whom it has written to, and when.
    wrote: BTreeMap<SocketAddr, Moment>,
}

#[derive(Clone)]
enum Event {
    Packet { from: SocketAddr, to: SocketAddr, bytes: Vec<u8> },
    Wake(SocketAddr),
}

/// The address of the n-th node of the Internet, each in a network of its own.
pub fn address(n: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(0x0800_0000 + (n << 8) + 1).into(), 6881)
}

/// The same for IPv6.
pub fn address6(n: u32) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from((0x2a00_u128 << 112) | (u128::from(n) << 64) | 1).into(), 6881)
}

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            now: Moment::START,
            rng: Rng::new(seed),
            loss: 0,
            cut: None,
            packets: 0,
            bytes: 0,
            nodes: BTreeMap::new(),
            homes: BTreeMap::new(),
            heap: Heap::new(),
            peers: BTreeMap::new(),
            ended: BTreeMap::new(),
            next_task: 0,
            trace: 0,
        }
    }

    /// A node that comes to this address and knows these.
    pub fn join(&mut self, addr: SocketAddr, kind: Kind, knows: &[SocketAddr]) {
        self.join_at(&[addr], kind, knows);
    }

    /// The same for one that has an address in each family. It is named by the first.
    pub fn join_at(&mut self, addrs: &[SocketAddr], kind: Kind, knows: &[SocketAddr]) {
        let secret = std::array::from_fn(|_| self.rng.next_u64() as u8);
        let chance = std::array::from_fn(|_| self.rng.next_u64() as u8);
        let id = |addr: &SocketAddr| {
            // Not everybody has an id that fits.
            let id = if kind == Kind::Unfit { NodeId(chance) } else { node_id(addr.ip(), chance) };
            (Family::of(addr), id)
        };
        let config = Config {
            families: addrs.iter().map(Family::of).collect(),
            ids: addrs.iter().map(id).collect(),
            answer_rate: None,
            packet_rate: None,
            read_only: false,
        };
        let dht = Dht::new(self.now, &config, secret);
        let addr = addrs[0];
        self.homes.extend(addrs[1..].iter().map(|&other| (other, addr)));
        self.nodes
            .insert(addr, Node { dht, addrs: addrs.to_vec(), kind, wake: None, wrote: BTreeMap::new() });
        self.tell(addr, Input::Nodes(Origin::Told, knows));
    }

    /// Tells a node where others may be.
    pub fn tell_nodes(&mut self, addr: SocketAddr, origin: Origin, knows: &[SocketAddr]) {
        self.tell(addr, Input::Nodes(origin, knows));
    }

    /// From now on others see a node at these addresses of one family, now at one and now at another. It keeps its
    /// name in this world.
    pub fn seen_at(&mut self, addr: SocketAddr, places: &[SocketAddr]) {
        self.homes.extend(places.iter().map(|&place| (place, addr)));
        self.nodes.get_mut(&addr).unwrap().addrs = places.to_vec();
    }

    /// A node.
    pub fn dht(&self, addr: SocketAddr) -> &Dht {
        &self.nodes[&addr].dht
    }

    pub fn leave(&mut self, addr: SocketAddr) {
        self.nodes.remove(&addr);
    }

    pub fn set_kind(&mut self, addr: SocketAddr, kind: Kind) {
        self.nodes.get_mut(&addr).unwrap().kind = kind;
    }

    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.nodes.keys().copied().collect()
    }

    pub fn known_to(&self, addr: SocketAddr) -> usize {
        self.nodes[&addr].dht.node_count(Family::of(&addr))
    }

    /// Gives a node a task.
    pub fn begin(&mut self, addr: SocketAddr, goal: Goal) -> TaskKey {
        let key = TaskKey(self.next_task);
        self.next_task += 1;
        self.tell(addr, Input::Begin(key, goal));
        key
    }

    /// Lets this much time pass.
    pub fn run(&mut self, span: Duration) {
        let until = self.now + span;
        self.heap_until(until, |_| false);
        self.now = until;
    }

    /// Lets time pass until a task has ended; at most two minutes.
    pub fn finish(&mut self, key: TaskKey) -> &Outcome {
        let until = self.now + Duration::from_secs(120);
        self.heap_until(until, |world| world.ended.contains_key(&key));
        &self.ended.get(&key).expect("every task ends").1
    }

    fn heap_until(&mut self, until: Moment, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let Some((at, event)) = self.heap.take() else { break };
            if at > until {
                self.heap.put(at, event);
                break;
            }
            self.now = at;
            match event {
                Event::Wake(addr) => {
                    let lies = |node: &Node| matches!(node.kind, Kind::Liar | Kind::Displacer);
                    let due = |node: &Node| node.wake == Some(at) && !lies(node);
                    if self.nodes.get(&addr).is_some_and(due) {
                        self.tell(addr, Input::Tick);
                    }
                }
                Event::Packet { from, to, bytes } => self.deliver(from, to, &bytes),
            }
        }
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let to = self.homes.get(&to).copied().unwrap_or(to);
        let Some(node) = self.nodes.get(&to) else { return };
        match node.kind {
            Kind::Dead => return,
            Kind::Hidden => {
                let minute = Duration::from_secs(60);
                if node.wrote.get(&from).is_none_or(|&at| self.now.since(at) > minute) {
                    return;
                }
            }
            Kind::Liar | Kind::Displacer => {
                if let Some(lie) = self.lie(to, bytes) {
                    self.post(to, from, lie);
                    return;
                }
                // It wants to be known, and to know nothing.
                if !matches!(krpc::read(bytes), Ok(Packet { body: Body::Query(..), .. })) {
                    return;
                }
            }
            Kind::Honest | Kind::Unfit => {}
        }
        self.tell(to, Input::Heard { from, bytes });
    }

    /// What a liar answers to a search: made-up neighbours of the target at addresses where nobody is.
    fn lie(&mut self, liar: SocketAddr, bytes: &[u8]) -> Option<Vec<u8>> {
        let Ok(Packet { transaction, body: Body::Query(_, query), .. }) = krpc::read(bytes) else {
            return None;
        };
        let target = match query {
            Query::FindNode { target, .. } => target,
            Query::GetPeers { info_hash, .. } => info_hash,
            _ => return None,
        };
        let mut reply = Reply::new(self.nodes[&liar].dht.id(Family::V4)?);
        let nobody = |rng: &mut Rng| Ipv4Addr::from(0xd000_0000 + rng.below(1 << 24) as u32);
        let places: Vec<Ipv4Addr> = match self.nodes[&liar].kind {
            Kind::Displacer => self.beside_the_nearest(&target),
            _ => (0..8).map(|_| nobody(&mut self.rng)).collect(),
        };
        let made_up = places.into_iter().map(|ip| {
            let mut id = target;
            id.0[18] = self.rng.next_u64() as u8;
            id.0[19] = self.rng.next_u64() as u8;
            (id, SocketAddrV4::new(ip, 6881))
        });
        reply.nodes = made_up.collect();
        Some(Packet::new(transaction, Body::Reply(Box::new(reply))).encode())
    }

    /// Addresses at which nobody is, in the networks of the honest nodes that are nearest to a place.
    fn beside_the_nearest(&self, target: &NodeId) -> Vec<Ipv4Addr> {
        let honest = self.nodes.iter().filter(|(_, node)| node.kind == Kind::Honest);
        let distance = |dht: &Dht| dht.id(Family::V4).map(|id| id.distance(target));
        let mut honest: Vec<_> = honest.map(|(addr, node)| (distance(&node.dht), addr.ip())).collect();
        honest.sort_unstable();
        let beside = honest.into_iter().filter_map(|(_, ip)| match ip {
            IpAddr::V4(v4) => Some(Ipv4Addr::from(u32::from(v4) ^ 0x40)),
            IpAddr::V6(_) => None,
        });
        beside.take(16).collect()
    }

    fn tell(&mut self, addr: SocketAddr, input: Input<'_>) {
        let Some(node) = self.nodes.get_mut(&addr) else { return };
        let mut out = Vec::new();
        node.dht.handle(self.now, input, &mut out);
        let due = node.dht.deadline();
        if due != node.wake {
            node.wake = due;
            if let Some(at) = due {
                // A deadline that has passed is met in the next moment, not in this one again.
                let at = at.max(self.now + Duration::from_millis(1));
                node.wake = Some(at);
                self.heap.put(at, Event::Wake(addr));
            }
        }
        for output in out {
            match output {
                Output::Send { to, bytes } => {
                    let node = self.nodes.get_mut(&addr).unwrap();
                    node.wrote.insert(to, self.now);
                    let of = |from: &&SocketAddr| Family::of(from) == Family::of(&to);
                    let ways: Vec<_> = node.addrs.iter().filter(of).copied().collect();
                    let way = if ways.len() > 1 { self.rng.index(ways.len()).unwrap() } else { 0 };
                    self.post(ways[way], to, bytes);
                }
                Output::Peers(key, peers) => self.peers.entry(key).or_default().extend(peers),
                Output::Ended(key, outcome) => {
                    self.ended.insert(key, (self.now, outcome));
                }
                Output::Samples(..) | Output::Item(..) | Output::Seen(..) => {}
            }
        }
    }

    fn post(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.packets += 1;
        self.bytes += bytes.len() as u64;
        let sum = bytes.iter().fold(0_u64, |sum, &byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.trace = self.trace.rotate_left(5) ^ sum ^ self.now.since_start().as_nanos() as u64;
        if self.cut == Some(from) || self.cut == Some(to) || (self.loss > 0 && self.rng.one_in(self.loss)) {
            return;
        }
        let latency = Duration::from_millis(20 + self.rng.below(130));
        self.heap.put(self.now + latency, Event::Packet { from, to, bytes });
    }
}

/// A network of `count` nodes that have found one another: each began with three that were there.
pub fn network(seed: u64, count: u32) -> World {
    let mut world = World::new(seed);
    for n in 0..count {
        let knows: Vec<SocketAddr> = match n {
            0 => Vec::new(),
            _ => (0..3).map(|_| address(world.rng.below(n.into()) as u32)).collect(),
        };
        world.join(address(n), Kind::Honest, &knows);
        world.run(Duration::from_millis(100));
    }
    world.run(Duration::from_secs(30));
    world
}

/// A network of 500 nodes. It is built once, and everybody gets a copy.
pub fn common(seed: u64) -> World {
    static COMMON: OnceLock<World> = OnceLock::new();
    let mut world = COMMON.get_or_init(|| network(7, 500)).clone();
    world.rng = Rng::new(seed);
    world
}

/// Some place in the table.
pub fn place(rng: &mut Rng) -> NodeId {
    NodeId(std::array::from_fn(|_| rng.next_u64() as u8))
}

/// Has peers announced from nodes of chance and looked for from others: how often they were found, and
/// how the searches went, each with the seconds it took.
pub fn tries(world: &mut World, count: usize, honest: &[SocketAddr]) -> (usize, Vec<(f64, Outcome)>) {
    let mut found = 0;
    let mut outcomes = Vec::new();
    for _ in 0..count {
        let info_hash = place(&mut world.rng);
        let announcer = honest[world.rng.index(honest.len()).unwrap()];
        let announce = Some(torr::dht::Announce { port: Some(7777), seed: false });
        let key = world.begin(announcer, Goal::Peers { info_hash, no_seeds: false, announce });
        world.finish(key);
        let seeker = honest[world.rng.index(honest.len()).unwrap()];
        let start = world.now;
        let key = world.begin(seeker, Goal::Peers { info_hash, no_seeds: false, announce: None });
        let outcome = world.finish(key).clone();
        let peer = SocketAddr::new(announcer.ip(), 7777);
        found += usize::from(world.peers.get(&key).is_some_and(|peers| peers.contains(&peer)));
        outcomes.push((world.now.since(start).as_secs_f64(), outcome));
    }
    (found, outcomes)
}
