//! Peers that have announced themselves to us.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, NodeId, Rng};

use super::bloom::Bloom;
use super::shares::{self, Owner, choose_evicted};

/// The time for which an announce is valid.
const LIFE: Duration = Duration::from_secs(45 * 60);
/// The most torrents.
const MAX_TORRENTS: usize = 2000;
/// The most torrents that were first announced from one network.
const MAX_TORRENTS_PER_NETWORK: usize = 100;
/// The most peers of one torrent in one address family.
const MAX_PEERS: usize = 500;
/// The most of those peers in one network.
const MAX_PEERS_PER_NETWORK: usize = 16;

/// The announced peers. An IPv4 peer takes 12 bytes, an IPv6 peer 24.
#[derive(Clone, Debug, Default)]
pub(super) struct Peers {
    torrents: BTreeMap<NodeId, Torrent>,
}

#[derive(Clone, Debug)]
struct Torrent {
    v4: Vec<Peer<4>>,
    v6: Vec<Peer<16>>,
    owner: Owner,
    /// The time of the last announce, and a lower bound for the announce times of all its peers.
    latest: u32,
    earliest: u32,
}

/// An announced peer. The time of its announce is in seconds since the start, which 32 bits hold for 136
/// years.
#[derive(Clone, Copy, Debug)]
struct Peer<const N: usize> {
    ip: [u8; N],
    port: u16,
    at: u32,
    seed: bool,
}

impl Peers {
    /// Stores a peer of a torrent.
    pub(super) fn put(
        &mut self,
        now: Moment,
        rng: &mut Rng,
        info_hash: NodeId,
        addr: SocketAddr,
        seed: bool,
    ) {
        let at = seconds(now);
        if let Some(torrent) = self.torrents.get_mut(&info_hash) {
            torrent.owner.record_again(addr.ip());
        } else {
            let all = self.torrents.iter().map(|(&key, torrent)| (key, &torrent.owner, torrent.latest));
            if let Some(key) = choose_evicted(all, addr.ip(), MAX_TORRENTS_PER_NETWORK, MAX_TORRENTS) {
                self.torrents.remove(&key);
            }
        }
        let torrent = self.torrents.entry(info_hash).or_insert_with(|| Torrent {
            v4: Vec::new(),
            v6: Vec::new(),
            owner: Owner::new(addr.ip()),
            latest: at,
            earliest: at,
        });
        torrent.latest = at;
        let port = addr.port();
        match addr.ip() {
            IpAddr::V4(ip) => put(&mut torrent.v4, Peer { ip: ip.octets(), port, at, seed }, rng),
            IpAddr::V6(ip) => put(&mut torrent.v6, Peer { ip: ip.octets(), port, at, seed }, rng),
        }
    }

    /// Returns some peers of one address family, at random.
    pub(super) fn some(
        &self,
        rng: &mut Rng,
        info_hash: &NodeId,
        v4: bool,
        most: usize,
        no_seeds: bool,
    ) -> Vec<SocketAddr> {
        let Some(torrent) = self.torrents.get(info_hash) else { return Vec::new() };
        if v4 { draw(&torrent.v4, rng, most, no_seeds) } else { draw(&torrent.v6, rng, most, no_seeds) }
    }

    /// Returns the Bloom filters of seeds and of leechers (BEP 33).
    pub(super) fn scrape(&self, info_hash: &NodeId) -> Option<(Bloom, Bloom)> {
        let torrent = self.torrents.get(info_hash)?;
        let mut filters = (Bloom::default(), Bloom::default());
        let mut add = |ip: IpAddr, seed| if seed { filters.0.insert(ip) } else { filters.1.insert(ip) };
        torrent.v4.iter().for_each(|peer| add(peer.ip(), peer.seed));
        torrent.v6.iter().for_each(|peer| add(peer.ip(), peer.seed));
        Some(filters)
    }

    /// Returns some info-hashes, at random.
    pub(super) fn sample(&self, rng: &mut Rng, most: usize) -> Vec<NodeId> {
        let mut all: Vec<NodeId> = self.torrents.keys().copied().collect();
        let count = all.len();
        for at in 0..most.min(count) {
            let other = at + rng.below((count - at) as u64) as usize;
            all.swap(at, other);
        }
        all.truncate(most);
        all
    }

    /// Drops expired peers.
    pub(super) fn forget(&mut self, now: Moment) {
        let oldest = seconds(now).saturating_sub(LIFE.as_secs() as u32);
        self.torrents.retain(|_, torrent| {
            if torrent.earliest < oldest {
                torrent.forget(oldest);
            }
            !(torrent.v4.is_empty() && torrent.v6.is_empty())
        });
    }

    pub(super) fn len(&self) -> usize {
        self.torrents.len()
    }

    /// The number of peers of all torrents.
    pub(super) fn count(&self) -> usize {
        self.torrents.values().map(|torrent| torrent.v4.len() + torrent.v6.len()).sum()
    }
}

impl Torrent {
    fn forget(&mut self, oldest: u32) {
        self.v4.retain(|peer| peer.at >= oldest);
        self.v6.retain(|peer| peer.at >= oldest);
        let times = self.v4.iter().map(|peer| peer.at).chain(self.v6.iter().map(|peer| peer.at));
        self.earliest = times.min().unwrap_or(oldest);
    }
}

impl<const N: usize> Peer<N>
where
    [u8; N]: Octets,
{
    fn ip(&self) -> IpAddr {
        self.ip.ip()
    }
}

/// An address as bytes.
trait Octets {
    fn ip(&self) -> IpAddr;
}

impl Octets for [u8; 4] {
    fn ip(&self) -> IpAddr {
        Ipv4Addr::from(*self).into()
    }
}

impl Octets for [u8; 16] {
    fn ip(&self) -> IpAddr {
        Ipv6Addr::from(*self).into()
    }
}

/// Adds a peer. On the Internet an address has one place (BEP 33), whatever its port, and a network a few; on
/// the local network, where many peers may share an address, each port has one.
fn put<const N: usize>(peers: &mut Vec<Peer<N>>, peer: Peer<N>, rng: &mut Rng)
where
    [u8; N]: Octets,
{
    let away = shares::network_of(peer.ip()).is_some();
    let same = |known: &Peer<N>| known.ip == peer.ip && (away || known.port == peer.port);
    // The lengths of a network's prefix in `base::network`.
    let network = if N == 4 { 3 } else { 8 };
    let neighbour = |known: &Peer<N>| known.ip[..network] == peer.ip[..network];
    let place = if let Some(known) = peers.iter().position(same) {
        Some(known)
    } else if away && peers.iter().filter(|known| neighbour(known)).count() >= MAX_PEERS_PER_NETWORK {
        let neighbours = peers.iter().enumerate().filter(|(_, known)| neighbour(known));
        neighbours.min_by_key(|(_, known)| known.at).map(|(at, _)| at)
    } else if peers.len() >= MAX_PEERS {
        // The replaced peer is random, so a flood of announces cannot push out all others at once.
        rng.index(peers.len())
    } else {
        None
    };
    match place {
        Some(at) => peers[at] = peer,
        None => peers.push(peer),
    }
}

fn draw<const N: usize>(peers: &[Peer<N>], rng: &mut Rng, most: usize, no_seeds: bool) -> Vec<SocketAddr>
where
    [u8; N]: Octets,
{
    // Consecutive peers from a random position need one random number only, and all have the same chance.
    let count = |peer: &&Peer<N>| !(no_seeds && peer.seed);
    let fit = if no_seeds { peers.iter().filter(count).count() } else { peers.len() };
    let from = rng.index(fit).unwrap_or(0);
    let run = peers.iter().filter(count).cycle().skip(from).take(most.min(fit));
    run.map(|peer| SocketAddr::new(peer.ip(), peer.port)).collect()
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

    /// One in a network of its own.
    fn peer(n: u16) -> SocketAddr {
        SocketAddr::from(([8, (n >> 8) as u8, n as u8, 1], 6881))
    }

    fn torrent(n: u16) -> NodeId {
        let mut hash = [2; 20];
        hash[..2].copy_from_slice(&n.to_be_bytes());
        NodeId(hash)
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
        assert_eq!(peers.torrents[&NodeId([1; 20])].v4.len(), MAX_PEERS);
        for n in 0..3000_u16 {
            peers.put(at(n.into()), &mut rng, torrent(n), peer(n), false);
        }
        assert_eq!(peers.len(), MAX_TORRENTS);
        assert_eq!(peers.sample(&mut rng, 20).len(), 20);
    }

    #[test]
    fn an_address_on_the_internet_is_one_peer() {
        let (mut peers, mut rng) = (Peers::default(), Rng::new(1));
        let hash = torrent(1);
        let all = |peers: &Peers, v4| {
            let mut all = peers.some(&mut Rng::new(1), &hash, v4, 1000, false);
            all.sort();
            all
        };
        for n in 0..100 {
            peers.put(at(0), &mut rng, hash, peer(n), false);
        }
        for port in 1..1500 {
            peers.put(at(1), &mut rng, hash, SocketAddr::from(([66, 6, 6, 6], port)), false);
        }
        assert_eq!(all(&peers, true).len(), 101);
        assert_eq!(all(&peers, true).last(), Some(&SocketAddr::from(([66, 6, 6, 6], 1499))), "its last word");
        // A network that has all of its addresses is some, of IPv6 as well.
        for n in 0..=255 {
            peers.put(at(2), &mut rng, hash, SocketAddr::from(([66, 6, 6, n], 1)), false);
        }
        assert_eq!(all(&peers, true).len(), 100 + MAX_PEERS_PER_NETWORK);
        for n in 0..1000 {
            let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, n);
            peers.put(at(2), &mut rng, hash, SocketAddr::from((ip, 1)), false);
        }
        assert_eq!(all(&peers, false).len(), MAX_PEERS_PER_NETWORK);
        // Nearby every port is one.
        for port in 1..100 {
            peers.put(at(2), &mut rng, torrent(2), SocketAddr::from(([127, 0, 0, 1], port)), false);
        }
        assert_eq!(peers.some(&mut rng, &torrent(2), true, 1000, false).len(), 99);
    }

    #[test]
    fn one_network_does_not_push_out_the_torrents_of_others() {
        let (mut peers, mut rng) = (Peers::default(), Rng::new(1));
        for n in 0..1900 {
            peers.put(at(0), &mut rng, torrent(n), peer(n), false);
        }
        for n in 0..5000 {
            let loud = SocketAddr::from(([66, 6, 6, n as u8], 1));
            peers.put(at(1), &mut rng, torrent(10_000 + n), loud, false);
            // It cannot make a place its own by bringing the same.
            peers.put(at(1), &mut rng, torrent(n % 1900), loud, false);
        }
        assert_eq!(peers.len(), MAX_TORRENTS);
        assert!((0..1900).all(|n| peers.some(&mut rng, &torrent(n), true, 100, false).contains(&peer(n))));
    }

    #[test]
    fn seeds_are_told_only_to_those_who_need_them() {
        let (mut peers, mut rng) = (Peers::default(), Rng::new(1));
        for n in 0..300 {
            peers.put(at(0), &mut rng, torrent(1), peer(n), n % 3 > 0);
        }
        let mut told = std::collections::BTreeSet::new();
        for _ in 0..1000 {
            let some = peers.some(&mut rng, &torrent(1), true, 10, true);
            assert_eq!(some.len(), 10);
            told.extend(some);
        }
        assert_eq!(told, (0..100).map(|n| peer(n * 3)).collect(), "each of them at some time");
    }

    #[test]
    fn all_that_may_be_kept_is_less_than_64_mib() {
        let torrent = MAX_PEERS.next_power_of_two() * (size_of::<Peer<4>>() + size_of::<Peer<16>>())
            + 2 * size_of::<(NodeId, Torrent)>();
        assert!(MAX_TORRENTS * torrent < 64 << 20, "{}", MAX_TORRENTS * torrent);
        assert_eq!((size_of::<Peer<4>>(), size_of::<Peer<16>>()), (12, 24));
    }
}
