//! One connected peer, as far as it is known.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::base::{Bitfield, Meter, Moment, PeerId, Piece, Span, Untrusted, owner_of};
use crate::proto::handshake::Reserved;

use crate::swarm::metadata::early::EarlyMessages;
use crate::swarm::parts::metadata_quota::MetadataQuota;
use crate::swarm::parts::pex::Exchange;
use crate::swarm::parts::pipeline::Pipeline;

/// Rates are averaged over about this long.
const WINDOW: Duration = Duration::from_secs(5);
/// Strikes after which a peer is left: messages that are pointless, or that cannot be.
const MAX_STRIKES: u32 = 300;
/// The most requests that wait for one peer; as many are named in our extension handshake.
pub const MAX_REQUESTS: usize = 500;
/// Bytes ordered to be served and not yet sent are filled up to this when half of it is left.
pub const SERVE_AHEAD: u64 = 1 << 20;
/// The most pieces kept of those a peer suggests, or allows while it chokes us.
pub const MAX_HINTS: usize = 32;

/// How the pieces of a peer are counted in the rarity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Counted {
    /// One by one.
    Each,
    /// As a seed.
    Seed,
}

/// One connected peer.
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that is so or is not")]
#[derive(Clone, Debug)]
pub struct Peer {
    /// The address at the other end.
    pub addr: SocketAddr,
    /// Where it can be dialled, if known.
    pub listens: Option<SocketAddr>,
    /// Whether it made the connection.
    pub incoming: bool,
    /// The name it gave itself.
    pub id: PeerId,
    /// The extensions it supports.
    pub reserved: Reserved,
    /// When it came.
    pub came: Moment,
    /// The name of its client.
    pub client: Untrusted,
    /// The pieces it has; a set of no pieces while their number is not known.
    pub has: Bitfield,
    /// Messages about pieces that came while their number was not known.
    pub early: Option<Box<EarlyMessages>>,
    /// How they are counted.
    pub counted: Counted,
    /// Whether it has told its pieces.
    pub told: bool,
    /// Whether it was incomplete when it came.
    pub was_incomplete: bool,
    /// How many of its pieces we want and lack.
    pub interesting: u32,
    /// We have told it that we are interested.
    pub interested: bool,
    /// Whether it is interested in us.
    pub wants: bool,
    /// Whether it chokes us.
    pub chokes_us: bool,
    /// We choke it.
    pub choked: bool,
    /// When we last choked or unchoked it.
    pub choked_at: Moment,
    /// When either side last gained or lost interest.
    pub interest_at: Moment,
    /// Whether it wants no pieces any more (BEP 21).
    pub upload_only: bool,
    /// The number it gave `lt_donthave`.
    pub dont_have_id: Option<u8>,
    /// The number it gave `ut_pex`.
    pub pex_id: Option<u8>,
    /// Peer exchange with it.
    pub exchange: Exchange,
    /// The number it gave `ut_metadata`.
    pub metadata_id: Option<u8>,
    /// The length of the info dictionary, as it claims (BEP 9).
    pub metadata_size: Option<u32>,
    /// Bytes of the info dictionary that it gave.
    pub metadata_received: u64,
    /// Its requests for the info dictionary.
    pub metadata_quota: MetadataQuota,
    /// Pieces we may ask for while choked (BEP 6).
    pub allowed_us: Vec<Piece>,
    /// Pieces it may ask for while choked (BEP 6), with how many blocks of each it asked for.
    pub allowed: Vec<(Piece, u32)>,
    /// Pieces it suggested (BEP 6).
    pub suggested: Vec<Piece>,
    /// The blocks it owes us.
    pub pipeline: Pipeline,
    /// Whether it could be asked for more than was found for it.
    pub dry: bool,
    /// The piece begun for it alone.
    pub own: Option<Piece>,
    /// When what others owe may be looked through for it again.
    pub next_twins: Moment,
    /// Requests of it that wait.
    pub queue: VecDeque<Span>,
    /// Spans ordered to be served and not yet sent.
    pub serving: VecDeque<Span>,
    /// Their bytes.
    pub serving_bytes: u64,
    /// Bytes sent to it when we last unchoked it.
    pub sent_before: u64,
    /// Payload from it.
    pub down: Meter,
    /// Payload to it.
    pub up: Meter,
    /// When it last said anything.
    pub heard_at: Moment,
    /// When we last said anything to it.
    pub said_at: Moment,
    /// Extension handshakes it sent.
    pub handshakes: u32,
    /// Whether it told where its node of the DHT is (BEP 5).
    pub told_port: bool,
    strikes: u32,
}

impl Peer {
    /// A peer that has just come and has said nothing.
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
            told: false,
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
            dry: false,
            own: None,
            next_twins: now,
            queue: VecDeque::new(),
            serving: VecDeque::new(),
            serving_bytes: 0,
            sent_before: 0,
            down: Meter::new(now, WINDOW),
            up: Meter::new(now, WINDOW),
            heard_at: now,
            said_at: now,
            handshakes: 0,
            told_port: false,
            strikes: 0,
        }
    }

    /// The number of pieces is known; gives what it said of pieces before, if that was not known.
    pub fn size(&mut self, pieces: u32) -> Option<EarlyMessages> {
        let early = self.early.take()?;
        self.has = Bitfield::none(pieces);
        Some(*early)
    }

    /// Whether bytes of use have passed between us.
    pub fn is_of_use(&self) -> bool {
        self.down.total() > 0 || self.up.total() > 0 || self.metadata_received > 0
    }

    /// Whether the fast extension is in force (BEP 6).
    pub const fn fast(&self) -> bool {
        self.reserved.fast()
    }

    /// Whether it has every piece.
    pub const fn is_seed(&self) -> bool {
        self.early.is_none() && self.has.is_full()
    }

    /// Counts a pointless or impossible message; says whether there were too many.
    pub const fn strike(&mut self) -> bool {
        self.strikes += 1;
        self.strikes > MAX_STRIKES
    }

    /// Forgives some strikes: about one each second may be chance.
    pub const fn forgive(&mut self, strikes: u32) {
        self.strikes = self.strikes.saturating_sub(strikes);
    }

    /// By what it is blamed and banned. An address on the Internet is one peer, whatever its port; on a
    /// local network or this machine many may share an address.
    pub fn address_owner(&self) -> SocketAddr {
        owner_of(self.addr)
    }

    /// Whether we may ask it for blocks of this piece.
    pub fn may_give(&self, piece: Piece) -> bool {
        self.has.has(piece) && (!self.chokes_us || self.allowed_us.contains(&piece))
    }

    /// Whether it could be asked for anything at all.
    pub fn may_be_asked(&self) -> bool {
        self.interesting > 0 && (!self.chokes_us || !self.allowed_us.is_empty())
    }

    /// Notes a hint, forgetting the oldest one.
    pub fn hint(hints: &mut Vec<Piece>, piece: Piece) {
        if !hints.contains(&piece) {
            hints.truncate(MAX_HINTS - 1);
            hints.insert(0, piece);
        }
    }
}
