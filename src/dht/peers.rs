//! The peers that others have announced to us.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use crate::base::{Moment, NodeId, Rng};

use super::bloom::Bloom;

/// An announce holds for so long.
const LIFE: Duration = Duration::from_secs(45 * 60);
/// The most torrents.
const MOST_TORRENTS: usize = 2000;
/// The most peers of one torrent and family.
const MOST_PEERS: usize = 500;

/// Kept small: a peer of IPv4 takes 16 bytes.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    torrents: BTreeMap<NodeId, Torrent>,
}

#[derive(Clone, Debug, Default)]
struct Torrent {
    v4: Vec<Peer<SocketAddrV4>>,
    v6: Vec<Peer<Box<SocketAddrV6>>>,
}

/// When it was announced is counted in seconds from the start, which lasts for 68 years.
#[derive(Clone, Debug)]
struct Peer<A> {
    addr: A,
    at: u32,
    seed: bool,
}

impl Peers {
    /// A peer announces that it has a torrent.
    pub(super) fn put(
        &mut self,
        now: Moment,
        rng: &mut Rng,
        info_hash: NodeId,
        addr: SocketAddr,
        seed: bool,
    ) {
        if !self.torrents.contains_key(&info_hash) && self.torrents.len() >= MOST_TORRENTS {
            // The one that nobody has announced for longest makes room.
            let stalest =
                self.torrents.iter().min_by_key(|(_, torrent)| torrent.latest()).map(|(&key, _)| key);
            stalest.map(|key| self.torrents.remove(&key));
        }
        let torrent = self.torrents.entry(info_hash).or_default();
        let at = seconds(now);
        match addr {
            SocketAddr::V4(addr) => put(&mut torrent.v4, Peer { addr, at, seed }, rng),
            SocketAddr::V6(addr) => put(&mut torrent.v6, Peer { addr: Box::new(addr), at, seed }, rng),
        }
    }

    /// Some peers of one family, drawn by lot.
    pub(super) fn some(
        &self,
        rng: &mut Rng,
        info_hash: &NodeId,
        v4: bool,
        most: usize,
        no_seeds: bool,
    ) -> Vec<SocketAddr> {
        let Some(torrent) = self.torrents.get(info_hash) else { return Vec::new() };
        if v4 {
            draw(&torrent.v4, rng, most, no_seeds, |addr| (*addr).into())
        } else {
            draw(&torrent.v6, rng, most, no_seeds, |addr| (**addr).into())
        }
    }

    /// The addresses of seeds and of the others.
    pub(super) fn scrape(&self, info_hash: &NodeId) -> Option<(Bloom, Bloom)> {
        let torrent = self.torrents.get(info_hash)?;
        let mut filters = (Bloom::default(), Bloom::default());
        let mut add = |ip: IpAddr, seed| if seed { filters.0.insert(ip) } else { filters.1.insert(ip) };
        torrent.v4.iter().for_each(|peer| add((*peer.addr.ip()).into(), peer.seed));
        torrent.v6.iter().for_each(|peer| add((*peer.addr.ip()).into(), peer.seed));
        Some(filters)
    }

    /// Some info-hashes, drawn by lot, and how many there are.
    pub(super) fn sample(&self, rng: &mut Rng, most: usize) -> (Vec<NodeId>, usize) {
        let mut all: Vec<NodeId> = self.torrents.keys().copied().collect();
        let count = all.len();
        for at in 0..most.min(count) {
            let other = at + rng.below((count - at) as u64) as usize;
            all.swap(at, other);
        }
        all.truncate(most);
        (all, count)
    }

    /// Forgets what is too old.
    pub(super) fn forget(&mut self, now: Moment) {
        let oldest = seconds(now).saturating_sub(LIFE.as_secs() as u32);
        self.torrents.retain(|_, torrent| {
            torrent.v4.retain(|peer| peer.at >= oldest);
            torrent.v6.retain(|peer| peer.at >= oldest);
            !(torrent.v4.is_empty() && torrent.v6.is_empty())
        });
    }

    pub(super) fn len(&self) -> usize {
        self.torrents.len()
    }
}

impl Torrent {
    fn latest(&self) -> u32 {
        let times = self.v4.iter().map(|peer| peer.at).chain(self.v6.iter().map(|peer| peer.at));
        times.max().unwrap_or(0)
    }
}

fn put<A: PartialEq>(peers: &mut Vec<Peer<A>>, peer: Peer<A>, rng: &mut Rng) {
    if let Some(known) = peers.iter_mut().find(|known| known.addr == peer.addr) {
        *known = peer;
    } else if peers.len() < MOST_PEERS {
        peers.push(peer);
    } else {
        // Whoever it replaces, a flood of announces cannot push out all others at once.
        let at = rng.below(MOST_PEERS as u64) as usize;
        peers[at] = peer;
    }
}

fn draw<A>(
    peers: &[Peer<A>],
    rng: &mut Rng,
    most: usize,
    no_seeds: bool,
    addr: impl Fn(&A) -> SocketAddr,
) -> Vec<SocketAddr> {
    let fit: Vec<&Peer<A>> = peers.iter().filter(|peer| !(no_seeds && peer.seed)).collect();
    let count = most.min(fit.len());
    // A run from a place drawn by lot costs one draw, and everyone has the same chance.
    let from = rng.index(fit.len()).unwrap_or(0);
    (0..count).map(|at| addr(&fit[(from + at) % fit.len()].addr)).collect()
}

fn seconds(now: Moment) -> u32 {
    now.since_start().as_secs() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: u64) -> Moment {
        Moment::START + Duration::from_secs(minutes * 60)
    }

    fn peer(n: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, (n >> 8) as u8, n as u8], 6881))
    }

    #[test]
    fn peers_are_found_until_they_are_old() {
        let (mut peers, mut rng) = (Peers::default(), Rng::new(1));
        let torrent = NodeId([1; 20]);
        peers.put(at(0), &mut rng, torrent, peer(1), true);
        peers.put(at(10), &mut rng, torrent, peer(2), false);
        peers.put(at(10), &mut rng, torrent, "[2001:db8::1]:5".parse().unwrap(), false);
        peers.put(at(10), &mut rng, torrent, peer(2), false);
        let mut some = peers.some(&mut rng, &torrent, true, 10, false);
        some.sort();
        assert_eq!(some, [peer(1), peer(2)]);
        assert_eq!(peers.some(&mut rng, &torrent, true, 10, true), [peer(2)]);
        assert_eq!(peers.some(&mut rng, &torrent, false, 10, false).len(), 1);
        let (seeds, others) = peers.scrape(&torrent).unwrap();
        assert!((0.9..1.1).contains(&seeds.estimate()) && (1.9..2.1).contains(&others.estimate()));
        peers.forget(at(46));
        assert_eq!(peers.some(&mut rng, &torrent, true, 10, false), [peer(2)]);
        peers.forget(at(60));
        assert_eq!(peers.len(), 0);
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let (mut peers, mut rng) = (Peers::default(), Rng::new(1));
        for n in 0..2000 {
            peers.put(at(0), &mut rng, NodeId([1; 20]), peer(n), false);
        }
        assert_eq!(peers.torrents[&NodeId([1; 20])].v4.len(), MOST_PEERS);
        for n in 0..3000_u16 {
            let mut hash = [2; 20];
            hash[..2].copy_from_slice(&n.to_be_bytes());
            peers.put(at(n.into()), &mut rng, NodeId(hash), peer(n), false);
        }
        assert_eq!(peers.len(), MOST_TORRENTS);
        let (sample, known) = peers.sample(&mut rng, 20);
        assert_eq!((sample.len(), known), (20, MOST_TORRENTS));
    }

    #[test]
    fn a_peer_is_small() {
        assert!(size_of::<Peer<SocketAddrV4>>() <= 16, "{}", size_of::<Peer<SocketAddrV4>>());
    }
}
