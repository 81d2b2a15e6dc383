//! Integers and string lengths of bencode, which must be canonical.

use std::ops::Range;

use super::error::{BencodeError, Fault};

/// Returns the end of the integer that begins at `begin` (with its `i`).
pub(super) fn int_end(bytes: &[u8], begin: usize) -> Result<usize, BencodeError> {
    let negative = bytes.get(begin + 1) == Some(&b'-');
    let first = begin + 1 + usize::from(negative);
    let end = number_end(bytes, first, begin, b'e')?;
    let fail = |fault| Err(BencodeError { at: begin, fault });
    match &bytes[first..end] {
        [b'0'] if negative => return fail(Fault::MinusZero),
        [b'0', _, ..] => return fail(Fault::LeadingZero),
        _ => {}
    }
    if parse_int(&bytes[begin + 1..end]).is_none() {
        return fail(Fault::TooLarge);
    }
    Ok(end + 1)
}

/// Returns the range of the content of the string whose length begins at `begin`.
pub(super) fn string_range(bytes: &[u8], begin: usize) -> Result<Range<usize>, BencodeError> {
    let colon = number_end(bytes, begin, begin, b':')?;
    let fail = |fault| Err(BencodeError { at: begin, fault });
    if let [b'0', _, ..] = &bytes[begin..colon] {
        return fail(Fault::LeadingZero);
    }
    let Some(len) = parse_int(&bytes[begin..colon]) else { return fail(Fault::TooLarge) };
    let start = colon + 1;
    let end = usize::try_from(len).ok().and_then(|len| start.checked_add(len));
    match end.filter(|&end| end <= bytes.len()) {
        Some(end) => Ok(start..end),
        None => fail(Fault::StringTooLong),
    }
}

/// Returns the end of the digits that begin at `first`; the byte there must be `stop`.
fn number_end(bytes: &[u8], first: usize, token: usize, stop: u8) -> Result<usize, BencodeError> {
    // No number that fits into 64 bits has more digits, so a longer run need not be read to its end.
    const MAX_DIGITS: usize = 19;
    let rest = bytes.get(first..).unwrap_or_default();
    let digits = rest.iter().take(MAX_DIGITS + 1).take_while(|b| b.is_ascii_digit()).count();
    let fault = match rest.get(digits) {
        _ if digits > MAX_DIGITS => Fault::TooLarge,
        None => Fault::EndsEarly,
        Some(&byte) if byte == stop && digits > 0 => return Ok(first + digits),
        Some(_) => Fault::NoNumber,
    };
    Err(BencodeError { at: token, fault })
}

/// Parses digits with an optional minus sign; `None` where the number does not fit.
pub(super) fn parse_int(digits: &[u8]) -> Option<i64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}
