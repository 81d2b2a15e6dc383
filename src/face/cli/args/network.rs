//! Flags of everything that moves bytes.

use std::net::{IpAddr, SocketAddr};

use clap::Args;

use crate::base::units;

/// Flags of everything that moves bytes.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// The port on which peers reach us [default: any free one]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Use only this local address
    #[arg(long, value_name = "ADDR")]
    pub bind: Option<IpAddr>,
    /// The most bytes per second downwards: 500K, 2M, 1.5MiB, none
    #[arg(long, value_name = "RATE", value_parser = rate, default_value = "none")]
    pub down: Rate,
    /// The most bytes per second upwards
    #[arg(long, value_name = "RATE", value_parser = rate, default_value = "none")]
    pub up: Rate,
    /// The most connections of one torrent
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=400))]
    pub max_peers: u16,
    /// One more tracker, behind those of the torrent; may be given several times
    #[arg(long, value_name = "URL", value_parser = tracker)]
    pub tracker: Vec<String>,
    /// A peer to try first, as ADDRESS:PORT; may be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = peer)]
    pub peer: Vec<SocketAddr>,
    /// Ask no tracker
    #[arg(long)]
    pub no_trackers: bool,
    /// Do not use the distributed hash table
    #[arg(long)]
    pub no_dht: bool,
    /// Do not exchange addresses with peers
    #[arg(long)]
    pub no_pex: bool,
    /// Do not look for peers in the local network
    #[arg(long)]
    pub no_lsd: bool,
    /// Do not ask the router for a port
    #[arg(long)]
    pub no_upnp: bool,
    /// Do not use uTP
    #[arg(long)]
    pub no_utp: bool,
    /// Do not use IPv6
    #[arg(long)]
    pub no_ipv6: bool,
}

/// Bytes per second, or no limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate(pub Option<u64>);

/// Reads a rate.
pub fn rate(text: &str) -> Result<Rate, units::UnitError> {
    units::parse_rate(text).map(Rate)
}

/// Reads the URL of a tracker: http, https or udp, with a host.
pub fn tracker(text: &str) -> Result<String, String> {
    let wrong = |why: &str| format!("{why}; write udp://HOST:PORT or http(s)://HOST/announce");
    let url = url::Url::parse(text).map_err(|error| wrong(&format!("this is no URL ({error})")))?;
    if !matches!(url.scheme(), "http" | "https" | "udp") {
        return Err(wrong("a tracker speaks http, https or udp"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("the URL names no host"));
    }
    if url.scheme() == "udp" && url.port().is_none() {
        return Err(wrong("a udp tracker needs a port"));
    }
    Ok(text.to_owned())
}

/// Reads a peer. A name is looked up at once, so that a typing mistake is told at once.
fn peer(text: &str) -> Result<SocketAddr, String> {
    if let Ok(addr) = text.parse::<SocketAddr>() {
        return if addr.port() == 0 { Err("port 0 reaches nobody".to_owned()) } else { Ok(addr) };
    }
    let (host, port) = text.rsplit_once(':').ok_or("a peer is written HOST:PORT")?;
    let port: u16 =
        port.parse().ok().filter(|&port| port > 0).ok_or("the port is a number from 1 to 65535")?;
    let found = std::net::ToSocketAddrs::to_socket_addrs(&(host, port));
    found.ok().and_then(|mut found| found.next()).ok_or_else(|| "nobody knows this name".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trackers_are_checked_at_once() {
        for good in ["udp://t.example:6969", "http://t.example/announce", "https://[::1]:1/announce"] {
            assert_eq!(tracker(good), Ok(good.to_owned()));
        }
        for bad in [
            "",
            "t.example",
            "udp://t.example",
            "ftp://t.example/announce",
            "file:///etc/passwd",
            "udp://:80",
        ] {
            assert!(tracker(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn peers_have_a_port() {
        assert_eq!(peer("127.0.0.1:80"), Ok("127.0.0.1:80".parse().unwrap()));
        assert_eq!(peer("[::1]:80"), Ok("[::1]:80".parse().unwrap()));
        for bad in ["127.0.0.1", "127.0.0.1:0", "127.0.0.1:x", ":", ""] {
            assert!(peer(bad).is_err(), "{bad}");
        }
    }
}
