//! The plan of a world, as data: the torrent, the nodes, the trackers, and what goes wrong when.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::time::Duration;

use torr::swarm::event::Priority;

use super::disk::DiskPlan;
use super::liar::Manner;
use super::script::Script;
use super::tracker::TrackerPlan;

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;

/// The plan of a world. The same plan gives the same history for ever.
#[derive(Clone, Debug)]
pub struct Plan {
    pub seed: u64,
    pub piece_len: u64,
    pub total: u64,
    pub nodes: Vec<NodePlan>,
    pub trackers: Vec<TrackerPlan>,
    pub faults: Vec<(Duration, Fault)>,
    /// One block in so many is the last of its connection; 0 for none.
    pub breaks: u64,
    /// Part of a link's latency by which single deliveries vary, in percent.
    pub jitter: u64,
    /// One packet in so many is lost; 0 for none. A datagram is gone; what a connection carries comes later.
    pub loss: u64,
    /// Nodes without a torrent from which others learn of the DHT; without any, there is no DHT.
    pub routers: usize,
}

/// Something that changes in the world.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nodes of this range reach only one another, and so do all others.
    Part(Range<usize>),
    /// Everyone reaches everyone again.
    Heal,
    /// A node is switched off without a word.
    Crash(usize),
    /// A node says goodbye and goes.
    Leave(usize),
    /// A node that went away comes back with the pieces it has.
    Return(usize),
    /// Every connection of a node breaks.
    Cut(usize),
    /// The disk of a node takes nothing more.
    DiskFull(usize),
    /// There is room again.
    DiskFreed(usize),
    /// A node finds one of its pieces broken; which one, is chance.
    PieceLost(usize),
    /// A tracker answers nobody.
    TrackerDies(usize),
    /// The tracker answers again.
    TrackerReturns(usize),
    /// The user of a node pauses it.
    Pause(usize),
    /// And lets it go on.
    Resume(usize),
    /// The user skips each piece with this chance, in percent.
    Skip(usize, u64),
    /// The user wants what was wanted at first.
    Unskip(usize),
    /// The user changes the upload limit.
    UploadLimit(usize, Option<u64>),
    /// From now on one block in so many breaks its connection; 0 for none.
    Breaks(u64),
}

/// The content of a node when it comes for the first time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    Nothing,
    Everything,
    /// Each piece with this chance, in percent.
    Part(u64),
}

/// One node.
#[allow(clippy::struct_excessive_bools, reason = "knobs that have nothing to do with one another")]
#[derive(Clone, Debug)]
pub struct NodePlan {
    pub start: Start,
    /// Bytes per second it can send.
    pub up: u64,
    /// Bytes per second it can receive.
    pub down: u64,
    /// From it to the middle of the network.
    pub latency: Duration,
    /// When it comes.
    pub arrives: Duration,
    /// Whether it leaves this long after it is complete.
    pub stays: Option<Duration>,
    /// Whether it speaks the fast extension (BEP 6).
    pub fast: bool,
    /// Whether it can be called.
    pub reachable: bool,
    /// Whether it tells the torrent its upload rate.
    pub says_limit: bool,
    pub manner: Manner,
    pub disk: DiskPlan,
    /// Bytes of unfinished pieces in memory.
    pub budget: u64,
    pub max_peers: usize,
    /// The chance of a piece to be unwanted, in percent.
    pub skips: u64,
    /// The priority of what is wanted.
    pub priority: Priority,
    pub in_order: bool,
    /// Whether it exchanges addresses with its peers (BEP 11).
    pub pex: bool,
    /// Whether it takes part in the DHT (BEP 5), where there is one.
    pub dht: bool,
    /// The local network in which it speaks and listens (BEP 14), if any.
    pub lan: Option<u8>,
    /// Whether it begins with the info-hash alone, and fetches the info dictionary from peers (BEP 9).
    pub link: bool,
    /// Follows a script instead of running a client.
    pub script: Option<Script>,
}

impl NodePlan {
    /// A node that has nothing: 1 MiB/s both ways, 10 ms from the middle.
    pub fn leech() -> Self {
        Self {
            start: Start::Nothing,
            up: MIB,
            down: 4 * MIB,
            latency: Duration::from_millis(10),
            arrives: Duration::ZERO,
            stays: None,
            fast: true,
            reachable: true,
            says_limit: true,
            manner: Manner::Honest,
            disk: DiskPlan::default(),
            budget: 32 * MIB,
            max_peers: 80,
            skips: 0,
            priority: Priority::Normal,
            in_order: false,
            pex: true,
            dht: true,
            lan: None,
            link: false,
            script: None,
        }
    }

    /// A node that has everything.
    pub fn seed() -> Self {
        Self { start: Start::Everything, ..Self::leech() }
    }

    /// A node without a torrent, in the middle of the network.
    pub fn router() -> Self {
        Self { latency: Duration::ZERO, ..Self::leech() }
    }

    /// A leech that begins with the info-hash alone.
    pub fn link() -> Self {
        Self { link: true, ..Self::leech() }
    }

    /// A scripted peer that claims to have the info dictionary.
    pub fn script(script: Script) -> Self {
        Self { script: Some(script), dht: false, ..Self::leech() }
    }

    pub fn up(self, up: u64) -> Self {
        Self { up, ..self }
    }

    pub fn down(self, down: u64) -> Self {
        Self { down, ..self }
    }

    pub fn latency(self, ms: u64) -> Self {
        Self { latency: Duration::from_millis(ms), ..self }
    }

    pub fn arrives(self, seconds: u64) -> Self {
        Self { arrives: Duration::from_secs(seconds), ..self }
    }

    pub fn manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }
}

impl Plan {
    /// A world with one tracker, a DHT of four nodes, and nobody in it.
    pub fn new(seed: u64, piece_len: u64, total: u64) -> Self {
        Self {
            seed,
            piece_len,
            total,
            nodes: Vec::new(),
            trackers: vec![TrackerPlan::default()],
            faults: Vec::new(),
            breaks: 0,
            jitter: 0,
            loss: 0,
            routers: 4,
        }
    }

    pub fn node(mut self, node: NodePlan) -> Self {
        self.nodes.push(node);
        self
    }

    pub fn nodes(mut self, count: usize, node: &NodePlan) -> Self {
        self.nodes.extend(std::iter::repeat_with(|| node.clone()).take(count));
        self
    }

    /// A world in which nobody hears of anybody but through tests.
    pub fn silent(self) -> Self {
        Self { trackers: Vec::new(), routers: 0, ..self }
    }

    pub fn at(mut self, seconds: u64, fault: Fault) -> Self {
        self.faults.push((Duration::from_secs(seconds), fault));
        self
    }

    /// No swarm of this plan can spread the whole torrent from its seeds to its leeches faster than
    /// this, even if bytes were a fluid: the seeds must send it once, the slowest must receive it, and
    /// all together must send what all together receive.
    pub fn fluid_bound(&self) -> Duration {
        let bytes = self.total as f64;
        let honest = || self.nodes.iter().filter(|n| n.manner == Manner::Honest && n.script.is_none());
        let seeds = honest().filter(|n| n.start == Start::Everything).map(|n| n.up as f64).sum::<f64>();
        let leeches: Vec<_> = honest().filter(|n| n.start != Start::Everything).collect();
        let slowest = leeches.iter().map(|n| n.down).min().unwrap_or(u64::MAX) as f64;
        let all = seeds + leeches.iter().map(|n| n.up as f64).sum::<f64>();
        let bound = (bytes / seeds).max(bytes / slowest).max(leeches.len() as f64 * bytes / all);
        Duration::from_secs_f64(bound)
    }
}

/// The address of a node; every node has its own.
pub fn address_of(node: usize) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(81, 7 + (node / 200) as u8, (node % 200) as u8, 9)), 6881)
}

/// The address of the n-th node without a torrent, each in a network of its own.
pub fn router_address(n: u32) -> SocketAddr {
    SocketAddr::new(Ipv4Addr::from(0x0800_0000 + (n << 8) + 1).into(), 6881)
}

/// The address of somebody who does not exist.
pub fn fake_address(number: u64) -> SocketAddr {
    let ip = Ipv4Addr::new(91, (number >> 16) as u8, (number >> 8) as u8, number as u8);
    SocketAddr::new(IpAddr::V4(ip), 6881)
}
