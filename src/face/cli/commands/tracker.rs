//! `torr tracker`: a small tracker for a local network or for tests.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::app::input::Link;
use crate::app::tracker_server::{Access, PeerEvent, PeerSeen, ServerConfig, ServerStats, TrackerServer};
use crate::app::{Error, ErrorKind, reason};
use crate::base::{InfoHashes, units};
use crate::face::cli::exit::Exit;
use crate::face::cli::fetching;
use crate::face::cli::output::Output;
use crate::face::cli::progress::amounts::percent;
use crate::face::cli::signals::Signals;
use crate::face::cli::transfer::block_on;

use super::show::{self, about::About};

/// Run a small tracker for a local network or for tests
///
/// Serves HTTP and UDP from memory. Prints the announce URLs to put into torrents, then a line for each peer
/// that joins, completes or leaves. --interval sets how often peers announce (default: 60s). Ctrl-C stops.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr tracker
  torr tracker --listen 0.0.0.0:6969
  torr tracker --allow photos.torrent --allow 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa")]
pub struct TrackerArgs {
    /// Address to listen on; port 0 picks a free one [default: this machine's private address, port 6969]
    #[arg(long, value_name = "ADDR:PORT", value_parser = place)]
    listen: Option<SocketAddr>,
    /// Serve only UDP
    #[arg(long)]
    udp: bool,
    /// Serve only HTTP
    #[arg(long, conflicts_with = "udp")]
    http: bool,
    /// Serve every torrent (default)
    #[arg(long, conflicts_with = "allow")]
    open: bool,
    /// Serve only this torrent: an info hash, magnet link or torrent file (which lets torr show progress);
    /// can be repeated
    #[arg(long, value_name = "HASH|FILE")]
    allow: Vec<PathBuf>,
}

const SCHEMA: &str = "torr.tracker/1";
const PORT: u16 = 6969;
/// How often peers announce, unless `--interval` says otherwise.
const INTERVAL: Duration = Duration::from_secs(60);

/// Serves until it is stopped.
pub fn run(args: &TrackerArgs, output: &Output) -> Result<Exit, Error> {
    block_on(output, serve(args, output))
}

async fn serve(args: &TrackerArgs, output: &Output) -> Result<Exit, Error> {
    let mut signals = Signals::take().map_err(|error| {
        Error::new(ErrorKind::Internal, "internal", format!("cannot install signal handlers: {error}"))
    })?;
    let listen = args.listen.unwrap_or_else(|| SocketAddr::new(private_address(), PORT));
    let interval = output.interval.unwrap_or(INTERVAL);
    if interval.is_zero() {
        return Err(Error::usage("the interval is too short; write --interval 60s"));
    }
    let known = known(&args.allow, output)?;
    let config = ServerConfig {
        http: (!args.udp).then_some(listen),
        udp: (!args.http).then_some(listen),
        interval,
        access: if args.allow.is_empty() {
            Access::Open
        } else {
            Access::Only(known.keys().copied().collect())
        },
    };
    let server = TrackerServer::start(config).await.map_err(|error| {
        let why = if error.kind() == std::io::ErrorKind::AddrInUse {
            "another program uses it".to_owned()
        } else {
            reason(&error)
        };
        Error::new(ErrorKind::Usage, "network", format!("cannot listen on {listen}: {why}"))
            .hint("choose another address with --listen ADDR:PORT; port 0 takes any free port")
    })?;
    tell_where(&server.announce_urls(), output)?;
    let mut seen = server.watch();
    let exit = loop {
        tokio::select! {
            exit = signals.next() => break exit,
            peer = seen.recv() => match peer {
                Ok(peer) => tell(&peer, &known, output)?,
                Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                    output.warn(&format!("{} not shown: too many at once", units::plural(missed, "event", "events")));
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break Exit::Internal,
            },
        }
    };
    let stats = server.stats();
    server.stop().await;
    goodbye(&stats, output)?;
    Ok(exit)
}

/// The torrents that are served, each with its size where that is known.
fn known(allow: &[PathBuf], output: &Output) -> Result<Sizes, Error> {
    let mut sizes = Sizes::new();
    for argument in allow {
        let about = match Link::of(argument)? {
            Some(link) => About::link(link.magnet, &link.notes),
            None => show::look(&fetching::bytes(argument, output)?, argument)?,
        };
        let size = about.content.map(|content| content.size);
        // A torrent of both versions has a swarm by each of its names.
        let names =
            [about.info_hash.v1().map(InfoHashes::from_v1), about.info_hash.v2().map(InfoHashes::from_v2)];
        sizes.extend(names.into_iter().flatten().map(|name| (name, size)));
    }
    Ok(sizes)
}

/// Bytes of torrents by their name.
type Sizes = BTreeMap<InfoHashes, Option<u64>>;

fn goodbye(stats: &ServerStats, output: &Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Summary {
        schema: &'static str,
        event: &'static str,
        announces: u64,
        scrapes: u64,
        refused: u64,
        torrents: usize,
        peers: usize,
        seeds: usize,
    }
    let ServerStats { announces, scrapes, refused, totals } = *stats;
    if !output.json {
        let count = |n: usize, one, many| units::plural(n as u64, one, many);
        output.say(&format!(
            "stopped; {} answered, {} refused; knew {} ({}) in {}",
            units::plural(announces + scrapes, "request", "requests"),
            units::count(refused),
            count(totals.peers, "peer", "peers"),
            count(totals.seeds, "seed", "seeds"),
            count(totals.torrents, "torrent", "torrents"),
        ));
    }
    output.event(&Summary {
        schema: SCHEMA,
        event: "summary",
        announces,
        scrapes,
        refused,
        torrents: totals.torrents,
        peers: totals.peers,
        seeds: totals.seeds,
    })
}

fn tell_where(urls: &[String], output: &Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Listening<'a> {
        schema: &'static str,
        event: &'static str,
        urls: &'a [String],
    }
    if output.json {
        return output.event(&Listening { schema: SCHEMA, event: "listening", urls });
    }
    output.say("announce URLs to put into torrents (torr create -t URL); Ctrl-C stops");
    let lines: String = urls.iter().map(|url| format!("{url}\n")).collect();
    output.data(lines.as_bytes())
}

fn tell(peer: &PeerSeen, sizes: &Sizes, output: &Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Peer {
        schema: &'static str,
        event: &'static str,
        torrent: String,
        peer: String,
        left: Option<u64>,
        progress: Option<f64>,
    }
    let word = match peer.event {
        PeerEvent::Joined => "joined",
        PeerEvent::Completed => "completed",
        PeerEvent::Left => "left",
        PeerEvent::Expired => "expired",
    };
    // Peers of a v2 torrent announce the beginning of its hash.
    let same = |name: &&InfoHashes| name.wire() == peer.info_hash.wire();
    let size = sizes.keys().find(same).and_then(|name| sizes[name]);
    let progress = progress(peer.left, size);
    if output.json {
        let (torrent, addr) = (peer.info_hash.to_string(), peer.addr.to_string());
        let left = peer.left;
        return output.event(&Peer { schema: SCHEMA, event: word, torrent, peer: addr, left, progress });
    }
    let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    let far = match (peer.left, progress) {
        (Some(0), _) => "   seed".to_owned(),
        (_, Some(part)) => format!("   {}", percent(part)),
        (Some(left), None) => format!("   {} to go", units::size(left)),
        (None, None) => String::new(),
    };
    output.say(&format!("{time} {} {word:<9} {}{far}", peer.info_hash.short(), peer.addr));
    Ok(())
}

/// From 0 to 1, where it can be told. Peers count padding too, and may claim anything.
fn progress(left: Option<u64>, size: Option<u64>) -> Option<f64> {
    match (left?, size) {
        (0, _) => Some(1.0),
        (left, Some(size @ 1..)) => Some(size.saturating_sub(left) as f64 / size as f64),
        _ => None,
    }
}

fn place(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "not an address with a port; write 0.0.0.0:6969, or [::1]:6969 for IPv6".to_owned())
}

/// The private address by which this machine would go out, or else loopback: a tracker is not put on
/// the open internet by default.
fn private_address() -> IpAddr {
    let outward = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
        // Nothing is sent: connecting a datagram socket only looks up the way. The address is one of
        // those reserved for documentation (RFC 5737).
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9)).ok()?;
        match socket.local_addr().ok()?.ip() {
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Some(IpAddr::V4(ip)),
            _ => None,
        }
    };
    outward().unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_told_where_it_can_be() {
        for (left, size, wanted) in [
            (None, Some(10), None),
            (Some(0), None, Some(1.0)),
            (Some(4), Some(10), Some(0.6)),
            (Some(11), Some(10), Some(0.0)),
            (Some(4), None, None),
        ] {
            assert_eq!(progress(left, size), wanted, "{left:?} {size:?}");
        }
    }
}
