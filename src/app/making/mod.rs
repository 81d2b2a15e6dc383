//! Making torrents: finding the files, hashing them, and the torrent that comes of it.

pub mod gather;
pub mod hash;
pub mod lints;
pub mod plan;
pub mod portable;
pub mod reuse;
pub mod values;

pub use crate::store::{CachedHashes, HashCache, Patterns, ScanOptions, ScannedFile, Skipped, scan};
