//! What tests of every kind share: generated content, programs that end with the test, bounded waits.

pub mod bencode;
pub mod content;
#[cfg(feature = "cli")]
pub mod program;
#[cfg(feature = "cli")]
pub mod schema;
pub mod wait;
