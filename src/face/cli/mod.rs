//! The command line. Each command is a file with its arguments and one `run`; what they share are
//! the streams ([`output`]), the ends ([`exit`], [`error`]) and [`progress`].
//!
//! Data goes to standard output, words to standard error. A command returns what the process ends
//! with, or a [`Error`](crate::app::Error); nothing below [`main`] ends the process, except for the
//! signals that end a command which has nothing to put away.

#![allow(clippy::disallowed_methods, reason = "people see clocks: progress is told as time passes")]
#![allow(
    clippy::struct_excessive_bools,
    reason = "each is a flag of the command line or a fact of the environment"
)]
#![allow(clippy::struct_field_names, reason = "fields are named as scripts read them")]
#![allow(clippy::format_push_string, clippy::format_collect, reason = "short texts, written as they read")]
#![allow(clippy::unused_self, reason = "writing is asked of the output, which owns the streams")]
#![allow(clippy::match_same_arms, reason = "one arm per rule, in the order of the rules")]
#![allow(clippy::single_match_else, reason = "both arms weigh the same")]
#![cfg_attr(test, allow(clippy::single_range_in_vec_init, reason = "lists of ranges are what is tested"))]

mod args;
mod ask;
mod cli_spec;
mod commands;
mod config;
mod crash;
mod daemon;
mod environment;
mod error;
mod exit;
mod fetch;
mod fetching;
mod hint;
mod json;
mod log;
mod making;
mod output;
mod pager;
mod progress;
mod qr;
mod signals;
mod stderr;
mod style;
mod transfer;
mod tree;
mod usage;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{FromArgMatches, Parser};

use args::global::GlobalArgs;
use commands::Command;
use environment::Environment;
use exit::Exit;
use output::Output;

/// The program: reads the command line, does what it says, and tells how it ended.
pub fn main() -> ExitCode {
    crash::install();
    // The hook has said what happened; what is left is to end with the right code.
    std::panic::catch_unwind(|| run(&std::env::args_os().collect::<Vec<_>>()))
        .unwrap_or(Exit::Internal)
        .into()
}

/// A BitTorrent client: download, seed, create and verify torrents
#[derive(Parser, Debug)]
#[command(
    name = "torr",
    bin_name = "torr",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = false,
    max_term_width = 100,
    color = clap::ColorChoice::Never,
    after_help = EXAMPLES,
    after_long_help = LONG_AFTER
)]
struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    /// Fail as a bug would; for tests
    #[arg(long, global = true, hide = true)]
    debug_panic: bool,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  torr get ubuntu.torrent -o ~/iso       download, verify, exit
  torr seed photos/                      share it; prints the command to download it
  torr demo                              watch a small swarm at work

'torr help COMMAND' shows all help on a command, 'torr --help' also lists the
flags that every command accepts.";

const LONG_AFTER: &str = "Examples:
  torr get ubuntu.torrent -o ~/iso       download, verify, exit
  torr seed photos/                      share it; prints the command to download it
  torr demo                              watch a small swarm at work

'torr help COMMAND' shows all help on a command. Other topics: 'torr help
torrents', 'torr help exit-codes', 'torr help environment', 'torr help units'
and 'torr help json'.";

fn run(arguments: &[OsString]) -> Exit {
    let around = Environment::here();
    if arguments.len() <= 1 {
        return usage::nothing_asked(&around);
    }
    let parsed =
        cli_spec::command().try_get_matches_from(arguments).and_then(|found| Cli::from_arg_matches(&found));
    let mut cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return usage::answer(&error, arguments, &around),
    };
    let output = Output::new(&cli.global, &around);
    log::start(cli.global.verbose, &output);
    assert!(!cli.debug_panic, "--debug-panic was given");
    let settled = cli.global.settle_profile();
    settled.and_then(|()| cli.command.run(&cli.global, &output)).unwrap_or_else(|failure| {
        output.live.erase();
        output.fail(&failure);
        Exit::of(&failure)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_of_everywhere_stand_before_and_after_the_command() {
        for line in [["torr", "--json", "version"], ["torr", "version", "--json"]] {
            assert!(Cli::try_parse_from(line).unwrap().global.json);
        }
    }
}
