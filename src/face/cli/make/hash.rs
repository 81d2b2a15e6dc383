//! Hashing on threads of the store, with progress.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::gather::Gathered;
use crate::app::{Error, ErrorKind, shown};
use crate::base::{Geometry, Piece, Sha1Digest, Untrusted, units};
use crate::face::cli::faults;
use crate::face::cli::output::{Output, Progress as Shown};
use crate::face::cli::progress::hashing::{self, Hashing};
use crate::store::{self, DiskError, DiskErrorKind, Progress};

/// How the progress of hashing is told.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// The schema of its events.
    pub schema: &'static str,
    /// What they are called.
    pub event: &'static str,
    /// What stands in front of the line.
    pub label: &'static str,
}

/// Files end to end, each a path and its length; one of no path is padding.
pub type Line = Vec<(Option<PathBuf>, u64)>;

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Hashed {
    /// The digests of all pieces: those that were known, and the others.
    pub digests: Vec<Sha1Digest>,
    /// How many bytes were hashed.
    pub bytes: u64,
    /// How long that took.
    pub took: Duration,
}

impl Hashed {
    /// The digests end to end.
    pub fn joined(&self) -> Vec<u8> {
        self.digests.concat()
    }

    /// `1.9 GiB, 612 MiB/s`; nothing where nothing was hashed.
    pub fn amount(&self) -> Option<String> {
        let rate = units::rate(self.bytes as f64 / self.took.as_secs_f64().max(0.001));
        (self.bytes > 0).then(|| format!("{}, {rate}", units::size(self.bytes)))
    }
}

/// The files of a new torrent as they are hashed.
pub fn line(found: &Gathered) -> Line {
    found.files.iter().map(|file| (Some(file.path.clone()), file.len)).collect()
}

/// Hashes the pieces whose digest is not known, on so many threads.
pub fn hash(
    files: &Line,
    shape: &Geometry,
    known: &[Option<Sha1Digest>],
    threads: usize,
    style: Style,
    output: &Output,
) -> Result<Hashed, Error> {
    let unknown = |piece: &Piece| known.get(piece.index() as usize).copied().flatten().is_none();
    let rest: Vec<Piece> = shape.pieces().filter(unknown).collect();
    let bytes = rest.iter().map(|&piece| u64::from(shape.len_of(piece))).sum();
    let begun = Instant::now();
    let mut new = hash_rest(files, shape, &rest, bytes, threads, style, output)?.into_iter();
    let digests = shape
        .pieces()
        .map(|piece| known.get(piece.index() as usize).copied().flatten().or_else(|| new.next()))
        .map(Option::unwrap_or_default)
        .collect();
    Ok(Hashed { digests, bytes, took: begun.elapsed() })
}

/// A file that is not what it was when it was found is an error: its digests are of neither.
pub fn check_unchanged(found: &Gathered) -> Result<(), Error> {
    store::changed(&found.files).map_or(Ok(()), |file| Err(changed(&file.path)))
}

fn changed(path: &Path) -> Error {
    let message = format!("{} changed while it was hashed", shown(path));
    Error::new(ErrorKind::Disk, "changed_on_disk", message)
        .hint("run it again when nobody writes to it; nothing was written")
}

fn failed(error: &DiskError) -> Error {
    match error.kind {
        DiskErrorKind::Changed | DiskErrorKind::Missing => changed(&error.path),
        _ => faults::disk(error),
    }
}

/// Hashes on threads of the store and shows how far it is.
fn hash_rest(
    files: &Line,
    shape: &Geometry,
    rest: &[Piece],
    total: u64,
    threads: usize,
    style: Style,
    output: &Output,
) -> Result<Vec<Sha1Digest>, Error> {
    let progress = Progress::default();
    let (send, done) = mpsc::channel();
    let begun = Instant::now();
    let (worker, line, wanted, whole) = (progress.clone(), files.clone(), rest.to_vec(), shape.clone());
    let work = move || drop(send.send(store::hash_some_pieces(&line, &whole, &wanted, threads, &worker)));
    std::thread::Builder::new()
        .name("torr-hash".to_owned())
        .spawn(work)
        .map_err(|error| Error::new(ErrorKind::Disk, "io", format!("cannot start a thread: {error}")))?;
    let mut told = Told::new(style, output);
    loop {
        match done.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => {
                output.live.erase();
                return result.map_err(|error| failed(&error));
            }
            Err(RecvTimeoutError::Timeout) => {
                let pieces = progress.done() as usize;
                let hashed = (pieces as u64).saturating_mul(u64::from(shape.piece_len())).min(total);
                // Pieces are begun in their order, so the next one tells what is read just now.
                let next = rest.get(pieces).and_then(|&piece| shape.parts_of(piece).next());
                let file = next.and_then(|part| name(files, part.file.0 as usize));
                told.tell(hashed, total, begun.elapsed(), file.as_ref(), output)?;
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Error::new(ErrorKind::Internal, "internal", "hashing ended without a result"));
            }
        }
    }
}

fn name(files: &Line, file: usize) -> Option<Untrusted> {
    let path = files.get(file)?.0.as_deref()?;
    path.file_name().map(|name| Untrusted::new(name.to_string_lossy()))
}

/// Progress of hashing in whatever form is wanted.
struct Told {
    style: Style,
    last: Duration,
    every: Duration,
}

#[derive(Serialize)]
struct Event<'a> {
    schema: &'static str,
    event: &'static str,
    done: u64,
    size: u64,
    progress: f64,
    rate: u64,
    eta_s: Option<u64>,
    file: Option<&'a str>,
}

impl Told {
    fn new(style: Style, output: &Output) -> Self {
        let usual = if output.json { 1 } else { 30 };
        let every = output.interval.unwrap_or(Duration::from_secs(usual));
        Self { style, last: Duration::ZERO, every }
    }

    fn tell(
        &mut self,
        done: u64,
        total: u64,
        elapsed: Duration,
        file: Option<&Untrusted>,
        output: &Output,
    ) -> Result<(), Error> {
        let at = Hashing { label: self.style.label, done, total, elapsed, file };
        if output.progress == Shown::Bar {
            output.live.draw(vec![hashing::line(&at, output.err, output.columns())]);
        }
        if elapsed.saturating_sub(self.last) < self.every {
            return Ok(());
        }
        self.last = elapsed;
        let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
        let event = Event {
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
            Shown::Lines => output.say(&hashing::line(&at, output.err, 100)),
            Shown::Json => {
                crate::face::cli::stderr::write(&format!("{}\n", crate::face::cli::json::line(&event)));
            }
            Shown::Bar | Shown::None => {}
        }
        output.event(&event)
    }
}

/// As many threads as there are cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
