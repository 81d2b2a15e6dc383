//! The second step: hashing on threads of the store, with progress.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::SCHEMA;
use super::gather::Gathered;
use super::reuse::Reused;
use crate::base::{Geometry, Piece, Untrusted, units};
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::output::{Output, Progress as Shown};
use crate::face::cli::progress::hashing::{self, Hashing};
use crate::store::{self, DiskError, DiskErrorKind, Progress};

/// The digests of all pieces, end to end: those that are known, and the others hashed. A file that is
/// not the same before and afterwards is an error.
pub fn hash(
    found: &Gathered,
    shape: &Geometry,
    reused: &Reused,
    threads: usize,
    output: &Output,
) -> Result<Vec<u8>, Failure> {
    let rest = reused.rest(shape);
    let total = rest.iter().map(|&piece| u64::from(shape.len_of(piece))).sum();
    let begun = Instant::now();
    let mut new = hash_rest(found, shape, &rest, total, threads, output)?.into_iter();
    if let Some(file) = store::changed(&found.files) {
        return Err(changed(&file.path));
    }
    let digests: Vec<u8> =
        reused.digests.iter().flat_map(|known| known.or_else(|| new.next()).unwrap_or_default()).collect();
    let elapsed = begun.elapsed().as_secs_f64();
    let rate = units::rate(total as f64 / elapsed.max(0.001));
    let hashed =
        if total == 0 { "nothing new".to_owned() } else { format!("{}, {rate}", units::size(total)) };
    output.say(&format!("[2/3] hash    {hashed}{}", taken_over(reused, shape)));
    Ok(digests)
}

fn taken_over(reused: &Reused, shape: &Geometry) -> String {
    match reused.amount(shape) {
        (0, _) => String::new(),
        (pieces, bytes) => {
            let of = units::count(shape.piece_count().into());
            format!(", {} reused ({} of {of} pieces)", units::size(bytes), units::count(pieces.into()))
        }
    }
}

fn changed(path: &std::path::Path) -> Failure {
    let message = format!("{} changed while it was hashed", shown(path));
    Failure::new(Exit::Disk, "changed_on_disk", message)
        .hint("make the torrent again when nobody writes to it; nothing was written")
}

fn failed(error: &DiskError) -> Failure {
    match error.kind {
        DiskErrorKind::Changed | DiskErrorKind::Missing => changed(&error.path),
        _ => faults::disk(error),
    }
}

/// Hashes on threads of the store and shows how far it is.
fn hash_rest(
    found: &Gathered,
    shape: &Geometry,
    rest: &[Piece],
    total: u64,
    threads: usize,
    output: &Output,
) -> Result<Vec<[u8; 20]>, Failure> {
    let files: Vec<(Option<PathBuf>, u64)> =
        found.files.iter().map(|file| (Some(file.path.clone()), file.len)).collect();
    let progress = Progress::default();
    let (send, done) = mpsc::channel();
    let begun = Instant::now();
    let (worker, wanted, whole) = (progress.clone(), rest.to_vec(), shape.clone());
    let work = move || drop(send.send(store::hash_some_pieces(&files, &whole, &wanted, threads, &worker)));
    std::thread::Builder::new()
        .name("torr-create".to_owned())
        .spawn(work)
        .map_err(|error| Failure::new(Exit::Disk, "io", format!("cannot start a thread: {error}")))?;
    let mut told = Told::new(output);
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
                let file = next.map(|part| name(found, part.file.0 as usize));
                told.tell(hashed, total, begun.elapsed(), file.as_ref(), output)?;
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new(Exit::Internal, "internal", "hashing ended without a result"));
            }
        }
    }
}

fn name(found: &Gathered, file: usize) -> Untrusted {
    let file = &found.files[file];
    let own = || file.path.file_name().map(|name| name.to_string_lossy().into_owned());
    Untrusted::new(file.names.last().cloned().or_else(own).unwrap_or_default())
}

/// Progress of hashing in whatever form is wanted.
struct Told {
    last: Duration,
    every: Duration,
}

#[derive(Serialize)]
struct Hashed<'a> {
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
    fn new(output: &Output) -> Self {
        let usual = if output.json { 1 } else { 30 };
        Self { last: Duration::ZERO, every: output.interval.unwrap_or(Duration::from_secs(usual)) }
    }

    fn tell(
        &mut self,
        done: u64,
        total: u64,
        elapsed: Duration,
        file: Option<&Untrusted>,
        output: &Output,
    ) -> Result<(), Failure> {
        let at = Hashing { label: "[2/3] hash    ", done, total, elapsed, file };
        if output.progress == Shown::Bar {
            output.live.draw(vec![hashing::line(&at, output.err, output.columns())]);
        }
        if elapsed.saturating_sub(self.last) < self.every {
            return Ok(());
        }
        self.last = elapsed;
        let rate = done as f64 / elapsed.as_secs_f64().max(0.001);
        let event = Hashed {
            schema: SCHEMA,
            event: "progress",
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
                crate::face::cli::output::raw(&format!("{}\n", crate::face::cli::json::line(&event)));
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
