//! Addresses at which nodes may be, to be tried while few nodes are known.
//!
//! Each origin has a queue, and the queues take turns, so that neither an old file nor a crowd of peers can
//! crowd out the others. An address that does not answer is removed, unless no address answers at all: then
//! our own network may be down.

use std::collections::VecDeque;
use std::net::SocketAddr;

/// The origin of an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Origin {
    /// A bootstrap node of the user or of torr.
    Bootstrap,
    /// A node of an earlier run, best first.
    Kept,
    /// A torrent file, or a peer's port message (BEP 5).
    Told,
}

/// The most addresses of one origin.
const MAX_PER_ORIGIN: usize = 200;

#[derive(Clone, Debug, Default)]
pub(super) struct Starts {
    bootstrap: VecDeque<SocketAddr>,
    kept: VecDeque<SocketAddr>,
    told: VecDeque<SocketAddr>,
}

impl Starts {
    /// Adds an address. Returns whether it is new. Addresses of peers and torrents are added in front; if a
    /// queue is full, its last address is dropped.
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
            queue.truncate(MAX_PER_ORIGIN);
        }
        true
    }

    /// Records that an address has not answered: it moves to the end of its queue, or is removed if other
    /// nodes do answer.
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

    /// Returns the addresses in the order in which to try them.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = SocketAddr> {
        let longest = self.queues().into_iter().map(VecDeque::len).max().unwrap_or(0);
        (0..longest).flat_map(|at| self.queues().into_iter().filter_map(move |queue| queue.get(at).copied()))
    }

    /// Returns the addresses of the earlier run that may still be valid, best first.
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
        assert_eq!(starts.in_turn().count(), 2 * MAX_PER_ORIGIN + 1);
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
