//! Datagrams: the DHT (BEP 5) over the network, and the local network's multicast (BEP 14). They are lost,
//! overtake one another, and are encoded and read as the real ones are.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use torr::base::{Moment, NodeId, Rng};
use torr::dht::{Config, Dht, Family, Goal, Input, Origin, Outcome, Output, TaskKey, node_id};
use torr::proto::krpc::{self, Body, Packet, Query, Reply};
use torr::proto::lsd;
use torr::swarm::event::{self, Source};
use torr::swarm::local::Local;

use super::node::Node;
use super::world::{Datagram, Event, World};

/// The time that a datagram takes in the middle of the network: the least, and what may be added.
const TRANSIT: (u64, u64) = (20, 130);
/// The same for a datagram to the local network.
const LOCAL_TRANSIT: (u64, u64) = (1, 4);
/// A node behind NAT hears an address for this long after it has written to it.
const MAPPING: Duration = Duration::from_secs(60);

/// How a DHT node behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Follows the protocol.
    Honest,
    /// Is behind NAT: hears only those to which it wrote shortly before.
    Hidden,
    /// Answers every search with nodes that do not exist, close to the target.
    Liar,
    /// A liar whose made-up nodes are in the networks of the honest nodes closest to the target.
    Displacer,
    /// Does not answer any more.
    Dead,
    /// Follows the protocol under an id of its own choice.
    Unfit,
}

/// The DHT part of a node.
#[derive(Clone)]
pub struct DhtPart {
    pub dht: Dht,
    pub addrs: Vec<SocketAddr>,
    pub kind: Kind,
    pub(super) wake: Option<Moment>,
    /// The addresses to which it has written, and when it did last.
    wrote: BTreeMap<SocketAddr, Moment>,
}

impl DhtPart {
    fn new(dht: Dht, addrs: &[SocketAddr], kind: Kind) -> Self {
        Self { dht, addrs: addrs.to_vec(), kind, wake: None, wrote: BTreeMap::new() }
    }

    fn lies(&self) -> bool {
        matches!(self.kind, Kind::Liar | Kind::Displacer)
    }
}

impl World {
    /// Adds a node without a torrent at this address, which knows these nodes of the DHT.
    pub fn join(&mut self, addr: SocketAddr, kind: Kind, knows: &[SocketAddr]) {
        self.join_at(&[addr], kind, knows);
    }

    /// Adds a node without a torrent that has an address in each family.
    pub fn join_at(&mut self, addrs: &[SocketAddr], kind: Kind, knows: &[SocketAddr]) {
        let secret = std::array::from_fn(|_| self.rng.next_u64() as u8);
        let chance = std::array::from_fn(|_| self.rng.next_u64() as u8);
        let id = |addr: &SocketAddr| {
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
        let at = self.nodes.len();
        let mut node = Node::without_torrent(at, &self.geometry, &self.liars);
        node.dht = Some(DhtPart::new(dht, addrs, kind));
        self.nodes.push(node);
        self.by_address.extend(addrs.iter().map(|addr| (addr.ip(), at)));
        self.tell_dht(at, Input::Nodes(Origin::Told, knows));
    }

    /// Starts the DHT part of a node with a torrent.
    pub(super) fn start_dht(&mut self, at: usize) {
        if self.plan.routers == 0 || !self.nodes[at].plan.dht {
            return;
        }
        let routers = self.routers.clone();
        let node = &mut self.nodes[at];
        let addr = node.addr();
        let secret = std::array::from_fn(|_| node.rng.next_u64() as u8);
        let id = std::array::from_fn(|_| node.rng.next_u64() as u8);
        let saved = node.saved.take().unwrap_or_default();
        let drawn = vec![(Family::V4, node_id(addr.ip(), id))];
        let ids = if saved.ids.is_empty() { drawn } else { saved.ids };
        let config = Config { families: vec![Family::V4], ids, ..Config::default() };
        let kind = if node.plan.reachable { Kind::Honest } else { Kind::Hidden };
        node.dht = Some(DhtPart::new(Dht::new(self.now, &config, secret), &[addr], kind));
        self.tell_dht(at, Input::Nodes(Origin::Kept, &saved.nodes));
        self.tell_dht(at, Input::Nodes(Origin::Bootstrap, &routers));
    }

    /// Searches for the peers of the torrent of a node, in place of any search under way.
    pub(super) fn look_up(&mut self, at: usize, announce: bool, seed: bool) {
        let port = self.nodes[at].addr().port();
        let announce = announce.then_some(torr::dht::Announce { port: Some(port), seed });
        let info_hash = NodeId(self.metainfo.info_hash().wire());
        self.drop_search(at);
        let key = self.next_task();
        self.nodes[at].search = Some(key);
        self.tell_dht(at, Input::Begin(key, Goal::Peers { info_hash, no_seeds: seed, announce }));
    }

    /// Ends the search of a node.
    pub(super) fn drop_search(&mut self, at: usize) {
        if let Some(key) = self.nodes[at].search.take() {
            self.tell_dht(at, Input::Drop(key));
        }
    }

    /// Begins a task of the DHT node at this address.
    pub fn begin(&mut self, addr: SocketAddr, goal: Goal) -> TaskKey {
        let key = self.next_task();
        self.tell_dht(self.number_of(addr), Input::Begin(key, goal));
        key
    }

    /// Lets time pass until a task has ended, at most two minutes.
    pub fn finish(&mut self, key: TaskKey) -> &Outcome {
        let until = self.now + Duration::from_secs(120);
        self.run_until(until, |world| world.ended.contains_key(&key));
        &self.ended.get(&key).expect("every task ends").1
    }

    /// The number of the node at this address.
    pub fn number_of(&self, addr: SocketAddr) -> usize {
        self.by_address[&addr.ip()]
    }

    /// The first address of each node of the DHT, in order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let parts = self.nodes.iter().filter_map(|node| node.dht.as_ref());
        let mut addrs: Vec<_> = parts.map(|part| part.addrs[0]).collect();
        addrs.sort_unstable();
        addrs
    }

    /// How many nodes of its own family the DHT node at this address knows.
    pub fn known_to(&self, addr: SocketAddr) -> usize {
        self.dht(addr).node_count(Family::of(&addr))
    }

    /// Changes how a DHT node behaves.
    pub fn set_kind(&mut self, addr: SocketAddr, kind: Kind) {
        self.dht_mut(addr).kind = kind;
    }

    /// Removes the DHT node at this address.
    pub fn remove(&mut self, addr: SocketAddr) {
        let at = self.number_of(addr);
        self.nodes[at].dht = None;
    }

    /// The DHT part of the node at this address.
    fn dht_mut(&mut self, addr: SocketAddr) -> &mut DhtPart {
        let at = self.number_of(addr);
        self.nodes[at].dht.as_mut().expect("it takes part in the DHT")
    }

    /// The DHT node at this address.
    pub fn dht(&self, addr: SocketAddr) -> &Dht {
        &self.nodes[self.number_of(addr)].dht.as_ref().expect("it takes part in the DHT").dht
    }

    /// Tells the DHT node at this address where other nodes may be.
    pub fn tell_nodes(&mut self, addr: SocketAddr, origin: Origin, knows: &[SocketAddr]) {
        self.tell_dht(self.number_of(addr), Input::Nodes(origin, knows));
    }

    /// Lets others see a node at these addresses of one family from now on, at one or another by turns. Its old
    /// address goes on naming it here.
    pub fn seen_at(&mut self, addr: SocketAddr, places: &[SocketAddr]) {
        let at = self.number_of(addr);
        self.by_address.extend(places.iter().map(|place| (place.ip(), at)));
        self.dht_mut(addr).addrs = places.to_vec();
    }

    fn next_task(&mut self) -> TaskKey {
        self.tasks += 1;
        TaskKey(self.tasks - 1)
    }

    pub(super) fn wake_dht(&mut self, at: usize) {
        let due = |part: &DhtPart| part.wake == Some(self.now) && !part.lies();
        if self.nodes[at].dht.as_ref().is_some_and(due) {
            self.tell_dht(at, Input::Tick);
        }
    }

    /// A DHT node hears a fact; its orders are carried out.
    pub(super) fn tell_dht(&mut self, at: usize, input: Input<'_>) {
        let Some(part) = &mut self.nodes[at].dht else { return };
        let mut out = Vec::new();
        part.dht.handle(self.now, input, &mut out);
        let due = part.dht.deadline();
        if due != part.wake {
            part.wake = due;
            if let Some(due) = due {
                // A deadline that has passed is met in the next moment, not in this one again.
                let due = due.max(self.now + Duration::from_millis(1));
                part.wake = Some(due);
                self.heap.put(due, Event::WakeDht(at));
            }
        }
        for output in out {
            match output {
                Output::Send { to, bytes } => {
                    let part = self.nodes[at].dht.as_mut().expect("it is there");
                    part.wrote.insert(to, self.now);
                    let of = |from: &&SocketAddr| Family::of(from) == Family::of(&to);
                    let ways: Vec<_> = part.addrs.iter().filter(of).copied().collect();
                    let way = if ways.len() > 1 { self.rng.index(ways.len()).unwrap() } else { 0 };
                    self.post(at, ways[way], to, bytes);
                }
                Output::Peers(key, addrs) if self.nodes[at].search == Some(key) => {
                    self.fact(at, Duration::ZERO, event::Input::PeersFound { source: Source::Dht, addrs });
                }
                Output::Ended(key, outcome) if self.nodes[at].search == Some(key) => {
                    self.nodes[at].search = None;
                    let Outcome { answered, peers, .. } = outcome;
                    self.fact(at, Duration::ZERO, event::Input::LookedUp { answered, peers });
                }
                Output::Peers(key, peers) => self.found.entry(key).or_default().extend(peers),
                Output::Ended(key, outcome) => {
                    self.ended.insert(key, (self.now, outcome));
                }
                Output::Samples(..) | Output::Item(..) | Output::Seen(..) => {}
            }
        }
    }

    /// A datagram leaves a node.
    fn post(&mut self, at: usize, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        self.packets += 1;
        self.bytes += bytes.len() as u64;
        self.trace.datagram(self.now, at, &bytes);
        let cut = |addr: SocketAddr| self.cut.is_some_and(|cut| cut == addr);
        if cut(from) || cut(to) || (self.loss > 0 && self.rng.one_in(self.loss)) {
            return;
        }
        let transit = Duration::from_millis(TRANSIT.0 + self.rng.below(TRANSIT.1));
        let there = self.node_at(to).map_or(Duration::ZERO, |to| self.nodes[to].latency());
        let arrival = self.now + self.nodes[at].latency() + transit + there;
        self.heap.put(arrival, Event::Datagram(Box::new(Datagram { from, to, bytes })));
    }

    /// A datagram reaches an address.
    pub(super) fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let Some(at) = self.node_at(to) else { return };
        let parted = self.part.is_some() && self.node_at(from).is_some_and(|from| !self.reach(from, at));
        let Some(part) = self.nodes[at].dht.as_ref().filter(|_| !parted) else { return };
        match part.kind {
            Kind::Dead => return,
            Kind::Hidden => {
                if part.wrote.get(&from).is_none_or(|&wrote| self.now.since(wrote) > MAPPING) {
                    return;
                }
            }
            Kind::Liar | Kind::Displacer => {
                if let Some(lie) = self.lie(at, bytes) {
                    self.post(at, to, from, lie);
                    return;
                }
                // It wants to be known, and to know nothing.
                if !matches!(krpc::read(bytes), Ok(Packet { body: Body::Query(..), .. })) {
                    return;
                }
            }
            Kind::Honest | Kind::Unfit => {}
        }
        self.tell_dht(at, Input::Received { from, bytes });
    }

    /// The answer of a liar to a search: made-up neighbours of the target at addresses where nobody is.
    fn lie(&mut self, at: usize, bytes: &[u8]) -> Option<Vec<u8>> {
        let Ok(Packet { transaction, body: Body::Query(_, query), .. }) = krpc::read(bytes) else {
            return None;
        };
        let target = match query {
            Query::FindNode { target, .. } => target,
            Query::GetPeers { info_hash, .. } => info_hash,
            _ => return None,
        };
        let liar = self.nodes[at].dht.as_ref()?;
        let mut reply = Reply::new(liar.dht.id(Family::V4)?);
        let nobody = |rng: &mut Rng| Ipv4Addr::from(0xd000_0000 + rng.below(1 << 24) as u32);
        let places: Vec<Ipv4Addr> = match liar.kind {
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

    /// Addresses at which nobody is, in the networks of the honest nodes that are nearest to a target.
    fn beside_the_nearest(&self, target: &NodeId) -> Vec<Ipv4Addr> {
        let honest = self.nodes.iter().filter_map(|node| node.dht.as_ref());
        let honest = honest.filter(|part| part.kind == Kind::Honest);
        let distance = |dht: &Dht| dht.id(Family::V4).map(|id| id.distance(target));
        let mut honest: Vec<_> = honest.map(|part| (distance(&part.dht), part.addrs[0].ip())).collect();
        honest.sort_unstable();
        let beside = honest.into_iter().filter_map(|(_, ip)| match ip {
            IpAddr::V4(v4) => Some(Ipv4Addr::from(u32::from(v4) ^ 0x40)),
            IpAddr::V6(_) => None,
        });
        beside.take(16).collect()
    }

    /// Has a node say in its local network what it has to say now.
    pub(super) fn wake_local(&mut self, at: usize) {
        let now = self.now;
        let group = SocketAddr::from(([239, 192, 152, 143], 6771));
        let node = &mut self.nodes[at];
        let (addr, lan) = (node.addr(), node.plan.lan);
        let Some(local) = node.local.as_mut().filter(|_| node.local_wake == Some(now)) else { return };
        node.local_wake = None;
        let due = local.due(now);
        let datagrams = lsd::write(group, addr.port(), local.cookie(), &due, 1);
        let hears = |node: &&Node| node.plan.lan == lan && node.local.is_some();
        let to: Vec<usize> = self.nodes.iter().filter(hears).map(|node| node.number).collect();
        for (bytes, &to) in datagrams.iter().flat_map(|bytes| to.iter().map(move |to| (bytes, to))) {
            if self.loss > 0 && self.rng.one_in(self.loss) {
                continue;
            }
            let transit = Duration::from_millis(LOCAL_TRANSIT.0 + self.rng.below(LOCAL_TRANSIT.1));
            self.heap.put(now + transit, Event::Multicast(Box::new((addr, bytes.clone())), to));
        }
        self.plan_local(at);
    }

    /// A node hears what somebody says in its local network.
    pub(super) fn hear_local(&mut self, from: SocketAddr, at: usize, bytes: &[u8]) {
        let Some(local) = &mut self.nodes[at].local else { return };
        let search = lsd::read(bytes).expect("nodes write what can be read");
        let found = local.heard(self.now, from, &search);
        for (_, addr) in found {
            self.hear(at, event::Input::PeersFound { source: Source::Lsd, addrs: vec![addr] });
        }
        self.plan_local(at);
    }

    /// Sets the time at which a node speaks next in its local network.
    pub(super) fn plan_local(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let due = node.local.as_ref().and_then(Local::deadline);
        let due = due.map(|due| due.max(self.now + Duration::from_millis(1)));
        if due != node.local_wake {
            node.local_wake = due;
            if let Some(due) = due {
                self.heap.put(due, Event::WakeLocal(at));
            }
        }
    }
}
