//! The info dictionary: who offers it, what is asked for, and what comes of it.

use std::collections::BTreeSet;

use torr::proto::extended::{
    ExtendedHandshake, Extension, METADATA_PIECE, MetadataMessage, metadata_piece_len, metadata_pieces,
};
use torr::proto::message::Message;
use torr::proto::metainfo::{Metainfo, MetainfoError};
use torr::swarm::Summary;
use torr::swarm::event::Input;

use super::Setup;

/// Pieces a peer is asked for at once.
const MAX_ASKED: usize = 32;

/// What one peer offers.
#[derive(Default)]
pub struct Offer {
    /// The number it gave `ut_metadata`; 0 if it does not speak it.
    pub id: u8,
    size: Option<u32>,
    /// The length it is taken at its word for: the first one.
    claim: Option<u32>,
    /// Pieces that were asked for and have not come.
    pub asked: BTreeSet<u32>,
    /// Pieces that were asked for since the last fact.
    just_asked: BTreeSet<u32>,
}

impl Offer {
    /// A fact comes.
    pub fn begin(&mut self) {
        self.just_asked.clear();
    }

    /// It sent an extension handshake.
    pub fn shaken(&mut self, hand: &ExtendedHandshake) {
        if let Some((_, id)) = hand.ids.iter().find(|(extension, _)| *extension == Extension::Metadata) {
            self.id = *id;
        }
        self.size = hand.metadata_size.filter(|&size| size > 0).or(self.size);
        self.claim = self.claim.or(self.size.filter(|_| self.id != 0));
    }

    /// It sent a message about the dictionary.
    pub fn answered(&mut self, body: &[u8]) {
        if let Ok(MetadataMessage::Data { piece, .. } | MetadataMessage::Reject(piece)) =
            MetadataMessage::decode(body)
        {
            self.asked.remove(&piece);
        }
    }

    /// It is asked for a piece.
    pub fn asked_for(&mut self, piece: u32) {
        let size = self.claim.expect("it offers something");
        assert!(piece < metadata_pieces(size), "piece {piece} of {size} bytes is asked for");
        assert!(self.just_asked.insert(piece), "it is asked once");
        assert!(self.just_asked.len() <= MAX_ASKED, "requests are bounded");
        self.asked.insert(piece);
    }
}

/// The info dictionary of the torrent.
pub struct Metadata {
    sought: Option<&'static [u8]>,
    /// The dictionary as peers get it from us; empty if they do not.
    given: Vec<u8>,
    /// It was found, of use or not.
    pub is_found: bool,
    /// It was found, and the content can be opened.
    pub is_usable: bool,
    /// Bytes that have come that may be of it.
    received: u64,
    just_received: bool,
}

impl Metadata {
    pub fn new(setup: &Setup) -> Self {
        Self {
            sought: setup.sought,
            given: setup.config.info.to_vec(),
            is_found: false,
            is_usable: false,
            received: 0,
            just_received: false,
        }
    }

    /// Takes note of a fact before the torrent hears it.
    pub fn hear(&mut self, input: &Input) {
        self.just_received = false;
        if let Input::MessageReceived { message: Message::Extended { id, body }, .. } = input
            && *id == Extension::Metadata.our_id()
            && let Ok(MetadataMessage::Data { bytes, .. }) = MetadataMessage::decode(body)
        {
            self.just_received = true;
            self.received += bytes.len() as u64;
        }
    }

    /// The torrent says that the dictionary is here.
    pub fn found(&mut self, found: Result<&Metainfo, &MetainfoError>) {
        assert!(!std::mem::replace(&mut self.is_found, true), "it is found once");
        assert!(self.just_received, "the last piece of it has just come");
        let sought = self.sought.expect("it is sought");
        assert!(self.received >= sought.len() as u64, "all of it has come");
        assert_eq!(found, Metainfo::from_info(sought).as_ref());
        self.is_usable = found.is_ok();
        if !found.is_ok_and(Metainfo::is_private) {
            self.given = sought.to_vec();
        }
    }

    /// The length of what we give.
    pub fn given_len(&self) -> Option<u32> {
        Some(self.given.len() as u32).filter(|&len| len > 0)
    }

    /// A message about the dictionary is said.
    pub fn said(&self, message: &MetadataMessage) {
        match message {
            MetadataMessage::Request(_) => assert!(!self.is_found, "what is here is not asked for"),
            MetadataMessage::Data { piece, total, bytes } => {
                assert_eq!(*total, self.given_len());
                let (begin, len) =
                    (piece * METADATA_PIECE, metadata_piece_len(self.given.len() as u32, *piece));
                assert_eq!(bytes, &self.given[begin as usize..][..len as usize]);
            }
            MetadataMessage::Reject(_) => {}
            MetadataMessage::Unknown => panic!("it is never said"),
        }
    }

    /// What holds after every fact until the content is open.
    pub fn check(&self, summary: &Summary) {
        let metadata = summary.metadata.expect("it is sought");
        assert_eq!(metadata.found, self.is_found);
        let (have, size) = metadata.progress.unwrap_or_default();
        assert!(have <= self.received && have <= size.into(), "{have} of {size} bytes are here");
    }
}
