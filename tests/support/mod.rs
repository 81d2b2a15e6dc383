//! What tests of every kind share: generated content, programs that end with the test, bounded waits.

pub mod bencode;
pub mod content;
pub mod program;
pub mod schema;
pub mod wait;
