//! A small tracker in memory, over HTTP and UDP: for parties on a local network, for tests, and for swarms in one
//! process.

mod connection_id;
mod http;
mod peers;
mod registry;
mod udp;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::broadcast;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::base::{InfoHashes, Moment, Rng};
use crate::proto::announce::{Announce, AnnounceReply, ScrapeCounts};

pub use registry::{Access, Answer, Families, PeerEvent, PeerSeen, Registry, Totals};

use connection_id::ConnectionIds;

/// How many events a slow watcher may be behind before it misses some.
const WATCH_BACKLOG: usize = 1024;
/// The shortest interval a server gives.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

/// Said of a torrent that is not on the list.
const NOT_SERVED: &str = "this torrent is not on the tracker's list";

/// The settings of a tracker: what it serves, and where.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// Where to listen for HTTP; port 0 for a free one. `[::]` takes both address families.
    pub http: Option<SocketAddr>,
    /// Where to listen for UDP; port 0 for a free one. `[::]` takes both address families.
    pub udp: Option<SocketAddr>,
    /// How often peers are to announce; at least a second. Who is silent for two of these is forgotten.
    pub interval: Duration,
    /// The torrents that are served.
    pub access: Access,
}

/// The statistics of a tracker.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ServerStats {
    /// Announces that were answered.
    pub announces: u64,
    /// Scrapes that were answered.
    pub scrapes: u64,
    /// Requests that were refused or not understood.
    pub refused: u64,
    /// The peers and torrents it knows now.
    pub totals: Totals,
}

/// A running tracker. Dropping it ends it at once, in the middle of whatever it was saying.
pub struct TrackerServer {
    http: Option<SocketAddr>,
    udp: Option<SocketAddr>,
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

impl TrackerServer {
    /// Binds the sockets and begins to serve. Must be called within a tokio runtime.
    pub async fn start(config: ServerConfig) -> io::Result<Self> {
        let shared = Arc::new(Shared::new(config.interval.max(SHORTEST_INTERVAL), config.access)?);
        let mut server = Self { http: None, udp: None, shared: Arc::clone(&shared), tasks: JoinSet::new() };
        if let Some(addr) = config.http {
            let listener = TcpListener::bind(addr).await?;
            server.http = Some(listener.local_addr()?);
            server.tasks.spawn(http::serve(listener, Arc::clone(&shared)));
        }
        if let Some(addr) = config.udp {
            let socket = UdpSocket::bind(addr).await?;
            server.udp = Some(socket.local_addr()?);
            server.tasks.spawn(udp::serve(socket, Arc::clone(&shared)));
        }
        server.tasks.spawn(sweep(shared));
        Ok(server)
    }

    /// Where HTTP is served.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http
    }

    /// Where UDP is served.
    pub fn udp_addr(&self) -> Option<SocketAddr> {
        self.udp
    }

    /// The addresses to put into torrents, HTTP first. Where every address is listened on, the one is named
    /// by which this machine would go out.
    pub fn announce_urls(&self) -> Vec<String> {
        let url = |scheme: &str, addr: SocketAddr| {
            format!("{scheme}://{}/announce", SocketAddr::new(outward(addr.ip()), addr.port()))
        };
        let http = self.http.map(|addr| url("http", addr));
        http.into_iter().chain(self.udp.map(|addr| url("udp", addr))).collect()
    }

    /// Hears of peers that join, complete, leave or fall silent from now on.
    pub fn watch(&self) -> broadcast::Receiver<PeerSeen> {
        self.shared.seen.subscribe()
    }

    /// Its statistics.
    pub fn stats(&self) -> ServerStats {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Shared { announces, scrapes, refused, .. } = &*self.shared;
        ServerStats {
            announces: load(announces),
            scrapes: load(scrapes),
            refused: load(refused),
            totals: self.shared.registry().totals(),
        }
    }

    /// Ends it at once; when this returns, its sockets are closed.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
    }
}

/// The state that the tasks of one server share.
struct Shared {
    registry: Mutex<Registry>,
    ids: ConnectionIds,
    interval: Duration,
    started: Instant,
    seen: broadcast::Sender<PeerSeen>,
    announces: AtomicU64,
    scrapes: AtomicU64,
    refused: AtomicU64,
}

impl Shared {
    fn new(interval: Duration, access: Access) -> io::Result<Self> {
        let mut key = [0; 32];
        let mut seed = [0; 8];
        getrandom::fill(&mut key).and_then(|()| getrandom::fill(&mut seed)).map_err(io::Error::other)?;
        Ok(Self {
            registry: Mutex::new(Registry::new(access, interval, Rng::new(u64::from_ne_bytes(seed)))),
            ids: ConnectionIds::new(key),
            interval,
            started: Instant::now(),
            seen: broadcast::channel(WATCH_BACKLOG).0,
            announces: AtomicU64::new(0),
            scrapes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        })
    }

    fn now(&self) -> Moment {
        Moment::after(self.started.elapsed())
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        self.registry.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an announce and answers it; `None` where the torrent is not served.
    fn announce(&self, source: IpAddr, announce: &Announce, families: Families) -> Option<AnnounceReply> {
        let answer = self.registry().announce(self.now(), source, announce, families)?;
        self.announces.fetch_add(1, Ordering::Relaxed);
        answer.seen.into_iter().for_each(|seen| self.report(seen));
        Some(AnnounceReply {
            interval: self.interval,
            peers: answer.peers,
            seeds: answer.counts.seeds,
            leechers: answer.counts.leechers,
            downloaded: answer.counts.downloaded,
            external_ip: Some(source.to_canonical()),
            ..AnnounceReply::default()
        })
    }

    fn scrape(&self, hashes: &[InfoHashes]) -> Vec<(InfoHashes, ScrapeCounts)> {
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        let registry = self.registry();
        hashes.iter().map(|&hash| (hash, registry.counts(hash))).collect()
    }

    fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }

    fn report(&self, seen: PeerSeen) {
        // Nobody may be watching.
        let _ = self.seen.send(seen);
    }
}

/// Forgets silent peers, twice per interval.
async fn sweep(shared: Arc<Shared>) {
    let mut clock = tokio::time::interval(shared.interval / 2);
    loop {
        clock.tick().await;
        let gone = shared.registry().expire(shared.now());
        for seen in gone {
            shared.report(seen);
        }
    }
}

/// The address of this machine that others can use, where `bound` is every address.
fn outward(bound: IpAddr) -> IpAddr {
    if !bound.is_unspecified() {
        return bound;
    }
    // Connecting a UDP socket sends nothing, and shows which address the routes choose.
    let route = |ours: &str, theirs: &str| {
        let socket = std::net::UdpSocket::bind(ours).ok()?;
        socket.connect(theirs).ok()?;
        socket.local_addr().ok().map(|addr| addr.ip())
    };
    let v4 = || route("0.0.0.0:0", "192.0.2.1:9");
    let v6 = || route("[::]:0", "[2001:db8::1]:9");
    let loopback = || {
        if bound.is_ipv4() { IpAddr::from([127, 0, 0, 1]) } else { IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]) }
    };
    let found = if bound.is_ipv4() { v4() } else { v4().or_else(v6) };
    found.unwrap_or_else(loopback)
}
