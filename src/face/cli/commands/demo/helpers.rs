//! The services that help the peers of the demo find one another: a tracker that fails, and DHT nodes that
//! take over.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::app::dht::{Node, NodeConfig};
use crate::app::tracker_server::{Access, ServerConfig, TrackerServer};
use crate::app::{Error, ErrorKind, reason};
use crate::face::cli::progress::amounts::percent;

/// How many nodes the DHT of the demo has, those of the engines not counted.
pub const NODES: usize = 20;
/// How many of them a newcomer is told.
const TOLD: usize = 3;

/// All helpers.
pub struct Helpers {
    tracker: Option<TrackerServer>,
    trackers: Vec<String>,
    nodes: Vec<Node>,
    /// The part of the download at which the tracker died.
    pub died: Option<f64>,
}

impl Helpers {
    /// Starts them, on loopback. Each node of the DHT begins with the first.
    pub async fn start() -> Result<Self, Error> {
        let tracker = tracker().await?;
        let mut nodes: Vec<Node> = Vec::new();
        for _ in 0..NODES {
            let config = NodeConfig {
                bind: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                ipv6: false,
                bootstrap: nodes.first().map(name).into_iter().collect(),
                ..NodeConfig::default()
            };
            nodes.push(Node::start(config).await.map_err(Error::from)?);
        }
        Ok(Self { trackers: tracker.announce_urls(), tracker: Some(tracker), nodes, died: None })
    }

    /// The announce URLs of the tracker.
    pub fn trackers(&self) -> &[String] {
        &self.trackers
    }

    /// Some nodes, for those who come.
    pub fn nodes(&self) -> Vec<String> {
        self.nodes.iter().take(TOLD).map(name).collect()
    }

    /// The tracker dies, at this part of the download.
    pub async fn lose_tracker(&mut self, progress: f64) {
        if let Some(tracker) = self.tracker.take() {
            tracker.stop().await;
            self.died = Some(progress);
        }
    }

    /// A line about them.
    pub fn line(&self) -> String {
        let tracker = match self.died {
            Some(at) => format!("dead since {}", percent(at)),
            None => "answers".to_owned(),
        };
        format!("  tracker {tracker}   DHT {NODES} nodes   PEX on")
    }

    /// Everybody goes home.
    pub async fn end(&mut self) {
        if let Some(tracker) = self.tracker.take() {
            tracker.stop().await;
        }
        for node in self.nodes.drain(..) {
            node.stop().await;
        }
    }
}

fn name(node: &Node) -> String {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), node.port()).to_string()
}

async fn tracker() -> Result<TrackerServer, Error> {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let config = ServerConfig {
        http: Some(any),
        udp: Some(any),
        interval: Duration::from_secs(60),
        access: Access::Open,
    };
    TrackerServer::start(config).await.map_err(|error| {
        Error::new(ErrorKind::Network, "network", format!("cannot listen on loopback: {}", reason(&error)))
    })
}
