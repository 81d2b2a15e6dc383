//! How others are told where to fetch what is given: the command for the other side, a QR code, and who
//! can use them.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::base::{InfoHash, units};
use crate::engine::content;
use crate::face::cli::address::is_local;
use crate::face::cli::error::Failure;
use crate::face::cli::output::{Output, Progress, raw};
use crate::face::cli::{json, qr};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;
use crate::store::ScannedFile;

use super::Verb;

/// When a QR code is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Qr {
    /// For one torrent, on a terminal with room
    #[default]
    Auto,
    /// Wherever it can be drawn
    Always,
    /// Nowhere
    Never,
}

/// What the links of a command have in common, and what is given.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// Our own addresses, the best first.
    pub addresses: Vec<IpAddr>,
    /// Everything goes out from one address.
    pub bound: bool,
    /// They stay out of the link.
    pub hide_addresses: bool,
    /// Nobody outside the local network is told.
    pub lan: bool,
    /// The distributed hash table is used.
    pub dht: bool,
    /// When a QR code is drawn.
    pub qr: Qr,
    /// The torrents.
    pub given: BTreeMap<InfoHash, Given>,
}

/// One torrent that is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The link without our addresses.
    pub magnet: Magnet,
    /// `412 files, 1.9 GiB, 1 MiB pieces, v1`.
    pub facts: String,
    /// Peers come from its trackers only (BEP 27).
    pub private: bool,
    /// Its files, where we have hashed them ourselves.
    pub files: Vec<ScannedFile>,
    /// What the user calls it.
    pub path: PathBuf,
}

impl Given {
    /// A torrent without files that we have hashed.
    pub fn new(torrent: &Metainfo, path: PathBuf) -> Self {
        let files = units::plural(u64::from(content::file_count(torrent, &[])), "file", "files");
        let size = units::size(content::wanted(torrent, &[]));
        let pieces = units::size(u64::from(torrent.geometry().piece_len()));
        let id = torrent.info_hash();
        let version = match (id.sha1(), id.sha256()) {
            (Some(_), Some(_)) => "v1+v2",
            (None, _) => "v2",
            (Some(_), None) => "v1",
        };
        Self {
            magnet: Magnet::of(torrent),
            facts: format!("{files}, {size}, {pieces} pieces, {version}"),
            private: torrent.is_private(),
            files: Vec::new(),
            path,
        }
    }
}

/// A link as it is told.
#[derive(Serialize)]
struct Event {
    schema: &'static str,
    event: &'static str,
    torrent: String,
    name: Option<String>,
    link: String,
    command: String,
    addresses: Vec<String>,
    short: String,
    private: bool,
}

impl Links {
    /// Tells how one of them is fetched from where peers reach us.
    pub fn tell(&self, id: InfoHash, port: Option<u16>, output: &Output) -> Result<(), Failure> {
        let Some(given) = self.given.get(&id) else { return Ok(()) };
        let mut link = given.magnet.clone();
        if !self.hide_addresses {
            link.peers = self.addresses(port);
        }
        let command = command(&link);
        self.event(id, given, &link, &command, output)?;
        match output.progress {
            Progress::Bar => self.story(given, &link, &command, port, output),
            Progress::Lines => {
                for line in self.lines(given, &link, &command, port) {
                    output.say(&line);
                }
                self.draw(&link, output);
            }
            Progress::None | Progress::Json => self.draw(&link, output),
        }
        let wanted = !output.stdout_tty || output.quiet == 1;
        if wanted && !output.json && output.quiet < 2 {
            output.line(&link.to_string())?;
        }
        Ok(())
    }

    fn addresses(&self, port: Option<u16>) -> Vec<SocketAddr> {
        let told = self.addresses.iter().filter(|ip| !self.lan || is_local(**ip) || ip.is_loopback());
        port.map(|port| told.map(|ip| SocketAddr::new(*ip, port)).collect()).unwrap_or_default()
    }

    fn event(
        &self,
        id: InfoHash,
        given: &Given,
        link: &Magnet,
        command: &str,
        output: &Output,
    ) -> Result<(), Failure> {
        let event = Event {
            schema: Verb::Seed.schema(),
            event: "link",
            torrent: id.to_string(),
            name: link.name.as_ref().map(|name| name.raw().to_owned()),
            link: link.to_string(),
            command: command.to_owned(),
            addresses: link.peers.iter().map(ToString::to_string).collect(),
            short: qr::short_link(link),
            private: given.private,
        };
        if output.progress == Progress::Json {
            raw(&format!("{}\n", json::line(&event)));
        }
        output.event(&event)
    }

    /// The words around a link on a terminal; the code comes last, so that it is seen whole.
    fn story(&self, given: &Given, link: &Magnet, command: &str, port: Option<u16>, output: &Output) {
        let name = link.name.as_ref().map(|name| output.err.fit(name, 60)).unwrap_or_default();
        // What is drawn at the bottom meanwhile would push the code off the screen.
        output.live.erase();
        output.say("");
        output.say(&format!(" {name}    {}", given.facts));
        output.say("");
        output.say(" On the other machine:");
        output.say(&format!("   {command}"));
        output.say("");
        for line in self.who(given, link, port) {
            output.say(&format!(" {line}"));
        }
        self.draw(link, output);
    }

    /// The same as lines of a log.
    fn lines(&self, given: &Given, link: &Magnet, command: &str, port: Option<u16>) -> Vec<String> {
        let name = link.name.as_ref().map(|name| name.fit(60)).unwrap_or_default();
        let mut lines = vec![format!("{name}: {}", given.facts), format!("on the other machine: {command}")];
        lines.extend(self.who(given, link, port));
        lines
    }

    /// Who can use the link, as far as that is known.
    fn who(&self, given: &Given, link: &Magnet, port: Option<u16>) -> Vec<String> {
        let mut finds = Vec::new();
        if self.dht && !given.private {
            finds.push("the DHT makes it findable");
        }
        if !link.trackers.is_empty() {
            finds.push("its trackers tell who has it");
        }
        let mut lines = Vec::new();
        if self.lan {
            lines.push("Only the local network is told; nobody else learns of it from here.".to_owned());
        } else {
            let finds = finds.iter().map(|found| format!(", and {found}")).collect::<String>();
            lines.push(format!("Anyone with this link can download{finds}. --lan keeps it local."));
        }
        if link.peers.is_empty() && link.trackers.is_empty() && (!self.dht || given.private) && !self.lan {
            lines.push(
                "The link names nobody who has it: the other side needs our address (--peer).".to_owned(),
            );
        }
        lines.push(self.reach(port));
        lines
    }

    /// Where we can be reached from.
    fn reach(&self, port: Option<u16>) -> String {
        let Some(port) = port else { return "Nobody can connect to us: no port is open.".to_owned() };
        if self.addresses.is_empty() {
            return format!("Our own addresses are not known; peers reach us on port {port}.");
        }
        if self.addresses.iter().all(IpAddr::is_loopback) {
            let why = if self.bound { "" } else { ": it has no network" };
            return format!("this machine only{why}");
        }
        if self.lan {
            return "same network: ready".to_owned();
        }
        let outside = |v6: bool| self.addresses.iter().any(|ip| ip.is_ipv6() == v6 && !is_local(*ip));
        let internet = match (outside(false), outside(true)) {
            (true, _) => format!("port {port} has to be open; not yet seen from outside"),
            (false, true) => format!("by IPv6 if port {port} is open, by IPv4 if the router forwards it"),
            (false, false) => format!("only if the router forwards port {port} to this machine"),
        };
        format!("same network: ready    internet: {internet}")
    }

    fn draw(&self, link: &Magnet, output: &Output) {
        let auto = self.qr == Qr::Auto;
        let wanted = match self.qr {
            Qr::Never => false,
            Qr::Always => output.quiet == 0,
            Qr::Auto => output.progress == Progress::Bar && self.given.len() == 1,
        };
        if !wanted {
            return;
        }
        let size = output.size();
        match qr::draw(&qr::short_link(link), output.err, size.columns) {
            // What stands below it would push it off the screen.
            Ok(lines) if auto && lines.len() >= size.rows => {
                let (needs, has) = (lines.len() + 1, size.rows);
                output.say(&format!(" no QR code: it takes {needs} rows and there are {has}"));
            }
            Ok(lines) => lines.iter().for_each(|line| output.say(line)),
            Err(why) => output.say(&format!(" {why}")),
        }
    }
}

/// The command for the other side, fit for a shell: a link has nothing in it that ends a quotation.
fn command(link: &Magnet) -> String {
    format!("torr get '{link}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(private: bool) -> Given {
        Given {
            magnet: Magnet { name: Some("it's".into()), ..Magnet::new(InfoHash::v1([0xab; 20])) },
            facts: "1 file".to_owned(),
            private,
            files: Vec::new(),
            path: "it's".into(),
        }
    }

    fn links(addresses: &[&str]) -> Links {
        let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
        Links { addresses, ..Links::default() }
    }

    fn said(links: &Links, given: &Given) -> Vec<String> {
        let mut link = given.magnet.clone();
        link.peers = links.addresses(Some(5));
        links.who(given, &link, Some(5))
    }

    #[test]
    fn only_what_is_known_is_said() {
        let open = "Anyone with this link can download. --lan keeps it local.";
        let local = links(&["192.168.1.20"]);
        let forwarded = "same network: ready    internet: only if the router forwards port 5 to this machine";
        assert_eq!(said(&local, &given(false)), [open, forwarded]);
        let dht = Links { dht: true, ..local.clone() };
        assert_eq!(
            said(&dht, &given(false))[0],
            "Anyone with this link can download, and the DHT makes it findable. --lan keeps it local."
        );
        assert_eq!(said(&dht, &given(true))[0], open);
        let both = links(&["192.168.1.20", "203.0.113.40"]);
        assert!(said(&both, &given(false))[1].ends_with("port 5 has to be open; not yet seen from outside"));
        assert!(said(&links(&["10.0.0.1", "2001:db8::1"]), &given(false))[1].contains("by IPv6 if port 5"));
        let bound = Links { bound: true, ..links(&["127.0.0.1"]) };
        assert_eq!(said(&bound, &given(false))[1], "this machine only");
        let lan = Links { lan: true, ..both };
        assert_eq!(said(&lan, &given(false))[1], "same network: ready");
        assert_eq!(lan.addresses(Some(5)), ["192.168.1.20:5".parse().unwrap()]);
        assert!(said(&links(&[]), &given(false))[1].contains("names nobody"));
        assert_eq!(local.reach(None), "Nobody can connect to us: no port is open.");
    }

    #[test]
    fn the_command_is_one_word_behind_the_verb() {
        let text = command(&given(false).magnet);
        assert_eq!(text.matches('\'').count(), 2, "{text}");
        assert!(text.ends_with("dn=it%27s'"), "{text}");
    }
}
