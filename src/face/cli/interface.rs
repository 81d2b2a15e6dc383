//! The address that `--bind` means. What it names has to be there: with a tunnel that is down nothing may
//! leave another way.

use std::net::IpAddr;

use super::error::{Failure, reason};
use crate::base::Untrusted;

/// A network interface: its number, its name, and the addresses to leave from.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Interface {
    number: u32,
    name: String,
    addresses: Vec<IpAddr>,
}

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

/// All of them, by their names; none where the system does not list them.
pub fn all() -> Vec<(String, Vec<IpAddr>)> {
    let all = system::interfaces().unwrap_or_default();
    all.into_iter().map(|interface| (interface.name, interface.addresses)).collect()
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
    /// The kernel answers at once; the rest is for a machine that is very busy.
    const PATIENCE: Duration = Duration::from_secs(5);
    const MOST_CHUNKS: usize = 1000;

    pub fn interfaces() -> io::Result<Vec<Interface>> {
        let mut interfaces = Vec::new();
        list(LINKS, |fixed, attributes| {
            let name = attribute(attributes, LINK_NAME).unwrap_or_default();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            interfaces.push(Interface { number: number(fixed, 4), name, addresses: Vec::new() });
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
            addresses: vec!["2001:db8::7".parse().unwrap(), "10.0.0.7".parse().unwrap()],
        };
        let six = Interface { name: "wg6".to_owned(), addresses: both.addresses[..1].to_vec(), number: 3 };
        let none = Interface { name: "down".to_owned(), ..Interface::default() };
        let all = [both.clone(), six, none];
        assert_eq!(chosen("wg0", &all, true), Ok(both.addresses[1]));
        assert_eq!(chosen("wg6", &all, true), Ok(both.addresses[0]));
        assert!(chosen("wg6", &all, false).is_err());
        assert!(chosen("down", &all, true).unwrap_err().message.contains("no address to leave from"));
    }
}
