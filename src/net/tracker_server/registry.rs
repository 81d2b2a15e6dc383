//! The registry of a tracker: which peer is in which swarm. Has no clock and no socket.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{InfoHashes, MAX_TOTAL_LEN, Moment, Rng};
use crate::proto::announce::{Announce, AnnounceEvent, ScrapeCounts};

use super::peers::{Peer, Peers};

/// The most torrents that are remembered.
pub const MAX_TORRENTS: usize = 100_000;
/// The most peers of one torrent and address family that are remembered.
pub const MAX_PEERS: usize = 5_000;
/// The most peers that are remembered in all.
pub const MAX_PEERS_IN_ALL: usize = 1_000_000;
/// The most peers an answer names.
pub const MAX_WANT: usize = 200;
/// How many peers an answer names when the asker does not say.
const DEFAULT_WANT: usize = 50;

/// The torrents that a tracker serves.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Access {
    /// Every one.
    #[default]
    Open,
    /// Only these.
    Only(BTreeSet<InfoHashes>),
}

/// The peers that an answer may name: the formats differ in what they can carry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Families {
    /// Peers of the address family by which the asker came (BEP 15).
    Own,
    /// The asker's own first, then the other (BEP 7).
    Both,
}

/// A change of a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PeerEvent {
    /// The peer is new.
    Joined,
    /// The peer has everything now.
    Completed,
    /// The peer said goodbye.
    Left,
    /// The peer was silent for too long.
    Expired,
}

/// Something to print about a peer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerSeen {
    /// The torrent.
    pub info_hash: InfoHashes,
    /// Where the peer listens.
    pub addr: SocketAddr,
    /// The change.
    pub event: PeerEvent,
    /// The bytes it said it lacks; nothing where it did not say or does not know.
    pub left: Option<u64>,
}

/// The answer to an announce.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    /// Other peers.
    pub peers: Vec<SocketAddr>,
    /// The size of the swarm.
    pub counts: ScrapeCounts,
    /// The change to print.
    pub seen: Option<PeerSeen>,
}

/// How much there is, for people.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Totals {
    /// Torrents that are remembered.
    pub torrents: usize,
    /// Peers of all torrents.
    pub peers: usize,
    /// Peers that have everything.
    pub seeds: usize,
}

/// The swarms a tracker knows of.
#[derive(Debug)]
pub struct Registry {
    access: Access,
    lifetime: Duration,
    torrents: BTreeMap<[u8; 20], Swarm>,
    peers: usize,
    rng: Rng,
}

#[derive(Debug, Default)]
struct Swarm {
    v4: Peers,
    v6: Peers,
    completed: u32,
}

impl Registry {
    /// An empty registry whose peers are forgotten after two intervals of silence.
    pub fn new(access: Access, interval: Duration, rng: Rng) -> Self {
        Self { access, lifetime: interval.saturating_mul(2), torrents: BTreeMap::new(), peers: 0, rng }
    }

    /// Whether this torrent is served.
    pub fn serves(&self, info_hash: InfoHashes) -> bool {
        match &self.access {
            Access::Open => true,
            Access::Only(list) => list.iter().any(|listed| listed.wire() == info_hash.wire()),
        }
    }

    /// Notes an announce that came from this address and draws peers to answer it; `None` where the torrent
    /// is not served. A peer beyond the caps is answered and not remembered.
    pub fn announce(
        &mut self,
        now: Moment,
        source: IpAddr,
        announce: &Announce,
        families: Families,
    ) -> Option<Answer> {
        if !self.serves(announce.info_hash) {
            return None;
        }
        let asker = SocketAddr::new(address(source, announce.ip), announce.port);
        let key = announce.info_hash.wire();
        let room = self.torrents.len() < MAX_TORRENTS || self.torrents.contains_key(&key);
        if !room {
            return Some(Answer::default());
        }
        let swarm = self.torrents.entry(key).or_default();
        let known_before = swarm.len();
        let event = swarm.note(asker, announce, now + self.lifetime, self.peers < MAX_PEERS_IN_ALL);
        self.peers = self.peers + swarm.len() - known_before;

        let mut answer = Answer { counts: swarm.counts(), ..Answer::default() };
        // What knows no size yet claims that next to everything is missing.
        let left = Some(announce.left).filter(|&left| left < MAX_TOTAL_LEN);
        answer.seen = event.map(|event| PeerSeen { info_hash: announce.info_hash, addr: asker, event, left });
        if announce.event != AnnounceEvent::Stopped {
            let want = announce.numwant.map_or(DEFAULT_WANT, |want| MAX_WANT.min(want as usize));
            // Who begins may lack even the metadata: aria2 says then that nothing is left.
            let seeds = announce.left == 0 && announce.event != AnnounceEvent::Started;
            // An answer that can carry one family carries that of the way it takes, wherever the asker says it is.
            let v4 = match families {
                Families::Own => source.to_canonical().is_ipv4(),
                Families::Both => asker.is_ipv4(),
            };
            swarm.draw(now, asker, v4, seeds, want, families, &mut self.rng, &mut answer.peers);
        }
        if swarm.is_forgettable() {
            self.torrents.remove(&key);
        }
        Some(answer)
    }

    /// The counts of a torrent; all zero for one that is unknown or not served.
    pub fn counts(&self, info_hash: InfoHashes) -> ScrapeCounts {
        let swarm = self.torrents.get(&info_hash.wire()).filter(|_| self.serves(info_hash));
        swarm.map_or_else(|| Swarm::default().counts(), Swarm::counts)
    }

    /// Forgets the peers that have been silent for too long, and the torrents that nobody is left of.
    pub fn expire(&mut self, now: Moment) -> Vec<PeerSeen> {
        let mut seen = Vec::new();
        for (&key, swarm) in &mut self.torrents {
            let gone = swarm.v4.expire(now).into_iter().chain(swarm.v6.expire(now));
            let info_hash = InfoHashes::from_v1(key);
            seen.extend(gone.map(|addr| PeerSeen { info_hash, addr, event: PeerEvent::Expired, left: None }));
        }
        self.peers -= seen.len();
        self.torrents.retain(|_, swarm| !swarm.v4.is_empty() || !swarm.v6.is_empty());
        seen
    }

    /// How much there is.
    pub fn totals(&self) -> Totals {
        let seeds = self.torrents.values().map(|swarm| swarm.v4.seeds() + swarm.v6.seeds()).sum();
        Totals { torrents: self.torrents.len(), peers: self.peers, seeds }
    }
}

impl Swarm {
    fn len(&self) -> usize {
        self.v4.len() + self.v6.len()
    }

    /// A torrent that was never completed and has no peers left holds nothing worth keeping until the sweep.
    fn is_forgettable(&self) -> bool {
        self.len() == 0 && self.completed == 0
    }

    fn family(&mut self, of: SocketAddr) -> &mut Peers {
        if of.is_ipv4() { &mut self.v4 } else { &mut self.v6 }
    }

    fn note(
        &mut self,
        asker: SocketAddr,
        announce: &Announce,
        until: Moment,
        room: bool,
    ) -> Option<PeerEvent> {
        let peers = self.family(asker);
        if announce.event == AnnounceEvent::Stopped {
            return peers.remove(asker).map(|_| PeerEvent::Left);
        }
        let before = peers.get(asker).copied();
        if before.is_none() && (!room || peers.len() >= MAX_PEERS || asker.port() == 0) {
            return None;
        }
        let seed = announce.left == 0;
        peers.put(Peer { addr: asker, seed, until });
        match before {
            // Only who was seen incomplete can complete, so that the count cannot be driven up by repeating.
            Some(known) if !known.seed && seed => {
                self.completed = self.completed.saturating_add(1);
                Some(PeerEvent::Completed)
            }
            Some(_) => None,
            None => Some(PeerEvent::Joined),
        }
    }

    fn counts(&self) -> ScrapeCounts {
        let seeds = self.v4.seeds() + self.v6.seeds();
        ScrapeCounts {
            seeds: Some(seeds as u32),
            downloaded: Some(self.completed),
            leechers: Some((self.len() - seeds) as u32),
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one call, and every part of an answer depends on all of it"
    )]
    fn draw(
        &mut self,
        now: Moment,
        asker: SocketAddr,
        v4_first: bool,
        asker_seeds: bool,
        want: usize,
        families: Families,
        rng: &mut Rng,
        out: &mut Vec<SocketAddr>,
    ) {
        let fits = |peer: &Peer| {
            peer.addr != asker
                && peer.until > now
                // Two seeds have nothing to say to each other.
                && !(asker_seeds && peer.seed)
                // Loopback means another machine to everybody else.
                && (asker.ip().is_loopback() || !peer.addr.ip().is_loopback())
        };
        let (own, other) = if v4_first { (&self.v4, &self.v6) } else { (&self.v6, &self.v4) };
        own.draw(want, rng, fits, out);
        if families == Families::Both {
            other.draw(want - out.len(), rng, fits, out);
        }
    }
}

/// Where a peer is: where its announce came from. Only who is on this very machine may say otherwise
/// (BEP 3, "ip"), since its loopback address is of no use to others, and a stranger could name a victim.
fn address(source: IpAddr, said: Option<IpAddr>) -> IpAddr {
    let source = source.to_canonical();
    said.map(|ip| ip.to_canonical())
        .filter(|ip| source.is_loopback() && !ip.is_unspecified() && !ip.is_multicast())
        .unwrap_or(source)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::PeerId;

    const HASH: InfoHashes = InfoHashes::from_v1([1; 20]);

    fn registry() -> Registry {
        Registry::new(Access::Open, Duration::from_secs(60), Rng::new(1))
    }

    fn at(seconds: u64) -> Moment {
        Moment::after(Duration::from_secs(seconds))
    }

    fn say(port: u16, left: u64, event: AnnounceEvent) -> Announce {
        Announce {
            info_hash: HASH,
            peer_id: PeerId([0; 20]),
            port,
            uploaded: 0,
            downloaded: 0,
            left,
            event,
            key: 0,
            numwant: None,
            ip: None,
            tracker_id: None,
        }
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("a test address")
    }

    fn tell(registry: &mut Registry, seconds: u64, source: &str, announce: &Announce) -> Answer {
        registry.announce(at(seconds), ip(source), announce, Families::Both).expect("an open tracker")
    }

    fn counts(registry: &Registry) -> [u32; 3] {
        let counts = registry.counts(HASH);
        [counts.seeds, counts.leechers, counts.downloaded].map(|n| n.expect("our tracker counts"))
    }

    #[test]
    fn an_answer_over_one_family_names_peers_of_that_family() {
        let mut r = registry();
        tell(&mut r, 0, "10.0.0.1", &say(1000, 5, AnnounceEvent::Started));
        tell(&mut r, 0, "2001:db8::1", &say(1000, 5, AnnounceEvent::Started));
        // Who is on this machine says where it is, though it asks by another way.
        let claims = Announce { ip: Some(ip("10.0.0.9")), ..say(2000, 5, AnnounceEvent::Started) };
        for (source, peer) in [("::1", "[2001:db8::1]:1000"), ("127.0.0.1", "10.0.0.1:1000")] {
            let answer = r.announce(at(1), ip(source), &claims, Families::Own).expect("an open tracker");
            assert_eq!(answer.peers, [peer.parse().expect("an address")], "{source}");
        }
    }

    #[test]
    fn peers_find_one_another_and_never_themselves() {
        let mut r = registry();
        let first = tell(&mut r, 0, "10.0.0.1", &say(1000, 5, AnnounceEvent::Started));
        assert_eq!(first.peers, []);
        assert_eq!(first.seen.map(|seen| seen.event), Some(PeerEvent::Joined));
        let second = tell(&mut r, 1, "10.0.0.2", &say(1000, 0, AnnounceEvent::Started));
        assert_eq!(second.peers, ["10.0.0.1:1000".parse().expect("an address")]);
        let again = tell(&mut r, 2, "10.0.0.1", &say(1000, 5, AnnounceEvent::None));
        assert_eq!(again.peers, ["10.0.0.2:1000".parse().expect("an address")]);
        assert_eq!(again.seen, None);
        assert_eq!(counts(&r), [1, 1, 0]);
    }

    #[test]
    fn completing_counts_once() {
        let mut r = registry();
        tell(&mut r, 0, "10.0.0.1", &say(1, 5, AnnounceEvent::Started));
        for _ in 0..3 {
            tell(&mut r, 1, "10.0.0.1", &say(1, 0, AnnounceEvent::Completed));
        }
        // A seed that claims to have completed without ever having been incomplete is none.
        tell(&mut r, 1, "10.0.0.2", &say(1, 0, AnnounceEvent::Completed));
        assert_eq!(counts(&r), [2, 0, 1]);
    }

    #[test]
    fn who_stops_or_falls_silent_is_forgotten() {
        let mut r = registry();
        tell(&mut r, 0, "10.0.0.1", &say(1, 5, AnnounceEvent::Started));
        tell(&mut r, 0, "10.0.0.2", &say(1, 5, AnnounceEvent::Started));
        tell(&mut r, 100, "10.0.0.3", &say(1, 5, AnnounceEvent::Started));
        // Stopping answers with nobody, and a stranger cannot stop another.
        let left = tell(&mut r, 100, "10.0.0.1", &say(1, 5, AnnounceEvent::Stopped));
        assert_eq!((left.peers.len(), left.seen.map(|seen| seen.event)), (0, Some(PeerEvent::Left)));
        assert_eq!(tell(&mut r, 100, "10.0.0.9", &say(1, 5, AnnounceEvent::Stopped)).seen, None);
        // Past its time it is not named any more, even before the sweep.
        assert_eq!(tell(&mut r, 121, "10.0.0.3", &say(1, 5, AnnounceEvent::None)).peers, []);
        assert_eq!(r.expire(at(121)).len(), 1);
        assert_eq!(r.totals(), Totals { torrents: 1, peers: 1, seeds: 0 });
        assert_eq!(r.expire(at(1000)).len(), 1);
        assert_eq!(r.totals(), Totals::default());
    }

    #[test]
    fn families_are_kept_apart_where_the_format_demands_it() {
        let mut r = registry();
        tell(&mut r, 0, "10.0.0.1", &say(1, 5, AnnounceEvent::Started));
        tell(&mut r, 0, "2001:db8::1", &say(1, 5, AnnounceEvent::Started));
        let ask = say(2, 5, AnnounceEvent::Started);
        let own = r.announce(at(1), ip("10.0.0.2"), &ask, Families::Own).expect("open").peers;
        assert!(own.len() == 1 && own[0].is_ipv4());
        let own = r.announce(at(1), ip("2001:db8::2"), &ask, Families::Own).expect("open").peers;
        assert!(own.len() == 1 && own[0].is_ipv6());
        let both = tell(&mut r, 1, "2001:db8::3", &ask).peers;
        assert_eq!(both.len(), 4);
        assert!(both[0].is_ipv6() && both[3].is_ipv4());
        // A mapped address is the IPv4 address it carries.
        assert_eq!(tell(&mut r, 1, "::ffff:10.0.0.2", &ask).seen, None);
    }

    #[test]
    fn an_answer_is_bounded_and_a_full_swarm_takes_nobody() {
        let mut r = registry();
        for n in 0..=MAX_PEERS {
            let [a, b] = (n as u16).to_be_bytes();
            let answer = tell(&mut r, 0, &format!("10.1.{a}.{b}"), &say(1, 5, AnnounceEvent::Started));
            assert_eq!(answer.seen.is_some(), n < MAX_PEERS);
        }
        assert_eq!(r.totals().peers, MAX_PEERS);
        let mut ask = say(2, 5, AnnounceEvent::None);
        for (want, given) in [(None, DEFAULT_WANT), (Some(0), 0), (Some(7), 7), (Some(u32::MAX), MAX_WANT)] {
            ask.numwant = want;
            assert_eq!(tell(&mut r, 1, "10.9.9.9", &ask).peers.len(), given);
        }
    }

    #[test]
    fn only_listed_torrents_are_served() {
        let listed = InfoHashes::from_v1([2; 20]);
        let mut r = Registry::new(Access::Only([listed].into()), Duration::from_secs(60), Rng::new(1));
        let mut ask = say(1, 5, AnnounceEvent::Started);
        assert_eq!(r.announce(at(0), ip("10.0.0.1"), &ask, Families::Both), None);
        ask.info_hash = listed;
        assert!(r.announce(at(0), ip("10.0.0.1"), &ask, Families::Both).is_some());
        assert_eq!(r.totals().torrents, 1);
    }

    #[test]
    fn seeds_are_not_told_of_seeds_nor_strangers_of_loopback() {
        let mut r = registry();
        tell(&mut r, 0, "127.0.0.1", &say(1, 0, AnnounceEvent::Started));
        assert_eq!(tell(&mut r, 0, "127.0.0.1", &say(2, 0, AnnounceEvent::Started)).peers.len(), 1);
        assert_eq!(tell(&mut r, 0, "127.0.0.1", &say(2, 0, AnnounceEvent::None)).peers, []);
        assert_eq!(tell(&mut r, 0, "127.0.0.1", &say(3, 5, AnnounceEvent::Started)).peers.len(), 2);
        assert_eq!(tell(&mut r, 0, "10.0.0.1", &say(3, 5, AnnounceEvent::Started)).peers, []);
    }

    #[test]
    fn only_this_machine_may_name_another_address() {
        let mut r = registry();
        let mut ask = say(1, 5, AnnounceEvent::Started);
        ask.ip = Some(ip("192.168.1.5"));
        let local = tell(&mut r, 0, "127.0.0.1", &ask).seen.expect("new");
        assert_eq!(local.addr.ip(), ip("192.168.1.5"));
        let stranger = tell(&mut r, 0, "10.0.0.1", &ask).seen.expect("new");
        assert_eq!(stranger.addr.ip(), ip("10.0.0.1"));
    }
}
