//! torr: a BitTorrent client.

pub mod base;
pub mod hash;
pub mod store;
