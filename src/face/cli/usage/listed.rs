//! Commands and flags that help lists, searched for the one that was meant.

use std::ffi::OsString;

use crate::app::config::suggest;
use crate::face::cli::cli_spec;

/// The command of which this name is a slip of the hand. Where there is one, it is more likely meant than what
/// has many letters in common.
pub(super) fn near_command(name: &str) -> Option<String> {
    let all = cli_spec::command();
    let names = all.get_subcommands().filter(|command| !command.is_hide_set());
    let names = names.flat_map(|command| command.get_visible_aliases().chain([command.get_name()]));
    suggest::closest(name, names).map(str::to_owned)
}

/// The flag that clap suggests, or the most similar one where help does not list that.
pub(super) fn near_flag(flag: &str, suggested: &str, used: Option<&str>) -> Option<String> {
    let words: Vec<&str> = used.unwrap_or("torr").split(' ').skip(1).collect();
    let command = cli_spec::find(&words)?;
    let listed = command.get_arguments().filter(|argument| !argument.is_hide_set());
    let listed: Vec<&str> = listed.filter_map(clap::Arg::get_long).collect();
    let known = |flag: &str| flag.strip_prefix("--").is_some_and(|long| listed.contains(&long));
    if suggested.is_empty() || known(suggested) {
        return Some(suggested.to_owned()).filter(|suggested| !suggested.is_empty());
    }
    let near = suggest::closest(flag.trim_start_matches('-'), listed.into_iter());
    near.map(|long| format!("--{long}"))
}

/// The command that the words call, such as `torr config set`.
pub(super) fn in_use(arguments: &[OsString]) -> Option<String> {
    let all = cli_spec::command();
    let (mut at, mut names) = (&all, vec!["torr".to_owned()]);
    // What is none here is a value of a flag, or what the command is given.
    for word in arguments.iter().skip(1).filter_map(|argument| argument.to_str()) {
        if let Some(found) = at.find_subcommand(word) {
            names.push(found.get_name().to_owned());
            at = found;
        }
    }
    (names.len() > 1).then(|| names.join(" "))
}

/// The commands whose help lists a flag.
pub(super) fn owners(flag: &str) -> Vec<String> {
    fn look(command: &clap::Command, words: &str, flag: &str, found: &mut Vec<String>) {
        for command in command.get_subcommands().filter(|command| !command.is_hide_set()) {
            let words = format!("{words} {}", command.get_name());
            let mut listed = command.get_arguments().filter(|argument| !argument.is_hide_set());
            let knows = listed.any(|argument| {
                let short = argument.get_short().is_some_and(|letter| flag == format!("-{letter}"));
                short || argument.get_long().is_some_and(|long| flag.strip_prefix("--") == Some(long))
            });
            if knows {
                found.push(words.clone());
            }
            look(command, &words, flag, found);
        }
    }
    let mut found = Vec::new();
    look(&cli_spec::command(), "torr", flag, &mut found);
    found
}
