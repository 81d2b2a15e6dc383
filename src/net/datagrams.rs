//! Datagrams: one socket for each family, both on one port, shared by all who speak over UDP.
//!
//! Who a datagram is for its first bytes tell ([`Kind`]). What goes wrong with one is the fault of that one, or
//! passes: a socket is read until it is dropped.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::ReadBuf;
use tokio::net::UdpSocket;

use super::dial::Bind;

/// The most bytes of a datagram that are read: more than one frame of any usual network holds. A longer one is cut.
pub const MAX_DATAGRAM: usize = 2048;
/// Bytes that may wait in the kernel to be read, if it allows so many.
const BACKLOG: usize = 1 << 20;
/// How often the system may choose another port.
const CHOICES: usize = 8;
/// The pause after an error in reading.
const PAUSE: Duration = Duration::from_millis(5);

/// Whom a datagram is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The DHT (BEP 5): a dictionary.
    Dht,
    /// Nobody we know.
    Unknown,
}

impl Kind {
    /// What its first bytes say.
    pub const fn of(datagram: &[u8]) -> Self {
        match datagram {
            [b'd', ..] => Self::Dht,
            _ => Self::Unknown,
        }
    }
}

/// The sockets; see the head of this file.
#[derive(Debug)]
pub struct Datagrams {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    port: u16,
}

impl Datagrams {
    /// Opens them on this port, 0 for one the system chooses. A family the machine lacks is left out as long as
    /// the other works. Has to be called within a runtime.
    pub fn bind(bind: Bind, port: u16) -> io::Result<Self> {
        let mut bound = Self::try_bind(bind, port);
        for _ in 0..CHOICES {
            // The port the system chose for IPv4 may be somebody else's for IPv6.
            let taken = bound.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AddrInUse);
            if port != 0 || !taken {
                break;
            }
            bound = Self::try_bind(bind, port);
        }
        bound
    }

    fn try_bind(bind: Bind, mut port: u16) -> io::Result<Self> {
        let mut refused = None;
        let mut open = |ip: Option<IpAddr>| {
            let socket = ip.and_then(|ip| match open(SocketAddr::new(ip, port)) {
                Ok(socket) => Some(socket),
                Err(error) => {
                    refused.get_or_insert(error);
                    None
                }
            })?;
            port = socket.local_addr().map_or(port, |addr| addr.port());
            Some(socket)
        };
        let (v4, v6) = (open(bind.v4.map(IpAddr::V4)), open(bind.v6.map(IpAddr::V6)));
        let none = v4.is_none() && v6.is_none();
        match refused {
            // That another program has the port for one family only would split us in two.
            Some(error) if none || error.kind() == io::ErrorKind::AddrInUse => Err(error),
            None if none => Err(io::ErrorKind::InvalidInput.into()),
            _ => Ok(Self { v4, v6, port }),
        }
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Whether datagrams of IPv4 can be sent and received.
    pub const fn has_v4(&self) -> bool {
        self.v4.is_some()
    }

    /// Whether datagrams of IPv6 can be sent and received.
    pub const fn has_v6(&self) -> bool {
        self.v6.is_some()
    }

    /// Sends one now or not at all: what the kernel has no room for is lost, as it may be on its way.
    pub fn send(&self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let socket = socket.as_ref().ok_or(io::ErrorKind::NetworkUnreachable)?;
        loop {
            match SockRef::from(socket).send_to(datagram, &SockAddr::from(to)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other.map(|_| ()),
            }
        }
    }

    /// The next datagram: how many bytes of it are in the buffer now, and who sent it. Nothing is lost if it
    /// is no longer waited for.
    pub async fn next(&self, buffer: &mut [u8]) -> (usize, SocketAddr) {
        loop {
            match std::future::poll_fn(|context| self.poll(context, buffer)).await {
                Ok(received) => return received,
                // It tells of an earlier datagram that did not arrive, or of memory that is short.
                Err(error) => {
                    tracing::debug!(%error, "a datagram could not be read");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// A datagram that is here already.
    pub fn try_next(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        [&self.v4, &self.v6].into_iter().flatten().find_map(|socket| socket.try_recv_from(buffer).ok())
    }

    fn poll(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<(usize, SocketAddr)>> {
        for socket in [&self.v4, &self.v6].into_iter().flatten() {
            let mut room = ReadBuf::new(buffer);
            if let Poll::Ready(result) = socket.poll_recv_from(context, &mut room) {
                return Poll::Ready(result.map(|from| (room.filled().len(), from)));
            }
        }
        Poll::Pending
    }
}

fn open(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if let Err(error) = socket.set_recv_buffer_size(BACKLOG) {
        tracing::debug!(%error, "the system's usual buffer for datagrams has to do");
    }
    socket.bind(&SockAddr::from(addr))?;
    UdpSocket::from_std(socket.into())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    async fn next(sockets: &Datagrams) -> (Vec<u8>, SocketAddr) {
        let mut buffer = [0; MAX_DATAGRAM];
        let heard = tokio::time::timeout(Duration::from_secs(10), sockets.next(&mut buffer));
        let (length, from) = heard.await.expect("a datagram comes");
        (buffer[..length].to_vec(), from)
    }

    #[tokio::test]
    async fn both_families_are_heard_on_one_port() {
        let (one, two) =
            (Datagrams::bind(Bind::LOOPBACK, 0).unwrap(), Datagrams::bind(Bind::LOOPBACK, 0).unwrap());
        let mut addrs = vec![SocketAddr::from(([127, 0, 0, 1], two.port()))];
        if two.has_v6() {
            addrs.push(([0, 0, 0, 0, 0, 0, 0, 1], two.port()).into());
        }
        for addr in addrs {
            one.send(addr, b"d1:ye").unwrap();
            let (bytes, from) = next(&two).await;
            assert_eq!((bytes.as_slice(), from.port(), from.ip()), (&b"d1:ye"[..], one.port(), addr.ip()));
        }
        assert!(Datagrams::bind(Bind::LOOPBACK, one.port()).is_err(), "the port is taken");
    }

    #[tokio::test]
    async fn what_goes_wrong_with_one_does_not_matter_to_others() {
        let only_v4 = Bind { v6: None, ..Bind::LOOPBACK };
        let sockets = Datagrams::bind(only_v4, 0).unwrap();
        let gone = Datagrams::bind(only_v4, 0).unwrap();
        let nobody = SocketAddr::from((Ipv4Addr::LOCALHOST, gone.port()));
        drop(gone);
        // Nobody listens there; a family we do not have; far too long.
        for _ in 0..10 {
            let _ = sockets.send(nobody, b"d");
        }
        assert!(sockets.send("[::1]:9".parse().unwrap(), b"d").is_err());
        assert!(sockets.send(nobody, &vec![0; 70_000]).is_err());
        let other = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        other.send_to(&[b'd'; 5000], ("127.0.0.1", sockets.port())).unwrap();
        other.send_to(b"", ("127.0.0.1", sockets.port())).unwrap();
        other.send_to(b"d", ("127.0.0.1", sockets.port())).unwrap();
        assert_eq!(next(&sockets).await.0.len(), MAX_DATAGRAM, "the rest is cut off");
        assert_eq!(next(&sockets).await.0, b"");
        assert_eq!(next(&sockets).await, (b"d".to_vec(), other.local_addr().unwrap()));
        let mut buffer = [0; MAX_DATAGRAM];
        assert_eq!(sockets.try_next(&mut buffer), None);
    }

    #[test]
    fn datagrams_are_told_apart_by_how_they_begin() {
        assert_eq!(Kind::of(b"d1:ad2:id20:"), Kind::Dht);
        for other in [&b""[..], b"\x21\x00", b"D", b"i5e"] {
            assert_eq!(Kind::of(other), Kind::Unknown);
        }
    }
}
