//! Giving the info dictionary to peers that lack it (BEP 9).

use crate::base::Moment;
use crate::proto::extended::{Extension, METADATA_PIECE, MetadataMessage};
use crate::proto::message::Message;

use super::event::{Output, PeerKey};
use super::torrent::Torrent;

impl Torrent {
    /// A message of `ut_metadata` came.
    pub(super) fn metadata(&mut self, now: Moment, key: PeerKey, body: &[u8], out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&key) else { return };
        match MetadataMessage::decode(body) {
            Ok(MetadataMessage::Request(piece)) => {
                let Some(id) = peer.metadata_id else { return self.strike(now, key, out) };
                if peer.lender.asked(now, self.config.info.len() as u32, piece) {
                    self.lend(now, key, out);
                } else {
                    let body = MetadataMessage::Reject(piece).encode();
                    self.say(now, key, Message::Extended { id, body }, out);
                    self.strike(now, key, out);
                }
            }
            // What was asked for before the dictionary was whole may come twice.
            Ok(_) | Err(_) => self.strike(now, key, out),
        }
    }

    /// What was said to a peer is on its way: there is room for more.
    pub(super) fn drained(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        if let Some(peer) = self.peers.get_mut(&key) {
            peer.lender.drained();
            self.lend(now, key, out);
        }
    }

    pub(super) fn lend(&mut self, now: Moment, key: PeerKey, out: &mut Vec<Output>) {
        let info = self.config.info.clone();
        let Some(peer) = self.peers.get_mut(&key) else { return };
        let Some(id) = peer.metadata_id else { return };
        for piece in peer.lender.next() {
            self.say(now, key, piece_of(&info, piece, id), out);
        }
    }
}

/// The message that brings a piece of the dictionary, for one who gave `ut_metadata` this number.
pub(super) fn piece_of(info: &[u8], piece: u32, id: u8) -> Message {
    let bytes = info.chunks(METADATA_PIECE as usize).nth(piece as usize).unwrap_or_default().to_vec();
    let body = MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes }.encode();
    Message::Extended { id, body }
}

/// What an extension handshake says of the dictionary: its length, if there is one to give.
pub(super) fn size_of(info: &[u8]) -> Option<u32> {
    u32::try_from(info.len()).ok().filter(|&len| len > 0)
}

/// The extensions we offer.
pub(super) fn offered(info: &[u8]) -> Vec<Extension> {
    let mut all = vec![Extension::DontHave, Extension::UploadOnly];
    if !info.is_empty() {
        all.push(Extension::Metadata);
    }
    all
}
