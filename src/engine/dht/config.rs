//! The settings of a node.

use std::net::IpAddr;
use std::path::PathBuf;

/// How a node is set up. The default listens on any free port, knows nobody and keeps nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// The address all traffic leaves from and arrives at.
    pub bind: Option<IpAddr>,
    /// Use IPv6 as well.
    pub ipv6: bool,
    /// The port to listen on. If it is taken the node does not start.
    pub port: Option<u16>,
    /// The port to try first where `port` is not given; if it is taken, any free one serves.
    pub preferred_port: Option<u16>,
    /// Where nodes may be, as `host:port`, for as long as few others are known.
    pub bootstrap: Vec<String>,
    /// The file in which ids and nodes are kept from one run to the next. Only one node at a time keeps its own.
    pub file: Option<PathBuf>,
    /// Only ask, never answer (BEP 43).
    pub read_only: bool,
    /// The most bytes per second of answers.
    pub answer_rate: Option<u64>,
    /// The most packets per second that are looked at.
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
