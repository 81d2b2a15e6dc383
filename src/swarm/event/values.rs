//! Values of inputs and outputs: peer and tracker keys, address sources, reasons of failures, content
//! settings.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Bitfield, Block, Geometry, PeerId, Piece, Untrusted};
use crate::proto::handshake::Reserved;

/// The key of a connection to a peer, never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub u64);

/// The index of a tracker in the torrent's list, over all tiers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackerKey(pub usize);

/// The source of an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// The user, on the command line or in a link.
    User,
    /// A tracker.
    Tracker,
    /// The DHT (BEP 5).
    Dht,
    /// Peer exchange (BEP 11).
    Pex,
    /// Local service discovery (BEP 14).
    Lsd,
    /// The resume data: we were connected in an earlier run.
    Resume,
    /// The peer itself, which connected to us.
    Incoming,
}

impl Source {
    /// Whether a private torrent may use peers of this source (BEP 27).
    pub const fn is_open(self) -> bool {
        matches!(self, Self::User | Self::Tracker | Self::Resume | Self::Incoming)
    }
}

/// The handshake of a peer (BEP 3, BEP 10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerHandshake {
    /// The peer id.
    pub id: PeerId,
    /// The extensions it supports.
    pub reserved: Reserved,
}

/// Reasons why a dial failed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DialFailure {
    /// Timeout: there was no answer in time.
    TimedOut,
    /// The connection was refused.
    Refused,
    /// No route leads to the address.
    Unreachable,
    /// The answer was not a handshake for this torrent.
    BadHandshake,
    /// The address is our own.
    Ourselves,
    /// The failure is local: no file descriptor or no local address.
    Local,
}

/// Reasons why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DisconnectReason {
    /// The peer or the network closed the connection.
    Closed,
    /// The peer was silent for too long.
    Silent,
    /// The peer violated the protocol.
    Protocol,
    /// The peer sent blocks with a wrong hash.
    Lied,
    /// Neither side has anything that the other wants.
    Useless,
    /// A better peer takes the connection's place.
    Replaced,
    /// Another connection to the same peer exists.
    Duplicate,
    /// The peer is ourselves.
    Ourselves,
    /// The torrent is stopped or paused.
    Stopping,
}

/// Reasons why an announce or scrape failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrackerFailure {
    /// The tracker refused it, with its own reason and the time of the next try, if given (BEP 31).
    Refused(Untrusted, Option<Duration>),
    /// The tracker was unreachable or its answer unreadable; the sentence is for the user.
    Unreachable(String),
}

impl TrackerFailure {
    /// The sentence for a tracker that did not answer.
    pub const NO_ANSWER: &'static str = "the tracker did not answer in time";
}

/// The priority of a file, and of its pieces.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Priority {
    /// Do not download.
    Skip,
    /// Download after everything else.
    Low,
    /// Download in the usual order.
    #[default]
    Normal,
    /// Download before everything else.
    High,
}

/// The order in which pieces are picked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// Rarest first.
    #[default]
    RarestFirst,
    /// From the first piece to the last.
    InOrder,
}

/// The content of a torrent whose metadata is known and whose files were checked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentSetup {
    /// The geometry of pieces, blocks and files.
    pub geometry: Arc<Geometry>,
    /// The verified pieces.
    pub have: Bitfield,
    /// The priority of each piece; empty if all are normal.
    pub priorities: Vec<Priority>,
    /// The order in which pieces are picked.
    pub order: Order,
    /// Only upload, never download.
    pub seed_only: bool,
    /// The missing pieces of which an earlier run has received blocks that are still there.
    pub unfinished: Vec<UnfinishedPiece>,
}

/// A piece of which an earlier run has received blocks. They may be wrong, which is nobody's fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnfinishedPiece {
    /// The piece.
    pub piece: Piece,
    /// Whether the piece is taken in runs.
    pub in_runs: bool,
    /// The number of blocks at its front that were hashed and written and use no memory; 0 if it is not taken in
    /// runs.
    pub written: u32,
    /// The blocks behind them that are in memory, in order.
    pub blocks: Vec<Block>,
}

impl ContentSetup {
    /// Makes a setup with normal priority for all pieces, rarest first.
    pub fn new(geometry: Arc<Geometry>, have: Bitfield) -> Self {
        Self {
            geometry,
            have,
            priorities: Vec::new(),
            order: Order::default(),
            seed_only: false,
            unfinished: Vec::new(),
        }
    }
}
