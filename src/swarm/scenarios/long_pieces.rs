//! Pieces too long for memory, downloaded front first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::stage::{Stage, addr, asked, cancelled, config, modern};
use crate::base::{BLOCK_LEN, Block, Geometry, Piece, RUN_BLOCKS, Rng};
use crate::proto::message::Message;
use crate::swarm::event::{DisconnectReason, Input, Note, Output, PeerKey};

const RUN: u64 = 1 << 20;

/// Makes a torrent of two pieces of 5 MiB and a shorter one, with `budget` bytes of memory.
fn stage(budget: u64, seed: u64) -> Stage {
    let geometry = Geometry::single(5 * RUN, 10 * RUN + seed % 3 * 1_000_001 + 7).unwrap();
    let mut stage = Stage::of(Arc::new(geometry), false, config());
    stage.give(Input::Budget { bytes: budget });
    stage
}

/// The blocks of one piece that are in memory.
#[derive(Default)]
struct Held {
    settled: u32,
    landed: BTreeSet<u32>,
    whole: bool,
    in_runs: bool,
}

/// A world with peers that send in any order and a slow disk.
struct World {
    stage: Stage,
    rng: Rng,
    budget: u64,
    peers: Vec<PeerKey>,
    owed: Vec<(PeerKey, Block)>,
    held: BTreeMap<Piece, Held>,
    finished: bool,
    /// Whether faults have stopped.
    calm: bool,
}

impl World {
    fn new(budget: u64, seed: u64) -> Self {
        let (stage, rng) = (stage(budget, seed), Rng::new(seed));
        Self {
            stage,
            rng,
            budget,
            peers: vec![],
            owed: vec![],
            held: BTreeMap::new(),
            finished: false,
            calm: false,
        }
    }

    fn give(&mut self, input: Input) {
        let out = self.stage.give(input);
        self.follow(&out);
    }

    fn follow(&mut self, out: &[Output]) {
        for order in out {
            match order {
                Output::Request { peer, blocks } => {
                    self.owed.extend(blocks.iter().map(|&block| (*peer, block)));
                }
                Output::Cancel { peer, blocks } => {
                    self.owed.retain(|(of, block)| of != peer || !blocks.contains(block));
                }
                Output::Close { peer, .. } => self.gone(*peer),
                Output::Open { piece, in_runs } => {
                    let before = self.held.insert(*piece, Held { in_runs: *in_runs, ..Held::default() });
                    assert!(before.is_none(), "its last life has ended");
                }
                Output::Accept { blocks } => {
                    for block in blocks {
                        let held = self.held.get_mut(&block.piece()).expect("it is open");
                        assert!(
                            block.index() >= held.settled && held.landed.insert(block.index()),
                            "it is new"
                        );
                    }
                }
                Output::Verify { piece, .. } => self.held.get_mut(piece).unwrap().whole = true,
                Output::Discard { piece } => drop(self.held.remove(piece)),
                Output::Note(Note::Finished) => self.finished = true,
                _ => {}
            }
        }
        let landed: usize = self.held.values().map(|held| held.landed.len()).sum();
        let (landed, held) = (landed as u64 * u64::from(BLOCK_LEN), self.stage.torrent.held());
        assert!(landed <= held, "{landed} bytes have landed and {held} are set aside");
        assert!(held <= self.budget.max(RUN), "{held} bytes are held");
    }

    fn gone(&mut self, peer: PeerKey) {
        self.peers.retain(|&known| known != peer);
        self.owed.retain(|(of, _)| *of != peer);
    }

    fn come(&mut self, n: u8) {
        let (peer, out) = self.stage.connect_with(n, true, modern());
        self.peers.push(peer);
        self.follow(&out);
        let all = n == 0 || self.calm || self.rng.one_in(2);
        let has =
            if all { Message::HaveAll } else { Message::Bitfield(vec![(self.rng.below(8) << 5) as u8]) };
        self.give(Input::MessageReceived { peer, message: has });
        self.give(Input::MessageReceived { peer, message: Message::Unchoke });
    }

    fn land(&mut self) {
        let Some(at) = self.rng.index(self.owed.len()) else { return };
        let (peer, block) = self.owed.swap_remove(at);
        let out = self.stage.give(Input::BlocksReceived { peer, blocks: vec![block] });
        assert!(out.contains(&Output::Accept { blocks: vec![block] }), "what is asked is in reach");
        self.follow(&out);
    }

    /// Completes one disk operation. Returns whether there was one.
    fn disk(&mut self) -> bool {
        let geometry = self.stage.geometry().clone();
        let ready = self.held.iter().find_map(|(&piece, held)| {
            let total = geometry.blocks_in(piece);
            let end = if held.in_runs { total.min(held.settled + RUN_BLOCKS) } else { total };
            let there = (held.settled..end).all(|index| held.landed.contains(&index));
            (there && (end < total || held.whole)).then_some((piece, end, total))
        });
        let Some((piece, end, total)) = ready else { return false };
        if end == total {
            self.held.remove(&piece);
            let digests = vec![[0; 20]; total as usize];
            let fact = match self.rng.below(12) {
                0 if !self.calm => Input::HashFailed { piece, digests },
                1 if !self.calm => Input::WriteFailed { piece },
                _ => Input::PieceVerified { piece, digests },
            };
            self.give(fact);
        } else if !self.calm && self.rng.one_in(40) {
            self.held.remove(&piece);
            self.give(Input::WriteFailed { piece });
        } else {
            let held = self.held.get_mut(&piece).unwrap();
            held.settled = end;
            held.landed.retain(|&index| index >= end);
            self.give(Input::SegmentWritten { piece, blocks: end });
        }
        true
    }

    fn step(&mut self, n: u32) {
        let peer = self.rng.index(self.peers.len()).map(|at| self.peers[at]);
        match (self.rng.below(200), peer) {
            (0..120, _) => self.land(),
            (120..140, _) => drop(self.disk()),
            (140, Some(peer)) if self.peers.len() > 1 => {
                self.gone(peer);
                self.give(Input::Disconnected { peer, why: DisconnectReason::Closed });
            }
            (141..144, _) if self.peers.len() < 6 => self.come((n % 200) as u8 + 1),
            (144..146, Some(peer)) => {
                self.give(Input::MessageReceived { peer, message: Message::Choke });
                for (_, block) in self.owed.extract_if(.., |(of, _)| *of == peer).collect::<Vec<_>>() {
                    self.give(Input::MessageReceived { peer, message: Message::Reject(block.span().into()) });
                }
                self.give(Input::MessageReceived { peer, message: Message::Unchoke });
            }
            (146, _) => {
                let seconds = self.rng.below(15);
                let out = self.stage.pass(seconds);
                self.follow(&out);
            }
            _ => {}
        }
    }
}

#[test]
fn whatever_order_blocks_come_in_a_long_piece_is_finished_with_little_memory() {
    for seed in 0..40 {
        let budget = [0, RUN, RUN + RUN / 2, 3 * RUN, 8 * RUN][seed as usize % 5];
        let mut world = World::new(budget, seed);
        world.come(0);
        for n in 0..2000 {
            world.step(n);
        }
        // The faults stop: a seed connects and stays, and sends everything.
        world.calm = true;
        world.come(250);
        let mut steps = 0;
        while !world.finished {
            steps += 1;
            assert!(steps < 60_000, "seed {seed}: {} of 3 pieces", world.stage.torrent.have().count());
            if !world.owed.is_empty() {
                world.land();
            } else if !world.disk() {
                let out = world.stage.pass(1);
                world.follow(&out);
            }
        }
        assert!(world.stage.torrent.have().is_full() && world.stage.torrent.held() == 0);
    }
}

#[test]
fn one_peer_brings_a_long_piece_from_its_front_to_its_end() {
    let mut stage = Stage::of(Arc::new(Geometry::single(64 * RUN, 64 * RUN).unwrap()), false, config());
    stage.give(Input::Budget { bytes: 2 * RUN });
    let (peer, mut owed) = stage.meet_seed(1);
    let (mut next, mut settled) = (0, 0);
    while !owed.is_empty() {
        for block in std::mem::take(&mut owed) {
            assert_eq!(block.index(), next, "front first");
            next += 1;
            owed.extend(asked(&stage.land(peer, &[block]), peer));
            if next - settled == RUN_BLOCKS && next < 4096 {
                settled = next;
                let (piece, blocks) = (stage.piece(0), settled);
                owed.extend(asked(&stage.give(Input::SegmentWritten { piece, blocks }), peer));
            }
        }
    }
    let piece = stage.piece(0);
    stage.give(Input::PieceVerified { piece, digests: vec![] });
    assert!(stage.torrent.is_finished());
}

#[test]
fn a_hole_whose_peer_falls_silent_is_asked_of_another() {
    let mut stage = Stage::of(Arc::new(Geometry::single(8 * RUN, 16 * RUN).unwrap()), false, config());
    stage.give(Input::Budget { bytes: RUN });
    let (silent, hole) = stage.meet_seed(1);
    assert_eq!((hole[0].index(), hole[0].piece()), (0, hole[1].piece()));
    let (other, mut owed) = stage.meet_seed(2);
    let mut landed = BTreeSet::new();
    for _ in 0..100 {
        let out = if owed.is_empty() { stage.pass(1) } else { stage.land(other, &owed) };
        landed.extend(owed.drain(..).map(Block::index));
        owed = asked(&out, other);
    }
    let front: BTreeSet<u32> = (0..RUN_BLOCKS).collect();
    assert_eq!(landed, front, "all that memory is set aside for, the hole too, and nothing else");
    assert!(stage.torrent.swarm.peers[&silent].pipeline.pending().is_empty());
    let piece = hole[0].piece();
    let out = stage.give(Input::SegmentWritten { piece, blocks: RUN_BLOCKS });
    let on = asked(&out, other);
    assert!(!on.is_empty() && on.iter().all(|block| block.piece() == piece && block.index() >= RUN_BLOCKS));
}

#[test]
fn a_run_that_cannot_be_written_gives_up_its_piece() {
    let mut stage = Stage::of(Arc::new(Geometry::single(8 * RUN, 8 * RUN).unwrap()), false, config());
    stage.give(Input::Budget { bytes: 2 * RUN });
    let (peer, blocks) = stage.meet_seed(1);
    stage.land(peer, &blocks[..1]);
    let piece = stage.piece(0);
    let out = stage.give(Input::WriteFailed { piece });
    assert!(out.contains(&Output::Discard { piece }));
    assert!(cancelled(&out, peer).contains(&blocks[1]));
    assert!(asked(&out, peer).contains(&blocks[0]), "it is begun again");
    assert!(!out.contains(&Output::Note(Note::Banned(addr(1)))));
}

#[test]
fn where_memory_is_plenty_pieces_are_taken_whole() {
    let geometry = Arc::new(Geometry::single(4 * RUN, 40 * RUN).unwrap());
    for (budget, in_runs) in [(16 * RUN, false), (15 * RUN, true)] {
        let mut stage = Stage::of(geometry.clone(), false, config());
        stage.give(Input::Budget { bytes: budget });
        let (_, blocks) = stage.meet_seed(1);
        let content = stage.torrent.phase.content().unwrap();
        assert_eq!(content.is_in_runs(blocks[0].piece()), in_runs);
        assert_eq!(stage.torrent.held(), if in_runs { RUN } else { 4 * RUN });
    }
}
