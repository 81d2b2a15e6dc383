//! `torr seed`: share data that is here.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::engine::{Add, After, Until};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::args::when::until;
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::input::{self, Torrent, quoted};
use crate::face::cli::known;
use crate::face::cli::output::Output;
use crate::face::cli::place::{self, Top};
use crate::face::cli::state;
use crate::face::cli::transfer::{self, Job, Outcomes, Plan, Verb};

/// Share data that is already here
///
/// The data is checked first; what is missing is an error and never fetched. Ctrl-C stops.
#[derive(Args, Debug)]
#[command(
    visible_alias = "share",
    after_help = "Examples:
  torr seed photos.torrent
  torr seed photos.torrent -o ~/pictures --until 2.0,7d
  torr seed 08ada5                       what torr get fetched, where it put it
  torr create photos/ && torr seed photos.torrent"
)]
pub struct SeedArgs {
    /// Torrent files, or the beginning of the info hash of one that was fetched or given before
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
    let mut outcomes = Outcomes::default();
    let mut jobs: Vec<(Add, Job)> = Vec::new();
    let state = state::directory(global.state_dir.as_deref());
    for argument in &args.torrents {
        match job(args, argument, state.as_deref()) {
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
    if jobs.is_empty() {
        let exit = outcomes.exit();
        transfer::summary(Verb::Seed, &outcomes, exit, output)?;
        return Ok(exit);
    }
    let config = transfer::config(&args.network, jobs.len(), global.state_dir.as_deref());
    let plan = Plan { verb: Verb::Seed, jobs, outcomes, timeout: None, path_end: Some(b'\n'), stream: None };
    transfer::run(plan, config, output)
}

fn job(args: &SeedArgs, argument: &Path, state: Option<&Path>) -> Result<(Add, Job), Failure> {
    let known = known::recall(argument, state)?;
    let torrent = match &known {
        Some(known) => Torrent { metainfo: known.metainfo.clone(), path: Some(known.torrent_file.clone()) },
        None => input::torrent(argument)?,
    };
    let id = torrent.metainfo.info_hash();
    let example = format!("torr seed {} -o", torrent.argument());
    let place = match (&known, &args.output) {
        (Some(known), None) => {
            let folder = known.folder.as_deref().and_then(|folder| place::within(&torrent.metainfo, folder));
            folder.ok_or_else(|| known::gone(known, argument))?
        }
        _ => place::find(&torrent, args.output.as_deref(), &example).map_err(|failure| failure.about(id))?,
    };
    if place.top != Top::Same {
        let message = format!(
            "the data in {} does not bear the name the torrent gives it",
            shown(&place.own(&torrent.metainfo))
        );
        let hint = format!("rename it to {}", quoted(Path::new(&torrent.metainfo.name().clean())));
        return Err(Failure::new(Exit::Disk, "files_missing", message).hint(hint).about(id));
    }
    let folder =
        std::path::absolute(&place.root).map_err(|error| Failure::disk("use", &place.root, &error))?;
    let job = Job {
        id,
        name: torrent.metainfo.name().clone(),
        argument: torrent.argument(),
        folder: place.root,
        seeds: true,
    };
    let mut add = Add::new(torrent.metainfo, folder);
    add.seed_only = true;
    add.after = After::Seed(args.until);
    transfer::apply(&args.network, &mut add);
    Ok((add, job))
}
