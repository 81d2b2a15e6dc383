//! Percent-encoding of bytes in URLs (RFC 3986, section 2.1).

/// Appends bytes so that any of them may stand in a query: letters, digits and `-._~` as they are.
pub fn encode(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push('%');
            out.push(DIGITS[usize::from(byte >> 4)] as char);
            out.push(DIGITS[usize::from(byte & 15)] as char);
        }
    }
}

/// The bytes that an encoded text stands for; a `%` without two digits stands for itself, and so does `+`.
pub fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|&b| (b as char).to_digit(16));
        if let (b'%', Some(high), Some(low)) = (first, digit(0), digit(1)) {
            out.push((high * 16 + low) as u8);
            rest = &tail[2..];
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
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
