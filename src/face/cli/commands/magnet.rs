//! `torr magnet`: from a torrent file to its link, what a link says, and from a link to its torrent file.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::app::input::Link;
use crate::app::session_settings::NetworkOptions;
use crate::app::submission::torrent_file_name;
use crate::app::{Error, shown};
use crate::base::{InfoHashes, Untrusted, units};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::fetch;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;
use crate::face::cli::style::Role;
use crate::face::cli::{fetching, qr};
use crate::proto::magnet::Magnet;
use crate::proto::paths::safe_name;

use super::create::target::Target;
use super::show::{self, about::About};

/// Convert between torrent files and magnet links, or explain a link
///
/// A magnet link identifies the same torrent as the file: the receiver finds peers through the trackers and
/// addresses in the link, or by its info hash alone. With --fetch, the metadata that the link lacks is
/// fetched from the swarm; the link is printed with its name, or with -o saved as a torrent file.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr magnet ubuntu.torrent
  torr magnet photos.torrent --short --peer 192.168.1.20:51999 --qr
  torr magnet 'magnet:?xt=urn:btih:…'
  torr magnet 'magnet:?xt=urn:btih:…' --fetch -o ubuntu.torrent")]
pub struct MagnetArgs {
    /// Torrent file to convert, - for standard input; or a magnet link or info hash to explain
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// Print a link with only the info hash and any --peer addresses
    #[arg(long)]
    short: bool,
    /// Add the address of a peer that has the torrent; can be repeated
    #[arg(long, value_name = "HOST:PORT", value_parser = peer)]
    peer: Vec<Peer>,
    /// Which trackers to put into the link
    #[arg(long, value_name = "WHICH", default_value = "all", conflicts_with = "short")]
    trackers: Which,
    /// Also print a QR code of the info hash and the first peer
    #[arg(long)]
    qr: bool,
    /// Fetch the metadata of a magnet link or info hash from the swarm
    #[arg(long)]
    fetch: bool,
    /// With --fetch: write the torrent file to FILE; - for standard output
    #[arg(short, long, value_name = "FILE", requires = "fetch", conflicts_with_all = ["short", "trackers", "qr"])]
    output: Option<PathBuf>,
    /// Overwrite FILE if it exists
    #[arg(short, long, requires = "output")]
    force: bool,
    /// Time limit for --fetch [default: 60s]
    #[arg(long, value_name = "TIME", value_parser = units::parse_span, requires = "fetch")]
    timeout: Option<Duration>,
    /// Use the local network only: no trackers, no DHT, no PEX
    #[arg(long, requires = "fetch")]
    lan: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Which {
    /// All of them
    All,
    /// The first
    First,
    /// None
    None,
}

/// A peer by its address or by its name, which goes into the link unresolved.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Peer {
    At(SocketAddr),
    Named(String, u16),
}

/// Prints, explains or fetches it.
pub fn run(args: &MagnetArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let given = Link::of(&args.torrent)?;
    let explain = given.is_some() && !args.fetch;
    let (about, bytes) = match given {
        Some(link) if args.fetch => {
            // In a folder it gets a name that is not known yet.
            if let Some(target) =
                args.output.as_deref().filter(|path| !path.is_dir()).map(|path| target(path, ""))
            {
                target.check(args.force, output)?;
            }
            let patience = args.timeout.unwrap_or(fetch::TIMEOUT);
            let said = link.magnet.clone();
            let torrent = fetch::torrent(link, network(args), patience, global, output)?;
            let mut about = About::torrent(&torrent.metainfo);
            // What only a link can say stays in the link.
            let Magnet { peers, named_peers, select, .. } = said;
            about.magnet = Magnet { peers, named_peers, select, ..about.magnet };
            (about, Some(torrent.bytes))
        }
        Some(link) => (About::link(link.magnet, &link.notes), None),
        None => {
            let bytes = fetching::bytes(&args.torrent, output)?;
            (show::look(&bytes, &args.torrent)?, Some(bytes))
        }
    };
    let changes = args.short || !args.peer.is_empty() || args.trackers != Which::All;
    let link = shaped(args, about.magnet.clone());
    if let (Some(path), Some(bytes)) = (&args.output, bytes) {
        let target = target(path, about.name.as_ref().map_or("", Untrusted::raw));
        target.check(args.force, output)?;
        target.write(&bytes, args.force, output)?;
        return kept(&about, &link, &target, bytes.len(), output);
    }
    // A link that is to be made into another link needs no explanation.
    if explain && !changes && !output.json {
        show::tell(&about, false, true, output)?;
    } else if output.json {
        output.event(&document(&about, &link, None))?;
    } else {
        output.line(&link.to_string())?;
    }
    if args.qr && !output.json {
        draw(&link, output)?;
    }
    Ok(Exit::Done)
}

/// Where the torrent file goes; in a folder under the name of the torrent.
fn target(path: &Path, name: &str) -> Target {
    Target::new(Some(path), torrent_file_name(Path::new(&safe_name(name.as_bytes()))))
}

/// The network as the flags want it: the peers they name are asked as well.
fn network(args: &MagnetArgs) -> NetworkOptions {
    let mut network = NetworkOptions { lan: args.lan, ..NetworkOptions::default() };
    for peer in &args.peer {
        match peer {
            Peer::At(addr) => network.peers.push(*addr),
            Peer::Named(host, port) => network.named_peers.push((host.clone(), *port)),
        }
    }
    network
}

/// The torrent file is where it was wanted.
fn kept(about: &About, link: &Magnet, target: &Target, len: usize, output: &Output) -> Result<Exit, Error> {
    let Some(path) = target.path() else { return Ok(Exit::Done) };
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if output.json {
        output.event(&document(about, link, Some(&path)))?;
        return Ok(Exit::Done);
    }
    let name = about.name.as_ref().map(|name| name.fit(100)).unwrap_or_default();
    output.say(&format!(
        "{} {}  the torrent file of {name}, {}",
        output.err.paint(Role::Good, output.err.ok()),
        shown(&path),
        units::size(len as u64)
    ));
    if !output.stdout_tty && output.quiet < 2 {
        output.path(&path, b'\n')?;
    }
    Ok(Exit::Done)
}

/// The link as the flags want it.
fn shaped(args: &MagnetArgs, whole: Magnet) -> Magnet {
    let mut link = if args.short { Magnet::new(whole.info_hash) } else { whole };
    match args.trackers {
        Which::All => {}
        Which::First => link.trackers.truncate(1),
        Which::None => link.trackers.clear(),
    }
    for peer in &args.peer {
        match peer {
            Peer::At(addr) if !link.peers.contains(addr) => link.peers.push(*addr),
            Peer::Named(host, port) => link.named_peers.push((Untrusted::new(host.as_str()), *port)),
            Peer::At(_) => {}
        }
    }
    link
}

fn draw(link: &Magnet, output: &Output) -> Result<(), Error> {
    match qr::draw(&qr::short_link(link), output.out, output.columns()) {
        Ok(lines) => output.data((lines.join("\n") + "\n").as_bytes()),
        Err(why) => {
            output.say(&why.to_string());
            Ok(())
        }
    }
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    magnet: String,
    short: String,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    name: Option<String>,
    trackers: Vec<String>,
    web_seeds: Vec<String>,
    peers: Vec<String>,
    select: Option<String>,
    notes: Vec<String>,
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
}

fn document(about: &About, link: &Magnet, path: Option<&Path>) -> Document {
    let raw = |text: &Untrusted| text.raw().to_owned();
    let told = About::link(link.clone(), &[]);
    let hints = told.link.as_ref();
    let known = about.link.is_some();
    Document {
        schema: "torr.magnet/1",
        magnet: link.to_string(),
        short: Magnet::new(link.info_hash).to_string(),
        info_hash: told.v1(),
        info_hash_v2: told.v2_hash(),
        name: link.name.as_ref().map(raw),
        trackers: link.trackers.iter().map(raw).collect(),
        web_seeds: link.web_seeds.iter().map(raw).collect(),
        peers: hints.map(|hints| hints.peers.clone()).unwrap_or_default(),
        select: hints.and_then(|hints| hints.select.clone()),
        notes: if known { about.notes.clone() } else { Vec::new() },
        path: path.map(|path| path.to_string_lossy().into_owned()),
        path_hex: path.and_then(path_hex),
    }
}

fn peer(text: &str) -> Result<Peer, String> {
    if let Ok(addr) = text.parse::<SocketAddr>() {
        let nobody = addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast();
        return if nobody {
            Err("no peer can be reached at this address".to_owned())
        } else {
            Ok(Peer::At(addr))
        };
    }
    // The link is read back by the rules for links, so that what is taken here is understood elsewhere.
    let link = Magnet {
        named_peers: text
            .rsplit_once(':')
            .and_then(|(host, port)| Some((Untrusted::new(host), port.parse().ok()?)))
            .into_iter()
            .collect(),
        ..Magnet::new(InfoHashes::from_v1([0; 20]))
    };
    let read = Magnet::parse(&link.to_string()).ok();
    let named = read.and_then(|link| link.named_peers.into_iter().next());
    let (host, port) = named.ok_or("write a peer as HOST:PORT, or [ADDRESS]:PORT for IPv6")?;
    Ok(Peer::Named(host.raw().to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_addresses_or_names() {
        assert_eq!(peer("1.2.3.4:5"), Ok(Peer::At("1.2.3.4:5".parse().unwrap())));
        assert_eq!(peer("[::1]:5"), Ok(Peer::At("[::1]:5".parse().unwrap())));
        assert_eq!(peer("box.lan:5"), Ok(Peer::Named("box.lan".to_owned(), 5)));
        for bad in
            ["", "x", "x:", ":5", "x:0", "x:99999", "a b:5", "1.2.3.4", "0.0.0.0:5", "1.2.3.4:0", "a/b:5"]
        {
            assert!(peer(bad).is_err(), "{bad}");
        }
    }
}
