//! The peers of one torrent and one address family.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::base::{Moment, Rng};

/// One peer of a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Where it listens.
    pub addr: SocketAddr,
    /// Whether the peer has everything.
    pub seed: bool,
    /// When it is forgotten unless it announces again.
    pub until: Moment,
}

/// A list from which any peer can be found, and any few of them drawn, without walking over the others.
#[derive(Debug, Default)]
pub struct Peers {
    list: Vec<Peer>,
    places: BTreeMap<SocketAddr, usize>,
    seeds: usize,
}

impl Peers {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many of them have everything.
    pub fn seeds(&self) -> usize {
        self.seeds
    }

    /// The peer at this address.
    pub fn get(&self, addr: SocketAddr) -> Option<&Peer> {
        self.places.get(&addr).map(|&place| &self.list[place])
    }

    /// Adds a peer, or replaces what is known of it.
    pub fn put(&mut self, peer: Peer) {
        self.remove(peer.addr);
        self.places.insert(peer.addr, self.list.len());
        self.seeds += usize::from(peer.seed);
        self.list.push(peer);
    }

    /// Forgets a peer; gives what was known of it.
    pub fn remove(&mut self, addr: SocketAddr) -> Option<Peer> {
        let place = self.places.remove(&addr)?;
        let gone = self.list.swap_remove(place);
        if let Some(moved) = self.list.get(place) {
            self.places.insert(moved.addr, place);
        }
        self.seeds -= usize::from(gone.seed);
        Some(gone)
    }

    /// Forgets the peers that have not announced for too long; gives their addresses.
    pub fn expire(&mut self, now: Moment) -> Vec<SocketAddr> {
        let stale: Vec<_> = self.list.iter().filter(|peer| peer.until <= now).map(|peer| peer.addr).collect();
        for &addr in &stale {
            self.remove(addr);
        }
        stale
    }

    /// Pushes up to `most` addresses that `fits` accepts: a run of the list from a place of chance, around its end.
    pub fn draw(&self, most: usize, rng: &mut Rng, fits: impl Fn(&Peer) -> bool, out: &mut Vec<SocketAddr>) {
        let Some(start) = rng.index(self.list.len()) else { return };
        let (after, before) = (&self.list[start..], &self.list[..start]);
        out.extend(after.iter().chain(before).filter(|&peer| fits(peer)).take(most).map(|peer| peer.addr));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use super::*;

    fn peer(n: u16, seed: bool) -> Peer {
        let until = Moment::START + Duration::from_secs(u64::from(n));
        Peer { addr: SocketAddr::from(([10, 0, 0, 1], n)), seed, until }
    }

    #[test]
    fn places_survive_any_order_of_putting_and_removing() {
        let mut rng = Rng::new(5);
        let mut peers = Peers::default();
        let mut model: BTreeMap<SocketAddr, Peer> = BTreeMap::new();
        for _ in 0..5000 {
            let one = peer(1 + rng.below(60) as u16, rng.one_in(2));
            if rng.one_in(3) {
                assert_eq!(peers.remove(one.addr), model.remove(&one.addr));
            } else {
                peers.put(one);
                model.insert(one.addr, one);
            }
            assert_eq!(peers.len(), model.len());
            assert_eq!(peers.seeds(), model.values().filter(|peer| peer.seed).count());
            assert!(model.values().all(|peer| peers.get(peer.addr) == Some(peer)));
        }
    }

    #[test]
    fn everyone_is_drawn_sooner_or_later_and_nobody_twice() {
        let mut peers = Peers::default();
        (1..=50).for_each(|n| peers.put(peer(n, false)));
        let mut rng = Rng::new(1);
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let mut drawn = Vec::new();
            peers.draw(10, &mut rng, |peer| peer.addr.port() != 7, &mut drawn);
            assert_eq!(drawn.iter().collect::<BTreeSet<_>>().len(), 10);
            seen.extend(drawn);
        }
        assert_eq!(seen.len(), 49);
    }

    #[test]
    fn the_silent_are_forgotten() {
        let mut peers = Peers::default();
        (1..=10).for_each(|n| peers.put(peer(n, true)));
        assert_eq!(peers.expire(Moment::START + Duration::from_secs(4)).len(), 4);
        assert_eq!((peers.len(), peers.seeds()), (6, 6));
    }
}
