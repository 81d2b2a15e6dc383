//! The network interfaces of this machine.

use std::net::IpAddr;

pub use system::interfaces as list;

/// A network interface.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Interface {
    /// Its number, by which the system knows it.
    pub number: u32,
    /// Its name.
    pub name: String,
    /// The interface is switched on.
    pub up: bool,
    /// The interface is up and has a carrier.
    pub runs: bool,
    /// The interface can send to multicast groups.
    pub multicast: bool,
    /// Its addresses, as far as they can be used now.
    pub addresses: Vec<Address>,
}

/// An address of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address {
    /// The address.
    pub ip: IpAddr,
    /// How many of its bits all members of its network share.
    pub bits: u8,
    /// Link-local: valid only together with its interface.
    pub link: bool,
}

/// Linux tells over a socket to the kernel (rtnetlink): a request for a list, then messages, each with
/// attributes. Numbers are in the order of this machine.
#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::io::{self, Read};
    use std::net::IpAddr;
    use std::time::Duration;

    use socket2::{Domain, Socket, Type};

    use super::{Address, Interface};

    const DONE: u16 = 3;
    const ERROR: u16 = 2;
    /// The question for a list, the kind of message in the answer, and the length of its fixed part.
    const LINKS: (u16, u16, usize) = (18, 16, 16);
    const ADDRESSES: (u16, u16, usize) = (22, 20, 8);
    const LINK_NAME: u16 = 3;
    const ADDRESS: u16 = 1;
    /// Of two ends of a line, ours.
    const LOCAL: u16 = 2;
    const SCOPE_LINK: u8 = 253;
    /// An address that cannot be used (it is somebody else's) or not yet, or soon no more.
    const UNFIT: u8 = 0x08 | 0x40 | 0x20;
    const UP: u32 = 1;
    const RUNNING: u32 = 0x40;
    const MULTICAST: u32 = 0x1000;
    /// The kernel answers at once; the rest is for a machine that is very busy.
    const TIMEOUT: Duration = Duration::from_secs(5);
    const MAX_CHUNKS: usize = 1000;

    /// All there are.
    pub fn interfaces() -> io::Result<Vec<Interface>> {
        let mut interfaces = Vec::new();
        list(LINKS, |fixed, attributes| {
            let name = attribute(attributes, LINK_NAME).unwrap_or_default();
            let name = name.split(|&byte| byte == 0).next().unwrap_or_default();
            let name = String::from_utf8_lossy(name).into_owned();
            let flags = number(fixed, 8);
            interfaces.push(Interface {
                number: number(fixed, 4),
                name,
                up: flags & UP != 0,
                runs: flags & UP != 0 && flags & RUNNING != 0,
                multicast: flags & MULTICAST != 0,
                addresses: Vec::new(),
            });
        })?;
        list(ADDRESSES, |fixed, attributes| {
            let bytes = attribute(attributes, LOCAL).or_else(|| attribute(attributes, ADDRESS));
            let address = bytes.and_then(|bytes| {
                let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
                v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
            });
            let own = interfaces.iter_mut().find(|interface| interface.number == number(fixed, 4));
            if let (Some(ip), Some(own)) = (address, own)
                && fixed[2] & UNFIT == 0
            {
                own.addresses.push(Address { ip, bits: fixed[1], link: fixed[3] == SCOPE_LINK });
            }
        })?;
        Ok(interfaces)
    }

    /// Asks for a list and hands out the fixed part and the attributes of each message of it.
    fn list((ask, answer, fixed): (u16, u16, usize), mut each: impl FnMut(&[u8], &[u8])) -> io::Result<()> {
        let mut socket = Socket::new(Domain::from(libc::AF_NETLINK), Type::RAW, None)?;
        socket.set_read_timeout(Some(TIMEOUT))?;
        // Length, kind, "a list, please", no sequence number, no sender; then a fixed part of zeros.
        let mut request = Vec::new();
        request.extend_from_slice(&(16 + fixed as u32).to_ne_bytes());
        request.extend_from_slice(&ask.to_ne_bytes());
        request.extend_from_slice(&0x301_u16.to_ne_bytes());
        request.resize(16 + fixed, 0);
        socket.send(&request)?;
        let mut chunk = vec![0; 64 << 10];
        for _ in 0..MAX_CHUNKS {
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

    use super::{Address, Interface};

    /// Nobody can tell.
    pub fn interfaces() -> io::Result<Vec<Interface>> {
        Err(io::Error::other("torr can list them on Linux only"))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_machine_itself_is_among_them() {
        let all = list().unwrap();
        let lo = all.iter().find(|interface| interface.name == "lo").expect("every Linux has it");
        assert!(lo.up && lo.number != 0);
        let home = lo.addresses.iter().find(|address| address.ip == IpAddr::from([127, 0, 0, 1]));
        assert_eq!(home.map(|address| (address.bits, address.link)), Some((8, false)));
    }
}
