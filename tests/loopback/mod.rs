//! Real engines, real sockets, real files, on 127.0.0.1.

mod dht;
mod faults;
mod long_pieces;
pub mod nodes;
mod reading;
mod transfer;
mod world;
