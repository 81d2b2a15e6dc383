//! One torrent as a state machine: every decision about peers and pieces.
//!
//! This room is quiet. It takes facts with the time at which they became known, and orders what is to
//! be done about them; it owns no socket, file, clock or thread, and its only chance is a seeded
//! generator. So a swarm of sixty of these runs in a simulated world in a plain `cargo test`.
//!
//! It has a waist. Below are parts that know nothing of torrents and are tested alone: [`rarity`],
//! [`picker`], `started`, `reach`, `progress`, `pipeline`, `choker`, `candidates`, `tellers`, `announcer`, `pex`,
//! `blame`. In the middle is [`Torrent`], the struct that holds them. Above are verbs that introduce the parts to
//! one another: meeting, hearing, exchanging, asking, ahead, landing, serving, steering. `handle.rs` on top lists them.
//! [`local`] stands beside: it decides for all torrents of a session what the local network hears of them.

mod ahead;
mod allowed_fast;
mod announcer;
mod asking;
mod blame;
mod candidates;
mod choker;
mod copies;
mod dials;
pub mod event;
mod exchanging;
mod handle;
mod hearing;
mod landing;
mod lender;
mod lending;
pub mod local;
mod lookups;
mod meeting;
mod peer;
mod peer_priority;
mod pex;
pub mod picker;
mod pipeline;
mod progress;
pub mod rarity;
mod reach;
#[cfg(test)]
mod scenarios;
pub mod seeker;
mod serving;
mod started;
mod steering;
mod succession;
mod summary;
mod tellers;
mod torrent;

pub use succession::Heritage;
pub use summary::{Dials, PeerSummary, Searched, Summary, TrackerSummary};
pub use torrent::{Config, Torrent};
