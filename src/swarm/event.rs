//! Inputs and outputs of a torrent: facts in the past tense come in, orders in the
//! imperative go out. Those who exchange them (`net`, `engine`, the simulated world) all import them
//! from here, and from nowhere else.

mod values;

use std::net::SocketAddr;
use std::ops::Range;

use crate::base::{Block, Piece, Sha1Digest, Span, Untrusted};
use crate::proto::announce::{Announce, AnnounceReply, ScrapeReply};
use crate::proto::message::Message;
use crate::proto::metainfo::{Metainfo, MetainfoError};

pub use self::values::{
    ContentSetup, Departure, DialFailure, Hello, Order, PeerKey, Priority, Source, TrackerFailure, TrackerKey,
};

/// A change of a running torrent by the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wish {
    /// Stop moving bytes; connections end.
    Pause,
    /// Go on after a pause.
    Resume,
    /// The priority of each piece from now on, one per piece.
    Priorities(Vec<Priority>),
    /// The order of pieces from now on.
    Order(Order),
    /// Somebody reads these pieces as they come: they are fetched first and in order, and nobody may hold
    /// up the first of them. Numbers beyond the last piece mean nothing; an empty range ends it.
    Ahead(Range<u32>),
    /// Announce now, as far as the trackers' min interval allows.
    Announce,
    /// The user's upload limit in bytes per second, from which the number of upload slots follows.
    UploadLimit(Option<u64>),
    /// Leave the swarm: tell the trackers, end every connection, order nothing more.
    Stop,
}

/// A fact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// Time has passed; the deadline was reached.
    Tick,
    /// Addresses that may be peers.
    Found {
        /// The source of the addresses.
        source: Source,
        /// The addresses, in the order they came.
        addrs: Vec<SocketAddr>,
    },
    /// A connection stands and both handshakes are exchanged.
    Connected {
        /// The key of the connection from now on.
        peer: PeerKey,
        /// The address at the other end.
        addr: SocketAddr,
        /// Whether the other side made it.
        incoming: bool,
        /// The handshake of the peer.
        hello: Hello,
    },
    /// A connection that was ordered could not be made.
    DialFailed {
        /// The address that was tried.
        addr: SocketAddr,
        /// Why.
        why: DialFailure,
    },
    /// The metadata is known and the files have been looked through: pieces may move from now on. Told once.
    ContentOpened(Box<ContentSetup>),
    /// A message came in. Blocks come as `Landed`.
    Heard {
        /// The sender.
        peer: PeerKey,
        /// The message.
        message: Message,
    },
    /// Blocks that were asked for came in; `Accept` says which of them are of use.
    Landed {
        /// The sender.
        peer: PeerKey,
        /// The blocks, in the order they came.
        blocks: Vec<Block>,
    },
    /// Payload came in that nobody had asked for (any more).
    Wasted {
        /// The sender.
        peer: PeerKey,
        /// How much, in bytes.
        bytes: u64,
    },
    /// Payload went out.
    Sent {
        /// The receiver.
        peer: PeerKey,
        /// Spans of those ordered by `Serve`; they no longer count against its queue.
        spans: Vec<Span>,
    },
    /// Messages of extensions were said, and everything said so far has gone out.
    Drained {
        /// The receiver.
        peer: PeerKey,
    },
    /// A connection ended, for whatever reason but our own `Close`.
    Left {
        /// The peer.
        peer: PeerKey,
        /// Why.
        why: Departure,
    },
    /// A piece has the digest the torrent promises, and its bytes are in the files.
    Verified {
        /// The piece.
        piece: Piece,
        /// The digest of each of its blocks, where `Verify` asked for them; else empty.
        digests: Vec<Sha1Digest>,
    },
    /// A piece has another digest than the torrent promises; its blocks are gone.
    HashFailed {
        /// The piece.
        piece: Piece,
        /// The digest of each of its blocks.
        digests: Vec<Sha1Digest>,
    },
    /// So many blocks at the front of a piece that is taken in runs are hashed and written, and hold no
    /// memory any more.
    SegmentWritten {
        /// The piece.
        piece: Piece,
        /// How many blocks, counted from the first.
        blocks: u32,
    },
    /// A piece whose blocks had all come in, or a run of one that is taken in runs, could not be written;
    /// its blocks are gone.
    WriteFailed {
        /// The piece.
        piece: Piece,
    },
    /// Spans ordered by `Serve` could not be read for the moment; they are not sent.
    Unserved {
        /// The peer that they were for.
        peer: PeerKey,
        /// The spans.
        spans: Vec<Span>,
    },
    /// A piece we claimed could not be read, or proved wrong on the disk; it is ours no longer.
    Lost {
        /// The piece.
        piece: Piece,
    },
    /// A tracker answered an announce, or did not.
    Announced {
        /// The tracker.
        tracker: TrackerKey,
        /// The answer.
        answer: Result<AnnounceReply, TrackerFailure>,
    },
    /// A tracker answered a scrape, or did not.
    Scraped {
        /// The tracker.
        tracker: TrackerKey,
        /// The answer.
        answer: Result<ScrapeReply, TrackerFailure>,
    },
    /// A search for peers in the DHT has ended. What it found came as `Found`.
    LookedUp {
        /// How many nodes answered.
        answered: u32,
        /// How many peers they knew.
        peers: u32,
    },
    /// How many bytes of unfinished pieces may be held in memory from now on. One piece is always allowed, or
    /// one run of a piece that is longer.
    Budget {
        /// Bytes.
        bytes: u64,
    },
    /// The user wishes something.
    Wish(Wish),
}

/// An order.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Connect to this address; `Connected` or `DialFailed` follows.
    Dial {
        /// The address.
        addr: SocketAddr,
    },
    /// Send this message.
    Say {
        /// The receiver.
        peer: PeerKey,
        /// The message.
        message: Message,
    },
    /// Request these blocks and expect them.
    Ask {
        /// The peer that is asked.
        peer: PeerKey,
        /// The blocks, in this order; of one piece as far as possible.
        blocks: Vec<Block>,
    },
    /// Take back requests.
    Cancel {
        /// The peer that is asked.
        peer: PeerKey,
        /// The blocks.
        blocks: Vec<Block>,
    },
    /// Send these spans of verified pieces; `Sent` follows for each that went out.
    Serve {
        /// The receiver.
        peer: PeerKey,
        /// The spans, in this order.
        spans: Vec<Span>,
    },
    /// Do not send these spans if they have not gone out yet; they are not reported as `Sent`.
    Unserve {
        /// The receiver.
        peer: PeerKey,
        /// The spans; empty for all that wait.
        spans: Vec<Span>,
    },
    /// End a connection. No `Left` follows.
    Close {
        /// The peer.
        peer: PeerKey,
        /// Why.
        why: Departure,
    },
    /// A piece is begun: make room for its blocks. Its last life, if there was one, has ended by `Discard` or
    /// `Verify`.
    Open {
        /// The piece.
        piece: Piece,
        /// The piece is too long to be held whole: it is taken in runs. Each is hashed and written as soon as its
        /// blocks are there and those before it have been; `SegmentWritten` follows for each but the last.
        in_runs: bool,
    },
    /// Put these blocks, all of them just landed and in this order, into their pieces. Others that have landed with
    /// them are of no use.
    Accept {
        /// The blocks, in the order they came.
        blocks: Vec<Block>,
    },
    /// All blocks of a piece are in: hash it, and write it if it is right. `Verified`, `HashFailed` or
    /// `WriteFailed` follows.
    Verify {
        /// The piece.
        piece: Piece,
        /// Whether to report the digests of its blocks even if it is right.
        digests: bool,
    },
    /// Throw away the blocks of a piece that have landed; nobody wants it any more.
    Discard {
        /// The piece.
        piece: Piece,
    },
    /// Announce; `Announced` follows.
    Announce {
        /// To which tracker.
        tracker: TrackerKey,
        /// The content of the announce.
        announce: Announce,
    },
    /// Scrape; `Scraped` follows.
    Scrape {
        /// The tracker.
        tracker: TrackerKey,
    },
    /// Search for peers in the DHT (BEP 5), in place of any search under way. `Found` follows as they are found, and
    /// `LookedUp` at the end.
    Lookup {
        /// Say that we have it, too.
        announce: bool,
        /// We have all of it (BEP 33).
        seed: bool,
    },
    /// A node of the DHT may be there: a peer's PORT message says so.
    Node {
        /// Where.
        addr: SocketAddr,
    },
    /// The info dictionary is here and has the digest that was asked for (BEP 9): what it says, or why it
    /// cannot be used.
    Metadata(Result<Box<Metainfo>, MetainfoError>),
    /// Something happened that people may want to know.
    Note(Note),
}

/// An event that people may want to know of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// Every wanted piece is verified and written.
    Finished,
    /// A piece came out wrong and is fetched again.
    HashFailed(Piece),
    /// This peer sent a wrong info dictionary. It is asked again after a pause, for a bit may flip on any way.
    WrongMetadata(SocketAddr),
    /// This peer sent wrong bytes and is not talked to again.
    Banned(SocketAddr),
    /// A tracker answered with a warning.
    TrackerWarning(TrackerKey, Untrusted),
}
