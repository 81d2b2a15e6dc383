//! Views: immutable snapshots for faces.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::command::ContentOptions;
use super::content;
use crate::base::{Bitfield, InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;
use crate::swarm::event::Source;

/// The state of a torrent, by the words people and scripts see.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Only its name is known; its metadata is being looked for.
    Metadata,
    /// Hashing what is on the disk.
    Checking,
    /// Waiting its turn.
    Queued,
    /// Fetching pieces.
    Downloading,
    /// Would fetch pieces, and nothing moves; `reason` says why.
    Waiting,
    /// Everything wanted is here and is given to others.
    Seeding,
    /// Everything wanted is here and the torrent has left the swarm.
    Done,
    /// Stopped by the user.
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

    /// Every word that [`Reason::word`] may have in this state. Words are only ever added.
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

/// Why a torrent is in its state: a word for scripts and a sentence for people.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// The word, e.g. `choked_by_all`.
    pub word: &'static str,
    /// The sentence, clean for a terminal.
    pub text: String,
}

/// The whole session at one moment.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// One row per torrent, in the order they were added.
    pub torrents: Vec<Row>,
    /// The detail of the torrent looked at.
    pub detail: Option<Detail>,
    /// The port on which peers reach us, if we listen.
    pub port: Option<u16>,
    /// How many nodes of the DHT we know; nothing where it is off.
    pub dht_nodes: Option<u32>,
    /// Bytes per second downwards, all torrents.
    pub down: f64,
    /// Bytes per second upwards, all torrents.
    pub up: f64,
}

/// One torrent.
#[derive(Clone, Debug)]
pub struct Row {
    /// Its id.
    pub id: TorrentId,
    /// Its info-hashes, as far as they are known: the metadata of a link may tell one more.
    pub info_hashes: InfoHashes,
    /// Its name.
    pub name: Untrusted,
    /// Its state.
    pub state: State,
    /// Why.
    pub reason: Reason,
    /// Bytes that are wanted (padding not counted).
    pub wanted: u64,
    /// Wanted bytes that are verified and written.
    pub done: u64,
    /// Bytes hashed so far while checking.
    pub checked: u64,
    /// Bytes to hash while checking.
    pub to_check: u64,
    /// How many files are wanted.
    pub files: u32,
    /// Payload per second downwards.
    pub down: f64,
    /// Payload per second upwards.
    pub up: f64,
    /// Payload received in this run that was of use.
    pub received: u64,
    /// Payload received in this run that was of no use.
    pub wasted: u64,
    /// Payload sent in this run.
    pub sent: u64,
    /// Payload sent over all runs.
    pub sent_ever: u64,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that have everything.
    pub seeds: u32,
    /// Seeds in the swarm, as far as the trackers know.
    pub swarm_seeds: Option<u32>,
    /// Leechers in the swarm, as far as the trackers know.
    pub swarm_leechers: Option<u32>,
    /// How many other peers completed while connected to us.
    pub copies: u32,
    /// Time to completion at the present average, if it can be told; while checking, time to its end.
    pub eta: Option<Duration>,
    /// Time spent moving bytes or waiting for them, checking not counted.
    pub active: Duration,
    /// Where the file or folder is.
    pub path: PathBuf,
}

impl Row {
    /// A torrent of which nothing is known and nothing has moved.
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

    /// The same torrent when its metadata is known and nothing has moved yet, as far as its content is wanted.
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

    /// Uploaded by wanted bytes.
    pub fn ratio(&self) -> f64 {
        if self.wanted == 0 { 0.0 } else { self.sent_ever as f64 / self.wanted as f64 }
    }

    /// From 0 to 1; 0 while it is not known what there is.
    pub fn progress(&self) -> f64 {
        if self.state == State::Metadata {
            return 0.0;
        }
        if self.wanted == 0 { 1.0 } else { self.done as f64 / self.wanted as f64 }
    }
}

/// One torrent in detail.
#[derive(Clone, Debug)]
pub struct Detail {
    /// The torrent.
    pub id: TorrentId,
    /// The pieces we have.
    pub have: Bitfield,
    /// Its connections.
    pub peers: Vec<PeerRow>,
    /// Its trackers.
    pub trackers: Vec<TrackerRow>,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct PeerRow {
    /// The address at the other end.
    pub addr: SocketAddr,
    /// The name of its client.
    pub client: Untrusted,
    /// Whether it connected to us.
    pub incoming: bool,
    /// The source of its address, if it is known.
    pub source: Option<Source>,
    /// From 0 to 1.
    pub progress: f64,
    /// Payload per second from it.
    pub down: f64,
    /// Payload per second to it.
    pub up: f64,
    /// We want something it has.
    pub interested: bool,
    /// Whether it answers our requests.
    pub unchoked_us: bool,
    /// Whether it wants something we have.
    pub wants: bool,
    /// We answer its requests.
    pub unchoked_by_us: bool,
}

/// One tracker.
#[derive(Clone, Debug)]
pub struct TrackerRow {
    /// Its announce URL.
    pub url: Untrusted,
    /// Its tier, counted from 0.
    pub tier: usize,
    /// Its last answer, in a sentence.
    pub status: String,
    /// Whether it answered when last asked; unknown before the first answer.
    pub working: Option<bool>,
    /// Until the next announce.
    pub next: Option<Duration>,
    /// Seeds it knows.
    pub seeds: Option<u32>,
    /// Leechers it knows.
    pub leechers: Option<u32>,
}
