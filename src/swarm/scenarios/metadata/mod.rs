//! Searches for metadata, by script. Whole swarms are in `tests/swarm`.

mod exchanging;
mod meeting;

use std::sync::Arc;

use super::stage::{self, Stage, addr, closed, dials, modern, said};
use crate::base::{Bitfield, InfoHashes};
use crate::hash::sha1;
use crate::proto::extended::{ExtendedHandshake, Extension, HANDSHAKE_ID, MetadataMessage, metadata_pieces};
use crate::proto::message::Message;
use crate::proto::metainfo::{Attributes, Content, Draft, Extras, Metainfo};
use crate::swarm::event::{Input, Output, PeerKey};
use crate::swarm::{Config, ContentSetup};

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

/// A config of the torrent with these info-hashes.
fn config(info_hash: InfoHashes) -> Config {
    Config { info_hash, ..stage::config() }
}

impl Stage {
    /// Connects a peer that offers a dictionary of this length.
    fn offer(&mut self, n: u8, size: Option<u32>) -> (PeerKey, Vec<Output>) {
        let (peer, mut out) = self.connect(n);
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

/// The messages of `ut_metadata` that a peer was sent.
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
