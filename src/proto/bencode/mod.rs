//! Bencode (BEP 3), checked before any other code reads it.
//!
//! [`scan`] walks the bytes without recursion and checks grammar, nesting and the number of values; only
//! bytes that passed it reach a recursive reader. [`Tree`] is a flat view for messages of unknown shape.
//! [`DictWriter`] writes canonical bencode whatever the order of the calls.

mod error;
mod number;
mod scan;
mod tree;
mod write;

pub use error::{BencodeError, Fault};
pub use scan::{Limits, Scan, scan};
pub use tree::{Tree, Value};
pub use write::{DictWriter, ListWriter, dict, int, list, string};
