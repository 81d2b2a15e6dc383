//! Bootstrap nodes of the DHT, known by host name.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::net::Bind;

/// Bootstrap nodes of the makers of common clients.
pub const BOOTSTRAP: [&str; 4] = [
    "router.bittorrent.com:6881",
    "dht.transmissionbt.com:6881",
    "dht.libtorrent.org:25401",
    "router.utorrent.com:6881",
];

/// Maximum number of names of one origin.
pub(super) const MAX_NAMES: usize = 32;
/// Maximum number of addresses of one name.
const MAX_ADDRESSES: usize = 16;
/// Timeout for resolving a name.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Resolves `host:port` to the addresses that are reachable from our local addresses; empty if the host is
/// not found. A node bound to loopback does not query the name server.
pub async fn resolve(name: &str, bind: Bind) -> Vec<SocketAddr> {
    let literal = name.parse::<SocketAddr>().ok();
    let found: Vec<SocketAddr> = match (literal, split(name)) {
        (Some(addr), _) => vec![addr],
        (None, Some((host, port))) if host.eq_ignore_ascii_case("localhost") || !is_local(bind) => {
            match timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host((host, port))).await {
                Ok(Ok(found)) => found.collect(),
                Ok(Err(_)) | Err(_) => Vec::new(),
            }
        }
        _ => Vec::new(),
    };
    let reachable = |addr: &SocketAddr| match addr {
        SocketAddr::V4(_) => bind.v4.is_some_and(|ip| !ip.is_loopback() || addr.ip().is_loopback()),
        SocketAddr::V6(_) => bind.v6.is_some_and(|ip| !ip.is_loopback() || addr.ip().is_loopback()),
    };
    found.into_iter().filter(|addr| addr.port() != 0).filter(reachable).take(MAX_ADDRESSES).collect()
}

/// Resolves all names at once.
pub(super) async fn resolve_all(names: Vec<String>, bind: Bind) -> Vec<SocketAddr> {
    let each = names.iter().take(MAX_NAMES).map(|name| resolve(name, bind));
    let found = join_all(each).await;
    found.into_iter().flatten().collect()
}

fn split(name: &str) -> Option<(&str, u16)> {
    let (host, port) = name.rsplit_once(':')?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = port.parse().ok().filter(|&port| port != 0)?;
    (!host.is_empty()).then_some((host, port))
}

/// Whether only this machine is reachable.
fn is_local(bind: Bind) -> bool {
    let ips = [bind.v4.map(IpAddr::V4), bind.v6.map(IpAddr::V6)];
    ips.into_iter().flatten().all(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_become_addresses_that_can_be_reached() {
        let v4 = Bind { v6: None, ..Bind::LOOPBACK };
        let here: SocketAddr = "127.0.0.1:6881".parse().unwrap();
        assert_eq!(resolve("127.0.0.1:6881", v4).await, [here]);
        assert_eq!(resolve("localhost:6881", v4).await, [here]);
        assert_eq!(resolve("[::1]:6881", Bind::LOOPBACK).await, ["[::1]:6881".parse().unwrap()]);
        for none in
            ["[::1]:6881", "8.8.8.8:1", "127.0.0.1:0", "127.0.0.1", "", ":1", "a:b", "localhost:70000"]
        {
            assert_eq!(resolve(none, v4).await, [], "{none}");
        }
        // Nobody is asked for a name whose bearer could not be reached anyway.
        assert_eq!(resolve_all(BOOTSTRAP.map(String::from).to_vec(), Bind::LOOPBACK).await, []);
    }
}
