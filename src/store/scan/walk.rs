//! The walk through a folder.

use std::fs::{DirEntry, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::ignores::Ignores;
use super::{Scan, ScannedFile, Skipped, Wishes};
use crate::store::error::{DiskError, DiskErrorKind};

/// Files that systems leave behind and nobody wants in a torrent.
const JUNK: [&str; 5] = [".DS_Store", "Thumbs.db", "ehthumbs.db", "desktop.ini", "Desktop.ini"];
/// The most files a torrent is made of.
const MAX_FILES: usize = 1_000_000;
/// The deepest folder that is looked into.
const DEEPEST: usize = 64;

/// Lists what is wanted of a folder.
pub fn folder(path: &Path, meta: &Metadata, wishes: &Wishes) -> Result<Scan, DiskError> {
    let mut walk = Walk {
        wishes,
        scan: Scan { is_folder: true, ..Scan::default() },
        names: Vec::new(),
        above: Vec::new(),
        ignores: Ignores::default(),
    };
    walk.folder(path, meta, Standing::Open, false)?;
    Ok(walk.scan)
}

/// Why something is left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reason {
    Hidden,
    Junk,
    Excluded,
    Ignored,
}

/// What is known of a file or folder from those above it, and then of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Standing {
    /// Each thing in it is looked at.
    Open,
    /// It is included, with all it holds.
    Included,
    /// It is not wanted, but for what is included by itself.
    LeftOut(Reason),
}

struct Walk<'a> {
    wishes: &'a Wishes,
    scan: Scan,
    /// The names of the folder that is looked into, below the outermost.
    names: Vec<String>,
    /// Device and inode of it and of those above it.
    above: Vec<(u64, u64)>,
    ignores: Ignores,
}

impl Walk<'_> {
    /// Looks into a folder of this standing. One that is not wanted and cannot be read is no loss.
    fn folder(
        &mut self,
        path: &Path,
        meta: &Metadata,
        standing: Standing,
        linked: bool,
    ) -> Result<(), DiskError> {
        let unwanted = matches!(standing, Standing::LeftOut(_));
        let id = (meta.dev(), meta.ino());
        if self.names.len() >= DEEPEST {
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
        if self.wishes.ignore_files {
            self.ignores.enter(path);
        }
        for (name, entry) in entries {
            self.names.push(name);
            let done = self.entry(&entry, standing, linked);
            self.names.pop();
            done?;
        }
        if self.wishes.ignore_files {
            self.ignores.leave();
        }
        self.above.pop();
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, above: Standing, linked: bool) -> Result<(), DiskError> {
        let path = entry.path();
        let mut meta = entry.metadata().map_err(|error| DiskError::from_io("read", &path, &error))?;
        let is_link = meta.is_symlink();
        // What a link is called decides before what it points to: one that is not wanted may lead nowhere.
        let mut standing = self.standing(&path, meta.is_dir(), above);
        if is_link && !matches!(standing, Standing::LeftOut(_)) {
            if !self.wishes.follow {
                self.scan.skipped.links += 1;
                return Ok(());
            }
            meta = target(&path)?;
            standing = self.standing(&path, meta.is_dir(), above);
        }
        let linked = linked || is_link;
        if meta.is_dir() {
            return self.sub_folder(&path, &meta, standing, above, linked);
        }
        if let Standing::LeftOut(reason) = standing {
            self.scan.skipped.count(reason);
        } else if !meta.is_file() {
            self.scan.skipped.special += 1;
        } else if entry.file_name().to_str().is_none() {
            self.scan.unnamed.push(path);
        } else if self.scan.files.len() >= MAX_FILES {
            return Err(invalid(&path, "there are more than a million files"));
        } else {
            self.scan.linked += u64::from(linked);
            self.scan.files.push(ScannedFile::new(path, self.names.clone(), &meta));
        }
        Ok(())
    }

    /// A folder within one. Where nothing can be included by itself, one that is not wanted is not
    /// looked into; it counts as one where nothing in it is taken.
    fn sub_folder(
        &mut self,
        path: &Path,
        meta: &Metadata,
        standing: Standing,
        above: Standing,
        linked: bool,
    ) -> Result<(), DiskError> {
        let Standing::LeftOut(reason) = standing else {
            if path.file_name().is_some_and(|name| name.to_str().is_none()) {
                self.scan.unnamed.push(path.to_owned());
                return Ok(());
            }
            return self.folder(path, meta, standing, linked);
        };
        let before = (self.scan.files.len(), self.scan.skipped);
        if !self.wishes.include.is_empty() {
            self.folder(path, meta, standing, linked)?;
        }
        if self.scan.files.len() == before.0 && standing != above {
            self.scan.skipped = before.1;
            self.scan.skipped.count(reason);
        }
        Ok(())
    }

    /// What becomes of the thing that `names` stand for.
    fn standing(&self, path: &Path, folder: bool, above: Standing) -> Standing {
        match above {
            Standing::Included => Standing::Included,
            _ if self.wishes.include.mean(&self.names, folder) => Standing::Included,
            Standing::LeftOut(reason) => Standing::LeftOut(reason),
            Standing::Open => self.reason(path, folder).map_or(Standing::Open, Standing::LeftOut),
        }
    }

    fn reason(&self, path: &Path, folder: bool) -> Option<Reason> {
        let name = self.names.last().map_or("", String::as_str);
        if self.wishes.exclude.mean(&self.names, folder) {
            Some(Reason::Excluded)
        } else if self.wishes.ignore_files && self.ignores.ignored(path, folder) {
            Some(Reason::Ignored)
        } else if JUNK.contains(&name) {
            (!self.wishes.junk).then_some(Reason::Junk)
        } else if name.starts_with('.') {
            (!self.wishes.hidden).then_some(Reason::Hidden)
        } else {
            None
        }
    }
}

impl Skipped {
    fn count(&mut self, reason: Reason) {
        *match reason {
            Reason::Hidden => &mut self.hidden,
            Reason::Junk => &mut self.junk,
            Reason::Excluded => &mut self.excluded,
            Reason::Ignored => &mut self.ignored,
        } += 1;
    }
}

/// The entries with their names; what is not UTF-8 is told by the entry itself.
fn entries(folder: &Path) -> io::Result<Vec<(String, DirEntry)>> {
    let name = |entry: DirEntry| (entry.file_name().to_string_lossy().into_owned(), entry);
    std::fs::read_dir(folder)?.map(|entry| entry.map(name)).collect()
}

/// What a link points to in the end.
fn target(link: &Path) -> Result<Metadata, DiskError> {
    std::fs::metadata(link).map_err(|error| match error.raw_os_error() {
        Some(libc::ELOOP) => invalid(link, "this link leads back to itself"),
        Some(libc::ENOENT) => {
            DiskError::new(DiskErrorKind::Missing, "read", link).with("a link that leads nowhere")
        }
        _ => DiskError::from_io("read", link, &error),
    })
}

fn invalid(path: &Path, why: &str) -> DiskError {
    DiskError::new(DiskErrorKind::NotPlain, "read", PathBuf::from(path)).with(why)
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

        fn scan(&self, wishes: &Wishes) -> (Vec<String>, Skipped) {
            let found = scan(self.0.path(), wishes).unwrap();
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
        let (names, skipped) = folder.scan(&Wishes::default());
        assert_eq!(names, ["a", "b/a", "b/c/z"]);
        assert_eq!(skipped, Skipped { hidden: 2, junk: 2, links: 1, special: 1, ..Skipped::default() });
        assert_eq!(scan(folder.0.path(), &Wishes::default()).unwrap().unnamed.len(), 1);
        let (names, skipped) = folder.scan(&Wishes { hidden: true, ..Wishes::default() });
        assert_eq!(names, [".git/x", ".git/y", ".x", "a", "b/a", "b/c/z"]);
        assert_eq!((skipped.hidden, skipped.junk), (0, 2));
        let (names, skipped) = folder.scan(&Wishes { junk: true, ..Wishes::default() });
        assert_eq!(names, [".DS_Store", "Thumbs.db", "a", "b/a", "b/c/z"]);
        assert_eq!((skipped.hidden, skipped.junk, skipped.total()), (2, 0, 4));
        assert_eq!(scan(&folder.at("none"), &Wishes::default()).unwrap_err().kind, DiskErrorKind::Missing);
    }

    #[test]
    fn include_beats_exclude_beats_ignore_files_beats_hidden() {
        let folder = Folder::new(&["a.txt", "b.log", "build/keep/x", "build/y", "build/z", ".env", "c.o"]);
        std::fs::write(folder.at(".gitignore"), "*.log\n*.o\n").unwrap();
        let wishes = Wishes { exclude: globs(&["build", "*.o"]), ignore_files: true, ..Wishes::default() };
        let (names, skipped) = folder.scan(&wishes);
        assert_eq!(names, ["a.txt"]);
        assert_eq!(skipped, Skipped { hidden: 2, excluded: 2, ignored: 1, ..Skipped::default() });
        let wishes = Wishes { include: globs(&["build/keep", ".env", "*.log"]), ..wishes };
        let (names, skipped) = folder.scan(&wishes);
        assert_eq!(names, [".env", "a.txt", "b.log", "build/keep/x"]);
        assert_eq!(skipped, Skipped { hidden: 1, excluded: 3, ..Skipped::default() });
        // Only what is meant.
        let wishes = Wishes { exclude: globs(&["*"]), include: globs(&["x"]), ..Wishes::default() };
        assert_eq!(folder.scan(&wishes).0, ["build/keep/x"]);
        let wishes = Wishes { exclude: globs(&["*"]), include: globs(&["build"]), ..Wishes::default() };
        assert_eq!(folder.scan(&wishes).0, ["build/keep/x", "build/y", "build/z"]);
        // A folder in which nothing is meant counts once, however much it holds.
        let wishes = Wishes { exclude: globs(&["build/"]), include: globs(&["q"]), ..Wishes::default() };
        assert_eq!(folder.scan(&wishes).1.excluded, 1);
    }

    #[test]
    fn links_are_followed_where_that_is_wanted_and_never_in_circles() {
        let folder = Folder::new(&["d/x", "e/a"]);
        symlink("../d", folder.at("e/to-d")).unwrap();
        symlink("d/x", folder.at("to-x")).unwrap();
        assert_eq!(
            (folder.scan(&Wishes::default()).0, folder.scan(&Wishes::default()).1.links),
            (vec!["d/x".into(), "e/a".into()], 2)
        );
        let follow = Wishes { follow: true, ..Wishes::default() };
        assert_eq!(folder.scan(&follow).0, ["d/x", "e/a", "e/to-d/x", "to-x"]);
        assert_eq!(scan(folder.0.path(), &follow).unwrap().linked, 2);
        let refused = |link: &str, target: &str| {
            symlink(target, folder.at(link)).unwrap();
            let told = scan(folder.0.path(), &follow).unwrap_err().to_string();
            // One that is not wanted does no harm.
            let wishes = Wishes { exclude: globs(&[link]), ..follow.clone() };
            assert_eq!(folder.scan(&wishes).1.excluded, 1);
            std::fs::remove_file(folder.at(link)).unwrap();
            told
        };
        assert!(refused("circle", "e/..").contains("leads back to a folder"));
        assert!(refused("self", "self").contains("leads back to itself"));
        assert!(refused("nowhere", "none").contains("leads nowhere"));
    }
}
