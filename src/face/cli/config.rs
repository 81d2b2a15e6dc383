//! The configuration of this command line.

use std::path::PathBuf;

use crate::app::Error;
use crate::app::config::places::{self, Sources};
use crate::app::config::{Config, Support};
use crate::base::units;

use super::args::global::GlobalArgs;
use super::hint;
use super::output::Output;

/// The number of warnings that are printed before a command runs; `torr config check` prints all.
const MAX_WARNINGS: usize = 5;

/// The places that this command line reads.
pub fn sources(global: &GlobalArgs) -> Sources {
    Sources::here(global.no_config, global.config.clone(), global.profile.clone())
}

/// The file that `torr config` writes: the one given with `-C`, or else the user's.
pub fn target(global: &GlobalArgs) -> Option<PathBuf> {
    global.config.clone().or_else(|| places::user().map(|source| source.path))
}

/// Loads the configuration and prints its warnings, once. An error ends the command.
pub fn load(global: &GlobalArgs, output: &Output) -> Result<Config, Error> {
    let config = Config::load(&sources(global));
    let more = |count: usize| format!("{count} more; 'torr config check' tells all");
    for warning in config.warnings().take(MAX_WARNINGS) {
        output.warn(&hint::sentence(warning));
    }
    let warnings = config.warnings().count();
    if warnings > MAX_WARNINGS {
        output.warn(&more(warnings - MAX_WARNINGS));
    }
    if let Some(warning) = no_effect(&config) {
        output.warn(&warning);
    }
    let errors = config.errors().count();
    let Some(first) = config.errors().next() else { return Ok(config) };
    let error = first.error();
    if errors == 1 {
        return Err(error);
    }
    let hints = hint::hint(&error).into_iter().chain([more(errors - 1)]);
    let hints: Vec<String> = hints.collect();
    Err(error.hint(hints.join("; ")))
}

/// One warning for all settings that are ignored. Those that are refused are told where they are refused.
fn no_effect(config: &Config) -> Option<String> {
    let mut ignored = config.settings.iter().filter(|setting| setting.support() == Support::NoEffect);
    let first = ignored.next()?;
    let (place, key) = (&first.origin, first.key.full());
    Some(match ignored.count() {
        0 => format!("{place}: {key} has no effect in this version"),
        more => {
            let others = units::plural(more as u64, "other key", "other keys");
            format!(
                "{place}: {key} and {others} have no effect in this version; 'torr config check' lists them"
            )
        }
    })
}
