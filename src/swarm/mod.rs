//! One torrent as a state machine: every decision about peers and pieces.
//!
//! This room is quiet. It takes facts with the time at which they became known, and orders what is to
//! be done about them; it owns no socket, file, clock or thread, and its only chance is a seeded
//! generator. So a swarm of sixty of these runs in a simulated world in a plain `cargo test`.

pub mod event;
pub mod picker;
mod pipeline;
pub mod rarity;
mod started;
