//! Scans the files of a new torrent: lists them, hashes them, caches the hashes.

mod hash_cache;
mod hashing;
mod ignore_files;
mod patterns;
mod walk;

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

pub use self::hash_cache::{CachedHashes, HashCache, matching_piece};
pub use self::hashing::{hash_pieces, hash_some_pieces};
pub use self::patterns::Patterns;
use super::error::{DiskError, DiskErrorKind};

/// A file found by a scan.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScannedFile {
    /// The path to open.
    pub path: PathBuf,
    /// The names beneath the scanned path; empty if that path is the file itself.
    pub names: Vec<String>,
    /// The length in bytes.
    pub len: u64,
    /// Set if the owner may execute the file.
    pub executable: bool,
    /// The stamp by which a change is detected.
    pub stamp: ScanStamp,
}

/// The length, times and inode of a file: a change of the file changes them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScanStamp {
    len: u64,
    /// Modification time, in nanoseconds since 1970.
    mtime_ns: i128,
    /// Status change time, in nanoseconds since 1970; programs cannot set it back.
    ctime_ns: i128,
    device: u64,
    inode: u64,
}

/// The selection of files. `include` wins over everything, for a folder with all it holds; then `exclude`
/// counts, then ignore files, then `junk` and `hidden`. An excluded folder excludes all its contents that are
/// not included themselves.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Take files and folders whose names begin with a dot.
    pub hidden: bool,
    /// Take files that operating systems leave behind, such as `.DS_Store`.
    pub junk: bool,
    /// Follow symbolic links.
    pub follow: bool,
    /// Apply `.gitignore` and `.ignore` files.
    pub ignore_files: bool,
    /// Patterns of files and folders to take in any case.
    pub include: Patterns,
    /// Patterns of files and folders to exclude.
    pub exclude: Patterns,
}

/// The result of a scan.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// The files, sorted by name, folder by folder.
    pub files: Vec<ScannedFile>,
    /// Whether the path is a folder.
    pub is_folder: bool,
    /// Number of files reached through a symbolic link.
    pub linked: u64,
    /// The files and folders skipped.
    pub skipped: Skipped,
    /// Selected files and folders whose names are not UTF-8.
    pub non_utf8: Vec<PathBuf>,
}

/// Numbers of skipped files and folders, by reason. A folder counts once.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Skipped {
    /// Hidden files and folders.
    pub hidden: u64,
    /// Files that operating systems leave behind.
    pub junk: u64,
    /// Matches of an exclude pattern.
    pub excluded: u64,
    /// Matches of an ignore file.
    pub ignored: u64,
    /// Symbolic links.
    pub links: u64,
    /// Devices, sockets and other special files.
    pub special: u64,
}

impl Skipped {
    /// The total number of skipped files and folders.
    pub const fn total(&self) -> u64 {
        self.hidden + self.junk + self.excluded + self.ignored + self.links + self.special
    }
}

/// Lists the files beneath a path. If the path is a file, it is taken whatever the options say. The path
/// itself may be a symbolic link. With `follow`, a dangling or circular link is an error.
pub fn scan(path: &Path, options: &ScanOptions) -> Result<Scan, DiskError> {
    let meta = std::fs::metadata(path).map_err(|error| DiskError::from_io("read", path, &error))?;
    if meta.is_file() {
        let file = ScannedFile::new(path.to_owned(), Vec::new(), &meta);
        return Ok(Scan { files: vec![file], ..Scan::default() });
    }
    if !meta.is_dir() {
        return Err(DiskError::new(DiskErrorKind::NotPlain, "read", path));
    }
    walk::folder(path, &meta, options)
}

/// The first file that has changed since the scan.
pub fn first_changed(files: &[ScannedFile]) -> Option<&ScannedFile> {
    files.iter().find(|file| std::fs::metadata(&file.path).map_or(true, |meta| !file.stamp.is(&meta)))
}

/// The first file that we have no permission to read.
pub fn first_unreadable(files: &[ScannedFile]) -> Option<&ScannedFile> {
    let readable = |path: &Path| rustix::fs::access(path, rustix::fs::Access::READ_OK).is_ok();
    files.iter().find(|file| !readable(&file.path))
}

impl ScannedFile {
    fn new(path: PathBuf, names: Vec<String>, meta: &Metadata) -> Self {
        let executable = meta.permissions().mode() & 0o100 != 0;
        Self { path, names, len: meta.len(), executable, stamp: ScanStamp::of(meta) }
    }
}

impl ScanStamp {
    fn of(meta: &Metadata) -> Self {
        let ns = |seconds: i64, ns: i64| i128::from(seconds) * 1_000_000_000 + i128::from(ns);
        Self {
            len: meta.len(),
            mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
            ctime_ns: ns(meta.ctime(), meta.ctime_nsec()),
            device: meta.dev(),
            inode: meta.ino(),
        }
    }

    /// Whether the file has the same content, as far as length, modification time and inode tell. Renaming
    /// and permissions do not matter.
    fn is(&self, meta: &Metadata) -> bool {
        let other = Self::of(meta);
        *self == Self { ctime_ns: self.ctime_ns, ..other }
    }

    /// Whether the file was last changed before this second.
    pub fn older_than(&self, unix_seconds: i64) -> bool {
        self.mtime_ns.max(self.ctime_ns) < i128::from(unix_seconds) * 1_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_known_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        std::fs::write(&path, "one").unwrap();
        let files = scan(&path, &ScanOptions::default()).unwrap().files;
        assert!(
            files[0].names.is_empty()
                && first_changed(&files).is_none()
                && first_unreadable(&files).is_none()
        );
        let second = (files[0].stamp.ctime_ns / 1_000_000_000) as i64;
        assert!(!files[0].stamp.older_than(second) && files[0].stamp.older_than(second + 1));
        let past = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        std::fs::File::options().write(true).open(&path).unwrap().set_modified(past).unwrap();
        assert_eq!(first_changed(&files), Some(&files[0]));
        // A time that was set back does not make it old.
        let files = scan(&path, &ScanOptions::default()).unwrap().files;
        assert!(!files[0].stamp.older_than(second));
        std::fs::remove_file(&path).unwrap();
        assert!(first_changed(&files).is_some() && first_unreadable(&files).is_some());
    }
}
