//! Incoming connections of peers.

mod handshake_limiter;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use self::handshake_limiter::{HandshakeLimiter, HandshakeSlot};
use super::datagrams::Datagrams;
use super::dial::Bind;
use super::handshake::{Timeouts, hear};
use crate::base::PeerId;
use crate::proto::handshake::{Handshake, Reserved};
use crate::swarm::event::PeerHandshake;

/// A torrent that the listener answers for.
#[derive(Clone, Debug)]
pub struct Registration {
    /// Our id in this torrent.
    pub id: PeerId,
    /// The extensions that we support in it.
    pub reserved: Reserved,
    /// Where connections go. One that finds it full is closed.
    pub callers: Sender<IncomingPeer>,
}

/// A peer that called and with which handshakes were exchanged.
#[derive(Debug)]
pub struct IncomingPeer {
    /// The connection, just behind the handshakes.
    pub stream: TcpStream,
    /// The address it called from.
    pub addr: SocketAddr,
    /// The handshake of the peer.
    pub hello: PeerHandshake,
}

/// Finds the torrent with these bytes in a handshake, if we serve it.
pub type Lookup = Arc<dyn Fn(&[u8; 20]) -> Option<Registration> + Send + Sync>;

/// Calls that wait for [`TcpListener::accept`] in the kernel.
const BACKLOG: i32 = 512;
/// How often the system may choose another port.
const CHOICES: usize = 8;
/// The pause after an error that will not go away at once, such as no free descriptors.
const PAUSE: Duration = Duration::from_millis(200);

/// Both ways in on one port.
pub fn bind_both(bind: Bind, port: u16) -> io::Result<(Listener, Datagrams)> {
    let try_both = || {
        let listener = Listener::bind(bind, port)?;
        let datagrams = Datagrams::bind(bind, listener.port())?;
        Ok((listener, datagrams))
    };
    let mut both = try_both();
    for _ in 0..CHOICES {
        // The port the system chose for connections may be somebody else's for datagrams.
        let taken = both.as_ref().is_err_and(|error: &io::Error| error.kind() == io::ErrorKind::AddrInUse);
        if port != 0 || !taken {
            break;
        }
        both = try_both();
    }
    both
}

/// The sockets on which peers reach us: one for IPv4, one for IPv6, of the same port.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    port: u16,
}

impl Listener {
    /// Listens on this port, 0 for one the system chooses. A family the machine lacks is left out as
    /// long as the other works. Has to be called within a runtime.
    pub fn bind(bind: Bind, port: u16) -> io::Result<Self> {
        let chosen_for_v4 = |error: &io::Error| port == 0 && error.kind() == io::ErrorKind::AddrInUse;
        let mut listener = Self::try_bind(bind, port);
        for _ in 0..CHOICES {
            // The port the system chose for IPv4 may be somebody else's for IPv6.
            if !listener.as_ref().is_err_and(chosen_for_v4) {
                break;
            }
            listener = Self::try_bind(bind, port);
        }
        listener
    }

    fn try_bind(bind: Bind, port: u16) -> io::Result<Self> {
        let addresses = [bind.v4.map(IpAddr::V4), bind.v6.map(IpAddr::V6)];
        let mut listener = Self { sockets: Vec::new(), port };
        let mut refused = None;
        for ip in addresses.into_iter().flatten() {
            match open(SocketAddr::new(ip, listener.port)) {
                Ok(socket) => {
                    listener.port = socket.local_addr()?.port();
                    listener.sockets.push(socket);
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        match refused {
            Some(error) if listener.sockets.is_empty() => Err(error),
            // That another program has the port for one family only would split us in two.
            Some(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
            None if listener.sockets.is_empty() => Err(io::ErrorKind::InvalidInput.into()),
            _ => Ok(listener),
        }
    }

    /// The port on which peers reach us.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Accepts until it is dropped; then calls that are not finished are closed.
    pub async fn run(self, lookup: Lookup, timeouts: Timeouts) {
        let limiter = Arc::new(HandshakeLimiter::default());
        let mut sockets = JoinSet::new();
        for socket in self.sockets {
            sockets.spawn(accept_peers(socket, lookup.clone(), timeouts, limiter.clone()));
        }
        while sockets.join_next().await.is_some() {}
    }
}

fn open(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(addr))?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

/// Accepts on one socket and never waits for a caller.
async fn accept_peers(
    socket: TcpListener,
    lookup: Lookup,
    timeouts: Timeouts,
    limiter: Arc<HandshakeLimiter>,
) {
    let mut handshakes = JoinSet::new();
    let mut reserve = SockRef::from(&socket).try_clone().ok();
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            Some(_) = handshakes.join_next() => continue,
        };
        match accepted {
            Ok((stream, addr)) => {
                if let Some(slot) = limiter.enter(addr.ip()) {
                    handshakes.spawn(shake_hands(stream, addr, lookup.clone(), timeouts, slot));
                }
            }
            Err(error) if out_of_descriptors(&error) => {
                // A descriptor kept for this moment lets one caller in and straight out again, so that
                // it learns that we are full and the queue does not stay full of the same callers.
                if reserve.take().is_some() {
                    let turned_away = timeout(Duration::ZERO, socket.accept()).await;
                    drop(turned_away);
                }
                sleep(PAUSE).await;
                reserve = SockRef::from(&socket).try_clone().ok();
            }
            // Whatever else goes wrong is the fault of one caller, or passes.
            Err(error) => {
                tracing::debug!(%error, "a call could not be accepted");
                tokio::task::yield_now().await;
            }
        }
    }
}

fn out_of_descriptors(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM))
}

/// Exchanges handshakes with a caller, who speaks first, and passes it on.
async fn shake_hands(
    mut stream: TcpStream,
    addr: SocketAddr,
    lookup: Lookup,
    timeouts: Timeouts,
    slot: HandshakeSlot,
) {
    let greeting = async {
        let handshake = hear(&mut stream).await?;
        let Some(torrent) = lookup(&handshake.info_hash) else { return Ok(None) };
        let ours = Handshake { info_hash: handshake.info_hash, id: torrent.id, reserved: torrent.reserved };
        stream.write_all(&ours.encode()).await?;
        // If we called ourselves, the calling end hears our id as well and remembers the address.
        Ok::<_, io::Error>((handshake.id != torrent.id).then_some((torrent, handshake)))
    };
    let Ok(Ok(Some((torrent, handshake)))) = timeout(timeouts.handshake, greeting).await else { return };
    drop(slot);
    if stream.set_nodelay(true).is_ok() {
        let hello = PeerHandshake { id: handshake.id, reserved: handshake.reserved };
        // A torrent that does not keep up with its callers can do without this one.
        let _ = torrent.callers.try_send(IncomingPeer { stream, addr, hello });
    }
}
