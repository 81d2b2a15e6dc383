//! The content of a torrent: its pieces, and the parts that download and upload them.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::connections::Connections;
use super::peer::{Counted, Peer};
use super::swarm::Swarm;
use crate::base::{Geometry, Moment};
use crate::swarm::event::{ContentSetup, DisconnectReason, Order, Output, PeerKey, Priority};
use crate::swarm::parts::choker::Choker;
use crate::swarm::parts::partial_pieces::PartialPieces;
use crate::swarm::parts::peer_completions::PeerCompletions;
use crate::swarm::parts::picker::Picker;
use crate::swarm::parts::progress::Progress;
use crate::swarm::parts::rarity::Rarity;
use crate::swarm::parts::smart_ban::SmartBan;

/// The time without payload after which a connection may make room for another.
const PROBATION: Duration = Duration::from_secs(180);
/// The most senders that are remembered after they have left.
const MAX_SENDERS: usize = 4096;

/// The content of a torrent whose metadata is known.
#[derive(Clone, Debug)]
pub struct Content {
    /// The geometry of pieces, blocks and files.
    pub geometry: Arc<Geometry>,
    /// The pieces we have and lack.
    pub progress: Progress,
    /// The availability of each missing piece.
    pub rarity: Rarity,
    /// The piece picker.
    pub picker: Picker,
    /// The pieces being downloaded.
    pub partial: PartialPieces,
    /// The address to blame for the blocks of each peer, also after it has left.
    pub senders: BTreeMap<PeerKey, SocketAddr>,
    /// The choker, which assigns the upload slots.
    pub choker: Choker,
    /// The smart ban: records of failed pieces.
    pub smart_ban: SmartBan,
    /// The count of peers that completed the download with our help.
    pub completions: PeerCompletions,
    /// The order in which pieces are picked.
    pub order: Order,
    /// Only upload, never download.
    pub seed_only: bool,
    /// The read-ahead pieces, by index.
    pub ahead: Range<u32>,
    /// Peers that may have room in their pipeline.
    pub wants_requests: BTreeSet<PeerKey>,
    /// Whether blocks or memory became free, so that peers without requests may get some.
    pub reconsider: bool,
}

impl Content {
    /// Makes the content of a torrent, with verified pieces in `have`. Its unfinished pieces are not open yet.
    pub fn new(setup: ContentSetup, swarm: &mut Swarm) -> Self {
        let ContentSetup { geometry, have, priorities, order, seed_only, unfinished: _ } = setup;
        let priorities = if seed_only {
            // Only the pieces that exist are wanted.
            let wanted = |piece| if have.has(piece) { Priority::Normal } else { Priority::Skip };
            geometry.pieces().map(wanted).collect()
        } else {
            priorities
        };
        let progress = Progress::new(&geometry, have, priorities);
        let mut rarity = Rarity::new(geometry.piece_count());
        for piece in progress.lacking().iter() {
            rarity.put(piece, progress.priority(piece), &mut swarm.rng);
        }
        Self {
            geometry,
            progress,
            rarity,
            picker: Picker::default(),
            partial: PartialPieces::default(),
            senders: BTreeMap::new(),
            choker: Choker::default(),
            smart_ban: SmartBan::default(),
            completions: PeerCompletions::default(),
            order,
            seed_only,
            ahead: 0..0,
            wants_requests: BTreeSet::new(),
            reconsider: false,
        }
    }

    /// The missing bytes, as announced to trackers (BEP 3): 0 only if all pieces are there.
    pub fn left(&self) -> u64 {
        if self.progress.have().is_full() {
            return 0;
        }
        let (_, _, have) = self.progress.bytes();
        self.geometry.total().saturating_sub(have).max(1)
    }

    /// Remembers the address to blame for the blocks of a new peer.
    pub fn peer_joined(&mut self, swarm: &Swarm, key: PeerKey) {
        self.senders.extend(swarm.peers.get(&key).map(|peer| (key, peer.address_owner())));
        while self.senders.len() > MAX_SENDERS {
            let gone = self.senders.keys().find(|key| !swarm.peers.contains_key(key)).copied();
            let Some(gone) = gone else { break };
            self.senders.remove(&gone);
        }
    }

    /// Closes the connection if neither side can ever have anything for the other.
    pub fn close_if_useless(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = swarm.peers.get(&key) else { return };
        let wants_nothing = peer.is_seed() || (peer.upload_only && !peer.wants);
        if swarm.finished && wants_nothing {
            self.close(swarm, now, key, DisconnectReason::Useless, out);
        }
    }
}

impl Connections for Content {
    /// Frees the blocks requested from the peer, and removes its pieces from the availability.
    fn peer_left(&mut self, swarm: &mut Swarm, key: PeerKey, peer: &mut Peer) -> bool {
        for block in peer.pipeline.clear() {
            self.partial.release(block, key);
        }
        self.partial.disown(key);
        match peer.counted {
            Counted::Seed => self.rarity.seed_left(),
            Counted::Each => {
                for piece in peer.has.iter() {
                    self.rarity.down(piece, &mut swarm.rng);
                }
            }
        }
        self.wants_requests.remove(&key);
        self.reconsider = true;
        peer.down.total() > 0 || peer.up.total() > 0
    }
}

/// Returns the connection to close in favour of another: of those old enough and without transfer in either
/// direction, the one with the lowest canonical peer priority (BEP 40). `caller` must have a higher one.
pub fn spare(swarm: &Swarm, now: Moment, caller: Option<SocketAddr>) -> Option<PeerKey> {
    let spare = swarm.peers.iter().filter(|(_, peer)| {
        let idle = peer.down.rate(now) < 1.0 && peer.up.rate(now) < 1.0;
        now.since(peer.came) >= PROBATION && idle
    });
    let rank = |addr: SocketAddr| swarm.candidates.rank(addr);
    let worst = spare.min_by_key(|(_, peer)| (peer.interested || peer.wants, rank(peer.addr)));
    worst.filter(|(_, peer)| caller.is_none_or(|caller| rank(caller) > rank(peer.addr))).map(|(&key, _)| key)
}
