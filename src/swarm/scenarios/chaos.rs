//! Random behaviour of peers, disks and users.

use std::time::Duration;

use super::stage::{Stage, addr, config, modern};
use crate::base::{Block, PeerId, Piece, Rng};
use crate::proto::handshake::Reserved;
use crate::proto::message::{Message, Wanted};
use crate::swarm::Config;
use crate::swarm::event::{
    DialFailure, DisconnectReason, Input, Order, Output, PeerHandshake, PeerKey, Priority, Source,
    TorrentCommand,
};

const PIECES: u32 = 13;

fn piece(rng: &mut Rng) -> u32 {
    rng.below(u64::from(PIECES) + u64::from(rng.clone().one_in(40))) as u32
}

fn wanted(rng: &mut Rng) -> Wanted {
    let len = if rng.one_in(20) { rng.below(70_000) as u32 } else { 16_384 };
    Wanted { piece: piece(rng), begin: rng.below(4) as u32 * 16_384, len }
}

fn message(rng: &mut Rng) -> Message {
    match rng.below(22) {
        0 => Message::Choke,
        1..4 => Message::Unchoke,
        4 => Message::NotInterested,
        5..7 => Message::Interested,
        7..10 => Message::Have(piece(rng)),
        10 => Message::Bitfield(vec![rng.below(256) as u8, (rng.below(32) << 3) as u8]),
        11..14 => Message::Request(wanted(rng)),
        14 => Message::Cancel(wanted(rng)),
        15 => Message::Reject(wanted(rng)),
        16 => Message::Suggest(piece(rng)),
        17 => Message::AllowedFast(piece(rng)),
        18 if rng.one_in(2) => Message::HaveAll,
        18 => Message::HaveNone,
        19 => Message::Extended { id: 1, body: piece(rng).to_be_bytes().to_vec() },
        20 => Message::Extended {
            id: rng.below(6) as u8,
            body: b"d1:md11:lt_donthavei7ee4:reqqi9e11:upload_onlyi1ee".to_vec(),
        },
        _ => Message::Unknown(99),
    }
}

struct World {
    stage: Stage,
    owed: Vec<(PeerKey, Block)>,
    served: Vec<(PeerKey, crate::base::Span)>,
    verifying: Vec<Piece>,
    peers: Vec<PeerKey>,
    dials: Vec<std::net::SocketAddr>,
}

impl World {
    fn follow(&mut self, out: &[Output]) {
        for order in out {
            match order {
                Output::Request { peer, blocks } => self.owed.extend(blocks.iter().map(|&b| (*peer, b))),
                Output::Cancel { peer, blocks } => {
                    self.owed.retain(|(p, b)| p != peer || !blocks.contains(b));
                }
                Output::Serve { peer, spans } => self.served.extend(spans.iter().map(|&s| (*peer, s))),
                Output::CancelServe { peer, spans } => {
                    self.served.retain(|(p, s)| p != peer || !(spans.is_empty() || spans.contains(s)));
                }
                Output::Close { peer, .. } => self.gone(*peer),
                Output::Verify { piece, .. } => self.verifying.push(*piece),
                Output::Dial { addr } => self.dials.push(*addr),
                _ => {}
            }
        }
    }

    fn gone(&mut self, peer: PeerKey) {
        self.peers.retain(|&p| p != peer);
        self.owed.retain(|(p, _)| *p != peer);
        self.served.retain(|(p, _)| *p != peer);
    }

    fn give(&mut self, input: Input) {
        let out = self.stage.give(input);
        self.follow(&out);
    }

    fn step(&mut self, rng: &mut Rng, n: u64) {
        let peer = rng.index(self.peers.len()).map(|i| self.peers[i]);
        match (rng.below(30), peer) {
            (0 | 1, _) => {
                let id = PeerId([rng.below(12) as u8; 20]);
                let reserved = if rng.one_in(3) { Reserved::NONE } else { modern() };
                let key = PeerKey(1000 + n);
                self.peers.push(key);
                let hello = PeerHandshake { id, reserved };
                let (addr, incoming) = match self.dials.pop().filter(|_| rng.one_in(2)) {
                    Some(addr) => (addr, false),
                    None => (addr(rng.below(12) as u8), true),
                };
                self.give(Input::Connected { peer: key, addr, incoming, hello });
            }
            (2, Some(peer)) if rng.one_in(3) => {
                self.gone(peer);
                self.give(Input::Disconnected { peer, why: DisconnectReason::Closed });
            }
            (3..16, Some(peer)) => {
                let message = message(rng);
                if let Message::Reject(w) = &message {
                    let block = self.stage.geometry().block_at(w.piece, w.begin, w.len);
                    self.owed.retain(|&(p, b)| p != peer || Some(b) != block);
                }
                if message == Message::Choke {
                    self.owed.retain(|&(p, _)| p != peer || rng.one_in(2));
                }
                self.give(Input::MessageReceived { peer, message });
            }
            (16..22, _) if !self.owed.is_empty() => {
                let (peer, block) = self.owed.swap_remove(rng.index(self.owed.len()).unwrap());
                self.give(Input::BlocksReceived { peer, blocks: vec![block] });
            }
            (22 | 23, _) if !self.served.is_empty() => {
                let (peer, span) = self.served.swap_remove(rng.index(self.served.len()).unwrap());
                self.give(Input::Sent { peer, spans: vec![span] });
            }
            (24..27, _) if !self.verifying.is_empty() => {
                let piece = self.verifying.swap_remove(rng.index(self.verifying.len()).unwrap());
                let digests = (0..4).map(|i| [(rng.below(2) * 7 + i) as u8; 20]).collect();
                let fact = match rng.below(9) {
                    0 => Input::WriteFailed { piece },
                    1 => Input::HashFailed { piece, digests },
                    _ => Input::PieceVerified { piece, digests },
                };
                self.give(fact);
            }
            (27, _) => {
                let out = self.stage.pass(rng.below(40));
                self.follow(&out);
            }
            (28, _) => {
                let fact = match rng.below(9) {
                    0 => Input::Command(TorrentCommand::Pause),
                    1 | 2 => Input::Command(TorrentCommand::Resume),
                    3 => {
                        let all = [Priority::Skip, Priority::Low, Priority::Normal, Priority::High];
                        Input::Command(TorrentCommand::Priorities(
                            (0..PIECES).map(|_| all[rng.below(4) as usize]).collect(),
                        ))
                    }
                    4 => Input::Command(TorrentCommand::Order(if rng.one_in(2) {
                        Order::InOrder
                    } else {
                        Order::RarestFirst
                    })),
                    5 => Input::Budget { bytes: 65_536 * (1 + rng.below(6)) },
                    6 => Input::PieceLost { piece: self.stage.piece(rng.below(u64::from(PIECES)) as u32) },
                    7 => Input::PeersFound {
                        source: Source::Pex,
                        addrs: (0..9).map(|i| addr(i * 9)).collect(),
                    },
                    _ => match self.dials.pop() {
                        Some(addr) => Input::DialFailed { addr, why: DialFailure::Refused },
                        None => Input::Tick,
                    },
                };
                self.give(fact);
            }
            _ => self.stage.now += Duration::from_millis(rng.below(800)),
        }
        let due = self.stage.torrent.deadline();
        if due.is_some_and(|at| at <= self.stage.now) {
            self.give(Input::Tick);
        }
    }
}

#[test]
fn nothing_breaks_whatever_happens() {
    for seed in 0..150 {
        let mut rng = Rng::new(seed);
        let config = Config { max_peers: 6, ..config() };
        let stage = Stage::with(PIECES, rng.one_in(6), config);
        let mut world =
            World { stage, owed: vec![], served: vec![], verifying: vec![], peers: vec![], dials: vec![] };
        for n in 0..400 {
            world.step(&mut rng, n);
        }
        let out = world.stage.give(Input::Command(TorrentCommand::Stop));
        world.follow(&out);
        assert!(world.peers.is_empty() && world.stage.torrent.deadline().is_none());
        assert!(world.stage.give(Input::Tick).is_empty());
    }
}
