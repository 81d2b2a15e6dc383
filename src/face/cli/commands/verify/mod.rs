//! `torr verify`: data against a torrent.

mod report;
mod text;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;

use crate::base::{Bitfield, Untrusted, units};
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::input::{self, Torrent, quoted};
use crate::face::cli::json::{hex, path_hex};
use crate::face::cli::output::{Output, Progress as Shown};
use crate::face::cli::place::{self, Place, Top};
use crate::face::cli::progress::hashing::{self, Hashing};
use crate::face::cli::{faults, signals};
use crate::proto::metainfo::{File, Metainfo};
use crate::store::{Disk, FileSpec, Found, Handles, Layout, Pool, Progress, Volume, VolumeOptions};

use report::{FileReport, Status, There};

/// Check data against a torrent
///
/// Says which files are damaged, with pieces and bytes, and how to repair them. Nothing is changed.
/// Exit code 0 if all is good, 1 if not, 3 or 5 if it could not be checked.
#[derive(Args, Debug)]
#[command(
    visible_alias = "check",
    after_help = "Examples:
  torr verify distro.torrent
  torr verify distro.torrent ~/dl
  torr verify --json distro.torrent | jq 'select(.status == \"damaged\")'"
)]
pub struct VerifyArgs {
    /// A torrent file, or - for standard input
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// Where its data is [default: here, or beside the torrent file]
    #[arg(value_name = "DATA")]
    data: Option<PathBuf>,
    /// Also list files that are not in the torrent
    #[arg(long)]
    extra: bool,
    /// How many threads hash [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

/// Files beyond the torrent's are looked for up to this many entries.
const MOST_ENTRIES: usize = 1_000_000;
const SCHEMA: &str = "torr.verify/1";

/// What was found out about the whole.
struct Verdict<'a> {
    torrent: &'a Metainfo,
    place: &'a Place,
    good: Bitfield,
    files: Vec<FileReport>,
    extra: Vec<PathBuf>,
}

impl Verdict<'_> {
    fn bad_bytes(&self) -> u64 {
        let shape = self.torrent.geometry();
        shape
            .pieces()
            .filter(|&piece| !self.good.has(piece))
            .map(|piece| u64::from(shape.len_of(piece)))
            .sum()
    }

    fn all_good(&self) -> bool {
        self.good.is_full() && self.files.iter().all(|file| file.status == Status::Ok)
    }
}

/// Checks it.
pub fn run(args: &VerifyArgs, output: &Output) -> Result<Exit, Failure> {
    let torrent = input::torrent(&args.torrent).map_err(|failure| swapped(args).unwrap_or(failure))?;
    signals::end_at_once(output);
    let place = place::find(&torrent, args.data.as_deref(), &format!("torr verify {}", torrent.argument()))?;
    let volume = volume(&torrent.metainfo, &place)?;
    let there = survey(&torrent.metainfo, &volume)?;
    let good = check(args, &torrent.metainfo, &volume, output)?;
    let stored: Vec<bool> = torrent.metainfo.files().iter().map(File::is_stored).collect();
    let verdict = Verdict {
        files: report::report(torrent.metainfo.geometry(), &there, &stored, &good),
        extra: if args.extra { extra(&torrent.metainfo, &place)? } else { Vec::new() },
        torrent: &torrent.metainfo,
        place: &place,
        good,
    };
    tell(&verdict, &torrent, output)?;
    Ok(if verdict.all_good() { Exit::Done } else { Exit::No })
}

/// The data first and the torrent second is a common slip.
fn swapped(args: &VerifyArgs) -> Option<Failure> {
    let data = args.data.as_deref()?;
    input::torrent(data).ok()?;
    let message = format!(
        "{} is the torrent and {} the data: the arguments are swapped",
        shown(data),
        shown(&args.torrent)
    );
    Some(Failure::usage(message).hint(format!("torr verify {} {}", quoted(data), quoted(&args.torrent))))
}

fn volume(torrent: &Metainfo, place: &Place) -> Result<Volume, Failure> {
    let files = torrent.files().iter().enumerate().map(|(at, file)| {
        let pad = !file.is_stored();
        // What is not stored may bear the name of a file, so it stands under a name of its own.
        let path = if file.is_stored() {
            place.path(file.path().as_path())
        } else {
            PathBuf::from(format!(".torr-none-{at}"))
        };
        FileSpec { path, len: file.len(), pad, executable: false }
    });
    let shape = Arc::new(torrent.geometry().clone());
    let digests: Vec<_> = shape.pieces().map(|piece| torrent.digest(piece)).collect();
    let layout = Layout::new(torrent.info_hash(), shape, files.collect(), digests.into());
    layout
        .and_then(|layout| {
            Volume::new(&place.root, layout, VolumeOptions::default(), &[], &Handles::from_limit())
        })
        .map_err(|error| faults::disk(&error))
}

fn survey(torrent: &Metainfo, volume: &Volume) -> Result<Vec<There>, Failure> {
    let mut there = vec![There::Nothing; torrent.files().len()];
    for fact in volume.survey().map_err(|error| faults::disk(&error))? {
        if let Some(slot) = there.get_mut(fact.file.0 as usize) {
            *slot = match fact.found {
                Found::Missing => There::Nothing,
                Found::Plain { size, .. } => There::File(size),
                Found::Other => There::Other,
            };
        }
    }
    Ok(there)
}

/// Hashes everything on threads of the store and shows how far it is.
fn check(
    args: &VerifyArgs,
    torrent: &Metainfo,
    volume: &Volume,
    output: &Output,
) -> Result<Bitfield, Failure> {
    let shape = torrent.geometry();
    let threads = args.threads.map_or_else(cores, usize::from);
    let disk = Disk::start(threads, Pool::new(4 << 20));
    let progress = Progress::default();
    let (send, done) = mpsc::channel();
    disk.check(volume, &Bitfield::all(shape.piece_count()), progress.clone(), move |result| {
        drop(send.send(result));
    });
    let begun = Instant::now();
    let mut last = Duration::ZERO;
    let usual = if output.json { 1 } else { 30 };
    let every = output.interval.unwrap_or(Duration::from_secs(usual));
    loop {
        match done.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => {
                output.live.erase();
                disk.shutdown();
                return result.map_err(|error| faults::disk(&error));
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new(Exit::Internal, "internal", "checking ended without a result"));
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        let hashed = (u64::from(progress.done()) * u64::from(shape.piece_len())).min(shape.total());
        let elapsed = begun.elapsed();
        let at = Hashing { label: "verify  ", done: hashed, total: shape.total(), elapsed, file: None };
        if output.progress == Shown::Bar {
            output.live.draw(vec![hashing::line(&at, output.err, output.columns())]);
        }
        if elapsed.saturating_sub(last) >= every {
            last = elapsed;
            if output.progress == Shown::Lines {
                output.say(&hashing::line(&at, output.err, 100));
            }
            output.event(&Hashed { schema: SCHEMA, event: "progress", done: hashed, size: shape.total() })?;
        }
    }
}

#[derive(Serialize)]
struct Hashed {
    schema: &'static str,
    event: &'static str,
    done: u64,
    size: u64,
}

/// Files in the torrent's directory that are not the torrent's, by their paths below the root.
fn extra(torrent: &Metainfo, place: &Place) -> Result<Vec<PathBuf>, Failure> {
    if torrent.is_single_file() {
        return Ok(Vec::new());
    }
    let known: BTreeSet<PathBuf> =
        torrent.files().iter().map(|file| place.path(file.path().as_path())).collect();
    let own = place.own(torrent);
    let mut found = Vec::new();
    let mut dirs = vec![own.clone()];
    let mut seen = 0;
    while let Some(dir) = dirs.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && dir == own => break,
            Err(error) => return Err(Failure::disk("list", &dir, &error)),
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MOST_ENTRIES {
                break;
            }
            let path = entry.path();
            // A link to a directory is an entry, not a way.
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                dirs.push(path);
            } else if let Ok(below) = path.strip_prefix(&place.root)
                && !known.contains(below)
            {
                found.push(below.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn tell(verdict: &Verdict<'_>, torrent: &Torrent, output: &Output) -> Result<(), Failure> {
    if output.json {
        return events(verdict, output);
    }
    if output.quiet > 0 {
        return Ok(());
    }
    let repair = if verdict.all_good() { None } else { repair(verdict, torrent) };
    if output.plain {
        output.data(text::plain(verdict).as_bytes())?;
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
    // A file without a single good piece could be anybody's.
    let foreign = verdict.files.iter().any(|file| file.found.is_some_and(|len| len > 0) && !file.some_good);
    let overwrite = if foreign || verdict.files.iter().any(|file| file.status == Status::Long) {
        " --overwrite"
    } else {
        ""
    };
    let fetch = units::size(verdict.bad_bytes());
    Some(format!("torr get {}{folder}{overwrite}        (will fetch {fetch})", torrent.argument()))
}

fn events(verdict: &Verdict<'_>, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Bad {
        first: u64,
        last: u64,
    }
    #[derive(Serialize)]
    struct File {
        schema: &'static str,
        event: &'static str,
        index: u32,
        path: String,
        size: u64,
        status: &'static str,
        found_size: Option<u64>,
        bad_ranges: Vec<Bad>,
        bad_pieces: Vec<Bad>,
        either_with: Vec<u32>,
    }
    #[derive(Serialize)]
    struct Extra {
        schema: &'static str,
        event: &'static str,
        path: String,
        path_hex: Option<String>,
    }
    #[derive(Serialize)]
    struct Summary {
        schema: &'static str,
        event: &'static str,
        ok: bool,
        code: u8,
        torrent: String,
        path: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        good: f64,
        pieces: u32,
        pieces_good: u32,
        bytes_bad: u64,
        files: usize,
        files_bad: usize,
    }
    for file in &verdict.files {
        let known = &verdict.torrent.files()[file.file.0 as usize];
        output.event(&File {
            schema: SCHEMA,
            event: "file",
            index: file.file.0 + 1,
            path: verdict.place.path(known.path().as_path()).to_string_lossy().into_owned(),
            size: known.len(),
            status: file.status.word(),
            found_size: file.found,
            bad_ranges: file
                .bad
                .iter()
                .map(|range| Bad { first: range.start, last: range.end - 1 })
                .collect(),
            bad_pieces: file
                .pieces
                .iter()
                .map(|range| Bad { first: range.start.into(), last: (range.end - 1).into() })
                .collect(),
            either_with: file.or.iter().map(|other| other.0 + 1).collect(),
        })?;
    }
    for path in &verdict.extra {
        let odd = path.to_str().is_none();
        output.event(&Extra {
            schema: SCHEMA,
            event: "extra",
            path: path.to_string_lossy().into_owned(),
            path_hex: odd.then(|| hex(path.as_os_str().as_encoded_bytes())),
        })?;
    }
    let ok = verdict.all_good();
    let own = verdict.place.own(verdict.torrent);
    let own = std::path::absolute(&own).unwrap_or(own);
    output.event(&Summary {
        schema: SCHEMA,
        event: "summary",
        ok,
        code: u8::from(!ok),
        torrent: verdict.torrent.info_hash().to_string(),
        path: own.to_string_lossy().into_owned(),
        path_hex: path_hex(&own),
        good: text::part_good(verdict),
        pieces: verdict.good.len(),
        pieces_good: verdict.good.count(),
        bytes_bad: verdict.bad_bytes(),
        files: verdict.files.len(),
        files_bad: text::bad_files(verdict),
    })
}

/// A path of the torrent for people.
fn name(verdict: &Verdict<'_>, file: &FileReport) -> Untrusted {
    let path = verdict.torrent.files()[file.file.0 as usize].path();
    shown(&verdict.place.path(path.as_path()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
