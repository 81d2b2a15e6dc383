//! The peers that a torrent knows, and how it meets others. Lives as long as the torrent, whatever the phase.

use std::collections::BTreeMap;
use std::time::Duration;

use super::config::Config;
use super::peer::Peer;
use crate::base::{Meter, Moment, Rng, Timers};
use crate::proto::message::Message;
use crate::swarm::event::{Departure, Output, PeerKey};
use crate::swarm::parts::announcer::Announcer;
use crate::swarm::parts::candidates::{Candidates, Dialler};
use crate::swarm::parts::lookups::Lookups;

/// Rates are averaged over about this long.
const WINDOW: Duration = Duration::from_secs(5);
/// Fewer peers and addresses than this are too few.
const FEW: usize = 10;

/// The purpose of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// An announce or a scrape is due.
    Announce,
    /// A search in the DHT may be due.
    Lookup,
    /// An address may be dialled.
    Dial,
    /// Pieces of the info dictionary may be asked of others.
    Metadata,
    /// Pipelines are looked at, while anyone owes us.
    Pulse,
    /// Slots are given and silence is noticed, while anyone is connected.
    Round,
    /// Peers may be told of one another.
    Exchange,
}

/// Bytes that moved.
#[derive(Clone, Debug)]
pub struct Counters {
    /// Payload that was of use.
    pub down: Meter,
    /// Payload that was sent.
    pub up: Meter,
    /// Payload that was of no use.
    pub wasted: u64,
}

/// See the head of this file.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, Debug)]
pub struct Swarm {
    /// The settings of the torrent.
    pub config: Config,
    /// The chance of everything the torrent decides.
    pub rng: Rng,
    /// Every connection.
    pub peers: BTreeMap<PeerKey, Peer>,
    /// Addresses that may be peers.
    pub candidates: Candidates,
    /// When which tracker is asked.
    pub announcer: Announcer,
    /// When peers are searched for in the DHT, if it is used.
    pub lookups: Option<Lookups>,
    /// Bytes that moved.
    pub counters: Counters,
    /// When the torrent wants to be woken, and for what.
    pub timers: Timers<Timer>,
    /// Whether it has changed what can be dialled when.
    pub redial: bool,
    /// Paused by the user.
    pub paused: bool,
    /// Left for good.
    pub stopped: bool,
    /// Every wanted piece is verified and written.
    pub finished: bool,
}

impl Swarm {
    /// Nobody is known yet.
    pub fn new(now: Moment, mut config: Config, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        config.max_peers = config.max_peers.max(1);
        // Peer exchange is offered, and taken back, only where a torrent may prove private later.
        config.pex &= !config.private;
        let announcer = Announcer::new(now, &config.trackers, &mut rng);
        Self {
            candidates: Candidates::new(now, config.ours.clone()),
            announcer,
            lookups: (config.dht && !config.private).then(|| Lookups::new(now, false)),
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

    /// Sends a message.
    pub fn say(&mut self, now: Moment, peer: PeerKey, message: Message, out: &mut Vec<Output>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.said_at = now;
            out.push(Output::Say { peer, message });
        }
    }

    /// Every connection, so that each can be changed while walking through them.
    pub fn keys(&self) -> Vec<PeerKey> {
        self.peers.keys().copied().collect()
    }

    /// Connections that are ended when this address is banned.
    pub fn keys_of(&self, who: std::net::SocketAddr) -> Vec<PeerKey> {
        self.peers.iter().filter(|(_, peer)| peer.address_owner() == who).map(|(&key, _)| key).collect()
    }

    /// Whether there are too few peers, and too few addresses to try.
    pub fn is_lonely(&self) -> bool {
        self.peers.len() < FEW && self.candidates.fresh() < FEW
    }

    /// For whom addresses are sought now.
    pub fn dialler(&self) -> Dialler {
        match (self.finished, self.peers.is_empty()) {
            (true, _) => Dialler::Complete,
            (false, true) => Dialler::Alone,
            (false, false) => Dialler::InCompany,
        }
    }

    /// Dials whom it may, and sets the deadline for the next.
    pub fn dial(&mut self, now: Moment, out: &mut Vec<Output>) {
        self.redial = false;
        self.timers.stop(Timer::Dial);
        if self.paused {
            return;
        }
        let dialler = self.dialler();
        while self.peers.len() + self.candidates.dialling() < self.config.max_peers {
            let Some(addr) = self.candidates.next(now, dialler, &mut self.rng) else {
                if let Some(due) = self.candidates.due(now, dialler) {
                    self.timers.set(Timer::Dial, due.max(now + Duration::from_millis(1)));
                }
                return;
            };
            out.push(Output::Dial { addr });
        }
    }

    /// Notes that a connection has ended, and whether the peer was of use.
    pub fn note_left(&mut self, now: Moment, peer: &Peer, useful: bool, why: Departure) {
        self.redial = true;
        self.plan_exchange(now);
        if let Some(addr) = peer.listens {
            let useful = useful && !matches!(why, Departure::Protocol | Departure::Lied);
            let useful = useful || why == Departure::Stopping;
            self.candidates.left(now, addr, useful, peer.is_seed());
        }
    }
}
