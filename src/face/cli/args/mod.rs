//! Groups of flags that several commands share.

pub mod global;
pub mod network;
pub mod switches;
