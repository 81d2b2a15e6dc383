//! The content of a torrent: which pieces are ours, which are on their way, and who gets what.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::connections::Connections;
use super::peer::{Counted, Peer};
use super::swarm::Swarm;
use crate::base::{Geometry, Moment};
use crate::swarm::event::{ContentSetup, Departure, Order, Output, PeerKey, Priority};
use crate::swarm::parts::choker::Choker;
use crate::swarm::parts::partial_pieces::PartialPieces;
use crate::swarm::parts::peer_completions::PeerCompletions;
use crate::swarm::parts::picker::Picker;
use crate::swarm::parts::progress::Progress;
use crate::swarm::parts::rarity::Rarity;
use crate::swarm::parts::smart_ban::SmartBan;

/// A connection that brought nothing for this long may make room for another.
const PROBATION: Duration = Duration::from_secs(180);
/// Senders that have left are remembered until there are this many.
const MAX_SENDERS: usize = 4096;

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Content {
    /// Pieces, blocks and files.
    pub geometry: Arc<Geometry>,
    /// The pieces we have and lack.
    pub progress: Progress,
    /// How many peers have each lacking piece.
    pub rarity: Rarity,
    /// The choice of the next piece.
    pub picker: Picker,
    /// Pieces that are on their way.
    pub partial: PartialPieces,
    /// By what those who sent blocks are blamed, also after they have left.
    pub senders: BTreeMap<PeerKey, SocketAddr>,
    /// The choice of the peers that get upload slots.
    pub choker: Choker,
    /// The senders of pieces that came out wrong.
    pub smart_ban: SmartBan,
    /// Whole copies that others have made with our help.
    pub completions: PeerCompletions,
    /// In which order pieces are chosen.
    pub order: Order,
    /// Only give, never fetch.
    pub seed_only: bool,
    /// Pieces that somebody reads as they come, by their numbers.
    pub ahead: Range<u32>,
    /// Peers that may have room in their pipeline.
    pub hungry: BTreeSet<PeerKey>,
    /// Blocks or budget became free, so peers that found nothing may find something.
    pub freed: bool,
}

impl Content {
    /// Holds the pieces of `have`, all of them in the files and right.
    pub fn new(setup: ContentSetup, swarm: &mut Swarm) -> Self {
        let ContentSetup { geometry, have, priorities, order, seed_only } = setup;
        let priorities = if seed_only {
            // What is there is what is wanted.
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
            hungry: BTreeSet::new(),
            freed: false,
        }
    }

    /// Bytes that are missing, as trackers hear it (BEP 3): 0 only if all is there.
    pub fn left(&self) -> u64 {
        if self.progress.have().is_full() {
            return 0;
        }
        let (_, _, have) = self.progress.bytes();
        self.geometry.total().saturating_sub(have).max(1)
    }

    /// Remembers by what a new peer is blamed.
    pub fn peer_joined(&mut self, swarm: &Swarm, key: PeerKey) {
        self.senders.extend(swarm.peers.get(&key).map(|peer| (key, peer.address_owner())));
        while self.senders.len() > MAX_SENDERS {
            let gone = self.senders.keys().find(|key| !swarm.peers.contains_key(key)).copied();
            let Some(gone) = gone else { break };
            self.senders.remove(&gone);
        }
    }

    /// Leaves a peer if neither side can ever have anything for the other.
    pub fn close_if_useless(&mut self, swarm: &mut Swarm, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let Some(peer) = swarm.peers.get(&key) else { return };
        let wants_nothing = peer.is_seed() || (peer.upload_only && !peer.wants);
        if swarm.finished && wants_nothing {
            self.close(swarm, now, key, Departure::Useless, out);
        }
    }
}

impl Connections for Content {
    /// Frees the blocks that the peer owed, and no longer counts the pieces that it had.
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
        self.hungry.remove(&key);
        self.freed = true;
        peer.down.total() > 0 || peer.up.total() > 0
    }
}

/// The peer that could best be spared while pieces move: of those that have been here for a while and move nothing
/// either way, the one of the lowest canonical priority (BEP 40). A caller is to have a higher one.
pub fn spare(swarm: &Swarm, now: Moment, caller: Option<SocketAddr>) -> Option<PeerKey> {
    let spare = swarm.peers.iter().filter(|(_, peer)| {
        let idle = peer.down.rate(now) < 1.0 && peer.up.rate(now) < 1.0;
        now.since(peer.came) >= PROBATION && idle
    });
    let rank = |addr: SocketAddr| swarm.candidates.rank(addr);
    let worst = spare.min_by_key(|(_, peer)| (peer.interested || peer.wants, rank(peer.addr)));
    worst.filter(|(_, peer)| caller.is_none_or(|caller| rank(caller) > rank(peer.addr))).map(|(&key, _)| key)
}
