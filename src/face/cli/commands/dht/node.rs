//! `torr dht node`: a node for as long as it is wanted.

use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::app::dht::{FamilyStatus, Node, NodeConfig, Status};
use crate::app::state_dir::remembered_port;
use crate::app::{Error, ErrorKind};
use crate::base::units;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::signals::Signals;
use crate::face::cli::transfer::block_on;

use super::reach::Reach;

/// Run a DHT node until Ctrl-C
///
/// Answers queries, stores announcements, and prints its addresses and IDs for IPv4 and IPv6. torr get and
/// torr seed run their own node; this one is for isolated networks, for tests, and for supporting the DHT.
/// --interval sets how often it reports its status.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht node
  torr dht node --port 6881
  torr dht node --bind 192.168.1.20 --bootstrap 192.168.1.21:6881")]
pub struct NodeArgs {
    /// UDP port [default: the port that torr remembers, or any free one]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: Option<u16>,
    /// Send queries but answer none (BEP 43)
    #[arg(long)]
    read_only: bool,
    #[command(flatten)]
    reach: Reach,
}

const SCHEMA: &str = "torr.dht.node/1";
/// How often it is told how the node is doing, unless `--interval` says otherwise.
const INTERVAL: Duration = Duration::from_secs(30);
/// How often a line at the bottom of a terminal is looked at.
const FRAME: Duration = Duration::from_millis(500);
/// The longest the end may take.
const STOP: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct Listening {
    schema: &'static str,
    event: &'static str,
    port: u16,
    bind: Option<std::net::IpAddr>,
    read_only: bool,
    ipv4: Option<Family>,
    ipv6: Option<Family>,
}

#[derive(Serialize)]
struct Doing {
    schema: &'static str,
    event: &'static str,
    ipv4: Option<Family>,
    ipv6: Option<Family>,
    torrents: usize,
    seconds: u64,
}

#[derive(Serialize)]
struct Family {
    id: String,
    nodes: usize,
    address: Option<std::net::IpAddr>,
}

impl Family {
    fn of(status: Option<FamilyStatus>) -> Option<Self> {
        let status = status?;
        Some(Self { id: status.id.to_string(), nodes: status.nodes, address: status.seen_as })
    }
}

/// Runs it.
pub fn run(args: &NodeArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let config = args.reach.config(global, output)?;
    let remembered = || global.state_dir().as_deref().and_then(remembered_port);
    let config = NodeConfig {
        port: args.port,
        preferred_port: if args.port.is_none() { remembered() } else { None },
        read_only: args.read_only,
        ..config
    };
    block_on(output, serve(config, output))
}

async fn serve(config: NodeConfig, output: &Output) -> Result<Exit, Error> {
    let mut signals = Signals::take().map_err(|error| {
        Error::new(ErrorKind::Internal, "internal", format!("cannot install signal handlers: {error}"))
    })?;
    let every = output.interval.unwrap_or(INTERVAL);
    if every.is_zero() {
        return Err(Error::usage("the interval is too short; write --interval 30s"));
    }
    let (bind, read_only) = (config.bind, config.read_only);
    let node = Node::start(config).await.map_err(Error::from)?;
    tell_where(&node, bind, read_only, output)?;
    let began = Instant::now();
    let mut times = interval(every);
    let mut frames = interval(FRAME);
    times.set_missed_tick_behavior(MissedTickBehavior::Skip);
    frames.set_missed_tick_behavior(MissedTickBehavior::Skip);
    // The first tick of an interval comes at once.
    times.tick().await;
    let mut told = None;
    let exit = loop {
        tokio::select! {
            exit = signals.next() => break exit,
            _ = times.tick() => tell(node.status(), &mut told, began, output)?,
            _ = frames.tick(), if output.progress == Progress::Bar => draw(node.status(), began, output),
        }
    };
    output.live.erase();
    let status = node.status();
    let _ = timeout(STOP, node.stop()).await;
    if output.json {
        output.event(&doing("summary", status, began))?;
    } else {
        output.say(&format!("stopped after {}: {}", units::span(began.elapsed()), words(status)));
    }
    Ok(exit)
}

fn tell_where(
    node: &Node,
    bind: Option<std::net::IpAddr>,
    read_only: bool,
    output: &Output,
) -> Result<(), Error> {
    let status = node.status();
    if output.json {
        return output.event(&Listening {
            schema: SCHEMA,
            event: "listening",
            port: node.port(),
            bind,
            read_only,
            ipv4: Family::of(status.v4),
            ipv6: Family::of(status.v6),
        });
    }
    let kind = if read_only { "a node that only asks" } else { "a node of the DHT" };
    output.say(&format!("{kind}; Ctrl-C stops it"));
    let any = |v4: bool| if v4 { "0.0.0.0".to_owned() } else { "[::]".to_owned() };
    for (family, v4) in [(status.v4, true), (status.v6, false)] {
        let Some(family) = family else { continue };
        let host = bind.map_or_else(|| any(v4), |ip| if v4 { ip.to_string() } else { format!("[{ip}]") });
        output.line(&format!("{host}:{}\t{}", node.port(), family.id))?;
    }
    Ok(())
}

/// Tells how the node is doing, to people only if it is something new.
fn tell(status: Status, told: &mut Option<String>, began: Instant, output: &Output) -> Result<(), Error> {
    if output.json {
        return output.event(&doing("status", status, began));
    }
    let now = words(status);
    if output.progress == Progress::Lines && told.as_ref() != Some(&now) {
        let time = jiff::Zoned::now().strftime("%H:%M:%S").to_string();
        output.say(&format!("{time} {now}"));
        *told = Some(now);
    }
    Ok(())
}

fn draw(status: Status, began: Instant, output: &Output) {
    let line =
        format!("{}   {}", words(status), units::span(Duration::from_secs(began.elapsed().as_secs().max(1))));
    let line = output.err.fit_line(&line, output.columns().saturating_sub(1));
    output.live.draw(vec![line]);
}

fn doing(event: &'static str, status: Status, began: Instant) -> Doing {
    Doing {
        schema: SCHEMA,
        event,
        ipv4: Family::of(status.v4),
        ipv6: Family::of(status.v6),
        torrents: status.torrents_kept,
        seconds: began.elapsed().as_secs(),
    }
}

/// How the node is doing, in a line.
fn words(status: Status) -> String {
    let of = |name: &str, family: Option<FamilyStatus>| {
        let family = family?;
        let seen = family.seen_as.map(|ip| format!(", seen as {ip}")).unwrap_or_default();
        Some(format!("{name} {}{seen}", units::plural(family.nodes as u64, "node", "nodes")))
    };
    let families = [of("IPv4", status.v4), of("IPv6", status.v6)];
    let families: Vec<String> = families.into_iter().flatten().collect();
    let kept = units::plural(status.torrents_kept as u64, "torrent", "torrents");
    format!("{}; stores the peers of {kept}", families.join(", "))
}

#[cfg(test)]
mod tests {
    use crate::base::NodeId;

    use super::*;

    #[test]
    fn a_line_says_how_a_node_is_doing() {
        let family = |nodes| FamilyStatus { id: NodeId([1; 20]), nodes, seen_as: None };
        let mut status = Status { v4: Some(family(1)), torrents_kept: 2, ..Status::default() };
        assert_eq!(words(status), "IPv4 1 node; stores the peers of 2 torrents");
        status.v6 = Some(FamilyStatus { seen_as: Some([203, 0, 113, 4].into()), ..family(31) });
        assert_eq!(
            words(status),
            "IPv4 1 node, IPv6 31 nodes, seen as 203.0.113.4; stores the peers of 2 torrents"
        );
    }
}
