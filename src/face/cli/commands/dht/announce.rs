//! `torr dht announce`: saying that a torrent is to be had here.

use std::ops::ControlFlow;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use crate::app::Error;
use crate::app::dht::{Announce, Goal};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

use super::asking::{ask, nodes, seconds};
use super::lookup::summary;
use super::reach::Limited;
use super::target;

/// Announce a torrent at this address
///
/// Nodes store the announcement for about half an hour. torr get and torr seed announce their torrents
/// themselves. Private torrents are never announced.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht announce photos.torrent --port 51999 --seed
  torr dht announce 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa --port 51999")]
pub struct AnnounceArgs {
    /// Info hash, magnet link or torrent file
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// Port that peers can connect to
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
    /// Announce as a seed, with all data (BEP 33)
    #[arg(long)]
    seed: bool,
    #[command(flatten)]
    limits: Limited,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    ok: bool,
    code: u8,
    torrent: String,
    port: u16,
    seed: bool,
    stored: u32,
    asked: u32,
    answered: u32,
    seconds: f64,
}

/// Announces it.
pub fn run(args: &AnnounceArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let torrent = target::torrent(&args.torrent, output)?;
    let announce = Some(Announce { port: Some(args.port), seed: args.seed });
    let goal = Goal::Peers { info_hash: target::place(&torrent), no_seeds: false, announce };
    ask(&args.limits, global, output, async |asking| {
        let sought = asking.seek(goal, |_| Ok(ControlFlow::Continue(()))).await?;
        let stored = sought.outcome.stored;
        let exit = sought.exit(stored > 0)?;
        let short = torrent.short();
        let what = match stored {
            0 => format!("no node accepted the announce of {short}"),
            _ => format!("{} stored the announce of {short} on port {}", nodes(stored), args.port),
        };
        let what = if stored == 1 { what.replace(" keep ", " keeps ") } else { what };
        summary(&what, stored > 0, &sought, output);
        output.event(&Document {
            schema: "torr.dht.announce/1",
            ok: exit == Exit::Done,
            code: exit.code(),
            torrent: torrent.to_string(),
            port: args.port,
            seed: args.seed,
            stored,
            asked: sought.outcome.asked,
            answered: sought.outcome.answered,
            seconds: seconds(sought.time),
        })?;
        Ok(exit)
    })
    .map_err(|failure| failure.about(torrent))
}
