//! Peer messages as values (BEP 3, BEP 5, BEP 6, BEP 10). Numbers are as they came: only the torrent
//! they are for can say whether they are in range.

pub(in crate::proto) mod codec;

pub use codec::{MAX_EXTENDED_LEN, PIECE_HEADER_LEN, piece_header};

/// The numbers of a request, a cancel, a reject or the header of a block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// The piece number.
    pub piece: u32,
    /// The first byte, counted from the start of the piece.
    pub begin: u32,
    /// The number of bytes.
    pub len: u32,
}

impl From<crate::base::Span> for Wanted {
    fn from(span: crate::base::Span) -> Self {
        Self { piece: span.piece().index(), begin: span.begin(), len: span.len() }
    }
}

/// A message between peers, without the payload of blocks, which never takes this way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Message {
    /// An empty message that keeps the connection open (BEP 3).
    KeepAlive,
    /// We shall answer no requests (BEP 3).
    Choke,
    /// We shall answer requests (BEP 3).
    Unchoke,
    /// You have pieces we want (BEP 3).
    Interested,
    /// You have nothing we want (BEP 3).
    NotInterested,
    /// We have this piece (BEP 3).
    Have(u32),
    /// The pieces we have, one bit each (BEP 3).
    Bitfield(Vec<u8>),
    /// Send us this block (BEP 3).
    Request(Wanted),
    /// Do not send us this block (BEP 3).
    Cancel(Wanted),
    /// Our DHT node listens on this UDP port (BEP 5).
    Port(u16),
    /// This piece would be cheap for us to send (BEP 6).
    Suggest(u32),
    /// We have every piece (BEP 6).
    HaveAll,
    /// We have no piece (BEP 6).
    HaveNone,
    /// We shall not send this block (BEP 6).
    Reject(Wanted),
    /// You may ask for blocks of this piece even while choked (BEP 6).
    AllowedFast(u32),
    /// A message of an extension by the number its receiver gave it; 0 is the handshake (BEP 10).
    Extended {
        /// The number.
        id: u8,
        /// Everything behind the number.
        body: Vec<u8>,
    },
    /// A message of a kind we do not know; its content is skipped.
    Unknown(u8),
}
