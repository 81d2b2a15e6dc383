//! The length of replies.
//!
//! A reply is at most three times as long as its query, so that the node cannot be used to flood a third
//! party with queries in its name. This also holds for nodes in our table: anyone can find out which nodes
//! those are, and forge their address.

use std::net::SocketAddr;

use crate::base::NodeId;
use crate::proto::krpc::{Body, ItemValues, Packet, Reply, Transaction, Want};

use super::node::VERSION;
use super::table::K;

/// The most bytes sent because of a query, per byte of the query.
pub(super) const MAX_AMPLIFICATION: usize = 3;
/// The longest reply without an item (BEP 32), in bytes.
const MAX_BYTES: usize = 1024;
/// The longest reply with an item, in bytes; it fits into one packet on any path. Items cannot be split.
const MAX_WITH_ITEM: usize = 1280;
/// The length in bytes of the ping that checks whether the querying node is there.
pub(super) const PING: usize = 67;
/// The length in bytes of a node entry for IPv4 and for IPv6.
const NODE: [usize; 2] = [26, 38];
/// The length in bytes of a peer entry for IPv4 and for IPv6, with its length prefix.
const PEER: [usize; 2] = [8, 21];
/// The bytes that the list of peers adds besides its entries.
/// The bytes by which the length prefix of a list can grow.
const PEERS_FRAME: usize = 10;
const LENGTH: usize = 2;
/// The length in bytes of both Bloom filters of BEP 33, with keys and length prefixes.
const FILTERS: usize = 2 * (256 + 10);
/// The length in bytes of an info-hash.
const HASH: usize = 20;

/// A reply that is being put together, and its length limit.
#[derive(Debug)]
pub(super) struct ReplyBuilder {
    pub(super) reply: Reply,
    transaction: Transaction,
    to: SocketAddr,
    /// Whether the reply contains the querying node's address (BEP 42).
    has_address: bool,
    most: usize,
    /// The bytes reserved for a ping to the same node.
    reserved: usize,
}

/// The nodes nearest to a target, nearest first.
pub(super) type Nearest = Vec<(NodeId, SocketAddr)>;

impl ReplyBuilder {
    /// Begins a reply to a query of `len` bytes, with `reserved` bytes reserved.
    pub(super) fn new(
        transaction: &Transaction,
        to: SocketAddr,
        own: NodeId,
        len: usize,
        reserved: usize,
    ) -> Self {
        let transaction = transaction.clone();
        Self {
            reply: Reply::new(own),
            transaction,
            to,
            has_address: true,
            most: len * MAX_AMPLIFICATION,
            reserved,
        }
    }

    /// Returns the packet, which is too long if even the shortest reply is.
    pub(super) fn packet(self) -> Packet {
        let seen_as = self.has_address.then_some(self.to);
        Packet { seen_as, ..Packet::new(self.transaction, Body::Reply(Box::new(self.reply))) }
    }

    fn len(&self) -> usize {
        let mut packet = Packet::new(self.transaction.clone(), Body::Reply(Box::new(self.reply.clone())));
        packet.seen_as = self.has_address.then_some(self.to);
        packet.version = Some(VERSION);
        packet.encode().len()
    }

    /// The number of bytes that are left for lists.
    fn room(&self) -> usize {
        self.most.saturating_sub(self.reserved).min(MAX_BYTES).saturating_sub(self.len())
    }

    /// Adds an item, and leaves out other values if the reply is too long. If it is still too long, only the
    /// sequence number stays, and the node has to send a longer query.
    pub(super) fn add_item(&mut self, found: ItemValues) {
        let most = self.most.min(MAX_WITH_ITEM);
        let seq = found.seq;
        self.reply.item = Some(found);
        let lists = self.reply.none_in;
        for (lists, has_address) in [(lists, true), (Want::default(), true), (Want::default(), false)] {
            (self.reply.none_in, self.has_address) = (lists, has_address);
            if self.len() <= most {
                return;
            }
        }
        (self.reply.none_in, self.has_address) = (lists, true);
        self.reply.item = seq.map(|seq| ItemValues { seq: Some(seq), ..ItemValues::default() });
    }

    /// Adds at most `most` info-hashes, which `some` returns. They get half of the bytes that are left, nodes
    /// the other half.
    pub(super) fn add_samples(&mut self, most: usize, some: impl FnOnce(usize) -> Vec<NodeId>) {
        let room = self.room().saturating_sub(LENGTH) / 2;
        if let Some(samples) = &mut self.reply.samples {
            samples.hashes = some(most.min(room / HASH));
        }
    }

    /// Adds the Bloom filters of BEP 33, if they fit.
    pub(super) fn add_filters(&mut self, filters: impl FnOnce() -> Option<[Box<[u8; 256]>; 2]>) {
        if self.room() >= FILTERS
            && let Some([seeds, others]) = filters()
        {
            (self.reply.seeds, self.reply.leechers) = (Some(seeds), Some(others));
        }
    }

    /// Adds peers, which `some` returns, and nodes. Peers are what was asked for, but nodes lead to more of
    /// them: each gets half of the bytes that are left, and what the other does not need.
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

    /// Adds nodes. Each address family gets half of the bytes that are left, and what the other does not
    /// need.
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

#[cfg(test)]
mod tests {
    use crate::proto::krpc::Query;

    use super::*;

    fn nearest(v6: bool, count: u8) -> Nearest {
        let ip = |n| if v6 { [0x2001, 0xdb8, n, 0, 0, 0, 0, 1].into() } else { [8, 8, n as u8, 1].into() };
        (0..count).map(|n| (NodeId([n; 20]), SocketAddr::new(ip(n.into()), 6881))).collect()
    }

    fn builder(len: usize, want: Want, reserved: usize) -> ReplyBuilder {
        let to = SocketAddr::from(([10, 0, 0, 1], 7));
        let mut builder = ReplyBuilder::new(&Transaction::from(7), to, NodeId([9; 20]), len, reserved);
        builder.reply.none_in = want;
        builder.reply.token = Some(vec![1; 8]);
        builder
    }

    fn reply(packet: &Packet) -> (usize, &Reply) {
        let Body::Reply(reply) = &packet.body else { panic!() };
        (Packet { version: Some(VERSION), ..packet.clone() }.encode().len(), reply)
    }

    #[test]
    fn the_question_back_is_as_long_as_is_reckoned_with() {
        let mut ping = Packet::new(Transaction::from(7), Body::Query(NodeId([9; 20]), Query::Ping));
        ping.version = Some(VERSION);
        assert_eq!(ping.encode().len(), PING);
    }

    #[test]
    fn lists_fill_the_room_and_no_more() {
        for len in 80..500 {
            for (counts, peers) in [([8, 8], 0), ([8, 0], 30), ([0, 8], 200), ([3, 8], 1), ([1, 1], 200)] {
                let mut builder = builder(len, Want::BOTH, PING);
                builder.add_peers([nearest(false, counts[0]), nearest(true, counts[1])], |most| {
                    vec!["8.8.8.8:1".parse().unwrap(); most.min(peers)]
                });
                let packet = builder.packet();
                let (bytes, reply) = reply(&packet);
                let most = (len * MAX_AMPLIFICATION - PING).min(MAX_BYTES);
                assert!(bytes <= most, "{bytes} of {most}");
                let all = reply.nodes.len() == usize::from(counts[0])
                    && reply.nodes6.len() == usize::from(counts[1])
                    && reply.peers.len() == peers;
                assert!(all || bytes + NODE[1] + PEERS_FRAME + 2 * LENGTH > most, "{bytes} of {most}");
            }
        }
    }

    #[test]
    fn what_one_family_does_not_need_the_other_gets() {
        let told = |counts: [u8; 2]| {
            let mut builder = builder(160, Want::BOTH, 0);
            builder.add_nodes([nearest(false, counts[0]), nearest(true, counts[1])]);
            (builder.reply.nodes.len(), builder.reply.nodes6.len())
        };
        assert_eq!((told([8, 0]), told([0, 8])), ((8, 0), (0, 8)));
        let (v4, v6) = told([8, 8]);
        assert!(v4 >= 5 && v6 >= 4, "{v4} and {v6}");
    }
}
