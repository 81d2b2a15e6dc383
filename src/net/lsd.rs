//! The sockets of Local Service Discovery (BEP 14): one per family, in its group on every interface that can
//! multicast.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockAddr, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::sleep;

use super::dial::Bind;
use super::interfaces::{self, Address, Interface};
use crate::proto::lsd::MAX_READ_LEN;

/// The port of both groups.
const PORT: u16 = 6771;
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(239, 192, 152, 143);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f);
/// Over so many routers a datagram may go, within the site that the groups are meant for; as libtorrent has it.
const HOPS: u32 = 32;
/// The most interfaces that are used; a machine full of virtual ones has hundreds.
const MAX_INTERFACES: usize = 32;

/// The pause after an error, which may not go away at once.
const PAUSE: Duration = Duration::from_millis(200);

/// See the head of this file.
#[derive(Debug)]
pub struct Multicast {
    bind: Bind,
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
    /// The interfaces in use, with the address from which IPv4 leaves.
    ways: BTreeMap<u32, Way>,
    networks: Vec<(IpAddr, u8)>,
}

/// One interface.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Way {
    name: String,
    v4: Option<Ipv4Addr>,
    v6: bool,
}

impl Multicast {
    /// Opens the sockets; a family that cannot be had is left out as long as the other works. Nothing is
    /// heard before [`Self::look_round`]. Has to be called within a runtime.
    pub fn open(bind: Bind) -> io::Result<Self> {
        let families = [bind.v4.map(|_| GROUP_V4.into()), bind.v6.map(|_| GROUP_V6.into())];
        let mut refused = None;
        let [v4, v6] = families.map(|group| match open(group?) {
            Ok(socket) => Some(socket),
            Err(error) => {
                tracing::debug!(%error, ?group, "no multicast");
                refused = Some(error);
                None
            }
        });
        match refused {
            Some(error) if v4.is_none() && v6.is_none() => Err(error),
            _ => Ok(Self { bind, v4, v6, ways: BTreeMap::new(), networks: Vec::new() }),
        }
    }

    /// Looks which interfaces there are now: joins the groups on those that have come, forgets those that have
    /// gone. Says whether there is any. Where the system does not tell, that which it chooses itself is used.
    pub fn look_round(&mut self) -> bool {
        let all = interfaces::list().unwrap_or_else(|error| {
            tracing::debug!(%error, "the network interfaces cannot be listed");
            vec![any_interface()]
        });
        let mut ways = BTreeMap::new();
        for interface in all.iter().filter(|interface| interface.up && interface.multicast) {
            let way = self.way(interface);
            if (way.v4.is_some() || way.v6) && ways.len() < MAX_INTERFACES {
                ways.insert(interface.number, way);
            }
        }
        let none = Way::default();
        for (number, way) in ways.iter().filter(|(number, way)| self.ways.get(number) != Some(way)) {
            self.change(*number, self.ways.get(number).unwrap_or(&none), way);
        }
        for (number, way) in self.ways.iter().filter(|(number, _)| !ways.contains_key(number)) {
            self.change(*number, way, &none);
        }
        let used = all.iter().filter(|interface| ways.contains_key(&interface.number));
        self.networks = used.flat_map(|used| used.addresses.iter().map(|own| (own.ip, own.bits))).collect();
        self.ways = ways;
        !self.ways.is_empty()
    }

    /// The networks behind the interfaces in use: an address of ours, and how many bits all members share.
    pub fn networks(&self) -> Vec<(IpAddr, u8)> {
        self.networks.clone()
    }

    /// Waits for the next datagram: its length, and from whom.
    pub async fn hear(&self, buf: &mut Vec<u8>) -> (usize, SocketAddr) {
        // One byte more than is read, so that a longer one is told from one that fits.
        buf.resize(MAX_READ_LEN + 1, 0);
        loop {
            match self.hear_either(buf).await {
                Ok(heard) => return heard,
                // Errors of what was sent come back here.
                Err(error) => {
                    tracing::debug!(%error, "the local network cannot be heard");
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn hear_either(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        loop {
            let ready = tokio::select! {
                ready = readable(self.v4.as_ref()) => ready?,
                ready = readable(self.v6.as_ref()) => ready?,
            };
            match ready.try_recv_from(buf) {
                // It only seemed to be ready.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
        }
    }

    /// Sends what `words` makes for a group to both groups, on every interface.
    pub fn say(&self, words: impl Fn(SocketAddr) -> Vec<Vec<u8>>) {
        for (&number, way) in &self.ways {
            if let (Some(socket), Some(own)) = (&self.v4, way.v4) {
                let chosen = SockRef::from(socket).set_multicast_if_v4(&own);
                send(socket, &chosen, GROUP_V4.into(), &words, &way.name);
            }
            if let (Some(socket), true) = (&self.v6, way.v6) {
                let chosen = SockRef::from(socket).set_multicast_if_v6(number);
                send(socket, &chosen, GROUP_V6.into(), &words, &way.name);
            }
        }
    }

    /// The use of an interface: all of it, or the network of the address that everything leaves from.
    fn way(&self, interface: &Interface) -> Way {
        let mut v4 = interface.addresses.iter().filter_map(|own| match own.ip {
            IpAddr::V4(ip) => Some((ip, own.bits)),
            IpAddr::V6(_) => None,
        });
        let mut v6 = interface.addresses.iter().filter(|own| own.ip.is_ipv6());
        Way {
            name: interface.name.clone(),
            v4: match self.bind.v4.filter(|_| self.v4.is_some()) {
                None => None,
                Some(any) if any.is_unspecified() => v4.next().map(|(ip, _)| ip),
                Some(own) => v4.any(|(ip, bits)| covers(ip, own, bits)).then_some(own),
            },
            v6: match self.bind.v6.filter(|_| self.v6.is_some()) {
                None => false,
                Some(any) if any.is_unspecified() => v6.next().is_some(),
                Some(own) => v6.any(|other| other.ip == IpAddr::V6(own)),
            },
        }
    }

    /// Joins and leaves the groups on one interface.
    fn change(&self, number: u32, before: &Way, now: &Way) {
        tracing::debug!(number, ?before, ?now, "an interface for the local network changed");
        let by_number = InterfaceIndexOrAddress::Index(number);
        let (v4, v6) = (self.v4.as_ref().map(SockRef::from), self.v6.as_ref().map(SockRef::from));
        let changed = [
            match (v4, before.v4.is_some(), now.v4.is_some()) {
                (Some(socket), false, true) => socket.join_multicast_v4_n(&GROUP_V4, &by_number),
                (Some(socket), true, false) => socket.leave_multicast_v4_n(&GROUP_V4, &by_number),
                _ => Ok(()),
            },
            match (v6, before.v6, now.v6) {
                (Some(socket), false, true) => socket.join_multicast_v6(&GROUP_V6, number),
                (Some(socket), true, false) => socket.leave_multicast_v6(&GROUP_V6, number),
                _ => Ok(()),
            },
        ];
        for error in changed.into_iter().filter_map(Result::err) {
            // Leaving one that is gone fails always.
            tracing::debug!(%error, number, "the group on this interface");
        }
    }
}

/// Waits until this socket has something; for ever where there is none.
async fn readable(socket: Option<&UdpSocket>) -> io::Result<&UdpSocket> {
    match socket {
        Some(socket) => socket.readable().await.map(|()| socket),
        None => std::future::pending().await,
    }
}

fn send(
    socket: &UdpSocket,
    chosen: &io::Result<()>,
    group: IpAddr,
    words: &impl Fn(SocketAddr) -> Vec<Vec<u8>>,
    name: &str,
) {
    let group = SocketAddr::new(group, PORT);
    for datagram in words(group) {
        let sent = match chosen {
            Ok(()) => socket.try_send_to(&datagram, group),
            Err(error) => Err(error.kind().into()),
        };
        if let Err(error) = sent {
            tracing::debug!(%error, interface = name, "the local network cannot be told");
            return;
        }
    }
}

fn open(group: IpAddr) -> io::Result<UdpSocket> {
    let addr = SocketAddr::new(group, PORT);
    let socket = Socket::new(Domain::for_address(addr), Type::DGRAM.nonblocking(), Some(Protocol::UDP))?;
    // Every program on this machine that does the same listens on this port.
    socket.set_reuse_address(true)?;
    #[cfg(unix)]
    socket.set_reuse_port(true)?;
    if group.is_ipv6() {
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(HOPS)?;
        socket.set_multicast_loop_v6(true)?;
    } else {
        socket.set_multicast_ttl_v4(HOPS)?;
        socket.set_multicast_loop_v4(true)?;
        // What others on this machine have joined is not ours to hear.
        #[cfg(target_os = "linux")]
        socket.set_multicast_all_v4(false)?;
    }
    // Bound to the group, a socket hears only what is sent to the group: nobody can reach it from afar.
    let local = if cfg!(unix) { addr } else { any(group) };
    socket.bind(&SockAddr::from(local))?;
    UdpSocket::from_std(socket.into())
}

fn any(group: IpAddr) -> SocketAddr {
    let ip = if group.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    SocketAddr::new(ip, PORT)
}

/// The number and addresses that mean whichever the system likes.
fn any_interface() -> Interface {
    let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let addresses = any.map(|ip| Address { ip, bits: 0, link: false }).to_vec();
    Interface { number: 0, name: "any".to_owned(), up: true, runs: true, multicast: true, addresses }
}

/// Whether an address is the interface's, or one of a whole network that is its own.
fn covers(ours: Ipv4Addr, other: Ipv4Addr, bits: u8) -> bool {
    let apart = (ours.to_bits() ^ other.to_bits()).checked_shr(32 - u32::from(bits.min(32))).unwrap_or(0);
    ours == other || (bits > 0 && apart == 0)
}
