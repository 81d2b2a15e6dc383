//! The initial settings of a torrent.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{InfoHashes, PeerId};
use crate::swarm::event::TrackerKey;

/// The initial settings of a torrent.
#[derive(Clone, Debug)]
pub struct Config {
    /// The info-hashes of the torrent.
    pub info_hash: InfoHashes,
    /// Our peer id.
    pub id: PeerId,
    /// The port on which we accept peers; 0 if we do not.
    pub port: u16,
    /// Whether peers may come from trackers and the user only (BEP 27), as far as known. Metadata that proves
    /// private sets it.
    pub private: bool,
    /// Search for peers in the DHT; has no effect with `private`.
    pub dht: bool,
    /// Exchange addresses with peers (BEP 11); has no effect with `private`.
    pub pex: bool,
    /// Whether the content is to be downloaded, too: then we tell peers that we are interested before the
    /// metadata is known.
    pub eager: bool,
    /// The bencoded info dictionary, for peers that request it (BEP 9); empty if it is unknown or not to be
    /// uploaded.
    pub info: Arc<[u8]>,
    /// The `key` of announces, by which trackers identify us after our address has changed.
    pub announce_key: u32,
    /// The tracker tiers (BEP 12), by index in the whole list.
    pub trackers: Vec<Vec<TrackerKey>>,
    /// The most connections; 0 counts as 1.
    pub max_peers: usize,
    /// The upload limit in bytes per second, which determines the number of upload slots.
    pub upload_limit: Option<u64>,
    /// The memory for unfinished pieces, in bytes.
    pub budget: u64,
    /// Our own listening addresses, as far as known.
    pub ours: Vec<SocketAddr>,
    /// The client name and version sent to peers (BEP 10, `v`).
    pub client: String,
}

impl Config {
    /// Makes the default settings: no trackers, 100 peers, no upload limit, 64 MiB for unfinished pieces.
    pub fn new(info_hash: InfoHashes, id: PeerId) -> Self {
        Self {
            info_hash,
            id,
            port: 0,
            private: false,
            dht: false,
            pex: false,
            eager: false,
            info: Arc::default(),
            announce_key: 0,
            trackers: Vec::new(),
            max_peers: 100,
            upload_limit: None,
            budget: 64 << 20,
            ours: Vec::new(),
            client: concat!("torr ", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
