//! Errors of the disk, each displayed as one sentence.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::{Untrusted, units};

/// The kind of a disk error: callers decide by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DiskErrorKind {
    /// The file system is full.
    NoSpace,
    /// The user's disk quota is used up.
    Quota,
    /// The file would exceed the size limit of the file system or of the process.
    TooLarge,
    /// Permission denied.
    Permission,
    /// The file system is read-only.
    ReadOnly,
    /// The file or folder is not there.
    Missing,
    /// A file differs from what we wrote: somebody truncated, replaced or removed it.
    Changed,
    /// A file that torr did not create is in the way.
    Foreign,
    /// A file that torr did not create differs from the torrent.
    Different,
    /// A symbolic link, a device or another special file is in the way.
    NotPlain,
    /// The file system rejects the name.
    Name,
    /// Another process holds the file, or too many requests are waiting.
    Busy,
    /// Another process is writing to the file.
    InUse,
    /// A newer version of torr wrote the file.
    Newer,
    /// The request does not fit this torrent.
    Invalid,
    /// The work was cancelled.
    Cancelled,
    /// An I/O error of the device, or any other error.
    Io,
}

/// An error of the disk. Displays as one sentence without a full stop; control characters in file names are
/// escaped.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DiskError {
    /// The kind of error.
    pub kind: DiskErrorKind,
    /// The action that failed, as an infinitive: `write`, `open`.
    pub action: &'static str,
    /// The file or folder concerned; empty if there is none.
    pub path: PathBuf,
    /// Further detail, shown in parentheses; may be empty.
    pub detail: String,
}

impl DiskError {
    /// An error of this kind without further detail.
    pub fn new(kind: DiskErrorKind, action: &'static str, path: impl Into<PathBuf>) -> Self {
        Self { kind, action, path: path.into(), detail: String::new() }
    }

    /// Adds a detail to the error.
    pub fn with_detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        self
    }

    /// The error for an I/O error that the system reported.
    pub fn from_io(action: &'static str, path: impl Into<PathBuf>, error: &io::Error) -> Self {
        let kind = kind_of(error);
        let known = kind != DiskErrorKind::Io || error.raw_os_error() == Some(libc::EIO);
        let detail = if known { String::new() } else { error.to_string() };
        Self { kind, action, path: path.into(), detail }
    }

    /// The error for too little space: `needed` and `free` are in bytes.
    pub fn no_space(action: &'static str, path: impl Into<PathBuf>, needed: u64, free: u64) -> Self {
        let detail = format!("needs {}, {} free", units::size(needed), units::size(free));
        Self::new(DiskErrorKind::NoSpace, action, path).with_detail(detail)
    }
}

impl DiskErrorKind {
    /// Whether a retry a little later may succeed.
    pub const fn is_transient(self) -> bool {
        matches!(self, Self::Busy)
    }
}

fn kind_of(error: &io::Error) -> DiskErrorKind {
    use DiskErrorKind as K;
    match error.raw_os_error() {
        Some(libc::ENOSPC) => K::NoSpace,
        Some(libc::EDQUOT) => K::Quota,
        Some(libc::EFBIG) => K::TooLarge,
        Some(libc::EACCES | libc::EPERM) => K::Permission,
        Some(libc::EROFS) => K::ReadOnly,
        Some(libc::ENOENT) => K::Missing,
        Some(libc::ELOOP | libc::ENOTDIR | libc::EISDIR | libc::EXDEV) => K::NotPlain,
        Some(libc::ENAMETOOLONG | libc::EINVAL | libc::EILSEQ) => K::Name,
        Some(libc::EBUSY | libc::ETXTBSY | libc::EMFILE | libc::ENFILE | libc::ENOMEM) => K::Busy,
        _ if error.kind() == io::ErrorKind::UnexpectedEof => K::Changed,
        _ => K::Io,
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let why = match self.kind {
            DiskErrorKind::NoSpace => "no space left",
            DiskErrorKind::Quota => "the disk quota is used up",
            DiskErrorKind::TooLarge => {
                "the file system or a limit of this process allows no file of this size"
            }
            DiskErrorKind::Permission => "permission denied",
            DiskErrorKind::ReadOnly => "the file system is read-only",
            DiskErrorKind::Missing => "not found",
            DiskErrorKind::Changed => "another program changed it",
            DiskErrorKind::Foreign => "a file that torr did not create is in the way",
            DiskErrorKind::Different => "it differs from the torrent",
            DiskErrorKind::NotPlain => "something other than a plain file or folder is in the way",
            DiskErrorKind::Name => "the file system rejects this name or request",
            DiskErrorKind::Busy => "it is in use, or too many files are open",
            DiskErrorKind::InUse => "another program is writing to it",
            DiskErrorKind::Newer => "a newer torr wrote it",
            DiskErrorKind::Invalid => "it does not fit the torrent",
            DiskErrorKind::Cancelled => "cancelled",
            DiskErrorKind::Io => "input/output error",
        };
        write!(f, "cannot {}", self.action)?;
        if !self.path.as_os_str().is_empty() {
            write!(f, " {}", display_path(&self.path))?;
        }
        write!(f, ": {why}")?;
        if self.detail.is_empty() { Ok(()) } else { write!(f, " ({})", Untrusted::new(&*self.detail)) }
    }
}

impl std::error::Error for DiskError {}

/// A path as people write it, with `~` for the home folder, escaped for a terminal.
fn display_path(path: &Path) -> String {
    let home = std::env::var_os("HOME").filter(|home| home.len() > 1);
    let short = home.and_then(|home| path.strip_prefix(home).ok().map(|rest| Path::new("~").join(rest)));
    Untrusted::from_bytes(short.as_deref().unwrap_or(path).as_os_str().as_encoded_bytes()).clean()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_is_broken() {
        let passes = |code| kind_of(&io::Error::from_raw_os_error(code)).is_transient();
        assert!([libc::EMFILE, libc::ENFILE, libc::ENOMEM, libc::EBUSY].into_iter().all(passes));
        assert!(![libc::EIO, libc::ENOSPC, libc::ENOENT, libc::EACCES, libc::EROFS].into_iter().any(passes));
        assert!(!kind_of(&io::ErrorKind::UnexpectedEof.into()).is_transient());
    }

    #[test]
    fn a_fault_is_one_clean_sentence() {
        let full = DiskError::no_space("write", "/x/y.mkv", 13 << 30, (2 << 30) + (100 << 20));
        assert_eq!(full.to_string(), "cannot write /x/y.mkv: no space left (needs 13 GiB, 2.1 GiB free)");
        let of = |code| DiskError::from_io("write", "/x", &io::Error::from_raw_os_error(code)).to_string();
        assert_eq!(of(libc::EDQUOT), "cannot write /x: the disk quota is used up");
        assert_eq!(of(libc::EROFS), "cannot write /x: the file system is read-only");
        assert_eq!(of(libc::EIO), "cannot write /x: input/output error");
        let evil = DiskError::from_io("open", "a\u{1b}[2J", &io::Error::from_raw_os_error(libc::EACCES));
        assert_eq!(evil.to_string(), "cannot open a\\u{1b}[2J: permission denied");
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        if home.as_os_str().len() > 1 {
            assert!(
                DiskError::new(DiskErrorKind::Missing, "read", home.join("f")).to_string().contains(" ~/f:")
            );
        }
    }
}
