//! What `create` and `seed` have in common: finding the files, hashing them, and making a torrent of that.

pub mod gather;
pub mod hash;
pub mod lints;
pub mod plan;
