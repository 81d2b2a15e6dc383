//! torr: a BitTorrent client.

pub mod base;
