//! The torrent that a node runs, from its info-hash to its last byte: the only file of the world that knows
//! how the library passes from metadata to content.

use torr::base::{Bitfield, Block, Geometry, Moment, Piece};
use torr::swarm::event::{Input, Order, Output, PeerKey, Priority, Wish};
use torr::swarm::seeker::Seeker;
use torr::swarm::{Config, Torrent};

use std::sync::Arc;

/// The content of a torrent, as the host opens it once the info dictionary is known.
#[derive(Clone, Debug)]
pub struct ContentSetup {
    /// Pieces, blocks and files.
    pub geometry: Arc<Geometry>,
    /// The pieces that are there and verified.
    pub have: Bitfield,
    /// The priority of each piece.
    pub priorities: Vec<Priority>,
    /// The order in which pieces are picked.
    pub order: Order,
    /// Upload only.
    pub seed_only: bool,
}

/// One torrent as a state machine, in either phase.
#[derive(Clone)]
pub struct Machine {
    config: Config,
    seed: u64,
    budget: Option<u64>,
    paused: bool,
    phase: Phase,
}

#[derive(Clone)]
enum Phase {
    Metadata(Box<Seeker>),
    Content(Box<Torrent>),
}

impl Machine {
    /// A torrent of which only the info-hash is known.
    pub fn new(now: Moment, config: Config, seed: u64) -> Self {
        let seeker = Seeker::new(now, config.clone(), seed);
        Self { config, seed, budget: None, paused: false, phase: Phase::Metadata(Box::new(seeker)) }
    }

    /// A torrent whose info dictionary is known from the start.
    pub fn with_content(now: Moment, config: Config, setup: ContentSetup, seed: u64) -> Self {
        let torrent = content(now, &config, setup, seed);
        Self { config, seed, budget: None, paused: false, phase: Phase::Content(Box::new(torrent)) }
    }

    /// Handles an input; pushes the outputs that follow.
    pub fn handle(&mut self, now: Moment, input: Input, out: &mut Vec<Output>) {
        match &input {
            Input::Budget { bytes } => self.budget = Some(*bytes),
            Input::Wish(Wish::Pause) => self.paused = true,
            Input::Wish(Wish::Resume) => self.paused = false,
            Input::Wish(Wish::UploadLimit(limit)) => self.config.upload_limit = *limit,
            _ => {}
        }
        match &mut self.phase {
            Phase::Content(torrent) => torrent.handle(now, input, out),
            Phase::Metadata(seeker) => {
                let first = out.len();
                seeker.handle(now, input, out);
                for output in &out[first..] {
                    if let Output::Metadata(Ok(metainfo)) = output {
                        self.config.info = metainfo.raw_info().into();
                        self.config.private = metainfo.is_private();
                    }
                }
            }
        }
    }

    /// Begins the content phase. Peers, candidates, trackers and DHT searches live on.
    pub fn open(&mut self, now: Moment, setup: ContentSetup, out: &mut Vec<Output>) {
        let Phase::Metadata(seeker) = &self.phase else { return };
        let same: Vec<_> = self.config.trackers.iter().flatten().copied().map(Some).collect();
        let mut torrent = content(now, &self.config, setup, self.seed);
        torrent.take_over(now, seeker.as_ref().clone().leave(), &same, out);
        if let Some(bytes) = self.budget {
            torrent.handle(now, Input::Budget { bytes }, out);
        }
        if self.paused {
            torrent.handle(now, Input::Wish(Wish::Pause), out);
        }
        self.phase = Phase::Content(Box::new(torrent));
    }

    /// The time at which the next `Tick` is due.
    pub fn deadline(&self) -> Option<Moment> {
        match &self.phase {
            Phase::Metadata(seeker) => seeker.deadline(),
            Phase::Content(torrent) => torrent.deadline(),
        }
    }

    /// The pieces it has; nothing before the content phase.
    pub fn have(&self) -> Option<&Bitfield> {
        self.content().map(Torrent::have)
    }

    /// Whether this block is of use when it is received.
    pub fn takes(&self, block: Block) -> bool {
        self.content().is_some_and(|torrent| torrent.takes(block))
    }

    /// Whether this piece is hashed and written in segments.
    pub fn is_in_runs(&self, piece: Piece) -> bool {
        self.content().is_some_and(|torrent| torrent.is_in_runs(piece))
    }

    /// Bytes of memory set aside for blocks.
    pub fn held(&self) -> u64 {
        self.content().map_or(0, Torrent::held)
    }

    /// Bytes of the info dictionary that have come, of the attempt that has most; nothing in the content phase.
    pub fn metadata_bytes(&self) -> Option<u64> {
        match &self.phase {
            Phase::Metadata(seeker) => Some(seeker.summary().progress.map_or(0, |(bytes, _)| bytes)),
            Phase::Content(_) => None,
        }
    }

    /// Every connected peer, and how many blocks it owes.
    pub fn debts(&self, now: Moment) -> Vec<(PeerKey, u32)> {
        match &self.phase {
            Phase::Metadata(seeker) => seeker.peers(now).map(|peer| (peer.key, peer.owes)).collect(),
            Phase::Content(torrent) => torrent.peers(now).map(|peer| (peer.key, peer.owes)).collect(),
        }
    }

    fn content(&self) -> Option<&Torrent> {
        match &self.phase {
            Phase::Metadata(_) => None,
            Phase::Content(torrent) => Some(torrent),
        }
    }
}

fn content(now: Moment, config: &Config, setup: ContentSetup, seed: u64) -> Torrent {
    let ContentSetup { geometry, have, priorities, order, seed_only } = setup;
    let config = Config { priorities, order, seed_only, ..config.clone() };
    Torrent::new(now, config, geometry, have, seed)
}
