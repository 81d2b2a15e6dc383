//! Settings of an engine.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::store::{Disk, DiskIo};

/// Settings of a session. By default it has no limits, listens on any free port and stores nothing.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// The port to listen on. If it is taken, the engine does not start.
    pub port: Option<u16>,
    /// The port to try first if `port` is not set; if it is taken, any free port is used.
    pub preferred_port: Option<u16>,
    /// The local address for all traffic.
    pub bind: Option<IpAddr>,
    /// Use IPv6 as well as IPv4.
    pub ipv6: bool,
    /// Download limit of the session, in bytes per second.
    pub down: Option<u64>,
    /// Upload limit of the session, in bytes per second.
    pub up: Option<u64>,
    /// Maximum number of connections.
    pub max_peers: usize,
    /// Maximum number of torrents that download at once; others are queued.
    pub jobs: usize,
    /// Find peers through the DHT (BEP 5), except for private torrents.
    pub dht: bool,
    /// Bootstrap nodes of the DHT, as `host:port`.
    pub dht_bootstrap: Vec<String>,
    /// Exchange peers with peers (PEX, BEP 11), except for private torrents.
    pub pex: bool,
    /// Find peers on the local network (LSD, BEP 14), except for private torrents.
    pub lsd: bool,
    /// The cache folder, for data that can be found again, such as DHT nodes.
    pub cache_dir: Option<PathBuf>,
    /// The folder for resume data; without it every run begins with a recheck.
    pub state_dir: Option<PathBuf>,
    /// The way verified pieces are written.
    pub disk_io: DiskIo,
    /// Number of disk threads, at least one.
    pub disk_threads: usize,
    /// The seed of all random decisions that need not be secret; drawn from the system by default.
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
