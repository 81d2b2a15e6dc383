//! The engine: the public interface of torr as a library.
//!
//! A face starts an [`Engine`], sends it [`Command`]s through a [`Handle`], and receives [`Event`]s and
//! [`View`]s. One task per torrent drives its state machine, each peer has a task of its own, and disk
//! threads do all file I/O. This room reads the clock and draws the seeds; it takes no decision about peers
//! and pieces.

#![allow(clippy::disallowed_methods, reason = "a loud room: it is here that the clock is read")]

mod announcing;
mod clock;
mod command;
mod config;
pub mod content;
pub mod dht;
mod disk;
mod driver;
mod event;
mod fault;
mod handle;
mod incoming;
mod listen;
mod lsd;
mod memory;
mod network;
mod permits;
mod reader;
mod scrape;
mod session;
mod shared;
mod stored;
mod view;
mod why;

pub use command::{Add, After, Command, ContentOptions, ExistingFiles, Link, SeedGoal, TorrentSource};
pub use config::EngineConfig;
pub use event::{DifferentFile, Event, Fault, FaultKind, Remedy, Treatment};
pub use handle::{Engine, Handle};
pub use reader::{Chunk, ChunkSender, ReadOutcome, Reader};
pub use scrape::{ScrapeResult, scrape_trackers};
pub use stored::{
    StoredTorrent, find_stored_torrents, list_stored_torrents, load_stored_metainfo, load_stored_torrent,
};
pub use view::{Detail, PeerRow, Reason, Row, State, TrackerRow, View};

pub use crate::net::interfaces;
pub use crate::net::tracker_server;
pub use crate::net::web;
pub use crate::store::{Alloc, DiskIo};
pub use crate::swarm::event::{Order, Priority, Source as PeerSource};
