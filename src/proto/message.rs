//! Peer messages (BEP 3, BEP 5, BEP 6, BEP 10). Piece numbers and offsets are not checked: their range
//! depends on the torrent.

pub(in crate::proto) mod codec;

pub use codec::{MAX_EXTENDED_LEN, PIECE_HEADER_LEN, piece_header};

/// A block as a request, cancel, reject or piece message states it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The piece number.
    pub piece: u32,
    /// The offset of the block in the piece, in bytes.
    pub begin: u32,
    /// The length of the block in bytes.
    pub len: u32,
}

impl From<crate::base::Span> for Wanted {
    fn from(span: crate::base::Span) -> Self {
        Self { piece: span.piece().index(), begin: span.begin(), len: span.len() }
    }
}

/// A peer message. The payload of a block is never part of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// Keep-alive: an empty message that keeps the connection open (BEP 3).
    KeepAlive,
    /// Choke: the sender will not serve requests (BEP 3).
    Choke,
    /// Unchoke: the sender will serve requests (BEP 3).
    Unchoke,
    /// Interested: the sender wants pieces that the receiver has (BEP 3).
    Interested,
    /// Not interested: the sender wants no piece that the receiver has (BEP 3).
    NotInterested,
    /// Have: the sender has this piece (BEP 3).
    Have(u32),
    /// Bitfield: the pieces that the sender has, one bit each (BEP 3).
    Bitfield(Vec<u8>),
    /// Request: asks for a block (BEP 3).
    Request(Wanted),
    /// Cancel: withdraws a request (BEP 3).
    Cancel(Wanted),
    /// Port: the UDP port of the sender's DHT node (BEP 5).
    Port(u16),
    /// Suggest piece: a piece that the sender can send cheaply (BEP 6).
    Suggest(u32),
    /// Have all: the sender is a seed (BEP 6).
    HaveAll,
    /// Have none: the sender has no piece (BEP 6).
    HaveNone,
    /// Reject request: the sender will not serve this request (BEP 6).
    Reject(Wanted),
    /// Allowed fast: the receiver may request blocks of this piece while choked (BEP 6).
    AllowedFast(u32),
    /// Extended: a message of an extension, under the receiver's id for it; id 0 is the handshake (BEP 10).
    Extended {
        /// The extended message id.
        id: u8,
        /// The message after its id.
        body: Vec<u8>,
    },
    /// A message of an unknown type; its body is skipped.
    Unknown(u8),
}
