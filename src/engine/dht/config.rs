//! Settings of a DHT node.

use std::net::IpAddr;
use std::path::PathBuf;

/// Settings of a DHT node. By default it listens on any free port, has no bootstrap nodes and stores nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// The local address for all traffic.
    pub bind: Option<IpAddr>,
    /// Use IPv6 as well as IPv4.
    pub ipv6: bool,
    /// The port to listen on. If it is taken, the node does not start.
    pub port: Option<u16>,
    /// The port to try first if `port` is not set; if it is taken, any free port is used.
    pub preferred_port: Option<u16>,
    /// Bootstrap nodes as `host:port`, used while few nodes are known.
    pub bootstrap: Vec<String>,
    /// The file for node ids and known nodes. Only one node at a time writes to it.
    pub file: Option<PathBuf>,
    /// Send queries but never reply to any (read-only node, BEP 43).
    pub read_only: bool,
    /// Limit of replies, in bytes per second.
    pub answer_rate: Option<u64>,
    /// Limit of received packets, per second.
    pub packet_rate: Option<u32>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        let usual = crate::dht::Config::default();
        Self {
            bind: None,
            ipv6: true,
            port: None,
            preferred_port: None,
            bootstrap: Vec::new(),
            file: None,
            read_only: false,
            answer_rate: usual.answer_rate,
            packet_rate: usual.packet_rate,
        }
    }
}
