//! Submissions: from an argument (a torrent file, its URL, a magnet link, an info hash, standard input) to what is
//! to be done next for its torrent, up to the [`Add`](crate::app::door::Add) for the door.
//!
//! ```text
//! argument → SubmissionBuilder → Submission → Door
//! ```
//!
//! A face says in [`SubmissionOptions`] what the user wants of the torrents, and hears of warnings through a
//! [`SubmissionWatch`].

mod background;
mod builder;
mod claims;
mod merged_magnets;
mod options;
#[cfg(test)]
mod tests;
mod torrent_file;
mod transfer;

use std::net::SocketAddr;

use crate::base::InfoHashes;

use super::input::FetchWatch;

pub use background::Submissions;
pub use builder::{MetadataSearch, SubmissionBuilder};
pub use options::{SubmissionOptions, TorrentFileMode};
pub use torrent_file::{SavedTorrentFile, torrent_file_name};
pub use transfer::{SubmittedTorrent, Transfer};

/// The next step for a torrent.
#[derive(Debug)]
pub enum Submission {
    /// A download, or seeding.
    Transfer(Box<Transfer>),
    /// A search for the metadata, which has to be found first.
    MetadataSearch(Box<MetadataSearch>),
    /// A saved torrent file; nothing else was asked for.
    TorrentFile(SavedTorrentFile),
    /// Peers to add to a torrent that was submitted before.
    MorePeers(Box<MorePeers>),
}

/// More peers of a torrent that was submitted before.
#[derive(Debug)]
pub struct MorePeers {
    /// The info-hashes of the torrent.
    pub info_hashes: InfoHashes,
    /// Peers by address.
    pub peers: Vec<SocketAddr>,
    /// Peers by host and port.
    pub named_peers: Vec<(String, u16)>,
}

/// The way from the builder of submissions to the face. Several threads may call it at once.
pub trait SubmissionWatch: Send + Sync {
    /// A warning about a torrent, clean for a terminal.
    fn warn(&self, text: &str);
    /// A watch over the fetch of one torrent file from the web, which begins now.
    fn watch_fetch(&self) -> Box<dyn FetchWatch + '_>;
}
