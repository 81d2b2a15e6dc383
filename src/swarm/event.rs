//! Inputs and outputs of a torrent. Inputs are facts in the past tense, outputs are orders in the imperative.
//! All users (`net`, `engine`, the simulated world) import them from here.

mod values;

use std::net::SocketAddr;
use std::ops::Range;

use crate::base::{Block, Piece, Sha1Digest, Span, Untrusted};
use crate::proto::announce::{Announce, AnnounceReply, ScrapeReply};
use crate::proto::message::Message;
use crate::proto::metainfo::{Metainfo, MetainfoError};

pub use self::values::{
    ContentSetup, DialFailure, DisconnectReason, Order, PeerHandshake, PeerKey, Priority, Source,
    TrackerFailure, TrackerKey, UnfinishedPiece,
};

/// A command of the user to a running torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TorrentCommand {
    /// Stop all transfers and close all connections.
    Pause,
    /// Resume after a pause.
    Resume,
    /// Set the priority of each piece, one entry per piece.
    Priorities(Vec<Priority>),
    /// Set the order in which pieces are picked.
    Order(Order),
    /// Read ahead: these pieces are needed next, so they are requested before all others and in order, and no
    /// slow peer may hold up the first of them. Numbers beyond the last piece are ignored; an empty range
    /// ends the read-ahead.
    Ahead(Range<u32>),
    /// Announce now, as far as the min interval of each tracker allows.
    Announce,
    /// Set the upload limit in bytes per second, which determines the number of upload slots.
    UploadLimit(Option<u64>),
    /// Leave the swarm for good: announce `stopped` and close all connections. No outputs follow.
    Stop,
}

/// An input to the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Input {
    /// The deadline was reached.
    Tick,
    /// Addresses of possible peers were found.
    PeersFound {
        /// The source of the addresses.
        source: Source,
        /// The addresses, in the order of their source.
        addrs: Vec<SocketAddr>,
    },
    /// A connection was established and both handshakes were exchanged.
    Connected {
        /// The key of the connection.
        peer: PeerKey,
        /// The remote address.
        addr: SocketAddr,
        /// Whether the peer connected to us.
        incoming: bool,
        /// The peer's handshake.
        hello: PeerHandshake,
    },
    /// A dial failed.
    DialFailed {
        /// The address that was dialled.
        addr: SocketAddr,
        /// The reason.
        why: DialFailure,
    },
    /// The metadata is known and the files were checked, so pieces can be transferred. Happens once.
    ContentOpened(Box<ContentSetup>),
    /// A message was received. Blocks are reported with `Landed` instead.
    MessageReceived {
        /// The sender.
        peer: PeerKey,
        /// The message.
        message: Message,
    },
    /// Requested blocks were received. `Accept` tells which of them are useful.
    BlocksReceived {
        /// The sender.
        peer: PeerKey,
        /// The blocks, in the order of their arrival.
        blocks: Vec<Block>,
    },
    /// Payload was received that was not requested, or no longer.
    Wasted {
        /// The sender.
        peer: PeerKey,
        /// The amount, in bytes.
        bytes: u64,
    },
    /// Payload was sent.
    Sent {
        /// The receiver.
        peer: PeerKey,
        /// Spans of a `Serve`, which no longer count against its queue.
        spans: Vec<Span>,
    },
    /// The extension messages to a peer were sent, and everything before them.
    Drained {
        /// The receiver.
        peer: PeerKey,
    },
    /// A connection has ended, other than by our own `Close`.
    Disconnected {
        /// The peer.
        peer: PeerKey,
        /// The reason.
        why: DisconnectReason,
    },
    /// A piece has the right hash and is written.
    PieceVerified {
        /// The piece.
        piece: Piece,
        /// The digest of each block if `Verify` asked for them, else empty.
        digests: Vec<Sha1Digest>,
    },
    /// A piece has the wrong hash; its blocks were discarded.
    HashFailed {
        /// The piece.
        piece: Piece,
        /// The digest of each of its blocks.
        digests: Vec<Sha1Digest>,
    },
    /// Blocks at the front of a piece that is taken in runs were hashed and written, and no longer use
    /// memory.
    SegmentWritten {
        /// The piece.
        piece: Piece,
        /// The number of blocks, counted from the first.
        blocks: u32,
    },
    /// A complete piece, or a run of a piece that is taken in runs, could not be written; its blocks were
    /// discarded.
    WriteFailed {
        /// The piece.
        piece: Piece,
    },
    /// Spans of a `Serve` could not be read at the moment, and are not sent.
    ReadFailed {
        /// The peer that requested them.
        peer: PeerKey,
        /// The spans.
        spans: Vec<Span>,
    },
    /// A piece that we have could not be read, or is damaged on disk; we no longer have it.
    PieceLost {
        /// The piece.
        piece: Piece,
    },
    /// A tracker answered an announce, or failed to.
    Announced {
        /// The tracker.
        tracker: TrackerKey,
        /// The answer.
        answer: Result<AnnounceReply, TrackerFailure>,
    },
    /// A tracker answered a scrape, or failed to.
    Scraped {
        /// The tracker.
        tracker: TrackerKey,
        /// The answer.
        answer: Result<ScrapeReply, TrackerFailure>,
    },
    /// A DHT search for peers has ended. The peers were reported with `Found`.
    LookedUp {
        /// The number of nodes that answered.
        answered: u32,
        /// The number of peers they returned.
        peers: u32,
    },
    /// The memory for unfinished pieces has changed. One piece is always allowed, or one run of a longer
    /// piece.
    Budget {
        /// The new limit, in bytes.
        bytes: u64,
    },
    /// The user gave a command.
    Command(TorrentCommand),
}

/// An output of the torrent: an order to its driver.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Output {
    /// Dial this address. `Connected` or `DialFailed` follows.
    Dial {
        /// The address.
        addr: SocketAddr,
    },
    /// Send this message.
    Send {
        /// The receiver.
        peer: PeerKey,
        /// The message.
        message: Message,
    },
    /// Request these blocks.
    Request {
        /// The peer to request them from.
        peer: PeerKey,
        /// The blocks in order, from one piece if possible.
        blocks: Vec<Block>,
    },
    /// Cancel requests.
    Cancel {
        /// The peer that they were sent to.
        peer: PeerKey,
        /// The requested blocks.
        blocks: Vec<Block>,
    },
    /// Send these spans of verified pieces. `Sent` follows for each.
    Serve {
        /// The receiver.
        peer: PeerKey,
        /// The spans, in this order.
        spans: Vec<Span>,
    },
    /// Do not send these spans if they are not sent yet. No `Sent` follows for them.
    CancelServe {
        /// The receiver.
        peer: PeerKey,
        /// The spans; empty for all that are queued.
        spans: Vec<Span>,
    },
    /// Close a connection. No `Left` follows.
    Close {
        /// The peer.
        peer: PeerKey,
        /// The reason.
        why: DisconnectReason,
    },
    /// Prepare buffers for a new piece. If it was open before, `Discard` or `Verify` has closed it.
    Open {
        /// The piece.
        piece: Piece,
        /// Whether the piece is too long for memory and is taken in runs. Each run is hashed and written once
        /// its blocks and all runs before it are complete; `SegmentWritten` follows for each run but the
        /// last.
        in_runs: bool,
    },
    /// Store these blocks, which were just received, in their pieces. Other blocks of the same report are
    /// useless.
    Accept {
        /// The blocks, in the order of their arrival.
        blocks: Vec<Block>,
    },
    /// Hash a complete piece, and write it if the hash is right. `Verified`, `HashFailed` or `WriteFailed`
    /// follows.
    Verify {
        /// The piece.
        piece: Piece,
        /// Whether to report the digests of the blocks even if the hash is right.
        digests: bool,
    },
    /// Discard the blocks of a piece that is no longer wanted.
    Discard {
        /// The piece.
        piece: Piece,
    },
    /// Announce to a tracker. `Announced` follows.
    Announce {
        /// The tracker.
        tracker: TrackerKey,
        /// The content of the announce.
        announce: Announce,
    },
    /// Scrape a tracker. `Scraped` follows.
    Scrape {
        /// The tracker.
        tracker: TrackerKey,
    },
    /// Search for peers in the DHT (BEP 5), and end any search in progress. `Found` follows for the peers,
    /// `LookedUp` at the end.
    Lookup {
        /// Announce us as a peer, too.
        announce: bool,
        /// Whether we are a seed (BEP 33).
        seed: bool,
    },
    /// Add a DHT node: a peer's port message named it (BEP 5).
    AddDhtNode {
        /// The address of the node.
        addr: SocketAddr,
    },
    /// Take the info dictionary, which matches the info-hash (BEP 9): parsed, or the error if it is unusable.
    Metadata(Result<Box<Metainfo>, MetainfoError>),
    /// Report an event to the user.
    Note(Note),
}

/// An event of interest to the user.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Note {
    /// All wanted pieces are verified and written.
    Finished,
    /// A piece had the wrong hash and is downloaded again.
    HashFailed(Piece),
    /// A peer sent a wrong info dictionary. It is asked again after a pause, since the bytes may have been
    /// damaged on the way.
    WrongMetadata(SocketAddr),
    /// A peer sent wrong blocks and was banned.
    Banned(SocketAddr),
    /// A tracker sent a warning.
    TrackerWarning(TrackerKey, Untrusted),
}
