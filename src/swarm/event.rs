//! What a torrent hears and what it orders: facts in the past tense come in, orders in the
//! imperative go out. Those who exchange them (`net`, `engine`, the simulated world) all import them
//! from here, and from nowhere else.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{Bitfield, Block, Geometry, PeerId, Piece, Sha1Digest, Span, Untrusted};
use crate::proto::announce::{Announce, AnnounceReply, ScrapeReply};
use crate::proto::handshake::Reserved;
use crate::proto::message::Message;
use crate::proto::metainfo::{Metainfo, MetainfoError};

/// One connection to a peer. Never used again after it has ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PeerKey(pub u64);

/// The place of a tracker in the torrent's list, counted over all tiers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TrackerKey(pub usize);

/// Who told us of an address.
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
    /// It called us.
    Incoming,
}

impl Source {
    /// Whether peers of a private torrent may come from there (BEP 27).
    pub const fn is_open(self) -> bool {
        matches!(self, Self::User | Self::Tracker | Self::Resume | Self::Incoming)
    }
}

/// What the handshake of a peer said (BEP 3, BEP 10).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Hello {
    /// The name it gave itself.
    pub id: PeerId,
    /// What it can do.
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
    /// It answered with something that is no handshake for this torrent.
    BadHandshake,
    /// It turned out to be ourselves.
    Ourselves,
    /// Our own side could not: no descriptors or no address.
    Local,
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Departure {
    /// The other side closed, or the network did.
    Closed,
    /// It was silent for too long.
    Silent,
    /// It broke the protocol.
    Protocol,
    /// It sent bytes that were not what the torrent says.
    Lied,
    /// Neither side has anything the other wants.
    Useless,
    /// There are better ones.
    Replaced,
    /// We are connected to it already.
    Duplicate,
    /// It turned out to be ourselves.
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

/// What the user changes about a running torrent.
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
        /// Who says so.
        source: Source,
        /// The addresses, in the order they came.
        addrs: Vec<SocketAddr>,
    },
    /// A connection stands and both handshakes are exchanged.
    Connected {
        /// Its key from now on.
        peer: PeerKey,
        /// The address at the other end.
        addr: SocketAddr,
        /// Whether the other side made it.
        incoming: bool,
        /// What its handshake said.
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
        /// From whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// Blocks that were asked for came in; `Accept` says which of them are of use.
    Landed {
        /// From whom.
        peer: PeerKey,
        /// Which, in the order they came.
        blocks: Vec<Block>,
    },
    /// Payload came in that nobody had asked for (any more).
    Wasted {
        /// From whom.
        peer: PeerKey,
        /// How much, in bytes.
        bytes: u64,
    },
    /// Payload went out.
    Sent {
        /// To whom.
        peer: PeerKey,
        /// Which spans of those ordered by `Serve`; they no longer count against its queue.
        spans: Vec<Span>,
    },
    /// Messages of extensions were said, and everything said so far has gone out.
    Drained {
        /// To whom.
        peer: PeerKey,
    },
    /// A connection ended, for whatever reason but our own `Close`.
    Left {
        /// Which.
        peer: PeerKey,
        /// Why.
        why: Departure,
    },
    /// A piece has the digest the torrent promises, and its bytes are in the files.
    Verified {
        /// Which.
        piece: Piece,
        /// The digest of each of its blocks, where `Verify` asked for them; else empty.
        digests: Vec<Sha1Digest>,
    },
    /// A piece has another digest than the torrent promises; its blocks are gone.
    HashFailed {
        /// Which.
        piece: Piece,
        /// The digest of each of its blocks.
        digests: Vec<Sha1Digest>,
    },
    /// So many blocks at the front of a piece that is taken in runs are hashed and written, and hold no
    /// memory any more.
    SegmentWritten {
        /// Which.
        piece: Piece,
        /// How many blocks, counted from the first.
        blocks: u32,
    },
    /// A piece whose blocks had all come in, or a run of one that is taken in runs, could not be written;
    /// its blocks are gone.
    WriteFailed {
        /// Which.
        piece: Piece,
    },
    /// Spans ordered by `Serve` could not be read for the moment; they are not sent.
    Unserved {
        /// To whom they were to go.
        peer: PeerKey,
        /// Which.
        spans: Vec<Span>,
    },
    /// A piece we claimed could not be read, or proved wrong on the disk; it is ours no longer.
    Lost {
        /// Which.
        piece: Piece,
    },
    /// A tracker answered an announce, or did not.
    Announced {
        /// Which tracker.
        tracker: TrackerKey,
        /// The answer.
        answer: Result<AnnounceReply, TrackerFailure>,
    },
    /// A tracker answered a scrape, or did not.
    Scraped {
        /// Which tracker.
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
        /// To whom.
        peer: PeerKey,
        /// What.
        message: Message,
    },
    /// Request these blocks and expect them.
    Ask {
        /// Of whom.
        peer: PeerKey,
        /// Which, in this order; of one piece as far as possible.
        blocks: Vec<Block>,
    },
    /// Take back requests.
    Cancel {
        /// Of whom.
        peer: PeerKey,
        /// Which.
        blocks: Vec<Block>,
    },
    /// Send these spans of verified pieces; `Sent` follows for each that went out.
    Serve {
        /// To whom.
        peer: PeerKey,
        /// Which, in this order.
        spans: Vec<Span>,
    },
    /// Do not send these spans if they have not gone out yet; they are not reported as `Sent`.
    Unserve {
        /// To whom.
        peer: PeerKey,
        /// Which; empty for all that wait.
        spans: Vec<Span>,
    },
    /// End a connection. No `Left` follows.
    Close {
        /// Which.
        peer: PeerKey,
        /// Why.
        why: Departure,
    },
    /// A piece is begun: make room for its blocks. Its last life, if there was one, has ended by `Discard` or
    /// `Verify`.
    Open {
        /// Which.
        piece: Piece,
        /// It is too long to be held whole: it is taken in runs, each of which is to be hashed and written as soon as
        /// its blocks are there and those before it have been; `SegmentWritten` follows for each but the last.
        in_runs: bool,
    },
    /// Put these blocks, all of them just landed and in this order, into their pieces. Others that have landed with
    /// them are of no use.
    Accept {
        /// Which, in the order they came.
        blocks: Vec<Block>,
    },
    /// All blocks of a piece are in: hash it, and write it if it is right. `Verified`, `HashFailed` or
    /// `WriteFailed` follows.
    Verify {
        /// Which.
        piece: Piece,
        /// Whether to report the digests of its blocks even if it is right.
        digests: bool,
    },
    /// Throw away the blocks of a piece that have landed; nobody wants it any more.
    Discard {
        /// Which.
        piece: Piece,
    },
    /// Announce; `Announced` follows.
    Announce {
        /// To which tracker.
        tracker: TrackerKey,
        /// What to say.
        announce: Announce,
    },
    /// Scrape; `Scraped` follows.
    Scrape {
        /// Which tracker.
        tracker: TrackerKey,
    },
    /// Search for peers in the DHT (BEP 5), in place of any search under way; `Found` follows as they are found, and `LookedUp` at the end.
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

/// What people may want to know.
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
