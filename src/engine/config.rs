//! The settings of an engine.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::store::{Disk, DiskIo};

/// The settings of a session. The default downloads and seeds with no limit, listens on any free
/// port and remembers nothing.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The port to listen on. If it is taken the engine does not start.
    pub port: Option<u16>,
    /// The port to try first where `port` is not given; if it is taken, any free one serves.
    pub preferred_port: Option<u16>,
    /// The address all traffic leaves from and arrives at.
    pub bind: Option<IpAddr>,
    /// Use IPv6 as well.
    pub ipv6: bool,
    /// Bytes per second downwards, for the session.
    pub down: Option<u64>,
    /// Bytes per second upwards, for the session.
    pub up: Option<u64>,
    /// The most connections of the session.
    pub max_peers: usize,
    /// How many torrents may download at once; others wait their turn.
    pub jobs: usize,
    /// Find peers through the distributed hash table (BEP 5), for torrents that are not private.
    pub dht: bool,
    /// Where nodes of the DHT may be, as `host:port`, for the beginning.
    pub dht_bootstrap: Vec<String>,
    /// Exchange addresses of peers with peers (BEP 11), for torrents that are not private.
    pub pex: bool,
    /// Find peers on the local network (BEP 14), for torrents that are not private.
    pub lsd: bool,
    /// Where what can be found again is kept, such as nodes of the DHT.
    pub cache_dir: Option<PathBuf>,
    /// Where resume data is kept; without it every run begins by looking at the files.
    pub state_dir: Option<PathBuf>,
    /// How verified pieces are written.
    pub disk_io: DiskIo,
    /// Threads that hash, read and write files; at least one is started.
    pub disk_threads: usize,
    /// The seed of all chance that need not be secret; drawn from the system where not given.
    pub seed: Option<u64>,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            port: None,
            preferred_port: None,
            bind: None,
            ipv6: true,
            down: None,
            up: None,
            max_peers: 400,
            jobs: 5,
            dht: false,
            dht_bootstrap: Vec::new(),
            pex: false,
            lsd: false,
            cache_dir: None,
            state_dir: None,
            disk_io: DiskIo::default(),
            disk_threads: Disk::usual_threads(),
            seed: None,
        }
    }
}
