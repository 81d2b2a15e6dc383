//! The store of a node: blocks while they come in, and a disk that can be slow or full.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use torr::base::{BLOCK_LEN, Block, Geometry, Moment, Piece, RUN_BLOCKS, RUN_LEN, Sha1Digest};

use super::liar::{Content, digest};

/// The knobs of a disk.
#[derive(Clone, Copy, Debug)]
pub struct DiskPlan {
    /// Bytes per second it hashes and writes.
    pub rate: u64,
    /// The time that every job takes besides.
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
#[derive(Clone)]
pub struct Disk {
    plan: DiskPlan,
    assemblies: BTreeMap<Piece, BTreeMap<u32, Content>>,
    /// Pieces that are taken in runs.
    in_runs: BTreeSet<Piece>,
    jobs: BTreeMap<Piece, (BTreeMap<u32, Content>, bool)>,
    /// How many blocks of a long piece are written early.
    settled: BTreeMap<Piece, u32>,
    /// Runs that are being written, by number.
    runs: BTreeMap<u64, Piece>,
    count: u64,
    free_at: Moment,
    pub full: bool,
}

impl Disk {
    pub fn new(plan: DiskPlan) -> Self {
        Self {
            plan,
            assemblies: BTreeMap::new(),
            in_runs: BTreeSet::new(),
            jobs: BTreeMap::new(),
            settled: BTreeMap::new(),
            runs: BTreeMap::new(),
            count: 0,
            free_at: Moment::START,
            full: false,
        }
    }

    /// Everything unfinished is forgotten, as when the program ends.
    pub fn forget(&mut self) {
        self.assemblies.clear();
        self.in_runs.clear();
        self.jobs.clear();
        self.settled.clear();
        self.runs.clear();
    }

    /// Makes room for a piece.
    pub fn open(&mut self, piece: Piece, in_runs: bool) {
        let before = self.assemblies.insert(piece, BTreeMap::new());
        assert!(before.is_none() && !self.jobs.contains_key(&piece), "its last life has ended");
        if in_runs {
            self.in_runs.insert(piece);
        } else {
            self.in_runs.remove(&piece);
        }
    }

    /// A block is put into its piece.
    pub fn land(&mut self, block: Block, content: Content) {
        let before = self
            .assemblies
            .get_mut(&block.piece())
            .expect("its piece is open")
            .insert(block.index(), content);
        assert!(before.is_none(), "it is put there once");
    }

    /// A piece is not wanted any more.
    pub fn discard(&mut self, piece: Piece) {
        self.assemblies.remove(&piece);
        self.settled.remove(&piece);
        self.runs.retain(|_, of| *of != piece);
    }

    /// The next run of a long piece, if it is there and no other is being written: its number, and when it
    /// will be written. The last run is for `verify`.
    pub fn run(&mut self, now: Moment, geometry: &Geometry, piece: Piece) -> Option<(u64, Moment)> {
        let blocks = self.assemblies.get(&piece).filter(|_| self.in_runs.contains(&piece))?;
        let end = self.settled.get(&piece).copied().unwrap_or(0) + RUN_BLOCKS;
        let there = blocks.range(end - RUN_BLOCKS..end).count() as u32 == RUN_BLOCKS;
        if !there || end >= geometry.blocks_in(piece) || self.runs.values().any(|of| *of == piece) {
            return None;
        }
        self.count += 1;
        self.runs.insert(self.count, piece);
        Some((self.count, self.busy(now, RUN_LEN)))
    }

    /// The time of a run has come: of which piece how many blocks are written, unless there is no room for
    /// them; `None` if it was forgotten.
    pub fn run_done(&mut self, number: u64) -> Option<(Piece, Option<u32>)> {
        let piece = self.runs.remove(&number)?;
        let settled = self.settled.entry(piece).or_default();
        *settled += RUN_BLOCKS;
        Some((piece, Some(*settled).filter(|_| !self.full)))
    }

    /// Bytes of a piece that are in memory.
    pub fn held(&self) -> u64 {
        let landed: usize =
            self.assemblies.values().chain(self.jobs.values().map(|(b, _)| b)).map(BTreeMap::len).sum();
        let left: u32 = self.settled.values().sum();
        (landed as u64 - u64::from(left)) * u64::from(BLOCK_LEN)
    }

    fn busy(&mut self, now: Moment, bytes: u64) -> Moment {
        let work = Duration::from_secs_f64(bytes as f64 / self.plan.rate as f64);
        self.free_at = self.free_at.max(now) + work + self.plan.delay;
        self.free_at
    }

    /// A piece is to be hashed and written; when that will be done.
    pub fn verify(&mut self, now: Moment, geometry: &Geometry, piece: Piece, digests: bool) -> Moment {
        let blocks = self.assemblies.remove(&piece).unwrap_or_default();
        assert_eq!(blocks.len() as u32, geometry.blocks_in(piece), "piece {} is not whole", piece.index());
        let early = u64::from(self.settled.get(&piece).copied().unwrap_or(0) * BLOCK_LEN);
        // A run that is being written is one with the rest from now on.
        self.runs.retain(|_, of| *of != piece);
        self.jobs.insert(piece, (blocks, digests));
        self.busy(now, u64::from(geometry.len_of(piece)) - early)
    }

    /// The time of a job has come; `None` if it was forgotten.
    pub fn done(&mut self, piece: Piece) -> Option<Outcome> {
        let (blocks, wanted) = self.jobs.remove(&piece)?;
        self.settled.remove(&piece);
        let right = blocks.values().all(|&content| content == 0);
        let digests = || blocks.iter().map(|(&at, &content)| digest(piece.index(), at, content)).collect();
        Some(match (right, self.full) {
            (false, _) => Outcome::Spoiled(digests()),
            (true, true) => Outcome::Unwritten,
            (true, false) => Outcome::Verified(if wanted { digests() } else { Vec::new() }),
        })
    }
}
