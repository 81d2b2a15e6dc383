//! Flags of every command, before it or after it.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};

use crate::base::{Untrusted, units};

/// Flags of every command.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Everywhere")]
pub struct GlobalArgs {
    /// Only errors; twice: nothing at all, look at the exit code
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub quiet: u8,
    /// Tell more on standard error: -v info, -vv debug, -vvv trace
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// Only JSON on standard output: one document, or one event per line for what runs long
    #[arg(long, global = true)]
    pub json: bool,
    /// One record per line, tab-separated, raw numbers; chosen by itself when the output is not a terminal
    #[arg(long, global = true, conflicts_with = "json")]
    pub plain: bool,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = false)]
    pub color: Option<When>,
    /// No characters above U+007F from torr (names are still shown)
    #[arg(long, global = true)]
    pub ascii: bool,
    /// How progress is told on standard error
    #[arg(long, global = true, value_name = "HOW", default_value = "auto")]
    pub progress: Mode,
    /// Time between two lines or JSON events of progress
    #[arg(long, global = true, value_name = "TIME", value_parser = units::parse_span)]
    pub interval: Option<Duration>,
    /// Never ask anything
    #[arg(long, global = true)]
    pub no_input: bool,
    /// Answer yes to harmless questions
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// A configuration file that is stronger than the user's
    #[arg(short = 'C', long, global = true, value_name = "FILE", conflicts_with = "no_config")]
    pub config: Option<PathBuf>,
    /// Use no configuration file
    #[arg(long, global = true)]
    pub no_config: bool,
    /// A set of values of its own in the configuration, and a state of its own
    #[arg(long, global = true, value_name = "NAME", value_parser = parse_profile)]
    pub profile: Option<String>,
    /// Where torr keeps its state
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Which daemon to talk to
    #[arg(long, global = true, value_name = "PATH", hide_short_help = true)]
    pub socket: Option<PathBuf>,
}

/// When to use colours.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum When {
    /// On terminals that know them
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
    /// A bar redrawn in place
    Bar,
    /// Lines
    Lines,
    /// JSON events on standard error
    Json,
    /// Not at all
    None,
}

/// Reads the name of a profile, which is also that of a directory.
pub fn parse_profile(text: &str) -> Result<String, String> {
    let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    if (1..=64).contains(&text.len()) && text.bytes().all(good) {
        return Ok(text.to_owned());
    }
    let shown = Untrusted::new(text).fit(64);
    Err(format!("'{shown}' is not a profile name; write letters, digits, - and _, 64 at most"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_is_named_as_a_directory_can_be() {
        assert!(parse_profile("work-2_x").is_ok());
        for bad in ["", ".", "..", "a/b", "a b", "\u{1b}", &"x".repeat(65)] {
            assert!(parse_profile(bad).is_err(), "{bad}");
        }
    }
}
