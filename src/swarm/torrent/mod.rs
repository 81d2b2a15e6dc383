//! A torrent as a state machine, from its info-hashes to seeding.
//!
//! [`Torrent`] has two halves. The [`swarm`] is everything about peers as such: connections, candidates,
//! announces, DHT searches, peer exchange, timers. It lives as long as the torrent. The [`phase`] is what is
//! transferred: the info dictionary, then the content. The other files hold the methods that connect the
//! parts; `handle.rs` lists them.

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

/// A torrent: give it inputs with [`Torrent::handle`], and `Tick` when [`Torrent::deadline`] is reached.
#[derive(Clone, Debug)]
pub struct Torrent {
    pub(super) swarm: Swarm,
    pub(super) phase: Phase,
}

impl Torrent {
    /// Makes a torrent from its info-hashes. It finds peers and downloads the info dictionary (BEP 9) until
    /// `ContentOpened` provides the content. The first announce is due at once. The same seed and inputs give
    /// the same outputs.
    pub fn new(now: Moment, config: Config, seed: u64) -> Self {
        let mut torrent = Self { swarm: Swarm::new(now, config, seed), phase: Phase::default() };
        torrent.plan_timers(now);
        torrent
    }

    /// Makes a torrent whose metadata is known. If no wanted piece is missing, it is finished from the start,
    /// without a note.
    pub fn with_content(now: Moment, config: Config, setup: ContentSetup, seed: u64) -> Self {
        let mut torrent = Self::new(now, config, seed);
        // Nobody is connected yet, so there are no outputs; unfinished pieces need `ContentOpened`.
        torrent.open(now, setup, &mut Vec::new());
        torrent.plan_timers(now);
        torrent
    }

    /// The time at which the next `Tick` is due.
    pub fn deadline(&self) -> Option<Moment> {
        self.swarm.timers.next().map(|(at, _)| at)
    }

    /// Whether the content is open, so that pieces can be transferred.
    pub const fn is_open(&self) -> bool {
        self.phase.content().is_some()
    }

    /// The pieces we have; a set of no pieces before the content is open.
    pub fn have(&self) -> &Bitfield {
        static NO_PIECES: Bitfield = Bitfield::EMPTY;
        self.phase.content().map_or(&NO_PIECES, |content| content.progress.have())
    }

    /// Whether all wanted pieces are verified and written.
    pub const fn is_finished(&self) -> bool {
        self.swarm.finished
    }

    /// Whether peers may come from trackers and the user only (BEP 27), as far as known.
    pub const fn is_private(&self) -> bool {
        self.swarm.config.private
    }

    /// Whether the torrent has left the swarm for good.
    pub const fn is_stopped(&self) -> bool {
        self.swarm.stopped
    }

    /// The bytes of the buffers that are set aside for blocks of partial pieces, filled or not. The received
    /// blocks that were not yet reported as `Verified`, `HashFailed`, `WriteFailed` or `SegmentWritten` are
    /// never more.
    pub fn held(&self) -> u64 {
        self.phase.content().map_or(0, |content| content.partial.bytes())
    }
}

impl Content {
    pub(super) fn is_in_runs(&self, piece: Piece) -> bool {
        self.partial.get(piece).is_some_and(|open| open.window().is_in_runs())
    }

    /// Whether every missing block is requested at least once.
    fn in_end_game(&self) -> bool {
        self.rarity.free().is_empty() && self.partial.with_free().next().is_none()
    }
}
