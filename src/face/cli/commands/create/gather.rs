//! The files that go into a new torrent.

use std::path::Path;

use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::store::{self, ScannedFile};

/// What was found, and how much was left out.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The files, by path.
    pub files: Vec<ScannedFile>,
    /// They lie in a folder.
    pub is_folder: bool,
    /// Hidden files and folders left out.
    pub hidden: u64,
    /// Junk left out.
    pub junk: u64,
    /// Links, devices and the like left out.
    pub special: u64,
}

impl Gathered {
    /// Bytes of all files.
    pub fn total(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.len))
    }
}

/// Looks under a path. Hidden files and junk come along only where they are asked for.
pub fn gather(path: &Path, hidden: bool, junk: bool) -> Result<Gathered, Failure> {
    let scan = store::scan(path, hidden || junk).map_err(|error| faults::disk(&error))?;
    if let Some(first) = scan.unnamed.first() {
        let message = format!("the name of {} is not UTF-8, which a torrent cannot say", shown(first));
        return Err(Failure::new(Exit::Disk, "not_utf8", message).hint("rename it"));
    }
    let mut found = Gathered {
        is_folder: scan.is_folder,
        hidden: scan.hidden,
        junk: scan.junk,
        special: scan.special.len() as u64,
        ..Gathered::default()
    };
    for file in scan.files {
        match kind(&file.names) {
            Kind::Junk if !junk => found.junk += 1,
            Kind::Hidden if !hidden => found.hidden += 1,
            _ => found.files.push(file),
        }
    }
    if found.total() == 0 {
        let failure = Failure::new(Exit::Disk, "empty", format!("{} has no content to share", shown(path)));
        let skipped = found.hidden + found.junk > 0;
        return Err(if skipped {
            failure.hint("hidden files and junk are left out: --hidden, --junk")
        } else {
            failure
        });
    }
    Ok(found)
}

#[derive(PartialEq, Eq, Debug)]
enum Kind {
    Plain,
    Hidden,
    Junk,
}

/// What a file is by its names; the one file that was asked for by itself is plain.
fn kind(names: &[String]) -> Kind {
    let junk = [".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"];
    match names.split_last() {
        Some((last, _)) if junk.contains(&last.as_str()) => Kind::Junk,
        _ if names.iter().any(|name| name.starts_with('.')) => Kind::Hidden,
        _ => Kind::Plain,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn hidden_files_and_junk_come_along_only_where_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".git")).unwrap();
        for name in ["a", ".b", "Thumbs.db", ".git/x"] {
            fs::write(dir.path().join(name), "x").unwrap();
        }
        let names = |hidden, junk| {
            let found = gather(dir.path(), hidden, junk).unwrap();
            (
                found.files.iter().map(|file| file.names.join("/")).collect::<Vec<_>>(),
                found.hidden,
                found.junk,
            )
        };
        assert_eq!(names(false, false), (vec!["a".into()], 2, 1));
        assert_eq!(names(true, false), (vec![".b".into(), ".git/x".into(), "a".into()], 0, 1));
        assert_eq!(names(false, true), (vec!["Thumbs.db".into(), "a".into()], 2, 0));
        fs::remove_file(dir.path().join("a")).unwrap();
        assert_eq!(gather(dir.path(), false, false).unwrap_err().kind, "empty");
    }
}
