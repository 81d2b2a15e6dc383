//! How much goes into an answer.
//!
//! To anybody at most three times as much is sent as came from it, so that nobody can have us flood a third by asking
//! in its name. That we know a node is no proof that it is the one who asks: who is in our table anybody can find out.

use std::net::SocketAddr;

use crate::base::NodeId;
use crate::proto::krpc::{Body, Found, Packet, Reply, Transaction, Want};

use super::node::VERSION;
use super::table::K;

/// How many times longer than a question all that is sent for it may be.
pub(super) const AMPLIFY: usize = 3;
/// The longest packet (BEP 32), in bytes.
const MOST_BYTES: usize = 1024;
/// The longest with an item, which comes in one piece or not at all: it fits into one frame on any path.
const MOST_WITH_ITEM: usize = 1280;
/// The bytes of the question back whether somebody is there.
pub(super) const PING: usize = 67;
/// Bytes of a node of IPv4 and of IPv6.
const NODE: [usize; 2] = [26, 38];
/// Bytes of a peer of IPv4 and of IPv6, with its frame.
const PEER: [usize; 2] = [8, 21];
/// What a list adds beside what is in it: the key of peers, or two more digits of a length.
const PEERS_FRAME: usize = 10;
const LENGTH: usize = 2;
/// Two filters of BEP 33 with their frames.
const FILTERS: usize = 2 * (256 + 10);
/// Bytes of an info-hash.
const HASH: usize = 20;

/// An answer in the making, and how long it may become.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) reply: Reply,
    transaction: Transaction,
    to: SocketAddr,
    /// Whether it tells the asker's address (BEP 42).
    tells: bool,
    most: usize,
    /// What else is to be sent for the same question.
    set_aside: usize,
}

/// The nodes nearest to a target, nearest first.
pub(super) type Nearest = Vec<(NodeId, SocketAddr)>;

impl Draft {
    /// An answer to a question of this length, beside which so many bytes are to be sent.
    pub(super) fn new(
        transaction: &Transaction,
        to: SocketAddr,
        own: NodeId,
        len: usize,
        set_aside: usize,
    ) -> Self {
        let transaction = transaction.clone();
        Self { reply: Reply::new(own), transaction, to, tells: true, most: len * AMPLIFY, set_aside }
    }

    /// The packet. It may be too long where even the shortest answer is.
    pub(super) fn packet(self) -> Packet {
        let seen_as = self.tells.then_some(self.to);
        Packet { seen_as, ..Packet::new(self.transaction, Body::Reply(Box::new(self.reply))) }
    }

    fn len(&self) -> usize {
        let mut packet = Packet::new(self.transaction.clone(), Body::Reply(Box::new(self.reply.clone())));
        packet.seen_as = self.tells.then_some(self.to);
        packet.version = Some(VERSION);
        packet.encode().len()
    }

    /// The bytes that are left for lists.
    fn room(&self) -> usize {
        self.most.saturating_sub(self.set_aside).min(MOST_BYTES).saturating_sub(self.len())
    }

    /// Adds an item. Where it is too long, everything else is left out first; then the value goes with all that proves
    /// it, and who asked has to ask at more length.
    pub(super) fn add_item(&mut self, found: Found) {
        let most = self.most.min(MOST_WITH_ITEM);
        let seq = found.seq;
        self.reply.item = Some(found);
        let lists = self.reply.none_in;
        for (lists, tells) in [(lists, true), (Want::default(), true), (Want::default(), false)] {
            (self.reply.none_in, self.tells) = (lists, tells);
            if self.len() <= most {
                return;
            }
        }
        (self.reply.none_in, self.tells) = (lists, true);
        self.reply.item = seq.map(|seq| Found { seq: Some(seq), ..Found::default() });
    }

    /// Adds info-hashes: `some` gives at most so many. Half of the room is for them, half for nodes.
    pub(super) fn add_samples(&mut self, most: usize, some: impl FnOnce(usize) -> Vec<NodeId>) {
        let room = self.room().saturating_sub(LENGTH) / 2;
        if let Some(samples) = &mut self.reply.samples {
            samples.hashes = some(most.min(room / HASH));
        }
    }

    /// Adds the filters of BEP 33, if there is room.
    pub(super) fn add_filters(&mut self, filters: impl FnOnce() -> Option<[Box<[u8; 256]>; 2]>) {
        if self.room() >= FILTERS
            && let Some([seeds, others]) = filters()
        {
            (self.reply.seeds, self.reply.leechers) = (Some(seeds), Some(others));
        }
    }

    /// Adds peers, of which `some` gives at most so many, and nodes. Peers are what is asked for, nodes lead to more of
    /// them: half of the room for each, and what one does not need for the other.
    pub(super) fn add_peers(&mut self, nearest: [Nearest; 2], some: impl FnOnce(usize) -> Vec<SocketAddr>) {
        let room = self.room();
        let size = |at: usize| nearest[at].len() * NODE[at] + LENGTH;
        let nodes = (size(0) + size(1)).min(room / 2);
        let peer = PEER[usize::from(!self.to.is_ipv4())];
        let most = (room - nodes).saturating_sub(PEERS_FRAME) / peer;
        let peers = if most > 0 { some(most) } else { Vec::new() };
        let taken = if peers.is_empty() { 0 } else { PEERS_FRAME + peers.len() * peer };
        self.reply.peers = peers;
        self.fill(nearest, room - taken);
    }

    /// Adds nodes: half of the room for each family, and what one does not need for the other.
    pub(super) fn add_nodes(&mut self, nearest: [Nearest; 2]) {
        let room = self.room();
        self.fill(nearest, room);
    }

    fn fill(&mut self, [v4, v6]: [Nearest; 2], room: usize) {
        let room = room.saturating_sub(2 * LENGTH);
        let lists = self.reply.none_in;
        let fit = |there: bool, nodes: &Nearest, room: usize, size: usize| {
            if there { nodes.len().min(K).min(room / size) } else { 0 }
        };
        let half6 = fit(lists.v6, &v6, room / 2, NODE[1]);
        let most4 = fit(lists.v4, &v4, room - half6 * NODE[1], NODE[0]);
        let most6 = fit(lists.v6, &v6, room - most4 * NODE[0], NODE[1]);
        self.reply.nodes = v4
            .into_iter()
            .take(most4)
            .filter_map(|(id, addr)| match addr {
                SocketAddr::V4(addr) => Some((id, addr)),
                SocketAddr::V6(_) => None,
            })
            .collect();
        self.reply.nodes6 = v6
            .into_iter()
            .take(most6)
            .filter_map(|(id, addr)| match addr {
                SocketAddr::V6(addr) => Some((id, addr)),
                SocketAddr::V4(_) => None,
            })
            .collect();
    }
}
