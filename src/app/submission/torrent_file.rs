//! Torrent files that are saved for the user: beside the data, or instead of it.

use std::path::{Path, PathBuf};

use crate::app::file_write::{Written, write_file};
use crate::app::{Error, ErrorKind, Remedy, shown};
use crate::base::{InfoHashes, Untrusted};
use crate::proto::paths::{MAX_COMPONENT, safe_name};

/// A torrent file that was saved in place of the data.
#[derive(Clone, Debug)]
pub struct SavedTorrentFile {
    /// Info-hashes of the torrent.
    pub info_hashes: InfoHashes,
    /// Name of the torrent.
    pub name: Untrusted,
    /// Bytes of its data.
    pub size: u64,
    /// The number of its files.
    pub files: u64,
    /// The path of the torrent file.
    pub path: PathBuf,
}

/// The name of a torrent file beside data of this name.
pub fn torrent_file_name(top: &Path) -> PathBuf {
    const EXTENSION: &str = ".torrent";
    let name = top.to_string_lossy();
    let name = &name[..name.floor_char_boundary(MAX_COMPONENT - EXTENSION.len())];
    safe_name(format!("{name}{EXTENSION}").as_bytes()).into()
}

/// Saves a torrent file; another file of this name stays as it is, unless it may be overwritten.
pub fn save(path: &Path, bytes: &[u8], overwrite: bool, remedy: Remedy) -> Result<(), Error> {
    match write_file(path, bytes, overwrite)? {
        Written::New | Written::Same => Ok(()),
        Written::InTheWay => {
            let message = format!("{} already exists with different content", shown(path));
            Err(Error::new(ErrorKind::Disk, "foreign_data", message).remedy(remedy))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_saved_torrent_replaces_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.torrent");
        let save = |path: &Path, bytes: &[u8], overwrite| save(path, bytes, overwrite, Remedy::OtherName);
        save(&path, b"one", false).unwrap();
        save(&path, b"one", false).unwrap();
        let failure = save(&path, b"two", false).unwrap_err();
        assert_eq!((failure.kind, failure.word), (ErrorKind::Disk, "foreign_data"));
        assert_eq!(fs::read(&path).unwrap(), b"one");
        save(&path, b"two", true).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        let folder = dir.path().join("y.torrent");
        fs::create_dir(&folder).unwrap();
        assert!(save(&folder, b"one", false).is_err());
    }

    #[test]
    fn the_name_of_a_saved_torrent_fits() {
        assert_eq!(torrent_file_name(Path::new("x.iso")), Path::new("x.iso.torrent"));
        let long = "ä".repeat(127);
        let name = torrent_file_name(Path::new(&long));
        assert!(name.as_os_str().len() <= MAX_COMPONENT && name.to_string_lossy().ends_with("ä.torrent"));
    }
}
