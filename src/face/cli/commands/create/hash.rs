//! The second step: hashing on threads of the store, with progress.

use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde::Serialize;

use super::SCHEMA;
use super::gather::Gathered;
use crate::base::{Geometry, Sha1Digest, units};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::output::{Output, Progress as Shown};
use crate::face::cli::progress::hashing::{self, Hashing};
use crate::store::{self, Progress};

/// Hashes on threads of the store and shows how far it is.
pub fn hash(
    scan: &Gathered,
    shape: &Geometry,
    threads: usize,
    output: &Output,
) -> Result<Vec<Sha1Digest>, Failure> {
    let files: Vec<(Option<PathBuf>, u64)> =
        scan.files.iter().map(|file| (Some(file.path.clone()), file.len)).collect();
    let progress = Progress::default();
    let (send, done) = mpsc::channel();
    let begun = Instant::now();
    let (worker, total, piece_len) = (progress.clone(), shape.total(), shape.piece_len());
    let shape = shape.clone();
    std::thread::Builder::new()
        .name("torr-create".to_owned())
        .spawn(move || drop(send.send(store::hash_pieces(&files, &shape, threads, &worker))))
        .map_err(|error| Failure::new(Exit::Disk, "io", format!("cannot start a thread: {error}")))?;
    let mut told = Told::new(output);
    loop {
        let hashed = u64::from(progress.done()).saturating_mul(u64::from(piece_len)).min(total);
        match done.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => {
                output.live.erase();
                let digests = result.map_err(|error| faults::disk(&error))?;
                let rate = total as f64 / begun.elapsed().as_secs_f64().max(0.001);
                output.say(&format!("[2/3] hash    {}, {}", units::size(total), units::rate(rate)));
                return Ok(digests);
            }
            Err(RecvTimeoutError::Timeout) => told.tell(hashed, total, begun.elapsed(), output)?,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::new(Exit::Internal, "internal", "hashing ended without a result"));
            }
        }
    }
}

/// Progress of hashing in whatever form is wanted.
struct Told {
    last: Duration,
    every: Duration,
}

impl Told {
    fn new(output: &Output) -> Self {
        let usual = if output.json { 1 } else { 30 };
        Self { last: Duration::ZERO, every: output.interval.unwrap_or(Duration::from_secs(usual)) }
    }

    fn tell(&mut self, done: u64, total: u64, elapsed: Duration, output: &Output) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct Hashed {
            schema: &'static str,
            event: &'static str,
            done: u64,
            size: u64,
        }
        let at = Hashing { label: "[2/3] hash    ", done, total, elapsed, file: None };
        if output.progress == Shown::Bar {
            output.live.draw(vec![hashing::line(&at, output.err, output.columns())]);
        }
        if elapsed.saturating_sub(self.last) < self.every {
            return Ok(());
        }
        self.last = elapsed;
        let event = Hashed { schema: SCHEMA, event: "progress", done, size: total };
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
