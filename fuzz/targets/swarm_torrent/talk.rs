//! What peers say.

use std::net::SocketAddr;

use torr::proto::extended::pex::{PexFlags, PexMessage};
use torr::proto::extended::{ExtendedHandshake, Extension, MAX_METADATA, METADATA_PIECE, MetadataMessage};
use torr::proto::message::{Message, Wanted};
use torr::swarm::event::PeerKey;

use super::super::draws::Draws;
use super::model::Model;

impl Model {
    /// A message that means something, most of the time.
    pub fn message(&self, peer: PeerKey, draws: &mut Draws<'_>) -> Message {
        if !self.is_open && draws.one_in(2) {
            return self.metadata_message(peer, draws);
        }
        let piece = |draws: &mut Draws<'_>| draws.below(self.pieces() as usize + 1) as u32;
        let wanted = |draws: &mut Draws<'_>| {
            let piece = piece(draws);
            let (begin, len) = (u32::from(draws.byte()) << 14, draws.byte());
            let len = if len < 200 { 16_384 } else { u32::from(len) * 300 };
            Wanted { piece, begin: begin % (1 << 22), len }
        };
        match draws.below(24) {
            0 => Message::Choke,
            1..4 => Message::Unchoke,
            4 | 5 => Message::Interested,
            6 => Message::NotInterested,
            7 | 8 => Message::Have(piece(draws)),
            9 => {
                let len = self.pieces().div_ceil(8) as usize;
                let mut bits = draws.bytes(len).to_vec();
                bits.resize(len, 0);
                if let (Some(last), extra @ 1..) = (bits.last_mut(), self.pieces() % 8) {
                    *last &= 0xff << (8 - extra);
                }
                Message::Bitfield(bits)
            }
            10..13 => Message::Request(wanted(draws)),
            13 => Message::Cancel(wanted(draws)),
            14 => self
                .owed_block(draws)
                .map_or(Message::KeepAlive, |(_, block)| Message::Reject(block.span().into())),
            15 => Message::Suggest(piece(draws)),
            16 | 17 => Message::AllowedFast(piece(draws)),
            18 | 19 => Message::HaveAll,
            20 => Message::HaveNone,
            21 => Message::Port(draws.u16()),
            22 => extended(draws),
            _ => Message::Extended {
                id: Extension::DontHave.our_id(),
                body: piece(draws).to_be_bytes().to_vec(),
            },
        }
    }

    /// Something about the info dictionary.
    fn metadata_message(&self, peer: PeerKey, draws: &mut Draws<'_>) -> Message {
        let sought = self.setup.sought.unwrap_or_default();
        let asked = &self.peers[&peer].offer.asked;
        let piece = asked.iter().nth(draws.below(asked.len())).copied();
        let piece = piece.unwrap_or_else(|| u32::from(draws.byte() % 5));
        match draws.below(12) {
            0..3 => offer(sought.len() as u32),
            3 => {
                offer([100, 16_384, 16_385, 40_000, 200_000, MAX_METADATA, MAX_METADATA + 1][draws.below(7)])
            }
            // Wrong bytes of the length of some claim.
            4 | 5 => metadata_piece(
                &vec![draws.byte(); [100, 16_385, 40_000, sought.len()][draws.below(4)]],
                piece,
            ),
            6 => metadata(&MetadataMessage::Reject(piece)),
            7 => metadata(&MetadataMessage::Request(piece)),
            8 => metadata(&MetadataMessage::Data { piece, total: None, bytes: draws.string().to_vec() }),
            _ => metadata_piece(sought, piece),
        }
    }
}

/// An extension handshake that offers an info dictionary of this length.
pub fn offer(size: u32) -> Message {
    let hand = ExtendedHandshake {
        ids: vec![(Extension::Metadata, 3)],
        metadata_size: Some(size),
        ..ExtendedHandshake::default()
    };
    Message::Extended { id: 0, body: hand.encode() }
}

/// A piece of this info dictionary.
pub fn metadata_piece(info: &[u8], piece: u32) -> Message {
    let bytes = info.chunks(METADATA_PIECE as usize).nth(piece as usize).unwrap_or_default().to_vec();
    metadata(&MetadataMessage::Data { piece, total: Some(info.len() as u32), bytes })
}

fn metadata(message: &MetadataMessage) -> Message {
    Message::Extended { id: Extension::Metadata.our_id(), body: message.encode() }
}

/// An address among few, so that they meet again: of the Internet, of the local network, and some that cannot be.
pub fn address(draws: &mut Draws<'_>) -> SocketAddr {
    let byte = draws.byte();
    let port = [6881, 6881, 6882, 0][usize::from(byte >> 4 & 3)];
    let n = byte & 7;
    match byte >> 6 {
        0 | 1 => ([11, 0, n, 1], port).into(),
        2 => ([0x2a00, u16::from(n), 0, 0, 0, 0, 0, 1], port).into(),
        _ => ([[127, 0, 0, 1], [192, 168, 0, n], [0, 0, 0, 0], [239, 0, 0, n]][usize::from(n & 3)], port)
            .into(),
    }
}

fn extended(draws: &mut Draws<'_>) -> Message {
    match draws.below(5) {
        0 | 1 => {
            let flags = draws.byte();
            let hand = ExtendedHandshake {
                ids: Extension::ALL.into_iter().map(|extension| (extension, draws.byte() % 5)).collect(),
                metadata_size: (flags & 1 != 0).then(|| draws.u32()),
                port: Some(6881).filter(|_| flags & 2 != 0),
                reqq: (flags & 4 != 0).then(|| draws.u16().into()),
                upload_only: (flags & 8 != 0).then_some(flags & 16 != 0),
                client: Some("x".into()),
                your_ip: None,
            };
            Message::Extended { id: 0, body: hand.encode() }
        }
        2 => {
            let added = (0..draws.below(8)).map(|_| (address(draws), PexFlags(draws.byte()))).collect();
            let dropped = (0..draws.below(3)).map(|_| address(draws)).collect();
            Message::Extended { id: Extension::Pex.our_id(), body: PexMessage { added, dropped }.encode() }
        }
        3 => {
            let piece = u32::from(draws.byte() % 4);
            let message = [MetadataMessage::Request(piece), MetadataMessage::Reject(piece)];
            Message::Extended { id: Extension::Metadata.our_id(), body: message[draws.below(2)].encode() }
        }
        _ => Message::Extended { id: draws.byte() % 8, body: draws.string().to_vec() },
    }
}
