//! One torrent as a state machine, from its info-hashes to its last seeded byte.
//!
//! [`Torrent`] has two halves. The [`swarm`] is whom we know and how we meet: peers, candidates, announces, DHT
//! look-ups, peer exchange, timers. It lives as long as the torrent. The [`phase`] is what passes between us and the
//! peers: the info dictionary, and once that is known the content. The files beside this one hold the verbs, which
//! introduce the parts to one another; `handle.rs` lists them.

mod ahead;
mod announcing;
mod config;
mod connecting;
mod connections;
pub(super) mod content;
mod handle;
mod hearing;
mod metadata;
mod metadata_upload;
mod opening;
pub(super) mod peer;
mod peer_exchange;
pub(super) mod phase;
mod priorities;
mod receiving;
mod requesting;
mod serving;
pub(super) mod summary;
pub(super) mod swarm;
mod timers;

use self::content::Content;
use self::phase::Phase;
use self::swarm::Swarm;
use crate::base::{Bitfield, Moment, Piece};
use crate::swarm::event::ContentSetup;

pub use self::config::Config;

/// One torrent: give it inputs with [`Torrent::handle`], and `Tick` when [`Torrent::deadline`] is reached.
#[derive(Clone, Debug)]
pub struct Torrent {
    pub(super) swarm: Swarm,
    pub(super) phase: Phase,
}

impl Torrent {
    /// A torrent of which the info-hashes are known: it finds peers and fetches the info dictionary (BEP 9), until
    /// `ContentOpened` says what there is to move. The first announce is due at once. The same seed and inputs give
    /// the same outputs.
    pub fn new(now: Moment, config: Config, seed: u64) -> Self {
        let mut torrent = Self { swarm: Swarm::new(now, config, seed), phase: Phase::default() };
        torrent.plan(now);
        torrent
    }

    /// A torrent whose metadata is known from the start. One that lacks nothing wanted is finished from the start and
    /// notes nothing.
    pub fn with_content(now: Moment, config: Config, setup: ContentSetup, seed: u64) -> Self {
        let mut torrent = Self::new(now, config, seed);
        // Nobody is connected yet, so there is nobody to be told.
        torrent.open(now, setup, &mut Vec::new());
        torrent.plan(now);
        torrent
    }

    /// When the next `Tick` is wanted.
    pub fn deadline(&self) -> Option<Moment> {
        self.swarm.timers.next().map(|(at, _)| at)
    }

    /// Whether the content is known, and pieces may move.
    pub const fn is_open(&self) -> bool {
        self.phase.content().is_some()
    }

    /// The pieces we have; a set of no pieces before the content is open.
    pub fn have(&self) -> &Bitfield {
        static NO_PIECES: Bitfield = Bitfield::EMPTY;
        self.phase.content().map_or(&NO_PIECES, |content| content.progress.have())
    }

    /// Whether every wanted piece is verified and written.
    pub const fn is_finished(&self) -> bool {
        self.swarm.finished
    }

    /// Whether peers may come from trackers and the user only (BEP 27), as far as that is known.
    pub const fn is_private(&self) -> bool {
        self.swarm.config.private
    }

    /// Whether it has left the swarm for good.
    pub const fn is_stopped(&self) -> bool {
        self.swarm.stopped
    }

    /// Bytes of the buffers that are set aside for blocks of open pieces, filled or not. What has landed
    /// and has not been reported as `Verified`, `HashFailed`, `WriteFailed` or `SegmentWritten` is never more.
    pub fn held(&self) -> u64 {
        self.phase.content().map_or(0, |content| content.partial.bytes())
    }
}

impl Content {
    pub(super) fn is_in_runs(&self, piece: Piece) -> bool {
        self.partial.get(piece).is_some_and(|open| open.window().is_in_runs())
    }

    /// Whether nothing that is wanted is left to be asked for a first time.
    fn in_end_game(&self) -> bool {
        self.rarity.free().is_empty() && self.partial.with_free().next().is_none()
    }
}
