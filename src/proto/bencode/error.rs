//! The errors of the guard.

/// Where bencode is wrong, and how.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("at byte {at}: {fault}")]
pub struct BencodeError {
    /// The offset, counted from 0.
    pub at: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// What can be wrong with bencode.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// The input stops within a value.
    #[error("the data ends too early")]
    EndsEarly,
    /// No value begins with this byte.
    #[error("a value cannot begin with the byte 0x{0:02x}")]
    NoValue(u8),
    /// A number with something that is no digit, or without any.
    #[error("this is not a number")]
    NoNumber,
    /// A number with a needless zero in front.
    #[error("a number has a leading zero")]
    LeadingZero,
    /// `-0`.
    #[error("a number is minus zero")]
    MinusZero,
    /// A number outside 64 signed bits.
    #[error("a number is too large")]
    TooLarge,
    /// A string that is longer than what is left.
    #[error("a string is longer than the data")]
    StringTooLong,
    /// A dictionary key that is not a string.
    #[error("a dictionary key is not a string")]
    KeyNotString,
    /// A dictionary that ends after a key.
    #[error("a dictionary key has no value")]
    KeyWithoutValue,
    /// More nesting than allowed.
    #[error("lists and dictionaries are nested deeper than {0}")]
    TooDeep(usize),
    /// More values than allowed.
    #[error("there are more than {0} values")]
    TooMany(usize),
    /// More bytes than allowed.
    #[error("there are more than {0} bytes")]
    TooLong(usize),
}
