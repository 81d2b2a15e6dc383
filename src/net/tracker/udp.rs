//! One request to a UDP tracker (BEP 15): connect, ask, ask again.
//!
//! Every attempt has a socket of its own that is connected to one address, so the kernel drops what comes from
//! elsewhere, and a forger has to guess our port on top of the transaction id.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout};

use crate::base::InfoHashes;
use crate::net::Bind;
use crate::proto::announce::{Announce, AnnounceReply, Refusal, ScrapeReply};
use crate::proto::tracker_udp::{CONNECTION_LIFE, Family, MAX_DATAGRAM, Request, Response};
use crate::swarm::event::TrackerFailure;

use super::resolve::{Families, resolve};
use super::ssrf::TrackerUrl;
use super::{is_meant, refused, unreachable};

/// How often the wait is doubled at most (BEP 15).
const MAX_DOUBLINGS: u32 = 8;
/// Above this many remembered ids, those that are too old are forgotten.
const TIDY_ABOVE: usize = 256;

/// The way to UDP trackers.
pub struct Udp {
    bind: Bind,
    first_wait: Duration,
    ids: Mutex<BTreeMap<SocketAddr, (u64, Instant)>>,
}

/// Why one attempt brought nothing.
enum Miss {
    /// Nothing that fits came in time.
    Silent,
    /// Nobody is there; a sentence.
    Dead(String),
}

impl Miss {
    fn from(error: &io::Error) -> Self {
        Self::Dead(match error.kind() {
            io::ErrorKind::ConnectionRefused => "the connection to the tracker was refused".to_owned(),
            io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                "there is no route to the tracker".to_owned()
            }
            _ => format!("the tracker cannot be asked: {error}"),
        })
    }
}

type Heard<T> = Result<T, Refusal>;

impl Udp {
    /// A way that leaves through these addresses, and waits this long for the first answer.
    pub fn new(bind: Bind, first_wait: Duration) -> Self {
        Self { bind, first_wait, ids: Mutex::default() }
    }

    /// Announces. Waits far longer than anyone has patience for, so the caller sets the end.
    pub async fn announce(
        &self,
        tracker: &TrackerUrl,
        families: Families,
        announce: &Announce,
    ) -> Result<AnnounceReply, TrackerFailure> {
        let url_data = path_and_query(tracker);
        let request = |connection, transaction| Request::Announce {
            connection,
            transaction,
            announce: announce.clone(),
            url_data: url_data.clone(),
        };
        let take = |response, from: SocketAddr| match response {
            Response::Announce { mut reply, .. } => {
                reply.peers.retain(|peer| is_meant(peer.ip(), Some(from.ip())));
                Some(reply)
            }
            _ => None,
        };
        self.ask(tracker, families, request, take).await
    }

    /// Scrapes one torrent.
    pub async fn scrape(
        &self,
        tracker: &TrackerUrl,
        families: Families,
        info_hash: InfoHashes,
    ) -> Result<ScrapeReply, TrackerFailure> {
        let request =
            |connection, transaction| Request::Scrape { connection, transaction, torrents: vec![info_hash] };
        let take = |response, _| match response {
            Response::Scrape { counts, .. } => {
                let counts = counts.first().copied()?;
                Some(ScrapeReply { torrents: vec![(info_hash, counts)] })
            }
            _ => None,
        };
        self.ask(tracker, families, request, take).await
    }

    /// Goes round the tracker's addresses until one answers. Each is asked once per round, and the wait
    /// doubles with each round; an address where nobody is leaves the round.
    async fn ask<T>(
        &self,
        tracker: &TrackerUrl,
        families: Families,
        build: impl Fn(u64, u32) -> Request,
        take: impl Fn(Response, SocketAddr) -> Option<T>,
    ) -> Result<T, TrackerFailure> {
        let mut addrs = resolve(tracker, None, families).await.map_err(|why| unreachable(why.to_string()))?;
        let mut sentence = TrackerFailure::NO_ANSWER.to_owned();
        for round in 0..=MAX_DOUBLINGS {
            let wait = self.first_wait.saturating_mul(1 << round);
            let mut silent = Vec::new();
            for addr in addrs {
                match self.attempt(addr, wait, &build, &take).await {
                    Ok(answer) => return answer.map_err(refused),
                    Err(Miss::Silent) => silent.push(addr),
                    Err(Miss::Dead(why)) => sentence = why,
                }
            }
            addrs = silent;
            if addrs.is_empty() {
                break;
            }
        }
        Err(unreachable(sentence))
    }

    async fn attempt<T>(
        &self,
        addr: SocketAddr,
        wait: Duration,
        build: &impl Fn(u64, u32) -> Request,
        take: &impl Fn(Response, SocketAddr) -> Option<T>,
    ) -> Result<Heard<T>, Miss> {
        let socket = self.socket(addr).await.map_err(|error| Miss::from(&error))?;
        let request = |id| {
            exchange(
                &socket,
                addr,
                wait,
                move |transaction| build(id, transaction),
                |response| take(response, addr),
            )
        };
        if let Some(id) = self.known_id(addr) {
            match request(id).await {
                Ok(Ok(answer)) => return Ok(Ok(answer)),
                // The tracker may have restarted, or our address changed: the id is what can be wrong.
                Ok(Err(_)) => self.forget_id(addr),
                Err(miss) => {
                    self.forget_id(addr);
                    return Err(miss);
                }
            }
        }
        let connect = |transaction| Request::Connect { transaction };
        let take_id = |response| match response {
            Response::Connect { connection, .. } => Some(connection),
            _ => None,
        };
        let connected = exchange(&socket, addr, wait, connect, take_id).await?;
        match connected {
            Ok(id) => {
                self.remember_id(addr, id);
                request(id).await
            }
            Err(refusal) => Ok(Err(refusal)),
        }
    }

    async fn socket(&self, addr: SocketAddr) -> io::Result<UdpSocket> {
        let local = self.bind.towards(addr).ok_or(io::ErrorKind::NetworkUnreachable)?;
        let socket = UdpSocket::bind((local, 0)).await?;
        socket.connect(addr).await?;
        Ok(socket)
    }

    fn known_id(&self, addr: SocketAddr) -> Option<u64> {
        let ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        ids.get(&addr).filter(|(_, since)| since.elapsed() < CONNECTION_LIFE).map(|&(id, _)| id)
    }

    fn remember_id(&self, addr: SocketAddr, id: u64) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.len() > TIDY_ABOVE {
            ids.retain(|_, (_, since)| since.elapsed() < CONNECTION_LIFE);
        }
        ids.insert(addr, (id, Instant::now()));
    }

    fn forget_id(&self, addr: SocketAddr) {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).remove(&addr);
    }
}

/// Sends one datagram and waits for the one that answers it; whatever else comes is passed over.
async fn exchange<T>(
    socket: &UdpSocket,
    addr: SocketAddr,
    wait: Duration,
    build: impl Fn(u32) -> Request,
    take: impl Fn(Response) -> Option<T>,
) -> Result<Heard<T>, Miss> {
    let transaction =
        getrandom::u32().map_err(|_| Miss::Dead("the system provides no random numbers".to_owned()))?;
    let family = if addr.is_ipv4() { Family::V4 } else { Family::V6 };
    let heard = async {
        socket.send(&build(transaction).encode()).await?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        loop {
            let length = socket.recv(&mut buffer).await?;
            match Response::decode(&buffer[..length], family) {
                Ok(response) if response.transaction() != transaction => {}
                Ok(Response::Error { refusal, .. }) => return Ok(Err(refusal)),
                Ok(response) => {
                    if let Some(answer) = take(response) {
                        return Ok(Ok(answer));
                    }
                }
                Err(_) => {}
            }
        }
    };
    match timeout(wait, heard).await {
        Ok(result) => result.map_err(|error: io::Error| Miss::from(&error)),
        Err(_) => Err(Miss::Silent),
    }
}

/// The path and query, which BEP 41 sends along.
fn path_and_query(tracker: &TrackerUrl) -> Vec<u8> {
    let path = tracker.url.path();
    tracker.url.query().map_or_else(|| path.to_owned(), |query| format!("{path}?{query}")).into_bytes()
}
