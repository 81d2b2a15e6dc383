//! Percent-encoding.

use torr::proto::percent::{decode, encode};

pub fn run(data: &[u8]) {
    let decoded = decode(data);
    assert!(decoded.len() <= data.len(), "decoding makes nothing longer");
    for bytes in [data, &decoded] {
        let mut text = String::new();
        encode(bytes, &mut text);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        assert_eq!(decode(text.as_bytes()), bytes, "what is encoded is decoded");
    }
}
