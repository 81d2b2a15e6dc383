//! The files that go into a new torrent.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;

use crate::app::{Error, ErrorKind, shown};
use crate::base::{Untrusted, units};
use crate::face::cli::faults;
use crate::store::{self, Patterns, ScannedFile, Skipped, Wishes};

/// The order of the files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum Sort {
    /// By their names, folder by folder
    Path,
    /// The largest first
    Size,
}

/// What was found, and how much was left out.
#[derive(Clone, Debug, Default)]
pub struct Gathered {
    /// The files, in the order of the torrent.
    pub files: Vec<ScannedFile>,
    /// They lie in a folder.
    pub is_folder: bool,
    /// How many were reached by links.
    pub linked: u64,
    /// What was left out.
    pub skipped: Skipped,
}

impl Gathered {
    /// Bytes of all files.
    pub fn total(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.len))
    }
}

/// Looks under a path. The torrent file that is to be written is never part of itself.
pub fn gather(path: &Path, wishes: &Wishes, sort: Sort, own: Option<&Path>) -> Result<Gathered, Error> {
    let scan = store::scan(path, wishes).map_err(|error| faults::disk(&error))?;
    if let Some(first) = scan.unnamed.first() {
        let message = format!("the name of {} is not UTF-8, which a torrent cannot say", shown(first));
        return Err(Error::new(ErrorKind::Disk, "not_utf8", message)
            .hint("rename it, or leave it out with --exclude"));
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
        let failure =
            Error::new(ErrorKind::Disk, "empty", format!("{} has no content to share", shown(path)));
        return Err(match skipped(&found.skipped) {
            Some(skipped) => failure.hint(skipped),
            None => failure,
        });
    }
    Ok(found)
}

/// The patterns of a flag.
pub fn patterns(flag: &str, patterns: &[String]) -> Result<Patterns, Error> {
    Patterns::new(patterns)
        .map_err(|error| Error::usage(format!("{flag}: {}", Untrusted::new(error).clean())))
}

/// The first file that cannot be read ends the work before it begins.
pub fn check_readable(found: &Gathered) -> Result<(), Error> {
    let Some(file) = store::unreadable(&found.files) else { return Ok(()) };
    let opened = std::fs::File::open(&file.path);
    let error = opened.err().unwrap_or_else(|| std::io::ErrorKind::PermissionDenied.into());
    let hint = "change its permissions, or leave it out with --exclude";
    Err(Error::disk("read", &file.path, &error).hint(hint))
}

/// The event of what was found, of this schema.
pub fn scanned(schema: &'static str, found: &Gathered) -> impl Serialize {
    #[derive(Serialize)]
    struct Scanned {
        schema: &'static str,
        event: &'static str,
        files: usize,
        size: u64,
        hidden_skipped: u64,
        junk_skipped: u64,
        excluded_skipped: u64,
        ignored_skipped: u64,
        links_skipped: u64,
        special_skipped: u64,
    }
    let skipped = &found.skipped;
    Scanned {
        schema,
        event: "scan",
        files: found.files.len(),
        size: found.total(),
        hidden_skipped: skipped.hidden,
        junk_skipped: skipped.junk,
        excluded_skipped: skipped.excluded,
        ignored_skipped: skipped.ignored,
        links_skipped: skipped.links,
        special_skipped: skipped.special,
    }
}

/// `412 files, 1.9 GiB`.
pub fn amount(found: &Gathered) -> String {
    let files = units::plural(found.files.len() as u64, "file", "files");
    format!("{files}, {}", units::size(found.total()))
}

/// `skipped 2 hidden (--hidden), 1 excluded`; nothing where nothing was.
pub fn skipped(skipped: &Skipped) -> Option<String> {
    let kinds = [
        (skipped.hidden, "hidden (--hidden)"),
        (skipped.junk, "junk (--junk)"),
        (skipped.excluded, "excluded"),
        (skipped.ignored, "by ignore files"),
        (skipped.links, if skipped.links == 1 { "link (--follow)" } else { "links (--follow)" }),
        (skipped.special, "special"),
    ];
    let kinds: Vec<String> = kinds
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, kind)| format!("{} {kind}", units::count(*count)))
        .collect();
    (!kinds.is_empty()).then(|| format!("skipped {}", kinds.join(", ")))
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
        return Err(Error::usage(message).hint("choose another name with -o"));
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
        let of = |sort| names(&gather(dir.path(), &Wishes::default(), sort, None).unwrap());
        assert_eq!((of(Sort::Path).concat(), of(Sort::Size).concat()), ("abcd".into(), "bdca".into()));
    }

    #[test]
    fn a_torrent_is_never_part_of_itself() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["a", "d.torrent"] {
            fs::write(at(name), "x").unwrap();
        }
        let found = gather(dir.path(), &Wishes::default(), Sort::Path, Some(&at("d.torrent"))).unwrap();
        assert_eq!((names(&found), found.skipped.excluded), (vec!["a".into()], 1));
        let refused = gather(&at("a"), &Wishes::default(), Sort::Path, Some(&at("a"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage);
        let refused = gather(dir.path(), &Wishes::default(), Sort::Path, Some(&at("a"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage, "content is not given up for a torrent");
        std::os::unix::fs::symlink("a", at("link")).unwrap();
        let refused = gather(&at("link"), &Wishes::default(), Sort::Path, Some(&at("a"))).unwrap_err();
        assert_eq!(refused.kind, ErrorKind::Usage, "it leads to the same file");
    }

    #[test]
    fn nothing_to_share_says_what_was_left_out() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(".a"), "x").unwrap();
        let failure = gather(dir.path(), &Wishes::default(), Sort::Path, None).unwrap_err();
        assert_eq!((failure.word, failure.hint.as_deref()), ("empty", Some("skipped 1 hidden (--hidden)")));
    }

    #[test]
    fn what_was_skipped_is_one_line() {
        assert_eq!(skipped(&Skipped::default()), None);
        let some = Skipped { hidden: 2, ignored: 1200, links: 1, ..Skipped::default() };
        let many = units::count(1200);
        let line = format!("skipped 2 hidden (--hidden), {many} by ignore files, 1 link (--follow)");
        assert_eq!(skipped(&some), Some(line));
    }
}
