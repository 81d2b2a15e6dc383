//! What a torrent may say to a peer.

use torr::proto::extended::pex::PexMessage;
use torr::proto::extended::{ExtendedHandshake, Extension, MetadataMessage, decode_dont_have};
use torr::proto::message::Message;
use torr::proto::splitter::{Split, Splitter};
use torr::swarm::event::PeerKey;

use super::Model;

impl Model {
    pub(super) fn say(&mut self, key: PeerKey, message: &Message) {
        let full = self.is_open && self.have.is_full();
        let (pieces, is_open) = (self.known_pieces(), self.is_open);
        let peer = self.peers.get_mut(&key).expect("a message goes to a peer");
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        let read = Splitter::new(pieces).next(&mut bytes.as_slice());
        assert_eq!(read, Ok(Some(Split::Message(message.clone()))), "what is said can be read");
        let first = !std::mem::replace(&mut peer.greeted, true);
        assert!(is_open || !is_about_pieces(message), "{message:?} before the content is open");
        match message {
            Message::Choke => assert!(!std::mem::replace(&mut peer.choked, true), "it is choked already"),
            Message::Unchoke => assert!(std::mem::replace(&mut peer.choked, false), "it is not choked"),
            Message::Interested => {
                assert!(!std::mem::replace(&mut peer.interested, true));
                assert!(is_open || self.setup.config.eager, "nobody wants the content yet");
            }
            Message::NotInterested => assert!(std::mem::replace(&mut peer.interested, false)),
            Message::Have(piece) => {
                let piece = self.setup.geometry.piece(*piece).expect("a piece");
                assert!(self.have.has(piece), "we have what we say");
            }
            Message::Bitfield(bits) => assert!(first && bits == self.have.as_bytes()),
            Message::HaveAll => assert!(first && peer.fast && full),
            Message::HaveNone => assert!(first && peer.fast && self.have.is_empty()),
            Message::Reject(_) => assert!(peer.fast),
            Message::AllowedFast(piece) => {
                assert!(peer.fast);
                peer.allowed.insert(*piece);
            }
            Message::Extended { id, body } => {
                assert!(peer.extended && body.len() <= 17_000);
                if *id == 0 {
                    let hand = ExtendedHandshake::decode(body).expect("a handshake");
                    assert_eq!(hand.metadata_size, self.metadata.given_len(), "we say what we can give");
                    let pex = hand.id_of(Extension::Pex).is_some();
                    assert!(!(pex && self.private), "peers of a private torrent are not exchanged");
                } else if let Ok(message) = MetadataMessage::decode(body) {
                    assert_eq!(*id, peer.offer.id, "the number is the one it gave");
                    if let MetadataMessage::Request(piece) = message {
                        assert!(!is_open && !self.paused, "no info dictionary is sought");
                        peer.offer.asked_for(piece);
                    }
                    self.metadata.said(&message);
                } else if let Ok(pex) = PexMessage::decode(body) {
                    assert!(!self.private, "peers of a private torrent are not exchanged");
                    assert!(pex.added.len() <= 200 && pex.dropped.len() <= 200);
                } else {
                    assert!(is_open && decode_dont_have(body).is_some());
                }
            }
            Message::Port(port) => assert_eq!(*port, self.setup.config.port),
            Message::KeepAlive => {}
            other => panic!("{other:?} is never said"),
        }
    }
}

/// Whether a message means something only if its sender knows the pieces.
const fn is_about_pieces(message: &Message) -> bool {
    matches!(
        message,
        Message::Choke
            | Message::Unchoke
            | Message::NotInterested
            | Message::Have(_)
            | Message::Bitfield(_)
            | Message::HaveAll
            | Message::AllowedFast(_)
    )
}
