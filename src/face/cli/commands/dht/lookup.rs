//! `torr dht lookup`: who has a torrent.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::app::Error;
use crate::app::dht::{Goal, TaskUpdate};
use crate::base::{InfoHashes, units};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::style::Role;

use super::asking::{Asking, Sought, ask, seconds};
use super::reach::Limited;
use super::target;

/// Find the peers of a torrent
///
/// Prints one peer per line as peers are found. A hybrid torrent is looked up by its v1 hash. Private
/// torrents are never looked up.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht lookup 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa
  torr dht lookup 'magnet:?xt=urn:btih:…' --timeout 1m
  torr dht lookup ubuntu.torrent --scrape")]
pub struct LookupArgs {
    /// Info hash, magnet link or torrent file
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// Estimate the number of seeds and leechers instead of listing peers (BEP 33)
    #[arg(long)]
    scrape: bool,
    #[command(flatten)]
    limits: Limited,
}

const SCHEMA: &str = "torr.dht.lookup/1";

#[derive(Serialize)]
struct Peer {
    schema: &'static str,
    event: &'static str,
    torrent: String,
    peer: SocketAddr,
}

#[derive(Serialize)]
struct Summary {
    schema: &'static str,
    event: &'static str,
    ok: bool,
    code: u8,
    torrent: String,
    peers: u32,
    seeds: Option<u64>,
    leechers: Option<u64>,
    asked: u32,
    answered: u32,
    seconds: f64,
}

/// Looks it up.
pub fn run(args: &LookupArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let torrent = target::torrent(&args.torrent, output)?;
    let failed = |failure: Error| failure.about(torrent);
    ask(&args.limits, global, output, async |asking| {
        if args.scrape { scrape(asking, torrent, output).await } else { find(asking, torrent, output).await }
    })
    .map_err(failed)
}

async fn find(asking: &Asking<'_>, torrent: InfoHashes, output: &Output) -> Result<Exit, Error> {
    let goal = Goal::Peers { info_hash: target::place(&torrent), no_seeds: false, announce: None };
    let sought = asking
        .seek(goal, |news| {
            if let TaskUpdate::Peers(peers) = news {
                tell(&peers, torrent, output)?;
            }
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    let found = u64::from(sought.outcome.peers);
    let exit = sought.exit(found > 0)?;
    if found > 0 {
        let what = units::plural(found, "peer", "peers");
        summary(&format!("{what} of {}", torrent.short()), true, &sought, output);
    } else {
        summary(&format!("no peers found for {}", torrent.short()), false, &sought, output);
    }
    output.event(&document(torrent, exit, &sought, None))?;
    Ok(exit)
}

fn tell(peers: &[SocketAddr], torrent: InfoHashes, output: &Output) -> Result<(), Error> {
    if output.json {
        let event = |&peer| {
            let torrent = torrent.to_string();
            output.event(&Peer { schema: SCHEMA, event: "peer", torrent, peer })
        };
        return peers.iter().try_for_each(event);
    }
    let lines: String = peers.iter().map(|peer| format!("{peer}\n")).collect();
    output.data(lines.as_bytes())
}

async fn scrape(asking: &Asking<'_>, torrent: InfoHashes, output: &Output) -> Result<Exit, Error> {
    let goal = Goal::Scrape(target::place(&torrent));
    let sought = asking.seek(goal, |_| Ok(ControlFlow::Continue(()))).await?;
    let counts = sought.outcome.scrape.as_ref();
    let counts =
        counts.map(|(seeds, others)| (seeds.estimate().round() as u64, others.estimate().round() as u64));
    let exit = sought.exit(counts.is_some())?;
    if output.json {
        output.event(&document(torrent, exit, &sought, counts))?;
        return Ok(exit);
    }
    match counts {
        Some((seeds, leechers)) if output.plain => {
            output.data(format!("seeds\t{seeds}\nleechers\t{leechers}\n").as_bytes())?;
        }
        Some((seeds, leechers)) => output.line(&format!(
            "about {} and {}",
            units::plural(seeds, "seed", "seeds"),
            units::plural(leechers, "leecher", "leechers")
        ))?,
        None => {}
    }
    let what = if counts.is_some() { "counted" } else { "no node gave a count of the peers of" };
    summary(&format!("{what} {}", torrent.short()), counts.is_some(), &sought, output);
    Ok(exit)
}

/// The last words, for people.
pub fn summary(what: &str, good: bool, sought: &Sought, output: &Output) {
    if output.json {
        return;
    }
    let style = output.err;
    let (role, sign) = if good { (Role::Good, style.ok()) } else { (Role::Bad, style.bad()) };
    output.say(&format!("{} {what}: {}", style.paint(role, sign), sought.steps()));
}

fn document(torrent: InfoHashes, exit: Exit, sought: &Sought, counts: Option<(u64, u64)>) -> Summary {
    Summary {
        schema: SCHEMA,
        event: "summary",
        ok: exit == Exit::Done,
        code: exit.code(),
        torrent: torrent.to_string(),
        peers: sought.outcome.peers,
        seeds: counts.map(|(seeds, _)| seeds),
        leechers: counts.map(|(_, leechers)| leechers),
        asked: sought.outcome.asked,
        answered: sought.outcome.answered,
        seconds: seconds(sought.time),
    }
}
