//! Flags of every command, before it or after it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::app::Error;
use crate::app::state_dir::{self, parse_profile};
use crate::base::units;

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Print only errors; twice: print nothing, use the exit code
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// Log more to standard error: -v info, -vv debug, -vvv trace
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Print only JSON on standard output: one document, or one event per line from long-running commands
    #[arg(long, global = true)]
    pub json: bool,
    /// Print one record per line, tab-separated, with raw numbers; the default for tables if the output is
    /// not a terminal
    #[arg(long, global = true, conflicts_with = "json")]
    pub plain: bool,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = false)]
    pub color: Option<When>,
    /// Print only ASCII, except in names
    #[arg(long, global = true)]
    pub ascii: bool,
    /// How to report progress on standard error
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub progress: Mode,
    /// Time between progress lines or JSON events
    #[arg(long, global = true, value_name = "TIME", value_parser = units::parse_span)]
    pub interval: Option<Duration>,
    /// Never prompt; fail if an answer is needed
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Answer yes to prompts that risk no data
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Read FILE too; it overrides the user's configuration file
    #[arg(short = 'C', long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Ignore all configuration files
    #[arg(long, global = true)]
    pub no_config: bool,
    /// Use a profile: its sections of the configuration, and its own state directory
    #[arg(long, global = true, value_name = "NAME", value_parser = parse_profile)]
    pub profile: Option<String>,
    /// Directory for torr's state
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Socket of the daemon
    #[arg(long, global = true, value_name = "PATH", hide = true)]
    pub socket: Option<PathBuf>,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum When {
    /// On terminals that support them
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How progress is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, ValueEnum)]
pub enum Mode {
    /// A bar on a terminal, lines elsewhere
    #[default]
    Auto,
    /// A bar that is redrawn in place
    Bar,
    /// One line per interval
    Lines,
    /// JSON events on standard error
    Json,
    /// None
    None,
}

impl GlobalArgs {
    /// Settles what the flags and the environment say about the profile and its state, so that from here on the
    /// flags alone say it. A flag that names a state directory wins over that of the profile.
    pub fn settle_profile(&mut self) -> Result<(), Error> {
        if self.profile.is_none() {
            self.profile = state_dir::profile_of_environment()?;
        }
        if let (Some(profile), None) = (&self.profile, &self.state_dir) {
            self.state_dir = state_dir::profile_dir(profile);
        }
        Ok(())
    }

    /// The state directory, if there is any.
    pub fn state_dir(&self) -> Option<PathBuf> {
        state_dir::locate(self.state_dir.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_has_a_state_of_its_own() {
        let mut global = GlobalArgs { profile: Some("work".to_owned()), ..GlobalArgs::default() };
        global.settle_profile().unwrap();
        assert!(global.state_dir.is_none_or(|dir| dir.ends_with("profiles/work")));
        let given = Some(PathBuf::from("/x"));
        let mut global = GlobalArgs {
            profile: Some("work".to_owned()),
            state_dir: given.clone(),
            ..GlobalArgs::default()
        };
        global.settle_profile().unwrap();
        assert_eq!(global.state_dir, given);
    }
}
