//! Services that every face needs and no face owns: configuration, inputs, making torrents, the selection of
//! files, and the way to the engine.
//!
//! ```text
//! configuration, NetworkOptions   → SessionSettings ─┐
//! arguments, SubmissionOptions ──────────────────────┴→ SubmissionBuilder → Submission → Door
//! ```
//!
//! A face knows this room and the vocabulary of [`base`](crate::base). What a flag is called, how a sentence is
//! coloured and with which code a process ends is none of this room's business.

#![allow(clippy::disallowed_methods, reason = "hashing and watching files take time, and it is told")]
#![allow(clippy::format_push_string, clippy::format_collect, reason = "short texts, written as they read")]
#![allow(clippy::single_match_else, reason = "both arms weigh the same")]
#![cfg_attr(test, allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what is tested"))]

pub mod command_line;
pub mod config;
pub mod damage;
pub mod door;
pub mod file_write;
pub mod hook;
pub mod input;
pub mod interface;
pub mod location;
pub mod making;
pub mod own_addresses;
pub mod seed_goal;
pub mod selection;
pub mod session_settings;
pub mod source_watch;
pub mod stall;
pub mod state_dir;
pub mod stored_torrent;
pub mod submission;
pub mod user_folders;
pub mod verification;

mod error;
mod fault;
mod remedy;
#[cfg(test)]
mod testing;

pub use error::{Error, ErrorKind, quoted, reason, shown};
pub use remedy::Remedy;

pub use crate::engine::{dht, tracker_server};
pub use crate::hash::describe as hashing;
