//! The third step: where the torrent file goes.

use std::path::{Path, PathBuf};

use crate::app::file_write::{Written, write_file};
use crate::app::{Error, ErrorKind, shown};
use crate::face::cli::output::Output;
use crate::face::cli::signals;

/// Where a torrent file is written to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl Target {
    /// The one that was asked for: `-`, a file, a folder in which the file gets its usual name, or that
    /// name where nothing was said.
    pub fn new(wish: Option<&Path>, usual: PathBuf) -> Self {
        match wish {
            Some(path) if path == Path::new("-") => Self::Stdout,
            Some(path) if path.is_dir() => {
                Self::File(usual.file_name().map_or_else(|| path.to_owned(), |name| path.join(name)))
            }
            Some(path) => Self::File(path.to_owned()),
            None => Self::File(usual),
        }
    }

    /// The file, if it is one.
    pub fn path(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }

    /// Refuses before the work what would be refused after it.
    pub fn check(&self, may_overwrite: bool, output: &Output) -> Result<(), Error> {
        let Self::File(path) = self else {
            return if output.json {
                Err(Error::usage("--json and -o - both write to standard output"))
            } else {
                Ok(())
            };
        };
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => {
                let message = format!("{} is a directory", shown(path));
                return Err(
                    Error::new(ErrorKind::Disk, "exists", message).hint("choose another name with -o")
                );
            }
            Ok(_) if !may_overwrite => {
                return Err(is_there(path));
            }
            _ => {}
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        rustix::fs::access(folder, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
            .map_err(|error| Error::disk("write to", folder, &error.into()))
    }

    /// Writes it, whole or not at all.
    pub fn write(&self, bytes: &[u8], overwrite: bool, output: &Output) -> Result<(), Error> {
        match self {
            Self::Stdout => output.data(bytes),
            Self::File(path) => match signals::undisturbed(|| write_file(path, bytes, overwrite))? {
                Written::New => Ok(()),
                Written::Same | Written::InTheWay => Err(is_there(path)),
            },
        }
    }
}

fn is_there(path: &Path) -> Error {
    Error::new(ErrorKind::Disk, "exists", format!("{} already exists", shown(path)))
        .hint("overwrite it with --force, or choose another name with -o")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gets_the_usual_name() {
        let dir = tempfile::tempdir().unwrap();
        let of = |wish: Option<&Path>| Target::new(wish, "x/a.torrent".into());
        assert_eq!(of(None), Target::File("x/a.torrent".into()));
        assert_eq!(of(Some(dir.path())), Target::File(dir.path().join("a.torrent")));
        assert_eq!(of(Some(Path::new("b"))), Target::File("b".into()));
        assert_eq!((of(Some(Path::new("-"))).path(), of(Some(Path::new("-")))), (None, Target::Stdout));
    }
}
