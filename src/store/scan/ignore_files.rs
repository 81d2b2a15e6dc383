//! Rules of `.gitignore` and `.ignore` files.

use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};

/// The ignore files of the present folder and its parents, up to the scanned folder. Those above it do not
/// count: a torrent depends on its own folder alone.
#[derive(Debug, Default)]
pub struct IgnoreFiles {
    levels: Vec<[Gitignore; 2]>,
}

impl IgnoreFiles {
    /// Reads the ignore files of a folder. Invalid lines are skipped, as git does.
    pub fn enter(&mut self, folder: &Path) {
        let read = |name: &str| {
            let file = folder.join(name);
            let mut builder = GitignoreBuilder::new(folder);
            if file.is_file() {
                builder.add(&file);
            }
            builder.build().unwrap_or_else(|_| Gitignore::empty())
        };
        self.levels.push([read(".ignore"), read(".gitignore")]);
    }

    /// Drops the ignore files of the folder entered last.
    pub fn leave(&mut self) {
        self.levels.pop();
    }

    /// Whether a file or folder is ignored. `.ignore` files take precedence over `.gitignore` files, inner
    /// ones over outer ones. `.git` folders are always ignored.
    pub fn ignored(&self, path: &Path, folder: bool) -> bool {
        if folder && path.file_name().is_some_and(|name| name == ".git") {
            return true;
        }
        for kind in 0..2 {
            for level in self.levels.iter().rev() {
                match level[kind].matched(path, folder) {
                    Match::Ignore(_) => return true,
                    Match::Whitelist(_) => return false,
                    Match::None => {}
                }
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inner_files_are_heard_before_outer_ones() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        std::fs::create_dir(at("sub")).unwrap();
        std::fs::write(at(".gitignore"), "*.o\n/top\nbuild/\n[bad\n").unwrap();
        std::fs::write(at("sub/.gitignore"), "!keep.o\n").unwrap();
        std::fs::write(at("sub/.ignore"), "plain\n!*.a\n").unwrap();
        let mut ignores = IgnoreFiles::default();
        ignores.enter(dir.path());
        assert!(ignores.ignored(&at("x.o"), false) && ignores.ignored(&at("top"), false));
        assert!(ignores.ignored(&at("build"), true) && !ignores.ignored(&at("build"), false));
        assert!(ignores.ignored(&at(".git"), true) && !ignores.ignored(&at("sub"), true));
        ignores.enter(&at("sub"));
        assert!(ignores.ignored(&at("sub/x.o"), false) && !ignores.ignored(&at("sub/keep.o"), false));
        assert!(ignores.ignored(&at("sub/plain"), false) && !ignores.ignored(&at("sub/top"), false));
        ignores.leave();
        assert!(!ignores.ignored(&at("plain"), false));
    }
}
