//! Commands from faces to the engine.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::proto::metainfo::Metainfo;
use crate::store::Alloc;
use crate::swarm::event::{Order, Priority};

use super::reader::ChunkSender;

/// The treatment of files that already exist when a torrent is added. Except under `Overwrite` and `Trust`, bytes that
/// cannot be checked before their piece was received are compared with it then.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ExistingFiles {
    /// Check their pieces, keep those that match, and fill blank space. Refuse a file with other bytes that torr did
    /// not write.
    #[default]
    Check,
    /// As `Check`, but replace the bytes that differ.
    Repair,
    /// As `Check`, but rename a file with other bytes to `NAME.before-torr` and download it again.
    Backup,
    /// Refuse files that torr did not create.
    Refuse,
    /// Take them as complete and right, without a check.
    Trust,
    /// Check their pieces and overwrite those that do not match, whoever created the files.
    Overwrite,
}

/// The goal at which seeding stops: whichever part is reached first. An empty goal seeds forever.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct SeedGoal {
    /// Ratio of payload uploaded to wanted size.
    pub ratio: Option<f64>,
    /// Seeding time since the torrent was complete.
    pub time: Option<Duration>,
    /// Number of peers that became seeds while connected to us.
    pub copies: Option<u32>,
}

/// The action after a download, when every wanted piece is verified.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub enum After {
    /// Leave the swarm.
    #[default]
    Stop,
    /// Seed until the goal is reached.
    Seed(SeedGoal),
}

/// The source of an added torrent: its metadata or a link.
#[derive(Clone, Debug)]
pub enum TorrentSource {
    /// The metadata from a torrent file.
    Metainfo(Arc<Metainfo>),
    /// The info-hash from a link; peers send the metadata (BEP 9).
    Link(Box<Link>),
}

/// A torrent known by its info-hash alone, as from a magnet link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// The info-hashes of the link. The metadata may add one.
    pub info_hash: InfoHashes,
    /// The display name.
    pub name: Option<Untrusted>,
    /// Web seeds, which the stored torrent file will name.
    pub web_seeds: Vec<Untrusted>,
    /// Send `interested` before the metadata is known, so that peers may have unchoked us when the download
    /// begins.
    pub eager: bool,
}

/// Options of a torrent's content: which files, where, in which order.
#[derive(Clone, Debug)]
pub struct ContentOptions {
    /// The download folder.
    pub folder: PathBuf,
    /// The name of the file or folder in it, if not the torrent's own.
    pub root_name: Option<String>,
    /// The treatment of existing files.
    pub existing: ExistingFiles,
    /// The allocation of disk space.
    pub alloc: Alloc,
    /// The priority of each file by its index; empty if all are normal.
    pub priorities: Vec<Priority>,
    /// The order of pieces.
    pub order: Order,
    /// Download the first and last piece of each file first.
    pub ends_first: bool,
    /// The action after the download.
    pub after: After,
    /// Only seed, never download: missing pieces are an error (`torr seed`).
    pub seed_only: bool,
    /// With `seed_only`: seed files behind symbolic links, too.
    pub follow: bool,
    /// The channel to a reader that streams a file during the download.
    pub read: Option<ChunkSender>,
}

/// A torrent to add, with its options.
///
/// For a link, the metadata is fetched first, which [`Event::Metadata`](super::Event::Metadata) reports. With
/// `content`, the download then begins by itself. Without it, the torrent stays in the swarm and uploads the
/// metadata until [`Command::Start`] or [`Command::Remove`].
#[derive(Clone, Debug)]
pub struct Add {
    /// The metadata or the link.
    pub source: TorrentSource,
    /// Options of the content; without them the torrent waits for [`Command::Start`].
    pub content: Option<Box<ContentOptions>>,
    /// Announce to trackers.
    pub use_trackers: bool,
    /// Additional trackers, each in a tier of its own after those of the torrent.
    pub trackers: Vec<String>,
    /// Peers to connect to first.
    pub peers: Vec<SocketAddr>,
    /// Peers to connect to first, by host name and port.
    pub named_peers: Vec<(String, u16)>,
    /// Download limit of this torrent, in bytes per second.
    pub down: Option<u64>,
    /// Upload limit of this torrent, in bytes per second.
    pub up: Option<u64>,
    /// Maximum number of connections of this torrent.
    pub max_peers: usize,
    /// Time without progress of the metadata after which the torrent fails with
    /// [`FaultKind::NoMetadata`](super::FaultKind::NoMetadata); `None` waits forever.
    pub metadata_timeout: Option<Duration>,
}

impl Link {
    /// A link without name and web seeds.
    pub const fn new(info_hash: InfoHashes) -> Self {
        Self { info_hash, name: None, web_seeds: Vec::new(), eager: false }
    }

    /// The display name until the metadata is known.
    pub(super) fn name(&self) -> Untrusted {
        self.name.clone().unwrap_or_else(|| Untrusted::new(self.info_hash.to_string()))
    }
}

impl ContentOptions {
    /// The whole content in this folder, with default options.
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
    /// A torrent with default options, its content with these options or in this folder.
    pub fn new(metainfo: Metainfo, content: impl Into<ContentOptions>) -> Self {
        let content = Some(Box::new(content.into()));
        Self { content, ..Self::of(TorrentSource::Metainfo(Arc::new(metainfo))) }
    }

    /// The torrent of a link with default options and without content.
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

    /// The known info-hashes of the torrent.
    pub fn info_hashes(&self) -> InfoHashes {
        match &self.source {
            TorrentSource::Metainfo(metainfo) => metainfo.info_hash(),
            TorrentSource::Link(link) => link.info_hash,
        }
    }

    /// The name of the torrent, from the metadata or the link.
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
    /// Add a torrent under a new id; [`Handle::add`](super::Handle::add) sends this command.
    Add(TorrentId, Box<Add>),
    /// Download or seed the content of a torrent added without `content`. Its connections are kept.
    Start(TorrentId, Box<ContentOptions>),
    /// Pause a torrent: no payload is transferred.
    Pause(TorrentId),
    /// Resume a paused torrent.
    Resume(TorrentId),
    /// Remove a torrent from the session; its files stay.
    Remove(TorrentId),
    /// Set the limits of the session, in bytes per second.
    Limits {
        /// Download limit.
        down: Option<u64>,
        /// Upload limit.
        up: Option<u64>,
    },
    /// Connect to these peers.
    Peers(TorrentId, Vec<SocketAddr>),
    /// Connect to these peers, by host name and port.
    NamedPeers(TorrentId, Vec<(String, u16)>),
    /// Include the details of one torrent in every further `View`, or of none.
    ShowDetail(Option<TorrentId>),
}
