//! The messages of `ut_metadata` (BEP 9), by which peers send the info dictionary in pieces.
//!
//! A message is a small dictionary. In a data message the bytes of the piece follow it, not bencoded.

use super::reader::Reader;
use super::{ExtendedError, integer, string};

/// The length of a piece of an info dictionary, in bytes; only the last may be shorter.
pub const METADATA_PIECE: u32 = 16 * 1024;
/// The longest info dictionary that is downloaded or uploaded, in bytes: the limit for torrent files.
pub const MAX_METADATA: u32 = 16 * 1024 * 1024;
/// The longest dictionary in front of a piece, in bytes. Ours has about forty; a longer one is refused.
const MAX_HEAD: usize = 1024;

/// A message of `ut_metadata` (BEP 9). Piece numbers are not checked against the length of the dictionary.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum MetadataMessage {
    /// A request for this piece.
    Request(u32),
    /// A piece.
    Data {
        /// The piece number.
        piece: u32,
        /// The length of the whole info dictionary in bytes, as claimed in this message.
        total: Option<u32>,
        /// The content of the piece: 1 to [`METADATA_PIECE`] bytes.
        bytes: Vec<u8>,
    },
    /// A refusal to send this piece.
    Reject(u32),
    /// A message of an unknown type, which BEP 9 wants ignored.
    Unknown,
}

/// Returns the number of pieces of an info dictionary of `len` bytes.
pub const fn metadata_pieces(len: u32) -> u32 {
    len.div_ceil(METADATA_PIECE)
}

/// Returns the length in bytes of one piece of an info dictionary of `len` bytes; 0 for a piece beyond its
/// end.
pub const fn metadata_piece_len(len: u32, piece: u32) -> u32 {
    let rest = len.saturating_sub(piece.saturating_mul(METADATA_PIECE));
    if rest < METADATA_PIECE { rest } else { METADATA_PIECE }
}

impl MetadataMessage {
    /// Returns the body of the message, to be sent with the receiver's message id for `ut_metadata`.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, piece, total, bytes) = match self {
            Self::Request(piece) => (0, *piece, None, &[][..]),
            Self::Data { piece, total, bytes } => (1, *piece, *total, bytes.as_slice()),
            Self::Reject(piece) => (2, *piece, None, &[][..]),
            Self::Unknown => return Vec::new(),
        };
        let mut out = Vec::with_capacity(64 + bytes.len());
        out.push(b'd');
        string(&mut out, b"msg_type");
        integer(&mut out, kind);
        string(&mut out, b"piece");
        integer(&mut out, piece);
        if let Some(total) = total {
            string(&mut out, b"total_size");
            integer(&mut out, total);
        }
        out.push(b'e');
        out.extend_from_slice(bytes);
        out
    }

    /// Decodes the body of a message.
    pub fn decode(body: &[u8]) -> Result<Self, ExtendedError> {
        let head = &body[..body.len().min(MAX_HEAD)];
        let mut reader = Reader::new(head);
        let (mut kind, mut piece, mut total) = (None, None, None);
        reader.dictionary()?;
        while let Some(key) = reader.key()? {
            match key {
                b"msg_type" => kind = reader.integer()?,
                b"piece" => piece = reader.integer()?.and_then(|piece| u32::try_from(piece).ok()),
                b"total_size" => total = reader.integer()?.and_then(|total| u32::try_from(total).ok()),
                _ => reader.skip()?,
            }
        }
        let bytes = &body[head.len() - reader.left()..];
        match (kind.ok_or(ExtendedError)?, piece) {
            (0, Some(piece)) => Ok(Self::Request(piece)),
            (1, Some(piece)) if (1..=METADATA_PIECE as usize).contains(&bytes.len()) => {
                Ok(Self::Data { piece, total, bytes: bytes.to_vec() })
            }
            (2, Some(piece)) => Ok(Self::Reject(piece)),
            (0..=2, _) => Err(ExtendedError),
            _ => Ok(Self::Unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn messages_have_the_bytes_of_the_bep() {
        let text = |message: MetadataMessage| message.encode().escape_ascii().to_string();
        assert_eq!(text(MetadataMessage::Request(0)), "d8:msg_typei0e5:piecei0ee");
        assert_eq!(text(MetadataMessage::Reject(7)), "d8:msg_typei2e5:piecei7ee");
        let data = MetadataMessage::Data { piece: 0, total: Some(3425), bytes: b"xxxxxxxx".to_vec() };
        assert_eq!(text(data), "d8:msg_typei1e5:piecei0e10:total_sizei3425eexxxxxxxx");
    }

    #[test]
    fn what_cannot_be_is_refused_and_what_is_new_is_passed_over() {
        let long = [b"d8:msg_typei1e5:piecei0ee".to_vec(), vec![0; 16_385]].concat();
        let hidden = [b"d1:a2000:".to_vec(), vec![0; 2000], b"8:msg_typei0e5:piecei0ee".to_vec()].concat();
        let bodies: [&[u8]; 8] = [
            b"",
            b"d8:msg_typei0e",
            b"d8:msg_typei0ee",
            b"d8:msg_typei0e5:piecei-1ee",
            b"d5:piecei0ee",
            b"d8:msg_typei1e5:piecei0ee",
            &long,
            &hidden,
        ];
        for body in bodies {
            assert_eq!(MetadataMessage::decode(body), Err(ExtendedError), "{}", body.escape_ascii());
        }
        assert_eq!(MetadataMessage::decode(b"d8:msg_typei3ee"), Ok(MetadataMessage::Unknown));
        let odd = b"d8:msg_typei1e5:piecei1e10:total_size3:abc1:zleeDATA";
        let data = MetadataMessage::Data { piece: 1, total: None, bytes: b"DATA".to_vec() };
        assert_eq!(MetadataMessage::decode(odd), Ok(data));
    }

    #[test]
    fn only_the_last_piece_is_shorter() {
        let lens: Vec<u32> = (0..4).map(|piece| metadata_piece_len(40_000, piece)).collect();
        assert_eq!((metadata_pieces(40_000), lens), (3, vec![16_384, 16_384, 7232, 0]));
        assert_eq!((metadata_pieces(16_384), metadata_piece_len(16_384, 1)), (1, 0));
        assert_eq!(metadata_piece_len(u32::MAX, u32::MAX), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn a_message_reads_back_what_it_says(
            piece: u32,
            total: Option<u32>,
            bytes in prop::collection::vec(any::<u8>(), 1..200),
            kind in 0..3,
        ) {
            let message = match kind {
                0 => MetadataMessage::Request(piece),
                1 => MetadataMessage::Data { piece, total, bytes },
                _ => MetadataMessage::Reject(piece),
            };
            prop_assert_eq!(MetadataMessage::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn any_bytes_are_read_or_refused(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = MetadataMessage::decode(&body);
        }
    }

    proptest! {
        #[test]
        fn anything_that_looks_like_a_message_is_read_or_refused(
            body in "d(8:msg_type|5:piece|10:total_size|i[0-9-]{1,12}e|[dlie0-9:]){0,30}",
        ) {
            if let Ok(MetadataMessage::Data { bytes, .. }) = MetadataMessage::decode(body.as_bytes()) {
                prop_assert!(bytes.len() < body.len());
            }
        }
    }
}
