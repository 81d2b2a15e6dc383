//! Writing files that a user asked for: whole or not at all, and never over something else unasked.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::Error;
use crate::store::{DiskErrorKind, write_atomic};

/// The result of writing a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Written {
    /// The file was written.
    New,
    /// A file with the same bytes is there.
    Same,
    /// Something else is there, and stays as it is.
    InTheWay,
}

/// Writes a file. What is there is replaced if `overwrite` allows it.
pub fn write_file(path: &Path, bytes: &[u8], overwrite: bool) -> Result<Written, Error> {
    match write_atomic(path, bytes, overwrite) {
        Ok(()) => Ok(Written::New),
        Err(error) if error.kind == DiskErrorKind::Foreign && holds(path, bytes) => Ok(Written::Same),
        Err(error) if error.kind == DiskErrorKind::Foreign => Ok(Written::InTheWay),
        Err(error) => Err(error.into()),
    }
}

fn holds(path: &Path, bytes: &[u8]) -> bool {
    if !path.symlink_metadata().is_ok_and(|found| found.is_file()) {
        return false;
    }
    let mut found = Vec::new();
    let enough = bytes.len() as u64 + 1;
    let read = File::open(path).and_then(|file| file.take(enough).read_to_end(&mut found));
    read.is_ok() && found == bytes
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn nothing_is_replaced_unasked() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.torrent");
        assert_eq!(write_file(&path, b"one", false), Ok(Written::New));
        assert_eq!(write_file(&path, b"one", false), Ok(Written::Same));
        assert_eq!(write_file(&path, b"two", false), Ok(Written::InTheWay));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        assert_eq!(write_file(&path, b"two", true), Ok(Written::New));
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let folder = dir.path().join("y.torrent");
        fs::create_dir(&folder).unwrap();
        assert_ne!(write_file(&folder, b"one", false), Ok(Written::New));
    }
}
