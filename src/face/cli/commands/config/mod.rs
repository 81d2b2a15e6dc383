//! `torr config`: what is in force and why, and changing it.

mod change;
mod check;
mod document;
mod edit;
mod look;

use clap::{Args, Subcommand};

use crate::app::config::file::{self, Read};
use crate::app::config::keys::{self, Key};
use crate::app::config::meant;
use crate::app::{Error, ErrorKind};
use crate::base::Untrusted;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::config;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

use std::path::{Path, PathBuf};

/// Look at the configuration, check it, change it
#[derive(Args, Debug)]
#[command(
    long_about = LONG,
    subcommand_required = true,
    arg_required_else_help = false,
    disable_help_subcommand = true,
    after_help = "Examples:
  torr config init                        write a file with every key and what it is for
  torr config set limits.down 2M
  torr config show --origin               what is in force, and who said so
  torr -C ./torr.toml config check        also look at this file"
)]
pub struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

const LONG: &str = "Look at the configuration, check it, change it

No file is needed and none is written unless you ask. What is stronger, from the top:

  1. flags of the command line
  2. variables TORR_<SECTION>_<KEY>, such as TORR_LIMITS_DOWN=2M
  3. the file given with -C
  4. your own file: the one that TORR_CONFIG names, or else
     $XDG_CONFIG_HOME/torr/config.toml, or ~/.config/torr/config.toml
  5. /etc/torr/config.toml
  6. the defaults

--no-config leaves out all files. --profile NAME (or TORR_PROFILE) makes
[profile.NAME.section] stronger than [section] in every file, and keeps a
state of its own. A key that nobody knows is a warning, a value that cannot
be is an error.";

#[derive(Subcommand, Debug)]
enum What {
    /// List every path in use and whether it exists
    Path,
    /// Print every key with its value
    Show {
        /// Say of each value who set it
        #[arg(long)]
        origin: bool,
    },
    /// Print the value of one key
    Get {
        /// Such as limits.down
        key: String,
    },
    /// Set a key in the file, which is made if there is none; comments and order stay
    Set {
        /// Such as limits.down
        key: String,
        /// The value; for lists one or more, or `[]` for none
        #[arg(required = true)]
        value: Vec<String>,
    },
    /// Open the file in $VISUAL or $EDITOR, check it, then save it
    Edit,
    /// Tell everything that is wrong in the files and the environment; 2 if torr would not start, else 0
    Check,
    /// Write the right name for every key that has another one; the old file is kept as .bak
    Migrate,
    /// Write a file with every key at its default and what it is for
    Init {
        /// Even if there is a file; it is kept as .bak
        #[arg(short, long)]
        force: bool,
    },
}

/// Does it.
pub fn run(args: &ConfigArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    match &args.what {
        What::Path => look::path(global, output),
        What::Show { origin } => look::show(*origin, global, output),
        What::Get { key } => look::get(named(key)?, global, output),
        What::Set { key, value } => change::set(named(key)?, value, global, output),
        What::Edit => edit::run(global, output),
        What::Check => check::run(global, output),
        What::Migrate => change::migrate(global, output),
        What::Init { force } => change::init(*force, global, output),
    }
}

/// The key of this name.
fn named(name: &str) -> Result<&'static Key, Error> {
    keys::find(name).ok_or_else(|| {
        let failure = Error::usage(format!("there is no key '{}'", Untrusted::new(name).fit(80)));
        match meant(name) {
            Some(near) => failure.hint(format!("did you mean {near}?")),
            None => failure.hint("'torr config show' lists the keys"),
        }
    })
}

/// The file that is written.
fn target(global: &GlobalArgs) -> Result<PathBuf, Error> {
    if global.no_config {
        return Err(Error::usage("--no-config leaves no file to change"));
    }
    config::target(global).ok_or_else(|| {
        Error::usage("there is no home to keep a configuration in")
            .hint("-C FILE names a file, as TORR_CONFIG does")
    })
}

/// Reads the text of a file, if there is one.
fn text_of(path: &Path) -> Result<Option<String>, Error> {
    match file::read(path) {
        Read::Text(text) => Ok(Some(text)),
        Read::Absent => Ok(None),
        Read::Problem(problem) => Err(problem.error()),
    }
}

/// A file that cannot be changed as it is.
fn unfit(path: &Path, why: &str) -> Error {
    let why = Untrusted::new(why.lines().next().unwrap_or_default()).fit(200);
    let message = format!("{} cannot be changed: {why}", crate::app::shown(path));
    Error::new(ErrorKind::Usage, "config", message)
        .hint("'torr config check' says more, 'torr config edit' opens it")
}
