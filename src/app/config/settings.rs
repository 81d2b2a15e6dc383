//! The values in force as what they mean: the keys that torr acts on, section by section.

use super::kind::Value;
use super::{Config, KeyId, Setting};
use crate::app::Error;
use crate::app::door::After;
use crate::app::seed_goal::parse_after;
use crate::base::units;

/// The settings of a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Settings {
    /// `[network]`
    pub network: Network,
    /// `[limits]`
    pub limits: Limits,
    /// `[seeding]`
    pub seeding: Seeding,
}

/// How torr reaches peers, and how peers reach torr.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Network {
    /// The port for incoming connections; none: any.
    pub port: Option<u16>,
    /// The local address or the network interface that everything goes through; none: all.
    pub bind: Option<String>,
    /// Find peers through the DHT.
    pub dht: bool,
    /// The nodes, as HOST:PORT, at which the DHT begins.
    pub dht_bootstrap: Vec<String>,
    /// Exchange addresses of peers with peers.
    pub pex: bool,
    /// Find peers in the local network.
    pub lsd: bool,
    /// Use IPv6 beside IPv4.
    pub ipv6: bool,
}

/// Upper limits.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Limits {
    /// The download rate in bytes per second; none: unlimited.
    pub down: Option<u64>,
    /// The upload rate in bytes per second; none: unlimited.
    pub up: Option<u64>,
    /// Downloads at once.
    pub active_downloads: usize,
    /// Connections of one torrent.
    pub peers_per_torrent: usize,
    /// Connections of all torrents.
    pub peers_total: usize,
}

/// How long torr seeds.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Seeding {
    /// Whether and how long `get` seeds after a download.
    pub get: After,
}

impl Settings {
    /// Converts the values in force. Each was checked when it was read, so that all of them convert.
    pub fn of(config: &Config) -> Result<Self, Error> {
        use KeyId as K;
        let switch = |id| converted(config.setting(id), switch);
        let count = |id| converted(config.setting(id), |value| usize::try_from(number(value)?).ok());
        let port = converted(config.setting(K::NetworkPort), |value| u16::try_from(number(value)?).ok())?;
        let rate = |id| converted(config.setting(id), |value| units::parse_rate(&value.plain()).ok());
        Ok(Self {
            network: Network {
                port: Some(port).filter(|&port| port != 0),
                bind: converted(config.setting(K::NetworkBind), text)?,
                dht: switch(K::NetworkDht)?,
                dht_bootstrap: converted(config.setting(K::NetworkDhtBootstrap), list)?,
                pex: switch(K::NetworkPex)?,
                lsd: switch(K::NetworkLsd)?,
                ipv6: switch(K::NetworkIpv6)?,
            },
            limits: Limits {
                down: rate(K::LimitsDown)?,
                up: rate(K::LimitsUp)?,
                active_downloads: count(K::LimitsActiveDownloads)?,
                peers_per_torrent: count(K::LimitsPeersPerTorrent)?,
                peers_total: count(K::LimitsPeersTotal)?,
            },
            seeding: Seeding {
                get: converted(config.setting(K::SeedingGet), |value| parse_after(&value.plain()).ok())?,
            },
        })
    }
}

fn converted<T>(setting: &Setting, convert: impl FnOnce(&Value) -> Option<T>) -> Result<T, Error> {
    convert(&setting.value).ok_or_else(|| {
        let name = setting.key.full();
        Error::usage(format!("{}: {name} cannot be {}", setting.origin, setting.value))
            .hint(format!("write {}", setting.key.kind.allowed()))
    })
}

fn switch(value: &Value) -> Option<bool> {
    if let Value::Switch(on) = value { Some(*on) } else { None }
}

fn number(value: &Value) -> Option<i64> {
    if let Value::Number(number) = value { Some(*number) } else { None }
}

/// A text, or nothing where it is empty.
fn text(value: &Value) -> Option<Option<String>> {
    if let Value::Text(text) = value {
        Some(Some(text.clone()).filter(|text| !text.is_empty()))
    } else {
        None
    }
}

fn list(value: &Value) -> Option<Vec<String>> {
    if let Value::List(items) = value { Some(items.clone()) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::config::Origin;
    use crate::app::config::keys::{KEYS, Key};
    use crate::app::config::kind::Kind;

    fn settings(key: &Key, value: Value) -> Settings {
        let mut config = Config::built_in();
        assert_eq!(key.kind.check(&value), Ok(()));
        config.set(key.id, value, Origin::Default);
        Settings::of(&config).unwrap()
    }

    /// A value that is allowed and is not the default.
    fn other(key: &Key) -> Value {
        let text = |text: &str| Value::Text(text.to_owned());
        let list = |text: &str| Value::List(vec![text.to_owned()]);
        let words = match key.kind {
            Kind::Choice(words) | Kind::Choices(words) => words.to_vec(),
            _ => Vec::new(),
        };
        let mut candidates =
            vec![Value::Switch(true), Value::Switch(false), Value::Number(7), Value::Decimal(7.5)];
        candidates.extend(["7K", "7s", "/x", "lo", "http://h", "127.0.0.1:7"].map(text));
        candidates.extend(["/x", "192.0.2.1:7"].map(list));
        candidates.extend(words.iter().flat_map(|word| [text(word), list(word)]));
        let fits = |value: &Value| key.kind.check(value).is_ok() && *value != key.default();
        candidates.into_iter().find(fits).unwrap_or_else(|| panic!("no other value for {}", key.full()))
    }

    #[test]
    fn every_key_that_is_used_lands_here_and_no_other() {
        let built_in = Settings::of(&Config::built_in()).unwrap();
        for key in &KEYS {
            let changed = settings(key, other(key)) != built_in;
            assert_eq!(changed, key.used, "{}", key.full());
        }
    }

    #[test]
    fn the_ends_of_each_range_convert() {
        for key in KEYS.iter().filter(|key| key.used) {
            if let Kind::Number { min, max } = key.kind {
                settings(key, Value::Number(min));
                settings(key, Value::Number(max));
            }
        }
    }

    #[test]
    fn nothing_and_zero_are_no_value() {
        let built_in = Settings::of(&Config::built_in()).unwrap();
        assert_eq!((built_in.network.port, built_in.network.bind, built_in.limits.up), (None, None, None));
        let port = settings(KeyId::NetworkPort.key(), Value::Number(51_999)).network.port;
        assert_eq!(port, Some(51_999));
        let down = settings(KeyId::LimitsDown.key(), Value::Text("2M".to_owned())).limits.down;
        assert_eq!(down, Some(2 << 20));
        assert_eq!(built_in.seeding.get, After::Stop);
    }
}
