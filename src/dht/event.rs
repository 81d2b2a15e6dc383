//! Inputs and outputs of a DHT node.

use std::net::{IpAddr, SocketAddr};

use crate::base::NodeId;
use crate::proto::krpc::{ErrorCode, Item};

use super::bloom::Bloom;
use super::starts::Origin;

/// The key of a task, chosen by the caller and never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskKey(pub u64);

/// An address family. Each is a DHT network of its own (BEP 32).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// The IPv4 network.
    V4,
    /// The IPv6 network.
    V6,
}

impl Family {
    /// Both address families.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Returns the family of an address.
    pub const fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// The goal of a task.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// Find the nodes nearest to an id.
    Nodes(NodeId),
    /// Find the peers of a torrent.
    Peers {
        /// The info-hash.
        info_hash: NodeId,
        /// Leave out seeds (BEP 33).
        no_seeds: bool,
        /// Announce us as a peer to the nearest nodes, too.
        announce: Option<Announce>,
    },
    /// Estimate the number of peers of a torrent (BEP 33).
    Scrape(NodeId),
    /// Get an item (BEP 44).
    Get {
        /// The item's target.
        target: NodeId,
        /// The salt, if the item is mutable; otherwise empty.
        salt: Vec<u8>,
    },
    /// Store an item (BEP 44).
    Put {
        /// The item to store.
        item: Item,
        /// Store the item only if it replaces the one with this sequence number (`cas`).
        instead_of: Option<i64>,
    },
    /// Sample the info-hashes of the nodes near an id (BEP 51).
    Sample(NodeId),
    /// Ping the node at an address.
    Ping(SocketAddr),
}

/// The content of an announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announce {
    /// The port on which we accept peers; `None` for the port that the node's packets come from.
    pub port: Option<u16>,
    /// Whether we are a seed (BEP 33).
    pub seed: bool,
}

/// An input to the node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<'a> {
    /// The deadline was reached.
    Tick,
    /// A packet was received.
    Received {
        /// The sender's address.
        from: SocketAddr,
        /// The content of the packet.
        bytes: &'a [u8],
    },
    /// A packet could not be sent, since there is no route to its address.
    Unsent(SocketAddr),
    /// Nodes may be at these addresses.
    Nodes(Origin, &'a [SocketAddr]),
    /// Begin a task.
    Begin(TaskKey, Goal),
    /// Drop a task; it has no further outputs.
    Drop(TaskKey),
}

/// An output of the node: something to send, or a result.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send a packet.
    Send {
        /// The receiver's address.
        to: SocketAddr,
        /// The content of the packet.
        bytes: Vec<u8>,
    },
    /// A task has found peers, each reported once.
    Peers(TaskKey, Vec<SocketAddr>),
    /// A task has found info-hashes (BEP 51), of which some may be repeated.
    Samples(TaskKey, Vec<NodeId>),
    /// A task has found an item that is valid and newer than any it found before.
    Item(TaskKey, Item),
    /// A task has ended.
    Ended(TaskKey, Outcome),
    /// Our external address is known or has changed, and the node has a new id that matches it (BEP 42).
    Seen(Family, IpAddr),
}

/// The outcome of a task.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// The number of nodes queried.
    pub asked: u32,
    /// The number of nodes that replied.
    pub answered: u32,
    /// The number of nodes that confirmed the announce or put, without those that were not waited for.
    pub stored: u32,
    /// The error of a node that refused the announce or put, if one did.
    pub refused: Option<ErrorCode>,
    /// The client of the last node that replied, two letters and two bytes of version (BEP 5, `v`).
    pub version: Option<[u8; 4]>,
    /// The number of peers found.
    pub peers: u32,
    /// The nodes nearest to the target that replied, nearest first: those whose id matches their address (BEP
    /// 42), and any others that are nearer.
    pub nearest: Vec<(NodeId, SocketAddr)>,
    /// The estimated seeds and leechers, if the task was a scrape.
    pub scrape: Option<(Bloom, Bloom)>,
    /// The greatest number of steps to one of the nearest nodes: 1 for a node that we knew, 2 for one that it
    /// named.
    pub depth: u32,
}
