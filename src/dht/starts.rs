//! Addresses at which nodes may be, for as long as few are known to be there.
//!
//! Each origin has a queue of its own, and they take turns: so neither an old file nor a crowd of peers keeps the
//! others from being tried. One that is asked and does not answer is forgotten, unless nobody answers at all: then
//! the network is away, which says nothing against anybody.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// Who says that there may be a node.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// The user or the makers of torr: nodes to begin with.
    Bootstrap,
    /// We ourselves: a node answered there in an earlier run. Given best first.
    Kept,
    /// A torrent, or a peer's PORT message (BEP 5).
    Told,
}

/// Addresses of one origin.
const MOST: usize = 200;

#[derive(Clone, Debug, Default)]
pub(super) struct Starts {
    bootstrap: VecDeque<SocketAddr>,
    kept: VecDeque<SocketAddr>,
    told: VecDeque<SocketAddr>,
}

impl Starts {
    /// Adds one; says whether it is new. Of those told of the newest comes first. Where there are too many the last
    /// of its queue goes.
    pub(super) fn add(&mut self, origin: Origin, addr: SocketAddr) -> bool {
        if self.queues().into_iter().any(|queue| queue.contains(&addr)) {
            return false;
        }
        match origin {
            Origin::Bootstrap => self.bootstrap.push_back(addr),
            Origin::Kept => self.kept.push_back(addr),
            Origin::Told => self.told.push_front(addr),
        }
        for queue in [&mut self.bootstrap, &mut self.kept, &mut self.told] {
            queue.truncate(MOST);
        }
        true
    }

    /// One has not answered. It goes to the end of its queue, or for good if others do answer.
    pub(super) fn failed(&mut self, addr: SocketAddr, others_answer: bool) {
        for queue in [&mut self.bootstrap, &mut self.kept, &mut self.told] {
            if let Some(at) = queue.iter().position(|known| *known == addr) {
                queue.remove(at);
                if !others_answer {
                    queue.push_back(addr);
                }
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.queues().into_iter().all(VecDeque::is_empty)
    }

    /// In the order in which they are to be tried.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = SocketAddr> {
        let longest = self.queues().into_iter().map(VecDeque::len).max().unwrap_or(0);
        (0..longest).flat_map(|at| self.queues().into_iter().filter_map(move |queue| queue.get(at).copied()))
    }

    /// Those of an earlier run that may still be there, the best first.
    pub(super) fn kept(&self) -> impl Iterator<Item = SocketAddr> {
        self.kept.iter().copied()
    }

    const fn queues(&self) -> [&VecDeque<SocketAddr>; 3] {
        [&self.bootstrap, &self.kept, &self.told]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(n: u16) -> SocketAddr {
        ([8, 8, 8, 8], n).into()
    }

    #[test]
    fn no_origin_keeps_the_others_out() {
        let mut starts = Starts::default();
        assert!(starts.is_empty());
        for n in 1..=1000 {
            starts.add(Origin::Kept, addr(n));
            starts.add(Origin::Told, addr(1000 + n));
        }
        assert!(starts.add(Origin::Bootstrap, addr(5000)));
        assert!(!starts.add(Origin::Told, addr(5000)), "it is there already");
        let order: Vec<_> = starts.in_turn().take(5).collect();
        // The best of the kept, and the newest of the told.
        assert_eq!(order, [5000, 1, 2000, 2, 1999].map(addr));
        assert_eq!(starts.in_turn().count(), 2 * MOST + 1);
    }

    #[test]
    fn who_does_not_answer_goes_unless_nobody_does() {
        let mut starts = Starts::default();
        assert!((1..=3).all(|n| starts.add(Origin::Kept, addr(n))));
        starts.failed(addr(1), false);
        assert_eq!(starts.kept().collect::<Vec<_>>(), [2, 3, 1].map(addr));
        starts.failed(addr(3), true);
        assert_eq!(starts.kept().collect::<Vec<_>>(), [2, 1].map(addr));
    }
}
