//! The stage: a torrent and its scripted peers.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::invariants;
use crate::base::{Bitfield, Block, Geometry, InfoHashes, Moment, PeerId, Piece};
use crate::proto::announce::AnnounceEvent;
use crate::proto::handshake::Reserved;
use crate::proto::message::{Message, Wanted};
use crate::swarm::event::{DisconnectReason, Input, Output, PeerHandshake, PeerKey, TrackerKey};
use crate::swarm::{Config, ContentSetup, Torrent};

/// A torrent under test.
#[derive(Clone)]
pub struct Stage {
    pub torrent: Torrent,
    pub now: Moment,
    next: u64,
}

const SEED: u64 = 42;

pub const HASH: InfoHashes = InfoHashes::from_v1([7; 20]);

/// Makes a configuration whose peer id is in the middle of all ids.
pub fn config() -> Config {
    Config { port: 51_413, ..Config::new(HASH, PeerId([0x80; 20])) }
}

pub fn addr(n: u8) -> SocketAddr {
    (Ipv4Addr::new(11, 0, n, 1), 6881).into()
}

pub fn modern() -> Reserved {
    Reserved::NONE.with_fast().with_extended()
}

impl Stage {
    /// Makes a torrent of pieces of 64 KiB (four blocks) that has none of them.
    pub fn leech(pieces: u32) -> Self {
        Self::with(pieces, false, config())
    }

    pub fn seed(pieces: u32) -> Self {
        Self::with(pieces, true, config())
    }

    pub fn with(pieces: u32, complete: bool, config: Config) -> Self {
        let geometry = Geometry::single(65_536, 65_536 * u64::from(pieces)).unwrap();
        Self::of(Arc::new(geometry), complete, config)
    }

    /// Makes a torrent of this geometry that has all pieces or none.
    pub fn of(geometry: Arc<Geometry>, complete: bool, config: Config) -> Self {
        let pieces = geometry.piece_count();
        let have = if complete { Bitfield::all(pieces) } else { Bitfield::none(pieces) };
        Self::with_content(config, ContentSetup::new(geometry, have))
    }

    /// Makes a torrent whose content is open.
    pub fn with_content(config: Config, setup: ContentSetup) -> Self {
        let now = Moment::START + Duration::from_secs(1);
        Self { torrent: Torrent::with_content(now, config, setup, SEED), now, next: 0 }
    }

    /// Makes a torrent that knows only its info-hashes.
    pub fn with_link(config: Config) -> Self {
        let now = Moment::START + Duration::from_secs(1);
        Self { torrent: Torrent::new(now, config, SEED), now, next: 0 }
    }

    /// Handles an input and returns the outputs.
    pub fn give(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        let before = self.torrent.held();
        self.torrent.handle(self.now, input, &mut out);
        invariants::check(&self.torrent, self.now, before);
        out
    }

    /// Lets time pass, with a tick at each deadline. Returns the outputs.
    pub fn pass(&mut self, seconds: u64) -> Vec<Output> {
        let end = self.now + Duration::from_secs(seconds);
        let (mut out, mut ticks) = (Vec::new(), 0);
        while let Some(at) = self.torrent.deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            out.extend(self.give(Input::Tick));
            ticks += 1;
            assert!(ticks < 100 + seconds * 20, "the torrent ticks without rest");
        }
        self.now = end;
        out
    }

    /// Connects an incoming peer that supports all extensions.
    pub fn connect(&mut self, n: u8) -> (PeerKey, Vec<Output>) {
        self.connect_with(n, true, modern())
    }

    /// Connects a peer that supports these extensions.
    pub fn connect_with(&mut self, n: u8, incoming: bool, reserved: Reserved) -> (PeerKey, Vec<Output>) {
        self.connect_as(n, incoming, PeerHandshake { id: PeerId([n; 20]), reserved })
    }

    pub fn connect_as(&mut self, n: u8, incoming: bool, hello: PeerHandshake) -> (PeerKey, Vec<Output>) {
        self.next += 1;
        let peer = PeerKey(self.next);
        let out = self.give(Input::Connected { peer, addr: addr(n), incoming, hello });
        (peer, out)
    }

    pub fn hear(&mut self, peer: PeerKey, message: Message) -> Vec<Output> {
        self.give(Input::MessageReceived { peer, message })
    }

    /// Connects a seed that unchokes us. Returns the blocks requested from it.
    pub fn meet_seed(&mut self, n: u8) -> (PeerKey, Vec<Block>) {
        let (peer, _) = self.connect(n);
        self.hear(peer, Message::HaveAll);
        let out = self.hear(peer, Message::Unchoke);
        (peer, asked(&out, peer))
    }

    /// Connects an interested peer that has no pieces.
    pub fn meet_leech(&mut self, n: u8) -> (PeerKey, Vec<Output>) {
        let (peer, mut out) = self.connect(n);
        out.extend(self.hear(peer, Message::HaveNone));
        out.extend(self.hear(peer, Message::Interested));
        (peer, out)
    }

    pub fn land(&mut self, peer: PeerKey, blocks: &[Block]) -> Vec<Output> {
        self.give(Input::BlocksReceived { peer, blocks: blocks.to_vec() })
    }

    /// Has a peer send all requested blocks and every piece verify, until nothing is requested.
    pub fn drain(&mut self, peer: PeerKey, first: Vec<Block>) -> Vec<Output> {
        let (mut all, mut owed) = (Vec::new(), first);
        while !owed.is_empty() {
            self.now += Duration::from_millis(20);
            let mut out = self.land(peer, &std::mem::take(&mut owed));
            for piece in verifies(&out) {
                out.extend(self.give(Input::PieceVerified { piece, digests: vec![] }));
            }
            owed = asked(&out, peer);
            all.extend(out);
        }
        all
    }

    /// The geometry of the content, once it is open.
    pub fn geometry(&self) -> &Geometry {
        &self.torrent.phase.content().expect("the content is open").geometry
    }

    pub fn piece(&self, index: u32) -> Piece {
        self.geometry().piece(index).unwrap()
    }

    pub fn wanted(&self, piece: u32, block: u32) -> Wanted {
        self.geometry().block(self.piece(piece), block).unwrap().span().into()
    }
}

pub fn asked(out: &[Output], of: PeerKey) -> Vec<Block> {
    let blocks = out.iter().filter_map(|o| match o {
        Output::Request { peer, blocks } if *peer == of => Some(blocks.clone()),
        _ => None,
    });
    blocks.flatten().collect()
}

pub fn cancelled(out: &[Output], of: PeerKey) -> Vec<Block> {
    let blocks = out.iter().filter_map(|o| match o {
        Output::Cancel { peer, blocks } if *peer == of => Some(blocks.clone()),
        _ => None,
    });
    blocks.flatten().collect()
}

pub fn said(out: &[Output], to: PeerKey) -> Vec<Message> {
    let messages = out.iter().filter_map(|o| match o {
        Output::Send { peer, message } if *peer == to => Some(message.clone()),
        _ => None,
    });
    messages.collect()
}

pub fn closed(out: &[Output], key: PeerKey) -> Option<DisconnectReason> {
    out.iter().find_map(|o| match o {
        Output::Close { peer, why } if *peer == key => Some(*why),
        _ => None,
    })
}

pub fn verifies(out: &[Output]) -> Vec<Piece> {
    out.iter()
        .filter_map(|o| if let Output::Verify { piece, .. } = o { Some(*piece) } else { None })
        .collect()
}

pub fn dials(out: &[Output]) -> Vec<SocketAddr> {
    out.iter().filter_map(|o| if let Output::Dial { addr } = o { Some(*addr) } else { None }).collect()
}

pub fn announces(out: &[Output]) -> Vec<(TrackerKey, AnnounceEvent)> {
    let announces = out.iter().filter_map(|o| match o {
        Output::Announce { tracker, announce } => Some((*tracker, announce.event)),
        _ => None,
    });
    announces.collect()
}
