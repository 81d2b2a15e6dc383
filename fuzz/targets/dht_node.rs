//! A node of the DHT, among others that do and say anything at any time.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use torr::base::{Moment, NodeId};
use torr::dht::{Announce, Config, Dht, Family, Goal, Input, Origin, Outcome, Output, TaskKey, node_id};
use torr::proto::bencode::string;
use torr::proto::krpc::{
    self, Body, ErrorCode, Item, ItemValues, Packet, Query, Reply, Samples, Transaction, Want,
};

use super::draws::Draws;

/// A task ends at the latest after this time, if nobody says anything any more.
const END: Duration = Duration::from_secs(300);
/// The longest packet.
const MAX_SENT: usize = 1280;

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    let flags = draws.byte();
    let families = match flags & 3 {
        0 => vec![Family::V4],
        1 => vec![Family::V6],
        _ => Family::ALL.to_vec(),
    };
    let config = Config {
        families: families.clone(),
        ids: Vec::new(),
        read_only: flags & 0x0c == 0x0c,
        answer_rate: (flags & 0x10 != 0).then_some(8000),
        packet_rate: (flags & 0x20 != 0).then_some(20),
    };
    let now = Moment::START + Duration::from_secs(1);
    let dht = Dht::new(now, &config, [flags; 32]);
    let mut world = World {
        dht,
        families,
        read_only: config.read_only,
        now,
        asked: Vec::new(),
        tokens: BTreeMap::new(),
        tasks: BTreeMap::new(),
        next: 0,
    };
    for _ in 0..400 {
        if draws.is_empty() {
            break;
        }
        world.step(&mut draws);
    }
    let end = world.now + END;
    let mut ticks = 0;
    while let Some(at) = world.dht.deadline().filter(|&at| at <= end) {
        world.now = world.now.max(at);
        world.give(Input::Tick);
        ticks += 1;
        assert!(ticks < 20_000, "the node ticks without rest");
    }
    assert!(world.tasks.is_empty(), "every task ends");
    assert!(world.dht.saved(5).nodes.len() <= 10);
}

struct World {
    dht: Dht,
    families: Vec<Family>,
    read_only: bool,
    now: Moment,
    /// Questions of the node: where they went, and what they are.
    asked: Vec<(SocketAddr, Transaction, Query)>,
    /// The last token for each address.
    tokens: BTreeMap<IpAddr, Vec<u8>>,
    /// Tasks under way, with what was found so far.
    tasks: BTreeMap<TaskKey, (Goal, BTreeSet<SocketAddr>)>,
    next: u64,
}

impl World {
    /// Gives a fact; says how many bytes were sent where.
    fn give(&mut self, input: Input<'_>) -> BTreeMap<SocketAddr, usize> {
        let mut out = Vec::new();
        let mut sent: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        self.dht.handle(self.now, input, &mut out);
        for output in out {
            match output {
                Output::Send { to, bytes } => {
                    *sent.entry(to).or_default() += bytes.len();
                    self.sent(to, &bytes);
                }
                Output::Peers(key, peers) => {
                    let (goal, known) = self.tasks.get_mut(&key).expect("a task that is under way");
                    assert!(matches!(goal, Goal::Peers { .. }) && !peers.is_empty());
                    for peer in peers {
                        assert!(peer.port() != 0 && known.insert(peer), "{peer} is told twice");
                    }
                }
                Output::Samples(key, hashes) => {
                    let (goal, _) = self.tasks.get(&key).expect("a task that is under way");
                    assert!(matches!(goal, Goal::Sample(_)) && !hashes.is_empty());
                }
                Output::Item(key, item) => {
                    let (goal, _) = self.tasks.get(&key).expect("a task that is under way");
                    let Goal::Get { target, .. } = goal else { panic!("an item nobody wants") };
                    assert_eq!((item.check(), item.target()), (Ok(()), *target), "an item is proven");
                }
                Output::Ended(key, outcome) => {
                    let (_, known) = self.tasks.remove(&key).expect("a task ends once");
                    ended(&outcome, known.len());
                }
                Output::Seen(family, ip) => {
                    assert!(self.families.contains(&family) && ip.is_ipv4() == (family == Family::V4));
                }
            }
        }
        assert!(self.dht.deadline().is_none_or(|at| at > self.now), "no deadline lies behind");
        assert!(self.dht.under_way() <= 2000);
        let begun: Vec<TaskKey> = self.tasks.keys().copied().collect();
        assert!(begun.iter().all(|&key| self.dht.is_busy(key) && self.dht.so_far(key).is_some()));
        sent
    }

    fn sent(&mut self, to: SocketAddr, bytes: &[u8]) {
        assert!(bytes.len() <= MAX_SENT, "{} bytes are sent", bytes.len());
        assert_ne!(to.port(), 0, "nobody is there");
        assert!(self.families.contains(&Family::of(&to)), "{to} cannot be reached");
        let packet = krpc::read(bytes).expect("what is sent can be read");
        match packet.body {
            Body::Query(_, query) => {
                assert_eq!(packet.read_only, self.read_only);
                self.asked.push((to, packet.transaction, query));
                let old = self.asked.len().saturating_sub(64);
                self.asked.drain(..old);
            }
            Body::Reply(reply) => {
                assert!(!self.read_only, "who only asks answers nothing");
                assert!(packet.seen_as.is_none_or(|addr| addr == to));
                if let Some(token) = reply.token {
                    self.tokens.insert(to.ip(), token);
                }
            }
            Body::Error(..) => assert!(!self.read_only, "who only asks answers nothing"),
        }
    }

    /// A packet comes. Nobody who asks has more sent to an address than three times as much as it sent.
    fn hear(&mut self, from: SocketAddr, bytes: &[u8]) {
        self.give(Input::Tick);
        let answers = matches!(krpc::read(bytes), Ok(Packet { body: Body::Reply(_) | Body::Error(..), .. }));
        let sent = self.give(Input::Received { from, bytes });
        let all: usize = sent.values().sum();
        assert!(answers || all <= 3 * bytes.len(), "{all} bytes for {}", bytes.len());
    }

    fn step(&mut self, draws: &mut Draws<'_>) {
        match draws.below(16) {
            0 => {
                let from = address(draws);
                let bytes = draws.string();
                self.hear(from, bytes);
            }
            1..8 => self.answer(draws),
            8..11 => {
                let from = address(draws);
                let query = self.query(draws, from);
                let version = draws.one_in(2).then_some(*b"XX\0\x01");
                let read_only = draws.one_in(8);
                let body = Body::Query(id(draws, from.ip()), query);
                let packet = Packet { version, read_only, ..Packet::new(Transaction::from(7), body) };
                self.hear(from, &packet.encode());
            }
            11 => {
                let unit = [1, 50, 1000, 60_000][draws.below(4)];
                self.now += Duration::from_millis(unit * u64::from(draws.byte()));
                self.give(Input::Tick);
            }
            12 => {
                let origin = [Origin::Bootstrap, Origin::Kept, Origin::Told][draws.below(3)];
                let addrs: Vec<SocketAddr> = (0..draws.below(10)).map(|_| address(draws)).collect();
                self.give(Input::Nodes(origin, &addrs));
            }
            13 => {
                let to = self.asked.last().map_or_else(|| address(draws), |(to, ..)| *to);
                self.give(Input::Unsent(to));
            }
            14 => {
                self.next += 1;
                let (key, goal) = (TaskKey(self.next), goal(draws));
                self.tasks.insert(key, (goal.clone(), BTreeSet::new()));
                // A task may end at once: it is taken out where that is told.
                self.begin(key, goal);
            }
            _ => {
                let keys: Vec<TaskKey> = self.tasks.keys().copied().collect();
                if let Some(&key) = keys.get(draws.below(keys.len())) {
                    self.tasks.remove(&key);
                    self.give(Input::Drop(key));
                    assert!(!self.dht.is_busy(key));
                }
            }
        }
    }

    fn begin(&mut self, key: TaskKey, goal: Goal) {
        self.give(Input::Begin(key, goal));
    }

    /// Answers a question of the node, in the right form.
    fn answer(&mut self, draws: &mut Draws<'_>) {
        if self.asked.is_empty() {
            return;
        }
        let at = self.asked.len() - 1 - draws.below(self.asked.len());
        let (to, transaction, query) = self.asked[at].clone();
        let flags = draws.byte();
        // Most answers come from where the question went.
        let from = if flags == 255 { address(draws) } else { to };
        if flags > 240 {
            let error = Body::Error(ErrorCode(203), "x".into());
            return self.hear(from, &Packet::new(transaction, error).encode());
        }
        if flags & 1 == 0 {
            self.asked.remove(at);
        }
        let mut reply = Reply::new(id(draws, to.ip()));
        for _ in 0..draws.below(9) {
            let addr = address(draws);
            match addr {
                SocketAddr::V4(v4) => reply.nodes.push((id(draws, addr.ip()), v4)),
                SocketAddr::V6(v6) => reply.nodes6.push((id(draws, addr.ip()), v6)),
            }
        }
        if flags & 2 != 0 {
            reply.token = Some(draws.bytes(8).to_vec());
        }
        if flags & 4 != 0 {
            reply.peers = (0..draws.below(6)).map(|_| address(draws)).collect();
        }
        if flags & 8 != 0 {
            reply.samples = Some(Samples { hashes: vec![target(draws)], known: 3, interval: 60 });
        }
        if flags & 16 != 0 {
            reply.seeds = Some(Box::new([draws.byte(); 256]));
            reply.leechers = Some(Box::new([draws.byte(); 256]));
        }
        if matches!(query, Query::Get { .. }) && flags & 32 != 0 {
            reply.item = Some(match item(draws) {
                Item::Immutable(value) => ItemValues { value: Some(value), ..ItemValues::default() },
                Item::Mutable { key, seq, signature, value, .. } => ItemValues {
                    value: Some(value),
                    key: Some(key),
                    signature: Some(signature),
                    seq: Some(seq),
                },
            });
        }
        let seen_as = draws.one_in(2).then(|| address(draws));
        let packet = Packet { seen_as, ..Packet::new(transaction, Body::Reply(Box::new(reply))) };
        self.hear(from, &packet.encode());
    }

    fn query(&self, draws: &mut Draws<'_>, from: SocketAddr) -> Query {
        let want = [None, Some(Want::BOTH), Some(Want { v4: true, v6: false })][draws.below(3)];
        let token = self.tokens.get(&from.ip()).cloned().unwrap_or_else(|| vec![1; 8]);
        let target = target(draws);
        match draws.below(9) {
            0 => Query::Ping,
            1 => Query::FindNode { target, want },
            2 | 3 => Query::GetPeers {
                info_hash: target,
                want,
                no_seeds: draws.one_in(2),
                scrape: draws.one_in(2),
            },
            4 | 5 => {
                let port = draws.one_in(2).then_some(6881);
                Query::AnnouncePeer { info_hash: target, port, token, seed: draws.one_in(2) }
            }
            6 => Query::Get { target: item(draws).target(), newer_than: None, want },
            7 => Query::Put { token, item: item(draws), instead_of: draws.one_in(4).then_some(1) },
            _ => Query::Sample { target, want },
        }
    }
}

fn ended(outcome: &Outcome, told: usize) {
    assert!(outcome.answered <= outcome.asked, "{outcome:?}");
    assert!(outcome.nearest.len() <= 16, "{} nodes are nearest", outcome.nearest.len());
    assert!(told <= outcome.peers as usize, "who is told is counted");
}

/// An address among few: of the Internet in both families, of this machine and network, and some that cannot be.
fn address(draws: &mut Draws<'_>) -> SocketAddr {
    let byte = draws.byte();
    let n = byte & 31;
    match byte >> 5 {
        0..4 => ([8, 0, n, 1], 6881).into(),
        4 | 5 => ([0x2a00, u16::from(n), 0, 0, 0, 0, 0, 1], 6881).into(),
        6 => ([10, 0, 0, n], 6881).into(),
        _ => match n & 3 {
            0 => ([127, 0, 0, 1], 6881).into(),
            1 => ([8, 0, n, 1], 0).into(),
            2 => ([0, 0, 0, 0, 0, 0xffff, 0x0800, 0x0101], 6881).into(),
            _ => ([239, 0, 0, n], 6881).into(),
        },
    }
}

/// An id that fits the address, or any.
fn id(draws: &mut Draws<'_>, ip: IpAddr) -> NodeId {
    let byte = draws.byte();
    if byte < 192 { node_id(ip, [byte % 4; 20]) } else { NodeId([byte; 20]) }
}

fn target(draws: &mut Draws<'_>) -> NodeId {
    NodeId([draws.byte() % 8; 20])
}

fn goal(draws: &mut Draws<'_>) -> Goal {
    let target = target(draws);
    match draws.below(8) {
        0 => Goal::Nodes(target),
        1 | 2 => {
            let announce = draws.one_in(2).then_some(Announce { port: Some(6881), seed: false });
            Goal::Peers { info_hash: target, no_seeds: draws.one_in(2), announce }
        }
        3 => Goal::Scrape(target),
        4 => Goal::Get { target: item(draws).target(), salt: Vec::new() },
        5 => Goal::Put { item: item(draws), instead_of: None },
        6 => Goal::Sample(target),
        _ => Goal::Ping(SocketAddr::new(address(draws).ip(), 6881)),
    }
}

/// An item: most are as they must be, and one is not signed by its owner.
fn item(draws: &mut Draws<'_>) -> Item {
    let byte = draws.byte();
    let value = string([byte & 3; 3]);
    match byte >> 6 {
        0 | 1 => Item::Immutable(value),
        2 => Item::Mutable { key: [1; 32], salt: Vec::new(), seq: 1, signature: [0; 64], value },
        _ => Item::signed(&[byte & 1; 32], b"", i64::from(byte & 7), value),
    }
}
