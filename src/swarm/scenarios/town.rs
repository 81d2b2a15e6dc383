//! A small swarm of real torrents with latency and narrow uplinks.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::invariants;
use super::stage::{HASH, addr, modern};
use crate::base::{Bitfield, Block, Geometry, Moment, PeerId, Piece, Rng, Sha1Digest, Span};
use crate::proto::message::Message;
use crate::swarm::event::{Departure, DialFailure, Hello, Input, Note, Output, PeerKey, Source};
use crate::swarm::{Config, ContentSetup, Torrent};

const LATENCY: Duration = Duration::from_millis(30);

enum Event {
    Give(Input),
    /// The uplink is free again.
    Uplink,
    /// A block arrives from a peer.
    Block(PeerKey, Span, Sha1Digest),
}

struct Node {
    torrent: Torrent,
    /// Bytes per second up.
    rate: u64,
    /// The far end of each connection.
    links: BTreeMap<PeerKey, (usize, PeerKey)>,
    owed: BTreeSet<(PeerKey, Block)>,
    unchoked: BTreeSet<PeerKey>,
    line: VecDeque<(PeerKey, Span)>,
    busy: bool,
    pieces: BTreeMap<Piece, BTreeMap<u32, Sha1Digest>>,
    lies: bool,
    finished: Option<Moment>,
    banned: Vec<SocketAddr>,
}

struct Town {
    geometry: Arc<Geometry>,
    nodes: Vec<Node>,
    heap: BTreeMap<(Moment, u64), (usize, Event)>,
    now: Moment,
    count: u64,
    trace: Vec<(Moment, usize)>,
}

fn truth(block: Block) -> Sha1Digest {
    let mut digest = [1; 20];
    digest[..4].copy_from_slice(&block.piece().index().to_be_bytes());
    digest[4..8].copy_from_slice(&block.index().to_be_bytes());
    digest
}

impl Town {
    /// `rates[i]` is the uplink of node `i`; the first `seeds` have everything, the last `liars` lie.
    fn new(pieces: u32, rates: &[u64], seeds: usize, liars: usize, seed: u64) -> Self {
        let geometry = Arc::new(Geometry::single(131_072, 131_072 * u64::from(pieces) - 5000).unwrap());
        let now = Moment::START + Duration::from_secs(1);
        let mut town = Self {
            geometry: geometry.clone(),
            nodes: vec![],
            heap: BTreeMap::new(),
            now,
            count: 0,
            trace: vec![],
        };
        let addrs: Vec<_> = (0..rates.len()).map(|i| addr(i as u8)).collect();
        for (i, &rate) in rates.iter().enumerate() {
            let lies = i + liars >= rates.len();
            let full = i < seeds || lies;
            let have = if full { Bitfield::all(pieces) } else { Bitfield::none(pieces) };
            let config = Config { ours: vec![addrs[i]], ..Config::new(HASH, PeerId([i as u8 + 1; 20])) };
            let setup = ContentSetup::new(geometry.clone(), have);
            let torrent = Torrent::with_content(now, config, setup, seed + i as u64);
            town.nodes.push(Node {
                torrent,
                rate,
                links: BTreeMap::new(),
                owed: BTreeSet::new(),
                unchoked: BTreeSet::new(),
                line: VecDeque::new(),
                busy: false,
                pieces: BTreeMap::new(),
                lies,
                finished: full.then_some(now),
                banned: vec![],
            });
            town.push(now, i, Event::Give(Input::Budget { bytes: 1 << 20 }));
            town.push(now, i, Event::Give(Input::Found { source: Source::Tracker, addrs: addrs.clone() }));
        }
        town
    }

    fn push(&mut self, at: Moment, node: usize, event: Event) {
        self.count += 1;
        self.heap.insert((at, self.count), (node, event));
    }

    fn give(&mut self, node: usize, input: Input) {
        let mut out = Vec::new();
        let torrent = &mut self.nodes[node].torrent;
        let before = torrent.held();
        torrent.handle(self.now, input, &mut out);
        // Looking at everything each time would take most of the time.
        if self.count.is_multiple_of(16) {
            invariants::check(torrent, self.now, before);
        }
        self.trace.push((self.now, out.len()));
        for order in out {
            self.obey(node, order);
        }
    }

    fn obey(&mut self, at: usize, order: Output) {
        let (now, far) = (self.now, self.now + LATENCY);
        match order {
            Output::Dial { addr: to } => {
                let Some(other) = (0..self.nodes.len()).find(|&i| addr(i as u8) == to) else {
                    let why = DialFailure::TimedOut;
                    return self.push(
                        now + LATENCY * 9,
                        at,
                        Event::Give(Input::DialFailed { addr: to, why }),
                    );
                };
                let (mine, theirs) = (PeerKey(self.count * 2), PeerKey(self.count * 2 + 1));
                let hello = |i: usize| Hello { id: PeerId([i as u8 + 1; 20]), reserved: modern() };
                self.nodes[at].links.insert(mine, (other, theirs));
                self.nodes[other].links.insert(theirs, (at, mine));
                let from = SocketAddr::new(addr(at as u8).ip(), 40_000 + self.count as u16);
                let called = Input::Connected { peer: theirs, addr: from, incoming: true, hello: hello(at) };
                self.push(far, other, Event::Give(called));
                let calling = Input::Connected { peer: mine, addr: to, incoming: false, hello: hello(other) };
                self.push(far, at, Event::Give(calling));
            }
            Output::Say { peer, message } => {
                match message {
                    Message::Unchoke => drop(self.nodes[at].unchoked.insert(peer)),
                    Message::Choke => drop(self.nodes[at].unchoked.remove(&peer)),
                    _ => {}
                }
                self.tell(at, peer, message);
            }
            Output::Ask { peer, blocks } => {
                for block in blocks {
                    let node = &mut self.nodes[at];
                    assert!(!node.torrent.have().has(block.piece()), "asked for what it has");
                    assert!(node.owed.insert((peer, block)), "asked twice of one peer");
                    self.tell(at, peer, Message::Request(block.span().into()));
                }
            }
            Output::Cancel { peer, blocks } => {
                for block in blocks {
                    assert!(self.nodes[at].owed.remove(&(peer, block)), "took back what is not owed");
                    self.tell(at, peer, Message::Cancel(block.span().into()));
                }
            }
            Output::Serve { peer, spans } => {
                let node = &mut self.nodes[at];
                for span in spans {
                    assert!(node.torrent.have().has(span.piece()));
                    node.line.push_back((peer, span));
                }
                self.uplink(at);
            }
            Output::Unserve { peer, spans } => {
                let line = &mut self.nodes[at].line;
                line.retain(|(to, span)| *to != peer || !(spans.is_empty() || spans.contains(span)));
            }
            Output::Close { peer, .. } => {
                self.nodes[at].line.retain(|(to, _)| *to != peer);
                self.nodes[at].owed.retain(|(to, _)| *to != peer);
                if let Some((other, theirs)) = self.nodes[at].links.remove(&peer) {
                    let left = Input::Left { peer: theirs, why: Departure::Closed };
                    self.push(far, other, Event::Give(left));
                }
            }
            Output::Verify { piece, .. } => {
                let blocks: Vec<Block> = self.geometry.blocks(piece).collect();
                let held = self.nodes[at].pieces.remove(&piece).unwrap();
                let digests: Vec<_> = blocks.iter().map(|b| held[&b.index()]).collect();
                let right = blocks.iter().zip(&digests).all(|(&block, digest)| truth(block) == *digest);
                let fact = if right {
                    Input::Verified { piece, digests }
                } else {
                    Input::HashFailed { piece, digests }
                };
                self.push(now + Duration::from_millis(5), at, Event::Give(fact));
            }
            Output::Open { piece, .. } => drop(self.nodes[at].pieces.insert(piece, BTreeMap::new())),
            Output::Discard { piece } => drop(self.nodes[at].pieces.remove(&piece)),
            Output::Note(Note::Finished) => self.nodes[at].finished = Some(now),
            Output::Note(Note::Banned(addr)) => self.nodes[at].banned.push(addr),
            Output::Accept { .. }
            | Output::Announce { .. }
            | Output::Scrape { .. }
            | Output::Lookup { .. }
            | Output::Node { .. }
            | Output::Metadata(_)
            | Output::Note(_) => {}
        }
    }

    fn tell(&mut self, at: usize, peer: PeerKey, message: Message) {
        if let Some(&(other, theirs)) = self.nodes[at].links.get(&peer) {
            let heard = Input::Heard { peer: theirs, message };
            self.push(self.now + LATENCY, other, Event::Give(heard));
        }
    }

    fn uplink(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        if let (false, Some((_, span))) = (node.busy, node.line.front()) {
            node.busy = true;
            let nanos = u64::from(span.len()) * 1_000_000_000 / node.rate;
            self.push(self.now + Duration::from_nanos(nanos), at, Event::Uplink);
        }
    }

    fn step(&mut self, at: usize, event: Event) {
        match event {
            Event::Give(Input::Left { peer, why }) => {
                let node = &mut self.nodes[at];
                node.links.remove(&peer);
                node.owed.retain(|(of, _)| *of != peer);
                node.line.retain(|(to, _)| *to != peer);
                self.give(at, Input::Left { peer, why });
            }
            Event::Give(Input::Heard { peer, message }) => {
                if let Message::Reject(wanted) = message {
                    let block = self.geometry.block_at(wanted.piece, wanted.begin, wanted.len).unwrap();
                    self.nodes[at].owed.remove(&(peer, block));
                }
                self.give(at, Input::Heard { peer, message });
            }
            Event::Give(input) => self.give(at, input),
            Event::Uplink => {
                let node = &mut self.nodes[at];
                node.busy = false;
                if let Some((peer, span)) = node.line.pop_front() {
                    let block =
                        self.geometry.block_at(span.piece().index(), span.begin(), span.len()).unwrap();
                    let digest = if node.lies && block.index() == 3 { [0xee; 20] } else { truth(block) };
                    if let Some(&(other, theirs)) = node.links.get(&peer) {
                        self.push(self.now + LATENCY, other, Event::Block(theirs, span, digest));
                        self.give(at, Input::Sent { peer, spans: vec![span] });
                    }
                }
                self.uplink(at);
            }
            Event::Block(peer, span, digest) => {
                let block = self.geometry.block_at(span.piece().index(), span.begin(), span.len()).unwrap();
                let node = &mut self.nodes[at];
                if node.owed.remove(&(peer, block)) {
                    node.pieces.entry(block.piece()).or_default().entry(block.index()).or_insert(digest);
                    self.give(at, Input::Landed { peer, blocks: vec![block] });
                } else {
                    self.give(at, Input::Wasted { peer, bytes: u64::from(span.len()) });
                }
            }
        }
    }

    /// Runs until everyone has finished; panics after this many seconds.
    fn run(&mut self, limit: u64) {
        let start = self.now;
        while !self.is_done() {
            assert!(
                self.now.since(start).as_secs() < limit,
                "not everyone has finished: {:?}",
                self.shares()
            );
            self.go_on();
        }
    }

    fn is_done(&self) -> bool {
        self.nodes.iter().all(|node| node.finished.is_some())
    }

    /// Lets the next thing happen.
    fn go_on(&mut self) {
        let event = self.heap.keys().next().map(|&(at, _)| at);
        let ticks = self.nodes.iter().enumerate().filter_map(|(i, n)| Some((n.torrent.deadline()?, i)));
        match (event, ticks.min()) {
            (Some(at), tick) if tick.is_none_or(|(t, _)| at <= t) => {
                let ((at, _), (node, event)) = self.heap.pop_first().unwrap();
                self.now = self.now.max(at);
                self.step(node, event);
            }
            (_, Some((at, node))) => {
                self.now = self.now.max(at);
                self.give(node, Input::Tick);
            }
            _ => panic!("nothing is going to happen"),
        }
    }

    fn shares(&self) -> Vec<u32> {
        self.nodes.iter().map(|node| node.torrent.have().count()).collect()
    }

    fn seconds(&self) -> f64 {
        self.now.since(Moment::START).as_secs_f64() - 1.0
    }
}

#[test]
fn one_gets_everything_from_one() {
    let mut town = Town::new(40, &[1_000_000, 1_000_000], 1, 0, 1);
    town.run(60);
    // 5.2 MB at 1 MB/s take 5.2 s; the rest is meeting, and the slow start.
    assert!(town.seconds() < 7.5, "{}", town.seconds());
    let summary = town.nodes[1].torrent.summary(town.now);
    assert_eq!(summary.wasted, 0);
}

#[test]
fn a_crowd_shares_what_one_has() {
    let mut town = Town::new(40, &[1_000_000; 9], 1, 0, 1);
    town.run(120);
    // The one alone would need 42 s for all; what they give one another makes it a few times faster.
    assert!(town.seconds() < 16.0, "{}", town.seconds());
    let wasted: u64 = town.nodes.iter().map(|n| n.torrent.summary(town.now).wasted).sum();
    assert!(wasted < town.geometry.total() / 2, "{wasted}");
}

#[test]
fn a_slow_peer_does_not_hold_up_the_end() {
    let mut town = Town::new(40, &[2_000_000, 4_000, 1_000_000], 2, 0, 3);
    town.run(60);
    assert!(town.seconds() < 12.0, "{}", town.seconds());
}

#[test]
fn liars_are_banned_and_the_others_are_not() {
    for seed in 0..6 {
        let mut rates = vec![500_000; 9];
        rates[7] = 900_000;
        let mut town = Town::new(24, &rates, 3, 2, seed);
        town.run(300);
        for node in &town.nodes[3..7] {
            for banned in &node.banned {
                assert!([addr(7).ip(), addr(8).ip()].contains(&banned.ip()), "{banned} is innocent");
            }
        }
        assert!(town.nodes[3..7].iter().any(|node| !node.banned.is_empty()));
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed| {
        let mut town = Town::new(20, &[600_000; 6], 1, 0, seed);
        town.run(120);
        town.trace
    };
    assert!(history(5) == history(5));
    assert!(history(5) != history(6));
}

#[test]
fn whoever_comes_and_goes_everyone_finishes() {
    for seed in 0..4 {
        let mut town = Town::new(30, &[400_000; 8], 2, 0, seed);
        let mut rng = Rng::new(seed);
        for _ in 0..40 {
            let at = town.now + Duration::from_millis(500 + rng.below(500));
            while !town.is_done() && town.now < at {
                town.go_on();
            }
            // A connection breaks, or a piece goes bad on a disk.
            let node = rng.below(8) as usize;
            let links: Vec<_> = town.nodes[node].links.keys().copied().collect();
            if let Some(i) = rng.index(links.len()) {
                let (other, theirs) = town.nodes[node].links[&links[i]];
                let why = Departure::Closed;
                town.step(node, Event::Give(Input::Left { peer: links[i], why }));
                town.push(town.now, other, Event::Give(Input::Left { peer: theirs, why }));
            }
            let have: Vec<_> = town.nodes[node].torrent.have().iter().collect();
            if node >= 2
                && town.nodes[node].finished.is_none()
                && rng.one_in(3)
                && let Some(i) = rng.index(have.len())
            {
                town.give(node, Input::Lost { piece: have[i] });
            }
        }
        town.run(400);
    }
}
