//! torr: a BitTorrent client.

pub mod base;
pub mod proto;
