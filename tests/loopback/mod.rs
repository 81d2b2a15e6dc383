//! Real engines, real sockets, real files, on 127.0.0.1.

mod dht;
mod faults;
mod long_pieces;
mod magnet;
pub mod nodes;
mod reading;
mod transfer;
mod turns;
mod world;
