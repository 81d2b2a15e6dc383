//! Flags of everything that moves bytes.

use std::net::SocketAddr;

use clap::Args;

use super::switches::Switches;
use crate::app::Error;
use crate::app::config::KeyId;
use crate::app::config::kind::Value;
use crate::app::making::values::tracker_url;

/// Flags of everything that moves bytes. Those that are keys of the configuration as well are read as it
/// reads them.
#[derive(Args, Clone, Default, Debug)]
#[command(next_help_heading = "Network")]
pub struct NetworkArgs {
    /// Port to listen on for peers [default: a random port, chosen once and remembered; another one if it is
    /// taken]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Use only this local address or network interface
    #[arg(long, value_name = "ADDR|IFACE", value_parser = bind)]
    bind: Option<Value>,
    /// Limit the download rate, in bytes per second: 500K, 2M, 1.5MiB, none [default: none]
    #[arg(long, value_name = "RATE", value_parser = down)]
    down: Option<Value>,
    /// Limit the upload rate, in bytes per second [default: none]
    #[arg(long, value_name = "RATE", value_parser = up)]
    up: Option<Value>,
    /// Maximum number of connections per torrent [default: 100]
    #[arg(long, value_name = "N", value_parser = max_peers)]
    max_peers: Option<Value>,
    /// Add a tracker after those of the torrent; can be repeated
    #[arg(long, value_name = "URL", value_parser = tracker_url)]
    pub tracker: Vec<String>,
    /// Connect to this peer first; can be repeated
    #[arg(long, value_name = "HOST:PORT", value_parser = peer)]
    pub peer: Vec<SocketAddr>,
    /// Add a web seed, a web server that has the data (BEP 19); can be repeated
    #[arg(long, value_name = "URL", hide = true)]
    pub web_seed: Vec<String>,
    /// Encrypt connections to peers [default: off]
    #[arg(long, value_name = "HOW", value_parser = encryption, hide = true)]
    encryption: Option<Value>,
    /// Use a proxy
    #[arg(long, value_name = "URL", value_parser = proxy, hide = true)]
    proxy: Option<Value>,
    #[command(flatten)]
    pub switches: Switches,
}

impl NetworkArgs {
    /// Refuses web seeds where they would have to be used.
    pub fn refuse_web_seeds(&self) -> Result<(), Error> {
        if self.web_seed.is_empty() {
            return Ok(());
        }
        Err(Error::not_yet("--web-seed").hint("without it, torr downloads from peers only"))
    }

    /// The flags that were given and have a key in the configuration: the key, the value, the flag.
    pub fn keys(&self) -> Vec<(KeyId, Value, &'static str)> {
        let port = self.port.map(|port| Value::Number(port.into()));
        let given = [
            (KeyId::NetworkPort, &port, "--port"),
            (KeyId::NetworkBind, &self.bind, "--bind"),
            (KeyId::NetworkEncryption, &self.encryption, "--encryption"),
            (KeyId::NetworkProxy, &self.proxy, "--proxy"),
            (KeyId::LimitsDown, &self.down, "--down"),
            (KeyId::LimitsUp, &self.up, "--up"),
            (KeyId::LimitsPeersPerTorrent, &self.max_peers, "--max-peers"),
        ];
        let given = given.into_iter().filter_map(|(key, value, flag)| Some((key, value.clone()?, flag)));
        let switches = self.switches.keys().into_iter().map(|(key, on, flag)| (key, Value::Switch(on), flag));
        given.chain(switches).collect()
    }
}

/// Reads the value of a key.
fn value(id: KeyId, text: &str) -> Result<Value, String> {
    let kind = id.key().kind;
    kind.read(text)
        .and_then(|value| if text.is_empty() { Err(format!("write {}", kind.allowed())) } else { Ok(value) })
}

/// Reads an address or the name of an interface.
pub fn bind(text: &str) -> Result<Value, String> {
    value(KeyId::NetworkBind, text)
}

fn down(text: &str) -> Result<Value, String> {
    value(KeyId::LimitsDown, text)
}

fn up(text: &str) -> Result<Value, String> {
    value(KeyId::LimitsUp, text)
}

fn max_peers(text: &str) -> Result<Value, String> {
    value(KeyId::LimitsPeersPerTorrent, text)
}

fn encryption(text: &str) -> Result<Value, String> {
    value(KeyId::NetworkEncryption, text)
}

fn proxy(text: &str) -> Result<Value, String> {
    value(KeyId::NetworkProxy, text)
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
    found.ok().and_then(|mut found| found.next()).ok_or_else(|| "host not found".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::app::config::Config;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        network: NetworkArgs,
    }

    fn told(line: &[&str]) -> Result<Vec<String>, String> {
        let line =
            Line::try_parse_from(std::iter::once(&"x").chain(line)).map_err(|error| error.to_string())?;
        let keys = line.network.keys().into_iter();
        Ok(keys.map(|(key, value, flag)| format!("{} {value} {flag}", key.key().full())).collect())
    }

    #[test]
    fn flags_set_keys_and_the_last_of_two_that_differ_wins() {
        assert_eq!(told(&[]), Ok(vec![]));
        assert_eq!(
            told(&["--down", "2M", "--bind", "wg0", "--max-peers", "7", "-p", "5"]).unwrap(),
            [
                "network.port 5 --port",
                "network.bind \"wg0\" --bind",
                "limits.down \"2M\" --down",
                "limits.peers_per_torrent 7 --max-peers"
            ]
        );
        assert_eq!(told(&["--dht", "--no-dht"]).unwrap(), ["network.dht false --no-dht"]);
        assert_eq!(told(&["--no-ipv6", "--no-ipv6", "--ipv6"]).unwrap(), ["network.ipv6 true --ipv6"]);
    }

    #[test]
    fn values_that_cannot_be_are_refused_at_once() {
        for bad in [
            ["--down", "200"],
            ["--up", "fast"],
            ["--max-peers", "0"],
            ["--bind", ""],
            ["--proxy", "x"],
            ["--encryption", "maybe"],
        ] {
            assert!(told(&bad).is_err(), "{bad:?}");
        }
        assert!(told(&["--up", "999.5"]).unwrap_err().contains("write 999.5K"));
    }

    #[test]
    fn switching_off_is_not_refused() {
        let refused = |line: &[&str]| {
            let line = Line::try_parse_from(std::iter::once(&"x").chain(line)).unwrap();
            let mut config = Config::built_in();
            for (key, value, flag) in line.network.keys() {
                config.flag(key, value, flag);
            }
            config.refuse_unsupported().map_err(|error| error.message)
        };
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
        assert_eq!(refused(&off), Ok(()));
        assert_eq!(refused(&["--trackers", "--ipv6", "--pex", "--dht", "--lsd"]), Ok(()));
        assert_eq!(refused(&["--no-utp", "--utp"]), Err("--utp is not available yet".to_owned()));
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
