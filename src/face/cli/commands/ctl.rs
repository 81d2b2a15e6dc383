//! `torr ctl`: tell the daemon what to do.

use clap::{Args, ValueEnum};

use crate::app::Error;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::daemon;
use crate::face::cli::exit::Exit;

/// Control the daemon
///
/// There is no daemon yet, so this ends with exit code 6; torr get and torr seed do their work without one.
#[derive(Args, Debug)]
#[command(
    hide = true,
    after_help = "Examples:
  torr ctl list
  torr ctl pause 9f2c41"
)]
pub struct CtlArgs {
    /// What to do
    #[arg(value_name = "VERB", hide_possible_values = true)]
    verb: Verb,
    /// Which torrents, by the beginning of their info hash, by a filter, or all; and what the verb needs besides
    #[arg(value_name = "WORD")]
    words: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Verb {
    #[value(alias = "ls")]
    List,
    Show,
    Files,
    Peers,
    Trackers,
    Log,
    Why,
    Pause,
    Resume,
    Force,
    Verify,
    Announce,
    Move,
    Rename,
    Label,
    Prio,
    Queue,
    Rm,
    Set,
    Watch,
    Status,
    Attach,
    Reload,
    Stop,
}

impl Verb {
    /// The words it cannot do without.
    const fn needs(self) -> &'static [&'static str] {
        match self {
            Self::List | Self::Watch | Self::Status | Self::Attach | Self::Reload | Self::Stop => &[],
            Self::Set => &["NAME=VALUE"],
            Self::Move => &["WHICH", "DIR"],
            Self::Rename => &["WHICH", "NAME"],
            Self::Label => &["WHICH", "LABEL"],
            Self::Prio => &["WHICH", "FILES", "LEVEL"],
            Self::Queue => &["WHICH", "up, down, top or bottom"],
            _ => &["WHICH"],
        }
    }

    /// Whether the verb concerns the daemon as a whole, not a torrent.
    const fn is_alone(self) -> bool {
        matches!(self, Self::Status | Self::Attach | Self::Reload | Self::Stop)
    }
}

/// Checks what is asked, and looks for the daemon.
pub fn run(args: &CtlArgs, global: &GlobalArgs) -> Result<Exit, Error> {
    check(args)?;
    Err(daemon::find(global))
}

fn check(args: &CtlArgs) -> Result<(), Error> {
    let name = args.verb.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let needs = args.verb.needs();
    if let Some(missing) = needs.get(args.words.len()) {
        let failure = Error::usage(format!("torr ctl {name}: {missing} is missing"));
        return Err(failure.hint(format!("usage: torr ctl {name} {}", needs.join(" "))));
    }
    if args.verb.is_alone() && !args.words.is_empty() {
        return Err(Error::usage(format!("torr ctl {name} takes no further words")).hint("leave them out"));
    }
    let place = args.words.last().map(String::as_str);
    if args.verb == Verb::Queue && !place.is_some_and(|at| ["up", "down", "top", "bottom"].contains(&at)) {
        return Err(Error::usage("torr ctl queue: where to is missing").hint("say up, down, top or bottom"));
    }
    if args.verb == Verb::Set && !place.is_some_and(|pair| pair.contains('=')) {
        return Err(Error::usage("torr ctl set: a value is missing").hint("write NAME=VALUE, as in up=2M"));
    }
    Ok(())
}
