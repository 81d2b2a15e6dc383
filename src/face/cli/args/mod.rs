//! Groups of flags that several commands share.

pub mod global;
pub mod network;
pub mod select;
pub mod switches;
pub mod torrent;
pub mod when;
pub mod words;
