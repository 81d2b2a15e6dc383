//! Errors of the bencode scanner.

/// A fault in bencode, and its position.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at byte {at}: {fault}")]
pub struct BencodeError {
    /// The offset of the fault in bytes, counted from 0.
    pub at: usize,
    /// The kind of fault.
    pub fault: Fault,
}

/// The kinds of faults in bencode (BEP 3).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// The input ends inside a value.
    #[error("the data ends too early")]
    EndsEarly,
    /// A byte that begins no value.
    #[error("a value cannot begin with the byte 0x{0:02x}")]
    NoValue(u8),
    /// A number that contains something other than digits, or no digit at all.
    #[error("this is not a number")]
    NoNumber,
    /// A number with a leading zero.
    #[error("a number has a leading zero")]
    LeadingZero,
    /// The integer `-0`.
    #[error("a number is minus zero")]
    MinusZero,
    /// A number that does not fit into a signed 64-bit integer.
    #[error("a number is too large")]
    TooLarge,
    /// A string whose length exceeds the remaining input.
    #[error("a string is longer than the data")]
    StringTooLong,
    /// A dictionary key that is not a string.
    #[error("a dictionary key is not a string")]
    KeyNotString,
    /// A dictionary that ends after a key.
    #[error("a dictionary key has no value")]
    KeyWithoutValue,
    /// Lists and dictionaries nested deeper than [`Limits::depth`](super::Limits::depth).
    #[error("lists and dictionaries are nested deeper than {0}")]
    TooDeep(usize),
    /// More values than [`Limits::tokens`](super::Limits::tokens).
    #[error("there are more than {0} values")]
    TooMany(usize),
    /// More bytes than [`Limits::len`](super::Limits::len).
    #[error("there are more than {0} bytes")]
    TooLong(usize),
}
