//! Searches for metadata, by script. Whole swarms are in `tests/swarm`.

mod exchanging;
mod meeting;

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Bitfield, InfoHashes, Moment, PeerId};
use crate::hash::sha1;
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID, MetadataMessage, metadata_pieces};
use crate::proto::handshake::Reserved;
use crate::proto::message::Message;
use crate::proto::metainfo::{Attributes, Content, Draft, Extras, Metainfo};
use crate::swarm::event::{Hello, Input, Output, PeerKey};
use crate::swarm::{Config, ContentSetup, Torrent};

/// The number other clients give `ut_metadata` here; ours is another.
const THEIRS: u8 = 9;

/// A torrent of so many pieces, whose dictionary is some 20 bytes for each.
fn torrent(pieces: u32, private: bool) -> Metainfo {
    let digests = (0..pieces).flat_map(|piece| sha1(&piece.to_be_bytes())).collect();
    let draft = Draft {
        name: "found".into(),
        content: Content::Single(u64::from(pieces) * 16_384, Attributes::NONE),
        piece_len: 16_384,
        digests,
        private,
        source: None,
        extras: Extras::default(),
    };
    Metainfo::parse(&draft.to_bytes()).expect("what we write we can read")
}

/// One search, and scripted peers.
struct Stage {
    torrent: Torrent,
    now: Moment,
    next: u64,
}

fn config(id: InfoHashes) -> Config {
    Config { port: 51_413, ..Config::new(id, PeerId([0x80; 20])) }
}

fn modern() -> Reserved {
    Reserved::NONE.with_fast().with_extended()
}

impl Stage {
    fn of(config: Config) -> Self {
        let now = Moment::START + Duration::from_secs(1);
        Self { torrent: Torrent::new(now, config, 42), now, next: 0 }
    }

    fn give(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.torrent.handle(self.now, input, &mut out);
        out
    }

    /// Lets time pass, ticking at every deadline; returns the orders.
    fn pass(&mut self, seconds: u64) -> Vec<Output> {
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

    fn connect(&mut self, n: u8, incoming: bool, reserved: Reserved) -> (PeerKey, Vec<Output>) {
        self.next += 1;
        let (peer, hello) = (PeerKey(self.next), Hello { id: PeerId([n; 20]), reserved });
        let out = self.give(Input::Connected { peer, addr: ([11, 0, n, 1], 6881).into(), incoming, hello });
        (peer, out)
    }

    fn hear(&mut self, peer: PeerKey, message: Message) -> Vec<Output> {
        self.give(Input::Heard { peer, message })
    }

    /// Connects a peer that offers a dictionary of this length.
    fn offer(&mut self, n: u8, size: Option<u32>) -> (PeerKey, Vec<Output>) {
        let (peer, mut out) = self.connect(n, true, modern());
        out.extend(self.hear(peer, hand(size)));
        (peer, out)
    }

    /// The files of the torrent were looked through, and these pieces are there.
    fn open(&mut self, metainfo: &Metainfo, have: impl Fn(u32) -> Bitfield) -> Vec<Output> {
        let geometry = Arc::new(metainfo.geometry().clone());
        let have = have(geometry.piece_count());
        self.give(Input::ContentOpened(Box::new(ContentSetup::new(geometry, have))))
    }

    /// Has a peer send pieces of a dictionary.
    fn send(&mut self, peer: PeerKey, info: &[u8], pieces: &[u32]) -> Vec<Output> {
        let sent = pieces.iter().flat_map(|&piece| self.hear(peer, data(info, piece)));
        sent.collect()
    }
}

/// An extension handshake that names this length.
fn hand(size: Option<u32>) -> Message {
    let ids = vec![(Extension::Metadata, THEIRS)];
    let hand = ExtendedHandshake { ids, metadata_size: size, ..ExtendedHandshake::default() };
    Message::Extended { id: HANDSHAKE_ID, body: hand.encode() }
}

/// A message to us.
fn to_us(message: &MetadataMessage) -> Message {
    Message::Extended { id: Extension::Metadata.our_id(), body: message.encode() }
}

fn data(info: &[u8], piece: u32) -> Message {
    let bytes = info.chunks(16_384).nth(piece as usize).unwrap_or_default().to_vec();
    to_us(&MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes })
}

fn said(out: &[Output], to: PeerKey) -> Vec<Message> {
    let messages = out.iter().filter_map(|o| match o {
        Output::Say { peer, message } if *peer == to => Some(message.clone()),
        _ => None,
    });
    messages.collect()
}

/// What a peer was told in `ut_metadata`.
fn asked(out: &[Output], of: PeerKey) -> Vec<MetadataMessage> {
    let bodies = said(out, of).into_iter().filter_map(|message| match message {
        Message::Extended { id: THEIRS, body } => Some(body),
        _ => None,
    });
    bodies.map(|body| MetadataMessage::decode(&body).expect("ours can be read")).collect()
}

fn found(out: &[Output]) -> Option<bool> {
    out.iter().find_map(|o| if let Output::Metadata(found) = o { Some(found.is_ok()) } else { None })
}
