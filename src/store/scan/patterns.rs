//! Glob patterns for files and folders, as in `--exclude`.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// A set of glob patterns. A pattern without a slash matches names at any depth, one with a slash the path
/// beneath the scanned folder; one that ends with a slash matches folders only. `*` and `?` do not match a
/// slash, `**` does.
#[derive(Clone, Debug, Default)]
pub struct Patterns {
    names: GlobSet,
    paths: GlobSet,
    folder_names: GlobSet,
    folder_paths: GlobSet,
}

impl Patterns {
    /// Compiles patterns. The error is a sentence that names the first invalid pattern.
    pub fn new<S: AsRef<str>>(patterns: &[S]) -> Result<Self, String> {
        let mut sets = [const { Vec::new() }; 4];
        for pattern in patterns {
            let pattern = pattern.as_ref();
            let folder = pattern.ends_with('/');
            let bare = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
            let anchored = bare.contains('/');
            let bare = bare.strip_prefix('/').unwrap_or(bare);
            if bare.is_empty() {
                return Err(format!("the pattern '{pattern}' means nothing"));
            }
            let glob = GlobBuilder::new(bare).literal_separator(true).backslash_escape(true).build();
            let glob = glob.map_err(|error| format!("the pattern '{pattern}': {}", error.kind()))?;
            sets[usize::from(anchored) + 2 * usize::from(folder)].push(glob);
        }
        let mut built = sets.into_iter().map(|globs| {
            let mut set = GlobSetBuilder::new();
            for glob in globs {
                set.add(glob);
            }
            set.build().map_err(|error| format!("these patterns are too much: {error}"))
        });
        let mut next = || built.next().unwrap_or_else(|| Ok(GlobSet::empty()));
        Ok(Self { names: next()?, paths: next()?, folder_names: next()?, folder_paths: next()? })
    }

    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        let sets = [&self.names, &self.paths, &self.folder_names, &self.folder_paths];
        sets.iter().all(|set| set.is_empty())
    }

    /// Whether a pattern matches this file or folder itself.
    pub fn matches(&self, names: &[String], folder: bool) -> bool {
        let name = names.last().map_or("", String::as_str);
        if self.names.is_match(name) || (folder && self.folder_names.is_match(name)) {
            return true;
        }
        if self.paths.is_empty() && (!folder || self.folder_paths.is_empty()) {
            return false;
        }
        let path = names.join("/");
        self.paths.is_match(&path) || (folder && self.folder_paths.is_match(&path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_mean_names_or_paths() {
        let means = |pattern: &str, path: &str, folder| {
            let names: Vec<String> = path.split('/').map(str::to_owned).collect();
            Patterns::new(&[pattern]).unwrap().matches(&names, folder)
        };
        for (pattern, path, folder, yes) in [
            ("*.txt", "a.txt", false, true),
            ("*.txt", "b/c/a.txt", false, true),
            ("*.txt", "a.TXT", false, false),
            ("sub/*", "sub/a", false, true),
            ("sub/*", "sub/a/b", false, false),
            ("sub/*", "x/sub/a", false, false),
            ("sub/**", "sub/a/b", false, true),
            ("**/sub/*", "x/sub/a", false, true),
            ("/a", "a", false, true),
            ("/a", "b/a", false, false),
            ("./a/b", "a/b", false, true),
            ("build/", "x/build", true, true),
            ("build/", "x/build", false, false),
            ("/x/build/", "x/build", true, true),
            ("{a,b}", "b", false, true),
            (r"\*", "*", false, true),
            (r"\*", "a", false, false),
        ] {
            assert_eq!(means(pattern, path, folder), yes, "{pattern} {path}");
        }
        assert!(Patterns::default().is_empty() && !Patterns::new(&["a/"]).unwrap().is_empty());
    }

    #[test]
    fn a_bad_pattern_is_named() {
        for bad in ["[a", "a{b", "", "/", "./"] {
            let message = Patterns::new(&["ok", bad]).unwrap_err();
            assert!(message.contains(&format!("'{bad}'")), "{message}");
        }
    }
}
