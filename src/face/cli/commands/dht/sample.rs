//! `torr dht sample`: what nodes know about.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use clap::Args;
use serde::Serialize;

use crate::app::dht::{Goal, TaskUpdate};
use crate::app::{Error, ErrorKind};
use crate::base::{NodeId, units};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

use super::asking::{ask, seconds};
use super::lookup::summary;
use super::reach::Limited;
use super::target;

/// List a sample of the info hashes stored in the DHT (BEP 51)
///
/// Walks towards a position in the DHT, a random one by default, and asks the nodes on the way for a sample
/// of the torrents announced to them. Prints one info hash per line.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr dht sample
  torr dht sample 9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa --timeout 5s")]
pub struct SampleArgs {
    /// Position in the DHT, 40 hexadecimal digits [default: random]
    #[arg(value_name = "PLACE")]
    place: Option<String>,
    #[command(flatten)]
    limits: Limited,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    ok: bool,
    code: u8,
    place: String,
    torrents: Vec<String>,
    asked: u32,
    answered: u32,
    seconds: f64,
}

/// Asks for it.
pub fn run(args: &SampleArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let place = match &args.place {
        Some(text) => target::anywhere(text)?,
        None => anywhere()?,
    };
    let mut seen: BTreeSet<NodeId> = BTreeSet::new();
    ask(&args.limits, global, output, async |asking| {
        let sought = asking
            .seek(Goal::Sample(place), |news| {
                if let TaskUpdate::Samples(hashes) = news {
                    let new: Vec<NodeId> = hashes.into_iter().filter(|hash| seen.insert(*hash)).collect();
                    let lines: String = new.iter().map(|hash| format!("{hash}\n")).collect();
                    if !output.json {
                        output.data(lines.as_bytes())?;
                    }
                }
                Ok(ControlFlow::Continue(()))
            })
            .await?;
        let exit = sought.exit(!seen.is_empty())?;
        let what = units::plural(seen.len() as u64, "torrent", "torrents");
        summary(&what, !seen.is_empty(), &sought, output);
        output.event(&Document {
            schema: "torr.dht.sample/1",
            ok: exit == Exit::Done,
            code: exit.code(),
            place: place.to_string(),
            torrents: seen.iter().map(ToString::to_string).collect(),
            asked: sought.outcome.asked,
            answered: sought.outcome.answered,
            seconds: seconds(sought.time),
        })?;
        Ok(exit)
    })
}

fn anywhere() -> Result<NodeId, Error> {
    let mut id = [0; 20];
    getrandom::fill(&mut id)
        .map_err(|error| Error::new(ErrorKind::Internal, "internal", format!("no randomness: {error}")))?;
    Ok(NodeId(id))
}
