//! The bencode scanner: checks grammar and limits without recursion.

use std::ops::Range;

use super::error::{BencodeError, Fault};
use super::number::{int_end, string_range};

/// Limits on the input of the scanner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The longest input, in bytes.
    pub len: usize,
    /// The deepest nesting of lists and dictionaries.
    pub depth: usize,
    /// The largest number of values, keys included.
    pub tokens: usize,
}

impl Limits {
    /// The limits for torrent files and info dictionaries: 16 MiB, depth 100, 3 000 000 values.
    pub const TORRENT: Self = Self { len: 16 << 20, depth: 100, tokens: 3_000_000 };
    /// The limits for messages of peers and answers of trackers: 1 MiB, depth 64.
    pub const MESSAGE: Self = Self { len: 1 << 20, depth: 64, tokens: 3_000_000 };
    /// The limits for DHT packets: one datagram, depth 10.
    pub const KRPC: Self = Self { len: 1 << 16, depth: 10, tokens: 1 << 16 };
}

/// The result of a scan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// The length of the value in bytes; bytes after it were not looked at.
    pub len: usize,
    /// The range of the raw value under the wanted key of the outermost dictionary.
    pub wanted: Option<Range<usize>>,
    /// The offsets of keys that repeat an earlier key of their dictionary, in no particular order.
    pub duplicates: Vec<usize>,
    /// The offset of the first key that is out of order.
    pub unsorted: Option<usize>,
}

/// Checks the value at the beginning of `bytes`, and finds the value under the key `wanted` of the outermost
/// dictionary (the first one, if the key is repeated). Unsorted and repeated keys are reported, not refused.
pub fn scan(bytes: &[u8], limits: Limits, wanted: &[u8]) -> Result<Scan, BencodeError> {
    let mut scanner = Scanner::new(bytes, limits)?;
    let mut wanted_begins = None;
    let mut found = None;
    while let Some(token) = scanner.next()? {
        if let (Some(begin), true) = (wanted_begins, scanner.depth() == 1) {
            // This token was a scalar, or closed the list or dictionary that is the value.
            found = Some(begin..scanner.at);
            wanted_begins = None;
        }
        if token.kind == TokenKind::Key
            && scanner.depth() == 1
            && found.is_none()
            && token.content(bytes) == wanted
        {
            wanted_begins = Some(scanner.at);
        }
    }
    Ok(Scan { len: scanner.at, wanted: found, duplicates: scanner.duplicates, unsorted: scanner.unsorted })
}

/// A token that the scanner read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Token {
    pub kind: TokenKind,
    /// The offset of the first byte of the token.
    pub begin: usize,
    /// The offset of the content, if the token is a string; the content ends where the token ends.
    pub text: usize,
    pub end: usize,
}

impl Token {
    fn content<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.text..self.end]
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum TokenKind {
    Int,
    Bytes,
    Key,
    List,
    Dict,
    End,
}

/// A list or dictionary that is not closed yet.
struct Container {
    dict: bool,
    /// Whether a key was read and its value comes next.
    has_key: bool,
    /// The index in [`Scanner::keys`] of the first key of this dictionary.
    first_key: usize,
    sorted: bool,
}

/// The state of a scan.
pub(super) struct Scanner<'a> {
    bytes: &'a [u8],
    limits: Limits,
    pub at: usize,
    tokens: usize,
    begun: bool,
    open: Vec<Container>,
    /// The content ranges of the keys of all open dictionaries, outermost dictionary first.
    keys: Vec<(u32, u32)>,
    pub duplicates: Vec<usize>,
    pub unsorted: Option<usize>,
}

impl<'a> Scanner<'a> {
    pub fn new(bytes: &'a [u8], limits: Limits) -> Result<Self, BencodeError> {
        // Offsets are stored in 32 bits.
        let most = limits.len.min(u32::MAX as usize);
        if bytes.len() > most {
            return Err(BencodeError { at: most, fault: Fault::TooLong(most) });
        }
        Ok(Self {
            bytes,
            limits,
            at: 0,
            tokens: 0,
            begun: false,
            open: Vec::new(),
            keys: Vec::new(),
            duplicates: Vec::new(),
            unsorted: None,
        })
    }

    /// The number of open lists and dictionaries.
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// Reads the next token; `None` after the outermost value.
    pub fn next(&mut self) -> Result<Option<Token>, BencodeError> {
        if self.begun && self.open.is_empty() {
            return Ok(None);
        }
        self.begun = true;
        let begin = self.at;
        let fail = |fault| Err(BencodeError { at: begin, fault });
        let Some(&first) = self.bytes.get(begin) else { return fail(Fault::EndsEarly) };
        let in_dict = self.open.last().is_some_and(|open| open.dict);
        let wants_key = self.open.last().is_some_and(|open| open.dict && !open.has_key);
        if first != b'e' {
            self.tokens += 1;
            if self.tokens > self.limits.tokens {
                return fail(Fault::TooMany(self.limits.tokens));
            }
            if wants_key && !first.is_ascii_digit() {
                return fail(Fault::KeyNotString);
            }
        }
        let mut text = begin;
        let kind = match first {
            b'i' => {
                self.at = int_end(self.bytes, begin)?;
                TokenKind::Int
            }
            b'0'..=b'9' => {
                let content = string_range(self.bytes, begin)?;
                text = content.start;
                self.at = content.end;
                if wants_key { TokenKind::Key } else { TokenKind::Bytes }
            }
            b'l' | b'd' => {
                if self.open.len() >= self.limits.depth {
                    return fail(Fault::TooDeep(self.limits.depth));
                }
                self.at += 1;
                if first == b'd' { TokenKind::Dict } else { TokenKind::List }
            }
            b'e' if self.open.is_empty() => return fail(Fault::NoValue(b'e')),
            b'e' if in_dict && !wants_key => return fail(Fault::KeyWithoutValue),
            b'e' => {
                self.at += 1;
                TokenKind::End
            }
            other => return fail(Fault::NoValue(other)),
        };
        let token = Token { kind, begin, text, end: self.at };
        self.account(&token);
        Ok(Some(token))
    }

    /// Updates the stack of open lists and dictionaries, and their keys.
    fn account(&mut self, token: &Token) {
        match token.kind {
            TokenKind::Key => self.key(token),
            TokenKind::End => self.close(),
            _ => {
                if let Some(open) = self.open.last_mut() {
                    open.has_key = false;
                }
            }
        }
        if let TokenKind::List | TokenKind::Dict = token.kind {
            self.open.push(Container {
                dict: token.kind == TokenKind::Dict,
                has_key: false,
                first_key: self.keys.len(),
                sorted: true,
            });
        }
    }

    fn key(&mut self, token: &Token) {
        let Some(open) = self.open.last_mut() else { return };
        open.has_key = true;
        if self.keys.len() > open.first_key {
            let (start, end) = self.keys[self.keys.len() - 1];
            let before = &self.bytes[start as usize..end as usize];
            match before.cmp(token.content(self.bytes)) {
                std::cmp::Ordering::Less => {}
                std::cmp::Ordering::Equal | std::cmp::Ordering::Greater => {
                    open.sorted = false;
                    self.unsorted.get_or_insert(token.begin);
                }
            }
        }
        self.keys.push((token.text as u32, token.end as u32));
    }

    fn close(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if !open.sorted {
            let bytes = self.bytes;
            let text = |&(start, end): &(u32, u32)| &bytes[start as usize..end as usize];
            let keys = &mut self.keys[open.first_key..];
            keys.sort_unstable_by(|a, b| text(a).cmp(text(b)).then(a.cmp(b)));
            let twice = keys.windows(2).filter(|pair| text(&pair[0]) == text(&pair[1]));
            self.duplicates.extend(twice.map(|pair| pair[1].0 as usize));
        }
        self.keys.truncate(open.first_key);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault(bytes: &[u8]) -> (usize, Fault) {
        let error = scan(bytes, Limits::TORRENT, b"").unwrap_err();
        (error.at, error.fault)
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        assert_eq!(fault(b""), (0, Fault::EndsEarly));
        assert_eq!(fault(b"x"), (0, Fault::NoValue(b'x')));
        assert_eq!(fault(b"e"), (0, Fault::NoValue(b'e')));
        assert_eq!(fault(b"l"), (1, Fault::EndsEarly));
        assert_eq!(fault(b"li5"), (1, Fault::EndsEarly));
        assert_eq!(fault(b"5:abc"), (0, Fault::StringTooLong));
        assert_eq!(fault(b"l9223372036854775807:e"), (1, Fault::StringTooLong));
        assert_eq!(fault(b"99999999999999999999:a"), (0, Fault::TooLarge));
        assert_eq!(fault(b"i9223372036854775808e"), (0, Fault::TooLarge));
        assert_eq!(fault(&[b"i".as_slice(), &b"1".repeat(1 << 20)].concat()), (0, Fault::TooLarge));
        assert_eq!(fault(b"i03e"), (0, Fault::LeadingZero));
        assert_eq!(fault(b"i-03e"), (0, Fault::LeadingZero));
        assert_eq!(fault(b"i-0e"), (0, Fault::MinusZero));
        assert_eq!(fault(b"03:abc"), (0, Fault::LeadingZero));
        assert_eq!(fault(b"ie"), (0, Fault::NoNumber));
        assert_eq!(fault(b"i-e"), (0, Fault::NoNumber));
        assert_eq!(fault(b"i+5e"), (0, Fault::NoNumber));
        assert_eq!(fault(b"i5.0e"), (0, Fault::NoNumber));
        assert_eq!(fault(b"3abc"), (0, Fault::NoNumber));
        assert_eq!(fault(b"di5ei6ee"), (1, Fault::KeyNotString));
        assert_eq!(fault(b"dl1:ae1:be"), (1, Fault::KeyNotString));
        assert_eq!(fault(b"d1:ae"), (4, Fault::KeyWithoutValue));
        let error = scan(b"d3:fooi1x", Limits::TORRENT, b"").unwrap_err();
        assert_eq!(error.to_string(), "at byte 6: this is not a number");
    }

    #[test]
    fn the_ends_of_64_bits_are_numbers() {
        for number in ["i9223372036854775807e", "i-9223372036854775808e", "i0e", "0:"] {
            assert!(scan(number.as_bytes(), Limits::KRPC, b"").is_ok(), "{number}");
        }
    }

    #[test]
    fn a_million_lists_are_refused_at_the_limit() {
        let limits = Limits { len: usize::MAX, ..Limits::TORRENT };
        for open in [b"l".as_slice(), b"d1:a"] {
            let error = scan(&open.repeat(1_000_000), limits, b"").unwrap_err();
            assert_eq!((error.at, error.fault), (100 * open.len(), Fault::TooDeep(100)));
        }
        let deep = [b"l".repeat(100), b"e".repeat(100)].concat();
        assert_eq!(scan(&deep, Limits::TORRENT, b"").unwrap().len, 200);
        assert!(scan(&deep, Limits::MESSAGE, b"").is_err());
    }

    #[test]
    fn values_and_bytes_are_counted() {
        let limits = Limits { tokens: 4, ..Limits::MESSAGE };
        assert!(scan(b"li1ei2ei3ee", limits, b"").is_ok());
        assert_eq!(scan(b"li1ei2ei3ei4ee", limits, b"").unwrap_err().fault, Fault::TooMany(4));
        let long = b"0".repeat(Limits::MESSAGE.len + 1);
        assert_eq!(scan(&long, Limits::MESSAGE, b"").unwrap_err().fault, Fault::TooLong(1 << 20));
    }

    #[test]
    fn the_wanted_value_is_found_raw_and_at_the_top_only() {
        let find = |bytes: &[u8]| {
            let found = scan(bytes, Limits::TORRENT, b"info").unwrap();
            found.wanted.map(|range| bytes[range].to_vec())
        };
        assert_eq!(find(b"d1:ad4:infoi1ee4:infod1:xi2eee...").unwrap(), b"d1:xi2ee");
        assert_eq!(find(b"d4:infoi7e1:z0:e").unwrap(), b"i7e");
        assert_eq!(find(b"d4:info4:infoe").unwrap(), b"4:info");
        assert_eq!(find(b"d4:infolee").unwrap(), b"le");
        assert_eq!(find(b"d4:infoi1e4:infoi2ee").unwrap(), b"i1e");
        assert_eq!(find(b"d1:a4:infoe"), None);
        assert_eq!(find(b"l4:infoi1ee"), None);
        assert_eq!(find(b"4:info"), None);
    }

    #[test]
    fn order_and_repetition_of_keys_are_reported() {
        let look = |bytes| {
            let found = scan(bytes, Limits::TORRENT, b"").unwrap();
            (found.unsorted, found.duplicates)
        };
        assert_eq!(look(b"d1:ai1e1:bi2ee"), (None, vec![]));
        assert_eq!(look(b"d1:bi1e1:ai2ee"), (Some(7), vec![]));
        assert_eq!(look(b"d1:ai1e1:ai2ee"), (Some(7), vec![9]));
        assert_eq!(look(b"d1:ai1e1:bi1e1:ai2ee"), (Some(13), vec![15]));
        assert_eq!(look(b"d1:ad1:ai1ee1:bd1:ai1eee"), (None, vec![]));
        assert_eq!(look(b"ld1:ai1e1:ai1eed1:ai1eee"), (Some(8), vec![10]));
    }

    #[test]
    fn bytes_after_the_value_are_left_alone() {
        assert_eq!(scan(b"i1exyz", Limits::KRPC, b"").unwrap().len, 3);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(prop::sample::select(b"ilde0123456789:-ax".to_vec()), 0..60)) {
            let _ = scan(&bytes, Limits { tokens: 20, depth: 5, len: 50 }, b"a");
        }

        #[test]
        fn noise_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = scan(&bytes, Limits::KRPC, b"a");
        }
    }
}
