//! Asking ever nearer nodes (BEP 5): the list of one search in one family.
//!
//! Of the nodes it knows of the search asks the nearest, a few at a time, and learns of nearer ones. It
//! ends when the nearest that are there have all answered. A node that is late holds up neither the others nor
//! the end: the next one takes its place, until it answers after all.

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use crate::base::{NodeId, is_near, network, who};

use super::table::K;

/// Questions under way, not counting late ones.
const WIDTH: usize = 4;
/// Questions under way with the late ones, so that a list of the dead costs little.
const WIDEST: usize = 24;
/// Nodes that are remembered, the nearest.
const MOST: usize = 100;

#[derive(Clone, Debug)]
pub(super) struct Lookup {
    target: NodeId,
    /// Nearest first.
    list: Vec<Candidate>,
    /// Addresses of which nothing else is known.
    strangers: VecDeque<SocketAddr>,
    /// Whom we have seen, so that nobody is asked twice.
    seen: BTreeSet<SocketAddr>,
    under_way: usize,
    late: usize,
}

#[derive(Clone, Debug)]
struct Candidate {
    id: NodeId,
    addr: SocketAddr,
    depth: u32,
    state: State,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum State {
    Fresh,
    Asked,
    /// Asked, and it should have answered by now.
    Late,
    Answered(Option<Vec<u8>>),
    Gone,
}

impl State {
    /// Whether its place is taken by the next one.
    fn is_passed_over(&self) -> bool {
        matches!(self, Self::Late | Self::Gone)
    }
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
        }
    }

    /// Somebody told us of a node, `depth` steps away from what we knew.
    pub(super) fn learn(&mut self, id: NodeId, addr: SocketAddr, depth: u32) {
        if self.seen.len() >= 20 * MOST || !self.seen.insert(who(addr)) {
            return;
        }
        let distance = id.distance(&self.target);
        let place = self.list.partition_point(|known| known.id.distance(&self.target) < distance);
        // A network on the Internet has one place in the list, else one owner could fill it.
        if !is_near(addr.ip())
            && let Some(at) = self.list.iter().position(|known| {
                known.state != State::Gone && network(known.addr.ip()) == network(addr.ip())
            })
        {
            if at < place || self.list[at].state != State::Fresh {
                return;
            }
            self.list.remove(at);
        }
        self.list.insert(place, Candidate { id, addr, depth, state: State::Fresh });
        if self.list.len() > MOST
            && let Some(at) = self.list.iter().rposition(|known| known.state != State::Asked)
        {
            self.list.remove(at);
        }
    }

    /// There may be a node at this address.
    pub(super) fn try_stranger(&mut self, addr: SocketAddr) {
        if self.strangers.len() < MOST && self.seen.insert(who(addr)) {
            self.strangers.push_back(addr);
        }
    }

    /// The next node to ask, if one is to be asked now: its name, where it is known, address and depth.
    pub(super) fn next(&mut self) -> Option<(Option<NodeId>, SocketAddr, u32)> {
        if self.under_way - self.late >= WIDTH || self.under_way >= WIDEST {
            return None;
        }
        let there = self.list.iter_mut().filter(|known| !known.state.is_passed_over());
        let next = there.take(K).find(|known| known.state == State::Fresh);
        if let Some(known) = next {
            known.state = State::Asked;
            self.under_way += 1;
            return Some((Some(known.id), known.addr, known.depth));
        }
        // Strangers are asked where there is nobody better: at the very start.
        let short = self.list.iter().filter(|known| matches!(known.state, State::Answered(_))).count() < K;
        let addr = self.strangers.pop_front().filter(|_| short)?;
        self.under_way += 1;
        Some((None, addr, 1))
    }

    /// A node has answered. It has the name it gives itself, whatever others call it: one that has come back under
    /// another is still remembered by its old one, and a liar may call it anything.
    pub(super) fn answered(&mut self, id: NodeId, addr: SocketAddr, token: Option<Vec<u8>>, was_late: bool) {
        self.landed(was_late);
        if let Some(at) = self.list.iter().position(|known| known.addr == addr) {
            if self.list[at].id == id {
                self.list[at].state = State::Answered(token);
                return;
            }
            let Candidate { depth, .. } = self.list.remove(at);
            self.insert(Candidate { id, addr, depth, state: State::Answered(token) });
            return;
        }
        self.insert(Candidate { id, addr, depth: 1, state: State::Answered(token) });
    }

    fn insert(&mut self, candidate: Candidate) {
        let distance = candidate.id.distance(&self.target);
        let place = self.list.partition_point(|known| known.id.distance(&self.target) < distance);
        self.list.insert(place, candidate);
    }

    /// A node has not answered, or with something that cannot be.
    pub(super) fn failed(&mut self, addr: SocketAddr, was_late: bool) {
        self.landed(was_late);
        if let Some(known) = self.at(addr) {
            known.state = State::Gone;
        }
    }

    /// The answer of the node at this address is late.
    pub(super) fn waits(&mut self, addr: SocketAddr) {
        self.late += 1;
        if let Some(known) = self.at(addr).filter(|known| known.state == State::Asked) {
            known.state = State::Late;
        }
    }

    /// Whether nothing is to come that could matter.
    pub(super) fn is_done(&self) -> bool {
        let there = self.list.iter().filter(|known| !known.state.is_passed_over());
        let mut nearest = there.take(K).peekable();
        let known = nearest.peek().is_some();
        let settled = nearest.all(|known| matches!(known.state, State::Answered(_)));
        settled
            && (known || (self.under_way == 0 && self.strangers.is_empty()))
            && (self.under_way == 0 || self.answered_count() >= K)
    }

    /// The nearest nodes that answered, with the tokens they gave.
    pub(super) fn nearest(&self) -> impl Iterator<Item = (NodeId, SocketAddr, Option<&[u8]>)> {
        let answered = self.list.iter().filter_map(|known| match &known.state {
            State::Answered(token) => Some((known.id, known.addr, token.as_deref())),
            _ => None,
        });
        answered.take(K)
    }

    /// How many steps away the farthest of the nearest nodes was.
    pub(super) fn depth(&self) -> u32 {
        let answered = self.list.iter().filter(|known| matches!(known.state, State::Answered(_)));
        answered.take(K).map(|known| known.depth).max().unwrap_or(0)
    }

    fn answered_count(&self) -> usize {
        self.list.iter().filter(|known| matches!(known.state, State::Answered(_))).count()
    }

    fn landed(&mut self, was_late: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.late -= usize::from(was_late && self.late > 0);
    }

    fn at(&mut self, addr: SocketAddr) -> Option<&mut Candidate> {
        self.list.iter_mut().find(|known| known.addr == addr)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u8) -> SocketAddr {
        ([10, 0, 0, n], 6881).into()
    }

    fn id(n: u8) -> NodeId {
        NodeId([n; 20])
    }

    fn lookup(nodes: impl IntoIterator<Item = u8>) -> Lookup {
        let mut lookup = Lookup::new(id(0));
        nodes.into_iter().for_each(|n| lookup.learn(id(n), addr(n), 1));
        lookup
    }

    #[test]
    fn the_nearest_are_asked_first_and_few_at_a_time() {
        let mut lookup = lookup([9, 3, 5, 1, 7, 8]);
        let asked: Vec<_> = std::iter::from_fn(|| lookup.next()).map(|(id, ..)| id.unwrap().0[0]).collect();
        assert_eq!(asked, [1, 3, 5, 7]);
        lookup.waits(addr(1));
        assert_eq!(lookup.next().unwrap().1, addr(8));
        assert_eq!(lookup.next(), None);
        lookup.answered(id(1), addr(1), Some(vec![1]), true);
        assert_eq!(lookup.next(), None, "four that are not late are under way");
        lookup.failed(addr(3), false);
        lookup.learn(id(2), addr(2), 2);
        assert_eq!(lookup.next(), Some((Some(id(2)), addr(2), 2)));
    }

    #[test]
    fn it_ends_when_the_nearest_that_are_there_have_answered() {
        let mut lookup = lookup(1..=20);
        let mut asked = 0;
        while let Some((id, addr, _)) = lookup.next() {
            asked += 1;
            assert!(!lookup.is_done());
            if addr.ip() == self::addr(2).ip() {
                lookup.failed(addr, false);
            } else {
                lookup.answered(id.unwrap(), addr, None, false);
            }
        }
        assert!(lookup.is_done());
        assert_eq!(asked, 9);
        let nearest: Vec<_> = lookup.nearest().map(|(id, ..)| id.0[0]).collect();
        assert_eq!(nearest, [1, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(lookup.depth(), 1);
    }

    #[test]
    fn a_search_that_knows_nobody_ends() {
        let mut lookup = lookup([]);
        assert!(lookup.is_done());
        lookup.try_stranger(addr(1));
        assert!(!lookup.is_done());
        assert_eq!(lookup.next(), Some((None, addr(1), 1)));
        assert!(!lookup.is_done());
        lookup.answered(id(4), addr(1), None, false);
        assert!(lookup.is_done());
        lookup.learn(id(4), addr(1), 2);
        assert!(lookup.is_done(), "nobody is asked twice");
    }

    #[test]
    fn one_that_is_late_holds_up_nothing_but_counts_if_it_answers_after_all() {
        let mut lookup = lookup(1..=20);
        let mut asked = Vec::new();
        while let Some((id, at, _)) = lookup.next() {
            asked.push(at);
            if at == addr(3) || at == addr(4) {
                lookup.waits(at);
            } else {
                lookup.answered(id.unwrap(), at, None, false);
            }
        }
        assert_eq!(asked, (1..=10).map(addr).collect::<Vec<_>>());
        assert!(lookup.is_done());
        lookup.answered(id(3), addr(3), None, true);
        let nearest: Vec<_> = lookup.nearest().map(|(id, ..)| id).collect();
        assert_eq!(nearest, [1, 2, 3, 5, 6, 7, 8, 9].map(id));
        // Where there is nobody else the search waits for it.
        let mut few = self::lookup([1, 2]);
        few.next();
        few.next();
        few.answered(id(1), addr(1), None, false);
        few.waits(addr(2));
        assert!(!few.is_done());
        few.failed(addr(2), true);
        assert!(few.is_done());
    }

    #[test]
    fn a_node_has_the_name_it_gives_itself() {
        let mut lookup = lookup([1, 2, 3]);
        lookup.next();
        lookup.answered(id(9), addr(1), Some(vec![7]), false);
        let nearest: Vec<_> = lookup.nearest().map(|(id, at, _)| (id, at)).collect();
        assert_eq!(nearest, [(id(9), addr(1))]);
        assert_eq!(lookup.next().unwrap().1, addr(2));
    }

    #[test]
    fn a_network_on_the_internet_has_one_place() {
        let mut lookup = Lookup::new(id(0));
        for n in (1..=20).rev() {
            lookup.learn(id(n), SocketAddr::from(([8, 8, 8, n], 1)), 1);
        }
        assert_eq!(lookup.list.len(), 1);
        assert_eq!(lookup.next().unwrap().0, Some(id(1)));
        assert_eq!(lookup.next(), None);
    }

    #[test]
    fn its_memory_is_bounded() {
        let mut lookup = Lookup::new(id(0));
        for n in 0..10_000_u16 {
            let [high, low] = n.to_be_bytes();
            let mut far = id(high);
            far.0[19] = low;
            lookup.learn(far, SocketAddr::from(([10, 1, high, low], 1)), 1);
        }
        assert!(lookup.list.len() <= MOST && lookup.seen.len() <= 20 * MOST);
    }
}
