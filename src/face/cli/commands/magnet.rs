//! `torr magnet`: from a torrent file to its link, and what a link says.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::base::{InfoHash, Untrusted};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::{input, qr};
use crate::proto::magnet::Magnet;

use super::show::{self, about::About};

/// Make a magnet link of a torrent file, or explain one
///
/// A link leads to the same torrent as the file: the receiver finds peers by the trackers and addresses in
/// it, or by its info hash alone.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr magnet ubuntu.torrent
  torr magnet photos.torrent --short --peer 192.168.1.20:51999 --qr
  torr magnet 'magnet:?xt=urn:btih:…'")]
pub struct MagnetArgs {
    /// A torrent file or - for standard input; or a magnet link or an info hash, to be explained
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// The info hash and nothing else, but for peers that are given
    #[arg(long)]
    short: bool,
    /// The address of a peer that has the torrent; may be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = peer)]
    peer: Vec<Peer>,
    /// Which trackers go into the link
    #[arg(long, value_name = "WHICH", default_value = "all", conflicts_with = "short")]
    trackers: Which,
    /// Also draw a QR code of the info hash and the first peer
    #[arg(long)]
    qr: bool,
    /// Ask the swarm for the torrent file of a link; not available yet
    #[arg(long)]
    fetch: bool,
    /// Where --fetch writes the torrent file; not available yet
    #[arg(short, long, value_name = "FILE", requires = "fetch")]
    output: Option<PathBuf>,
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

/// Prints or explains it.
pub fn run(args: &MagnetArgs, output: &Output) -> Result<Exit, Failure> {
    if args.fetch {
        return Err(Failure::not_yet("--fetch").hint("without it torr magnet explains the link itself"));
    }
    let given = show::link(&args.torrent);
    let about = match &given {
        Some(link) => show::explain(link)?,
        None => show::look(&input::bytes(&args.torrent, &input::Reading::alone(output))?, &args.torrent)?,
    };
    let changes = args.short || !args.peer.is_empty() || args.trackers != Which::All;
    let link = shaped(args, about.magnet.clone());
    // A link that is to be made into another link needs no explanation.
    if given.is_some() && !changes && !output.json {
        show::tell(&about, false, true, output)?;
    } else if output.json {
        output.event(&document(&about, &link))?;
    } else {
        output.line(&link.to_string())?;
    }
    if args.qr && !output.json {
        draw(&link, output)?;
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

fn draw(link: &Magnet, output: &Output) -> Result<(), Failure> {
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
}

fn document(about: &About, link: &Magnet) -> Document {
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
    }
}

fn peer(text: &str) -> Result<Peer, String> {
    if let Ok(addr) = text.parse::<SocketAddr>() {
        let nobody = addr.port() == 0 || addr.ip().is_unspecified() || addr.ip().is_multicast();
        return if nobody { Err("this address reaches nobody".to_owned()) } else { Ok(Peer::At(addr)) };
    }
    // The link is read back by the rules for links, so that what is taken here is understood elsewhere.
    let link = Magnet {
        named_peers: text
            .rsplit_once(':')
            .and_then(|(host, port)| Some((Untrusted::new(host), port.parse().ok()?)))
            .into_iter()
            .collect(),
        ..Magnet::new(InfoHash::v1([0; 20]))
    };
    let read = Magnet::parse(&link.to_string()).ok();
    let named = read.and_then(|link| link.named_peers.into_iter().next());
    let (host, port) = named.ok_or("a peer is written HOST:PORT, or [ADDRESS]:PORT for IPv6")?;
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
