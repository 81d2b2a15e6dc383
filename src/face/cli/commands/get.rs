//! `torr get`: download, verify, exit.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::base::units;
use crate::engine::{self, Add, After, Order};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::args::select::{self, Select, select};
use crate::face::cli::args::when::after;
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::input::{self, Torrent};
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{Job, Outcomes, Plan, Setup, Verb};
use crate::face::cli::tree;

/// Download, verify, exit
///
/// Runs in the foreground until everything is there and verified. Files that are there already are
/// checked first and what is good is kept, so the same command goes on where an earlier one stopped.
/// When the output is not a terminal only the finished paths are printed.
#[derive(Args, Debug)]
#[command(
    visible_alias = "download",
    after_help = "Examples:
  torr get ubuntu.torrent
  torr get a.torrent b.torrent -o ~/dl --seed 2.0,7d
  mpv \"$(torr get -q film.torrent)\""
)]
pub struct GetArgs {
    /// Torrent files, or - for one on standard input
    #[arg(value_name = "TORRENT", required_unless_present = "input")]
    torrents: Vec<PathBuf>,
    /// Where to save; made if it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    output: PathBuf,
    /// A file with one torrent per line, # begins a comment; - for standard input
    #[arg(short, long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Which files: 1-3,7 or '*.mkv' or '!*.txt' or size>100M; may be given several times, the last match counts
    #[arg(short, long, value_name = "SPEC", value_parser = select)]
    select: Vec<Select>,
    /// List the files with their numbers and sizes, and download nothing
    #[arg(short, long)]
    list: bool,
    /// Downloads at once [default: 5]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    jobs: Option<u16>,
    /// From the beginning to the end
    #[arg(long)]
    in_order: bool,
    /// The first and last pieces of each file first
    #[arg(long)]
    ends_first: bool,
    /// Give back afterwards: off, a ratio (2.0), a time (30m), forever, or 2.0,7d for whichever is first [default: off]
    #[arg(long, value_name = "WHEN", value_parser = after)]
    seed: Option<After>,
    /// Give up after so long without progress; none to wait for ever [default: none on a terminal, else 10m]
    #[arg(long, value_name = "TIME", value_parser = patience)]
    timeout: Option<Patience>,
    /// What to do with files that are there
    #[arg(long, value_name = "HOW", default_value = "check")]
    existing: ExistingArg,
    /// Overwrite files that are not ours
    #[arg(long, conflicts_with = "existing")]
    overwrite: bool,
    /// How space is reserved
    #[arg(long, value_name = "HOW", default_value = "sparse")]
    alloc: AllocArg,
    /// A zero byte after each path on standard output instead of a line end
    #[arg(short = '0', long)]
    print0: bool,
    #[command(flatten)]
    network: NetworkArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum ExistingArg {
    /// Keep what matches, refuse what is foreign
    Check,
    /// Refuse any file that we did not begin
    Refuse,
    /// Believe that they are right
    Trust,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum AllocArg {
    /// Not at all
    None,
    /// As a hole that fills
    Sparse,
    /// All of it at once
    Full,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Patience(Option<Duration>);

/// The patience with which a script waits: it must not hang for ever.
const UNWATCHED: Duration = Duration::from_secs(600);

/// Gets them.
pub fn run(args: &GetArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Failure> {
    let setup = Setup::new(&args.network, global, output)?;
    let mut outcomes = Outcomes::default();
    let mut torrents = Vec::new();
    let mut known = BTreeSet::new();
    for argument in arguments(args)? {
        match input::torrent(&argument) {
            Ok(torrent) if known.insert(torrent.metainfo.info_hash()) => torrents.push(torrent),
            Ok(torrent) => output.warn(&format!("{} is given twice", torrent.metainfo.name().fit(100))),
            Err(failure) => {
                output.fail(&failure);
                outcomes.failed(&failure);
            }
        }
    }
    if args.list {
        return list(&torrents, &outcomes, output);
    }
    let mut jobs = Vec::new();
    for torrent in torrents {
        match job(args, &setup, torrent) {
            Ok(job) => jobs.push(job),
            Err(failure) => {
                output.fail(&failure);
                outcomes.failed(&failure);
            }
        }
    }
    if !jobs.is_empty() {
        fs::create_dir_all(&args.output).map_err(|error| Failure::disk("create", &args.output, &error))?;
    }
    let usual = if output.stderr_tty { None } else { Some(UNWATCHED) };
    let plan = Plan {
        verb: Verb::Get,
        jobs,
        outcomes,
        timeout: args.timeout.map_or(usual, |patience| patience.0),
        path_end: if args.print0 { 0 } else { b'\n' },
    };
    setup.run(plan, setup.jobs(args.jobs), output)
}

fn arguments(args: &GetArgs) -> Result<Vec<PathBuf>, Failure> {
    let mut arguments = args.torrents.clone();
    if let Some(list) = &args.input {
        let mut text = String::new();
        let read = if list == Path::new("-") {
            io::stdin().lock().take(MOST_LIST).read_to_string(&mut text)
        } else {
            fs::File::open(list).and_then(|file| file.take(MOST_LIST).read_to_string(&mut text))
        };
        read.map_err(|error| Failure::disk("read", list, &error))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        arguments.extend(lines.map(PathBuf::from));
    }
    if arguments.is_empty() {
        return Err(Failure::usage("the list names no torrent"));
    }
    Ok(arguments)
}

/// The most bytes of a list of torrents that are read.
const MOST_LIST: u64 = 16 << 20;

fn job(args: &GetArgs, setup: &Setup, torrent: Torrent) -> Result<(Add, Job), Failure> {
    let id = torrent.metainfo.info_hash();
    let priorities =
        select::priorities(&torrent.metainfo, &args.select).map_err(|why| Failure::usage(why).about(id))?;
    let (mut add, job) = setup.job(torrent, &args.output, setup.after(args.seed))?;
    add.existing = match args.existing {
        _ if args.overwrite => engine::Existing::Overwrite,
        ExistingArg::Check => engine::Existing::Check,
        ExistingArg::Refuse => engine::Existing::Refuse,
        ExistingArg::Trust => engine::Existing::Trust,
    };
    add.alloc = match args.alloc {
        AllocArg::None => engine::Alloc::None,
        AllocArg::Sparse => engine::Alloc::Sparse,
        AllocArg::Full => engine::Alloc::Full,
    };
    add.priorities = priorities;
    add.order = if args.in_order { Order::InOrder } else { Order::RarestFirst };
    add.ends_first = args.ends_first;
    Ok((add, job))
}

fn list(torrents: &[Torrent], outcomes: &Outcomes, output: &Output) -> Result<Exit, Failure> {
    for torrent in torrents {
        let metainfo = &torrent.metainfo;
        if output.json {
            super::show::document_to(metainfo, output)?;
        } else if output.plain {
            output.data(super::show::plain_files(metainfo).as_bytes())?;
        } else {
            let lines = tree::lines(metainfo, output.out, output.columns(), usize::MAX);
            output.data((lines.join("\n") + "\n").as_bytes())?;
        }
    }
    let mut outcomes = outcomes.clone();
    outcomes.done += torrents.len();
    Ok(outcomes.exit())
}

fn patience(text: &str) -> Result<Patience, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Patience(None));
    }
    let time = units::parse_span(text).map_err(|error| error.to_string())?;
    if time.is_zero() {
        Err("no time at all; write none to wait for ever".to_owned())
    } else {
        Ok(Patience(Some(time)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_a_time_or_none() {
        assert_eq!(patience("none"), Ok(Patience(None)));
        assert_eq!(patience("90s"), Ok(Patience(Some(Duration::from_secs(90)))));
        assert!(patience("0").is_err() && patience("soon").is_err());
    }
}
