//! Bencode (BEP 3) from outside, bounded before anything else sees it.
//!
//! [`scan`] walks bytes without recursion and checks grammar, depth and count; only bytes that passed
//! it are given to a recursive reader. [`Tree`] is a flat view for messages whose shape is not known
//! beforehand. [`DictWriter`] writes, and its output is canonical whatever the order of the calls.

mod error;
mod number;
mod scan;
mod tree;
mod write;

pub use error::{BencodeError, Fault};
pub use scan::{Limits, Scan, scan};
pub use tree::{Tree, Value};
pub use write::{DictWriter, ListWriter, dict, int, list, string};
