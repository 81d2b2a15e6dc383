//! Datagrams: one socket for each family, both on one port, shared by all who speak over UDP.
//!
//! Who a datagram is for its first bytes tell ([`Kind`]). What goes wrong with one is the fault of that one, or
//! passes: a socket is read until it is dropped.
//!
//! A machine may have many addresses. Who asked at one of them knows an answer only if it comes from there, so a socket
//! that is bound to none in particular says at which a datagram came, and sends from the one it is told.

mod message;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::io::Interest;
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

/// The receiver of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// The DHT (BEP 5): a dictionary.
    Dht,
    /// Nobody we know.
    Unknown,
}

impl Kind {
    /// The receiver, told by the first bytes.
    pub const fn of(datagram: &[u8]) -> Self {
        match datagram {
            [b'd', ..] => Self::Dht,
            _ => Self::Unknown,
        }
    }
}

/// A datagram that came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Received {
    /// How many bytes of it are in the buffer.
    pub length: usize,
    /// The sender.
    pub from: SocketAddr,
    /// At which of our addresses it came, where that is not the one the socket is bound to.
    pub at: Option<IpAddr>,
}

/// The sockets; see the head of this file.
#[derive(Debug)]
pub struct Datagrams {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    port: u16,
    /// Whether IPv6 has its turn: a family that is flooded does not keep the other from being heard.
    v6_first: AtomicBool,
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
            _ => Ok(Self { v4, v6, port, v6_first: AtomicBool::new(false) }),
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

    /// Sends one now or not at all: what the kernel has no room for is lost, as it may be on its way. It leaves from
    /// `at`, if that is given, else from whichever of our addresses the system chooses.
    pub fn send(&self, at: Option<IpAddr>, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        let socket = if to.is_ipv4() { &self.v4 } else { &self.v6 };
        let socket = socket.as_ref().ok_or(io::ErrorKind::NetworkUnreachable)?;
        loop {
            let sent = match at {
                Some(at) => message::send(socket, at, to, datagram),
                None => SockRef::from(socket).send_to(datagram, &SockAddr::from(to)).map(|_| ()),
            };
            match sent {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    /// The next datagram. Nothing is lost if it is no longer waited for.
    pub async fn next(&self, buffer: &mut [u8]) -> Received {
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
    pub fn try_next(&self, buffer: &mut [u8]) -> Option<Received> {
        self.in_turn().into_iter().flatten().find_map(|socket| self.receive(socket, buffer).ok())
    }

    fn poll(&self, context: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<Received>> {
        for socket in self.in_turn().into_iter().flatten() {
            if let Poll::Ready(result) = self.poll_one(socket, context, buffer) {
                return Poll::Ready(result);
            }
        }
        Poll::Pending
    }

    fn poll_one(
        &self,
        socket: &UdpSocket,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<Received>> {
        loop {
            ready!(socket.poll_recv_ready(context))?;
            match self.receive(socket, buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
    }

    /// Takes one that is here, and gives the other family the next turn.
    fn receive(&self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<Received> {
        let result = socket.try_io(Interest::READABLE, || message::receive(socket, buffer));
        if let Ok(received) = &result {
            self.v6_first.store(received.from.is_ipv4(), Ordering::Relaxed);
        }
        result
    }

    fn in_turn(&self) -> [Option<&UdpSocket>; 2] {
        let (v4, v6) = (self.v4.as_ref(), self.v6.as_ref());
        if self.v6_first.load(Ordering::Relaxed) { [v6, v4] } else { [v4, v6] }
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
    if addr.ip().is_unspecified() {
        message::tell_where(&socket, addr.is_ipv4())?;
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
        let received = heard.await.expect("a datagram comes");
        (buffer[..received.length].to_vec(), received.from)
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
            one.send(None, addr, b"d1:ye").unwrap();
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
            let _ = sockets.send(None, nobody, b"d");
        }
        assert!(sockets.send(None, "[::1]:9".parse().unwrap(), b"d").is_err());
        assert!(sockets.send(None, nobody, &vec![0; 70_000]).is_err());
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

    #[tokio::test]
    async fn an_answer_leaves_from_the_address_that_was_asked() {
        let sockets = Datagrams::bind(Bind::ANY, 0).unwrap();
        let mut buffer = [0; MAX_DATAGRAM];
        for (ours, theirs) in [("127.0.0.2", "127.0.0.1:0"), ("127.0.0.1", "127.0.0.9:0"), ("::1", "[::1]:0")]
        {
            let ours: IpAddr = ours.parse().unwrap();
            if ours.is_ipv6() && !sockets.has_v6() {
                continue;
            }
            let asking = std::net::UdpSocket::bind(theirs).unwrap();
            // Only what comes from there is heard.
            asking.connect((ours, sockets.port())).unwrap();
            asking.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            asking.send(b"d").unwrap();
            let received = sockets.next(&mut buffer).await;
            assert_eq!((received.from, received.at), (asking.local_addr().unwrap(), Some(ours)));
            sockets.send(received.at, received.from, b"answer").unwrap();
            let length = asking.recv(&mut buffer).unwrap();
            assert_eq!(&buffer[..length], b"answer");
        }
        let strange = "192.0.2.1".parse().unwrap();
        assert!(sockets.send(Some(strange), "127.0.0.1:9".parse().unwrap(), b"d").is_err(), "not ours");
    }

    #[tokio::test]
    async fn families_take_turns() {
        let sockets = Datagrams::bind(Bind::LOOPBACK, 0).unwrap();
        if !sockets.has_v6() {
            return;
        }
        let (v4, v6) = (std::net::UdpSocket::bind("127.0.0.1:0"), std::net::UdpSocket::bind("[::1]:0"));
        let (v4, v6) = (v4.unwrap(), v6.unwrap());
        for _ in 0..10 {
            v4.send_to(b"4", ("127.0.0.1", sockets.port())).unwrap();
            v6.send_to(b"6", ("::1", sockets.port())).unwrap();
        }
        let mut heard = String::new();
        for _ in 0..20 {
            heard += std::str::from_utf8(&next(&sockets).await.0).unwrap();
        }
        assert_eq!(heard, "46".repeat(10));
    }

    #[test]
    fn datagrams_are_told_apart_by_how_they_begin() {
        assert_eq!(Kind::of(b"d1:ad2:id20:"), Kind::Dht);
        for other in [&b""[..], b"\x21\x00", b"D", b"i5e"] {
            assert_eq!(Kind::of(other), Kind::Unknown);
        }
    }
}
