//! Percent-encoding of bytes in URLs (RFC 3986, section 2.1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// All characters except the unreserved ones (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Appends percent-encoded bytes; letters, digits and `-._~` are not encoded.
pub fn encode(bytes: &[u8], out: &mut String) {
    out.extend(percent_encode(bytes, RESERVED));
}

/// Decodes percent-encoded text. A `%` without two digits stands for itself, and so does `+`.
pub fn decode(text: &[u8]) -> Vec<u8> {
    percent_decode(text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_code_stands_for_itself() {
        assert_eq!(decode(b"a%20b%2Fc%2fd"), b"a b/c/d");
        assert_eq!(decode(b"100%&%4&%zz&%"), b"100%&%4&%zz&%");
        assert_eq!(decode(b"%+1"), b"%+1");
    }

    proptest! {
        #[test]
        fn bytes_are_read_back(bytes in prop::collection::vec(any::<u8>(), 0..50)) {
            let mut text = String::new();
            encode(&bytes, &mut text);
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"&=?#+/".contains(&b)));
            prop_assert_eq!(decode(text.as_bytes()), bytes);
        }
    }
}
