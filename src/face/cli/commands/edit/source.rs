//! The torrent file that is changed.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::app::file_write::{Written, write_file};
use crate::app::input::{Kind, only_a_link};
use crate::app::{Error, ErrorKind, shown};
use crate::base::Untrusted;
use crate::face::cli::signals;
use crate::proto::metainfo::EditError;

/// The largest torrent file that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;
/// The most old versions that are kept beside a file.
const MAX_BACKUPS: u32 = 1000;

/// A torrent file as it was read.
#[derive(Debug)]
pub struct Source {
    /// The resolved path of the file; `None` for standard input.
    pub path: Option<PathBuf>,
    /// The path as the user gave it.
    pub given: PathBuf,
    /// The content of the file.
    pub bytes: Vec<u8>,
    /// The permissions of the file.
    rights: Option<fs::Permissions>,
}

impl Source {
    /// Reads a file, or standard input for `-`.
    pub fn read(argument: &Path) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::disk("read", argument, &error);
        let source = if argument == Path::new("-") {
            let bytes = bounded(&mut io::stdin().lock());
            let failed = |error| Error::disk("read", Path::new("standard input"), &error);
            Self { path: None, given: argument.to_owned(), bytes: bytes.map_err(failed)?, rights: None }
        } else if matches!(Kind::of(argument), Kind::Magnet(_) | Kind::Hash(_)) {
            return Err(only_a_link(argument));
        } else {
            let path = fs::canonicalize(argument).map_err(|error| match error.kind() {
                io::ErrorKind::NotFound => {
                    let message = format!("torrent file not found: {}", shown(argument));
                    Error::new(ErrorKind::Input, "not_found", message).hint("check the name")
                }
                _ => failed(error),
            })?;
            if path.is_dir() {
                let message = format!("{} is a directory, not a torrent file", shown(argument));
                return Err(Error::new(ErrorKind::Input, "not_a_torrent", message));
            }
            let bytes = File::open(&path).and_then(|mut file| bounded(&mut file)).map_err(failed)?;
            let rights = fs::metadata(&path).ok().map(|meta| meta.permissions());
            Self { path: Some(path), given: argument.to_owned(), bytes, rights }
        };
        if source.bytes.len() as u64 > MAX_BYTES {
            let message = format!("{} is too large for a torrent (more than 16 MiB)", source.shown());
            return Err(Error::new(ErrorKind::Input, "malformed", message));
        }
        Ok(source)
    }

    /// Returns the name of the source for messages.
    pub fn shown(&self) -> Untrusted {
        let name = self.path.as_deref().and_then(Path::file_name);
        name.map_or_else(|| Untrusted::new("standard input"), |name| shown(Path::new(name)))
    }

    /// Returns the error for a source that is not a torrent.
    pub fn malformed(&self, error: &EditError) -> Error {
        Error::new(ErrorKind::Input, "malformed", format!("{}: {error}", self.shown()))
    }

    /// Keeps the old version as `FILE.bak`, or under the next free name of `FILE.bak2`, `FILE.bak3`, …
    /// The file must still be what was read.
    pub fn keep(&self) -> Result<PathBuf, Error> {
        let Some(path) = &self.path else {
            return Err(Error::usage("standard input has no file to back up"));
        };
        let now = File::open(path).and_then(|mut file| bounded(&mut file));
        if now.map_err(|error| Error::disk("read", path, &error))? != self.bytes {
            let message = format!("another program changed {} meanwhile", shown(path));
            return Err(Error::new(ErrorKind::Disk, "changed_on_disk", message).hint("edit it again"));
        }
        for number in 1..=MAX_BACKUPS {
            let mut name = path.clone().into_os_string();
            name.push(".bak");
            if number > 1 {
                name.push(number.to_string());
            }
            let backup = PathBuf::from(name);
            match signals::undisturbed(|| write_file(&backup, &self.bytes, false))? {
                Written::Same | Written::InTheWay => {}
                Written::New => {
                    self.same_rights(&backup);
                    return Ok(backup);
                }
            }
        }
        let message = format!("{} already has a thousand backups", shown(path));
        Err(Error::new(ErrorKind::Disk, "exists", message).hint("remove some of its .bak files"))
    }

    /// Gives a file the permissions that this one had. That it fails is no reason to fail.
    pub fn same_rights(&self, file: &Path) {
        if let Some(rights) = &self.rights {
            let _ = fs::set_permissions(file, rights.clone());
        }
    }
}

/// Reads one byte more than is allowed at most, so that too much can be told from enough.
fn bounded(from: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_old_version_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.torrent");
        for (text, name) in [("one", "a.torrent.bak"), ("two", "a.torrent.bak2"), ("three", "a.torrent.bak3")]
        {
            fs::write(&path, text).unwrap();
            let backup = Source::read(&path).unwrap().keep().unwrap();
            assert!(backup.ends_with(name), "{}", backup.display());
            assert_eq!(fs::read_to_string(backup).unwrap(), text);
        }
        let source = Source::read(&path).unwrap();
        fs::write(&path, "other").unwrap();
        assert_eq!(source.keep().unwrap_err().word, "changed_on_disk");
    }
}
