//! Views: immutable snapshots of the session for faces.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::command::ContentOptions;
use super::content;
use crate::base::{Bitfield, InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;
use crate::swarm::event::Source;

/// The state of a torrent, named as in JSON and text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Fetching the metadata of a link.
    Metadata,
    /// Checking existing files.
    Checking,
    /// Queued behind other torrents.
    Queued,
    /// Downloading pieces.
    Downloading,
    /// Incomplete and stalled; `reason` says why.
    Waiting,
    /// Complete and seeding.
    Seeding,
    /// Complete, out of the swarm.
    Done,
    /// Paused by the user.
    Paused,
    /// Stopped by a fault; `reason` says which.
    Error,
}

impl State {
    /// The word in JSON and text.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Checking => "checking",
            Self::Queued => "queued",
            Self::Downloading => "downloading",
            Self::Waiting => "waiting",
            Self::Seeding => "seeding",
            Self::Done => "done",
            Self::Paused => "paused",
            Self::Error => "error",
        }
    }

    /// All values of [`Reason::word`] in this state. Words are only ever added.
    pub const fn reasons(self) -> &'static [&'static str] {
        match self {
            Self::Metadata => &["searching_peers", "peers_without_metadata", "bad_magnet", "too_many_active"],
            Self::Checking => &["added_existing_files", "user", "after_crash"],
            Self::Queued => &["too_many_active", "waiting_for_check"],
            Self::Downloading => {
                &["ok", "starting", "slow_peers", "choked_by_all", "limited_by_you", "disk_slow"]
            }
            Self::Waiting => &[
                "no_peers_known",
                "all_connects_failed",
                "peers_lack_pieces",
                "trackers_fail",
                "dht_off_private",
                "offline",
            ],
            Self::Seeding => &["ok", "nobody_interested", "limited_by_you"],
            Self::Done => &["goal_reached", "not_seeding"],
            Self::Paused => &["user", "schedule", "low_space"],
            Self::Error => {
                &["no_space", "permission", "io", "files_missing", "changed_on_disk", "no_metadata"]
            }
        }
    }
}

/// The reason for a torrent's state: a word for scripts and a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The word, e.g. `choked_by_all`.
    pub word: &'static str,
    /// The sentence, clean for a terminal.
    pub text: String,
}

/// A snapshot of the session.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The torrents, in the order they were added.
    pub torrents: Vec<Row>,
    /// The details of the torrent chosen by [`Command::ShowDetail`](super::Command::ShowDetail).
    pub detail: Option<Detail>,
    /// The listening port.
    pub port: Option<u16>,
    /// Number of known DHT nodes; `None` if the DHT is off.
    pub dht_nodes: Option<u32>,
    /// Download rate of all torrents, in bytes per second.
    pub down: f64,
    /// Upload rate of all torrents, in bytes per second.
    pub up: f64,
}

/// A torrent in a view.
#[derive(Clone, Debug)]
pub struct Row {
    /// The id of the torrent.
    pub id: TorrentId,
    /// The known info-hashes: the metadata of a link may add one.
    pub info_hashes: InfoHashes,
    /// The name of the torrent.
    pub name: Untrusted,
    /// The state of the torrent.
    pub state: State,
    /// The reason for the state.
    pub reason: Reason,
    /// Size of the wanted files in bytes, without padding.
    pub wanted: u64,
    /// Verified and written bytes of the wanted files.
    pub done: u64,
    /// Bytes checked so far, in state `checking`.
    pub checked: u64,
    /// Bytes to check, in state `checking`.
    pub to_check: u64,
    /// Number of wanted files.
    pub files: u32,
    /// Download rate of payload, in bytes per second.
    pub down: f64,
    /// Upload rate of payload, in bytes per second.
    pub up: f64,
    /// Useful payload received in this run, in bytes.
    pub received: u64,
    /// Useless payload received in this run, in bytes.
    pub wasted: u64,
    /// Payload uploaded in this run, in bytes.
    pub sent: u64,
    /// Payload uploaded in all runs, in bytes.
    pub sent_ever: u64,
    /// Number of connected peers.
    pub peers: u32,
    /// Number of connected seeds.
    pub seeds: u32,
    /// Number of seeds in the swarm, as reported by trackers.
    pub swarm_seeds: Option<u32>,
    /// Number of leechers in the swarm, as reported by trackers.
    pub swarm_leechers: Option<u32>,
    /// Number of peers that became seeds while connected to us.
    pub copies: u32,
    /// Estimated time to completion, or to the end of the check.
    pub eta: Option<Duration>,
    /// Time spent downloading, seeding or waiting for peers; checking does not count.
    pub active: Duration,
    /// The path of the file or folder.
    pub path: PathBuf,
}

impl Row {
    /// A row without any figures.
    pub fn new(
        id: TorrentId,
        info_hashes: InfoHashes,
        name: Untrusted,
        (state, reason): (State, Reason),
    ) -> Self {
        Self {
            id,
            info_hashes,
            name,
            state,
            reason,
            wanted: 0,
            done: 0,
            checked: 0,
            to_check: 0,
            files: 0,
            down: 0.0,
            up: 0.0,
            received: 0,
            wasted: 0,
            sent: 0,
            sent_ever: 0,
            peers: 0,
            seeds: 0,
            swarm_seeds: None,
            swarm_leechers: None,
            copies: 0,
            eta: None,
            active: Duration::ZERO,
            path: PathBuf::new(),
        }
    }

    /// The row after the metadata is known, for the wanted content and before any transfer.
    pub(super) fn of_content(
        &self,
        metainfo: &Metainfo,
        options: &ContentOptions,
        why: (State, Reason),
    ) -> Self {
        Self {
            wanted: content::wanted(metainfo, &options.priorities),
            files: content::file_count(metainfo, &options.priorities),
            path: options.folder.clone(),
            ..Self::new(self.id, self.info_hashes, metainfo.name().clone(), why)
        }
    }

    /// The share ratio: payload uploaded in all runs, divided by the wanted size.
    pub fn ratio(&self) -> f64 {
        if self.wanted == 0 { 0.0 } else { self.sent_ever as f64 / self.wanted as f64 }
    }

    /// The progress, from 0 to 1; 0 while the metadata is missing.
    pub fn progress(&self) -> f64 {
        if self.state == State::Metadata {
            return 0.0;
        }
        if self.wanted == 0 { 1.0 } else { self.done as f64 / self.wanted as f64 }
    }
}

/// The details of a torrent.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The id of the torrent.
    pub id: TorrentId,
    /// The pieces we have.
    pub have: Bitfield,
    /// The connected peers.
    pub peers: Vec<PeerRow>,
    /// The trackers of the torrent.
    pub trackers: Vec<TrackerRow>,
}

/// A connected peer in the details of a torrent.
#[derive(Clone, Debug)]
pub struct PeerRow {
    /// The remote address.
    pub addr: SocketAddr,
    /// The name of the client software.
    pub client: Untrusted,
    /// Set for an incoming connection.
    pub incoming: bool,
    /// The source of the address, if it is known.
    pub source: Option<Source>,
    /// The peer's progress, from 0 to 1.
    pub progress: f64,
    /// Download rate from the peer, in bytes per second.
    pub down: f64,
    /// Upload rate to the peer, in bytes per second.
    pub up: f64,
    /// Whether we are interested in the peer.
    pub interested: bool,
    /// Whether the peer has unchoked us.
    pub unchoked_us: bool,
    /// Whether the peer is interested in us.
    pub wants: bool,
    /// Whether we have unchoked the peer.
    pub unchoked_by_us: bool,
}

/// A tracker in the details of a torrent.
#[derive(Clone, Debug)]
pub struct TrackerRow {
    /// The announce URL.
    pub url: Untrusted,
    /// The tier, counted from 0.
    pub tier: usize,
    /// The last reply, as a sentence.
    pub status: String,
    /// Whether the last announce succeeded; `None` before the first reply.
    pub working: Option<bool>,
    /// Time until the next announce.
    pub next: Option<Duration>,
    /// Number of seeds the tracker reports.
    pub seeds: Option<u32>,
    /// Number of leechers the tracker reports.
    pub leechers: Option<u32>,
}
