//! Everything that was ordered, as one number: two runs that differ anywhere differ here.

use torr::base::{Block, Moment, Span};
use torr::proto::message::{Message, Wanted};
use torr::swarm::event::{Note, Output};

/// The running fingerprint of a world.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Trace(u64);

impl Trace {
    pub fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub fn add(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }

    /// A node ordered something.
    pub fn ordered(&mut self, now: Moment, node: usize, order: &Output) {
        self.add(now.since_start().as_nanos() as u64);
        self.add(node as u64);
        match order {
            Output::Dial { addr } => self.tagged(1, text(&addr.to_string())),
            Output::Send { peer, message } => {
                self.tagged(2, peer.0);
                self.message(message);
            }
            Output::Request { peer, blocks } => self.blocks(3, peer.0, blocks),
            Output::Cancel { peer, blocks } => self.blocks(4, peer.0, blocks),
            Output::Serve { peer, spans } => self.spans(5, peer.0, spans),
            Output::CancelServe { peer, spans } => self.spans(6, peer.0, spans),
            Output::Close { peer, why } => {
                self.tagged(7, peer.0);
                self.add(*why as u64);
            }
            Output::Verify { piece, digests } => {
                self.tagged(8, u64::from(piece.index()));
                self.add(u64::from(*digests));
            }
            Output::Open { piece, in_runs } => {
                self.tagged(33, u64::from(piece.index()));
                self.add(u64::from(*in_runs));
            }
            Output::Accept { blocks } => self.blocks(34, 0, blocks),
            Output::Discard { piece } => self.tagged(9, u64::from(piece.index())),
            Output::Announce { tracker, announce } => {
                self.tagged(10, tracker.0 as u64);
                for number in [announce.uploaded, announce.downloaded, announce.left, announce.event as u64] {
                    self.add(number);
                }
            }
            Output::Lookup { announce, seed } => self.tagged(30, u64::from(*announce) * 2 + u64::from(*seed)),
            Output::AddDhtNode { addr } => self.tagged(31, addr.port().into()),
            Output::Metadata(found) => self.tagged(32, u64::from(found.is_ok())),
            Output::Scrape { tracker } => self.tagged(11, tracker.0 as u64),
            Output::Note(note) => match note {
                Note::Finished => self.add(12),
                Note::HashFailed(piece) => self.tagged(13, u64::from(piece.index())),
                Note::WrongMetadata(addr) => self.tagged(33, text(&addr.to_string())),
                Note::Banned(addr) => self.tagged(14, text(&addr.to_string())),
                Note::TrackerWarning(tracker, _) => self.tagged(15, tracker.0 as u64),
            },
        }
    }

    /// A datagram of the DHT left a node.
    pub fn datagram(&mut self, now: Moment, node: usize, bytes: &[u8]) {
        self.add(now.since_start().as_nanos() as u64);
        self.bytes(40 + node as u64, bytes);
    }

    fn message(&mut self, message: &Message) {
        match message {
            Message::KeepAlive => self.add(1),
            Message::Choke => self.add(2),
            Message::Unchoke => self.add(3),
            Message::Interested => self.add(4),
            Message::NotInterested => self.add(5),
            Message::Have(piece) => self.tagged(6, u64::from(*piece)),
            Message::Bitfield(bytes) => self.bytes(7, bytes),
            Message::Request(wanted) => self.wanted(8, *wanted),
            Message::Cancel(wanted) => self.wanted(9, *wanted),
            Message::Port(port) => self.tagged(10, u64::from(*port)),
            Message::Suggest(piece) => self.tagged(11, u64::from(*piece)),
            Message::HaveAll => self.add(12),
            Message::HaveNone => self.add(13),
            Message::Reject(wanted) => self.wanted(14, *wanted),
            Message::AllowedFast(piece) => self.tagged(15, u64::from(*piece)),
            Message::Extended { id, body } => self.bytes(16 + u64::from(*id), body),
            Message::Unknown(kind) => self.tagged(300, u64::from(*kind)),
        }
    }

    fn tagged(&mut self, tag: u64, number: u64) {
        self.add(tag);
        self.add(number);
    }

    fn wanted(&mut self, tag: u64, wanted: Wanted) {
        self.tagged(tag, u64::from(wanted.piece) << 32 | u64::from(wanted.begin));
        self.add(u64::from(wanted.len));
    }

    fn blocks(&mut self, tag: u64, peer: u64, blocks: &[Block]) {
        self.tagged(tag, peer);
        for block in blocks {
            self.add(u64::from(block.piece().index()) << 32 | u64::from(block.index()));
        }
    }

    fn spans(&mut self, tag: u64, peer: u64, spans: &[Span]) {
        self.tagged(tag, peer);
        for span in spans {
            self.wanted(tag, (*span).into());
        }
    }

    fn bytes(&mut self, tag: u64, bytes: &[u8]) {
        self.tagged(tag, bytes.len() as u64);
        for chunk in bytes.chunks(8) {
            self.add(chunk.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)));
        }
    }
}

fn text(text: &str) -> u64 {
    let mut trace = Trace::new();
    trace.bytes(0, text.as_bytes());
    trace.0
}
