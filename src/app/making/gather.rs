//! The files that go into a new torrent.

use std::path::Path;

use crate::app::{Error, ErrorKind, Remedy, shown};
use crate::store::{self, ScanOptions, ScannedFile, Skipped};

/// The order of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sort {
    /// By their names, folder by folder.
    Path,
    /// The largest first.
    Size,
}

/// The files that were found, and how many were left out.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The files, in the order of the torrent.
    pub files: Vec<ScannedFile>,
    /// Whether the files lie in a folder.
    pub is_folder: bool,
    /// How many were reached by links.
    pub linked: u64,
    /// Counts of the entries that were left out.
    pub skipped: Skipped,
}

impl Gathered {
    /// Bytes of all files.
    pub fn total(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.len))
    }
}

/// Looks under a path. The torrent file that is to be written is never part of itself.
pub fn gather(path: &Path, wishes: &ScanOptions, sort: Sort, own: Option<&Path>) -> Result<Gathered, Error> {
    let scan = store::scan(path, wishes).map_err(Error::from)?;
    if let Some(first) = scan.non_utf8.first() {
        let message = format!("the name of {} is not UTF-8, so a torrent cannot contain it", shown(first));
        return Err(Error::new(ErrorKind::Disk, "not_utf8", message).remedy(Remedy::ExcludeUnnamed));
    }
    let mut found =
        Gathered { files: scan.files, is_folder: scan.is_folder, linked: scan.linked, skipped: scan.skipped };
    if let Some(own) = own {
        leave_out_own(&mut found, path, own)?;
    }
    if sort == Sort::Size {
        found.files.sort_by_key(|file| std::cmp::Reverse(file.len));
    }
    if found.total() == 0 {
        let message = format!("{} has no content to share", shown(path));
        return Err(Error::new(ErrorKind::Disk, "empty", message).remedy(Remedy::Include(found.skipped)));
    }
    Ok(found)
}

/// The first file that cannot be read ends the work before it begins.
pub fn check_readable(found: &Gathered) -> Result<(), Error> {
    let Some(file) = store::first_unreadable(&found.files) else { return Ok(()) };
    let opened = std::fs::File::open(&file.path);
    let error = opened.err().unwrap_or_else(|| std::io::ErrorKind::PermissionDenied.into());
    Err(Error::disk("read", &file.path, &error).remedy(Remedy::ExcludeUnreadable))
}

fn leave_out_own(found: &mut Gathered, path: &Path, own: &Path) -> Result<(), Error> {
    let Ok(own) = std::fs::canonicalize(own) else { return Ok(()) };
    // Only a link can lead to it under another name, and most files are none.
    let may_be_named_otherwise = found.linked > 0 || !found.is_folder;
    let is_own = |file: &ScannedFile| {
        (may_be_named_otherwise || file.path.file_name() == own.file_name())
            && std::fs::canonicalize(&file.path).is_ok_and(|path| path == own)
    };
    // An earlier torrent file in the folder is no content; anything else is, whatever is forced.
    let is_torrent = own.extension().is_some_and(|extension| extension == "torrent");
    if !(found.is_folder && is_torrent)
        && let Some(file) = found.files.iter().find(|file| is_own(file))
    {
        let shown = shown(if found.is_folder { &file.path } else { path });
        let message = format!("{shown} would be overwritten by its own torrent file");
        return Err(Error::usage(message).remedy(Remedy::OtherName));
    }
    let before = found.files.len();
    found.files.retain(|file| !is_own(file));
    found.skipped.excluded += (before - found.files.len()) as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn names(found: &Gathered) -> Vec<String> {
        found.files.iter().map(|file| file.names.join("/")).collect()
    }

    #[test]
    fn the_largest_come_first_where_that_is_wanted() {
        let dir = tempfile::tempdir().unwrap();
        for (name, len) in [("a", 1), ("b", 3), ("c", 2), ("d", 3)] {
            fs::write(dir.path().join(name), "x".repeat(len)).unwrap();
        }
        let of = |sort| names(&gather(dir.path(), &ScanOptions::default(), sort, None).unwrap());
        assert_eq!((of(Sort::Path).concat(), of(Sort::Size).concat()), ("abcd".into(), "bdca".into()));
    }

    #[test]
    fn a_torrent_is_never_part_of_itself() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a", "d.torrent"] {
            fs::write(at(name), "x").unwrap();
        }
        let found = gather(dir.path(), &ScanOptions::default(), Sort::Path, Some(&at("d.torrent"))).unwrap();
        assert_eq!((names(&found), found.skipped.excluded), (vec!["a".into()], 1));
        let refused = gather(&at("a"), &ScanOptions::default(), Sort::Path, Some(&at("a"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage);
        let refused = gather(dir.path(), &ScanOptions::default(), Sort::Path, Some(&at("a"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage, "content is not given up for a torrent");
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        let refused = gather(&at("link"), &ScanOptions::default(), Sort::Path, Some(&at("a"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage, "it leads to the same file");
    }
}
