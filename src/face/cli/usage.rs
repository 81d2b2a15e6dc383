//! Errors of the command line in our words, and the answers to `--help` and `--version`.

mod listed;

use std::error::Error as _;
use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use self::listed::{in_use, near_command, near_flag, owners};
use super::args::global::{GlobalArgs, When};
use super::cli_spec;
use super::commands::{help, version};
use super::environment::Environment;
use super::exit::Exit;
use super::output::Output;
use super::stderr;
use crate::app::Error;
use crate::app::quoted;
use crate::base::Untrusted;

/// Commands that torr is going to have.
const COMMANDS_TO_COME: [&str; 3] = ["daemon", "doctor", "keys"];
/// Flags that torr is going to have, of whatever command.
const FLAGS_TO_COME: [&str; 1] = ["--spawn"];

/// `torr` alone. The full-screen view will answer this on a terminal; a pipe never gets it.
pub fn nothing_asked(around: &Environment) -> Exit {
    let help = cli_spec::command().render_help().to_string();
    if around.stdout_tty {
        let output = Output::new(&GlobalArgs::default(), around);
        return output.data(help.as_bytes()).map_or_else(|failure| Exit::of(&failure), |()| Exit::Done);
    }
    stderr::write(&help);
    Exit::Usage
}

/// Answers what clap did not take as a command: help and version on standard output, all else as an
/// error with a hint.
pub fn answer(error: &clap::Error, arguments: &[OsString], around: &Environment) -> Exit {
    let flags = flags_so_far(arguments);
    let output = Output::new(&flags, around);
    let answered = match error.kind() {
        ErrorKind::DisplayHelp => {
            help::print(&error.render().to_string(), None, &output).map(|()| Exit::Done)
        }
        ErrorKind::DisplayVersion => version::run(&flags, &output),
        _ => Err(failure(error, in_use(arguments).as_deref())),
    };
    answered.unwrap_or_else(|failure| {
        output.fail(&failure);
        Exit::of(&failure)
    })
}

/// The flags that decide how an answer is told, even if nothing else could be read.
fn flags_so_far(arguments: &[OsString]) -> GlobalArgs {
    let words: Vec<&str> = arguments.iter().skip(1).filter_map(|argument| argument.to_str()).collect();
    let words = words.split(|word| *word == "--").next().unwrap_or_default();
    let has = |flag: &str| words.contains(&flag);
    let short = |letter: char| {
        let of = |word: &&str| {
            word.strip_prefix('-')
                .filter(|rest| rest.bytes().all(|byte| byte.is_ascii_alphabetic()))
                .map_or(0, |letters| letters.chars().filter(|&found| found == letter).count())
        };
        words.iter().map(of).sum::<usize>().min(9) as u8
    };
    let long = |flag: &str| words.iter().filter(|word| **word == flag).count().min(9) as u8;
    let color = |word: &&str| word.strip_prefix("--color=").map(str::to_owned);
    let color = words
        .iter()
        .find_map(color)
        .or_else(|| words.windows(2).find(|pair| pair[0] == "--color").map(|pair| pair[1].to_owned()));
    GlobalArgs {
        json: has("--json"),
        ascii: has("--ascii"),
        quiet: short('q') + long("--quiet"),
        verbose: short('v') + long("--verbose"),
        color: match color.as_deref() {
            Some("always") => Some(When::Always),
            Some("never") => Some(When::Never),
            _ => None,
        },
        ..GlobalArgs::default()
    }
}

fn failure(error: &clap::Error, used: Option<&str>) -> Error {
    match error.kind() {
        ErrorKind::InvalidSubcommand => unknown_command(&told(error, ContextKind::InvalidSubcommand), error),
        ErrorKind::UnknownArgument => unknown_flag(&told(error, ContextKind::InvalidArg), error, used),
        ErrorKind::InvalidValue => unknown_value(error),
        ErrorKind::ValueValidation => wrong_value(error, used),
        ErrorKind::ArgumentConflict => conflict(error),
        ErrorKind::MissingRequiredArgument => {
            let missing = told(error, ContextKind::InvalidArg);
            let verb = if missing.contains(", ") { "are" } else { "is" };
            Error::usage(format!("{} {verb} missing", clean(&missing))).hint(how(error))
        }
        ErrorKind::MissingSubcommand => {
            Error::usage("no command was given").hint("'torr help' lists the commands")
        }
        _ => plain(error),
    }
}

/// The context of a clap error of this kind; empty if it has none.
fn told(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    }
}

fn unknown_command(name: &str, error: &clap::Error) -> Error {
    let shown = Untrusted::new(name);
    let above = above(error);
    if above != "torr" {
        let failure = Error::usage(format!("unknown command '{above} {shown}'"));
        let suggested = told(error, ContextKind::SuggestedSubcommand);
        return if suggested.is_empty() {
            failure.hint(format!("'{above} --help' lists its commands"))
        } else {
            failure.hint(format!("did you mean: {above} {}", suggested.replace(", ", &format!(", {above} "))))
        };
    }
    if could_be_a_torrent(name) {
        let hint = format!("to download: torr get {}", quoted(Path::new(name)));
        return Error::not_yet("the full-screen view").hint(hint);
    }
    if COMMANDS_TO_COME.contains(&name) {
        return Error::not_yet(&format!("torr {shown}")).hint("'torr help' lists the commands");
    }
    let suggested = near_command(name).unwrap_or_else(|| {
        let all = cli_spec::command();
        let shown = |name: &&str| all.find_subcommand(name).is_some_and(|command| !command.is_hide_set());
        let suggested = told(error, ContextKind::SuggestedSubcommand);
        suggested.split(", ").filter(shown).collect::<Vec<_>>().join(", ")
    });
    let hint = if suggested.is_empty() {
        "'torr help' lists the commands".to_owned()
    } else {
        format!("did you mean: torr {}", suggested.replace(", ", ", torr "))
    };
    Error::usage(format!("unknown command '{shown}'")).hint(hint)
}

/// The words before the one that is no command: `torr`, or `torr config`.
fn above(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: ")).unwrap_or("torr");
    let words: Vec<&str> = usage.split(' ').take_while(|word| !word.starts_with(['[', '<'])).collect();
    words.join(" ")
}

/// Words that can never be a command, now or later: links, and whatever has a dot or a slash.
fn could_be_a_torrent(name: &str) -> bool {
    ["magnet:", "http://", "https://"].iter().any(|start| name.starts_with(start))
        || name.contains(['.', '/'])
}

fn unknown_flag(flag: &str, error: &clap::Error, used: Option<&str>) -> Error {
    let bare = flag.split('=').next().unwrap_or(flag);
    if !bare.starts_with('-') {
        return Error::usage(format!("unexpected argument '{}'", Untrusted::new(flag))).hint(how(error));
    }
    let elsewhere = owners(bare);
    if elsewhere.is_empty() && FLAGS_TO_COME.contains(&bare) {
        return Error::not_yet(bare).hint("'torr help COMMAND' lists what there is");
    }
    let failure = Error::usage(format!("unknown flag '{}'", Untrusted::new(bare)));
    if let Some(suggested) = near_flag(bare, &told(error, ContextKind::SuggestedArg), used) {
        return failure.hint(format!("did you mean: {suggested}"));
    }
    if !elsewhere.is_empty() {
        return failure.hint(format!("it is a flag of {}", elsewhere.join(", ")));
    }
    failure.hint(how(error))
}

fn unknown_value(error: &clap::Error) -> Error {
    let (value, argument) = (told(error, ContextKind::InvalidValue), told(error, ContextKind::InvalidArg));
    let known = told(error, ContextKind::ValidValue);
    // What has no flag stands in brackets, which tell whether it can be left out: `[TORRENT]...`, `<PATH>...`.
    let name = match argument.strip_prefix('[') {
        Some(place) => format!("<{}>", place.split(']').next().unwrap_or_default()),
        None => argument.trim_end_matches('.').split([' ', '=', '[']).next().unwrap_or_default().to_owned(),
    };
    let sentence = if value.is_empty() {
        format!("{name} needs a value")
    } else {
        format!("'{}' is not valid for {name}", Untrusted::new(value))
    };
    if known.is_empty() {
        return Error::usage(sentence).hint("nothing was given there, or a variable of the shell is empty");
    }
    let suggested = told(error, ContextKind::SuggestedValue);
    let guess = if suggested.is_empty() { String::new() } else { format!("did you mean: {suggested}; ") };
    Error::usage(sentence).hint(format!("{guess}there are {known}"))
}

/// A value that its flag refused; the reason often says what to write instead.
fn wrong_value(error: &clap::Error, used: Option<&str>) -> Error {
    let (value, argument) = (told(error, ContextKind::InvalidValue), told(error, ContextKind::InvalidArg));
    let name = argument.split([' ', '=', '[']).next().unwrap_or_default();
    let reason = error.source().map(|reason| clean(&reason.to_string())).unwrap_or_default();
    let value = Untrusted::new(&value).clean();
    let at = if reason.contains(&value) { name.to_owned() } else { format!("{name} '{value}'") };
    match reason.split_once("; write ").or_else(|| reason.split_once("? write ")) {
        Some((why, what)) => {
            let mark = if reason[why.len()..].starts_with('?') { "?" } else { "" };
            Error::usage(format!("{at}: {why}{mark}")).hint(format!("write {what}"))
        }
        None => {
            let hint = used.map_or_else(|| how(error), |used| format!("'{used} --help' tells more"));
            Error::usage(format!("{at}: {reason}")).hint(hint)
        }
    }
}

/// Flags that exclude each other, or one that was given twice.
fn conflict(error: &clap::Error) -> Error {
    let word = |text: &str| clean(text.split([' ', '=', '[']).next().unwrap_or_default());
    let (one, others) = (word(&told(error, ContextKind::InvalidArg)), told(error, ContextKind::PriorArg));
    let others: Vec<String> = others.split(", ").map(word).filter(|other| !other.is_empty()).collect();
    if others.is_empty() {
        return plain(error);
    }
    if others.contains(&one) {
        return Error::usage(format!("{one} was given twice")).hint("once is enough");
    }
    Error::usage(format!("{one} cannot be used with {}", others.join(", "))).hint("leave one of them out")
}

/// Any other error: clap's first paragraph is the sentence, its tips are the hint.
fn plain(error: &clap::Error) -> Error {
    let text = error.render().to_string();
    let first: Vec<String> = text.lines().take_while(|line| !line.trim().is_empty()).map(clean).collect();
    let sentence = first.join(" ");
    let sentence = sentence.strip_prefix("error: ").unwrap_or(&sentence).trim_end_matches('.');
    let tips: Vec<String> =
        text.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).map(clean).collect();
    let hint = if tips.is_empty() { how(error) } else { tips.join("; ") };
    Error::usage(sentence).hint(hint)
}

/// How the command is called.
fn how(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let usage = text.lines().find_map(|line| line.strip_prefix("Usage: "));
    usage.map_or_else(|| "'torr help' tells more".to_owned(), |line| format!("usage: {}", clean(line)))
}

fn clean(line: &str) -> String {
    Untrusted::new(line.trim()).clean()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(line: &[&str]) -> Error {
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        let error = cli_spec::command().try_get_matches_from(line).unwrap_err();
        failure(&error, in_use(&words).as_deref())
    }

    #[test]
    fn a_mistyped_command_gets_a_suggestion() {
        let failure = told(&["torr", "sho"]);
        assert_eq!(failure.message, "unknown command 'sho'");
        assert_eq!(failure.sentence(), Some("did you mean: torr show"));
        for (word, meant) in [("gte", "get"), ("eidt", "edit"), ("chekc", "check")] {
            assert_eq!(
                told(&["torr", word]).sentence(),
                Some(format!("did you mean: torr {meant}").as_str())
            );
        }
        assert_eq!(told(&["torr", "xyzzy"]).sentence(), Some("'torr help' lists the commands"));
    }

    #[test]
    fn an_empty_word_is_told_by_the_name_of_its_place() {
        for (line, name) in [(["torr", "get", ""], "<TORRENT>"), (["torr", "seed", ""], "<PATH>")] {
            let failure = told(&line);
            assert_eq!(failure.message, format!("{name} needs a value"));
            assert!(failure.sentence().unwrap().contains("empty"));
        }
    }

    #[test]
    fn what_is_to_come_says_so() {
        assert_eq!(told(&["torr", "doctor"]).message, "torr doctor is not available yet");
    }

    #[test]
    fn what_can_never_be_a_command_is_for_the_full_screen_view() {
        for (word, hint) in [
            ("a.torrent", "to download: torr get a.torrent"),
            ("dl/a", "to download: torr get dl/a"),
            ("magnet:?xt=a&dn=b", "to download: torr get 'magnet:?xt=a&dn=b'"),
            ("https://x.example/a", "to download: torr get https://x.example/a"),
        ] {
            let failure = told(&["torr", word]);
            assert_eq!(failure.message, "the full-screen view is not available yet");
            assert_eq!((Exit::of(&failure), failure.sentence()), (Exit::Usage, Some(hint)));
        }
        for word in ["magnet", "http", "photos"] {
            assert!(!could_be_a_torrent(word), "{word}");
        }
    }

    #[test]
    fn mistyped_flags_and_values_get_a_suggestion() {
        let failure = told(&["torr", "get", "x", "--job", "3"]);
        assert_eq!(failure.message, "unknown flag '--job'");
        assert_eq!(failure.sentence(), Some("did you mean: --jobs"));
        let failure = told(&["torr", "version", "--jobs"]);
        assert_eq!(failure.sentence(), Some("it is a flag of torr get"));
        let failure = told(&["torr", "version", "--color", "alway"]);
        assert_eq!(failure.message, "'alway' is not valid for --color");
        assert_eq!(failure.sentence(), Some("did you mean: always; there are auto, always, never"));
        let failure = told(&["torr", "version", "extra"]);
        assert_eq!(failure.message, "unexpected argument 'extra'");
    }

    #[test]
    fn suggestions_name_only_what_help_lists() {
        for (line, hint) in [
            (&["torr", "get", "x", "--encryptio", "off"][..], "usage: "),
            (&["torr", "get", "x", "--prox", "a"], "usage: "),
            (&["torr", "version", "--upnp"], "usage: "),
            (&["torr", "version", "--web-seed", "x"], "it is a flag of torr seed, torr create, torr edit"),
            (&["torr", "ad"], "'torr help' lists"),
            (&["torr", "ct"], "'torr help' lists"),
        ] {
            let failure = told(line);
            assert!(failure.sentence().unwrap().starts_with(hint), "{failure:?}");
        }
        let failure = told(&["torr", "create", "x", "--format", "v3"]);
        assert!(!failure.sentence().unwrap().contains("v2"), "{failure:?}");
    }

    #[test]
    fn the_flags_that_decide_how_an_error_is_told_are_found() {
        let of = |words: &[&str]| {
            let words: Vec<OsString> = ["torr"].iter().chain(words).map(OsString::from).collect();
            flags_so_far(&words)
        };
        assert_eq!(of(&["-q", "sho", "--quiet"]).quiet, 2);
        assert_eq!(of(&["-qq", "sho"]).quiet, 2);
        assert_eq!(of(&["-vq", "sho", "--ascii"]).verbose, 1);
        assert_eq!(of(&["sho", "--color", "always"]).color, Some(When::Always));
        assert_eq!(of(&["sho", "--color=never"]).color, Some(When::Never));
        assert!(!of(&["sho", "--", "--json"]).json);
    }

    #[test]
    fn other_mistakes_are_one_sentence_and_steer_nothing() {
        let failure = told(&["torr", "get", "--no-such\u{1b}[2J", "x"]);
        assert_eq!(failure.message, "unknown flag '--no-such\\u{1b}[2J'");
        let failure = told(&["torr", "get"]);
        assert!(
            failure.message.contains("TORRENT") && failure.message.ends_with(" is missing"),
            "{failure:?}"
        );
        let failure = told(&["torr", "get", "x", "--down", "200"]);
        assert_eq!(failure.message, "--down: 200 bytes per second?");
        assert_eq!(failure.sentence(), Some("write 200K for KiB/s, or none for no limit"));
        let failure = told(&["torr", "get", "x", "--tracker", "ftp://x/a"]);
        assert_eq!(
            failure.message,
            "--tracker 'ftp://x/a': the scheme of a tracker must be http, https or udp"
        );
        for line in [
            &["torr", "get", "--bind", "x", "--max-peers", "many", "a"][..],
            &["torr", "share", "a", "--max-peers", "x"],
        ] {
            let error = told(line);
            let hint = error.sentence().unwrap();
            let command = if line[1] == "get" { "get" } else { "seed" };
            assert_eq!(hint, format!("'torr {command} --help' tells more"));
        }
        let failure = told(&["torr", "version", "--json", "--plain"]);
        assert_eq!(failure.message, "--json cannot be used with --plain");
        let failure = told(&["torr", "get", "x", "--jobs", "1", "--jobs", "2"]);
        assert_eq!(failure.message, "--jobs was given twice");
    }

    #[test]
    fn no_command_to_come_has_come() {
        for name in COMMANDS_TO_COME {
            assert!(cli_spec::find(&[name]).is_none(), "{name}");
        }
    }
}
