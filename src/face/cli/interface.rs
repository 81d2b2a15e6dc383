//! The address that `--bind` means. What it names has to be there: with a tunnel that is down nothing may
//! leave another way.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use super::error::{Failure, reason};
use crate::base::Untrusted;

/// A network interface: its number, its name, and the addresses to leave from.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Interface {
    number: u32,
    name: String,
    /// It is up, and there is something at its other end.
    runs: bool,
    addresses: Vec<IpAddr>,
}

/// The most addresses of ours that others are told.
const MOST_TOLD: usize = 4;

/// Beginnings of the names of interfaces that lead to nobody but what runs on this machine.
const INNER: [&str; 14] = [
    "docker", "br-", "veth", "virbr", "vnet", "vmnet", "vboxnet", "lxcbr", "lxdbr", "cni", "flannel",
    "podman", "cali", "kube",
];

/// An address as it is, or that of a network interface: IPv4 before IPv6.
pub fn address(text: &str, ipv6: bool) -> Result<IpAddr, Failure> {
    let found = match text.parse() {
        Ok(address) => address,
        Err(_) => chosen(text, &of_system(text)?, ipv6)?,
    };
    if found.is_ipv6() && !ipv6 {
        let message = format!("{found} is an IPv6 address, but IPv6 is switched off");
        return Err(Failure::usage(message).hint("--ipv6 switches it on"));
    }
    Ok(found)
}

/// The addresses at which others reach us, the best first: those of the local network, then those of the
/// Internet, IPv4 before IPv6. Where everything goes out from one address it is that one. The addresses of
/// this machine alone are told where there are no others.
pub fn own(bind: Option<IpAddr>, ipv6: bool) -> Vec<IpAddr> {
    // Where they cannot be listed, none is told.
    told(bind, ipv6, &system::interfaces().unwrap_or_default())
}

fn told(bind: Option<IpAddr>, ipv6: bool, interfaces: &[Interface]) -> Vec<IpAddr> {
    if let Some(only) = bind.filter(|bind| !bind.is_unspecified()) {
        return vec![only];
    }
    let fits = |address: &IpAddr| match bind {
        Some(any) => any.is_ipv4() == address.is_ipv4() || (any.is_ipv6() && ipv6),
        None => address.is_ipv4() || ipv6,
    };
    let inner = |name: &str| INNER.iter().any(|start| name.starts_with(start));
    let outer = interfaces.iter().filter(|interface| interface.runs && !inner(&interface.name));
    let all = outer.flat_map(|interface| &interface.addresses).copied().filter(fits);
    let (mut here, mut found): (Vec<IpAddr>, Vec<IpAddr>) = all.partition(IpAddr::is_loopback);
    found.retain(|address| is_of_use(*address));
    found.sort_by_key(|address| (address.is_ipv6(), !is_local(*address)));
    let mut seen = BTreeSet::new();
    found.retain(|address| seen.insert(*address));
    found.truncate(MOST_TOLD);
    if found.is_empty() {
        here.truncate(1);
        return here;
    }
    found
}

/// Whether it belongs to a network that is nobody else's: RFC 1918, 4193 and 6598.
pub fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => is_unique_local(v6),
    }
}

fn is_unique_local(v6: Ipv6Addr) -> bool {
    v6.segments()[0] & 0xfe00 == 0xfc00
}

/// Whether anybody can connect to it from another machine by what it is alone.
fn is_of_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified() && !v4.is_multicast(),
        IpAddr::V6(v6) => is_unique_local(v6) || v6.segments()[0] & 0xe000 == 0x2000,
    }
}

fn of_system(name: &str) -> Result<Vec<Interface>, Failure> {
    system::interfaces().map_err(|error| {
        let name = Untrusted::new(name);
        Failure::usage(format!("cannot find the network interface '{name}': {}", reason(&error)))
            .hint("give its address instead; `ip addr` tells it")
    })
}

fn chosen(name: &str, interfaces: &[Interface], ipv6: bool) -> Result<IpAddr, Failure> {
    let shown = Untrusted::new(name);
    let Some(found) = interfaces.iter().find(|interface| interface.name == name) else {
        let names = interfaces.iter().take(20).map(|other| Untrusted::new(other.name.as_str()).fit(15));
        let names: Vec<String> = names.collect();
        return Err(Failure::usage(format!("there is no network interface '{shown}'"))
            .hint(format!("there are: {}", names.join(", "))));
    };
    let v4 = found.addresses.iter().find(|address| address.is_ipv4());
    let v6 = found.addresses.iter().find(|address| address.is_ipv6() && ipv6);
    v4.or(v6).copied().ok_or_else(|| {
        Failure::usage(format!("the network interface '{shown}' has no address to leave from"))
            .hint("is it up? `ip addr` tells; nothing leaves another way")
    })
}

/// Linux tells over a socket to the kernel (rtnetlink): a request for a list, then messages, each with
/// attributes. Numbers are in the order of this machine.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io::{self, Read};
    use std::net::IpAddr;
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::Interface;

    const DONE: u16 = 3;
    const ERROR: u16 = 2;
    /// The question for a list, the kind of message in the answer, and the length of its fixed part.
    const LINKS: (u16, u16, usize) = (18, 16, 16);
    const ADDRESSES: (u16, u16, usize) = (22, 20, 8);
    const LINK_NAME: u16 = 3;
    const ADDRESS: u16 = 1;
    /// Of two ends of a line, ours.
    const LOCAL: u16 = 2;
    /// An address that means something only together with its interface.
    const SCOPE_LINK: u8 = 253;
    /// An address that cannot be used (it is somebody else's) or not yet, or soon no more.
    const UNFIT: u8 = 0x08 | 0x40 | 0x20;
    /// An interface is up, and what it leads to is there.
    const UP_AND_RUNNING: u32 = 0x1 | 0x40;
    /// The kernel answers at once; the rest is for a machine that is very busy.
    const PATIENCE: Duration = Duration::from_secs(5);
    const MOST_CHUNKS: usize = 1000;

    pub fn interfaces() -> io::Result<Vec<Interface>> {
        let mut interfaces = Vec::new();
        list(LINKS, |fixed, attributes| {
            let name = attribute(attributes, LINK_NAME).unwrap_or_default();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let runs = number(fixed, 8) & UP_AND_RUNNING == UP_AND_RUNNING;
            interfaces.push(Interface { number: number(fixed, 4), name, runs, addresses: Vec::new() });
        })?;
        list(ADDRESSES, |fixed, attributes| {
            let bytes = attribute(attributes, LOCAL).or_else(|| attribute(attributes, ADDRESS));
            let address = bytes.and_then(|bytes| {
                let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
            });
            let own = interfaces.iter_mut().find(|interface| interface.number == number(fixed, 4));
            if let (Some(address), Some(own)) = (address, own)
                && fixed[3] != SCOPE_LINK
                && fixed[2] & UNFIT == 0
            {
                own.addresses.push(address);
            }
        })?;
        Ok(interfaces)
    }

    /// Asks for a list and hands out the fixed part and the attributes of each message of it.
    fn list((ask, answer, fixed): (u16, u16, usize), mut each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        let mut socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, None)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        // Length, kind, "a list, please", no sequence number, no sender; then a fixed part of zeros.
        let mut request = Vec::new();
        request.extend_from_slice(&(16 + fixed as u32).to_ne_bytes());
        request.extend_from_slice(&ask.to_ne_bytes());
        request.extend_from_slice(&0x301_u16.to_ne_bytes());
        request.resize(16 + fixed, 0);
        socket.send(&request)?;
        let mut chunk = vec![0; 64 << 10];
        for _ in 0..MOST_CHUNKS {
            let len = socket.read(&mut chunk)?;
            let mut rest = &chunk[..len];
            while rest.len() >= 16 {
                let len = (number(rest, 0) as usize).clamp(16, rest.len());
                let (message, after) = rest.split_at(len);
                match u16::from_ne_bytes([message[4], message[5]]) {
                    DONE => return Ok(()),
                    ERROR => return Err(io::Error::other("the kernel refuses to list them")),
                    kind if kind == answer && len >= 16 + fixed => {
                        each(&message[16..16 + fixed], &message[16 + fixed..]);
                    }
                    _ => {}
                }
                rest = after.get(len.next_multiple_of(4) - len..).unwrap_or_default();
            }
        }
        Err(io::Error::other("the list does not end"))
    }

    /// The first attribute of this kind.
    fn attribute(mut rest: &[u8], kind: u16) -> Option<&[u8]> {
        while let [a, b, c, d, ..] = *rest {
            let len = usize::from(u16::from_ne_bytes([a, b])).max(4);
            let value = rest.get(4..len)?;
            if u16::from_ne_bytes([c, d]) == kind {
                return Some(value);
            }
            rest = rest.get(len.next_multiple_of(4)..)?;
        }
        None
    }

    fn number(bytes: &[u8], at: usize) -> u32 {
        let bytes = bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map_or(0, u32::from_ne_bytes)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::io;

    use super::Interface;

    pub fn interfaces() -> io::Result<Vec<Interface>> {
        Err(io::Error::other("torr can list them on Linux only"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::exit::Exit;

    #[test]
    fn addresses_are_taken_as_they_are() {
        assert_eq!(address("192.0.2.7", true), Ok("192.0.2.7".parse().unwrap()));
        assert_eq!(address("::1", true), Ok("::1".parse().unwrap()));
        assert_eq!(address("::1", false).unwrap_err().exit, Exit::Usage);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_interface_means_its_address_or_nothing_at_all() {
        assert_eq!(address("lo", true), Ok("127.0.0.1".parse().unwrap()));
        let failure = address("torr-none", true).unwrap_err();
        assert_eq!(failure.message, "there is no network interface 'torr-none'");
        assert!(failure.hint.unwrap().contains("lo"));
    }

    #[test]
    fn one_without_a_fitting_address_is_refused() {
        let both = Interface {
            number: 2,
            name: "wg0".to_owned(),
            runs: true,
            addresses: vec!["2001:db8::7".parse().unwrap(), "10.0.0.7".parse().unwrap()],
        };
        let six = Interface {
            name: "wg6".to_owned(),
            addresses: both.addresses[..1].to_vec(),
            number: 3,
            runs: true,
        };
        let none = Interface { name: "down".to_owned(), ..Interface::default() };
        let all = [both.clone(), six, none];
        assert_eq!(chosen("wg0", &all, true), Ok(both.addresses[1]));
        assert_eq!(chosen("wg6", &all, true), Ok(both.addresses[0]));
        assert!(chosen("wg6", &all, false).is_err());
        assert!(chosen("down", &all, true).unwrap_err().message.contains("no address to leave from"));
    }

    #[test]
    fn others_are_told_what_leads_to_us_the_local_network_first() {
        let of = |name: &str, addresses: &[&str]| Interface {
            name: name.to_owned(),
            runs: name != "down",
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
            ..Interface::default()
        };
        let all = [
            of("lo", &["127.0.0.1", "::1"]),
            of("docker0", &["172.17.0.1"]),
            of("down", &["192.168.9.9"]),
            of("eth0", &["2001:db8::7", "fd00::7", "203.0.113.40", "192.168.1.20", "169.254.3.4"]),
            of("wlan0", &["10.0.0.7", "192.168.1.20"]),
        ];
        let tell = |bind: Option<&str>, ipv6, interfaces: &[Interface]| -> Vec<String> {
            let bind = bind.map(|bind| bind.parse().unwrap());
            told(bind, ipv6, interfaces).iter().map(ToString::to_string).collect()
        };
        let four = ["192.168.1.20", "10.0.0.7", "203.0.113.40"];
        assert_eq!(tell(None, true, &all), [&four[..], &["fd00::7"]].concat());
        assert_eq!(tell(None, false, &all), four);
        assert_eq!(tell(Some("0.0.0.0"), true, &all), four);
        assert_eq!(tell(Some("10.0.0.7"), true, &all), ["10.0.0.7"]);
        assert_eq!(tell(Some("127.0.0.1"), true, &all), ["127.0.0.1"]);
        assert_eq!(tell(None, true, &all[..3]), ["127.0.0.1"]);
        assert!(tell(None, true, &[]).is_empty());
        assert!(is_local("100.64.0.1".parse().unwrap()) && !is_local("100.128.0.1".parse().unwrap()));
    }
}
