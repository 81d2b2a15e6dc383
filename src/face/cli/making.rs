//! The progress and the warnings of `create` and `seed` while they make a torrent.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Serialize;

use super::output::{Output, Progress};
use super::progress::hashing::{self, Hashing};
use super::{json, stderr};
use crate::app::Error;
use crate::app::making::Patterns;
use crate::app::making::gather::{Gathered, Sort};
use crate::app::making::hash::{self, HashProgress, Hashed, Line};
use crate::app::making::lints::{Finding, Lint};
use crate::app::making::plan::Format;
use crate::base::{Geometry, Sha1Digest, Untrusted, units};

/// The patterns of a flag.
pub fn patterns(flag: &str, patterns: &[String]) -> Result<Patterns, Error> {
    Patterns::new(patterns)
        .map_err(|error| Error::usage(format!("{flag}: {}", Untrusted::new(error).clean())))
}

/// The event of what was found, of this schema.
pub fn scanned(schema: &'static str, found: &Gathered) -> impl Serialize {
    #[derive(Serialize)]
    struct Scanned {
        schema: &'static str,
        event: &'static str,
        files: usize,
        size: u64,
        hidden_skipped: u64,
        junk_skipped: u64,
        excluded_skipped: u64,
        ignored_skipped: u64,
        links_skipped: u64,
        special_skipped: u64,
    }
    let skipped = &found.skipped;
    Scanned {
        schema,
        event: "scan",
        files: found.files.len(),
        size: found.total(),
        hidden_skipped: skipped.hidden,
        junk_skipped: skipped.junk,
        excluded_skipped: skipped.excluded,
        ignored_skipped: skipped.ignored,
        links_skipped: skipped.links,
        special_skipped: skipped.special,
    }
}

/// `412 files, 1.9 GiB`.
pub fn amount(found: &Gathered) -> String {
    let files = units::plural(found.files.len() as u64, "file", "files");
    format!("{files}, {}", units::size(found.total()))
}

/// Warns of findings, with events of this schema.
pub fn warn(findings: &[Finding], schema: &'static str, output: &Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Warning<'a> {
        schema: &'static str,
        event: &'static str,
        lint: &'a str,
        message: &'a str,
    }
    for Finding { lint, text } in findings {
        let lint = lint.name();
        output.warn(&format!("{text} ({lint})"));
        output.event(&Warning { schema, event: "warning", lint, message: text })?;
    }
    Ok(())
}

/// How the progress of hashing is told.
#[derive(Clone, Copy, Debug)]
pub struct HashStyle {
    /// The schema of its events.
    pub schema: &'static str,
    /// The name of its events.
    pub event: &'static str,
    /// The label in front of the progress bar.
    pub label: &'static str,
}

/// Hashes as [`hash::hash`] does, and tells the progress.
pub fn hash(
    files: &Line,
    shape: &Geometry,
    known: &[Option<Sha1Digest>],
    threads: usize,
    style: HashStyle,
    output: &Output,
) -> Result<Hashed, Error> {
    let mut report = HashReport::new(style, output);
    let hashed = hash::hash(files, shape, known, threads, &mut |now| report.tell(now));
    output.live.erase();
    hashed
}

/// Tells the progress of hashing in whatever form is wanted.
struct HashReport<'a> {
    style: HashStyle,
    output: &'a Output,
    last: Duration,
    every: Duration,
}

#[derive(Serialize)]
struct ProgressEvent<'a> {
    schema: &'static str,
    event: &'static str,
    done: u64,
    size: u64,
    progress: f64,
    rate: u64,
    eta_s: Option<u64>,
    file: Option<&'a str>,
}

impl<'a> HashReport<'a> {
    fn new(style: HashStyle, output: &'a Output) -> Self {
        let usual = if output.json { 1 } else { 30 };
        let every = output.interval.unwrap_or(Duration::from_secs(usual));
        Self { style, output, last: Duration::ZERO, every }
    }

    /// Tells how far hashing is: a drawn line each time, a written one or an event now and then.
    fn tell(&mut self, now: HashProgress<'_>) -> Result<(), Error> {
        let HashProgress { done, total, elapsed, file } = now;
        let output = self.output;
        let at = Hashing { label: self.style.label, done, total, elapsed, file };
        if output.progress == Progress::Bar {
            output.live.draw(vec![hashing::line(&at, output.err, output.columns())]);
        }
        if elapsed.saturating_sub(self.last) < self.every {
            return Ok(());
        }
        self.last = elapsed;
        let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
        let event = ProgressEvent {
            schema: self.style.schema,
            event: self.style.event,
            done,
            size: total,
            progress: done as f64 / total.max(1) as f64,
            rate: rate as u64,
            eta_s: (rate >= 1024.0).then(|| ((total - done) as f64 / rate).ceil() as u64),
            file: file.map(Untrusted::raw),
        };
        match output.progress {
            Progress::Lines => output.say(&hashing::line(&at, output.err, 100)),
            Progress::Json => stderr::write(&format!("{}\n", json::line(&event))),
            Progress::Bar | Progress::None => {}
        }
        output.event(&event)
    }
}

impl ValueEnum for Sort {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::Path, Self::Size]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::Path => PossibleValue::new("path").help("By path"),
            Self::Size => PossibleValue::new("size").help("By size, largest first"),
        })
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        &[Self::V1, Self::V2, Self::Hybrid]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Self::V1 => PossibleValue::new("v1").help("Version 1 (BEP 3)"),
            Self::V2 => PossibleValue::new("v2").help("Version 2 (BEP 52)").hide(true),
            Self::Hybrid => PossibleValue::new("hybrid").help("Versions 1 and 2").hide(true),
        })
    }
}

impl ValueEnum for Lint {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::UnevenPiece => "The piece size is not a power of two",
            Self::LargePiece => "Pieces are larger than 16 MiB",
            Self::LargeTorrent => "The torrent file is larger than 8 MiB",
            Self::PrivateWithoutTracker => "A private torrent without trackers",
            Self::PrivateWithNode => "A private torrent with DHT nodes",
            Self::WebSeedWithoutSlash => "A web seed for several files without a slash at the end",
            Self::PathTooLong => "Paths are too long for some systems",
            Self::NameNotPortable => "Names are not valid on Windows",
            Self::NamesCollide => "Names differ only in case",
        };
        Some(PossibleValue::new(self.name()).help(help))
    }
}
