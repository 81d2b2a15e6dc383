//! The recursive walk of a scan.

use std::fs::{DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ignore_files::IgnoreFiles;
use super::{Scan, ScanOptions, ScannedFile, Skipped};
use crate::store::error::{DiskError, DiskErrorKind};

/// Files that operating systems leave behind and nobody wants in a torrent.
const JUNK: [&str; 5] = [".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"];
/// Maximum number of files in a torrent.
const MAX_FILES: usize = 1_000_000;
/// Maximum depth of folders.
const MAX_DEPTH: usize = 64;

/// Lists the selected files of a folder.
pub fn folder(path: &Path, meta: &Metadata, options: &ScanOptions) -> Result<Scan, DiskError> {
    let mut walk = Walk {
        options,
        scan: Scan { is_folder: true, ..Scan::default() },
        names: Vec::new(),
        above: Vec::new(),
        ignores: IgnoreFiles::default(),
    };
    walk.folder(path, meta, Verdict::Undecided, false)?;
    Ok(walk.scan)
}

/// The reason for skipping a file or folder.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum SkipReason {
    Hidden,
    Junk,
    Excluded,
    Ignored,
}

/// The selection of a file or folder, inherited from its parents or its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    /// Its contents are decided one by one.
    Undecided,
    /// Included, with all its contents.
    Included,
    /// Skipped, except for contents that are included themselves.
    LeftOut(SkipReason),
}

struct Walk<'a> {
    options: &'a ScanOptions,
    scan: Scan,
    /// Names of the present folder, beneath the scanned one.
    names: Vec<String>,
    /// Device and inode of the present folder and its parents, to detect circular links.
    above: Vec<(u64, u64)>,
    ignores: IgnoreFiles,
}

impl Walk<'_> {
    /// Walks a folder. An unreadable folder is an error unless it is skipped.
    fn folder(
        &mut self,
        path: &Path,
        meta: &Metadata,
        verdict: Verdict,
        linked: bool,
    ) -> Result<(), DiskError> {
        let unwanted = matches!(verdict, Verdict::LeftOut(_));
        let id = (meta.dev(), meta.ino());
        if self.names.len() >= MAX_DEPTH {
            return if unwanted { Ok(()) } else { Err(invalid(path, "folders are nested too deep")) };
        }
        if self.above.contains(&id) {
            return Err(invalid(path, "this link leads back to a folder it lies in"));
        }
        let mut entries = match entries(path) {
            Err(_) if unwanted => return Ok(()),
            read => read.map_err(|error| DiskError::from_io("read", path, &error))?,
        };
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        self.above.push(id);
        if self.options.ignore_files {
            self.ignores.enter(path);
        }
        for (name, entry) in entries {
            self.names.push(name);
            let done = self.entry(&entry, verdict, linked);
            self.names.pop();
            done?;
        }
        if self.options.ignore_files {
            self.ignores.leave();
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, above: Verdict, linked: bool) -> Result<(), DiskError> {
        let path = entry.path();
        let mut meta = entry.metadata().map_err(|error| DiskError::from_io("read", &path, &error))?;
        let is_link = meta.is_symlink();
        // The name of a link decides before its target: a skipped link may be dangling.
        let mut verdict = self.verdict(&path, meta.is_dir(), above);
        if is_link && !matches!(verdict, Verdict::LeftOut(_)) {
            if !self.options.follow {
                self.scan.skipped.links += 1;
                return Ok(());
            }
            meta = target(&path)?;
            verdict = self.verdict(&path, meta.is_dir(), above);
        }
        let linked = linked || is_link;
        if meta.is_dir() {
            return self.sub_folder(&path, &meta, verdict, above, linked);
        }
        if let Verdict::LeftOut(reason) = verdict {
            self.scan.skipped.count(reason);
        } else if !meta.is_file() {
            self.scan.skipped.special += 1;
        } else if entry.file_name().to_str().is_none() {
            self.scan.non_utf8.push(path);
        } else if self.scan.files.len() >= MAX_FILES {
            return Err(invalid(&path, "there are more than a million files"));
        } else {
            self.scan.linked += u64::from(linked);
            self.scan.files.push(ScannedFile::new(path, self.names.clone(), &meta));
        }
        Ok(())
    }

    /// Walks a subfolder. A skipped one is walked only if include patterns exist; it counts as skipped if
    /// nothing in it is taken.
    fn sub_folder(
        &mut self,
        path: &Path,
        meta: &Metadata,
        verdict: Verdict,
        above: Verdict,
        linked: bool,
    ) -> Result<(), DiskError> {
        let Verdict::LeftOut(reason) = verdict else {
            if path.file_name().is_some_and(|name| name.to_str().is_none()) {
                self.scan.non_utf8.push(path.to_owned());
                return Ok(());
            }
            return self.folder(path, meta, verdict, linked);
        };
        let before = (self.scan.files.len(), self.scan.skipped);
        if !self.options.include.is_empty() {
            self.folder(path, meta, verdict, linked)?;
        }
        if self.scan.files.len() == before.0 && verdict != above {
            self.scan.skipped = before.1;
            self.scan.skipped.count(reason);
        }
        Ok(())
    }

    /// The verdict on the path with the present names.
    fn verdict(&self, path: &Path, folder: bool, above: Verdict) -> Verdict {
        match above {
            Verdict::Included => Verdict::Included,
            _ if self.options.include.matches(&self.names, folder) => Verdict::Included,
            Verdict::LeftOut(reason) => Verdict::LeftOut(reason),
            Verdict::Undecided => self.reason(path, folder).map_or(Verdict::Undecided, Verdict::LeftOut),
        }
    }

    fn reason(&self, path: &Path, folder: bool) -> Option<SkipReason> {
        let name = self.names.last().map_or("", String::as_str);
        if self.options.exclude.matches(&self.names, folder) {
            Some(SkipReason::Excluded)
        } else if self.options.ignore_files && self.ignores.ignored(path, folder) {
            Some(SkipReason::Ignored)
        } else if JUNK.contains(&name) {
            (!self.options.junk).then_some(SkipReason::Junk)
        } else if name.starts_with('.') {
            (!self.options.hidden).then_some(SkipReason::Hidden)
        } else {
            None
        }
    }
}

impl Skipped {
    fn count(&mut self, reason: SkipReason) {
        *match reason {
            SkipReason::Hidden => &mut self.hidden,
            SkipReason::Junk => &mut self.junk,
            SkipReason::Excluded => &mut self.excluded,
            SkipReason::Ignored => &mut self.ignored,
        } += 1;
    }
}

/// The entries of a folder, with their names decoded lossily.
fn entries(folder: &Path) -> io::Result<Vec<(String, DirEntry)>> {
    let name = |entry: DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry);
    std::fs::read_dir(folder)?.map(|entry| entry.map(name)).collect()
}

/// The metadata of the file or folder that a link leads to.
fn target(link: &Path) -> Result<Metadata, DiskError> {
    std::fs::metadata(link).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => invalid(link, "this link leads back to itself"),
        Some(libc::ENOENT) => {
            DiskError::new(DiskErrorKind::Missing, "read", link).with_detail("a link that leads nowhere")
        }
        _ => DiskError::from_io("read", link, &error),
    })
}

fn invalid(path: &Path, why: &str) -> DiskError {
    DiskError::new(DiskErrorKind::NotPlain, "read", PathBuf::from(path)).with_detail(why)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    use super::super::{Patterns, scan};
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn new(files: &[&str]) -> Self {
            let folder = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = folder.at(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "x").unwrap();
            }
            folder
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn scan(&self, options: &ScanOptions) -> (Vec<String>, Skipped) {
            let found = scan(self.0.path(), options).unwrap();
            (found.files.iter().map(|file| file.names.join("/")).collect(), found.skipped)
        }
    }

    fn globs(patterns: &[&str]) -> Patterns {
        Patterns::new(patterns).unwrap()
    }

    #[test]
    fn files_are_listed_in_order_and_what_is_left_out_is_counted() {
        let folder = Folder::new(&["b/c/z", "b/a", "a", ".x", ".git/x", ".git/y", "Thumbs.db", ".DS_Store"]);
        std::fs::write(folder.0.path().join(OsStr::from_bytes(b"\xff")), "x").unwrap();
        symlink("a", folder.at("link")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, folder.at("pipe"), rustix::fs::Mode::RUSR).unwrap();
        let (names, skipped) = folder.scan(&ScanOptions::default());
        assert_eq!(names, ["a", "b/a", "b/c/z"]);
        assert_eq!(skipped, Skipped { hidden: 2, junk: 2, links: 1, special: 1, ..Skipped::default() });
        assert_eq!(scan(folder.0.path(), &ScanOptions::default()).unwrap().non_utf8.len(), 1);
        let (names, skipped) = folder.scan(&ScanOptions { hidden: true, ..ScanOptions::default() });
        assert_eq!(names, [".git/x", ".git/y", ".x", "a", "b/a", "b/c/z"]);
        assert_eq!((skipped.hidden, skipped.junk), (0, 2));
        let (names, skipped) = folder.scan(&ScanOptions { junk: true, ..ScanOptions::default() });
        assert_eq!(names, [".DS_Store", "Thumbs.db", "a", "b/a", "b/c/z"]);
        assert_eq!((skipped.hidden, skipped.junk, skipped.total()), (2, 0, 4));
        assert_eq!(
            scan(&folder.at("none"), &ScanOptions::default()).unwrap_err().kind,
            DiskErrorKind::Missing
        );
    }

    #[test]
    fn include_beats_exclude_beats_ignore_files_beats_hidden() {
        let folder = Folder::new(&["a.txt", "b.log", "build/keep/x", "build/y", "build/z", ".env", "c.o"]);
        std::fs::write(folder.at(".gitignore"), "*.log\n*.o\n").unwrap();
        let options =
            ScanOptions { exclude: globs(&["build", "*.o"]), ignore_files: true, ..ScanOptions::default() };
        let (names, skipped) = folder.scan(&options);
        assert_eq!(names, ["a.txt"]);
        assert_eq!(skipped, Skipped { hidden: 2, excluded: 2, ignored: 1, ..Skipped::default() });
        let options = ScanOptions { include: globs(&["build/keep", ".env", "*.log"]), ..options };
        let (names, skipped) = folder.scan(&options);
        assert_eq!(names, [".env", "a.txt", "b.log", "build/keep/x"]);
        assert_eq!(skipped, Skipped { hidden: 1, excluded: 3, ..Skipped::default() });
        // Only what is meant.
        let options =
            ScanOptions { exclude: globs(&["*"]), include: globs(&["x"]), ..ScanOptions::default() };
        assert_eq!(folder.scan(&options).0, ["build/keep/x"]);
        let options =
            ScanOptions { exclude: globs(&["*"]), include: globs(&["build"]), ..ScanOptions::default() };
        assert_eq!(folder.scan(&options).0, ["build/keep/x", "build/y", "build/z"]);
        // A folder in which nothing is meant counts once, however much it holds.
        let options =
            ScanOptions { exclude: globs(&["build/"]), include: globs(&["q"]), ..ScanOptions::default() };
        assert_eq!(folder.scan(&options).1.excluded, 1);
    }

    #[test]
    fn links_are_followed_where_that_is_wanted_and_never_in_circles() {
        let folder = Folder::new(&["d/x", "e/a"]);
        symlink("../d", folder.at("e/to-d")).unwrap();
        symlink("d/x", folder.at("to-x")).unwrap();
        assert_eq!(
            (folder.scan(&ScanOptions::default()).0, folder.scan(&ScanOptions::default()).1.links),
            (vec!["d/x".into(), "e/a".into()], 2)
        );
        let follow = ScanOptions { follow: true, ..ScanOptions::default() };
        assert_eq!(folder.scan(&follow).0, ["d/x", "e/a", "e/to-d/x", "to-x"]);
        assert_eq!(scan(folder.0.path(), &follow).unwrap().linked, 2);
        let refused = |link: &str, target: &str| {
            symlink(target, folder.at(link)).unwrap();
            let message = scan(folder.0.path(), &follow).unwrap_err().to_string();
            // One that is not wanted does no harm.
            let options = ScanOptions { exclude: globs(&[link]), ..follow.clone() };
            assert_eq!(folder.scan(&options).1.excluded, 1);
            std::fs::remove_file(folder.at(link)).unwrap();
            message
        };
        assert!(refused("circle", "e/..").contains("leads back to a folder"));
        assert!(refused("self", "self").contains("leads back to itself"));
        assert!(refused("nowhere", "none").contains("leads nowhere"));
    }
}
