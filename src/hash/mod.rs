//! SHA-1 and SHA-256 of one message, and SHA-1 of many messages at once.
//!
//! A whole piece is verified in one go, several pieces side by side: a core that waits for one
//! stream's rounds has time for those of three others. [`sha1_many`] does that on processors whose
//! SHA instructions allow it and hashes one message after the other elsewhere; its digests are the
//! same everywhere. What is too long to be held whole is hashed in parts by [`sha1_parts`], side by side
//! too.
//!
//! This room knows bytes and digests; what a piece is, where it lives and on which thread it is
//! hashed is for others to know.

mod backend;
mod crc32c;
#[cfg(target_arch = "x86_64")]
mod lanes_x86;
mod many;
mod merkle;
mod message;
mod one;

pub use backend::{describe, lanes};
pub use crc32c::crc32c;
pub use many::{Part, sha1_each, sha1_many, sha1_parts};
pub use merkle::{merkle_root, raise_root, zero_tree};
pub use message::Stream;
pub use one::{Sha1, Sha256, sha1, sha256};
