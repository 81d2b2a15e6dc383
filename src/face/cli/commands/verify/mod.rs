//! `torr verify`: data against a torrent.

mod events;
mod extra;
mod fix;
mod text;

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use globset::{GlobBuilder, GlobMatcher};

use crate::app::input::{self, Torrent};
use crate::app::location::{self, Place, Top};
use crate::app::quoted;
use crate::app::selection;
use crate::app::{Error, shown};
use crate::base::{Bitfield, Untrusted, units};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::fetching;
use crate::face::cli::output::Output;
use crate::face::cli::signals;
use crate::proto::metainfo::{File, Metainfo};

use crate::app::damage;
use crate::app::damage::{FileReport, Status};
use crate::app::making::hash::HashProgress;
use crate::app::verification::Files;
use crate::face::cli::output::Progress;
use crate::face::cli::progress::hashing::{self, Hashing};
use serde::Serialize;
use std::time::Duration;

/// Check data against a torrent file
///
/// Lists damaged files with the affected pieces and bytes, and how to repair them. Nothing is changed without
/// --fix. Exit code 0 if all data is valid, 1 if not, 3 or 5 if it could not be checked.
#[derive(Args, Debug)]
#[command(
    visible_alias = "check",
    after_help = "Examples:
  torr verify distro.torrent
  torr verify distro.torrent ~/dl --extra
  torr verify distro.torrent ~/dl --fix
  torr verify --json distro.torrent | jq 'select(.status == \"damaged\")'"
)]
pub struct VerifyArgs {
    /// Torrent file; - reads it from standard input
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// File or directory with the data [default: the current directory, or that of the torrent file]
    #[arg(value_name = "DATA")]
    data: Option<PathBuf>,
    /// Check only files matching GLOB: '*.flac', or 'disc1/*' for a path below the torrent's directory; can
    /// be repeated
    #[arg(long, value_name = "GLOB", value_parser = glob)]
    file: Vec<FileGlob>,
    /// Check only that files exist and have the right size; hash nothing
    #[arg(long, conflicts_with = "fix")]
    quick: bool,
    /// Download damaged and missing data again. Valid data is kept; nothing is changed if data could be lost
    #[arg(long)]
    fix: bool,
    /// With --fix: what to do with bytes that differ
    #[arg(long, value_name = "HOW", default_value = "repair", requires = "fix")]
    existing: FixArg,
    /// With --fix: also overwrite files in which no piece matches, and truncate files that are too long
    #[arg(long, requires = "fix", conflicts_with = "existing")]
    overwrite: bool,
    /// With --fix: give up after this long without progress [default: none on a terminal, otherwise 10m]
    #[arg(long, value_name = "TIME", value_parser = units::parse_span, requires = "fix")]
    timeout: Option<Duration>,
    /// Also list files that are not in the torrent
    #[arg(long)]
    extra: bool,
    /// Do not report missing files that are empty
    #[arg(long)]
    ignore_empty: bool,
    /// Number of hashing threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    #[command(flatten)]
    network: NetworkArgs,
}

/// The treatment of files that differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum FixArg {
    /// Fill what is missing or zeros; refuse files that differ
    Check,
    /// Also replace the bytes that differ
    Repair,
    /// Rename files that differ to NAME.before-torr and download them again
    Backup,
}

const SCHEMA: &str = "torr.verify/1";

/// The result for the whole torrent.
struct Verdict<'a> {
    torrent: &'a Metainfo,
    place: &'a Place,
    /// The checked files, by index.
    chosen: Vec<bool>,
    /// The pieces that were hashed.
    asked: Bitfield,
    /// The hashed pieces that match.
    good: Bitfield,
    files: Vec<FileReport>,
    /// Files that are not the torrent's, if they were looked for.
    extra: Option<Vec<PathBuf>>,
    /// Nothing was hashed.
    quick: bool,
}

impl Verdict<'_> {
    fn bad_bytes(&self) -> u64 {
        self.bytes(|piece| self.asked.has(piece) && !self.good.has(piece))
    }

    fn asked_bytes(&self) -> u64 {
        self.bytes(|piece| self.asked.has(piece))
    }

    fn bytes(&self, which: impl Fn(crate::base::Piece) -> bool) -> u64 {
        let shape = self.torrent.geometry();
        shape.pieces().filter(|&piece| which(piece)).map(|piece| u64::from(shape.len_of(piece))).sum()
    }

    fn len_of(&self, file: &FileReport) -> u64 {
        self.torrent.files()[file.file.0 as usize].len()
    }

    fn all_good(&self) -> bool {
        self.good.count() == self.asked.count() && self.files.iter().all(|file| file.status == Status::Ok)
    }
}

/// Checks it.
pub fn run(args: &VerifyArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let (torrent, data) = arguments(args, output)?;
    if !args.fix {
        signals::end_at_once(output);
    }
    let place = location::find(&torrent, data.as_deref(), &format!("torr verify {}", torrent.argument()))?;
    let chosen = chosen(args, &torrent.metainfo)?;
    let files = Files::at(&torrent.metainfo, &place)?;
    let there = files.survey()?;
    let shape = torrent.metainfo.geometry();
    let (asked, good) = if args.quick {
        (Bitfield::none(shape.piece_count()), Bitfield::none(shape.piece_count()))
    } else {
        let asked = files.pieces_of(&chosen);
        let good = hash(&files, &asked, args.threads.map_or_else(cores, usize::from), output)?;
        (asked, good)
    };
    let stored: Vec<bool> = torrent.metainfo.files().iter().map(File::is_stored).collect();
    let mut found = damage::report(shape, &there, &stored, &asked, &good);
    found.retain(|file| chosen[file.file.0 as usize]);
    if args.ignore_empty {
        let empty = |file: &FileReport| torrent.metainfo.files()[file.file.0 as usize].len() == 0;
        found.retain(|file| file.status != Status::Missing || !empty(file));
    }
    let verdict = Verdict {
        files: found,
        extra: if args.extra { Some(extra::extra(&torrent.metainfo, &place)?) } else { None },
        torrent: &torrent.metainfo,
        place: &place,
        chosen,
        asked,
        good,
        quick: args.quick,
    };
    tell(args, &verdict, &torrent, output)?;
    if verdict.all_good() {
        Ok(Exit::Done)
    } else if args.fix {
        fix::fix(args, &verdict, &torrent, global, output)
    } else {
        Ok(Exit::No)
    }
}

/// The torrent and where its data is. The data first and the torrent second is a common slip, and what is
/// meant is clear.
fn arguments(args: &VerifyArgs, output: &Output) -> Result<(Torrent, Option<PathBuf>), Error> {
    let failure = match fetching::torrent(&args.torrent, output) {
        Ok(torrent) => return Ok((torrent, args.data.clone())),
        Err(failure) => failure,
    };
    let second = args.data.as_deref().filter(|_| args.torrent.exists());
    let Some(Ok(torrent)) = second.map(input::torrent_file) else { return Err(failure) };
    output.warn(&format!(
        "the arguments are swapped: checking {} against {}",
        shown(&args.torrent),
        torrent.argument()
    ));
    Ok((torrent, Some(args.torrent.clone())))
}

/// Which files are looked at, by their numbers from 0.
fn chosen(args: &VerifyArgs, torrent: &Metainfo) -> Result<Vec<bool>, Error> {
    let mut chosen: Vec<bool> = torrent.files().iter().map(File::is_stored).collect();
    if args.file.is_empty() {
        return Ok(chosen);
    }
    let mut met = vec![false; args.file.len()];
    chosen.fill(false);
    for file in selection::listed(torrent) {
        for (glob, met) in args.file.iter().zip(&mut met) {
            if glob.meets(file.path, torrent.is_single_file()) {
                chosen[file.number - 1] = true;
                *met = true;
            }
        }
    }
    match args.file.iter().zip(met).find(|(_, met)| !met) {
        Some((glob, _)) => {
            let message = format!("no file of {} matches {}", torrent.name().fit(80), glob.text.fit(80));
            let hint = format!("torr show --files {} lists them", quoted(&args.torrent));
            Err(Error::usage(message).hint(hint).about(torrent.info_hash()))
        }
        None => Ok(chosen),
    }
}

/// A pattern for files. Without a slash it means the name, with one the path below the torrent's folder.
#[derive(Clone, Debug)]
struct FileGlob {
    text: Untrusted,
    whole_path: bool,
    matcher: GlobMatcher,
}

impl FileGlob {
    fn meets(&self, path: &str, single: bool) -> bool {
        let below = if single { path } else { path.split_once('/').map_or(path, |(_, below)| below) };
        let name = below.rsplit('/').next().unwrap_or(below);
        self.matcher.is_match(if self.whole_path { below } else { name })
    }
}

fn glob(text: &str) -> Result<FileGlob, String> {
    let built = GlobBuilder::new(text).case_insensitive(true).build();
    let glob = built.map_err(|error| format!("not a pattern: {}", error.kind()))?;
    if text.is_empty() {
        return Err("write a pattern such as '*.flac'".to_owned());
    }
    let whole_path = text.contains('/');
    Ok(FileGlob { text: Untrusted::new(text), whole_path, matcher: glob.compile_matcher() })
}

fn tell(args: &VerifyArgs, verdict: &Verdict<'_>, torrent: &Torrent, output: &Output) -> Result<(), Error> {
    if output.json {
        return events::events(verdict, output);
    }
    if output.quiet > 0 {
        return Ok(());
    }
    let repair = if verdict.all_good() || args.fix { None } else { repair(verdict, torrent) };
    // With --fix standard output is for the path of what was repaired.
    if output.plain && !args.fix {
        output.data(text::plain(verdict).as_bytes())?;
    }
    if output.plain {
        output.say(&text::headline(verdict, output.err));
        if let Some(repair) = repair {
            output.say(&format!("Repair:  {repair}"));
        }
    } else {
        output.data(text::full(verdict, repair.as_deref(), output.out, output.columns()).as_bytes())?;
    }
    Ok(())
}

/// The command that fetches what is bad, where there is one.
fn repair(verdict: &Verdict<'_>, torrent: &Torrent) -> Option<String> {
    if verdict.place.top != Top::Same || torrent.path.is_none() {
        return None;
    }
    let folder = match verdict.place.root.as_path() {
        here if here == Path::new(".") => String::new(),
        folder => format!(" -o {}", quoted(folder)),
    };
    let differs = |file: &FileReport| {
        let there = file.found.is_some_and(|len| len > 0);
        there && matches!(file.status, Status::Damaged | Status::Either | Status::Long | Status::Short)
    };
    let existing = if verdict.files.iter().any(differs) { " --existing repair" } else { "" };
    let fetch = if verdict.quick {
        String::new()
    } else {
        format!("        (will fetch {})", units::size(verdict.bad_bytes()))
    };
    Some(format!("torr get {}{folder}{existing}{fetch}", torrent.argument()))
}

/// A path of the torrent for people: below the torrent's own folder, where it has one.
fn name(verdict: &Verdict<'_>, file: &FileReport) -> Untrusted {
    name_of(verdict, file.file.0 as usize)
}

fn name_of(verdict: &Verdict<'_>, index: usize) -> Untrusted {
    let path = verdict.torrent.files()[index].path().as_path();
    if verdict.torrent.is_single_file() {
        return shown(&verdict.place.path(path));
    }
    let mut parts = path.components();
    parts.next();
    shown(parts.as_path())
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Hashes these pieces and shows how far it is.
fn hash(files: &Files<'_>, asked: &Bitfield, threads: usize, output: &Output) -> Result<Bitfield, Error> {
    #[derive(Serialize)]
    struct Hashed {
        schema: &'static str,
        event: &'static str,
        done: u64,
        size: u64,
    }
    let mut last = Duration::ZERO;
    let usual = if output.json { 1 } else { 30 };
    let every = output.interval.unwrap_or(Duration::from_secs(usual));
    let mut tell = |now: HashProgress<'_>| {
        let HashProgress { done, total, elapsed, file } = now;
        let at = Hashing { label: "verify  ", done, total, elapsed, file };
        if output.progress == Progress::Bar {
            output.live.draw(vec![hashing::line(&at, output.err, output.columns())]);
        }
        if elapsed.saturating_sub(last) < every {
            return Ok(());
        }
        last = elapsed;
        if output.progress == Progress::Lines {
            output.say(&hashing::line(&at, output.err, 100));
        }
        output.event(&Hashed { schema: SCHEMA, event: "progress", done, size: total })
    };
    let good = files.hash(asked, threads, &mut tell);
    output.live.erase();
    good
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_names_or_paths() {
        let meets = |pattern: &str, path: &str| glob(pattern).unwrap().meets(path, false);
        assert!(meets("*.flac", "album/disc1/01.FLAC") && meets("disc1/*", "album/disc1/01.flac"));
        assert!(!meets("album/*", "album/disc1/01.flac") && !meets("disc1", "album/disc1/01.flac"));
        assert!(glob("x.iso").unwrap().meets("x.iso", true));
        assert!(glob("").is_err() && glob("[").is_err());
    }
}
