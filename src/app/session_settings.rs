//! The settings of a session: what the configuration and the options of a face come to, for the engine and for
//! each torrent that is added to it.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use super::config::{Config, KeyId, Origin, Settings};
use super::door::{self, Add, After, DiskIo, EngineConfig};
use super::input::Link;
use super::state_dir::remembered_port;
use super::{Error, interface, own_addresses, user_folders};
use crate::proto::magnet::Magnet;

/// Options of a session that are no keys of the configuration.
#[derive(Clone, Debug)]
pub struct NetworkOptions {
    /// Trackers that are asked after those of each torrent.
    pub trackers: Vec<String>,
    /// Trackers are asked at all.
    pub use_trackers: bool,
    /// Peers that are tried first, for every torrent.
    pub peers: Vec<SocketAddr>,
    /// Peers that are tried first and are known by host and port.
    pub named_peers: Vec<(String, u16)>,
    /// Nobody outside the local network is told or asked anything, but the peers above.
    pub lan: bool,
}

impl Default for NetworkOptions {
    fn default() -> Self {
        Self {
            trackers: Vec::new(),
            use_trackers: true,
            peers: Vec::new(),
            named_peers: Vec::new(),
            lan: false,
        }
    }
}

/// The settings of one session.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    settings: Settings,
    options: NetworkOptions,
    /// Listen on the port of the settings and on no other.
    fixed_port: bool,
    bind: Option<IpAddr>,
    state_dir: Option<PathBuf>,
    disk_io: DiskIo,
}

impl SessionSettings {
    /// The settings of this configuration, over which the face has laid its flags, and of these options. Without a
    /// state directory nothing is remembered of torrents. Refuses settings that torr cannot act on yet.
    pub fn new(config: &Config, options: NetworkOptions, state_dir: Option<PathBuf>) -> Result<Self, Error> {
        config.refuse_unsupported()?;
        let settings = Settings::of(config)?;
        let bind = settings.network.bind.as_deref();
        let bind = bind.map(|text| interface::address(text, settings.network.ipv6)).transpose()?;
        // A port of a file serves one run at a time; a second run takes any other.
        let fixed_port = matches!(config.setting(KeyId::NetworkPort).origin, Origin::Flag(_));
        Ok(Self { settings, options, fixed_port, bind, state_dir, disk_io: DiskIo::default() })
    }

    /// The same for a session that neither reads nor writes what is remembered of torrents.
    #[must_use]
    pub fn without_state(self) -> Self {
        Self { state_dir: None, ..self }
    }

    /// The same for a session that writes files in this way.
    #[must_use]
    pub fn with_disk_io(self, disk_io: DiskIo) -> Self {
        Self { disk_io, ..self }
    }

    /// The directory in which torrents are remembered.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }

    /// The address everything goes out from, if it is not any.
    pub const fn bind(&self) -> Option<IpAddr> {
        self.bind
    }

    /// Nobody outside the local network is told or asked anything.
    pub const fn is_lan_only(&self) -> bool {
        self.options.lan
    }

    /// Whether trackers are asked.
    pub const fn use_trackers(&self) -> bool {
        !self.options.lan && self.options.use_trackers
    }

    /// The number of simultaneous downloads.
    pub const fn active_downloads(&self) -> usize {
        self.settings.limits.active_downloads
    }

    /// The action after a download.
    pub const fn after_download(&self) -> After {
        self.settings.seeding.get
    }

    /// The addresses at which others reach us, the best first.
    pub fn own_addresses(&self) -> Vec<IpAddr> {
        own_addresses::own(self.bind, self.settings.network.ipv6)
    }

    /// The configuration of an engine for so many simultaneous downloads.
    pub fn engine_config(&self, jobs: usize) -> EngineConfig {
        let Settings { network, limits, .. } = &self.settings;
        let remembered = || self.state_dir.as_deref().and_then(remembered_port);
        let config = EngineConfig {
            port: network.port.filter(|_| self.fixed_port),
            preferred_port: network.port.or_else(remembered),
            bind: self.bind,
            ipv6: network.ipv6,
            down: limits.down,
            up: limits.up,
            max_peers: limits.peers_total,
            jobs,
            dht: network.dht,
            dht_bootstrap: network.dht_bootstrap.clone(),
            cache_dir: user_folders::cache(),
            pex: network.pex,
            lsd: network.lsd,
            state_dir: self.state_dir.clone(),
            disk_io: self.disk_io,
            ..EngineConfig::default()
        };
        if self.options.lan { EngineConfig { dht: false, pex: false, lsd: true, ..config } } else { config }
    }

    /// A torrent whose metadata is known, to be added by these settings. The trackers of the link by which it was
    /// named, if it was, are those of the torrent.
    pub fn torrent_to_add(&self, torrent: Add, link: Option<&Magnet>) -> Add {
        Add { trackers: self.options.trackers.clone(), ..self.completed(torrent, link) }
    }

    /// The torrent of a link, to be added by these settings so that its metadata is found. One that nobody could be
    /// asked for is refused.
    pub fn link_to_add(&self, link: &Link) -> Result<Add, Error> {
        link.can_be_found()?;
        let Magnet { info_hash, trackers, web_seeds, .. } = &link.magnet;
        let more = |url: &&String| !trackers.iter().any(|known| known.raw() == url.as_str());
        let more = self.options.trackers.iter().filter(more).cloned();
        let source = door::Link {
            name: Some(link.name()),
            web_seeds: web_seeds.clone(),
            ..door::Link::new(*info_hash)
        };
        Ok(Add {
            trackers: trackers.iter().map(|url| url.raw().to_owned()).chain(more).collect(),
            ..self.completed(Add::link(source), Some(&link.magnet))
        })
    }

    /// The peers in a link that may be asked, beside those of the options: by address, and by host and port. Where
    /// the latter are is known too late to leave out those outside the local network.
    pub fn peers_of(&self, link: &Magnet) -> (Vec<SocketAddr>, Vec<(String, u16)>) {
        let NetworkOptions { peers, named_peers, lan, .. } = &self.options;
        let near = |peer: &&SocketAddr| !lan || own_addresses::is_near(peer.ip());
        let new = link.peers.iter().filter(|peer| !peers.contains(peer)).filter(near).copied();
        let named = link.named_peers.iter().filter(|_| !lan);
        let named = named.map(|(host, port)| (host.raw().to_owned(), *port));
        (new.collect(), named.filter(|peer| !named_peers.contains(peer)).collect())
    }

    fn completed(&self, add: Add, link: Option<&Magnet>) -> Add {
        let NetworkOptions { peers, named_peers, .. } = self.options.clone();
        let (more, more_named) = link.map(|link| self.peers_of(link)).unwrap_or_default();
        Add {
            use_trackers: self.use_trackers(),
            peers: [peers, more].concat(),
            named_peers: [named_peers, more_named].concat(),
            max_peers: self.settings.limits.peers_per_torrent,
            ..add
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::kind::Value;
    use crate::app::door::SeedGoal;

    type Keys<'a> = &'a [(KeyId, Value)];

    fn session(keys: Keys<'_>, flags: Keys<'_>, options: NetworkOptions) -> SessionSettings {
        let mut config = Config::built_in();
        for (id, value) in keys {
            config.set(*id, value.clone(), Origin::File { path: "/c".into(), line: Some(3) });
        }
        for (id, value) in flags {
            config.flag(*id, value.clone(), "--flag");
        }
        SessionSettings::new(&config, options, None).unwrap()
    }

    fn engine(keys: Keys<'_>, flags: Keys<'_>) -> EngineConfig {
        session(keys, flags, NetworkOptions::default()).engine_config(1)
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn flags_win_over_the_configuration_and_that_over_the_defaults() {
        let keys = [
            (KeyId::LimitsDown, text("1M")),
            (KeyId::LimitsUp, text("2M")),
            (KeyId::NetworkIpv6, Value::Switch(false)),
            (KeyId::NetworkPort, Value::Number(5000)),
            (KeyId::LimitsActiveDownloads, Value::Number(9)),
            (KeyId::SeedingGet, text("forever")),
            (KeyId::NetworkBind, text("127.0.0.1")),
        ];
        let config = engine(&keys, &[]);
        assert_eq!((config.down, config.up, config.ipv6), (Some(1 << 20), Some(2 << 20), false));
        assert_eq!((config.port, config.preferred_port), (None, Some(5000)));
        assert_eq!((config.bind, config.max_peers), (Some("127.0.0.1".parse().unwrap()), 400));
        let flags = [
            (KeyId::LimitsDown, text("none")),
            (KeyId::NetworkIpv6, Value::Switch(true)),
            (KeyId::NetworkPort, Value::Number(6000)),
            (KeyId::NetworkBind, text("::1")),
        ];
        let both = session(&keys, &flags, NetworkOptions::default());
        let config = both.engine_config(1);
        assert_eq!((config.down, config.up, config.ipv6), (None, Some(2 << 20), true));
        assert_eq!((config.port, config.bind), (Some(6000), Some("::1".parse().unwrap())));
        assert_eq!((both.active_downloads(), both.after_download()), (9, After::Seed(SeedGoal::default())));
        let usual = session(&[], &[], NetworkOptions::default());
        assert_eq!((usual.active_downloads(), usual.after_download()), (5, After::Stop));
    }

    #[test]
    fn dht_and_pex_are_on_and_can_be_switched_off() {
        let usual = engine(&[], &[]);
        assert_eq!((usual.dht, usual.dht_bootstrap.len(), usual.pex), (true, 4, true));
        let own = [
            (KeyId::NetworkDht, Value::Switch(false)),
            (KeyId::NetworkDhtBootstrap, Value::List(vec!["192.0.2.1:1".to_owned()])),
            (KeyId::NetworkPex, Value::Switch(false)),
        ];
        assert_eq!((engine(&own, &[]).dht, engine(&own, &[]).pex), (false, false));
        let on = [KeyId::NetworkDht, KeyId::NetworkPex].map(|id| (id, Value::Switch(true)));
        let on = engine(&own, &on);
        assert_eq!((on.dht, on.dht_bootstrap, on.pex), (true, vec!["192.0.2.1:1".to_owned()], true));
    }

    #[test]
    fn in_the_local_network_nobody_else_is_told_or_asked() {
        let off = [(KeyId::NetworkLsd, Value::Switch(false))];
        let options =
            |lan| NetworkOptions { peers: vec!["192.0.2.9:9".parse().unwrap()], lan, ..Default::default() };
        let local = session(&off, &[], options(true));
        let config = local.engine_config(1);
        assert_eq!((config.dht, config.pex, config.lsd), (false, false, true));
        let text = "&tr=udp://t.example:1&x.pe=192.0.2.1:1&x.pe=192.168.1.2:2&x.pe=host.example:3";
        let link = format!("magnet:?xt=urn:btih:{}{text}", "ab".repeat(20));
        let link = Link::of(Path::new(&link)).unwrap().unwrap();
        let add = local.link_to_add(&link).unwrap();
        assert!(!add.use_trackers && add.named_peers.is_empty());
        let peers = ["192.0.2.9:9", "192.168.1.2:2"].map(|peer| peer.parse().unwrap());
        assert_eq!(add.peers, peers, "a peer that the user names is asked");
        let all = session(&off, &[], options(false)).link_to_add(&link).unwrap();
        assert_eq!((all.use_trackers, all.peers.len(), all.named_peers.len()), (true, 3, 1));
    }

    #[test]
    fn protection_is_not_left_out_in_silence() {
        let new = |config: &Config| SessionSettings::new(config, NetworkOptions::default(), None).map(drop);
        let mut config = Config::built_in();
        config.flag(KeyId::NetworkEncryption, text("require"), "--encryption");
        assert!(new(&config).is_err());
        config.flag(KeyId::NetworkEncryption, text("off"), "--encryption");
        assert_eq!(new(&config), Ok(()));
        config.flag(KeyId::NetworkBind, text("torr-none"), "--bind");
        assert!(new(&config).is_err());
    }
}
