//! The effective settings of a transfer command, from configuration and flags.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use crate::app::Error;
use crate::app::config::{Config, KeyId, Origin, Settings};
use crate::app::door::{self, Add, After, ContentOptions, EngineConfig};
use crate::app::input::{Link, Torrent};
use crate::app::quoted;
use crate::app::{interface, own_addresses, user_folders};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::output::Output;
use crate::face::cli::{config, state};
use crate::proto::magnet::Magnet;

use super::link::Links;
use super::unsupported::refuse_unsupported;
use super::{Peers, Transfer};

/// The settings of one run. What was asked for and cannot be done has been refused by now.
#[derive(Clone, Debug)]
pub struct Setup {
    settings: Settings,
    /// Listen on the port of the settings and on no other.
    fixed_port: bool,
    network: NetworkArgs,
    bind: Option<IpAddr>,
    state_dir: Option<PathBuf>,
    /// The state directory is the default one.
    usual_state: bool,
    /// Nobody outside the local network is told anything.
    lan: bool,
}

impl Setup {
    /// Reads the configuration and lays the flags over it.
    pub fn new(network: &NetworkArgs, global: &GlobalArgs, output: &Output) -> Result<Self, Error> {
        let config = config::load(global, output)?;
        let setup = Self::of(config, network, state::directory(global.state_dir.as_deref()))?;
        Ok(Self { usual_state: global.state_dir.is_none(), ..setup })
    }

    fn of(mut config: Config, network: &NetworkArgs, state_dir: Option<PathBuf>) -> Result<Self, Error> {
        for (key, value, flag) in network.keys() {
            config.flag(key, value, flag);
        }
        refuse_unsupported(&config, network)?;
        let settings = Settings::of(&config)?;
        let bind = settings.network.bind.as_deref();
        let bind = bind.map(|text| interface::address(text, settings.network.ipv6)).transpose()?;
        Ok(Self {
            settings,
            // A port of a file serves one run at a time; a second run takes any other.
            fixed_port: matches!(config.setting(KeyId::NetworkPort).origin, Origin::Flag(_)),
            network: network.clone(),
            bind,
            state_dir,
            usual_state: true,
            lan: false,
        })
    }

    /// The same for a run that neither reads nor writes what is remembered of torrents.
    pub fn forgetful(mut self) -> Self {
        self.state_dir = None;
        self
    }

    /// The same where, if this is true, nobody outside the local network is told or asked anything.
    pub fn local(self, lan: bool) -> Self {
        Self { lan, ..self }
    }

    /// The same for one who gives: what is said of web servers is told to others and not used.
    pub fn giving(
        network: &NetworkArgs,
        lan: bool,
        global: &GlobalArgs,
        output: &Output,
    ) -> Result<Self, Error> {
        let mut network = network.clone();
        network.web_seed.clear();
        Ok(Self::new(&network, global, output)?.local(lan))
    }

    /// How others reach us, as far as that is known before we listen.
    pub fn links(&self) -> Links {
        let engine = self.engine(1);
        Links {
            addresses: own_addresses::own(self.bind, self.settings.network.ipv6),
            bound: self.bind.is_some(),
            lan: self.lan,
            dht: engine.dht,
            lsd: engine.lsd,
            ..Links::default()
        }
    }

    /// Whether trackers are asked.
    pub const fn asks_trackers(&self) -> bool {
        !self.lan && self.network.switches.ask_trackers()
    }

    /// The address everything goes out from, if it is not any.
    pub const fn bind(&self) -> Option<IpAddr> {
        self.bind
    }

    /// How many downloads run at once.
    pub fn jobs(&self, flag: Option<u16>) -> usize {
        flag.map_or(self.settings.limits.active_downloads, usize::from)
    }

    /// The action after a download.
    pub fn after(&self, flag: Option<After>) -> After {
        flag.unwrap_or(self.settings.seeding.get)
    }

    /// The settings of the engine.
    pub(super) fn engine(&self, jobs: usize) -> EngineConfig {
        let Settings { network, limits, .. } = &self.settings;
        let remembered = || self.state_dir.as_deref().and_then(state::port);
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
            ..EngineConfig::default()
        };
        if self.lan { EngineConfig { dht: false, pex: false, lsd: true, ..config } } else { config }
    }

    /// One torrent of which this is wanted.
    pub fn job(&self, torrent: Torrent, mut content: ContentOptions) -> Result<(Add, Transfer), Error> {
        let folder = content.folder.clone();
        content.root_name = torrent.metainfo.root_name().map(str::to_owned);
        content.folder = std::path::absolute(&folder).map_err(|error| Error::disk("use", &folder, &error))?;
        let job = Transfer {
            info_hashes: torrent.metainfo.info_hash(),
            name: torrent.metainfo.name().clone(),
            argument: torrent.argument(),
            give_back: self.give_back(&torrent, &folder),
            folder,
            renamed: content.root_name.clone(),
            seeds: content.after != After::Stop,
        };
        let link = torrent.link;
        let add = Add {
            trackers: self.network.tracker.clone(),
            ..self.add(Add::new(torrent.metainfo, content), link.as_deref())
        };
        Ok((add, job))
    }

    /// The torrent of a link, whose metadata is to be looked for. One that nobody could be asked for is refused.
    pub fn lookup(&self, link: &Link) -> Result<Add, Error> {
        link.can_be_found()?;
        let Magnet { info_hash, trackers, web_seeds, .. } = &link.magnet;
        let more = |url: &&String| !trackers.iter().any(|known| known.raw() == url.as_str());
        let more = self.network.tracker.iter().filter(more).cloned();
        let source = door::Link {
            name: Some(link.name()),
            web_seeds: web_seeds.clone(),
            ..door::Link::new(*info_hash)
        };
        Ok(Add {
            trackers: trackers.iter().map(|url| url.raw().to_owned()).chain(more).collect(),
            ..self.add(Add::link(source), Some(&link.magnet))
        })
    }

    /// The same with the settings of this run, and with the peers of its link.
    fn add(&self, add: Add, link: Option<&Magnet>) -> Add {
        Add {
            use_trackers: self.asks_trackers(),
            peers: self
                .network
                .peer
                .iter()
                .copied()
                .chain(link.iter().flat_map(|l| self.peers_of(l)))
                .collect(),
            named_peers: link.map_or_else(Vec::new, |link| self.named_peers_of(link)),
            max_peers: self.settings.limits.peers_per_torrent,
            ..add
        }
    }

    /// The peers in a link to a torrent that is in work already.
    pub fn peers(&self, link: &Link) -> Peers {
        let Link { magnet, .. } = link;
        let (peers, named) = (self.peers_of(magnet).collect(), self.named_peers_of(magnet));
        Peers { info_hashes: magnet.info_hash, peers, named }
    }

    /// The addresses in a link that may be asked, beside those that were given otherwise.
    fn peers_of(&self, link: &Magnet) -> impl Iterator<Item = SocketAddr> {
        let may_be_asked = |peer: &&SocketAddr| !self.lan || own_addresses::is_near(peer.ip());
        link.peers.iter().filter(|peer| !self.network.peer.contains(peer)).filter(may_be_asked).copied()
    }

    /// The peers in a link that are known by name. Where they are is known too late to leave out those outside
    /// the local network.
    fn named_peers_of(&self, link: &Magnet) -> Vec<(String, u16)> {
        let named = link.named_peers.iter().filter(|_| !self.lan);
        named.map(|(host, port)| (host.raw().to_owned(), *port)).collect()
    }

    /// Where torrents are remembered.
    pub fn state_dir(&self) -> Option<&Path> {
        self.state_dir.as_deref()
    }
}

impl Setup {
    /// The command that gives a torrent to others later: what is remembered needs no more than its name.
    fn give_back(&self, torrent: &Torrent, folder: &Path) -> String {
        let short = torrent.metainfo.info_hash().short();
        let lan = if self.lan { " --lan" } else { "" };
        match &self.state_dir {
            Some(_) if self.usual_state => format!("torr seed {short}{lan}"),
            Some(state) => format!("torr seed {short}{lan} --state-dir {}", quoted(state)),
            None => {
                let place = match torrent.metainfo.root_name() {
                    Some(name) => folder.join(name),
                    None => folder.to_owned(),
                };
                let here = place == Path::new(".");
                let place = if here { String::new() } else { format!(" -o {}", quoted(&place)) };
                format!("torr seed {}{lan}{place}", torrent.argument())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::app::config::kind::Value;
    use crate::app::door::SeedGoal;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        network: NetworkArgs,
    }

    fn setup(keys: &[(KeyId, Value)], flags: &[&str]) -> Result<Setup, Error> {
        let mut config = Config::built_in();
        for (id, value) in keys {
            config.set(*id, value.clone(), Origin::File { path: "/c".into(), line: Some(3) });
        }
        let line = Line::try_parse_from(std::iter::once(&"x").chain(flags)).unwrap();
        Setup::of(config, &line.network, None)
    }

    #[test]
    fn flags_win_over_the_configuration_and_that_over_the_defaults() {
        let text = |text: &str| Value::Text(text.to_owned());
        let keys = [
            (KeyId::LimitsDown, text("1M")),
            (KeyId::LimitsUp, text("2M")),
            (KeyId::NetworkIpv6, Value::Switch(false)),
            (KeyId::NetworkPort, Value::Number(5000)),
            (KeyId::LimitsActiveDownloads, Value::Number(9)),
            (KeyId::SeedingGet, text("forever")),
            (KeyId::NetworkBind, text("127.0.0.1")),
        ];
        let engine = setup(&keys, &[]).unwrap().engine(1);
        assert_eq!((engine.down, engine.up, engine.ipv6), (Some(1 << 20), Some(2 << 20), false));
        assert_eq!((engine.port, engine.preferred_port), (None, Some(5000)));
        assert_eq!((engine.bind, engine.max_peers), (Some("127.0.0.1".parse().unwrap()), 400));
        let both = setup(&keys, &["--down", "none", "--ipv6", "-p", "6000", "--bind", "::1"]).unwrap();
        let engine = both.engine(1);
        assert_eq!((engine.down, engine.up, engine.ipv6), (None, Some(2 << 20), true));
        assert_eq!((engine.port, engine.bind), (Some(6000), Some("::1".parse().unwrap())));
        assert_eq!((both.jobs(None), both.jobs(Some(2))), (9, 2));
        assert_eq!(
            (both.after(None), both.after(Some(After::Stop))),
            (After::Seed(SeedGoal::default()), After::Stop)
        );
        assert_eq!(
            (setup(&[], &[]).unwrap().jobs(None), setup(&[], &[]).unwrap().after(None)),
            (5, After::Stop)
        );
    }

    #[test]
    fn what_is_not_there_is_refused_and_switching_it_off_is_not() {
        let told = |flags: &[&str]| setup(&[], flags).map(drop).map_err(|failure| failure.message);
        for (flags, what) in [
            (&["--upnp"][..], "--upnp"),
            (&["--no-utp", "--utp"], "--utp"),
            (&["--web-seed", "http://x/"], "--web-seed"),
            (&["--encryption", "require"], "--encryption require"),
            (&["--encryption", "prefer"], "--encryption prefer"),
            (&["--proxy", "socks5://127.0.0.1:1"], "--proxy"),
        ] {
            assert_eq!(told(flags), Err(format!("{what} is not available yet")));
        }
        let off = [
            "--no-dht",
            "--no-pex",
            "--no-lsd",
            "--no-upnp",
            "--no-utp",
            "--no-trackers",
            "--encryption",
            "off",
        ];
        assert_eq!(told(&off), Ok(()));
        assert_eq!(told(&["--trackers", "--ipv6", "--pex", "--dht", "--lsd"]), Ok(()));
        let pex = |keys: &[(KeyId, Value)], flags: &[&str]| setup(keys, flags).unwrap().engine(1).pex;
        assert!(pex(&[], &[]) && !pex(&[], &["--no-pex"]));
        let off = [(KeyId::NetworkPex, Value::Switch(false))];
        assert!(!pex(&off, &[]) && pex(&off, &["--pex"]));
    }

    #[test]
    fn the_dht_is_on_and_can_be_switched_off() {
        let dht = |keys: &[(KeyId, Value)], flags: &[&str]| setup(keys, flags).unwrap().engine(1);
        let usual = dht(&[], &[]);
        assert_eq!((usual.dht, usual.dht_bootstrap.len()), (true, 4));
        assert!(!dht(&[], &["--no-dht"]).dht);
        let own = [
            (KeyId::NetworkDht, Value::Switch(false)),
            (KeyId::NetworkDhtBootstrap, Value::List(vec!["192.0.2.1:1".to_owned()])),
        ];
        assert!(!dht(&own, &[]).dht);
        let on = dht(&own, &["--dht"]);
        assert_eq!((on.dht, on.dht_bootstrap), (true, vec!["192.0.2.1:1".to_owned()]));
    }

    #[test]
    fn in_the_local_network_nobody_else_is_told_or_asked() {
        let off = [(KeyId::NetworkLsd, Value::Switch(false))];
        let local = setup(&off, &["--peer", "192.0.2.9:9"]).unwrap().local(true);
        let engine = local.engine(1);
        assert_eq!((engine.dht, engine.pex, engine.lsd), (false, false, true));
        let text = "&tr=udp://t.example:1&x.pe=192.0.2.1:1&x.pe=192.168.1.2:2&x.pe=host.example:3";
        let link = format!("magnet:?xt=urn:btih:{}{text}", "ab".repeat(20));
        let link = Link::of(Path::new(&link)).unwrap().unwrap();
        let find = local.lookup(&link).unwrap();
        assert!(!find.use_trackers && find.named_peers.is_empty());
        let who = ["192.0.2.9:9", "192.168.1.2:2"].map(|peer| peer.parse().unwrap());
        assert_eq!(find.peers, who, "whoever was named by a flag is asked");
        let all = local.local(false).lookup(&link).unwrap();
        assert_eq!((all.use_trackers, all.peers.len(), all.named_peers.len()), (true, 3, 1));
    }

    #[test]
    fn what_protects_is_not_left_out_in_silence() {
        let keys = [(KeyId::NetworkEncryption, Value::Text("require".to_owned()))];
        let failure = setup(&keys, &[]).unwrap_err();
        assert_eq!(failure.message, "network.encryption = \"require\" (/c:3) is not available yet");
        assert!(setup(&keys, &["--encryption", "off"]).is_ok());
        let keys = [(KeyId::NetworkProxy, Value::Text("socks5://h:1".to_owned()))];
        assert_eq!(setup(&keys, &[]).unwrap_err().message, "network.proxy (/c:3) is not available yet");
        let keys = [(KeyId::NetworkBind, Value::Text("torr-none".to_owned()))];
        assert!(setup(&keys, &[]).is_err());
    }
}
