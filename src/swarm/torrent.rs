//! The struct that holds the parts of one torrent.
//!
//! The verbs in the files beside this one introduce the parts to one another; see `handle.rs` for
//! the list of them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use crate::base::{Bitfield, Block, Geometry, InfoHash, Meter, Moment, PeerId, Piece, Rng, Timers};
use crate::proto::message::Message;

use super::announcer::Announcer;
use super::blame::Blame;
use super::candidates::Candidates;
use super::choker::Choker;
use super::copies::Copies;
use super::event::{Order, Output, PeerKey, Priority, TrackerKey};
use super::lookups::Lookups;
use super::peer::Peer;
use super::picker::Picker;
use super::progress::Progress;
use super::rarity::Rarity;
use super::started::Started;

/// What a torrent is told once, at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Which torrent it is.
    pub info_hash: InfoHash,
    /// Who we say we are.
    pub id: PeerId,
    /// The port on which we listen; 0 if we do not.
    pub port: u16,
    /// Peers may come from trackers and the user only (BEP 27).
    pub private: bool,
    /// Search for peers in the DHT; never done where `private` is set.
    pub dht: bool,
    /// Exchange addresses with peers (BEP 11); never done where `private` is set.
    pub pex: bool,
    /// While only the name is known: the content is wanted, too.
    pub eager: bool,
    /// The bytes of the info dictionary, for peers that lack them (BEP 9); empty if they are not to be given.
    pub info: Arc<[u8]>,
    /// The number by which trackers know us again after an address change.
    pub announce_key: u32,
    /// The tiers of trackers (BEP 12), by their place in the whole list.
    pub trackers: Vec<Vec<TrackerKey>>,
    /// The most connections; at least 1 is taken.
    pub max_peers: usize,
    /// The user's upload limit in bytes per second, from which the number of slots follows.
    pub upload_limit: Option<u64>,
    /// In which order pieces are chosen.
    pub order: Order,
    /// The priority of each piece; empty for all normal.
    pub priorities: Vec<Priority>,
    /// Only give, never fetch.
    pub seed_only: bool,
    /// Our own listening addresses, as far as they are known.
    pub ours: Vec<SocketAddr>,
    /// What we call ourselves to peers.
    pub client: String,
}

impl Config {
    /// A torrent with every default: no trackers, 100 peers, no limit.
    pub fn new(info_hash: InfoHash, id: PeerId) -> Self {
        Self {
            info_hash,
            id,
            port: 0,
            private: false,
            dht: false,
            pex: false,
            eager: false,
            info: Arc::default(),
            announce_key: 0,
            trackers: Vec::new(),
            max_peers: 100,
            upload_limit: None,
            order: Order::default(),
            priorities: Vec::new(),
            seed_only: false,
            ours: Vec::new(),
            client: concat!("torr ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

/// What a deadline is for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Timer {
    /// An announce or a scrape is due.
    Announce,
    /// A search in the DHT may be due.
    Lookup,
    /// An address may be dialled.
    Dial,
    /// Pipelines are looked at, while anyone owes us.
    Pulse,
    /// Slots are given and silence is noticed, while anyone is connected.
    Round,
    /// Peers may be told of one another.
    Exchange,
}

/// Bytes that moved.
#[derive(Clone, Debug)]
pub(super) struct Counters {
    pub(super) down: Meter,
    pub(super) up: Meter,
    pub(super) wasted: u64,
}

#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
/// One torrent: give it facts with [`Torrent::handle`], and `Tick` when [`Torrent::deadline`] is reached.
#[derive(Clone, Debug)]
pub struct Torrent {
    pub(super) config: Config,
    pub(super) geometry: Arc<Geometry>,
    pub(super) rng: Rng,
    pub(super) progress: Progress,
    pub(super) rarity: Rarity,
    pub(super) picker: Picker,
    pub(super) started: Started,
    pub(super) peers: BTreeMap<PeerKey, Peer>,
    pub(super) senders: BTreeMap<PeerKey, SocketAddr>,
    pub(super) candidates: Candidates,
    pub(super) announcer: Announcer,
    /// Searches in the DHT, if it is used.
    pub(super) lookups: Option<Lookups>,
    pub(super) choker: Choker,
    pub(super) blame: Blame,
    pub(super) counters: Counters,
    pub(super) copies: Copies,
    pub(super) timers: Timers<Timer>,
    /// Bytes of open pieces that are allowed.
    pub(super) budget: u64,
    /// Pieces that somebody reads as they come, by their numbers.
    pub(super) ahead: Range<u32>,
    /// Peers that may have room in their pipeline.
    pub(super) hungry: BTreeSet<PeerKey>,
    /// Blocks or budget became free, so peers that found nothing may find something.
    pub(super) freed: bool,
    /// What can be dialled when has changed.
    pub(super) redial: bool,
    pub(super) paused: bool,
    pub(super) stopped: bool,
    pub(super) finished: bool,
}

impl Torrent {
    /// A torrent that holds the pieces in `have` (all of them in the files and right). The first
    /// announce is due at once; a torrent that lacks nothing wanted is finished from the start and notes
    /// nothing. The same seed and facts give the same orders.
    pub fn new(now: Moment, mut config: Config, geometry: Arc<Geometry>, have: Bitfield, seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        config.max_peers = config.max_peers.max(1);
        let priorities = if config.seed_only {
            // What is there is what is wanted.
            let wanted = |piece| if have.has(piece) { Priority::Normal } else { Priority::Skip };
            geometry.pieces().map(wanted).collect()
        } else {
            std::mem::take(&mut config.priorities)
        };
        let progress = Progress::new(&geometry, have, priorities);
        let mut rarity = Rarity::new(geometry.piece_count());
        for piece in progress.lacking().iter() {
            rarity.put(piece, progress.priority(piece), &mut rng);
        }
        let announcer = Announcer::new(now, &config.trackers, &mut rng);
        let finished = progress.lacking().is_empty();
        let lookups = (config.dht && !config.private).then(|| Lookups::new(now, finished));
        let window = std::time::Duration::from_secs(5);
        let mut torrent = Self {
            candidates: Candidates::new(now, config.ours.clone()),
            config,
            rng,
            rarity,
            picker: Picker::default(),
            started: Started::default(),
            peers: BTreeMap::new(),
            senders: BTreeMap::new(),
            announcer,
            lookups,
            choker: Choker::default(),
            blame: Blame::default(),
            counters: Counters { down: Meter::new(now, window), up: Meter::new(now, window), wasted: 0 },
            copies: Copies::default(),
            timers: Timers::new(),
            budget: 64 << 20,
            ahead: 0..0,
            hungry: BTreeSet::new(),
            freed: false,
            redial: false,
            paused: false,
            stopped: false,
            finished,
            progress,
            geometry,
        };
        torrent.plan(now);
        torrent
    }

    /// When the next `Tick` is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        self.timers.next().map(|(at, _)| at)
    }

    /// The pieces we have.
    pub const fn have(&self) -> &Bitfield {
        self.progress.have()
    }

    /// Whether every wanted piece is verified and written.
    pub const fn is_finished(&self) -> bool {
        self.finished
    }

    /// Whether the user paused it.
    pub const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Whether this block is of use when it lands: its piece is open, and it is in reach there.
    pub fn takes(&self, block: Block) -> bool {
        let open = self.started.get(block.piece());
        open.is_some_and(|open| open.reach().range().contains(&block.index()))
    }

    /// Whether this piece is open and taken in runs, each of which is to be hashed and written as soon as
    /// its blocks have landed and those before it are; `Settled` follows for each but the last.
    pub fn is_in_runs(&self, piece: Piece) -> bool {
        self.started.get(piece).is_some_and(|open| open.reach().is_in_runs())
    }

    /// Bytes of the buffers that are set aside for blocks of open pieces, filled or not. What has landed
    /// and has not been reported as `Verified`, `Spoiled`, `Unwritten` or `Settled` is never more.
    pub fn held(&self) -> u64 {
        self.started.bytes()
    }

    /// Whether it has left the swarm for good.
    pub const fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// Orders a message to be sent.
    pub(super) fn say(&mut self, now: Moment, peer: PeerKey, message: Message, out: &mut Vec<Output>) {
        if let Some(known) = self.peers.get_mut(&peer) {
            known.said_at = now;
            out.push(Output::Say { peer, message });
        }
    }

    /// Every connection, so that each can be changed while walking through them.
    pub(super) fn keys(&self) -> Vec<PeerKey> {
        self.peers.keys().copied().collect()
    }

    /// Whether nothing that is wanted is left to be asked for a first time.
    pub(super) fn in_end_game(&self) -> bool {
        self.rarity.free().is_empty() && self.started.with_free().next().is_none()
    }
}
