//! The command line as clap knows it, dressed for people: the commands in groups, and a short help
//! that is short.

use clap::{Arg, Command, CommandFactory};

/// The commands by what they are for. A name that is no command yet is passed over.
pub const GROUPS: [(&str, &[&str]); 4] = [
    ("Transfer", &["get", "seed", "add"]),
    ("Torrent files", &["create", "show", "verify", "edit", "magnet"]),
    ("Service", &["daemon", "ctl", "tracker", "dht"]),
    ("Help", &["demo", "doctor", "config", "keys", "register", "completions", "man", "help", "version"]),
];

/// Headings of flags that only the long help lists.
const LONG_ONLY: [&str; 2] = ["Network", "Everywhere"];
/// The columns for the names of commands.
const NAMES: usize = 12;

/// The whole command line.
pub fn command() -> Command {
    let command = super::Cli::command();
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n\n{}Flags:\n{{options}}{{after-help}}",
        groups(&command)
    );
    command.help_template(template).mut_args(long_only).mut_subcommands(|sub| dressed(sub, "torr"))
}

/// One of the commands, named by the words that call it, with all that it inherits.
pub fn find(words: &[impl AsRef<str>]) -> Option<Command> {
    let mut command = command();
    command.build();
    words.iter().try_fold(command, |command, word| command.find_subcommand(word.as_ref()).cloned())
}

fn groups(command: &Command) -> String {
    let line = |name: &&str| {
        let found = command.find_subcommand(name).filter(|found| !found.is_hide_set())?;
        let about = found.get_about().map(ToString::to_string).unwrap_or_default();
        let alias = found.get_visible_aliases().next();
        let alias = alias.map(|alias| format!(" (also: {alias})")).unwrap_or_default();
        Some(format!("  {:<NAMES$} {about}{alias}\n", found.get_name()))
    };
    let group = |(title, names): &(&str, &[&str])| {
        let lines: String = names.iter().filter_map(line).collect();
        if lines.is_empty() { lines } else { format!("{title}:\n{lines}\n") }
    };
    GROUPS.iter().map(group).collect()
}

fn long_only(arg: Arg) -> Arg {
    let long = arg.get_help_heading().is_some_and(|heading| LONG_ONLY.contains(&heading));
    if long { arg.hide_short_help(true) } else { arg }
}

/// A command whose short help keeps to its own flags and says where the others are.
fn dressed(command: Command, above: &str) -> Command {
    let words = format!("{above} {}", command.get_name());
    let nested = words.clone();
    // Of the commands that transfer, only seed acts on web seeds.
    let command = match words.as_str() {
        "torr seed" => command.mut_arg("web_seed", |flag| flag.hide(false)),
        _ => command,
    };
    let command = command.mut_args(long_only).mut_subcommands(|sub| dressed(sub, &nested));
    let Some(examples) = command.get_after_help().map(ToString::to_string) else { return command };
    let long = command.get_after_long_help().map_or_else(|| examples.clone(), ToString::to_string);
    let short = format!("{examples}\n\nAll flags and details: {words} --help");
    command.after_help(short).after_long_help(long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_holds_together() {
        command().debug_assert();
    }

    #[test]
    fn every_command_is_in_one_group() {
        for command in command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = command.get_name();
            let in_groups = GROUPS.iter().flat_map(|(_, names)| *names).filter(|known| **known == name);
            assert_eq!(in_groups.count(), 1, "{name}");
            assert!(name.len() <= NAMES, "{name}");
        }
    }

    /// Every command that help lists, with the words that call it.
    fn listed() -> Vec<(String, Command)> {
        fn collect(command: &Command, words: &str, into: &mut Vec<(String, Command)>) {
            for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
                let words = format!("{words} {}", command.get_name());
                into.push((words.clone(), command.clone()));
                collect(command, &words, into);
            }
        }
        let mut all = command();
        all.build();
        let mut listed = Vec::new();
        collect(&all, "torr", &mut listed);
        listed
    }

    #[test]
    fn help_lists_nothing_that_is_refused() {
        for (words, mut command) in listed() {
            let help = command.render_long_help().to_string();
            for refused in ["--encryption", "--proxy", "-upnp", "-utp", "--socket", "- hybrid", "available"] {
                assert!(!help.contains(refused), "{words}: {refused}");
            }
            assert_eq!(
                help.contains("--web-seed "),
                ["torr seed", "torr create", "torr edit"].contains(&words.as_str())
            );
        }
        for name in ["add", "ctl"] {
            assert!(find(&[name]).unwrap().is_hide_set(), "{name}");
        }
    }

    #[test]
    fn refused_flags_are_parsed_all_the_same() {
        for flags in [
            &["--encryption", "require"][..],
            &["--proxy", "socks5://127.0.0.1:1080"],
            &["--upnp", "--utp"],
            &["--no-upnp", "--no-utp"],
            &["--web-seed", "http://127.0.0.1/"],
        ] {
            for name in ["get", "seed", "verify"] {
                let line = [&["torr", name, "x"], flags].concat();
                assert!(command().try_get_matches_from(line).is_ok(), "{name} {flags:?}");
            }
        }
        for format in ["v2", "hybrid"] {
            assert!(command().try_get_matches_from(["torr", "create", "x", "--format", format]).is_ok());
        }
    }

    #[test]
    fn the_documented_defaults_are_values_of_their_flags() {
        for (words, command) in listed() {
            for flag in command.get_arguments().filter(|argument| !argument.is_hide_set()) {
                let Some(long) = flag.get_long() else { continue };
                let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
                let told = help.split("[default: ").nth(1).and_then(|rest| rest.split(']').next());
                // Some are told in words, such as "one per core".
                let told = told.filter(|told| !told.contains([' ', '.'])).map(str::to_owned);
                let set = flag.get_default_values().iter().filter_map(|value| value.to_str());
                let known: Vec<String> =
                    flag.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect();
                for value in set.map(str::to_owned).chain(told) {
                    assert!(known.is_empty() || known.contains(&value), "{words} --{long} {value}");
                    let flag = format!("--{long}={value}");
                    let line = words.split(' ').map(str::to_owned).chain([flag]);
                    let failed = refuses_value(line);
                    assert!(!failed, "{words} --{long} {value}");
                }
            }
        }
    }

    /// Whether a line is refused because of a value.
    fn refuses_value(line: impl Iterator<Item = String>) -> bool {
        use clap::error::ErrorKind::{InvalidValue, ValueValidation};
        let refused = super::command().try_get_matches_from(line).err();
        refused.is_some_and(|error| [InvalidValue, ValueValidation].contains(&error.kind()))
    }

    #[test]
    fn the_short_help_keeps_to_a_commands_own_flags() {
        let mut get = find(&["get"]).unwrap();
        let (short, long) = (get.render_help().to_string(), get.render_long_help().to_string());
        assert!(short.contains("--jobs") && !short.contains("--max-peers") && !short.contains("--ascii"));
        assert!(long.contains("--jobs") && long.contains("--max-peers") && long.contains("--ascii"));
        assert!(short.contains("torr get --help") && !long.contains("torr get --help"));
    }

    #[test]
    fn nothing_may_be_abbreviated() {
        for line in [["torr", "versio"], ["torr", "--jso"]] {
            assert!(command().try_get_matches_from(line).is_err(), "{line:?}");
        }
    }
}
