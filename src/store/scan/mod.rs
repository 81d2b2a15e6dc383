//! What a new torrent is made of: listing the files under a path, and hashing them.

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

/// One file that was found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ScannedFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its names beneath the path that was scanned; empty if that is the file itself.
    pub names: Vec<String>,
    /// Its length in bytes.
    pub len: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// By what it is known again.
    pub stamp: ScanStamp,
}

/// What tells whether a file is still the one that was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScanStamp {
    len: u64,
    /// When it was written last, in nanoseconds since 1970.
    mtime_ns: i128,
    /// When it was written, renamed or replaced last; unlike the other it cannot be set to a wish.
    ctime_ns: i128,
    device: u64,
    inode: u64,
}

/// Which files are wanted. What is meant by `include` is taken, a folder with all it holds, whatever else
/// would leave it out; then `exclude` is heard, then the ignore files, then what is junk or hidden. A
/// folder that is left out takes with it all that is not included by itself.
#[derive(Clone, Debug, Default)]
pub struct ScanOptions {
    /// Files and folders that begin with a dot.
    pub hidden: bool,
    /// Files that systems leave behind.
    pub junk: bool,
    /// What links point to.
    pub follow: bool,
    /// Whether `.gitignore` and `.ignore` files are heard.
    pub ignore_files: bool,
    /// Always taken.
    pub include: Patterns,
    /// Left out.
    pub exclude: Patterns,
}

/// What was found under a path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// The files, sorted by their names, folder by folder.
    pub files: Vec<ScannedFile>,
    /// Whether the path is a folder.
    pub is_folder: bool,
    /// How many of them were reached by a link.
    pub linked: u64,
    /// What was left out.
    pub skipped: Skipped,
    /// Wanted files and folders whose names are not UTF-8.
    pub non_utf8: Vec<PathBuf>,
}

/// How many files and folders were left out, by the reason. A folder counts once, with all it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Skipped {
    /// They are hidden.
    pub hidden: u64,
    /// Systems leave them behind.
    pub junk: u64,
    /// A pattern excluded them.
    pub excluded: u64,
    /// An ignore file did.
    pub ignored: u64,
    /// They are links.
    pub links: u64,
    /// They are devices, sockets and the like.
    pub special: u64,
}

impl Skipped {
    /// All of them.
    pub const fn total(&self) -> u64 {
        self.hidden + self.junk + self.excluded + self.ignored + self.links + self.special
    }
}

/// Lists the files under a path, or the one file that it is, to which no wish applies. The path itself
/// may be a link. A link that leads nowhere or back into a folder it lies in is an error where links
/// are followed.
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

/// The first of these files that is not what it was when it was found.
pub fn first_changed(files: &[ScannedFile]) -> Option<&ScannedFile> {
    files.iter().find(|file| std::fs::metadata(&file.path).map_or(true, |meta| !file.stamp.is(&meta)))
}

/// The first of these files that we may not read.
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

    /// The same file with the same content, as far as its size and time tell. Another name or other
    /// permissions do not matter.
    fn is(&self, meta: &Metadata) -> bool {
        let other = Self::of(meta);
        *self == Self { ctime_ns: self.ctime_ns, ..other }
    }

    /// Whether nothing has happened to the file since the second that began at this time.
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
