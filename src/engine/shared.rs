//! Resources that the torrents of a session share: clock, sockets, buffers, disk threads, limits, trackers.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::config::EngineConfig;
use super::dht::{Node, NodeConfig};
use super::event::{Event, Fault, FaultKind};
use super::incoming::{IncomingRegistration, Registrations};
use super::listen;
use super::lsd::Lsd;
use crate::base::{BLOCK_LEN, InfoHashes, PeerId, Untrusted};
use crate::net::tracker::{TrackerConfig, Trackers};
use crate::net::{Bind, Caller, Datagrams, Limits, Listener, Patience, bind_both};
use crate::proto::handshake::{Handshake, Reserved};
use crate::store::{Disk, DiskError, DiskErrorKind, DiskIo, FilePool, Pool, TorrentStore};
use crate::swarm::event::PeerKey;

/// Memory for incomplete pieces of all downloads, in bytes.
const PIECE_MEMORY: u64 = 32 << 20;
/// Memory for blocks read from disk and not uploaded yet, in bytes.
const SERVE_MEMORY: usize = 16 << 20;
/// Timeout for saving the nodes of the DHT.
const SAVE_TIMEOUT: Duration = Duration::from_millis(200);
/// Timeout for the disk threads to end: on a hanging disk they never do.
const DISK_TIMEOUT: Duration = Duration::from_millis(100);

/// Shared resources of a session.
pub(super) struct Shared {
    pub clock: Clock,
    pub id: PeerId,
    pub announce_key: u32,
    pub bind: Bind,
    pub timeouts: Patience,
    /// Our own addresses, as far as they are known.
    pub ours: Vec<SocketAddr>,
    pub pool: Pool,
    /// Memory for blocks being received, in bytes, besides incomplete pieces.
    peers_memory: usize,
    /// Memory reserved by torrents for incomplete pieces, in bytes.
    reserved: Mutex<u64>,
    pub disk: Disk,
    pub disk_io: DiskIo,
    pub file_pool: FilePool,
    pub limits: Limits,
    pub trackers: Trackers,
    /// Local Service Discovery, if it is enabled and the machine supports multicast.
    pub lsd: Option<Lsd>,
    /// The DHT node, if the DHT is enabled.
    dht: Option<Node>,
    pub store: Option<TorrentStore>,
    pub events: mpsc::UnboundedSender<Event>,
    /// Whether peers are exchanged (PEX, BEP 11).
    pub pex: bool,
    port: u16,
    listening: JoinHandle<()>,
    registrations: Registrations,
    connections: Arc<AtomicUsize>,
    max_peers: usize,
    peers: AtomicU64,
    seeds: AtomicU64,
}

/// The permit for one connection within the session's limit; dropping it makes room for another.
pub(super) struct ConnectionPermit(Arc<AtomicUsize>);

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The memory reserved for the incomplete pieces of a torrent; dropping it releases the memory.
pub(super) struct MemoryReservation {
    shared: Arc<Shared>,
    bytes: u64,
}

impl MemoryReservation {
    /// A reservation of no memory.
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: shared.clone(), bytes: 0 }
    }

    /// Sets the reservation, in bytes.
    pub(super) fn set(&mut self, bytes: u64) {
        if bytes != self.bytes {
            self.shared.reserve(self.bytes, bytes);
            self.bytes = bytes;
        }
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.set(0);
    }
}

impl Shared {
    /// Opens the sockets and starts the disk threads.
    pub(super) async fn start(
        config: EngineConfig,
        events: mpsc::UnboundedSender<Event>,
    ) -> Result<Arc<Self>, Fault> {
        let bind = listen::bind_addresses(config.bind, config.ipv6);
        let (listener, datagrams) = open(&config, bind)?;
        let port = listener.port();
        let mut chance = [0_u8; 12 + 4 + 8 + 4];
        getrandom::fill(&mut chance)
            .map_err(|error| fault(FaultKind::Internal, format!("no randomness: {error}")))?;
        let (name, rest) = chance.split_at(12);
        let id = PeerId::new(name.try_into().expect("twelve of the bytes drawn"));
        let (key, rest) = rest.split_at(4);
        let (seed, cookie) = rest.split_at(8);
        let seed = u64::from_be_bytes(seed.try_into().expect("eight of the bytes drawn"));
        let cookie = u32::from_be_bytes(cookie.try_into().expect("four of the bytes drawn"));
        let seed = config.seed.unwrap_or(seed);
        let clock = Clock::start();
        let lsd = config.lsd.then(|| Lsd::start(bind, port, clock, cookie, seed)).flatten();
        let dht = match datagrams {
            Some(datagrams) => Some(Node::over(datagrams, node_config(&config)).await?),
            None => None,
        };
        let store = match config.state_dir {
            Some(place) => Some(store(place).await?),
            None => None,
        };
        let registrations = Registrations::default();
        let timeouts = Patience::default();
        let peers_memory = config.max_peers.saturating_mul(BLOCK_LEN as usize);
        let ours = config.bind.map(|ip| SocketAddr::new(ip, port)).into_iter().collect();
        Ok(Arc::new(Self {
            clock,
            id,
            announce_key: u32::from_be_bytes(key.try_into().expect("four of the bytes drawn")),
            bind,
            timeouts,
            ours,
            pool: Pool::new(PIECE_MEMORY as usize + peers_memory),
            peers_memory,
            reserved: Mutex::default(),
            disk: Disk::start(config.disk_threads.max(1), Pool::new(SERVE_MEMORY)),
            disk_io: config.disk_io,
            file_pool: FilePool::from_limit(),
            limits: Limits::new(config.down, config.up),
            trackers: Trackers::new(TrackerConfig { bind, ..TrackerConfig::default() }),
            lsd,
            dht,
            store,
            events,
            pex: config.pex,
            port,
            listening: tokio::spawn(listener.run(registrations.lookup(), timeouts)),
            registrations,
            connections: Arc::new(AtomicUsize::new(0)),
            max_peers: config.max_peers,
            peers: AtomicU64::new(0),
            seeds: AtomicU64::new(seed),
        }))
    }

    /// The port on which we accept connections.
    pub(super) fn port(&self) -> Option<u16> {
        (self.port != 0).then_some(self.port)
    }

    pub(super) fn set_limits(&self, down: Option<u64>, up: Option<u64>) {
        self.limits.down.set(down);
        self.limits.up.set(up);
    }

    /// The DHT node, if there is one and the torrent may use it.
    pub(super) fn dht_for(&self, private: bool) -> Option<&Node> {
        self.dht.as_ref().filter(|_| !private)
    }

    /// The handshake that we send for a torrent.
    pub(super) fn handshake(&self, torrent: InfoHashes, private: bool) -> Handshake {
        Handshake { info_hash: torrent.wire(), id: self.id, reserved: self.reserved(private) }
    }

    /// The reserved bits of our handshakes.
    fn reserved(&self, private: bool) -> Reserved {
        let usual = Reserved::NONE.with_fast().with_extended();
        if self.dht_for(private).is_some() { usual.with_dht() } else { usual }
    }

    /// Registers a torrent for incoming connections under each of its known info-hashes.
    pub(super) fn register_incoming(
        &self,
        torrent: InfoHashes,
        private: bool,
        callers: mpsc::Sender<Caller>,
    ) -> IncomingRegistration {
        self.registrations.register(torrent, self.id, self.reserved(private), callers)
    }

    /// Removes the DHT bit from the handshakes of a torrent that turned out to be private (BEP 27).
    pub(super) fn make_private(&self, registration: &mut IncomingRegistration) {
        registration.set_reserved(self.reserved(true));
    }

    /// A permit for one more connection, unless the limit is reached.
    pub(super) fn connection_permit(&self) -> Option<ConnectionPermit> {
        let room = |n: usize| (n < self.max_peers).then_some(n + 1);
        let taken = self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, room).is_ok();
        taken.then(|| ConnectionPermit(self.connections.clone()))
    }

    /// A new connection key.
    pub(super) fn next_peer(&self) -> PeerKey {
        PeerKey(self.peers.fetch_add(1, Ordering::Relaxed))
    }

    /// The seed of a torrent's random decisions.
    pub(super) fn draw_seed(&self) -> u64 {
        crate::base::Rng::new(self.seeds.fetch_add(1, Ordering::Relaxed)).next_u64()
    }

    /// Memory for the incomplete pieces of each of this many downloads, in bytes.
    pub(super) fn budget_for(downloads: usize) -> u64 {
        PIECE_MEMORY / downloads.max(1) as u64
    }

    /// Changes the reserved memory of a torrent from `before` to `after` bytes.
    ///
    /// The shares of all torrents add up to the pool's size. Reservations can exceed it while a torrent has
    /// not yet come down to a smaller share, or when a share is less than the segment or piece that each
    /// torrent may hold in any case. The pool grows with them then: two torrents that waited for each other's
    /// buffers would wait forever.
    fn reserve(&self, before: u64, after: u64) {
        // The lock is held until the pool is resized, or an older sum could overtake a newer one.
        let mut reserved = lock(&self.reserved);
        let most = *reserved;
        *reserved = reserved.saturating_sub(before).saturating_add(after);
        if most.max(*reserved) > PIECE_MEMORY {
            let bytes = usize::try_from(PIECE_MEMORY.max(*reserved)).unwrap_or(usize::MAX);
            self.pool.set_cap(bytes.saturating_add(self.peers_memory));
        }
    }

    /// Runs a closure that works with files on a disk thread.
    pub(super) async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, DiskError> + Send + 'static,
    ) -> Result<T, DiskError> {
        let (done, result) = oneshot::channel();
        self.disk.run(move || {
            let _ = done.send(work());
        });
        result.await.unwrap_or_else(|_| Err(DiskError::new(DiskErrorKind::Cancelled, "finish", "")))
    }

    /// Number of known DHT nodes, if the DHT is enabled.
    pub(super) fn dht_nodes(&self) -> Option<u32> {
        self.dht.as_ref().map(|node| node.status().nodes() as u32)
    }

    /// Closes the sockets, and ends the disk threads after their pending writes.
    pub(super) async fn stop(self: &Arc<Self>) {
        self.listening.abort();
        if let Some(lsd) = &self.lsd {
            lsd.stop();
        }
        if let Some(node) = &self.dht {
            let _ = tokio::time::timeout(SAVE_TIMEOUT, node.stop()).await;
        }
        let shared = self.clone();
        let ended = tokio::task::spawn_blocking(move || shared.disk.shutdown());
        let _ = tokio::time::timeout(DISK_TIMEOUT, ended).await;
    }
}

/// Opens the TCP listener and, for the DHT, the UDP socket on the same port.
fn open(config: &EngineConfig, bind: Bind) -> Result<(Listener, Option<Datagrams>), Fault> {
    listen::open_port(config.bind, config.port, config.preferred_port, |port| {
        if config.dht {
            bind_both(bind, port).map(|(listener, datagrams)| (listener, Some(datagrams)))
        } else {
            Listener::bind(bind, port).map(|listener| (listener, None))
        }
    })
}

async fn store(state_dir: PathBuf) -> Result<TorrentStore, Fault> {
    tokio::fs::create_dir_all(&state_dir).await.map_err(|error| {
        let place = Untrusted::new(state_dir.to_string_lossy());
        fault(FaultKind::Permission, format!("cannot use the state directory {place}: {error}"))
    })?;
    Ok(TorrentStore::in_state_dir(&state_dir))
}

/// The settings of the DHT node.
fn node_config(config: &EngineConfig) -> NodeConfig {
    NodeConfig {
        bind: config.bind,
        ipv6: config.ipv6,
        bootstrap: config.dht_bootstrap.clone(),
        file: config.cache_dir.as_ref().map(|folder| folder.join("dht-nodes")),
        ..NodeConfig::default()
    }
}

fn fault(kind: FaultKind, message: String) -> Fault {
    Fault { kind, message, remedy: None }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pool_follows_claims_beyond_what_there_is_usually() {
        let config = EngineConfig { bind: Some([127, 0, 0, 1].into()), ..EngineConfig::default() };
        let (events, _kept) = mpsc::unbounded_channel();
        let shared = Shared::start(config, events).await.expect("loopback is there");
        let usual = shared.pool.cap();
        let blocks = |bytes: u64| (bytes / u64::from(BLOCK_LEN)) as usize;
        let (mut one, mut two) = (MemoryReservation::new(&shared), MemoryReservation::new(&shared));
        one.set(PIECE_MEMORY);
        assert_eq!(shared.pool.cap(), usual, "that is what there is");
        two.set(5 << 20);
        assert_eq!(shared.pool.cap(), usual + blocks(5 << 20));
        one.set(PIECE_MEMORY - (3 << 20));
        assert_eq!(shared.pool.cap(), usual + blocks(2 << 20));
        drop(two);
        assert_eq!(shared.pool.cap(), usual);
        let sums: Vec<_> = (0..8)
            .map(|_| {
                let mut reserve = MemoryReservation::new(&shared);
                std::thread::spawn(move || (0..500).for_each(|at| reserve.set(at << 20)))
            })
            .collect();
        for sum in sums {
            sum.join().expect("claims do not panic");
        }
        assert_eq!(shared.pool.cap(), usual, "all is given up");
        shared.stop().await;
    }
}
