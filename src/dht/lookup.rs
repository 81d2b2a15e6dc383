//! Asking ever nearer nodes (BEP 5): the list of one search in one family.
//!
//! Of the nodes it knows of the search asks the nearest, a few at a time, and learns of nearer ones. It
//! ends when the nearest that are there have all answered. A node that is late holds up neither the others nor
//! the end: the next one takes its place, until it answers after all.
//!
//! What was told may be made up, so nothing that was told drives out anything else. Whom it comes to is decided anew
//! each time, among those that are still there: a network on the Internet has one place, and nodes whose id fits
//! their address (BEP 42) have theirs whatever others there are. Those that do not fit are asked beside them where
//! they are nearer, for many an honest node has an id of its own choice; a made-up id costs nothing, so there is an
//! end to that.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use crate::base::{NodeId, is_near, network};

use super::identity::fits;
use super::table::K;

/// Questions under way, not counting late ones.
const WIDTH: usize = 4;
/// Questions under way with the late ones, so that a list of the dead costs little.
const WIDEST: usize = 24;
/// Questions to nodes beside the nearest that fit, and how many of them may be without an answer.
const BESIDE: (usize, usize) = (4 * K, K);
/// Answers of one network, after which nobody else there is asked: who has the network can name ever nearer ones.
const TURNS: usize = 3;
/// Addresses that are remembered.
const MOST: usize = 1000;

#[derive(Clone, Debug)]
pub(super) struct Lookup {
    target: NodeId,
    /// Nearest first, without those that are gone.
    list: Vec<Candidate>,
    /// Addresses of which nothing else is known.
    strangers: VecDeque<SocketAddr>,
    /// Whom we have seen, so that nobody is asked twice.
    seen: BTreeSet<SocketAddr>,
    under_way: usize,
    late: usize,
    /// Questions to nodes beside the nearest that fit, and how many of them have not been answered in time.
    beside: (usize, usize),
}

#[derive(Clone, Debug)]
struct Candidate {
    id: NodeId,
    addr: SocketAddr,
    depth: u32,
    /// It was asked beside the nearest.
    beside: bool,
    /// Its id fits its address.
    fits: bool,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Asked,
    /// Asked, and it should have answered by now.
    Late,
    Answered(Option<Vec<u8>>),
}

/// Places in the list of those it comes to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Chosen {
    /// The nearest that fit; where they are too few, others as well.
    nearest: Vec<usize>,
    /// Those that do not fit and are nearer than the last of them.
    beside: Vec<usize>,
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
            beside: (0, 0),
        }
    }

    /// Somebody told us of a node, `depth` steps away from what we knew.
    pub(super) fn learn(&mut self, id: NodeId, addr: SocketAddr, depth: u32) {
        if self.seen.contains(&addr) {
            // Of two names the nearer one counts until it has answered: else a liar could hide it under a far one.
            let nearer = |known: &Candidate| self.distance(&id) < self.distance(&known.id);
            let named = |known: &Candidate| known.addr == addr && known.state == State::Fresh;
            if let Some(at) = self.list.iter().position(|known| named(known) && nearer(known)) {
                let Candidate { depth, .. } = self.list.remove(at);
                self.insert(id, addr, depth, State::Fresh);
            }
        } else if self.seen.len() < MOST {
            self.seen.insert(addr);
            self.insert(id, addr, depth, State::Fresh);
        }
    }

    /// There may be a node at this address.
    pub(super) fn try_stranger(&mut self, addr: SocketAddr) {
        if self.seen.len() < MOST && self.seen.insert(addr) {
            self.strangers.push_back(addr);
        }
    }

    /// Somebody has just said that there may be a node at this address: it is the next stranger.
    pub(super) fn try_soon(&mut self, addr: SocketAddr) {
        if self.seen.len() < MOST && self.seen.insert(addr) {
            self.strangers.push_front(addr);
        }
    }

    /// The next node to ask, if one is to be asked now: its name, where it is known, address and depth.
    pub(super) fn next(&mut self) -> Option<(Option<NodeId>, SocketAddr, u32)> {
        let waiting = self.under_way - self.late;
        if waiting >= K || self.under_way >= WIDEST {
            return None;
        }
        let there = self.choose(Candidate::is_there);
        let fresh = |&&at: &&usize| self.list[at].state == State::Fresh;
        let nearest = there.nearest.iter().find(fresh);
        // The others are asked at the end, all at once.
        let beside = there.beside.iter().find(fresh).filter(|_| nearest.is_none() && self.asks_beside());
        if let Some(&at) = beside {
            self.beside.0 += 1;
            return Some(self.asks(at, true));
        }
        if waiting >= WIDTH {
            return None;
        }
        if let Some(&at) = nearest {
            return Some(self.asks(at, false));
        }
        // Strangers are asked where there is nobody better: at the very start.
        let short = self.answered_count() < K;
        let addr = self.strangers.pop_front().filter(|_| short)?;
        self.under_way += 1;
        Some((None, addr, 1))
    }

    fn asks(&mut self, at: usize, beside: bool) -> (Option<NodeId>, SocketAddr, u32) {
        self.under_way += 1;
        let known = &mut self.list[at];
        (known.state, known.beside) = (State::Asked, beside);
        (Some(known.id), known.addr, known.depth)
    }

    /// Whether more are to be asked of those that are beside the nearest.
    const fn asks_beside(&self) -> bool {
        self.beside.0 < BESIDE.0 && self.beside.1 < BESIDE.1
    }

    /// A node has answered. It has the name it gives itself, whatever others call it: one that has come back under
    /// another is still remembered by its old one.
    pub(super) fn answered(&mut self, id: NodeId, addr: SocketAddr, token: Option<Vec<u8>>, was_late: bool) {
        self.landed(was_late);
        let known = self.list.iter().position(|known| known.addr == addr);
        let depth = known.map_or(1, |at| self.list.remove(at).depth);
        self.insert(id, addr, depth, State::Answered(token));
    }

    /// A node has not answered, or with something that cannot be.
    pub(super) fn failed(&mut self, addr: SocketAddr, was_late: bool) {
        self.landed(was_late);
        self.list.retain(|known| known.addr != addr);
    }

    /// The answer of the node at this address is late.
    pub(super) fn waits(&mut self, addr: SocketAddr) {
        self.late += 1;
        let asked = |known: &&mut Candidate| known.addr == addr && known.state == State::Asked;
        if let Some(known) = self.list.iter_mut().find(asked) {
            known.state = State::Late;
            self.beside.1 += usize::from(known.beside);
        }
    }

    /// Whether nothing is to come that could matter.
    pub(super) fn is_done(&self) -> bool {
        let there = self.choose(Candidate::is_there);
        let is_open = |&at: &usize| match self.list[at].state {
            State::Fresh => self.asks_beside(),
            State::Asked => true,
            State::Late | State::Answered(_) => false,
        };
        let idle = self.under_way == 0;
        there.nearest.iter().all(|&at| self.list[at].has_answered())
            && !there.beside.iter().any(is_open)
            && (!there.nearest.is_empty() || (idle && self.strangers.is_empty()))
            && (idle || self.answered_count() >= K)
    }

    /// The nearest nodes that answered, with the tokens they gave: the nearest that fit, and those that are nearer.
    pub(super) fn nearest(&self) -> impl Iterator<Item = (NodeId, SocketAddr, Option<&[u8]>)> {
        self.settled().filter_map(|known| match &known.state {
            State::Answered(token) => Some((known.id, known.addr, token.as_deref())),
            _ => None,
        })
    }

    /// How many steps away the farthest of the nearest nodes was.
    pub(super) fn depth(&self) -> u32 {
        self.settled().map(|known| known.depth).max().unwrap_or(0)
    }

    fn settled(&self) -> impl Iterator<Item = &Candidate> {
        let Chosen { nearest: mut places, beside } = self.choose(Candidate::has_answered);
        places.extend(beside);
        places.sort_unstable();
        places.into_iter().map(|at| &self.list[at])
    }

    /// Those of a kind whom it comes to: of each network on the Internet the nearest one that fits, and the nearest
    /// one that does not.
    fn choose(&self, kind: impl Fn(&Candidate) -> bool) -> Chosen {
        let mut turns: BTreeMap<[u8; 8], usize> = BTreeMap::new();
        for known in self.list.iter().filter(|known| known.has_answered()) {
            *turns.entry(network(known.addr.ip())).or_default() += 1;
        }
        let mut networks = BTreeSet::new();
        let mut chosen = Chosen::default();
        let candidates = self.list.iter().enumerate().filter(|(_, known)| kind(known));
        for (at, known) in candidates {
            let list = if known.fits { &mut chosen.nearest } else { &mut chosen.beside };
            if list.len() == K {
                continue;
            }
            let ip = known.addr.ip();
            if !is_near(ip) {
                let network = network(ip);
                let had = turns.get(&network).is_some_and(|&turns| turns >= TURNS);
                if (had && !known.has_answered()) || !networks.insert((known.fits, network)) {
                    continue;
                }
            }
            list.push(at);
            if chosen.nearest.len() == K {
                break;
            }
        }
        let missing = (K - chosen.nearest.len()).min(chosen.beside.len());
        chosen.nearest.extend(chosen.beside.drain(..missing));
        chosen.nearest.sort_unstable();
        let last = chosen.nearest.last().copied().unwrap_or_default();
        chosen.beside.retain(|&at| at < last);
        chosen
    }

    fn insert(&mut self, id: NodeId, addr: SocketAddr, depth: u32, state: State) {
        let distance = self.distance(&id);
        let place = self.list.partition_point(|known| self.distance(&known.id) < distance);
        let fits = fits(&id, addr.ip());
        self.list.insert(place, Candidate { id, addr, depth, beside: false, fits, state });
    }

    fn distance(&self, id: &NodeId) -> [u8; 20] {
        id.distance(&self.target)
    }

    fn answered_count(&self) -> usize {
        self.list.iter().filter(|known| known.has_answered()).count()
    }

    fn landed(&mut self, was_late: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.late -= usize::from(was_late && self.late > 0);
    }
}

impl Candidate {
    /// Whether its place is its own: that of one that is late is taken by the next.
    fn is_there(&self) -> bool {
        self.state != State::Late
    }

    const fn has_answered(&self) -> bool {
        matches!(self.state, State::Answered(_))
    }
}

#[cfg(test)]
mod tests;
