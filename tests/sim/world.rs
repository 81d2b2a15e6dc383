//! The world: it takes the next event from the heap, lets it happen, and hands each fact to the node it
//! concerns. Nothing else moves time.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use torr::base::{Geometry, Moment, Rng};
use torr::proto::announce::AnnounceReply;
use torr::swarm::event::{
    Departure, DialFailure, Input, Note, Output, PeerKey, Priority, TrackerFailure, TrackerKey, Wish,
};

use super::heap::Heap;
use super::liar::Manner;
use super::link::Conn;
use super::node::Node;
use super::plan::{Fault, Plan, address_of};
use super::trace::Trace;
use super::tracker::Tracker;

/// How long a dial waits for an answer.
pub const DIAL_PATIENCE: Duration = Duration::from_secs(10);
/// How long it takes until a node notices that another was switched off.
const SILENCE: Duration = Duration::from_secs(120);
/// A client that wants to be woken this often without time passing is caught in a loop.
const MOST_SPINS: u32 = 50;

/// What happens.
pub enum Event {
    /// A node comes.
    Come(usize),
    /// A node goes for good and says so.
    Go(usize),
    /// A client wanted to be woken.
    Wake(usize),
    /// A call reaches its callee.
    Call { from: usize, life: u64, to: SocketAddr },
    /// A call came to nothing.
    NoAnswer { from: usize, life: u64, to: SocketAddr, why: DialFailure },
    /// An end of a connection has the handshake of the other.
    Stands(usize, usize),
    /// A block has left the uplink of its sender.
    Out(usize, usize, torr::base::Span),
    /// A parcel stands at the door of its receiver.
    Arrives(usize, usize),
    /// A parcel is through.
    Through(usize, usize),
    /// An end notices that its connection is no more.
    Ends(usize, usize, Departure),
    /// A disk has finished a piece.
    Disk(usize, u64, torr::base::Piece),
    /// A disk has written a run of a long piece, by its number.
    Run(usize, u64, u64),
    /// The answer of a tracker comes.
    Answer(usize, u64, TrackerKey, Box<Result<AnnounceReply, TrackerFailure>>),
    /// Something goes wrong, or stops to.
    Fault(usize),
}

/// Everything there is.
pub struct World {
    pub plan: Plan,
    pub now: Moment,
    pub nodes: Vec<Node>,
    pub geometry: Arc<Geometry>,
    pub(super) heap: Heap<Event>,
    pub(super) conns: Vec<Conn>,
    pub(super) trackers: Vec<Tracker>,
    pub(super) rng: Rng,
    pub(super) breaks: u64,
    pub(super) part: Option<std::ops::Range<usize>>,
    pub(super) trace: Trace,
    liars: Arc<BTreeSet<IpAddr>>,
    by_address: BTreeMap<IpAddr, usize>,
    orders: Vec<Output>,
    changed: bool,
    log: Option<usize>,
}

impl World {
    pub fn new(plan: Plan) -> Self {
        let mut rng = Rng::new(plan.seed);
        let geometry = Arc::new(Geometry::single(plan.piece_len, plan.total).expect("plans are lawful"));
        let lying = plan.nodes.iter().enumerate().filter(|(_, n)| n.manner.lies());
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
        Self {
            now: Moment::START,
            by_address: (0..nodes.len()).map(|i| (address_of(i).ip(), i)).collect(),
            nodes,
            geometry,
            heap,
            conns: Vec::new(),
            trackers: plan.trackers.iter().cloned().map(Tracker::new).collect(),
            rng,
            breaks: plan.breaks,
            part: None,
            trace: Trace::new(),
            liars,
            orders: Vec::new(),
            changed: false,
            log: std::env::var("SIM_LOG").ok().and_then(|node| node.parse().ok()),
            plan,
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
        let honest = self.nodes.iter().filter(|node| node.plan.manner == Manner::Honest && !node.gone);
        honest.clone().count() > 0 && honest.clone().all(|node| node.lives > 0 && node.ledger.is_complete())
    }

    /// Whether these nodes have all they want.
    pub fn are_complete(&self, nodes: impl IntoIterator<Item = usize>) -> bool {
        nodes.into_iter().all(|i| self.nodes[i].lives > 0 && self.nodes[i].ledger.is_complete())
    }

    /// A sentence on each node that is not complete, for failures.
    pub fn report(&self) -> String {
        let mut text = String::new();
        for (i, node) in self.nodes.iter().enumerate().filter(|(_, n)| !n.ledger.is_complete()) {
            let have = node.ledger.have();
            let state = if node.gone {
                "gone"
            } else if node.is_on() {
                "on"
            } else {
                "off"
            };
            let peers = node.ledger.peer_count();
            let _ = writeln!(text, "  node {i} ({state}): {have:?}, {peers} peers, {:?}", node.tally);
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
            Event::Call { from, life, to } => self.call(from, life, to),
            Event::NoAnswer { from, life, to, why } => {
                self.of_life(from, life, Input::DialFailed { addr: to, why });
            }
            Event::Stands(conn, side) => self.stands(conn, side),
            Event::Out(conn, side, span) => self.out(conn, side, span),
            Event::Arrives(conn, side) => self.arrives(conn, side),
            Event::Through(conn, side) => self.through(conn, side),
            Event::Ends(conn, side, why) => self.ends(conn, side, why),
            Event::Disk(node, life, piece) => self.disk_done(node, life, piece),
            Event::Run(node, life, number) => self.run_done(node, life, number),
            Event::Answer(node, life, tracker, answer) => {
                self.of_life(node, life, Input::Announced { tracker, answer: *answer });
            }
            Event::Fault(number) => self.fault(number),
        }
    }

    /// A node hears a fact; its orders are checked and carried out.
    pub(super) fn hear(&mut self, at: usize, input: Input) {
        let now = self.now;
        let node = &mut self.nodes[at];
        let Some(torrent) = &mut node.torrent else { return };
        if self.log == Some(at) {
            eprintln!("{:?} hears {input:?}", now.since_start());
        }
        let changed = matches!(input, Input::Verified { .. } | Input::Lost { .. } | Input::Wish(_));
        self.changed |= changed;
        node.ledger.fact(&input);
        let mut orders = std::mem::take(&mut self.orders);
        torrent.handle(now, input, &mut orders);
        let deadline = torrent.deadline();
        if changed && torrent.have() != node.ledger.have() {
            self.fail(at, "it does not have what was verified");
        }
        for order in orders.drain(..) {
            if self.log == Some(at) {
                eprintln!("{:?} orders {order:?}", now.since_start());
            }
            self.trace.ordered(now, at, &order);
            if let Err(sentence) = self.nodes[at].ledger.order(now, &order) {
                self.fail(at, &sentence);
            }
            self.carry_out(at, order);
        }
        self.orders = orders;
        let node = &mut self.nodes[at];
        if let Err(sentence) = node.ledger.settled() {
            self.fail(at, &sentence);
        }
        if node.completed.is_none() && node.ledger.is_complete() {
            node.completed = Some(now);
            if let Some(stays) = node.plan.stays {
                self.heap.put(now + stays, Event::Go(at));
            }
        }
        if let Some(deadline) = deadline.map(|at| at.max(now))
            && self.nodes[at].wake.is_none_or(|wake| deadline < wake)
        {
            self.nodes[at].wake = Some(deadline);
            self.heap.put(deadline, Event::Wake(at));
        }
    }

    fn carry_out(&mut self, at: usize, order: Output) {
        let (now, life) = (self.now, self.nodes[at].lives);
        match order {
            Output::Dial { addr } => self.dial(at, addr),
            Output::Say { peer, message } => self.say(at, peer, message),
            Output::Ask { peer, blocks } => self.ask(at, peer, &blocks),
            Output::Cancel { peer, blocks } => self.cancel(at, peer, &blocks),
            Output::Serve { peer, spans } => self.serve(at, peer, &spans),
            Output::Unserve { peer, spans } => {
                let conn = &mut self.conns[peer.0 as usize];
                let side = conn.side(at);
                conn.ways[side].queue.retain(|span| !spans.is_empty() && !spans.contains(span));
            }
            Output::Close { peer, .. } => self.close(peer.0 as usize, at, Departure::Closed),
            Output::Verify { piece, digests } => {
                let done = self.nodes[at].disk.verify(now, &self.geometry, piece, digests);
                self.heap.put(done, Event::Disk(at, life, piece));
            }
            Output::Discard { piece } => self.nodes[at].disk.discard(piece),
            Output::Announce { tracker, announce } => {
                self.nodes[at].tally.announces += 1;
                let from = address_of(at);
                if self.trackers[tracker.0].is_too_soon(now, from, &announce) {
                    self.fail(at, "it announces again within a minute");
                }
                let (delay, answer) = self.trackers[tracker.0].announced(now, &mut self.rng, from, &announce);
                let stopped = announce.event == torr::proto::announce::AnnounceEvent::Stopped;
                if !stopped {
                    self.heap.put(now + delay, Event::Answer(at, life, tracker, Box::new(answer)));
                }
            }
            Output::Note(Note::Banned(addr)) => {
                self.nodes[at].tally.banned.insert(addr.ip());
            }
            Output::Note(Note::HashFailed(piece)) => {
                *self.nodes[at].tally.spoiled.entry(piece).or_default() += 1;
            }
            Output::Scrape { .. }
            | Output::Lookup { .. }
            | Output::Node { .. }
            | Output::Metadata(_)
            | Output::Note(_) => {}
        }
    }

    fn wake(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if node.wake != Some(self.now) {
            return;
        }
        node.wake = None;
        self.hear(at, Input::Tick);
        let node = &mut self.nodes[at];
        node.spins = if node.wake == Some(self.now) { node.spins + 1 } else { 0 };
        if node.spins > MOST_SPINS {
            self.fail(at, "its deadline does not move");
        }
    }

    /// A fact that only the life concerns in which it was asked for.
    fn of_life(&mut self, at: usize, life: u64, input: Input) {
        if self.nodes[at].lives == life {
            self.hear(at, input);
        }
    }

    fn come(&mut self, at: usize) {
        if self.nodes[at].is_on() || self.nodes[at].gone {
            return;
        }
        let (now, trackers, budget) = (self.now, self.trackers.len(), self.nodes[at].plan.budget);
        self.nodes[at].start(now, &self.geometry, trackers);
        self.changed = true;
        self.hear(at, Input::Budget { bytes: budget });
    }

    /// A node says goodbye and goes for good.
    pub fn leave(&mut self, at: usize) {
        self.hear(at, Input::Wish(Wish::Stop));
        if self.nodes[at].is_on() && self.nodes[at].ledger.peer_count() > 0 {
            self.fail(at, "it stops and keeps connections");
        }
        self.nodes[at].gone = true;
        self.switch_off(at);
    }

    fn switch_off(&mut self, at: usize) {
        self.nodes[at].end(&self.geometry, &self.liars);
        for conn in 0..self.conns.len() {
            if self.conns[conn].ends.contains(&at) && !self.conns[conn].dead {
                self.close(conn, at, Departure::Silent);
            }
        }
        self.changed = true;
    }

    /// One end is no more; the other will notice.
    pub(super) fn close(&mut self, number: usize, at: usize, why: Departure) {
        let conn = &mut self.conns[number];
        let side = conn.side(at);
        conn.known[side] = false;
        if !conn.dead {
            conn.dead = true;
            let notice = if why == Departure::Silent { SILENCE } else { conn.ways[side].latency() };
            self.heap.put(self.now + notice, Event::Ends(number, 1 - side, why));
        }
    }

    /// A connection breaks in the middle; both ends notice.
    pub(super) fn snap(&mut self, number: usize) {
        let conn = &mut self.conns[number];
        conn.dead = true;
        for side in 0..2 {
            self.heap.put(self.now + conn.ways[side].latency(), Event::Ends(number, side, Departure::Closed));
        }
    }

    pub(super) fn ends(&mut self, number: usize, side: usize, why: Departure) {
        let conn = &mut self.conns[number];
        let at = conn.ends[side];
        if std::mem::take(&mut conn.known[side]) {
            self.hear(at, Input::Left { peer: PeerKey(number as u64), why });
        }
    }

    /// Has the disk write the next run of a long piece, if it is there.
    pub(super) fn run_on(&mut self, at: usize, piece: torr::base::Piece) {
        let node = &mut self.nodes[at];
        let in_runs = node.torrent.as_ref().is_some_and(|torrent| torrent.is_in_runs(piece));
        if let Some((number, done)) = node.disk.run(self.now, &self.geometry, piece).filter(|_| in_runs) {
            self.heap.put(done, Event::Run(at, node.lives, number));
        }
    }

    fn run_done(&mut self, at: usize, life: u64, number: u64) {
        if self.nodes[at].lives != life {
            return;
        }
        let Some((piece, settled)) = self.nodes[at].disk.run_done(number) else { return };
        if let Some(blocks) = settled {
            self.hear(at, Input::SegmentWritten { piece, blocks });
            self.run_on(at, piece);
        } else {
            self.hear(at, Input::WriteFailed { piece });
            self.hear(at, Input::Wish(Wish::Pause));
        }
    }

    fn disk_done(&mut self, at: usize, life: u64, piece: torr::base::Piece) {
        use super::disk::Outcome;
        if self.nodes[at].lives != life {
            return;
        }
        let input = match self.nodes[at].disk.done(piece) {
            Some(Outcome::Verified(digests)) => Input::Verified { piece, digests },
            Some(Outcome::Spoiled(digests)) => Input::HashFailed { piece, digests },
            Some(Outcome::Unwritten) => Input::WriteFailed { piece },
            None => return,
        };
        let unwritten = matches!(input, Input::WriteFailed { .. });
        self.hear(at, input);
        if unwritten {
            self.hear(at, Input::Wish(Wish::Pause));
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

    fn fault(&mut self, number: usize) {
        match self.plan.faults[number].1.clone() {
            Fault::Part(nodes) => {
                self.part = Some(nodes);
                self.stall();
            }
            Fault::Heal => {
                self.part = None;
                self.stall();
            }
            Fault::Crash(at) => self.switch_off(at),
            Fault::Leave(at) => self.leave(at),
            Fault::Return(at) => self.come(at),
            Fault::Cut(at) => {
                for conn in 0..self.conns.len() {
                    if self.conns[conn].ends.contains(&at) && !self.conns[conn].dead {
                        self.snap(conn);
                    }
                }
            }
            Fault::DiskFull(at) => self.nodes[at].disk.full = true,
            Fault::DiskFreed(at) => {
                self.nodes[at].disk.full = false;
                self.hear(at, Input::Wish(Wish::Resume));
            }
            Fault::PieceLost(at) => {
                let held: Vec<_> = self.nodes[at].ledger.have().iter().collect();
                if let Some(i) = self.rng.index(held.len()) {
                    self.hear(at, Input::Lost { piece: held[i] });
                }
            }
            Fault::TrackerDies(at) => self.trackers[at].dead = true,
            Fault::TrackerReturns(at) => self.trackers[at].dead = false,
            Fault::Pause(at) => self.hear(at, Input::Wish(Wish::Pause)),
            Fault::Resume(at) => self.hear(at, Input::Wish(Wish::Resume)),
            Fault::Skip(at, percent) => {
                let all = self.geometry.pieces();
                let skip = |_| if self.rng.below(100) < percent { Priority::Skip } else { Priority::Normal };
                let priorities = all.map(skip).collect();
                self.hear(at, Input::Wish(Wish::Priorities(priorities)));
            }
            Fault::Unskip(at) => {
                let priorities = self.nodes[at].priorities.clone();
                self.hear(at, Input::Wish(Wish::Priorities(priorities)));
            }
            Fault::UploadLimit(at, limit) => self.hear(at, Input::Wish(Wish::UploadLimit(limit))),
            Fault::Breaks(often) => self.breaks = often,
        }
    }
}
