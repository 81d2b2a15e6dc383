//! What faces may ask of the engine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::base::{InfoHash, Untrusted};
use crate::proto::metainfo::Metainfo;
use crate::store::Alloc;
use crate::swarm::event::{Order, Priority};

use super::content;
use super::reader::Feed;
use super::view::{Reason, Row, State};

/// What to do with files that are there already when a torrent is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Existing {
    /// Hash them and keep the pieces that match; refuse a file that we did not begin and in which
    /// nothing matches.
    #[default]
    Check,
    /// Refuse any file that we did not begin.
    Refuse,
    /// Believe that they are complete and right.
    Trust,
    /// Hash them and overwrite whatever does not match, whoever it belongs to.
    Overwrite,
}

/// When to stop seeding; whichever comes first. Nothing set means for ever.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Until {
    /// When this many times the size was uploaded.
    pub ratio: Option<f64>,
    /// When this long has passed since the torrent was complete.
    pub time: Option<Duration>,
    /// When this many other peers that were seen incomplete have everything.
    pub copies: Option<u32>,
}

/// What happens when every wanted piece is there.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum After {
    /// The torrent leaves the swarm and is done.
    #[default]
    Stop,
    /// It gives back until then.
    Seed(Until),
}

/// A torrent to add, and how.
#[derive(Clone, Debug)]
pub struct Add {
    /// The checked torrent.
    pub metainfo: Metainfo,
    /// The directory in which its file or folder lies or will lie.
    pub folder: PathBuf,
    /// What to do with files that are there.
    pub existing: Existing,
    /// How space is reserved.
    pub alloc: Alloc,
    /// The priority of each file, by its number; empty for all normal.
    pub priorities: Vec<Priority>,
    /// The order of pieces.
    pub order: Order,
    /// Fetch the first and last pieces of each file first.
    pub ends_first: bool,
    /// What happens at the end.
    pub after: After,
    /// Only give, never fetch: what is missing is an error (`torr seed`).
    pub seed_only: bool,
    /// With `seed_only`: files that are reached by links are given, too.
    pub follow: bool,
    /// Announce to trackers at all.
    pub use_trackers: bool,
    /// More trackers, each a tier of its own behind those of the torrent.
    pub trackers: Vec<String>,
    /// Peers to try first.
    pub peers: Vec<SocketAddr>,
    /// Limits of this torrent in bytes per second.
    pub down: Option<u64>,
    /// Limits of this torrent in bytes per second.
    pub up: Option<u64>,
    /// The most connections of this torrent.
    pub max_peers: usize,
    /// Who reads a file of it while it comes.
    pub read: Option<Feed>,
}

/// A torrent of which only its name is known, as a magnet link tells it: find its metadata.
///
/// When peers have sent it and it proved right, [`Event::Metadata`](super::Event::Metadata) brings it. The
/// torrent then stays in the swarm, giving the metadata to others, until it is removed or an [`Add`] of
/// the same info-hash takes over its place, its peers and its connections.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Find {
    /// Which torrent. Until its metadata is there, this is its id.
    pub info_hash: InfoHash,
    /// What the link calls it.
    pub name: Option<Untrusted>,
    /// Announce to trackers at all.
    pub use_trackers: bool,
    /// Trackers, each a tier of its own.
    pub trackers: Vec<String>,
    /// Peers to try first.
    pub peers: Vec<SocketAddr>,
    /// Peers to try first that are known by name: host and port.
    pub named_peers: Vec<(String, u16)>,
    /// The most connections of this torrent.
    pub max_peers: usize,
    /// Its content is wanted, too, once the metadata is there: peers hear at once that we are interested, and have let
    /// us in by then.
    pub eager: bool,
}

impl Find {
    /// This torrent, with every default.
    pub const fn new(info_hash: InfoHash) -> Self {
        Self {
            info_hash,
            name: None,
            use_trackers: true,
            trackers: Vec::new(),
            peers: Vec::new(),
            named_peers: Vec::new(),
            max_peers: 100,
            eager: false,
        }
    }
}

impl Add {
    /// This torrent into this folder with every default.
    pub fn new(metainfo: Metainfo, folder: PathBuf) -> Self {
        Self {
            metainfo,
            folder,
            existing: Existing::default(),
            alloc: Alloc::default(),
            priorities: Vec::new(),
            order: Order::default(),
            ends_first: false,
            after: After::default(),
            seed_only: false,
            follow: false,
            use_trackers: true,
            trackers: Vec::new(),
            peers: Vec::new(),
            down: None,
            up: None,
            max_peers: 100,
            read: None,
        }
    }

    /// Its row before anything has moved.
    pub(super) fn row(&self, path: PathBuf, (state, reason): (State, Reason)) -> Row {
        Row {
            id: self.metainfo.info_hash(),
            name: self.metainfo.name().clone(),
            state,
            reason,
            wanted: content::wanted(&self.metainfo, &self.priorities),
            done: 0,
            checked: 0,
            to_check: 0,
            files: content::file_count(&self.metainfo, &self.priorities),
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
            path,
        }
    }
}

/// A command to a running engine.
#[derive(Debug)]
pub enum Command {
    /// Add a torrent. Its id is its info-hash. One whose metadata was found goes on with the connections it has.
    Add(Box<Add>),
    /// Find the metadata of a torrent. Its id is its info-hash.
    Find(Box<Find>),
    /// Stop moving bytes of a torrent.
    Pause(InfoHash),
    /// Go on with it.
    Resume(InfoHash),
    /// Take it out of the session; files stay.
    Remove(InfoHash),
    /// Set the limits of the whole session, bytes per second.
    Limits {
        /// Downwards.
        down: Option<u64>,
        /// Upwards.
        up: Option<u64>,
    },
    /// Connect to these peers.
    Peers(InfoHash, Vec<SocketAddr>),
    /// Look at one torrent in detail in every further `View`, or at none.
    Look(Option<InfoHash>),
}
