//! The world: it takes the next event from the heap, lets it happen, and hands each fact to the node it
//! concerns. Nothing else moves time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use torr::base::{Bitfield, Geometry, Moment, Rng};
use torr::dht::{Outcome, TaskKey};
use torr::hash::sha1;
use torr::proto::metainfo::{Attributes, Content, Draft, Extras, Metainfo};
use torr::swarm::event::{DisconnectReason, Input, Output, PeerKey, TorrentCommand};
use torr::swarm::local::Local;

use super::datagrams::Kind;
use super::heap::Heap;
use super::link::Conn;
use super::node::Node;
use super::plan::{NodePlan, Plan, address_of, router_address};
use super::trace::Trace;
use super::tracker::Tracker;

/// How long a dial waits for an answer.
pub const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long it takes until a node notices that another was switched off.
const SILENCE: Duration = Duration::from_secs(120);

/// An event of the world. The heap moves events about, so what is large is kept apart.
#[derive(Clone)]
pub enum Event {
    /// A node comes.
    Come(usize),
    /// A node goes for good and says so.
    Go(usize),
    /// A client wanted to be woken.
    Wake(usize),
    /// A call reaches its callee.
    Call { from: usize, life: u64, callee: usize },
    /// A node hears a fact that concerns this life of it only.
    Fact(usize, u64, Box<Input>),
    /// The content of a torrent can be opened.
    Open(usize, u64),
    /// An end of a connection has the handshake of the other.
    Stands(usize, usize),
    /// A block has left the uplink of its sender.
    Out(usize, usize, torr::base::Span),
    /// The extension messages of an end may have gone out.
    Drains(usize, usize),
    /// A parcel stands at the door of its receiver.
    Arrives(usize, usize),
    /// A parcel is through.
    Through(usize, usize),
    /// An end notices that its connection is no more.
    Ends(usize, usize, DisconnectReason),
    /// A disk has finished a piece.
    Disk(usize, u64, torr::base::Piece),
    /// A disk has written a run of a long piece, by its number.
    Run(usize, u64, u64),
    /// A DHT node wanted to be woken.
    WakeDht(usize),
    /// A datagram reaches an address.
    Datagram(Box<Datagram>),
    /// A node wanted to speak in its local network.
    WakeLocal(usize),
    /// A datagram of the local network reaches a node.
    Multicast(Box<(SocketAddr, Vec<u8>)>, usize),
    /// Something goes wrong, or stops to.
    Fault(usize),
}

/// A datagram on its way.
#[derive(Clone)]
pub struct Datagram {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

/// Everything there is.
#[derive(Clone)]
pub struct World {
    pub plan: Plan,
    pub now: Moment,
    pub nodes: Vec<Node>,
    pub geometry: Arc<Geometry>,
    pub metainfo: Arc<Metainfo>,
    /// One packet in so many is lost; 0 for none.
    pub loss: u64,
    /// A DHT node that has lost its network.
    pub cut: Option<SocketAddr>,
    /// Datagrams of the DHT that were sent, and their bytes.
    pub packets: u64,
    pub bytes: u64,
    /// The peers that each task of the DHT has found, and how it ended and when.
    pub found: BTreeMap<TaskKey, Vec<SocketAddr>>,
    pub ended: BTreeMap<TaskKey, (Moment, Outcome)>,
    pub rng: Rng,
    pub(super) heap: Heap<Event>,
    pub(super) conns: Vec<Conn>,
    pub(super) trackers: Vec<Tracker>,
    pub(super) breaks: u64,
    pub(super) part: Option<std::ops::Range<usize>>,
    pub(super) trace: Trace,
    pub(super) liars: Arc<BTreeSet<IpAddr>>,
    pub(super) by_address: BTreeMap<IpAddr, usize>,
    pub(super) routers: Vec<SocketAddr>,
    pub(super) tasks: u64,
    pub(super) orders: Vec<Output>,
    pub(super) changed: bool,
    pub(super) steps: u64,
    pub(super) log: Option<usize>,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let metainfo = Arc::new(torrent(&plan));
        let geometry = Arc::new(metainfo.geometry().clone());
        let lies = |node: &NodePlan| node.manner.lies() || node.script.is_some();
        let lying = plan.nodes.iter().enumerate().filter(|(_, node)| lies(node));
        let liars: Arc<BTreeSet<IpAddr>> = Arc::new(lying.map(|(i, _)| address_of(i).ip()).collect());
        let each = plan.nodes.iter().cloned().enumerate();
        let nodes: Vec<_> = each.map(|(i, n)| Node::new(n, i, &geometry, &liars, rng.fork())).collect();
        let mut heap = Heap::new();
        for (i, node) in nodes.iter().enumerate() {
            heap.put(Moment::after(node.plan.arrives), Event::Come(i));
        }
        for (i, (at, _)) in plan.faults.iter().enumerate() {
            heap.put(Moment::after(*at), Event::Fault(i));
        }
        let mut world = Self {
            now: Moment::START,
            by_address: (0..nodes.len()).map(|i| (address_of(i).ip(), i)).collect(),
            nodes,
            geometry,
            metainfo,
            loss: plan.loss,
            cut: None,
            packets: 0,
            bytes: 0,
            found: BTreeMap::new(),
            ended: BTreeMap::new(),
            heap,
            conns: Vec::new(),
            trackers: plan.trackers.iter().cloned().map(Tracker::new).collect(),
            rng,
            breaks: plan.breaks,
            part: None,
            trace: Trace::new(),
            liars,
            routers: Vec::new(),
            tasks: 0,
            orders: Vec::new(),
            changed: false,
            steps: 0,
            log: std::env::var("SIM_LOG").ok().and_then(|node| node.parse().ok()),
            plan,
        };
        for n in 0..world.plan.routers as u32 {
            let knows = world.routers.clone();
            world.join(router_address(n), Kind::Honest, &knows);
            world.routers.push(router_address(n));
        }
        world
    }

    /// A world without torrents.
    pub fn network(seed: u64) -> Self {
        Self::new(Plan::new(seed, 16 << 10, 16 << 10).silent())
    }

    /// Lets this much time pass.
    pub fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        self.run_until(until, |_| false);
        self.now = until;
    }

    /// Lets time pass until something is reached, which is looked at after every event.
    pub(super) fn run_until(&mut self, until: Moment, enough: impl Fn(&Self) -> bool) {
        while !enough(self) {
            let Some((at, event)) = self.heap.take() else { break };
            if at > until {
                self.heap.put(at, event);
                break;
            }
            self.now = at;
            self.happen(event);
        }
    }

    /// Lets time pass until `goal` is reached, which is looked at whenever a node came, went, won or lost
    /// a piece. Says whether it was reached by `limit`.
    pub fn run(&mut self, limit: Duration, goal: impl Fn(&Self) -> bool) -> bool {
        let end = Moment::after(limit);
        while let Some((at, event)) = self.heap.take() {
            if at > end {
                self.heap.put(at, event);
                return goal(self);
            }
            self.now = at;
            self.happen(event);
            if std::mem::take(&mut self.changed) && goal(self) {
                return true;
            }
        }
        goal(self)
    }

    /// The number that stands for everything that happened so far.
    pub fn trace(&self) -> Trace {
        self.trace
    }

    /// Whether every honest node that is there or will come has all it wants.
    pub fn all_complete(&self) -> bool {
        let honest = self.nodes.iter().filter(|node| node.is_served() && !node.gone);
        honest.clone().count() > 0 && honest.clone().all(|node| node.lives > 0 && node.ledger.is_complete())
    }

    /// Whether these nodes have all they want.
    pub fn are_complete(&self, nodes: impl IntoIterator<Item = usize>) -> bool {
        nodes.into_iter().all(|i| self.nodes[i].lives > 0 && self.nodes[i].ledger.is_complete())
    }

    /// Whether the nodes of torrents without this one have every piece between them.
    pub fn one_copy_is_spread_besides(&self, number: usize) -> bool {
        let mut all = Bitfield::none(self.geometry.piece_count());
        for node in self.nodes.iter().filter(|node| node.is_served() && node.number != number) {
            node.ledger.have().iter().for_each(|piece| {
                all.insert(piece);
            });
        }
        all.is_full()
    }

    /// The pairs of nodes of which each has heard messages of the other over one connection.
    pub fn exchanges(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let both = self.conns.iter().filter(|conn| conn.heard.iter().all(|&heard| heard > 0));
        both.map(|conn| (conn.ends[0].min(conn.ends[1]), conn.ends[0].max(conn.ends[1])))
    }

    /// A sentence on each node that is not complete, for failures.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (i, node) in
            self.nodes.iter().enumerate().filter(|(_, n)| n.is_served() && !n.ledger.is_complete())
        {
            let have = node.ledger.have();
            let state = if node.gone {
                "gone"
            } else if node.is_on() {
                "on"
            } else {
                "off"
            };
            let peers = node.ledger.peer_count();
            let phase = if node.ledger.is_open() { "" } else { ", no metadata" };
            let _ = writeln!(text, "  node {i} ({state}{phase}): {have:?}, {peers} peers, {:?}", node.tally);
        }
        text
    }

    /// Ends the test with everything that is needed to see it again.
    pub fn fail(&self, node: usize, sentence: &str) -> ! {
        let seed = self.plan.seed;
        panic!("seed {seed}, {:?}, node {node}: {sentence}", self.now.since_start())
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Come(node) => self.come(node),
            Event::Go(node) => self.leave(node),
            Event::Wake(node) => self.wake(node),
            Event::Call { from, life, callee } => self.call(from, life, callee),
            Event::Fact(node, life, input) => {
                if self.nodes[node].lives == life {
                    self.hear(node, *input);
                }
            }
            Event::Open(node, life) => self.open_content(node, life),
            Event::Stands(conn, side) => self.stands(conn, side),
            Event::Out(conn, side, span) => self.out(conn, side, span),
            Event::Drains(conn, side) => self.drains(conn, side),
            Event::Arrives(conn, side) => self.arrives(conn, side),
            Event::Through(conn, side) => self.through(conn, side),
            Event::Ends(conn, side, why) => self.ends(conn, side, why),
            Event::Disk(node, life, piece) => self.disk_done(node, life, piece),
            Event::Run(node, life, number) => self.run_done(node, life, number),
            Event::WakeDht(node) => self.wake_dht(node),
            Event::Datagram(datagram) => self.deliver(datagram.from, datagram.to, &datagram.bytes),
            Event::WakeLocal(node) => self.wake_local(node),
            Event::Multicast(datagram, to) => self.hear_local(datagram.0, to, &datagram.1),
            Event::Fault(number) => self.fault(number),
        }
    }

    pub(super) fn come(&mut self, at: usize) {
        if self.nodes[at].is_on() || self.nodes[at].gone {
            return;
        }
        let (now, trackers, budget) = (self.now, self.trackers.len(), self.nodes[at].plan.budget);
        self.nodes[at].lives += 1;
        self.changed = true;
        if self.nodes[at].plan.script.is_some() {
            return;
        }
        self.start_dht(at);
        self.start_local(at);
        self.nodes[at].start(now, &self.metainfo, &self.geometry, trackers);
        self.hear(at, Input::Budget { bytes: budget });
    }

    fn start_local(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.plan.lan.is_some() {
            let mut local = Local::new(self.now, 1 + at as u32, node.rng.next_u64());
            // A local network may have addresses of any kind here; which one it is, is part of the plan.
            local.set_networks(self.now, vec![(node.addr().ip(), 8)]);
            local.join(self.now, self.metainfo.info_hash().wire());
            node.local = Some(local);
            self.plan_local(at);
        }
    }

    /// A node says goodbye and goes for good.
    pub fn leave(&mut self, at: usize) {
        self.hear(at, Input::Command(TorrentCommand::Stop));
        if self.nodes[at].is_on() && self.nodes[at].ledger.peer_count() > 0 {
            self.fail(at, "it stops and keeps connections");
        }
        self.nodes[at].gone = true;
        self.switch_off(at);
    }

    pub(super) fn switch_off(&mut self, at: usize) {
        self.nodes[at].end(&self.geometry, &self.liars);
        for conn in 0..self.conns.len() {
            if self.conns[conn].ends.contains(&at) && !self.conns[conn].dead {
                self.close(conn, at, DisconnectReason::Silent);
            }
        }
        self.changed = true;
    }

    /// One end is no more; the other will notice.
    pub(super) fn close(&mut self, number: usize, at: usize, why: DisconnectReason) {
        let conn = &mut self.conns[number];
        let side = conn.side(at);
        conn.known[side] = false;
        if !conn.dead {
            conn.dead = true;
            let notice = if why == DisconnectReason::Silent { SILENCE } else { conn.ways[side].latency() };
            self.heap.put(self.now + notice, Event::Ends(number, 1 - side, why));
        }
    }

    /// A connection breaks in the middle; both ends notice.
    pub fn snap(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        conn.dead = true;
        for side in 0..2 {
            self.heap.put(
                self.now + conn.ways[side].latency(),
                Event::Ends(number, side, DisconnectReason::Closed),
            );
        }
    }

    pub(super) fn ends(&mut self, number: usize, side: usize, why: DisconnectReason) {
        let conn = &mut self.conns[number];
        let at = conn.ends[side];
        if std::mem::take(&mut conn.known[side]) {
            self.hear(at, Input::Disconnected { peer: PeerKey(number as u64), why });
        }
    }

    /// The connections of a node, the oldest first.
    pub fn connections_of(&self, at: usize) -> Vec<PeerKey> {
        let live = self.conns.iter().enumerate().filter(|(_, conn)| !conn.dead && conn.ends.contains(&at));
        live.map(|(number, _)| PeerKey(number as u64)).collect()
    }

    /// The node behind an address.
    pub(super) fn node_at(&self, addr: SocketAddr) -> Option<usize> {
        self.by_address.get(&addr.ip()).copied()
    }

    /// Whether two nodes reach one another.
    pub(super) fn reach(&self, a: usize, b: usize) -> bool {
        self.part.as_ref().is_none_or(|part| part.contains(&a) == part.contains(&b))
    }
}

/// The torrent of a plan. Its name depends on the seed, and with it the info-hash, which draws the pieces that choked
/// peers may ask (BEP 6). The digests of its pieces are never looked at: what a block holds is a number here.
fn torrent(plan: &Plan) -> Metainfo {
    let pieces = plan.total.div_ceil(plan.piece_len) as u32;
    let draft = Draft {
        name: format!("content {:016x}", plan.seed),
        content: Content::Single(plan.total, Attributes::NONE),
        piece_len: plan.piece_len as u32,
        digests: (0..pieces).flat_map(|piece| sha1(&piece.to_be_bytes())).collect(),
        private: false,
        source: None,
        extras: Extras::default(),
    };
    Metainfo::parse(&draft.to_bytes()).expect("plans are lawful")
}
