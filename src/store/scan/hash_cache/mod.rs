//! A cache of piece hashes, so that unchanged files are not hashed again for a new torrent.
//!
//! Each hashed path has a cache file: the names and stamps of the files beneath the path, and the digests of
//! their pieces. Cache files may be deleted at any time; a damaged one is ignored.

mod encoding;

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::{ScanStamp, ScannedFile};
use crate::base::{FileIndex, Geometry, InfoHashes, Piece, Sha1Digest};
use crate::hash;
use crate::store::atomic::write_atomic;
use crate::store::error::DiskError;

/// Maximum size of a cache file, in bytes.
const MAX_EACH: u64 = 64 << 20;
/// Maximum size of all cache files, in bytes.
const MAX_BYTES: u64 = 256 << 20;
/// Maximum number of cached paths.
const MAX_PATHS: usize = 500;
/// File name extension of cache files.
const EXTENSION: &str = "hashes";

/// The granularity of file times. A file changed within this time before the scan may change again without a
/// new time stamp.
const STEP: Duration = Duration::from_millis(20);
/// The granularity of file times in whole seconds; some file systems keep only even seconds.
const COARSE_STEP: Duration = Duration::from_secs(2);

/// The folder of cache files.
#[derive(Clone, Debug)]
pub struct HashCache {
    folder: PathBuf,
}

/// The hashes of the files beneath a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CachedHashes {
    /// Piece length in bytes.
    piece_len: u32,
    /// The files, end to end: their names beneath the path, their length, and their stamp if it is reliable.
    files: Vec<(Vec<String>, u64, Option<ScanStamp>)>,
    /// The digests of their pieces.
    digests: Vec<Sha1Digest>,
}

impl CachedHashes {
    /// The hashes of these files, which were scanned no earlier than `at`.
    pub fn new(files: &[ScannedFile], piece_len: u32, digests: Vec<Sha1Digest>, at: SystemTime) -> Self {
        let known = |file: &ScannedFile| file.stamp.is_reliable_at(at).then_some(file.stamp);
        let files = files.iter().map(|file| (file.names.clone(), file.len, known(file))).collect();
        Self { piece_len, files, digests }
    }

    /// The digest of each piece of `files`, as far as all files of the piece are unchanged.
    pub fn digests(&self, files: &[ScannedFile], shape: &Geometry) -> Vec<Option<Sha1Digest>> {
        let none = || vec![None; shape.piece_count() as usize];
        if self.piece_len != shape.piece_len() {
            return none();
        }
        let lens = self.files.iter().map(|(_, len, _)| (*len, false));
        let Ok(then) = Geometry::new(u64::from(self.piece_len), lens) else { return none() };
        if then.piece_count() as usize != self.digests.len() {
            return none();
        }
        let by_name: BTreeMap<&[String], usize> =
            self.files.iter().enumerate().map(|(at, (names, ..))| (names.as_slice(), at)).collect();
        let same: Vec<Option<FileIndex>> = files
            .iter()
            .map(|file| {
                let at = *by_name.get(file.names.as_slice())?;
                let (_, len, stamp) = &self.files[at];
                (*len == file.len && *stamp == Some(file.stamp)).then_some(FileIndex(at as u32))
            })
            .collect();
        shape
            .pieces()
            .map(|piece| {
                matching_piece(&then, shape, &same, piece).map(|piece| self.digests[piece.index() as usize])
            })
            .collect()
    }
}

impl HashCache {
    /// The hash cache in this cache folder, which need not exist.
    pub fn in_cache_dir(cache: &Path) -> Self {
        Self { folder: cache.join("hashes") }
    }

    /// The cached hashes of a path for this piece length, or `None`.
    pub fn load(&self, path: &Path, piece_len: u32) -> Option<CachedHashes> {
        let file = std::fs::File::open(self.entry_path(path, piece_len)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_EACH + 1).read_to_end(&mut bytes).ok()?;
        let whole = bytes.len() as u64 <= MAX_EACH;
        CachedHashes::from_bytes(&bytes).filter(|cached| whole && cached.piece_len == piece_len)
    }

    /// Caches the hashes of a path, replacing older ones, and removes the oldest cache files if there are too
    /// many.
    pub fn save(&self, path: &Path, cached: &CachedHashes) -> Result<(), DiskError> {
        let bytes = cached.to_bytes();
        if bytes.len() as u64 > MAX_EACH {
            return Ok(());
        }
        std::fs::create_dir_all(&self.folder)
            .map_err(|error| DiskError::from_io("make the folder", &self.folder, &error))?;
        write_atomic(&self.entry_path(path, cached.piece_len), &bytes, true)?;
        self.remove_oldest(MAX_PATHS, MAX_BYTES)
    }

    fn entry_path(&self, path: &Path, piece_len: u32) -> PathBuf {
        let name = [path.as_os_str().as_bytes(), &[0], &piece_len.to_le_bytes()].concat();
        let name = InfoHashes::from_v1(hash::sha1(&name));
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    fn remove_oldest(&self, max_files: usize, max_bytes: u64) -> Result<(), DiskError> {
        let failed = |error| DiskError::from_io("look into", &self.folder, &error);
        let mut known = Vec::new();
        for entry in std::fs::read_dir(&self.folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Ok(meta) = entry.metadata()
            {
                known.push((meta.modified().unwrap_or(SystemTime::UNIX_EPOCH), meta.len(), path));
            }
        }
        known.sort_by(|a, b| b.cmp(a));
        let mut bytes = 0;
        for (at, (_, len, path)) in known.iter().enumerate() {
            bytes += len;
            if at >= max_files || bytes > max_bytes {
                std::fs::remove_file(path).map_err(|error| DiskError::from_io("remove", path, &error))?;
            }
        }
        Ok(())
    }
}

impl ScanStamp {
    /// Whether a change after `at` would alter the stamp, given the granularity of file times.
    fn is_reliable_at(&self, at: SystemTime) -> bool {
        let newest = self.mtime_ns.max(self.ctime_ns);
        let step = if newest % 1_000_000_000 == 0 { COARSE_STEP } else { STEP };
        let at = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_nanos() as i128;
        newest + step.as_nanos() as i128 <= at
    }
}

/// The piece of `theirs` that has the same bytes as `piece` of `ours`. `same` maps each of our files to the
/// identical file of theirs.
pub fn matching_piece(
    theirs: &Geometry,
    ours: &Geometry,
    same: &[Option<FileIndex>],
    piece: Piece,
) -> Option<Piece> {
    let first = ours.parts_of(piece).next()?;
    let begin = theirs.file_range(same[first.file.0 as usize]?).start + first.offset;
    let piece_len = u64::from(theirs.piece_len());
    let candidate = theirs.piece(u32::try_from(begin / piece_len).ok()?)?;
    let parts = ours.parts_of(piece).map(|part| Some((same[part.file.0 as usize]?, part.offset, part.len)));
    let their_parts = theirs.parts_of(candidate).map(|part| Some((part.file, part.offset, part.len)));
    (begin.is_multiple_of(piece_len) && parts.eq(their_parts)).then_some(candidate)
}

#[cfg(test)]
mod tests;
