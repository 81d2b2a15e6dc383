//! The address that `--bind` means. What it names has to be there: with a tunnel that is down nothing may
//! leave another way.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, SockAddr, Socket, Type};

use super::error::{Failure, reason};
use crate::base::Untrusted;

/// An address as it is, or that of a network interface: IPv4 before IPv6.
pub fn address(text: &str, ipv6: bool) -> Result<IpAddr, Failure> {
    let found = match text.parse() {
        Ok(address) => address,
        Err(_) => of_interface(text, ipv6)?,
    };
    if found.is_ipv6() && !ipv6 {
        let message = format!("{found} is an IPv6 address, but IPv6 is switched off");
        return Err(Failure::usage(message).hint("--ipv6 switches it on"));
    }
    Ok(found)
}

fn of_interface(name: &str, ipv6: bool) -> Result<IpAddr, Failure> {
    // Nothing is sent: connecting a datagram socket only looks up the way, here the way through this
    // interface, and with it the address to leave from. Both are reserved for documentation (RFC 5737 and
    // 3849).
    let v4 = outward(name, Domain::IPV4, (Ipv4Addr::new(192, 0, 2, 1), 9).into());
    let v6 = || outward(name, Domain::IPV6, (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into());
    let shown = Untrusted::new(name);
    match v4 {
        Ok(Some(address)) => return Ok(address),
        Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {
            let failure = Failure::usage(format!("there is no network interface '{shown}'"));
            return Err(
                failure.hint(interfaces().unwrap_or_else(|| "`ip addr` lists those there are".to_owned()))
            );
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            let message = format!("cannot look at the interface '{shown}': {}", reason(&error));
            return Err(Failure::usage(message).hint("give its address instead; `ip addr` tells it"));
        }
        _ if ipv6 => {
            if let Ok(Some(address)) = v6() {
                return Ok(address);
            }
        }
        _ => {}
    }
    let message = format!("the network interface '{shown}' has no address to leave from");
    Err(Failure::usage(message).hint("is it up? `ip addr` tells; nothing leaves another way"))
}

fn outward(interface: &str, domain: Domain, far: SocketAddr) -> io::Result<Option<IpAddr>> {
    let socket = Socket::new(domain, Type::DGRAM, None)?;
    through(&socket, interface)?;
    socket.connect(&SockAddr::from(far))?;
    let near = socket.local_addr()?.as_socket().map(|near| near.ip());
    Ok(near.filter(|near| !near.is_unspecified()))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn through(socket: &Socket, interface: &str) -> io::Result<()> {
    socket.bind_device(Some(interface.as_bytes()))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn through(_: &Socket, _: &str) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "this system does not tell"))
}

/// A sentence that lists the interfaces.
fn interfaces() -> Option<String> {
    let names = std::fs::read_dir("/sys/class/net").ok()?.flatten().map(|entry| entry.file_name());
    let mut names: Vec<String> = names.map(|name| Untrusted::new(name.to_string_lossy()).fit(15)).collect();
    names.sort();
    names.truncate(20);
    (!names.is_empty()).then(|| format!("there are: {}", names.join(", ")))
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
}
