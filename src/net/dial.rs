//! Calling a peer.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::handshake::{Timeouts, exchange};
use crate::proto::handshake::Handshake;
use crate::swarm::event::{DialFailure, PeerHandshake};

/// The local addresses that are used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bind {
    /// The IPv4 address, unspecified for any; `None` for no IPv4 at all.
    pub v4: Option<Ipv4Addr>,
    /// The IPv6 address, unspecified for any; `None` for no IPv6 at all.
    pub v6: Option<Ipv6Addr>,
}

impl Bind {
    /// Any address of both families.
    pub const ANY: Self = Self { v4: Some(Ipv4Addr::UNSPECIFIED), v6: Some(Ipv6Addr::UNSPECIFIED) };
    /// Only this machine.
    pub const LOOPBACK: Self = Self { v4: Some(Ipv4Addr::LOCALHOST), v6: Some(Ipv6Addr::LOCALHOST) };

    pub(super) fn towards(self, addr: SocketAddr) -> Option<IpAddr> {
        match addr {
            SocketAddr::V4(_) => self.v4.map(IpAddr::V4),
            SocketAddr::V6(_) => self.v6.map(IpAddr::V6),
        }
    }
}

/// Connects to a peer and exchanges handshakes; `ours` names the torrent and ourselves.
pub async fn dial(
    addr: SocketAddr,
    bind: Bind,
    ours: &Handshake,
    timeouts: Timeouts,
) -> Result<(TcpStream, PeerHandshake), DialFailure> {
    dial_by(addr, bind, ours, None, timeouts).await
}

/// Connects to a peer of a torrent that may have two names; one that does not know it by the first is asked by the
/// `other`.
pub async fn dial_hybrid(
    addr: SocketAddr,
    bind: Bind,
    ours: &Handshake,
    other: Option<[u8; 20]>,
    timeouts: Timeouts,
) -> Result<(TcpStream, PeerHandshake), DialFailure> {
    match (dial_by(addr, bind, ours, other, timeouts).await, other) {
        (Err(DialFailure::BadHandshake), Some(info_hash)) => {
            let second = Handshake { info_hash, ..*ours };
            dial_by(addr, bind, &second, Some(ours.info_hash), timeouts).await
        }
        (dialled, _) => dialled,
    }
}

async fn dial_by(
    addr: SocketAddr,
    bind: Bind,
    ours: &Handshake,
    other: Option<[u8; 20]>,
    timeouts: Timeouts,
) -> Result<(TcpStream, PeerHandshake), DialFailure> {
    let local = bind.towards(addr).ok_or(DialFailure::Unreachable)?;
    let socket = open(addr, local).map_err(|_| DialFailure::Local)?;
    let connected = timeout(timeouts.connect, socket.connect(addr)).await;
    let mut stream = connected.map_err(|_| DialFailure::TimedOut)?.map_err(|error| reason(&error))?;
    match timeout(timeouts.handshake, exchange(&mut stream, ours, other)).await {
        Err(_) => Err(DialFailure::TimedOut),
        Ok(Err(_)) => Err(DialFailure::BadHandshake),
        Ok(Ok(theirs)) if theirs.id == ours.id => Err(DialFailure::Ourselves),
        Ok(Ok(hello)) => Ok((stream, hello)),
    }
}

fn open(addr: SocketAddr, local: IpAddr) -> io::Result<TcpSocket> {
    let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_nodelay(true)?;
    if !local.is_unspecified() {
        socket.set_reuseaddr(true)?;
        socket.bind(SocketAddr::new(local, 0))?;
    }
    Ok(socket)
}

fn reason(error: &io::Error) -> DialFailure {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset => DialFailure::Refused,
        io::ErrorKind::TimedOut => DialFailure::TimedOut,
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable | io::ErrorKind::OutOfMemory => {
            DialFailure::Local
        }
        _ => DialFailure::Unreachable,
    }
}
