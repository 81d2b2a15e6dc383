//! Encoding and decoding of peer messages (BEP 3, BEP 5, BEP 6, BEP 10).
use super::{Message, Wanted};
use crate::base::{BLOCK_LEN, MAX_PIECES};

/// The length of everything in front of a block's payload: length prefix, message id, piece and offset (BEP
/// 3).
pub const PIECE_HEADER_LEN: usize = 13;
/// The longest extended message, in bytes, its extended message id included.
pub const MAX_EXTENDED_LEN: u32 = 256 * 1024;

/// The message ids.
pub(in crate::proto) mod kind {
    pub(in crate::proto) const CHOKE: u8 = 0;
    pub(in crate::proto) const UNCHOKE: u8 = 1;
    pub(in crate::proto) const INTERESTED: u8 = 2;
    pub(in crate::proto) const NOT_INTERESTED: u8 = 3;
    pub(in crate::proto) const HAVE: u8 = 4;
    pub(in crate::proto) const BITFIELD: u8 = 5;
    pub(in crate::proto) const REQUEST: u8 = 6;
    pub(in crate::proto) const PIECE: u8 = 7;
    pub(in crate::proto) const CANCEL: u8 = 8;
    pub(in crate::proto) const PORT: u8 = 9;
    pub(in crate::proto) const SUGGEST: u8 = 13;
    pub(in crate::proto) const HAVE_ALL: u8 = 14;
    pub(in crate::proto) const HAVE_NONE: u8 = 15;
    pub(in crate::proto) const REJECT: u8 = 16;
    pub(in crate::proto) const ALLOWED_FAST: u8 = 17;
    pub(in crate::proto) const EXTENDED: u8 = 20;
}

impl Message {
    /// Appends the message to `out`. [`Message::Unknown`] appends nothing.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::KeepAlive => out.extend_from_slice(&[0; 4]),
            Self::Choke => bare(out, kind::CHOKE),
            Self::Unchoke => bare(out, kind::UNCHOKE),
            Self::Interested => bare(out, kind::INTERESTED),
            Self::NotInterested => bare(out, kind::NOT_INTERESTED),
            Self::Have(piece) => with(out, kind::HAVE, &[&piece.to_be_bytes()]),
            Self::Bitfield(bits) => with(out, kind::BITFIELD, &[bits]),
            Self::Request(wanted) => numbers(out, kind::REQUEST, *wanted),
            Self::Cancel(wanted) => numbers(out, kind::CANCEL, *wanted),
            Self::Port(port) => with(out, kind::PORT, &[&port.to_be_bytes()]),
            Self::Suggest(piece) => with(out, kind::SUGGEST, &[&piece.to_be_bytes()]),
            Self::HaveAll => bare(out, kind::HAVE_ALL),
            Self::HaveNone => bare(out, kind::HAVE_NONE),
            Self::Reject(wanted) => numbers(out, kind::REJECT, *wanted),
            Self::AllowedFast(piece) => with(out, kind::ALLOWED_FAST, &[&piece.to_be_bytes()]),
            Self::Extended { id, body } => with(out, kind::EXTENDED, &[&[*id], body]),
            Self::Unknown(_) => {}
        }
    }
}

/// Returns the bytes in front of a block's payload.
pub fn piece_header(block: Wanted) -> [u8; PIECE_HEADER_LEN] {
    let mut header = [0; PIECE_HEADER_LEN];
    header[..4].copy_from_slice(&block.len.saturating_add(9).to_be_bytes());
    header[4] = kind::PIECE;
    header[5..9].copy_from_slice(&block.piece.to_be_bytes());
    header[9..].copy_from_slice(&block.begin.to_be_bytes());
    header
}

/// The way to read the rest of a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::proto) enum Shape {
    /// Gather the body, then decode it with [`read`].
    Gathered,
    /// Read eight bytes of header, then hand over the payload of the block.
    Piece,
    /// Skip the body.
    Skipped,
}

/// Returns how to read the body of a message with this id, or `None` if such a message cannot have `len`
/// bytes. `pieces` is the torrent's number of pieces, if known.
pub(in crate::proto) fn shape(kind: u8, len: u32, pieces: Option<u32>) -> Option<Shape> {
    let (allowed, shape) = match kind {
        kind::CHOKE..=kind::NOT_INTERESTED | kind::HAVE_ALL | kind::HAVE_NONE => (0..=0, Shape::Gathered),
        kind::HAVE | kind::SUGGEST | kind::ALLOWED_FAST => (4..=4, Shape::Gathered),
        kind::REQUEST | kind::CANCEL | kind::REJECT => (12..=12, Shape::Gathered),
        kind::PORT => (2..=2, Shape::Gathered),
        kind::BITFIELD => match pieces {
            Some(pieces) => (pieces.div_ceil(8)..=pieces.div_ceil(8), Shape::Gathered),
            None => (1..=MAX_PIECES / 8, Shape::Gathered),
        },
        kind::PIECE => (9..=8 + BLOCK_LEN, Shape::Piece),
        kind::EXTENDED => (1..=MAX_EXTENDED_LEN, Shape::Gathered),
        _ => (0..=MAX_EXTENDED_LEN, Shape::Skipped),
    };
    allowed.contains(&len).then_some(shape)
}

/// Decodes a gathered message, whose length [`shape`] has checked.
pub(in crate::proto) fn read(kind: u8, mut body: Vec<u8>) -> Message {
    let number = |at: usize| {
        let mut bytes = [0; 4];
        bytes.copy_from_slice(&body[at..at + 4]);
        u32::from_be_bytes(bytes)
    };
    let wanted = || Wanted { piece: number(0), begin: number(4), len: number(8) };
    match kind {
        kind::CHOKE => Message::Choke,
        kind::UNCHOKE => Message::Unchoke,
        kind::INTERESTED => Message::Interested,
        kind::NOT_INTERESTED => Message::NotInterested,
        kind::HAVE => Message::Have(number(0)),
        kind::BITFIELD => Message::Bitfield(body),
        kind::REQUEST => Message::Request(wanted()),
        kind::CANCEL => Message::Cancel(wanted()),
        kind::PORT => Message::Port(u16::from_be_bytes([body[0], body[1]])),
        kind::SUGGEST => Message::Suggest(number(0)),
        kind::HAVE_ALL => Message::HaveAll,
        kind::HAVE_NONE => Message::HaveNone,
        kind::REJECT => Message::Reject(wanted()),
        kind::ALLOWED_FAST => Message::AllowedFast(number(0)),
        kind::EXTENDED => {
            let id = body.remove(0);
            Message::Extended { id, body }
        }
        other => Message::Unknown(other),
    }
}

fn bare(out: &mut Vec<u8>, kind: u8) {
    with(out, kind, &[]);
}

fn numbers(out: &mut Vec<u8>, kind: u8, wanted: Wanted) {
    let parts = [wanted.piece.to_be_bytes(), wanted.begin.to_be_bytes(), wanted.len.to_be_bytes()];
    with(out, kind, &[&parts.concat()]);
}

fn with(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let len = 1 + parts.iter().map(|part| part.len()).sum::<usize>();
    let len = u32::try_from(len).expect("our own messages are far shorter than 4 GiB");
    out.extend_from_slice(&len.to_be_bytes());
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_have_the_bytes_of_the_beps() {
        let bytes = |message: Message| {
            let mut out = Vec::new();
            message.encode(&mut out);
            out
        };
        let wanted = Wanted { piece: 1, begin: 0x4000, len: 0x4000 };
        assert_eq!(bytes(Message::KeepAlive), [0; 4]);
        assert_eq!(bytes(Message::Unchoke), [0, 0, 0, 1, 1]);
        assert_eq!(bytes(Message::Have(258)), [0, 0, 0, 5, 4, 0, 0, 1, 2]);
        assert_eq!(bytes(Message::Request(wanted)), *b"\0\0\0\x0d\x06\0\0\0\x01\0\0\x40\0\0\0\x40\0");
        assert_eq!(bytes(Message::Extended { id: 3, body: b"de".to_vec() }), *b"\0\0\0\x04\x14\x03de");
        assert_eq!(bytes(Message::Port(6881)), [0, 0, 0, 3, 9, 0x1a, 0xe1]);
        assert_eq!(piece_header(wanted), *b"\0\0\x40\x09\x07\0\0\0\x01\0\0\x40\0");
    }

    #[test]
    fn lengths_are_exact_where_they_can_be() {
        assert_eq!(shape(kind::BITFIELD, 2, Some(9)), Some(Shape::Gathered));
        assert_eq!(shape(kind::BITFIELD, 3, Some(9)), None);
        assert_eq!(shape(kind::BITFIELD, MAX_PIECES / 8 + 1, None), None);
        assert_eq!(shape(kind::PIECE, 8 + BLOCK_LEN, None), Some(Shape::Piece));
        assert_eq!(shape(kind::PIECE, 9 + BLOCK_LEN, None), None);
        assert_eq!(shape(kind::PIECE, 8, None), None);
        assert_eq!(shape(kind::HAVE, 5, None), None);
        assert_eq!(shape(kind::EXTENDED, 0, None), None);
        assert_eq!(shape(99, MAX_EXTENDED_LEN + 1, None), None);
    }
}
