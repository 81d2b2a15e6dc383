//! A torrent as a state machine: all decisions about peers and pieces.
//!
//! This module is quiet: it takes inputs with their time and returns outputs. It owns no socket, file, clock
//! or thread, and its random numbers come from a seeded generator, so a swarm of sixty torrents runs in a
//! simulated world in a plain `cargo test`.
//!
//! [`parts`] know nothing of torrents and are tested alone. [`metadata`] decides which piece of the info
//! dictionary to request from which peer. [`torrent`] holds the state machine: a [`Torrent`] starts from its
//! info-hashes, downloads the metadata if needed, and then the pieces. Its methods connect the parts;
//! `torrent/handle.rs` lists them. [`local`] is separate: it decides what to announce on the local network
//! for all torrents of a session.

pub mod event;
pub mod local;
mod metadata;
pub mod parts;
#[cfg(test)]
mod scenarios;
mod torrent;

pub use self::event::ContentSetup;
pub use self::parts::request_window::RequestWindow;
pub use self::torrent::summary::{DhtResults, Dials, MetadataSummary, PeerSummary, Summary, TrackerSummary};
pub use self::torrent::{Config, Torrent};
