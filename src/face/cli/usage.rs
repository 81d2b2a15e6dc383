//! What is wrong with a command line, in our words, and the answers to `--help` and `--version`.

use std::ffi::OsString;

use clap::CommandFactory;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::global::GlobalArgs;
use super::error::Failure;
use super::exit::Exit;
use super::output::{Output, raw};
use super::surroundings::Surroundings;
use crate::base::Untrusted;

/// Commands that torr is going to have.
const COMMANDS_TO_COME: [&str; 12] = [
    "add",
    "daemon",
    "ctl",
    "dht",
    "doctor",
    "keys",
    "register",
    "completions",
    "man",
    "open",
    "tui",
    "attach",
];
/// Flags that torr is going to have, of whatever command.
const FLAGS_TO_COME: [&str; 7] =
    ["--torrent-only", "--lan", "--new", "--no-address", "--save", "--once", "--rehash"];

/// `torr` alone. The full-screen view will answer this on a terminal; a pipe never gets it.
pub fn nothing_asked(around: &Surroundings) -> Exit {
    let help = super::Cli::command().render_help().to_string();
    if around.stdout_tty {
        let output = Output::new(&GlobalArgs::default(), around);
        return output.data(help.as_bytes()).map_or_else(|failure| failure.exit, |()| Exit::Done);
    }
    raw(&help);
    Exit::Usage
}

/// Answers what clap did not take as a command: help and version on standard output, all else as an
/// error with a hint.
pub fn answer(error: &clap::Error, arguments: &[OsString], around: &Surroundings) -> Exit {
    let output = Output::new(&flags_so_far(arguments), around);
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = error.render().to_string();
            output.data(text.as_bytes()).map_or_else(|failure| failure.exit, |()| Exit::Done)
        }
        _ => {
            output.fail(&failure(error));
            Exit::Usage
        }
    }
}

/// The flags that decide how an error is told, even if nothing else could be read.
fn flags_so_far(arguments: &[OsString]) -> GlobalArgs {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let quiet = if has("-qq") { 2 } else { 0 };
    GlobalArgs { json: has("--json"), ascii: has("--ascii"), quiet, ..GlobalArgs::default() }
}

fn failure(error: &clap::Error) -> Failure {
    let told = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            unknown_command(&told(ContextKind::InvalidSubcommand).unwrap_or_default(), error)
        }
        ErrorKind::UnknownArgument => {
            let flag = told(ContextKind::InvalidArg).unwrap_or_default();
            let bare = flag.split('=').next().unwrap_or(&flag);
            if FLAGS_TO_COME.contains(&bare) {
                return Failure::not_yet(bare).hint("'torr help COMMAND' lists what there is");
            }
            plain(error)
        }
        ErrorKind::MissingSubcommand => {
            Failure::usage("no command was given").hint("'torr help' lists the commands")
        }
        _ => plain(error),
    }
}

fn unknown_command(name: &str, error: &clap::Error) -> Failure {
    let shown = Untrusted::new(name);
    let above = above(error);
    if above != "torr" {
        let failure = Failure::usage(format!("there is no command '{above} {shown}'"));
        return match error.get(ContextKind::SuggestedSubcommand) {
            Some(ContextValue::Strings(names)) if !names.is_empty() => {
                failure.hint(format!("did you mean: {above} {}", names.join(&format!(", {above} "))))
            }
            _ => failure.hint(format!("'{above} --help' lists its commands")),
        };
    }
    if name.starts_with("magnet:") {
        return Failure::not_yet("a magnet link").hint("use a .torrent file: torr get FILE.torrent");
    }
    if name.contains(['.', '/']) {
        return Failure::not_yet("the full-screen view").hint(format!("to download: torr get {shown}"));
    }
    if COMMANDS_TO_COME.contains(&name) {
        return Failure::not_yet(&format!("torr {shown}")).hint("'torr help' lists the commands");
    }
    let hint = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(names)) if !names.is_empty() => {
            format!("did you mean: torr {}", names.join(", torr "))
        }
        Some(ContextValue::String(name)) => format!("did you mean: torr {name}"),
        _ => "'torr help' lists the commands".to_owned(),
    };
    Failure::usage(format!("there is no command '{shown}'")).hint(hint)
}

/// The words before the one that is no command: `torr`, or `torr config`.
fn above(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("torr");
    let words: Vec<&str> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<'])).collect();
    words.join(" ")
}

/// Any other error: clap's first paragraph is the sentence, its tips are the hint.
fn plain(error: &clap::Error) -> Failure {
    let text = error.render().to_string();
    let clean = |line: &str| Untrusted::new(line.trim()).clean();
    let first: Vec<String> = text.lines().take_while(|line| !line.trim().is_empty()).map(clean).collect();
    let sentence = first.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence).trim_end_matches('.');
    let tips: Vec<String> =
        text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).map(clean).collect();
    let usage = text
        .lines()
        .find_map(|line| line.strip_prefix("Usage: "))
        .map(|line| format!("usage: {}", clean(line)));
    let hint = if tips.is_empty() { usage } else { Some(tips.join("; ")) };
    let failure = Failure::usage(sentence);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure.hint("'torr help' tells more"),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn told(line: &[&str]) -> Failure {
        failure(&super::super::Cli::try_parse_from(line).unwrap_err())
    }

    #[test]
    fn a_mistyped_command_gets_a_suggestion() {
        let failure = told(&["torr", "sho"]);
        assert_eq!(failure.message, "there is no command 'sho'");
        assert_eq!(failure.hint.as_deref(), Some("did you mean: torr show"));
        let failure = told(&["torr", "config", "shwo"]);
        assert_eq!(failure.message, "there is no command 'torr config shwo'");
        assert_eq!(failure.hint.as_deref(), Some("did you mean: torr config show"));
    }

    #[test]
    fn what_is_to_come_says_so() {
        assert_eq!(told(&["torr", "doctor"]).message, "torr doctor is not available yet");
        assert_eq!(told(&["torr", "get", "--lan", "x"]).message, "--lan is not available yet");
        assert_eq!(told(&["torr", "get", "--qr=always", "x"]).message, "--qr is not available yet");
        assert_eq!(told(&["torr", "magnet:?xt=a"]).message, "a magnet link is not available yet");
        assert_eq!(told(&["torr", "a.torrent"]).hint.as_deref(), Some("to download: torr get a.torrent"));
    }

    #[test]
    fn other_mistakes_are_one_sentence_and_steer_nothing() {
        let failure = told(&["torr", "get", "--no-such\u{1b}[2J", "x"]);
        assert_eq!(failure.message, "unexpected argument '--no-such' found");
        let failure = told(&["torr", "get"]);
        assert!(failure.message.contains("required") && !failure.message.contains('\n'), "{failure:?}");
        let failure = told(&["torr", "get", "x", "--down", "200"]);
        assert!(failure.message.contains("write 200K"), "{failure:?}");
    }

    #[test]
    fn no_flag_to_come_has_come() {
        // A name in the list that some command already has would still be refused by the others
        // in the right words, so only those that every command could have are looked at.
        let command = super::super::Cli::command();
        for name in COMMANDS_TO_COME {
            assert!(command.find_subcommand(name).is_none(), "{name}");
        }
    }
}
