//! Resources that the torrents of a session share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

use super::clock::Clock;
use super::config::EngineConfig;
use super::disk::DiskAccess;
use super::event::{Event, Fault, FaultKind};
use super::memory::PieceMemory;
use super::network::{Identity, Network};
use super::permits::ConnectionPermits;
use crate::base::{PeerId, Rng};
use crate::swarm::event::PeerKey;

/// Timeout for the disk threads to end: on a hanging disk they never do.
const DISK_TIMEOUT: Duration = Duration::from_millis(100);

/// Shared resources of a session.
pub(super) struct Shared {
    pub clock: Clock,
    pub network: Network,
    pub disk: DiskAccess,
    pub memory: Arc<PieceMemory>,
    pub permits: ConnectionPermits,
    pub events: mpsc::UnboundedSender<Event>,
    peers: AtomicU64,
    seeds: AtomicU64,
}

impl Shared {
    /// Opens the sockets and starts the disk threads.
    pub(super) async fn start(
        config: EngineConfig,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<Arc<Self>, Fault> {
        let (identity, seed) = draw_identity()?;
        let seed = config.seed.unwrap_or(seed);
        let clock = Clock::start();
        let network = Network::start(&config, identity, clock, seed).await?;
        let disk = match DiskAccess::start(&config).await {
            Ok(disk) => disk,
            Err(fault) => {
                network.stop().await;
                return Err(fault);
            }
        };
        Ok(Arc::new(Self {
            clock,
            network,
            disk,
            memory: Arc::new(PieceMemory::new(config.max_peers)),
            permits: ConnectionPermits::new(config.max_peers),
            events,
            peers: AtomicU64::new(0),
            seeds: AtomicU64::new(seed),
        }))
    }

    /// A new connection key.
    pub(super) fn next_peer(&self) -> PeerKey {
        PeerKey(self.peers.fetch_add(1, Ordering::Relaxed))
    }

    /// The seed of a torrent's random decisions.
    pub(super) fn draw_seed(&self) -> u64 {
        Rng::new(self.seeds.fetch_add(1, Ordering::Relaxed)).next_u64()
    }

    /// Closes the sockets, and ends the disk threads after their pending writes.
    pub(super) async fn stop(self: &Arc<Self>) {
        self.network.stop().await;
        let shared = self.clone();
        let ended = tokio::task::spawn_blocking(move || shared.disk.threads.shutdown());
        let _ = tokio::time::timeout(DISK_TIMEOUT, ended).await;
    }
}

/// Draws the identity of a session, and a seed, from the system's randomness.
fn draw_identity() -> Result<(Identity, u64), Fault> {
    let mut random = [0_u8; 12 + 4 + 8 + 4];
    getrandom::fill(&mut random).map_err(|error| Fault {
        kind: FaultKind::Internal,
        message: format!("no randomness: {error}"),
        remedy: None,
    })?;
    let (name, rest) = random.split_at(12);
    let (key, rest) = rest.split_at(4);
    let (seed, cookie) = rest.split_at(8);
    let identity = Identity {
        id: PeerId::new(name.try_into().expect("twelve of the bytes drawn")),
        announce_key: u32::from_be_bytes(key.try_into().expect("four of the bytes drawn")),
        lsd_cookie: u32::from_be_bytes(cookie.try_into().expect("four of the bytes drawn")),
    };
    Ok((identity, u64::from_be_bytes(seed.try_into().expect("eight of the bytes drawn"))))
}
