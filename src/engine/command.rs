//! Commands: what faces may ask of the engine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;
use crate::store::Alloc;
use crate::swarm::event::{Order, Priority};

use super::reader::ChunkSender;

/// The treatment of files that are there already when a torrent is added.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExistingFiles {
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
pub struct SeedGoal {
    /// When this many times the size was uploaded.
    pub ratio: Option<f64>,
    /// When this long has passed since the torrent was complete.
    pub time: Option<Duration>,
    /// When this many other peers that were seen incomplete have everything.
    pub copies: Option<u32>,
}

/// The end of a download: what happens when every wanted piece is there.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum After {
    /// The torrent leaves the swarm and is done.
    #[default]
    Stop,
    /// Seeds until then.
    Seed(SeedGoal),
}

/// The source of a torrent that is added: its metadata, or a link to it.
#[derive(Clone, Debug)]
pub enum TorrentSource {
    /// Metadata of the torrent, from a torrent file.
    Metainfo(Arc<Metainfo>),
    /// Info-hash of the torrent, from a link: peers are asked for the metadata (BEP 9).
    Link(Box<Link>),
}

/// A torrent of which only its name is known, as a magnet link tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The info-hashes, as far as the link tells. The metadata may tell more.
    pub info_hash: InfoHashes,
    /// Name of the torrent in the link.
    pub name: Option<Untrusted>,
    /// Web seeds of the link; the torrent file that is remembered names them.
    pub web_seeds: Vec<Untrusted>,
    /// Content will be wanted once the metadata is there: peers are told "interested" at once, and may have
    /// unchoked us by then.
    pub eager: bool,
}

/// Options for the content of a torrent: which files, where they lie, in which order they come.
#[derive(Clone, Debug)]
pub struct ContentOptions {
    /// The directory in which its file or folder lies or will lie.
    pub folder: PathBuf,
    /// Name of its file or folder there, where that is not the torrent's own.
    pub root_name: Option<String>,
    /// The treatment of files that are there.
    pub existing: ExistingFiles,
    /// How space is reserved.
    pub alloc: Alloc,
    /// The priority of each file, by its number; empty for all normal.
    pub priorities: Vec<Priority>,
    /// The order of pieces.
    pub order: Order,
    /// Fetch the first and last pieces of each file first.
    pub ends_first: bool,
    /// The end of the download.
    pub after: After,
    /// Only give, never fetch: what is missing is an error (`torr seed`).
    pub seed_only: bool,
    /// With `seed_only`: files that are reached by links are given, too.
    pub follow: bool,
    /// The reader of a file of it while it comes.
    pub read: Option<ChunkSender>,
}

/// A torrent to add, and how.
///
/// The metadata of a torrent that is added by a link is looked for first; [`Event::Metadata`](super::Event::Metadata)
/// tells that it is there. With `content` the torrent then goes on by itself. Without, it stays in the swarm and
/// gives the metadata to others until [`Command::Start`] or [`Command::Remove`].
#[derive(Clone, Debug)]
pub struct Add {
    /// The torrent.
    pub source: TorrentSource,
    /// Options for the content; without them the torrent waits for [`Command::Start`].
    pub content: Option<Box<ContentOptions>>,
    /// Announce to trackers at all.
    pub use_trackers: bool,
    /// More trackers, each a tier of its own behind those of the torrent.
    pub trackers: Vec<String>,
    /// Peers to try first.
    pub peers: Vec<SocketAddr>,
    /// Peers to try first that are known by name: host and port.
    pub named_peers: Vec<(String, u16)>,
    /// Limit of this torrent downwards, in bytes per second.
    pub down: Option<u64>,
    /// Limit of this torrent upwards, in bytes per second.
    pub up: Option<u64>,
    /// The most connections of this torrent.
    pub max_peers: usize,
    /// How long the metadata may make no progress before the torrent fails with
    /// [`FaultKind::NoMetadata`](super::FaultKind::NoMetadata); nothing for ever.
    pub metadata_timeout: Option<Duration>,
}

impl Link {
    /// The torrent of this info-hash.
    pub const fn new(info_hash: InfoHashes) -> Self {
        Self { info_hash, name: None, web_seeds: Vec::new(), eager: false }
    }

    /// Name of the torrent until the metadata is known.
    pub(super) fn name(&self) -> Untrusted {
        self.name.clone().unwrap_or_else(|| Untrusted::new(self.info_hash.to_string()))
    }
}

impl ContentOptions {
    /// All of it in this folder, with every default.
    pub fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            root_name: None,
            existing: ExistingFiles::default(),
            alloc: Alloc::default(),
            priorities: Vec::new(),
            order: Order::default(),
            ends_first: false,
            after: After::default(),
            seed_only: false,
            follow: false,
            read: None,
        }
    }
}

impl From<PathBuf> for ContentOptions {
    fn from(folder: PathBuf) -> Self {
        Self::new(folder)
    }
}

impl Add {
    /// This torrent, its content by these options or in this folder, with every default.
    pub fn new(metainfo: Metainfo, content: impl Into<ContentOptions>) -> Self {
        let content = Some(Box::new(content.into()));
        Self { content, ..Self::of(TorrentSource::Metainfo(Arc::new(metainfo))) }
    }

    /// The torrent of a link with every default; nothing is wanted of its content yet.
    pub fn link(link: Link) -> Self {
        Self::of(TorrentSource::Link(Box::new(link)))
    }

    const fn of(source: TorrentSource) -> Self {
        Self {
            source,
            content: None,
            use_trackers: true,
            trackers: Vec::new(),
            peers: Vec::new(),
            named_peers: Vec::new(),
            down: None,
            up: None,
            max_peers: 100,
            metadata_timeout: None,
        }
    }

    /// The info-hashes of the torrent, as far as they are known.
    pub fn info_hashes(&self) -> InfoHashes {
        match &self.source {
            TorrentSource::Metainfo(metainfo) => metainfo.info_hash(),
            TorrentSource::Link(link) => link.info_hash,
        }
    }

    /// The name of the torrent, as far as it is known.
    pub fn name(&self) -> Untrusted {
        match &self.source {
            TorrentSource::Metainfo(metainfo) => metainfo.name().clone(),
            TorrentSource::Link(link) => link.name(),
        }
    }
}

/// A command to a running engine.
#[derive(Debug)]
pub enum Command {
    /// Add a torrent under an id that was never given out before: [`Handle::add`](super::Handle::add) makes
    /// this command.
    Add(TorrentId, Box<Add>),
    /// Fetch or give the content of a torrent that was added without saying so. It goes on with the
    /// connections it has.
    Start(TorrentId, Box<ContentOptions>),
    /// Stop moving bytes of a torrent.
    Pause(TorrentId),
    /// Go on with it.
    Resume(TorrentId),
    /// Take it out of the session; files stay.
    Remove(TorrentId),
    /// Set the limits of the whole session, bytes per second.
    Limits {
        /// Downwards.
        down: Option<u64>,
        /// Upwards.
        up: Option<u64>,
    },
    /// Connect to these peers.
    Peers(TorrentId, Vec<SocketAddr>),
    /// Connect to these peers, known by host and port.
    NamedPeers(TorrentId, Vec<(String, u16)>),
    /// Look at one torrent in detail in every further `View`, or at none.
    ShowDetail(Option<TorrentId>),
}
