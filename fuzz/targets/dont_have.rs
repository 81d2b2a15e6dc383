//! The message of `lt_donthave` (BEP 54).

use torr::proto::extended::{decode_dont_have, encode_dont_have};

pub fn run(data: &[u8]) {
    let piece = decode_dont_have(data);
    assert_eq!(piece.is_some(), data.len() == 4);
    assert!(piece.is_none_or(|piece| encode_dont_have(piece) == data));
}
