//! The routing table (BEP 5, "Routing Table"): many nodes near our own id, few far from it.
//!
//! A bucket holds the nodes whose id shares a certain number of leading bits with ours. Only nodes that have
//! replied to us are in it, so we never pass on a node that may not exist. A new node does not push out one
//! that still replies; it waits as a spare of the full bucket. On the Internet an owner gets one place in the
//! table per address and one in a bucket per network, however many nodes it runs; on the local network, where
//! addresses cost nothing, there is no such rule.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, NodeId, Rng, is_near, network, owner_of};

use super::identity::fits;

/// The number of nodes in a bucket (BEP 5), and in a reply.
pub(super) const K: usize = 8;
/// The sizes of the buckets for the farthest nodes, in multiples of [`K`]. Each covers a large part of the id
/// space, and searches begin there.
const WIDTHS: [usize; 4] = [16, 8, 4, 2];
/// The most spares of a bucket.
const MAX_SPARES: usize = 8;
/// The time without a reply after which a node is questionable (BEP 5).
const QUESTIONABLE_AFTER: Duration = Duration::from_secs(15 * 60);
/// The most consecutive queries that a node may leave unanswered.
const MAX_UNANSWERED: u8 = 2;

#[derive(Clone, Debug)]
pub(super) struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
    /// The node at each address; on the Internet an address has one node.
    places: BTreeMap<SocketAddr, NodeId>,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    nodes: Vec<Node>,
    spares: Vec<Node>,
    /// The time of the last search for an id in this bucket, if any.
    searched: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    id: NodeId,
    addr: SocketAddr,
    heard: Moment,
    failures: u8,
    /// Whether the id matches the address (BEP 42).
    fits: bool,
}

impl Table {
    pub(super) fn new(own: NodeId) -> Self {
        Self { own, buckets: Vec::new(), places: BTreeMap::new() }
    }

    pub(super) const fn own(&self) -> NodeId {
        self.own
    }

    /// The number of good nodes: those that have answered our last query.
    pub(super) fn count(&self) -> usize {
        self.nodes().filter(|node| node.is_there()).count()
    }

    /// Whether the table has no nodes, good or questionable.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes().next().is_none()
    }

    /// Records a reply, and adds the node if there is a place for it.
    pub(super) fn answered(&mut self, now: Moment, id: NodeId, addr: SocketAddr) {
        if id == self.own {
            return;
        }
        if let Some(&other) = self.places.get(&owner_of(addr)).filter(|&&other| other != id) {
            let Some(known) = self.find(&other) else { return };
            // Another port of an address that already has a node; from the same port, the node has a new id.
            if known.addr != addr && known.failures == 0 {
                return;
            }
            self.remove(&other);
        }
        if let Some(known) = self.find_mut(&id) {
            // Two addresses claim the same id; the node that is known and replies keeps it.
            if known.addr == addr {
                (known.heard, known.failures) = (now, 0);
                return;
            }
            if known.failures == 0 {
                return;
            }
            self.remove(&id);
        }
        self.place(Node { id, addr, heard: now, failures: 0, fits: fits(&id, addr.ip()) });
    }

    /// Adds a new node to its bucket or to the spares, or drops it.
    fn place(&mut self, node: Node) {
        let at = self.own.common_bits(&node.id) as usize;
        if self.buckets.len() <= at {
            self.buckets.resize_with(at + 1, Bucket::default);
        }
        let bucket = &mut self.buckets[at];
        bucket.spares.retain(|spare| spare.id != node.id && spare.addr != node.addr);
        if bucket.crowded_by(&node) {
            return;
        }
        if bucket.nodes.len() < room(at) {
            bucket.nodes.push(node);
            self.places.insert(owner_of(node.addr), node.id);
            return;
        }
        // A node with unanswered queries gives way, or a mismatched one to one whose id matches its address.
        let worst = bucket.nodes.iter().enumerate().max_by_key(|(_, known)| (known.failures, !known.fits));
        match worst.map(|(at, known)| (at, *known)) {
            Some((at, known)) if known.failures > 0 || (node.fits && !known.fits) => {
                bucket.nodes[at] = node;
                self.places.remove(&owner_of(known.addr));
                self.places.insert(owner_of(node.addr), node.id);
            }
            _ => {
                if bucket.spares.len() >= MAX_SPARES {
                    bucket.spares.remove(0);
                }
                bucket.spares.push(node);
            }
        }
    }

    /// Records an unanswered query. If no other node replies either, our own network may be down: the node
    /// becomes questionable and stays.
    pub(super) fn failed(&mut self, id: &NodeId, addr: SocketAddr, others_answer: bool) {
        let Some(node) = self.find_mut(id).filter(|node| node.addr == addr) else { return };
        node.failures = if others_answer { node.failures.saturating_add(1) } else { node.failures.max(1) };
        let gone = node.failures > MAX_UNANSWERED;
        let at = self.own.common_bits(id) as usize;
        if others_answer && (gone || !self.buckets[at].spares.is_empty()) {
            self.replace(id);
        }
    }

    /// Removes a node after another id has replied from its address.
    pub(super) fn refuted(&mut self, id: &NodeId, addr: SocketAddr) {
        if self.find(id).is_some_and(|node| node.addr == addr) {
            self.replace(id);
        }
    }

    /// Removes a node, and puts the most recent spare in its place.
    fn replace(&mut self, id: &NodeId) {
        self.remove(id);
        let at = self.own.common_bits(id) as usize;
        let Some(bucket) = self.buckets.get_mut(at) else { return };
        if let Some(spare) = bucket.spares.pop()
            && !bucket.crowded_by(&spare)
            && !self.places.contains_key(&owner_of(spare.addr))
        {
            bucket.nodes.push(spare);
            self.places.insert(owner_of(spare.addr), spare.id);
        }
    }

    /// Changes our own id, and sorts all nodes into their new buckets, the best first.
    pub(super) fn rename(&mut self, own: NodeId) {
        let mut known = Vec::new();
        for bucket in std::mem::take(&mut self.buckets) {
            known.extend(bucket.nodes);
            known.extend(bucket.spares);
        }
        known.sort_by_key(|node| (node.failures, Reverse(node.heard)));
        *self = Self::new(own);
        for node in known {
            if node.id != own && !self.places.contains_key(&owner_of(node.addr)) {
                self.place(node);
            }
        }
    }

    /// Whether the node is in the table with this address.
    #[cfg(test)]
    pub(super) fn knows(&self, id: &NodeId, addr: SocketAddr) -> bool {
        self.find(id).is_some_and(|node| node.addr == addr)
    }

    /// Whether a node with this id and address would get a place.
    pub(super) fn has_room(&self, id: &NodeId, addr: SocketAddr) -> bool {
        let at = self.own.common_bits(id) as usize;
        *id != self.own
            && !self.places.contains_key(&owner_of(addr))
            && self.buckets.get(at).is_none_or(|bucket| bucket.nodes.len() < room(at))
    }

    /// Returns the `most` good nodes nearest to an id, nearest first.
    pub(super) fn nearest(&self, target: &NodeId, most: usize) -> Vec<(NodeId, SocketAddr)> {
        self.nearest_of(target, most, Node::is_there)
    }

    /// Returns the nodes to query in a search for an id: the nearest good ones, or questionable ones if there
    /// are none.
    pub(super) fn to_ask(&self, target: &NodeId, most: usize) -> Vec<(NodeId, SocketAddr)> {
        let there = self.nearest(target, most);
        if there.is_empty() { self.nearest_of(target, most, |_| true) } else { there }
    }

    fn nearest_of(
        &self,
        target: &NodeId,
        most: usize,
        is_wanted: impl Fn(&Node) -> bool,
    ) -> Vec<(NodeId, SocketAddr)> {
        let split = self.own.common_bits(target) as usize;
        let mut found: Vec<(NodeId, SocketAddr)> = Vec::with_capacity(most);
        // Nodes in the target's bucket are nearest to it, then those that are nearer to us; all of these are
        // nearer than the nodes that share fewer bits with us than the target does.
        let own = self.buckets.get(split..split + 1).unwrap_or_default();
        let nearer = self.buckets.get(split + 1..).unwrap_or_default();
        let farther = &self.buckets[..split.min(self.buckets.len())];
        let groups = [own, nearer].into_iter().chain(farther.chunks(1).rev());
        for group in groups {
            if found.len() >= most {
                break;
            }
            let wanted = group.iter().flat_map(|bucket| &bucket.nodes).filter(|node| is_wanted(node));
            let mut wanted: Vec<_> = wanted.map(|node| (target.distance(&node.id), node)).collect();
            wanted.sort_unstable_by_key(|(distance, _)| *distance);
            found.extend(wanted.into_iter().take(most - found.len()).map(|(_, node)| (node.id, node.addr)));
        }
        found
    }

    /// Returns the node that has been silent longest, if it is due for a ping.
    pub(super) fn quietest(&self, now: Moment) -> Option<(NodeId, SocketAddr)> {
        let quietest = self.nodes().min_by_key(|node| node.heard)?;
        (now.since(quietest.heard) >= QUESTIONABLE_AFTER).then_some((quietest.id, quietest.addr))
    }

    /// Returns the questionable nodes, the one pinged longest ago first.
    pub(super) fn in_doubt(&self, most: usize) -> Vec<(NodeId, SocketAddr)> {
        let mut doubtful: Vec<&Node> = self.nodes().filter(|node| !node.is_there()).collect();
        doubtful.sort_by_key(|node| node.heard);
        doubtful.into_iter().take(most).map(|node| (node.id, node.addr)).collect()
    }

    /// Records that a node is being pinged, so that it is not pinged again at once.
    pub(super) fn asked(&mut self, now: Moment, id: &NodeId) {
        if let Some(node) = self.find_mut(id) {
            node.heard = now;
        }
    }

    /// Returns a random id in the bucket that was searched longest ago, if the bucket is due for a refresh;
    /// one that was never searched is due at once.
    pub(super) fn refresh(&mut self, now: Moment, rng: &mut Rng) -> Option<NodeId> {
        let (at, bucket) = self.buckets.iter_mut().enumerate().min_by_key(|(_, bucket)| bucket.searched)?;
        if bucket.searched.is_some_and(|searched| now.since(searched) < QUESTIONABLE_AFTER) {
            return None;
        }
        bucket.searched = Some(now);
        Some(within(&self.own, at as u32, rng))
    }

    /// Records a search for an id.
    pub(super) fn searched(&mut self, now: Moment, target: &NodeId) {
        let at = self.own.common_bits(target) as usize;
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.searched = Some(now);
        }
    }

    /// Returns all nodes, good ones and recent replies first.
    pub(super) fn all(&self) -> Vec<(NodeId, SocketAddr)> {
        let mut nodes: Vec<&Node> = self.nodes().collect();
        nodes.sort_by_key(|node| (node.failures, Reverse(node.heard)));
        nodes.into_iter().map(|node| (node.id, node.addr)).collect()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.buckets.iter().flat_map(|bucket| &bucket.nodes)
    }

    fn find(&self, id: &NodeId) -> Option<&Node> {
        let bucket = self.buckets.get(self.own.common_bits(id) as usize)?;
        bucket.nodes.iter().find(|node| node.id == *id)
    }

    fn find_mut(&mut self, id: &NodeId) -> Option<&mut Node> {
        let bucket = self.buckets.get_mut(self.own.common_bits(id) as usize)?;
        bucket.nodes.iter_mut().find(|node| node.id == *id)
    }

    fn remove(&mut self, id: &NodeId) {
        let Some(bucket) = self.buckets.get_mut(self.own.common_bits(id) as usize) else { return };
        if let Some(at) = bucket.nodes.iter().position(|node| node.id == *id) {
            let node = bucket.nodes.swap_remove(at);
            self.places.remove(&owner_of(node.addr));
        }
    }
}

impl Node {
    const fn is_there(&self) -> bool {
        self.failures == 0
    }
}

impl Bucket {
    /// Whether another node of the same network is in the bucket.
    fn crowded_by(&self, node: &Node) -> bool {
        !is_near(node.addr.ip())
            && self.nodes.iter().any(|known| network(known.addr.ip()) == network(node.addr.ip()))
    }
}

fn room(at: usize) -> usize {
    K * WIDTHS.get(at).copied().unwrap_or(1)
}

/// Returns a random id that shares exactly `bits` leading bits with `own`.
fn within(own: &NodeId, bits: u32, rng: &mut Rng) -> NodeId {
    let mut id = *own;
    for bit in bits..160 {
        let mask = 0x80 >> (bit % 8);
        let byte = &mut id.0[bit as usize / 8];
        if bit == bits || rng.one_in(2) {
            *byte ^= mask;
        }
    }
    id
}

#[cfg(test)]
mod tests;
