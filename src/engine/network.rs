//! The network of a session: its identity, its sockets, and the services that find peers.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::config::EngineConfig;
use super::dht::{Node, NodeConfig};
use super::event::Fault;
use super::incoming::{IncomingRegistration, Registrations};
use super::listen;
use super::lsd::Lsd;
use crate::base::{InfoHashes, PeerId};
use crate::net::tracker::{TrackerConfig, Trackers};
use crate::net::{Bind, Datagrams, IncomingPeer, Limits, Listener, Timeouts, bind_both};
use crate::proto::handshake::{Handshake, Reserved};

/// Timeout for saving the nodes of the DHT.
const SAVE_TIMEOUT: Duration = Duration::from_millis(200);

/// The network access of a session's torrents.
pub(super) struct Network {
    pub id: PeerId,
    /// The key by which trackers recognise us after a change of address.
    pub announce_key: u32,
    pub bind: Bind,
    pub timeouts: Timeouts,
    /// Our own addresses, as far as they are known.
    pub ours: Vec<SocketAddr>,
    pub limits: Limits,
    pub trackers: Trackers,
    /// Local Service Discovery, if it is enabled and the machine supports multicast.
    pub lsd: Option<Lsd>,
    /// The DHT node, if the DHT is enabled.
    dht: Option<Node>,
    /// Whether peers are exchanged (PEX, BEP 11).
    pub pex: bool,
    port: u16,
    listening: JoinHandle<()>,
    registrations: Registrations,
}

/// The random numbers by which others recognise a session.
pub(super) struct Identity {
    pub id: PeerId,
    pub announce_key: u32,
    /// The cookie of our LSD announces (BEP 14), by which we recognise our own.
    pub lsd_cookie: u32,
}

impl Network {
    /// Opens the sockets and starts the services.
    pub(super) async fn start(
        config: &EngineConfig,
        identity: Identity,
        clock: Clock,
        seed: u64,
    ) -> Result<Self, Fault> {
        let bind = listen::bind_addresses(config.bind, config.ipv6);
        let (listener, datagrams) = open(config, bind)?;
        let port = listener.port();
        let lsd = config.lsd.then(|| Lsd::start(bind, port, clock, identity.lsd_cookie, seed)).flatten();
        let dht = match datagrams {
            Some(datagrams) => Some(Node::over(datagrams, node_config(config)).await?),
            None => None,
        };
        let registrations = Registrations::default();
        let timeouts = Timeouts::default();
        Ok(Self {
            id: identity.id,
            announce_key: identity.announce_key,
            bind,
            timeouts,
            ours: config.bind.map(|ip| SocketAddr::new(ip, port)).into_iter().collect(),
            limits: Limits::new(config.down, config.up),
            trackers: Trackers::new(TrackerConfig { bind, ..TrackerConfig::default() }),
            lsd,
            dht,
            pex: config.pex,
            port,
            listening: tokio::spawn(listener.run(registrations.lookup(), timeouts)),
            registrations,
        })
    }

    /// The port on which we accept connections.
    pub(super) fn port(&self) -> Option<u16> {
        (self.port != 0).then_some(self.port)
    }

    pub(super) fn set_limits(&self, down: Option<u64>, up: Option<u64>) {
        self.limits.down.set(down);
        self.limits.up.set(up);
    }

    /// The DHT node, if there is one and the torrent may use it.
    pub(super) fn dht_for(&self, private: bool) -> Option<&Node> {
        self.dht.as_ref().filter(|_| !private)
    }

    /// The handshake that we send for a torrent.
    pub(super) fn handshake(&self, torrent: InfoHashes, private: bool) -> Handshake {
        Handshake { info_hash: torrent.wire(), id: self.id, reserved: self.reserved(private) }
    }

    /// The reserved bits of our handshakes.
    fn reserved(&self, private: bool) -> Reserved {
        let usual = Reserved::NONE.with_fast().with_extended();
        if self.dht_for(private).is_some() { usual.with_dht() } else { usual }
    }

    /// Registers a torrent for incoming connections under each of its known info-hashes.
    pub(super) fn register_incoming(
        &self,
        torrent: InfoHashes,
        private: bool,
        callers: mpsc::Sender<IncomingPeer>,
    ) -> IncomingRegistration {
        self.registrations.register(torrent, self.id, self.reserved(private), callers)
    }

    /// Removes the DHT bit from the handshakes of a torrent that turned out to be private (BEP 27).
    pub(super) fn make_private(&self, registration: &mut IncomingRegistration) {
        registration.set_reserved(self.reserved(true));
    }

    /// Number of known DHT nodes, if the DHT is enabled.
    pub(super) fn dht_nodes(&self) -> Option<u32> {
        self.dht.as_ref().map(|node| node.status().nodes() as u32)
    }

    /// Closes the sockets and stops the services.
    pub(super) async fn stop(&self) {
        self.listening.abort();
        if let Some(lsd) = &self.lsd {
            lsd.stop();
        }
        if let Some(node) = &self.dht {
            let _ = tokio::time::timeout(SAVE_TIMEOUT, node.stop()).await;
        }
    }
}

/// Opens the TCP listener and, for the DHT, the UDP socket on the same port.
fn open(config: &EngineConfig, bind: Bind) -> Result<(Listener, Option<Datagrams>), Fault> {
    listen::open_port(config.bind, config.port, config.preferred_port, |port| {
        if config.dht {
            bind_both(bind, port).map(|(listener, datagrams)| (listener, Some(datagrams)))
        } else {
            Listener::bind(bind, port).map(|listener| (listener, None))
        }
    })
}

/// The settings of the DHT node.
fn node_config(config: &EngineConfig) -> NodeConfig {
    NodeConfig {
        bind: config.bind,
        ipv6: config.ipv6,
        bootstrap: config.dht_bootstrap.clone(),
        file: config.cache_dir.as_ref().map(|folder| folder.join("dht-nodes")),
        ..NodeConfig::default()
    }
}
