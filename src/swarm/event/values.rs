//! The values that inputs and outputs are made of: keys of peers and trackers, sources of addresses, reasons of
//! failures, what is wanted of the content.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Bitfield, Geometry, PeerId, Untrusted};
use crate::proto::handshake::Reserved;

/// One connection to a peer. Never used again after it has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub u64);

/// The place of a tracker in the torrent's list, counted over all tiers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackerKey(pub usize);

/// The source of an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Source {
    /// The user, on the command line or in a link.
    User,
    /// A tracker.
    Tracker,
    /// The distributed hash table (BEP 5).
    Dht,
    /// Another peer (BEP 11).
    Pex,
    /// The local network (BEP 14).
    Lsd,
    /// We were connected in an earlier run.
    Resume,
    /// The peer itself: it connected to us.
    Incoming,
}

impl Source {
    /// Whether peers of a private torrent may come from there (BEP 27).
    pub const fn is_open(self) -> bool {
        matches!(self, Self::User | Self::Tracker | Self::Resume | Self::Incoming)
    }
}

/// The handshake of a peer (BEP 3, BEP 10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The name it gave itself.
    pub id: PeerId,
    /// The extensions it supports.
    pub reserved: Reserved,
}

/// Why a connection could not be made.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum DialFailure {
    /// Nothing answered in time.
    TimedOut,
    /// The other side refused.
    Refused,
    /// There is no way there.
    Unreachable,
    /// The answer was no handshake for this torrent.
    BadHandshake,
    /// The peer turned out to be ourselves.
    Ourselves,
    /// Our own side could not: no descriptors or no address.
    Local,
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Departure {
    /// The other side closed, or the network did.
    Closed,
    /// The peer was silent for too long.
    Silent,
    /// The peer broke the protocol.
    Protocol,
    /// The peer sent bytes that do not match the torrent.
    Lied,
    /// Neither side has anything the other wants.
    Useless,
    /// There are better ones.
    Replaced,
    /// We are connected to it already.
    Duplicate,
    /// The peer turned out to be ourselves.
    Ourselves,
    /// The torrent stops or pauses.
    Stopping,
}

/// Why an announce or a scrape brought nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TrackerFailure {
    /// The tracker said why, in its own words; and when to come again, if it said so (BEP 31).
    Refused(Untrusted, Option<Duration>),
    /// The tracker could not be asked, or its answer not be read; a sentence of ours.
    Unreachable(String),
}

impl TrackerFailure {
    /// The sentence of a tracker that was asked and said nothing.
    pub const NO_ANSWER: &'static str = "the tracker did not answer in time";
}

/// How much a file, and so its pieces, is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Priority {
    /// Not at all.
    Skip,
    /// After everything else.
    Low,
    /// As usual.
    #[default]
    Normal,
    /// Before everything else.
    High,
}

/// In which order pieces are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The rarest first.
    #[default]
    RarestFirst,
    /// From the beginning to the end.
    InOrder,
}

/// The content of a torrent when it is opened: its metadata is known, and its files have been looked through.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ContentSetup {
    /// Pieces, blocks and files.
    pub geometry: Arc<Geometry>,
    /// The pieces that are in the files and right.
    pub have: Bitfield,
    /// The priority of each piece; empty for all normal.
    pub priorities: Vec<Priority>,
    /// In which order pieces are chosen.
    pub order: Order,
    /// Only give, never fetch.
    pub seed_only: bool,
}

impl ContentSetup {
    /// All pieces are wanted alike, the rarest first.
    pub fn new(geometry: Arc<Geometry>, have: Bitfield) -> Self {
        Self { geometry, have, priorities: Vec::new(), order: Order::default(), seed_only: false }
    }
}
