//! What a node hears and what it orders.

use std::net::{IpAddr, SocketAddr};

use crate::base::NodeId;
use crate::proto::krpc::{ErrorCode, Item};

use super::bloom::Bloom;
use super::starts::Origin;

/// One task that was given to the node. Never used again after it has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TaskKey(pub u64);

/// A family of addresses: a network of its own.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// The family an address belongs to.
    pub const fn of(addr: &SocketAddr) -> Self {
        if addr.is_ipv4() { Self::V4 } else { Self::V6 }
    }
}

/// What a task is to find or do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Goal {
    /// The nodes that are nearest to this place.
    Nodes(NodeId),
    /// The peers of a torrent.
    Peers {
        /// The torrent.
        info_hash: NodeId,
        /// Seeds are of no use (BEP 33).
        no_seeds: bool,
        /// Say that we have it, too.
        announce: Option<Announce>,
    },
    /// How many peers a torrent has (BEP 33).
    Scrape(NodeId),
    /// An item (BEP 44) by its target; a mutable one with its salt.
    Get {
        /// The target.
        target: NodeId,
        /// The salt of a mutable item.
        salt: Vec<u8>,
    },
    /// Have an item kept (BEP 44).
    Put {
        /// The item.
        item: Item,
        /// Only over an item of this number.
        instead_of: Option<i64>,
    },
    /// Info-hashes that nodes near this place know (BEP 51).
    Sample(NodeId),
    /// Whether somebody answers at this address.
    Ping(SocketAddr),
}

/// What we say when we announce a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announce {
    /// The port peers reach us at; nothing for the one the node's packets come from.
    pub port: Option<u16>,
    /// We have all of it (BEP 33).
    pub seed: bool,
}

/// A fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input<'a> {
    /// Time has passed.
    Tick,
    /// A packet came.
    Heard {
        /// Its sender, as the network says.
        from: SocketAddr,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// What was to be sent there cannot be: there is no way to that address.
    Unsent(SocketAddr),
    /// Here may be nodes, as somebody says.
    Nodes(Origin, &'a [SocketAddr]),
    /// A task is given.
    Begin(TaskKey, Goal),
    /// A task is of no interest any more. Nothing is told of it from now on.
    Drop(TaskKey),
}

/// An order, or what is known now.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Send this packet.
    Send {
        /// Where to.
        to: SocketAddr,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// A task has found peers that it had not found before.
    Peers(TaskKey, Vec<SocketAddr>),
    /// A task has found info-hashes (BEP 51); some may come more than once.
    Samples(TaskKey, Vec<NodeId>),
    /// A task has found an item, proven and newer than any it found before.
    Item(TaskKey, Item),
    /// A task has ended.
    Ended(TaskKey, Outcome),
    /// Others see us at this address now, and the node has an id that fits it (BEP 42).
    Seen(Family, IpAddr),
}

/// How a task ended.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Outcome {
    /// How many nodes were asked.
    pub asked: u32,
    /// How many of them answered.
    pub answered: u32,
    /// How many have taken what was announced or put, as far as was waited for.
    pub stored: u32,
    /// Why one that refused to take it did so.
    pub refused: Option<ErrorCode>,
    /// What the last node that answered runs: two letters and two bytes, where it says so (BEP 5).
    pub version: Option<[u8; 4]>,
    /// How many peers were found.
    pub peers: u32,
    /// The nodes nearest to the target that answered, nearest first: those whose id fits their address (BEP 42), and
    /// others that are nearer.
    pub nearest: Vec<(NodeId, SocketAddr)>,
    /// What a scrape found: seeds and others, estimated.
    pub scrape: Option<(Bloom, Bloom)>,
    /// How many steps away the last node that mattered was: 1 for one we knew, 2 for one it told us of.
    pub depth: u32,
}
