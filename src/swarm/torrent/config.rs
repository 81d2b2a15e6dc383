//! Settings of a torrent from its start.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::base::{InfoHashes, PeerId};
use crate::swarm::event::TrackerKey;

/// Settings of a torrent from its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The info-hashes of the torrent.
    pub info_hash: InfoHashes,
    /// The id that we give ourselves.
    pub id: PeerId,
    /// The port on which we listen; 0 if we do not.
    pub port: u16,
    /// Peers may come from trackers and the user only (BEP 27), as far as that is known: a torrent whose metadata
    /// proves private turns it on.
    pub private: bool,
    /// Search for peers in the DHT; never done where `private` is set.
    pub dht: bool,
    /// Exchange addresses with peers (BEP 11); never done where `private` is set.
    pub pex: bool,
    /// The content is wanted, too: peers that have pieces hear so before the metadata is here.
    pub eager: bool,
    /// The bytes of the info dictionary, for peers that lack them (BEP 9); empty if they are not to be given.
    pub info: Arc<[u8]>,
    /// The number by which trackers know us again after an address change.
    pub announce_key: u32,
    /// The tiers of trackers (BEP 12), by their place in the whole list.
    pub trackers: Vec<Vec<TrackerKey>>,
    /// The most connections; at least 1 is taken.
    pub max_peers: usize,
    /// The user's upload limit in bytes per second, from which the number of slots follows.
    pub upload_limit: Option<u64>,
    /// Bytes of unfinished pieces that may be held in memory.
    pub budget: u64,
    /// Our own listening addresses, as far as they are known.
    pub ours: Vec<SocketAddr>,
    /// The name and version that peers hear of us.
    pub client: String,
}

impl Config {
    /// A torrent with every default: no trackers, 100 peers, no limit, 64 MiB of unfinished pieces.
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
