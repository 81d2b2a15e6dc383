//! Hashing on threads of the store, with progress.

use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::gather::Gathered;
use crate::app::{Error, ErrorKind, shown};
use crate::base::{Geometry, Piece, Sha1Digest, Untrusted, units};
use crate::store::{self, DiskError, DiskErrorKind, Progress};

/// How far hashing has come.
#[derive(Clone, Copy, Debug)]
pub struct HashProgress<'a> {
    /// Bytes hashed.
    pub done: u64,
    /// Bytes to hash.
    pub total: u64,
    /// The time since the start.
    pub elapsed: Duration,
    /// The file that is being read, where it is known.
    pub file: Option<&'a Untrusted>,
}

/// Hears ten times a second how far hashing has come; its error ends the hashing.
pub type HashWatch<'a> = dyn FnMut(HashProgress<'_>) -> Result<(), Error> + 'a;

/// Files end to end, each a path and its length; one of no path is padding.
pub type Line = Vec<(Option<PathBuf>, u64)>;

/// The result of hashing.
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
    watch: &mut HashWatch<'_>,
) -> Result<Hashed, Error> {
    let unknown = |piece: &Piece| known.get(piece.index() as usize).copied().flatten().is_none();
    let rest: Vec<Piece> = shape.pieces().filter(unknown).collect();
    let bytes = rest.iter().map(|&piece| u64::from(shape.len_of(piece))).sum();
    let begun = Instant::now();
    let mut new = hash_rest(files, shape, &rest, bytes, threads, watch)?.into_iter();
    let digests = shape
        .pieces()
        .map(|piece| known.get(piece.index() as usize).copied().flatten().or_else(|| new.next()))
        .map(Option::unwrap_or_default)
        .collect();
    Ok(Hashed { digests, bytes, took: begun.elapsed() })
}

/// A file that is not what it was when it was found is an error: its digests are of neither.
pub fn check_unchanged(found: &Gathered) -> Result<(), Error> {
    store::first_changed(&found.files).map_or(Ok(()), |file| Err(changed(&file.path)))
}

fn changed(path: &Path) -> Error {
    let message = format!("{} changed during hashing", shown(path));
    Error::new(ErrorKind::Disk, "changed_on_disk", message)
        .hint("run the command again when no program writes to it; torr wrote nothing")
}

fn failed(error: &DiskError) -> Error {
    match error.kind {
        DiskErrorKind::Changed | DiskErrorKind::Missing => changed(&error.path),
        _ => error.into(),
    }
}

/// Hashes on threads of the store and shows how far it is.
fn hash_rest(
    files: &Line,
    shape: &Geometry,
    rest: &[Piece],
    total: u64,
    threads: usize,
    watch: &mut HashWatch<'_>,
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
    loop {
        match done.recv_timeout(Duration::from_millis(100)) {
            Ok(result) => {
                return result.map_err(|error| failed(&error));
            }
            Err(RecvTimeoutError::Timeout) => {
                let pieces = progress.done() as usize;
                let hashed = (pieces as u64).saturating_mul(u64::from(shape.piece_len())).min(total);
                // Pieces are begun in their order, so the next one tells what is read just now.
                let next = rest.get(pieces).and_then(|&piece| shape.parts_of(piece).next());
                let file = next.and_then(|part| name(files, part.file.0 as usize));
                watch(HashProgress { done: hashed, total, elapsed: begun.elapsed(), file: file.as_ref() })?;
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

/// As many threads as there are cores.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
