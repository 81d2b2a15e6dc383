//! `torr tracker`: a small tracker for a local network or for tests.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use clap::Args;
use serde::Serialize;

use crate::base::{InfoHash, units};
use crate::engine::tracker_server::{Access, PeerEvent, PeerSeen, ServerConfig, TrackerServer};
use crate::face::cli::error::{Failure, reason};
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals::Signals;
use crate::face::cli::transfer::block_on;

/// A small tracker for a local network or for tests
///
/// Serves HTTP and UDP from memory, prints the announce URLs to put into torrents, and then a line for
/// each peer that joins, completes or leaves. --interval says how often peers announce (60s by default).
/// Ctrl-C stops.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr tracker
  torr tracker --listen 0.0.0.0:6969
  torr tracker --listen 127.0.0.1:0 --allow 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa")]
pub struct TrackerArgs {
    /// Where to listen; port 0 for any free one [default: the private address of this machine, port 6969]
    #[arg(long, value_name = "ADDR:PORT")]
    listen: Option<SocketAddr>,
    /// Only UDP
    #[arg(long)]
    udp: bool,
    /// Only HTTP
    #[arg(long, conflicts_with = "udp")]
    http: bool,
    /// Serve every torrent (the default)
    #[arg(long, conflicts_with = "allow")]
    open: bool,
    /// Serve only this torrent; may be given several times
    #[arg(long, value_name = "HASH")]
    allow: Vec<InfoHash>,
}

const SCHEMA: &str = "torr.tracker/1";
const PORT: u16 = 6969;
/// How often peers announce, unless `--interval` says otherwise.
const INTERVAL: Duration = Duration::from_secs(60);

/// Serves until it is stopped.
pub fn run(args: &TrackerArgs, output: &Output) -> Result<Exit, Failure> {
    block_on(output, serve(args, output))
}

async fn serve(args: &TrackerArgs, output: &Output) -> Result<Exit, Failure> {
    let mut signals = Signals::take().map_err(|error| {
        Failure::new(Exit::Internal, "internal", format!("cannot listen for signals: {error}"))
    })?;
    let listen = args.listen.unwrap_or_else(|| SocketAddr::new(private_address(), PORT));
    let interval = output.interval.unwrap_or(INTERVAL);
    if interval.is_zero() {
        return Err(Failure::usage("peers cannot announce all the time; write --interval 60s"));
    }
    let config = ServerConfig {
        http: (!args.udp).then_some(listen),
        udp: (!args.http).then_some(listen),
        interval,
        access: if args.allow.is_empty() {
            Access::Open
        } else {
            Access::Only(args.allow.iter().copied().collect::<BTreeSet<_>>())
        },
    };
    let server = TrackerServer::start(config).await.map_err(|error| {
        let why = if error.kind() == std::io::ErrorKind::AddrInUse {
            "another program uses it".to_owned()
        } else {
            reason(&error)
        };
        Failure::new(Exit::Usage, "network", format!("cannot listen on {listen}: {why}"))
            .hint("choose another place with --listen ADDR:PORT; port 0 takes any free one")
    })?;
    tell_where(&server.announce_urls(), output)?;
    let mut seen = server.watch();
    let exit = loop {
        tokio::select! {
            exit = signals.next() => break exit,
            peer = seen.recv() => match peer {
                Ok(peer) => tell(&peer, output)?,
                Err(tokio::sync::broadcast::error::RecvError::Lagged(missed)) => {
                    output.warn(&format!("{} not shown, they came too fast", units::plural(missed, "event", "events")));
                }
                Err(tokio::sync::broadcast::error::RecvError::Closed) => break Exit::Internal,
            },
        }
    };
    let totals = server.stats().totals;
    server.stop().await;
    output.say(&format!(
        "stopped; knew {} in {}",
        units::plural(totals.peers as u64, "peer", "peers"),
        units::plural(totals.torrents as u64, "torrent", "torrents")
    ));
    Ok(exit)
}

fn tell_where(urls: &[String], output: &Output) -> Result<(), Failure> {
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

fn tell(peer: &PeerSeen, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Peer {
        schema: &'static str,
        event: &'static str,
        torrent: String,
        peer: String,
    }
    let word = match peer.event {
        PeerEvent::Joined => "joined",
        PeerEvent::Completed => "completed",
        PeerEvent::Left => "left",
        PeerEvent::Expired => "expired",
    };
    if output.json {
        let (torrent, peer) = (peer.info_hash.to_string(), peer.addr.to_string());
        return output.event(&Peer { schema: SCHEMA, event: word, torrent, peer });
    }
    let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
    output.say(&format!("{time} {} {word:<9} {}", peer.info_hash.short(), peer.addr));
    Ok(())
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
