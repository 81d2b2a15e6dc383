//! Where the files are.

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::face::cli::args::global::GlobalArgs;

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
    /// Those of this process.
    pub fn here(global: &GlobalArgs) -> Self {
        let variables: Vec<_> = env::vars_os().collect();
        let mut files = Vec::new();
        if !global.no_config {
            files.push(Source { path: SYSTEM.into(), needed: false });
            files.extend(user());
            files.extend(global.config.clone().map(|path| Source { path, needed: true }));
        }
        Self { files, variables, profile: global.profile.clone() }
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

/// The file that `torr config` writes: the one given with `-C`, or else the user's.
pub fn target(global: &GlobalArgs) -> Option<PathBuf> {
    global.config.clone().or_else(|| user().map(|source| source.path))
}
