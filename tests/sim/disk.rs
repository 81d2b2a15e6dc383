//! The store of a node: blocks while they come in, and a disk that can be slow or full.

use std::collections::BTreeMap;
use std::time::Duration;

use torr::base::{Block, Geometry, Moment, Piece, Sha1Digest};

use super::liar::{Content, digest};

/// The knobs of a disk.
#[derive(Clone, Copy, Debug)]
pub struct DiskPlan {
    /// Bytes per second it hashes and writes.
    pub rate: u64,
    /// What every job takes besides.
    pub delay: Duration,
}

impl Default for DiskPlan {
    fn default() -> Self {
        Self { rate: 400 << 20, delay: Duration::from_millis(1) }
    }
}

/// How a piece came out.
pub enum Outcome {
    Verified(Vec<Sha1Digest>),
    Spoiled(Vec<Sha1Digest>),
    Unwritten,
}

/// The store of one node. Of two of the same block the first wins, as in the real one.
pub struct Disk {
    plan: DiskPlan,
    assemblies: BTreeMap<Piece, BTreeMap<u32, Content>>,
    jobs: BTreeMap<Piece, (BTreeMap<u32, Content>, bool)>,
    free_at: Moment,
    pub full: bool,
}

impl Disk {
    pub fn new(plan: DiskPlan) -> Self {
        Self { plan, assemblies: BTreeMap::new(), jobs: BTreeMap::new(), free_at: Moment::START, full: false }
    }

    /// Everything unfinished is forgotten, as when the program ends.
    pub fn forget(&mut self) {
        self.assemblies.clear();
        self.jobs.clear();
    }

    /// A block came in.
    pub fn land(&mut self, block: Block, content: Content) {
        if !self.jobs.contains_key(&block.piece()) {
            self.assemblies.entry(block.piece()).or_default().entry(block.index()).or_insert(content);
        }
    }

    /// A piece is not wanted any more.
    pub fn discard(&mut self, piece: Piece) {
        self.assemblies.remove(&piece);
    }

    /// A piece is to be hashed and written; when that will be done.
    pub fn verify(&mut self, now: Moment, geometry: &Geometry, piece: Piece, digests: bool) -> Moment {
        let blocks = self.assemblies.remove(&piece).unwrap_or_default();
        assert_eq!(blocks.len() as u32, geometry.blocks_in(piece), "piece {} is not whole", piece.index());
        let work = Duration::from_secs_f64(f64::from(geometry.len_of(piece)) / self.plan.rate as f64);
        self.free_at = self.free_at.max(now) + work + self.plan.delay;
        self.jobs.insert(piece, (blocks, digests));
        self.free_at
    }

    /// The time of a job has come; `None` if it was forgotten.
    pub fn done(&mut self, piece: Piece) -> Option<Outcome> {
        let (blocks, wanted) = self.jobs.remove(&piece)?;
        let right = blocks.values().all(|&content| content == 0);
        let digests = || blocks.iter().map(|(&at, &content)| digest(piece.index(), at, content)).collect();
        Some(match (right, self.full) {
            (false, _) => Outcome::Spoiled(digests()),
            (true, true) => Outcome::Unwritten,
            (true, false) => Outcome::Verified(if wanted { digests() } else { Vec::new() }),
        })
    }
}
