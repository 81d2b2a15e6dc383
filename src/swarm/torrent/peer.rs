//! The state of a connected peer.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Bitfield, Meter, Moment, PeerId, Piece, Span, Untrusted, owner_of};
use crate::proto::handshake::Reserved;

use crate::swarm::metadata::early::EarlyMessages;
use crate::swarm::parts::metadata_quota::MetadataQuota;
use crate::swarm::parts::pex::Exchange;
use crate::swarm::parts::pipeline::Pipeline;

/// The time over which rates are averaged.
const WINDOW: Duration = Duration::from_secs(5);
/// The most strikes: useless or impossible messages before the connection is closed.
const MAX_STRIKES: u32 = 300;
/// The most requests that wait for one peer, which our extension handshake states as `reqq` (BEP 10).
pub const MAX_REQUESTS: usize = 500;
/// The bytes that are in the send queue at most; it is refilled when half of them are left.
pub const SERVE_AHEAD: u64 = 1 << 20;
/// The most suggested pieces, and the most allowed-fast pieces, that are kept.
pub const MAX_HINTS: usize = 32;

/// The way in which the pieces of a peer count in the availability.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// Each piece counts by itself.
    Each,
    /// The peer counts as a seed.
    Seed,
}

/// A connected peer.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, Debug)]
pub struct Peer {
    /// The remote address.
    pub addr: SocketAddr,
    /// The peer's listening address, if known.
    pub listens: Option<SocketAddr>,
    /// Whether the peer connected to us.
    pub incoming: bool,
    /// The peer id.
    pub id: PeerId,
    /// The extensions that the peer supports.
    pub reserved: Reserved,
    /// The time at which the peer connected.
    pub came: Moment,
    /// The client name that the peer sent (BEP 10, `v`).
    pub client: Untrusted,
    /// The pieces that the peer has; a set of no pieces while their number is unknown.
    pub has: Bitfield,
    /// The messages about pieces that arrived while the number of pieces was unknown.
    pub early: Option<Box<EarlyMessages>>,
    /// The way in which its pieces count in the availability.
    pub counted: Counted,
    /// Whether the peer has sent a bitfield, have-all or have-none message.
    pub sent_pieces: bool,
    /// Whether the peer lacked pieces when it connected.
    pub was_incomplete: bool,
    /// The number of its pieces that we want and lack.
    pub interesting: u32,
    /// Whether we are interested in the peer.
    pub interested: bool,
    /// Whether the peer is interested in us.
    pub wants: bool,
    /// Whether the peer chokes us.
    pub chokes_us: bool,
    /// Whether we choke the peer.
    pub choked: bool,
    /// The time at which we last choked or unchoked the peer.
    pub choked_at: Moment,
    /// The time at which either side last changed its interest.
    pub interest_at: Moment,
    /// Whether the peer wants no more pieces (BEP 21).
    pub upload_only: bool,
    /// The peer's message id for `lt_donthave` (BEP 54).
    pub dont_have_id: Option<u8>,
    /// The peer's message id for `ut_pex` (BEP 11).
    pub pex_id: Option<u8>,
    /// The state of the peer exchange.
    pub exchange: Exchange,
    /// The peer's message id for `ut_metadata` (BEP 9).
    pub metadata_id: Option<u8>,
    /// The length of the info dictionary in bytes, as the peer claims (BEP 9).
    pub metadata_size: Option<u32>,
    /// The bytes of the info dictionary received from the peer.
    pub metadata_received: u64,
    /// The quota for the peer's requests for the info dictionary.
    pub metadata_quota: MetadataQuota,
    /// The pieces that we may request while choked (BEP 6).
    pub allowed_us: Vec<Piece>,
    /// The pieces that the peer may request while choked (BEP 6), with the number of blocks requested of
    /// each.
    pub allowed: Vec<(Piece, u32)>,
    /// The pieces that the peer suggested (BEP 6).
    pub suggested: Vec<Piece>,
    /// The pending requests to the peer.
    pub pipeline: Pipeline,
    /// Whether the last search found fewer blocks than the pipeline has room for.
    pub starved: bool,
    /// The piece that is reserved for the peer.
    pub own: Option<Piece>,
    /// The earliest time of the next search for duplicate requests.
    pub next_duplicates: Moment,
    /// The peer's requests that wait.
    pub queue: VecDeque<Span>,
    /// Spans that are being served and not yet sent.
    pub serving: VecDeque<Span>,
    /// The number of bytes in `serving`.
    pub serving_bytes: u64,
    /// The bytes sent to the peer before we last unchoked it.
    pub sent_before: u64,
    /// The payload received from the peer.
    pub down: Meter,
    /// The payload sent to the peer.
    pub up: Meter,
    /// The time of the last message from the peer.
    pub heard_at: Moment,
    /// The time of our last message to the peer.
    pub sent_at: Moment,
    /// The number of extension handshakes that the peer sent.
    pub handshakes: u32,
    /// Whether the peer has sent a port message (BEP 5).
    pub sent_port: bool,
    strikes: u32,
}

impl Peer {
    /// Makes a peer that has just connected.
    pub fn new(now: Moment, addr: SocketAddr, incoming: bool, id: PeerId, reserved: Reserved) -> Self {
        Self {
            addr,
            listens: (!incoming).then_some(addr),
            incoming,
            id,
            reserved,
            came: now,
            client: Untrusted::default(),
            has: Bitfield::EMPTY,
            early: Some(Box::default()),
            counted: Counted::Each,
            sent_pieces: false,
            was_incomplete: true,
            interesting: 0,
            interested: false,
            wants: false,
            chokes_us: true,
            choked: true,
            choked_at: now,
            interest_at: now,
            upload_only: false,
            dont_have_id: None,
            pex_id: None,
            exchange: Exchange::default(),
            metadata_id: None,
            metadata_size: None,
            metadata_received: 0,
            metadata_quota: MetadataQuota::new(now),
            allowed_us: Vec::new(),
            allowed: Vec::new(),
            suggested: Vec::new(),
            pipeline: Pipeline::new(now),
            starved: false,
            own: None,
            next_duplicates: now,
            queue: VecDeque::new(),
            serving: VecDeque::new(),
            serving_bytes: 0,
            sent_before: 0,
            down: Meter::new(now, WINDOW),
            up: Meter::new(now, WINDOW),
            heard_at: now,
            sent_at: now,
            handshakes: 0,
            sent_port: false,
            strikes: 0,
        }
    }

    /// Sets the number of pieces. Returns the messages kept so far, if it was not set before.
    pub fn size(&mut self, pieces: u32) -> Option<EarlyMessages> {
        let early = self.early.take()?;
        self.has = Bitfield::none(pieces);
        Some(*early)
    }

    /// Whether useful bytes were received from the peer or sent to it.
    pub fn is_of_use(&self) -> bool {
        self.down.total() > 0 || self.up.total() > 0 || self.metadata_received > 0
    }

    /// Whether both sides support the fast extension (BEP 6).
    pub const fn fast(&self) -> bool {
        self.reserved.fast()
    }

    /// Whether the peer has all pieces.
    pub const fn is_seed(&self) -> bool {
        self.early.is_none() && self.has.is_full()
    }

    /// Counts a useless or impossible message. Returns whether there were too many.
    pub const fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.strikes > MAX_STRIKES
    }

    /// Forgives some strikes: about one per second can happen by chance.
    pub const fn forgive(&mut self, strikes: u32) {
        self.strikes = self.strikes.saturating_sub(strikes);
    }

    /// The address to blame and ban. On the Internet an IP address is one peer, whatever its port; on a local
    /// network or this machine, peers may share an address.
    pub fn address_owner(&self) -> SocketAddr {
        owner_of(self.addr)
    }

    /// Whether we may request blocks of this piece from the peer.
    pub fn may_give(&self, piece: Piece) -> bool {
        self.has.has(piece) && (!self.chokes_us || self.allowed_us.contains(&piece))
    }

    /// Whether we may request anything from the peer.
    pub fn may_be_asked(&self) -> bool {
        self.interesting > 0 && (!self.chokes_us || !self.allowed_us.is_empty())
    }

    /// Adds a hint, and drops the oldest beyond [`MAX_HINTS`].
    pub fn hint(hints: &mut Vec<Piece>, piece: Piece) {
        if !hints.contains(&piece) {
            hints.truncate(MAX_HINTS - 1);
            hints.insert(0, piece);
        }
    }
}
