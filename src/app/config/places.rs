//! The places that the configuration is read from.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The system's file.
pub const SYSTEM: &str = "/etc/torr/config.toml";

/// A file of the configuration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Source {
    /// The path of the file.
    pub path: PathBuf,
    /// Whether a missing file is an error, because the user named it.
    pub needed: bool,
}

/// All places, the weakest first.
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
/// None if there is no home folder.
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
