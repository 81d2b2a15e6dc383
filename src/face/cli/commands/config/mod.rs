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

/// Show, check and change the configuration
#[derive(Args, Debug)]
#[command(
    long_about = LONG,
    subcommand_required = true,
    arg_required_else_help = false,
    disable_help_subcommand = true,
    after_help = "Examples:
  torr config init                        write a file with every key described
  torr config set limits.down 2M
  torr config show --origin               print values and where they come from
  torr -C ./torr.toml config check        also check this file"
)]
pub struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

const LONG: &str = "Show, check and change the configuration

No configuration file is needed, and none is written unless you ask for it.
Values are taken from these places; earlier ones override later ones:

  1. command-line flags
  2. variables TORR_<SECTION>_<KEY>, such as TORR_LIMITS_DOWN=2M
  3. the file given with -C
  4. your own file: the one named by TORR_CONFIG, or else
     $XDG_CONFIG_HOME/torr/config.toml, or ~/.config/torr/config.toml
  5. /etc/torr/config.toml
  6. the defaults

--no-config ignores all files. With --profile NAME (or TORR_PROFILE),
[profile.NAME.section] overrides [section] in every file, and torr uses a
separate state directory. An unknown key is a warning, an invalid value is an
error.";

#[derive(Subcommand, Debug)]
enum What {
    /// List every path in use and whether it exists
    Path,
    /// Print every key with its value
    Show {
        /// Also print where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Print the value of one key
    Get {
        /// Name of the key, such as limits.down
        key: String,
    },
    /// Set a key in the configuration file; creates the file if missing, keeps comments and order
    Set {
        /// Name of the key, such as limits.down
        key: String,
        /// New value; for a list one or more, or [] for an empty list
        #[arg(required = true)]
        value: Vec<String>,
    },
    /// Edit the configuration file in $VISUAL or $EDITOR; it is checked before it is saved
    Edit,
    /// Check configuration files and environment variables; exit code 2 if torr would not start
    Check,
    /// Replace outdated key names with current ones; the old file is kept as .bak
    Migrate,
    /// Write a configuration file with every key, its default and its description
    Init {
        /// Replace an existing file, which is kept as .bak
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
