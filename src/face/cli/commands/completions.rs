//! `torr completions`: what a shell needs to complete our command lines.

use clap::builder::{PossibleValue, PossibleValuesParser};
use clap::{Arg, ArgGroup, Args, Command, Id, ValueEnum};
use clap_complete::{Generator, aot};
use serde::Serialize;

use crate::app::Error;
use crate::face::cli::cli_spec;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

/// Print a shell completion script
///
/// The script completes commands, flags, values and files.
#[derive(Args, Debug)]
#[command(
    after_help = "Examples:
  torr completions bash > ~/.local/share/bash-completion/completions/torr
  torr completions zsh > ~/.zfunc/_torr
  torr completions fish > ~/.config/fish/completions/torr.fish",
    after_long_help = "Examples:
  torr completions bash > ~/.local/share/bash-completion/completions/torr
  torr completions zsh > ~/.zfunc/_torr
  torr completions fish > ~/.config/fish/completions/torr.fish

Where to put the script; restart the shell afterwards:
  bash         the first example; needs the package bash-completion
  zsh          the second example; needs 'fpath+=~/.zfunc' before compinit in ~/.zshrc
  fish         the third example
  powershell   torr completions powershell >> $PROFILE
  elvish       torr completions elvish >> ~/.config/elvish/rc.elv
  nushell      torr completions nushell | save -f ~/.config/nushell/autoload/torr.nu"
)]
pub struct CompletionsArgs {
    /// Shell to generate the script for
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Elvish,
    Nushell,
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    shell: String,
    script: String,
}

/// Prints them.
pub fn run(args: &CompletionsArgs, output: &Output) -> Result<Exit, Error> {
    let script = match args.shell {
        Shell::Bash => script(aot::Bash),
        Shell::Zsh => script(aot::Zsh),
        Shell::Fish => script(aot::Fish),
        Shell::Powershell => script(aot::PowerShell),
        Shell::Elvish => script(aot::Elvish),
        Shell::Nushell => script(clap_complete_nushell::Nushell),
    };
    if output.json {
        let shell = args.shell.to_possible_value().map(|value| value.get_name().to_owned());
        let shell = shell.unwrap_or_default();
        output.event(&Document { schema: "torr.completions/1", shell, script })?;
    } else {
        output.data(output.out.own(&script).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn script(shell: impl Generator) -> String {
    let mut bytes = Vec::new();
    aot::generate(shell, &mut visible(&cli_spec::command()), "torr", &mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The command line without what help does not list; not every shell passes over it by itself.
fn visible(all: &Command) -> Command {
    let arguments = all.get_arguments().filter(|argument| !argument.is_hide_set());
    let commands = all.get_subcommands().filter(|command| !command.is_hide_set());
    let mut command = Command::new(all.get_name().to_owned())
        .disable_help_subcommand(true)
        .visible_aliases(all.get_visible_aliases().map(str::to_owned).collect::<Vec<_>>())
        .args(arguments.map(with_visible_values))
        .groups(all.get_groups().map(|group| with_visible_flags(group, all)))
        .subcommands(commands.map(visible));
    if let Some(about) = all.get_about() {
        command = command.about(about.clone());
    }
    match all.get_version() {
        Some(version) => command.version(version.to_owned()),
        None => command,
    }
}

/// A flag without the values that help does not list.
fn with_visible_values(argument: &Arg) -> Arg {
    let values = argument.get_possible_values();
    if !values.iter().any(PossibleValue::is_hide_set) {
        return argument.clone();
    }
    let values = values.into_iter().filter(|value| !value.is_hide_set());
    argument.clone().value_parser(PossibleValuesParser::new(values))
}

/// A group without the flags that help does not list.
fn with_visible_flags(group: &ArgGroup, command: &Command) -> ArgGroup {
    let listed = |id: &&Id| {
        let mut arguments = command.get_arguments();
        arguments.any(|argument| argument.get_id() == *id && !argument.is_hide_set())
    };
    ArgGroup::new(group.get_id().clone()).args(group.get_args().filter(listed).cloned()).multiple(true)
}
