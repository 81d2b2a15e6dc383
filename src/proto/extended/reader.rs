//! A bencode reader (BEP 3) that walks over the bytes and stores nothing, for small dictionaries of which
//! only a few keys are needed.

use super::ExtendedError;

/// The deepest nesting of lists and dictionaries in a message.
const MAX_DEPTH: u32 = 64;
/// The longest integer, in digits; every `i64` fits.
const MAX_DIGITS: usize = 20;

pub(super) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The number of bytes that have not been read.
    pub(super) const fn left(&self) -> usize {
        self.rest.len()
    }

    pub(super) fn at_dictionary(&self) -> bool {
        self.rest.first() == Some(&b'd')
    }

    /// Reads the beginning of a dictionary.
    pub(super) fn dictionary(&mut self) -> Result<(), ExtendedError> {
        if self.byte()? == b'd' { Ok(()) } else { Err(ExtendedError) }
    }

    /// Reads the next key of a dictionary; `None` at its end, which is consumed.
    pub(super) fn key(&mut self) -> Result<Option<&'a [u8]>, ExtendedError> {
        if self.rest.first() == Some(&b'e') {
            self.byte()?;
            return Ok(None);
        }
        self.text().map(Some)
    }

    /// Reads the next value; `None` if it is not an integer.
    pub(super) fn integer(&mut self) -> Result<Option<i64>, ExtendedError> {
        if self.rest.first() != Some(&b'i') {
            return self.skip().map(|()| None);
        }
        self.byte()?;
        self.digits(b'e').map(Some)
    }

    /// Reads the next value; `None` if it is not a string.
    pub(super) fn string(&mut self) -> Result<Option<&'a [u8]>, ExtendedError> {
        if self.rest.first().is_some_and(u8::is_ascii_digit) {
            return self.text().map(Some);
        }
        self.skip().map(|()| None)
    }

    /// Skips the next value, without recursion.
    pub(super) fn skip(&mut self) -> Result<(), ExtendedError> {
        let mut depth = 0_u32;
        loop {
            match self.rest.first() {
                Some(b'd' | b'l') => {
                    self.byte()?;
                    depth += 1;
                    if depth > MAX_DEPTH {
                        return Err(ExtendedError);
                    }
                }
                Some(b'e') if depth > 0 => {
                    self.byte()?;
                    depth -= 1;
                }
                Some(b'i') => {
                    self.byte()?;
                    self.digits(b'e')?;
                }
                _ => {
                    self.text()?;
                }
            }
            if depth == 0 {
                return Ok(());
            }
        }
    }

    fn text(&mut self) -> Result<&'a [u8], ExtendedError> {
        let len = usize::try_from(self.digits(b':')?).map_err(|_| ExtendedError)?;
        let (text, rest) = self.rest.split_at_checked(len).ok_or(ExtendedError)?;
        self.rest = rest;
        Ok(text)
    }

    fn digits(&mut self, end: u8) -> Result<i64, ExtendedError> {
        let near = &self.rest[..self.rest.len().min(MAX_DIGITS + 1)];
        let len = near.iter().position(|&byte| byte == end).ok_or(ExtendedError)?;
        let digits = std::str::from_utf8(&near[..len]).map_err(|_| ExtendedError)?;
        if digits.starts_with('+') {
            return Err(ExtendedError);
        }
        self.rest = &self.rest[len + 1..];
        digits.parse().map_err(|_| ExtendedError)
    }

    fn byte(&mut self) -> Result<u8, ExtendedError> {
        let (&byte, rest) = self.rest.split_first().ok_or(ExtendedError)?;
        self.rest = rest;
        Ok(byte)
    }
}
