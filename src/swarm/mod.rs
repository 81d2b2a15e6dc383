//! One torrent as a state machine: every decision about peers and pieces.
//!
//! This room is quiet. It takes facts with the time at which they became known, and orders what is to
//! be done about them; it owns no socket, file, clock or thread, and its only chance is a seeded
//! generator. So a swarm of sixty of these runs in a simulated world in a plain `cargo test`.
//!
//! [`parts`] know nothing of torrents and are tested alone. [`metadata`] decides which piece of the info dictionary is
//! asked of whom. [`torrent`] holds the machine: [`Torrent`] begins with its info-hashes alone, fetches the metadata if
//! it is not known, and moves pieces; its verbs introduce the parts to one another, and `torrent/handle.rs` lists them.
//! [`local`] stands beside: it decides for all torrents of a session what the local network hears of them.

pub mod event;
pub mod local;
mod metadata;
pub mod parts;
#[cfg(test)]
mod scenarios;
mod torrent;

pub use self::event::ContentSetup;
pub use self::torrent::summary::{Dials, MetadataSummary, PeerSummary, Searched, Summary, TrackerSummary};
pub use self::torrent::{Config, Torrent};
