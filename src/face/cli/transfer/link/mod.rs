//! How others are told where to fetch what is given: the command for the other side, a QR code, and who
//! can use them.

mod words;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;

use crate::app::Error;
use crate::app::door::content;
use crate::app::making::ScannedFile;
use crate::app::own_addresses::is_local;
use crate::app::session_settings::SessionSettings;
use crate::base::{InfoHashes, units};
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::progress::layout::Size;
use crate::face::cli::stderr;
use crate::face::cli::style::width;
use crate::face::cli::{json, qr};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;

use super::Verb;

/// When a QR code is drawn.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Qr {
    /// For a single torrent, if it fits the terminal
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// Settings that all links of a command share, and the torrents that are seeded.
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
    /// The local network is told by multicast.
    pub lsd: bool,
    /// When a QR code is drawn.
    pub qr: Qr,
    /// The torrents, by info-hash: what is said of them is put together before any of them is in a session.
    pub given: BTreeMap<InfoHashes, Given>,
}

/// One torrent that is given.
#[derive(Clone, Debug)]
pub struct Given {
    /// The link without our addresses.
    pub magnet: Magnet,
    /// `412 files, 1.9 GiB, 1 MiB pieces, v1+v2`.
    pub facts: String,
    /// Peers come from its trackers only (BEP 27).
    pub private: bool,
    /// The torrent has trackers that the link leaves out.
    pub keeps_trackers: bool,
    /// Its files as they were before anybody was told of them.
    pub files: Vec<ScannedFile>,
    /// The path as the user wrote it.
    pub path: PathBuf,
}

impl Given {
    /// A torrent of whose files nothing is known yet.
    pub fn new(torrent: &Metainfo, path: PathBuf) -> Self {
        let files = units::plural(u64::from(content::file_count(torrent, &[])), "file", "files");
        let size = units::size(content::wanted(torrent, &[]));
        let pieces = units::size(u64::from(torrent.geometry().piece_len()));
        let id = torrent.info_hash();
        let version = match (id.v1(), id.v2()) {
            (Some(_), Some(_)) => "v1+v2",
            (None, _) => "v2",
            (Some(_), None) => "v1",
        };
        Self {
            magnet: Magnet::of(torrent),
            facts: format!("{files}, {size}, {pieces} pieces, {version}"),
            private: torrent.is_private(),
            keeps_trackers: false,
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
    /// The links of a session, as far as they are known before it listens.
    pub fn of(settings: &SessionSettings) -> Self {
        let engine = settings.engine_config(1);
        Self {
            addresses: settings.own_addresses(),
            bound: settings.bind().is_some(),
            lan: settings.is_lan_only(),
            dht: engine.dht,
            lsd: engine.lsd,
            ..Self::default()
        }
    }

    /// Tells how one of them is fetched from where peers reach us.
    pub fn tell(&self, torrent: InfoHashes, port: Option<u16>, output: &Output) -> Result<(), Error> {
        let Some(given) = self.given.get(&torrent) else { return Ok(()) };
        let mut link = given.magnet.clone();
        if !self.hide_addresses {
            link.peers = self.addresses(port);
        }
        let command = self.command(&link);
        self.event(torrent, given, &link, &command, output)?;
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

    /// The command for the other side, fit for a shell: a link has nothing in it that ends a quotation. What is
    /// for the local network alone is not told to others by those who fetch it either.
    fn command(&self, link: &Magnet) -> String {
        let flag = if self.lan { "--lan " } else { "" };
        format!("torr get {flag}'{link}'")
    }

    fn addresses(&self, port: Option<u16>) -> Vec<SocketAddr> {
        let told = self.addresses.iter().filter(|ip| !self.lan || is_local(**ip) || ip.is_loopback());
        port.map(|port| told.map(|ip| SocketAddr::new(*ip, port)).collect()).unwrap_or_default()
    }

    fn event(
        &self,
        torrent: InfoHashes,
        given: &Given,
        link: &Magnet,
        command: &str,
        output: &Output,
    ) -> Result<(), Error> {
        let event = Event {
            schema: Verb::Seed.schema(),
            event: "link",
            torrent: torrent.to_string(),
            name: link.name.as_ref().map(|name| name.raw().to_owned()),
            link: link.to_string(),
            command: command.to_owned(),
            addresses: link.peers.iter().map(ToString::to_string).collect(),
            short: qr::short_link(link),
            private: given.private,
        };
        if output.progress == Progress::Json {
            stderr::write(&format!("{}\n", json::line(&event)));
        }
        output.event(&event)
    }

    /// The words around a link on a terminal. The command is last, so that it is seen whatever scrolls away, and a
    /// code that would push it off the screen is left out.
    fn story(&self, given: &Given, link: &Magnet, command: &str, port: Option<u16>, output: &Output) {
        let size = output.size();
        let name = link.name.as_ref().map(|name| output.err.fit(name, 60)).unwrap_or_default();
        let facts = [String::new(), format!(" {name}    {}", given.facts), String::new()];
        let command = [" On the other machine:".to_owned(), format!("   {command}"), String::new()];
        let who = words::laid_out(&self.who(given, link, port), size.columns.saturating_sub(1));
        let mut code = self.code(link, output);
        let height = |lines: &[String]| lines.iter().map(|line| rows(line, size.columns)).sum::<usize>();
        // Below the command stands the line of progress.
        let needed = code.len() + height(&command) + 1;
        if self.qr == Qr::Auto && needed > size.rows {
            code = no_room(needed, size);
        }
        // What is drawn at the bottom meanwhile would push the code off the screen.
        output.live.erase();
        let order: [&[String]; 4] = [&facts, &who, &code, &command];
        order.into_iter().flatten().for_each(|line| output.say(line));
    }

    /// The same as lines of a log.
    fn lines(&self, given: &Given, link: &Magnet, command: &str, port: Option<u16>) -> Vec<String> {
        let name = link.name.as_ref().map(|name| name.fit(60)).unwrap_or_default();
        let mut lines = vec![format!("{name}: {}", given.facts), format!("on the other machine: {command}")];
        lines.extend(self.who(given, link, port).iter().map(|parts| parts.join("    ")));
        lines
    }

    fn draw(&self, link: &Magnet, output: &Output) {
        self.code(link, output).iter().for_each(|line| output.say(line));
    }

    /// The code as lines, or why there is none; nothing where it is not wanted.
    fn code(&self, link: &Magnet, output: &Output) -> Vec<String> {
        let auto = self.qr == Qr::Auto;
        let wanted = match self.qr {
            Qr::Never => false,
            Qr::Always => output.quiet == 0,
            Qr::Auto => output.progress == Progress::Bar && self.given.len() == 1,
        };
        if !wanted {
            return Vec::new();
        }
        let size = output.size();
        match qr::draw(&qr::short_link(link), output.err, size.columns) {
            Ok(lines) if auto && lines.len() >= size.rows => no_room(lines.len() + 1, size),
            Ok(lines) => lines,
            Err(why) => no_code(why.to_string(), size),
        }
    }
}

/// Says that there is no room for a code and what must be seen with it.
fn no_room(needed: usize, size: Size) -> Vec<String> {
    no_code(
        format!("no QR code: it needs {needed} rows and there are {} (--qr always draws it)", size.rows),
        size,
    )
}

fn no_code(why: String, size: Size) -> Vec<String> {
    let mut lines = words::laid_out(&[vec![why]], size.columns.saturating_sub(1));
    lines.push(String::new());
    lines
}

/// How many rows a line of a terminal takes.
fn rows(line: &str, columns: usize) -> usize {
    width(line).div_ceil(columns.max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_one_word_behind_the_verb() {
        let link = Magnet { name: Some("it's".into()), ..Magnet::new(InfoHashes::from_v1([0xab; 20])) };
        let text = Links::default().command(&link);
        assert_eq!(text.matches('\'').count(), 2, "{text}");
        assert!(text.starts_with("torr get 'magnet:") && text.ends_with("dn=it%27s'"), "{text}");
        let lan = Links { lan: true, ..Links::default() };
        assert!(lan.command(&link).starts_with("torr get --lan 'magnet:"));
    }
}
