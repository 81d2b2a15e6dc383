//! An iterative lookup in one address family (BEP 5): queries to nodes ever nearer to a target.
//!
//! The lookup queries the nearest nodes it knows, a few at a time, and learns of nearer ones from their
//! replies. It ends when the nearest nodes that are alive have all replied. A late node delays neither the
//! other queries nor the end: the next node takes its place until it replies after all.
//!
//! Nodes named in replies may be made up, so none of them pushes another out of the list. Which nodes are the
//! nearest is computed anew each time, among those that are alive. Each network on the Internet has one place
//! there. Nodes whose id matches their address (BEP 42) get theirs whatever other nodes exist. Those that do
//! not match are queried in addition where they are nearer, since many honest nodes choose their own id; but
//! a made-up id costs nothing, so the number of such queries is limited.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use crate::base::{NodeId, is_near, network};

use super::identity::fits;
use super::table::K;

/// The most pending queries, not counting late ones.
const MAX_PENDING: usize = 4;
/// The most pending queries, late ones included, so that a list of dead nodes costs little.
const MAX_PENDING_WITH_LATE: usize = 24;
/// The most queries to mismatched nodes, and the most of those that may stay unanswered.
const MAX_MISMATCHED: (usize, usize) = (4 * K, K);
/// The number of replies from one network after which no other node there is queried: its owner could name
/// ever nearer ones.
const MAX_REPLIES_PER_NETWORK: usize = 3;
/// The most addresses that are remembered.
const MAX_SEEN: usize = 1000;

#[derive(Clone, Debug)]
pub(super) struct Lookup {
    target: NodeId,
    /// The known nodes, nearest first, without those that failed.
    list: Vec<Candidate>,
    /// Addresses at which nodes may be, whose id is unknown.
    strangers: VecDeque<SocketAddr>,
    /// The addresses of all nodes seen, so that none is queried twice.
    seen: BTreeSet<SocketAddr>,
    under_way: usize,
    late: usize,
    /// The number of queries to mismatched nodes, and the number of those that were not answered in time.
    mismatched: (usize, usize),
}

#[derive(Clone, Debug)]
struct Candidate {
    id: NodeId,
    addr: SocketAddr,
    depth: u32,
    /// Whether the node was queried as a mismatched one, in addition to the nearest.
    mismatched: bool,
    /// Whether the id matches the address (BEP 42).
    fits: bool,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Asked,
    /// Queried, and the reply is late.
    Late,
    Answered(Option<Vec<u8>>),
}

/// The nodes that the lookup converges on, as indexes into the list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Chosen {
    /// The nearest nodes that match; if there are too few, others as well.
    nearest: Vec<usize>,
    /// The mismatched nodes that are nearer than the last of these.
    mismatched: Vec<usize>,
}

impl Lookup {
    pub(super) fn new(target: NodeId) -> Self {
        Self {
            target,
            list: Vec::new(),
            strangers: VecDeque::new(),
            seen: BTreeSet::new(),
            under_way: 0,
            late: 0,
            mismatched: (0, 0),
        }
    }

    /// Adds a node that a reply named, `depth` steps away from the nodes we knew.
    pub(super) fn learn(&mut self, id: NodeId, addr: SocketAddr, depth: u32) {
        if self.seen.contains(&addr) {
            // Of two ids for one address the nearer one counts until the node has replied; otherwise a liar
            // could hide a node under a far id.
            let nearer = |known: &Candidate| self.distance(&id) < self.distance(&known.id);
            let named = |known: &Candidate| known.addr == addr && known.state == State::Fresh;
            if let Some(at) = self.list.iter().position(|known| named(known) && nearer(known)) {
                let Candidate { depth, .. } = self.list.remove(at);
                self.insert(id, addr, depth, State::Fresh);
            }
        } else if self.seen.len() < MAX_SEEN {
            self.seen.insert(addr);
            self.insert(id, addr, depth, State::Fresh);
        }
    }

    /// Adds an address at which a node may be.
    pub(super) fn try_stranger(&mut self, addr: SocketAddr) {
        if self.seen.len() < MAX_SEEN && self.seen.insert(addr) {
            self.strangers.push_back(addr);
        }
    }

    /// Adds an address at which a node may be, ahead of the others.
    pub(super) fn try_soon(&mut self, addr: SocketAddr) {
        if self.seen.len() < MAX_SEEN && self.seen.insert(addr) {
            self.strangers.push_front(addr);
        }
    }

    /// Returns the next node to query now, if any: its id where known, address and depth.
    pub(super) fn next(&mut self) -> Option<(Option<NodeId>, SocketAddr, u32)> {
        let waiting = self.under_way - self.late;
        if waiting >= K || self.under_way >= MAX_PENDING_WITH_LATE {
            return None;
        }
        let there = self.choose(Candidate::is_there);
        let fresh = |&&at: &&usize| self.list[at].state == State::Fresh;
        let nearest = there.nearest.iter().find(fresh);
        // Mismatched nodes are queried at the end, all at once.
        let mismatched =
            there.mismatched.iter().find(fresh).filter(|_| nearest.is_none() && self.may_query_mismatched());
        if let Some(&at) = mismatched {
            self.mismatched.0 += 1;
            return Some(self.start_query(at, true));
        }
        if waiting >= MAX_PENDING {
            return None;
        }
        if let Some(&at) = nearest {
            return Some(self.start_query(at, false));
        }
        // Addresses without an id are queried only while too few nodes have replied, as at the very start.
        let short = self.answered_count() < K;
        let addr = self.strangers.pop_front().filter(|_| short)?;
        self.under_way += 1;
        Some((None, addr, 1))
    }

    fn start_query(&mut self, at: usize, mismatched: bool) -> (Option<NodeId>, SocketAddr, u32) {
        self.under_way += 1;
        let known = &mut self.list[at];
        (known.state, known.mismatched) = (State::Asked, mismatched);
        (Some(known.id), known.addr, known.depth)
    }

    /// Whether more mismatched nodes may be queried.
    const fn may_query_mismatched(&self) -> bool {
        self.mismatched.0 < MAX_MISMATCHED.0 && self.mismatched.1 < MAX_MISMATCHED.1
    }

    /// Records a reply. The node gets the id that it claims: other nodes may still name it by the id it had
    /// before a restart.
    pub(super) fn answered(&mut self, id: NodeId, addr: SocketAddr, token: Option<Vec<u8>>, was_late: bool) {
        self.end_query(was_late);
        let known = self.list.iter().position(|known| known.addr == addr);
        let depth = known.map_or(1, |at| self.list.remove(at).depth);
        self.insert(id, addr, depth, State::Answered(token));
    }

    /// Records that a node did not reply, or replied with an error.
    pub(super) fn failed(&mut self, addr: SocketAddr, was_late: bool) {
        self.end_query(was_late);
        self.list.retain(|known| known.addr != addr);
    }

    /// Records that the reply of the node at this address is late.
    pub(super) fn mark_late(&mut self, addr: SocketAddr) {
        self.late += 1;
        let asked = |known: &&mut Candidate| known.addr == addr && known.state == State::Asked;
        if let Some(known) = self.list.iter_mut().find(asked) {
            known.state = State::Late;
            self.mismatched.1 += usize::from(known.mismatched);
        }
    }

    /// Whether no pending or further query could change the result.
    pub(super) fn is_done(&self) -> bool {
        let there = self.choose(Candidate::is_there);
        let is_open = |&at: &usize| match self.list[at].state {
            State::Fresh => self.may_query_mismatched(),
            State::Asked => true,
            State::Late | State::Answered(_) => false,
        };
        let idle = self.under_way == 0;
        there.nearest.iter().all(|&at| self.list[at].has_answered())
            && !there.mismatched.iter().any(is_open)
            && (!there.nearest.is_empty() || (idle && self.strangers.is_empty()))
            && (idle || self.answered_count() >= K)
    }

    /// Returns the nearest nodes that replied, with their tokens: those that match, and mismatched ones that
    /// are nearer.
    pub(super) fn nearest(&self) -> impl Iterator<Item = (NodeId, SocketAddr, Option<&[u8]>)> {
        self.settled().filter_map(|known| match &known.state {
            State::Answered(token) => Some((known.id, known.addr, token.as_deref())),
            _ => None,
        })
    }

    /// The greatest depth of the nearest nodes.
    pub(super) fn depth(&self) -> u32 {
        self.settled().map(|known| known.depth).max().unwrap_or(0)
    }

    fn settled(&self) -> impl Iterator<Item = &Candidate> {
        let Chosen { nearest: mut places, mismatched } = self.choose(Candidate::has_answered);
        places.extend(mismatched);
        places.sort_unstable();
        places.into_iter().map(|at| &self.list[at])
    }

    /// Chooses the nearest nodes among those of a kind: per network on the Internet, the nearest that matches
    /// and the nearest that does not.
    fn choose(&self, kind: impl Fn(&Candidate) -> bool) -> Chosen {
        let mut turns: BTreeMap<[u8; 8], usize> = BTreeMap::new();
        for known in self.list.iter().filter(|known| known.has_answered()) {
            *turns.entry(network(known.addr.ip())).or_default() += 1;
        }
        let mut networks = BTreeSet::new();
        let mut chosen = Chosen::default();
        let candidates = self.list.iter().enumerate().filter(|(_, known)| kind(known));
        for (at, known) in candidates {
            let list = if known.fits { &mut chosen.nearest } else { &mut chosen.mismatched };
            if list.len() == K {
                continue;
            }
            let ip = known.addr.ip();
            if !is_near(ip) {
                let network = network(ip);
                let had = turns.get(&network).is_some_and(|&turns| turns >= MAX_REPLIES_PER_NETWORK);
                if (had && !known.has_answered()) || !networks.insert((known.fits, network)) {
                    continue;
                }
            }
            list.push(at);
            if chosen.nearest.len() == K {
                break;
            }
        }
        let missing = (K - chosen.nearest.len()).min(chosen.mismatched.len());
        chosen.nearest.extend(chosen.mismatched.drain(..missing));
        chosen.nearest.sort_unstable();
        let last = chosen.nearest.last().copied().unwrap_or_default();
        chosen.mismatched.retain(|&at| at < last);
        chosen
    }

    fn insert(&mut self, id: NodeId, addr: SocketAddr, depth: u32, state: State) {
        let distance = self.distance(&id);
        let place = self.list.partition_point(|known| self.distance(&known.id) < distance);
        let fits = fits(&id, addr.ip());
        self.list.insert(place, Candidate { id, addr, depth, mismatched: false, fits, state });
    }

    fn distance(&self, id: &NodeId) -> [u8; 20] {
        id.distance(&self.target)
    }

    fn answered_count(&self) -> usize {
        self.list.iter().filter(|known| known.has_answered()).count()
    }

    fn end_query(&mut self, was_late: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.late -= usize::from(was_late && self.late > 0);
    }
}

impl Candidate {
    /// Whether the node keeps its place among the nearest; a late one gives it up to the next.
    fn is_there(&self) -> bool {
        self.state != State::Late
    }

    const fn has_answered(&self) -> bool {
        matches!(self.state, State::Answered(_))
    }
}

#[cfg(test)]
mod tests;
