//! The peers of a torrent, and the ways to find and connect to them. It lives through all phases.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::Config;
use super::peer::Peer;
use crate::base::{Meter, Moment, Rng, Timers};
use crate::proto::message::Message;
use crate::swarm::event::{DisconnectReason, Output, PeerKey};
use crate::swarm::parts::announcer::Announcer;
use crate::swarm::parts::candidates::{Candidates, DialMode};
use crate::swarm::parts::dht_schedule::DhtSchedule;

/// The time over which rates are averaged.
const WINDOW: Duration = Duration::from_secs(5);
/// The number of peers and of fresh candidates below which more are needed.
const FEW: usize = 10;

/// The purpose of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// An announce or a scrape is due.
    Announce,
    /// A DHT search may be due.
    Lookup,
    /// A candidate may be dialled.
    Dial,
    /// Pieces of the info dictionary may be requested from other peers.
    Metadata,
    /// Pipelines are adjusted, while requests are pending.
    Pulse,
    /// The choker runs and silent peers are closed, while peers are connected.
    Round,
    /// Peer exchange messages may be sent.
    Exchange,
}

/// The payload totals of a torrent.
#[derive(Clone, Debug)]
pub struct Counters {
    /// The useful payload received.
    pub down: Meter,
    /// The payload sent.
    pub up: Meter,
    /// The useless payload received, in bytes.
    pub wasted: u64,
}

/// The peers of a torrent, and the ways to find and connect to them.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, Debug)]
pub struct Swarm {
    /// The settings of the torrent.
    pub config: Config,
    /// The random numbers of all decisions of the torrent.
    pub rng: Rng,
    /// The connected peers.
    pub peers: BTreeMap<PeerKey, Peer>,
    /// Addresses of possible peers.
    pub candidates: Candidates,
    /// The schedule of announces and scrapes.
    pub announcer: Announcer,
    /// The schedule of DHT searches, if the DHT is used.
    pub dht_schedule: Option<DhtSchedule>,
    /// The payload totals.
    pub counters: Counters,
    /// The deadlines and their purposes.
    pub timers: Timers<Timer>,
    /// Whether candidates changed, so that dials must be planned anew.
    pub redial: bool,
    /// Whether the user paused the torrent.
    pub paused: bool,
    /// Whether the torrent has left the swarm for good.
    pub stopped: bool,
    /// Whether all wanted pieces are verified and written.
    pub finished: bool,
}

impl Swarm {
    /// Makes a swarm without peers.
    pub fn new(now: Moment, mut config: Config, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        config.max_peers = config.max_peers.max(1);
        // Peer exchange is only offered if the torrent is not private; it is withdrawn if it proves private
        // later.
        config.pex &= !config.private;
        let announcer = Announcer::new(now, &config.trackers, &mut rng);
        Self {
            candidates: Candidates::new(now, config.ours.clone()),
            announcer,
            dht_schedule: (config.dht && !config.private).then(|| DhtSchedule::new(now, false)),
            counters: Counters { down: Meter::new(now, WINDOW), up: Meter::new(now, WINDOW), wasted: 0 },
            timers: Timers::new(),
            peers: BTreeMap::new(),
            redial: false,
            paused: false,
            stopped: false,
            finished: false,
            rng,
            config,
        }
    }

    /// Sends a message to a peer.
    pub fn send(&mut self, now: Moment, peer: PeerKey, message: Message, out: &mut Vec<Output>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.sent_at = now;
            out.push(Output::Send { peer, message });
        }
    }

    /// Returns all keys, so that peers can be changed or removed while walking over them.
    pub fn keys(&self) -> Vec<PeerKey> {
        self.peers.keys().copied().collect()
    }

    /// Returns the connections that a ban of this address closes.
    pub fn keys_of(&self, who: std::net::SocketAddr) -> Vec<PeerKey> {
        self.peers.iter().filter(|(_, peer)| peer.address_owner() == who).map(|(&key, _)| key).collect()
    }

    /// Whether there are too few peers, and too few candidates to dial.
    pub fn is_lonely(&self) -> bool {
        self.peers.len() < FEW && self.candidates.fresh() < FEW
    }

    /// The kind of torrent that dials now.
    pub fn dial_mode(&self) -> DialMode {
        match (self.finished, self.peers.is_empty()) {
            (true, _) => DialMode::Seeding,
            (false, true) => DialMode::Isolated,
            (false, false) => DialMode::Downloading,
        }
    }

    /// Dials all candidates that may be dialled, and sets the deadline for the next.
    pub fn dial(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.redial = false;
        self.timers.stop(Timer::Dial);
        if self.paused {
            return;
        }
        let mode = self.dial_mode();
        while self.peers.len() + self.candidates.dialling() < self.config.max_peers {
            let Some(addr) = self.candidates.next(now, mode, &mut self.rng) else {
                if let Some(due) = self.candidates.due(now, mode) {
                    self.timers.set(Timer::Dial, due.max(now + Duration::from_millis(1)));
                }
                return;
            };
            out.push(Output::Dial { addr });
        }
    }

    /// Records that a connection has ended, and whether the peer was useful.
    pub fn record_disconnect(&mut self, now: Moment, peer: &Peer, useful: bool, why: DisconnectReason) {
        self.redial = true;
        self.plan_exchange(now);
        if let Some(addr) = peer.listens {
            let useful = useful && !matches!(why, DisconnectReason::Protocol | DisconnectReason::Lied);
            let useful = useful || why == DisconnectReason::Stopping;
            self.candidates.disconnected(now, addr, useful, peer.is_seed());
        }
    }
}
