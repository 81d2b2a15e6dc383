//! `torr seed`: share data that is here.

use std::path::PathBuf;

use clap::Args;

use crate::engine::{Add, After, Until};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::args::when::until;
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::input::{self, quoted};
use crate::face::cli::output::Output;
use crate::face::cli::place::{self, Top};
use crate::face::cli::transfer::{Job, Outcomes, Plan, Setup, Verb};

/// Share data that is already here
///
/// The data is checked first; what is missing is an error and never fetched. Ctrl-C stops.
#[derive(Args, Debug)]
#[command(
    visible_alias = "share",
    after_help = "Examples:
  torr seed photos.torrent
  torr seed photos.torrent -o ~/pictures --until 2.0,7d
  torr create photos/ && torr seed photos.torrent"
)]
pub struct SeedArgs {
    /// Torrent files
    #[arg(value_name = "TORRENT", required = true)]
    torrents: Vec<PathBuf>,
    /// Where the data is [default: here, or beside the torrent file]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// When to stop: a ratio (2.0), a time (1h), copies:1, forever, or several with commas
    #[arg(long, value_name = "WHEN", value_parser = until, default_value = "forever")]
    until: Until,
    #[command(flatten)]
    network: NetworkArgs,
}

/// Shares them.
pub fn run(args: &SeedArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Failure> {
    let setup = Setup::new(&args.network, global, output)?;
    let mut outcomes = Outcomes::default();
    let mut jobs: Vec<(Add, Job)> = Vec::new();
    for argument in &args.torrents {
        match job(args, &setup, argument) {
            Ok((_, job)) if jobs.iter().any(|(_, other)| other.id == job.id) => {
                output.warn(&format!("{} is given twice", job.name.fit(100)));
            }
            Ok(job) => jobs.push(job),
            Err(failure) => {
                output.fail(&failure);
                outcomes.failed(&failure);
            }
        }
    }
    let count = jobs.len();
    let plan = Plan { verb: Verb::Seed, jobs, outcomes, timeout: None, path_end: b'\n' };
    setup.run(plan, count, output)
}

fn job(args: &SeedArgs, setup: &Setup, argument: &std::path::Path) -> Result<(Add, Job), Failure> {
    let torrent = input::torrent(argument)?;
    let id = torrent.metainfo.info_hash();
    let example = format!("torr seed {} -o", torrent.argument());
    let place =
        place::find(&torrent, args.output.as_deref(), &example).map_err(|failure| failure.about(id))?;
    if place.top != Top::Same {
        let message = format!(
            "the data in {} does not bear the name the torrent gives it",
            shown(&place.own(&torrent.metainfo))
        );
        let hint = format!("rename it to {}", quoted(std::path::Path::new(&torrent.metainfo.name().clean())));
        return Err(Failure::new(Exit::Disk, "files_missing", message).hint(hint).about(id));
    }
    let (mut add, job) = setup.job(torrent, &place.root, After::Seed(args.until))?;
    add.seed_only = true;
    Ok((add, job))
}
