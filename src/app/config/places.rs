//! Where the files are.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The file of the whole machine.
pub const SYSTEM: &str = "/etc/torr/config.toml";

/// A file that is read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// It was named, so that it has to be there.
    pub needed: bool,
}

/// Everything that is read, the weakest first.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Sources {
    /// The files.
    pub files: Vec<Source>,
    /// The environment.
    pub variables: Vec<(OsString, OsString)>,
    /// The profile in use.
    pub profile: Option<String>,
}

impl Sources {
    /// The sources of this process: its environment and, unless `no_files`, the usual files and the given one.
    pub fn here(no_files: bool, given: Option<PathBuf>, profile: Option<String>) -> Self {
        let mut files = Vec::new();
        if !no_files {
            files.push(Source { path: SYSTEM.into(), needed: false });
            files.extend(user());
            files.extend(given.map(|path| Source { path, needed: true }));
        }
        Self { files, variables: env::vars_os().collect(), profile }
    }
}

/// The user's file: `TORR_CONFIG`, `$XDG_CONFIG_HOME/torr/config.toml`, `~/.config/torr/config.toml`.
/// Nothing where there is not even a home.
pub fn user() -> Option<Source> {
    let var = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let absolute = |path: &PathBuf| path.is_absolute();
    if let Some(path) = var("TORR_CONFIG") {
        return Some(Source { path, needed: true });
    }
    let base = var("XDG_CONFIG_HOME")
        .filter(absolute)
        .or_else(|| var("HOME").filter(absolute).map(|home| home.join(".config")))?;
    Some(Source { path: base.join("torr/config.toml"), needed: false })
}
