//! Scripted downloads of the metadata. Whole swarms are in `tests/swarm`.

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

/// The scripted peers' message id for `ut_metadata`, which differs from ours.
const THEIRS: u8 = 9;

/// Makes a torrent of `pieces` pieces; its info dictionary has about 20 bytes for each.
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

/// Makes the configuration of a torrent.
fn config(info_hash: InfoHashes) -> Config {
    Config { info_hash, ..stage::config() }
}

impl Stage {
    /// Connects a peer that offers an info dictionary of `size` bytes.
    fn offer(&mut self, n: u8, size: Option<u32>) -> (PeerKey, Vec<Output>) {
        let (peer, mut out) = self.connect(n);
        out.extend(self.hear(peer, hand(size)));
        (peer, out)
    }

    /// Opens the content with the pieces of `have`.
    fn open(&mut self, metainfo: &Metainfo, have: impl Fn(u32) -> Bitfield) -> Vec<Output> {
        let geometry = Arc::new(metainfo.geometry().clone());
        let have = have(geometry.piece_count());
        self.give(Input::ContentOpened(Box::new(ContentSetup::new(geometry, have))))
    }

    /// Has a peer send pieces of the info dictionary.
    fn send(&mut self, peer: PeerKey, info: &[u8], pieces: &[u32]) -> Vec<Output> {
        let sent = pieces.iter().flat_map(|&piece| self.hear(peer, data(info, piece)));
        sent.collect()
    }
}

/// Returns an extension handshake with this `metadata_size`.
fn hand(size: Option<u32>) -> Message {
    let ids = vec![(Extension::Metadata, THEIRS)];
    let hand = ExtendedHandshake { ids, metadata_size: size, ..ExtendedHandshake::default() };
    Message::Extended { id: HANDSHAKE_ID, body: hand.encode() }
}

/// Returns a `ut_metadata` message with our message id.
fn to_us(message: &MetadataMessage) -> Message {
    Message::Extended { id: Extension::Metadata.our_id(), body: message.encode() }
}

fn data(info: &[u8], piece: u32) -> Message {
    let bytes = info.chunks(16_384).nth(piece as usize).unwrap_or_default().to_vec();
    to_us(&MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes })
}

/// Returns the `ut_metadata` messages sent to a peer.
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
