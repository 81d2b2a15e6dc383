//! The nodes we know (BEP 5, "Routing Table"): many that are near, few that are far away.
//!
//! Buckets by how many leading bits a node's id has in common with ours. Only nodes that have answered us
//! are in them, so nobody is told of a node that may not exist. A node that is there and answers is not
//! pushed out by a newer one; whoever comes to a full bucket waits as a spare. On the Internet an owner
//! can have one place in the table per address, and one in a bucket per network, however many nodes it
//! runs; on the local network, where addresses cost nothing, there is no such rule.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Moment, NodeId, Rng, is_near, network, who};

use super::identity::fits;

/// Nodes in a bucket (BEP 5), and in an answer.
pub(super) const K: usize = 8;
/// A bucket of far nodes holds as many times [`K`], for it stands for more of them: searches begin there.
const WIDER: [usize; 4] = [16, 8, 4, 2];
/// Spares of a bucket.
const SPARES: usize = 8;
/// A node that has not been heard of for so long may be gone (BEP 5).
const QUIET: Duration = Duration::from_secs(15 * 60);
/// Questions in a row that a node may leave unanswered.
const PATIENCE: u8 = 2;

#[derive(Clone, Debug)]
pub(super) struct Table {
    own: NodeId,
    buckets: Vec<Bucket>,
    /// Who is where: one node per address on the Internet.
    places: BTreeMap<SocketAddr, NodeId>,
}

#[derive(Clone, Debug, Default)]
struct Bucket {
    nodes: Vec<Node>,
    spares: Vec<Node>,
    /// When something near was last searched for, if it ever was.
    searched: Option<Moment>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    id: NodeId,
    addr: SocketAddr,
    heard: Moment,
    failures: u8,
    /// Its id fits its address (BEP 42).
    fits: bool,
}

impl Table {
    pub(super) fn new(own: NodeId) -> Self {
        Self { own, buckets: Vec::new(), places: BTreeMap::new() }
    }

    pub(super) const fn own(&self) -> NodeId {
        self.own
    }

    /// How many nodes are known to be there.
    pub(super) fn len(&self) -> usize {
        self.buckets.iter().map(|bucket| bucket.nodes.len()).sum()
    }

    /// A node has answered us.
    pub(super) fn answered(&mut self, now: Moment, id: NodeId, addr: SocketAddr) {
        if id == self.own {
            return;
        }
        let place = who(addr);
        if let Some(&other) = self.places.get(&place).filter(|&&other| other != id) {
            let Some(known) = self.find(&other) else { return };
            // Another port of an address that has its node; the same port means the node has a new id.
            if known.addr != addr && known.failures == 0 {
                return;
            }
            self.remove(&other);
        }
        let node = Node { id, addr, heard: now, failures: 0, fits: fits(&id, addr.ip()) };
        let at = self.own.common_bits(&id) as usize;
        if let Some(known) = self.find_mut(&id) {
            // The id of a node that is there, at another address, is a lie of one of the two.
            if known.addr == addr {
                (known.heard, known.failures) = (now, 0);
                return;
            }
            if known.failures == 0 {
                return;
            }
            self.remove(&id);
        }
        if self.buckets.len() <= at {
            self.buckets.resize_with(at + 1, Bucket::default);
        }
        let bucket = &mut self.buckets[at];
        bucket.spares.retain(|spare| spare.id != id && spare.addr != addr);
        if bucket.crowded_by(&node) {
            return;
        }
        if bucket.nodes.len() < room(at) {
            bucket.nodes.push(node);
            self.places.insert(place, id);
            return;
        }
        // One that has left questions unanswered goes, or one whose id is not its own for one whose is.
        let worst = bucket.nodes.iter().enumerate().max_by_key(|(_, known)| (known.failures, !known.fits));
        match worst.map(|(at, known)| (at, *known)) {
            Some((at, known)) if known.failures > 0 || (node.fits && !known.fits) => {
                bucket.nodes[at] = node;
                self.places.remove(&who(known.addr));
                self.places.insert(place, id);
            }
            _ => {
                if bucket.spares.len() >= SPARES {
                    bucket.spares.remove(0);
                }
                bucket.spares.push(node);
            }
        }
    }

    /// A node has left a question unanswered.
    pub(super) fn failed(&mut self, id: &NodeId, addr: SocketAddr) {
        let Some(node) = self.find_mut(id).filter(|node| node.addr == addr) else { return };
        node.failures = node.failures.saturating_add(1);
        let gone = node.failures > PATIENCE;
        let at = self.own.common_bits(id) as usize;
        let bucket = &mut self.buckets[at];
        if gone || !bucket.spares.is_empty() {
            self.remove(id);
            let bucket = &mut self.buckets[at];
            // The spare that was heard of last.
            if let Some(spare) = bucket.spares.pop()
                && !bucket.crowded_by(&spare)
                && !self.places.contains_key(&who(spare.addr))
            {
                bucket.nodes.push(spare);
                self.places.insert(who(spare.addr), spare.id);
            }
        }
    }

    /// Whether this node is known and has answered from this address.
    #[cfg(test)]
    pub(super) fn knows(&self, id: &NodeId, addr: SocketAddr) -> bool {
        self.find(id).is_some_and(|node| node.addr == addr)
    }

    /// Whether a node of this id would find a place.
    pub(super) fn has_room(&self, id: &NodeId, addr: SocketAddr) -> bool {
        let at = self.own.common_bits(id) as usize;
        *id != self.own
            && !self.places.contains_key(&who(addr))
            && self.buckets.get(at).is_none_or(|bucket| bucket.nodes.len() < room(at))
    }

    /// The `most` nodes nearest to a place, nearest first, without those that seem to be gone.
    pub(super) fn nearest(&self, target: &NodeId, most: usize) -> Vec<(NodeId, SocketAddr)> {
        let split = self.own.common_bits(target) as usize;
        let mut found: Vec<(NodeId, SocketAddr)> = Vec::with_capacity(most);
        // Nodes of the bucket of the target are nearer to it than those that are nearer to us, and these
        // are nearer than all that have less in common with us than the target has.
        let own = self.buckets.get(split..split + 1).unwrap_or_default();
        let nearer = self.buckets.get(split + 1..).unwrap_or_default();
        let farther = &self.buckets[..split.min(self.buckets.len())];
        let groups = [own, nearer].into_iter().chain(farther.chunks(1).rev());
        for group in groups {
            if found.len() >= most {
                break;
            }
            let alive = group.iter().flat_map(|bucket| &bucket.nodes).filter(|node| node.failures == 0);
            let mut alive: Vec<_> = alive.map(|node| (target.distance(&node.id), node)).collect();
            alive.sort_unstable_by_key(|(distance, _)| *distance);
            found.extend(alive.into_iter().take(most - found.len()).map(|(_, node)| (node.id, node.addr)));
        }
        found
    }

    /// The node that has been silent longest, if it is time to ask whether it is still there.
    pub(super) fn quietest(&self, now: Moment) -> Option<(NodeId, SocketAddr)> {
        let nodes = self.buckets.iter().flat_map(|bucket| &bucket.nodes);
        let quietest = nodes.min_by_key(|node| node.heard)?;
        (now.since(quietest.heard) >= QUIET).then_some((quietest.id, quietest.addr))
    }

    /// A node is being asked: not to be asked again at once.
    pub(super) fn asked(&mut self, now: Moment, id: &NodeId) {
        if let Some(node) = self.find_mut(id) {
            node.heard = now;
        }
    }

    /// A place in the bucket in which nothing was searched for longest, if it is time to search there: at
    /// once where nothing ever was.
    pub(super) fn refresh(&mut self, now: Moment, rng: &mut Rng) -> Option<NodeId> {
        let (at, bucket) = self.buckets.iter_mut().enumerate().min_by_key(|(_, bucket)| bucket.searched)?;
        if bucket.searched.is_some_and(|searched| now.since(searched) < QUIET) {
            return None;
        }
        bucket.searched = Some(now);
        Some(within(&self.own, at as u32, rng))
    }

    /// Something near this place is being searched for.
    pub(super) fn searched(&mut self, now: Moment, target: &NodeId) {
        let at = self.own.common_bits(target) as usize;
        if let Some(bucket) = self.buckets.get_mut(at) {
            bucket.searched = Some(now);
        }
    }

    /// All nodes, those heard of last first.
    pub(super) fn all(&self) -> Vec<(NodeId, SocketAddr)> {
        let mut nodes: Vec<&Node> = self.buckets.iter().flat_map(|bucket| &bucket.nodes).collect();
        nodes.sort_by_key(|node| (node.failures, std::cmp::Reverse(node.heard)));
        nodes.into_iter().map(|node| (node.id, node.addr)).collect()
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
            self.places.remove(&who(node.addr));
        }
    }
}

impl Bucket {
    /// Whether its network has a node here already.
    fn crowded_by(&self, node: &Node) -> bool {
        !is_near(node.addr.ip())
            && self.nodes.iter().any(|known| network(known.addr.ip()) == network(node.addr.ip()))
    }
}

fn room(at: usize) -> usize {
    K * WIDER.get(at).copied().unwrap_or(1)
}

/// A place that has exactly this many leading bits in common with `own`.
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
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn at(secs: u64) -> Moment {
        Moment::START + Duration::from_secs(secs)
    }

    fn id(rng: &mut Rng) -> NodeId {
        NodeId(std::array::from_fn(|_| rng.next_u64() as u8))
    }

    /// An address on the Internet in a network of its own.
    fn away(n: u32) -> SocketAddr {
        (Ipv4Addr::from(0x0800_0000 + (n << 8) + 1), 6881).into()
    }

    fn nearby(n: u16) -> SocketAddr {
        ([127, 0, 0, 1], n).into()
    }

    fn full() -> (Table, Vec<(NodeId, SocketAddr)>) {
        let mut rng = Rng::new(5);
        let mut table = Table::new(id(&mut rng));
        let nodes: Vec<_> = (1..3000_u16).map(|n| (id(&mut rng), nearby(n))).collect();
        for &(id, addr) in &nodes {
            table.answered(at(0), id, addr);
        }
        (table, nodes)
    }

    #[test]
    fn the_nearest_are_the_nearest_of_all_that_are_known() {
        let (table, _) = full();
        let mut rng = Rng::new(9);
        for round in 0..200 {
            let mut target = id(&mut rng);
            if round % 2 == 0 {
                let shared = rng.below(20) as u32;
                target = within(&table.own(), shared, &mut rng);
                assert_eq!(target.common_bits(&table.own()), shared);
            }
            let mut all = table.all();
            all.sort_by_key(|(id, _)| id.distance(&target));
            for most in [1, 8, 20] {
                assert_eq!(table.nearest(&target, most), all[..most]);
            }
        }
        assert_eq!(table.nearest(&NodeId([0; 20]), 10_000).len(), table.len());
    }

    #[test]
    fn buckets_are_wide_where_nodes_are_far() {
        let (table, nodes) = full();
        assert_eq!(table.buckets[0].nodes.len(), 128);
        assert_eq!(table.buckets[4].nodes.len(), K);
        assert!(table.buckets.iter().all(|bucket| bucket.spares.len() <= SPARES));
        // Whoever came first has stayed.
        assert!(table.knows(&nodes[0].0, nodes[0].1));
        assert!(!table.knows(&nodes[0].0, nearby(9)));
    }

    #[test]
    fn the_silent_make_room_for_spares() {
        let (mut table, _) = full();
        let before = table.len();
        let (gone, addr) = table.nearest(&NodeId([0; 20]), 1)[0];
        table.failed(&gone, nearby(9999));
        assert!(table.knows(&gone, addr), "the words of a stranger");
        table.failed(&gone, addr);
        assert!(!table.knows(&gone, addr));
        assert_eq!(table.len(), before);
        // Without spares a node is given more time.
        let mut small = Table::new(NodeId([0; 20]));
        small.answered(at(0), NodeId([9; 20]), nearby(1));
        small.failed(&NodeId([9; 20]), nearby(1));
        assert_eq!((small.len(), small.nearest(&NodeId([9; 20]), 8).len()), (1, 0));
        small.answered(at(1), NodeId([9; 20]), nearby(1));
        assert_eq!(small.nearest(&NodeId([9; 20]), 8).len(), 1);
        (0..3).for_each(|_| small.failed(&NodeId([9; 20]), nearby(1)));
        assert_eq!(small.len(), 0);
    }

    #[test]
    fn an_owner_on_the_internet_has_one_place() {
        let mut rng = Rng::new(1);
        let mut table = Table::new(id(&mut rng));
        let one = |port| SocketAddr::from(([8, 8, 8, 8], port));
        table.answered(at(0), id(&mut rng), one(1));
        table.answered(at(0), id(&mut rng), one(2));
        assert_eq!(table.len(), 1);
        // The same socket under a new name: it was started again.
        let renamed = id(&mut rng);
        table.answered(at(0), renamed, one(1));
        assert!(table.len() == 1 && table.knows(&renamed, one(1)));
        // A network gets one node into a bucket.
        for n in 0..250 {
            table.answered(at(0), id(&mut rng), SocketAddr::from(([9, 9, 9, n], 1)));
        }
        assert!(table.len() < 12, "{}", table.len());
        // Somebody else's name, while that one is there.
        table.answered(at(0), renamed, away(77));
        assert!(table.knows(&renamed, one(1)));
        table.answered(at(0), table.own(), away(78));
        assert!(!table.knows(&table.own(), away(78)));
    }

    #[test]
    fn an_id_that_fits_is_preferred() {
        let mut rng = Rng::new(2);
        let mut table = Table::new(NodeId([0xff; 20]));
        for n in 0..128 {
            let mut id = id(&mut rng);
            id.0[0] &= 0x7f;
            table.answered(at(0), id, away(n));
        }
        assert_eq!(table.len(), 128);
        let addr = (1000..5000)
            .map(away)
            .find(|addr| super::super::node_id(addr.ip(), [1; 20]).0[0] < 0x80)
            .unwrap();
        let honest = super::super::node_id(addr.ip(), [1; 20]);
        table.answered(at(0), honest, addr);
        assert!(table.knows(&honest, addr) && table.len() == 128);
    }

    #[test]
    fn what_is_quiet_is_asked_and_what_is_stale_is_searched() {
        let mut rng = Rng::new(3);
        let mut table = Table::new(NodeId([0; 20]));
        table.answered(at(0), NodeId([0x80; 20]), nearby(1));
        table.answered(at(60), NodeId([0x40; 20]), nearby(2));
        assert_eq!(table.quietest(at(899)), None);
        assert_eq!(table.quietest(at(900)), Some((NodeId([0x80; 20]), nearby(1))));
        table.asked(at(900), &NodeId([0x80; 20]));
        assert_eq!(table.quietest(at(901)), None);
        let mut refresh = |table: &mut Table, secs| {
            table.refresh(at(secs), &mut rng).map(|target| target.common_bits(&NodeId([0; 20])))
        };
        // What was never searched at once, then nothing for a while.
        assert_eq!(
            [refresh(&mut table, 1), refresh(&mut table, 2), refresh(&mut table, 3)],
            [Some(0), Some(1), None]
        );
        assert_eq!(refresh(&mut table, 900), None);
        assert_eq!(refresh(&mut table, 901), Some(0));
        table.searched(at(901), &NodeId([0x40; 20]));
        assert_eq!(refresh(&mut table, 1000), None);
    }
}
