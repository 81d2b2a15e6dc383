//! `torr seed`: share data that is here.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::engine::{Add, After, Until};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::args::when::until;
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::input::{self, Reading, Torrent, quoted};
use crate::face::cli::known;
use crate::face::cli::output::Output;
use crate::face::cli::place::{self, Place, Top};
use crate::face::cli::state;
use crate::face::cli::transfer::{Job, Outcomes, Plan, Setup, Verb};
use crate::proto::paths::safe_name;

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
    let setup = Setup::new(&args.network, global, output)?;
    let mut outcomes = Outcomes::default();
    let mut jobs: Vec<(Add, Job)> = Vec::new();
    let state = state::directory(global.state_dir.as_deref());
    for argument in &args.torrents {
        match job(args, &setup, argument, state.as_deref(), output) {
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
    let plan = Plan { outcomes, ..Plan::new(Verb::Seed).with(jobs) };
    setup.run(plan, count, output)
}

fn job(
    args: &SeedArgs,
    setup: &Setup,
    argument: &Path,
    state: Option<&Path>,
    output: &Output,
) -> Result<(Add, Job), Failure> {
    let known = known::recall(argument, state)?;
    let mut torrent = match &known {
        Some(known) => Torrent {
            metainfo: known.metainfo.clone(),
            bytes: known.metainfo.to_bytes(),
            path: Some(known.torrent_file.clone()),
            link: None,
        },
        None => input::read(argument, &Reading { bind: setup.bind(), ..Reading::alone(output) })?,
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
    let Some((root, renamed)) = named(&place) else {
        let message = format!(
            "the data in {} has a name that a torrent cannot have",
            shown(&place.own(&torrent.metainfo))
        );
        let hint = format!("rename it to {}", quoted(Path::new(&torrent.metainfo.name().clean())));
        return Err(Failure::new(Exit::Disk, "files_missing", message).hint(hint).about(id));
    };
    if let Some(name) = &renamed {
        torrent.metainfo = torrent.metainfo.with_root_name(name);
    }
    let (mut add, job) = setup.job(torrent, &root, After::Seed(args.until))?;
    add.seed_only = true;
    Ok((add, job))
}

/// The folder in which the data lies, and its name there where that is not the torrent's own. Nothing where
/// the name is none that a file of a torrent can have.
fn named(place: &Place) -> Option<(PathBuf, Option<String>)> {
    let safe =
        |name: &OsStr| name.to_str().filter(|name| safe_name(name.as_bytes()) == *name).map(str::to_owned);
    match &place.top {
        Top::Same => Some((place.root.clone(), None)),
        Top::Named(name) => Some((place.root.clone(), Some(safe(name.as_os_str())?))),
        Top::None => {
            let own = place.root.canonicalize().ok()?;
            Some((own.parent()?.to_owned(), Some(safe(own.file_name()?)?)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_under_another_name_is_found_by_it() {
        let dir = tempfile::tempdir().unwrap();
        let films = dir.path().canonicalize().unwrap().join("films");
        std::fs::create_dir(&films).unwrap();
        let at = |root: &Path, top| named(&Place { root: root.to_owned(), top });
        let parent = films.parent().unwrap().to_owned();
        assert_eq!(at(&films, Top::Same), Some((films.clone(), None)));
        assert_eq!(at(&films, Top::None), Some((parent, Some("films".to_owned()))));
        assert_eq!(at(&films, Top::Named("x.iso".into())), Some((films.clone(), Some("x.iso".to_owned()))));
        assert_eq!(at(&films, Top::Named("x.".into())), None);
        assert_eq!(at(Path::new("/"), Top::None), None);
    }
}
