//! `torr completions`: what a shell needs to complete our command lines.

use clap::{Args, Command, ValueEnum};
use clap_complete::{Generator, aot};
use serde::Serialize;

use crate::app::Error;
use crate::face::cli::cli_spec;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

/// Print the completions of a shell
///
/// Prints a script that lets the shell complete commands, flags, values and files.
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

Where each shell finds it, from its next start:
  bash         the first example, with the package bash-completion
  zsh          the second, with 'fpath+=~/.zfunc' before compinit in ~/.zshrc
  fish         the third
  powershell   torr completions powershell >> $PROFILE
  elvish       torr completions elvish >> ~/.config/elvish/rc.elv
  nushell      torr completions nushell | save -f ~/.config/nushell/autoload/torr.nu"
)]
pub struct CompletionsArgs {
    /// The shell
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
    Command::new("torr")
        .version(env!("CARGO_PKG_VERSION"))
        .disable_help_subcommand(true)
        .args(arguments.cloned())
        .subcommands(commands.cloned())
}
