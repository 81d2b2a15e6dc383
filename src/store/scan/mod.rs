//! What a new torrent is made of: listing the files under a path, and hashing them.

mod hashing;

use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

pub use self::hashing::hash_pieces;
use super::error::{DiskError, DiskErrorKind};

/// Files that systems leave behind and nobody wants in a torrent.
const JUNK: [&str; 4] = ["Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"];
/// The most files a torrent is made of.
const MOST_FILES: usize = 1_000_000;
/// The deepest folder that is looked into.
const DEEPEST: usize = 64;

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
}

/// What was found under a path.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// The files, sorted by their names, folder by folder.
    pub files: Vec<ScannedFile>,
    /// Whether the path is a folder.
    pub is_folder: bool,
    /// How many hidden files and folders were left out.
    pub hidden: u64,
    /// How many files that systems leave behind were left out.
    pub junk: u64,
    /// Links, devices and the like, which were left out.
    pub special: Vec<PathBuf>,
    /// Files and folders whose names are not UTF-8, which were left out.
    pub unnamed: Vec<PathBuf>,
}

/// Lists the files under a path, or the one file that it is. `hidden` says whether hidden files and
/// those that systems leave behind are listed too. Links are not followed, but for the path itself.
pub fn scan(path: &Path, hidden: bool) -> Result<Scan, DiskError> {
    let failed = |error| DiskError::from_io("read", path, &error);
    let meta = std::fs::metadata(path).map_err(failed)?;
    let mut scan = Scan { is_folder: meta.is_dir(), ..Scan::default() };
    if meta.is_file() {
        scan.files.push(scanned(path.to_owned(), Vec::new(), &meta));
    } else if meta.is_dir() {
        scan.folder(path, &mut Vec::new(), hidden)?;
    } else {
        return Err(DiskError::new(DiskErrorKind::NotPlain, "read", path));
    }
    Ok(scan)
}

fn scanned(path: PathBuf, names: Vec<String>, meta: &Metadata) -> ScannedFile {
    ScannedFile { path, names, len: meta.len(), executable: meta.permissions().mode() & 0o100 != 0 }
}

impl Scan {
    fn folder(&mut self, folder: &Path, names: &mut Vec<String>, hidden: bool) -> Result<(), DiskError> {
        if names.len() >= DEEPEST {
            return Err(
                DiskError::new(DiskErrorKind::Invalid, "read", folder).with("folders are nested too deep")
            );
        }
        let failed = |error: std::io::Error| DiskError::from_io("read", folder, &error);
        let mut here = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.file_name().into_string() {
                Ok(name) => here.push((name, entry)),
                Err(_) => self.unnamed.push(entry.path()),
            }
        }
        here.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, entry) in here {
            if !hidden && name.starts_with('.') {
                self.hidden += 1;
                continue;
            }
            if !hidden && JUNK.contains(&name.as_str()) {
                self.junk += 1;
                continue;
            }
            let path = entry.path();
            let meta = entry.metadata().map_err(|error| DiskError::from_io("read", &path, &error))?;
            names.push(name);
            if meta.is_dir() {
                self.folder(&path, names, hidden)?;
            } else if meta.is_file() {
                if self.files.len() >= MOST_FILES {
                    let error = DiskError::new(DiskErrorKind::Invalid, "read", folder);
                    return Err(error.with("there are more than a million files"));
                }
                self.files.push(scanned(path, names.clone(), &meta));
            } else {
                self.special.push(path);
            }
            names.pop();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn files_are_listed_in_order_and_what_is_left_out_is_counted() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("b/c")).unwrap();
        std::fs::create_dir_all(at(".git")).unwrap();
        for (name, text) in [("b/c/z", "zz"), ("b/a", "a"), ("a", ""), (".x", "x"), ("Thumbs.db", "x")] {
            std::fs::write(at(name), text).unwrap();
        }
        std::fs::write(folder.path().join(OsStr::from_bytes(b"\xff")), "x").unwrap();
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        let found = scan(folder.path(), false).unwrap();
        let names: Vec<_> = found.files.iter().map(|file| (file.names.join("/"), file.len)).collect();
        assert_eq!(names, [("a".into(), 0), ("b/a".into(), 1), ("b/c/z".into(), 2)]);
        assert_eq!((found.hidden, found.junk, found.special.len(), found.unnamed.len()), (2, 1, 1, 1));
        assert_eq!(scan(folder.path(), true).unwrap().files.len(), 5);
        let single = scan(&at("b/a"), false).unwrap();
        assert!(!single.is_folder && single.files[0].names.is_empty());
        assert_eq!(scan(&at("none"), false).unwrap_err().kind, DiskErrorKind::Missing);
    }
}
