//! Local addresses and the listening port, with the faults of opening it.

use std::io;
use std::net::{IpAddr, SocketAddr};

use super::event::{Fault, FaultKind, Remedy};
use crate::net::Bind;

/// The local addresses for all traffic.
pub(super) fn bind_addresses(address: Option<IpAddr>, ipv6: bool) -> Bind {
    match address {
        None if ipv6 => Bind::ANY,
        None => Bind { v6: None, ..Bind::ANY },
        Some(IpAddr::V4(v4)) => Bind { v4: Some(v4), v6: None },
        Some(IpAddr::V6(v6)) => Bind { v4: None, v6: Some(v6) },
    }
}

/// Opens the requested port or fails; without one, opens the preferred port or any free one.
pub(super) fn open_port<T>(
    address: Option<IpAddr>,
    port: Option<u16>,
    preferred: Option<u16>,
    open: impl Fn(u16) -> io::Result<T>,
) -> Result<T, Fault> {
    if let Some(port) = port {
        return open(port).map_err(|error| cannot_listen(address, port, &error));
    }
    let preferred = preferred.and_then(|port| open(port).ok());
    preferred.map_or_else(|| open(0).map_err(|error| cannot_listen(address, 0, &error)), Ok)
}

fn cannot_listen(address: Option<IpAddr>, port: u16, error: &io::Error) -> Fault {
    let place = address.map_or_else(|| format!("port {port}"), |ip| SocketAddr::new(ip, port).to_string());
    let (why, remedy) = match error.kind() {
        io::ErrorKind::AddrInUse => ("another program uses it".to_owned(), Remedy::OtherPort),
        io::ErrorKind::PermissionDenied => ("not permitted".to_owned(), Remedy::HighPort),
        io::ErrorKind::AddrNotAvailable => {
            ("this machine has no such address".to_owned(), Remedy::OwnAddress)
        }
        _ => (error.to_string(), Remedy::OtherPortOrAddress),
    };
    Fault {
        kind: FaultKind::Network,
        message: format!("cannot listen on {place}: {why}"),
        remedy: Some(remedy),
    }
}
