//! The contents of the man pages.

use clap::Command;
use clap_mangen::Man;

use super::roff::Writer;
use crate::app::config::keys;
use crate::face::cli::cli_spec::{self, GROUPS};
use crate::face::cli::commands::help::topics::{EXIT_CODES_NOTE, TOPICS, VARIABLES};
use crate::face::cli::exit::MEANINGS;

/// The day on which the words of the manual were last changed.
const DATE: &str = "2026-11-30";
/// The manual that the pages belong to.
const MANUAL: &str = "torr manual";
/// The heading of the examples in a help text.
const EXAMPLES: &str = "Examples:";

/// A page of the manual.
pub struct Page {
    /// Its name, as in `torr-get`.
    pub name: String,
    /// The section of the manual: 1 for commands, 5 for files, 7 for all else.
    pub section: u8,
    /// Its source.
    pub text: String,
}

/// All pages.
pub fn all() -> Vec<Page> {
    let mut root = cli_spec::command();
    root.build();
    let commands: Vec<&Command> = root.get_subcommands().filter(|command| !command.is_hide_set()).collect();
    let mut pages = vec![torr(&root, &commands)];
    pages.extend(commands.iter().map(|command| of_command(command)));
    pages.push(configuration());
    pages.push(exit_codes());
    pages
}

fn torr(root: &Command, commands: &[&Command]) -> Page {
    let mut page = Writer::default();
    page.title("TORR", 1, DATE, MANUAL);
    page.section("NAME").flow("torr - a BitTorrent client");
    page.section("SYNOPSIS").mixed(&["torr", " COMMAND [OPTIONS] ..."]);
    page.section("DESCRIPTION")
        .flow("torr downloads, seeds, creates and verifies torrents.")
        .flow("Data goes to standard output, messages to standard error.")
        .flow("Each command has its own page.");
    page.section("COMMANDS");
    for (title, names) in GROUPS {
        let found: Vec<&&Command> = names
            .iter()
            .filter_map(|name| commands.iter().find(|command| command.get_name() == *name))
            .collect();
        if found.is_empty() {
            continue;
        }
        page.part(title);
        for command in found {
            page.term(&[&format!("torr {}", command.get_name())], &about(command));
        }
    }
    page.section("FLAGS OF EVERY COMMAND").flow("They can be given before or after the command.");
    page.rendered(&options(root.clone()).replace(".SH OPTIONS\n", "").replace(".SH EVERYWHERE\n", ""));
    examples(&mut page, root);
    page.section("ENVIRONMENT");
    for (name, what) in VARIABLES {
        page.term(&[name], what);
    }
    page.section("EXIT STATUS");
    for (exit, meaning) in MEANINGS {
        page.term(&[&exit.code().to_string()], meaning);
    }
    page.section("SEE ALSO");
    let pages: Vec<String> =
        commands.iter().map(|command| format!("torr-{}(1)", command.get_name())).collect();
    see(&mut page, &pages.iter().map(String::as_str).chain(["torr-exit-codes(7)"]).collect::<Vec<_>>());
    let topics: Vec<&str> = TOPICS.iter().map(|(name, _)| *name).collect();
    page.paragraph().flow(&format!("See also torr help {}.", topics.join(", torr help ")));
    Page { name: "torr".to_owned(), section: 1, text: page.finish() }
}

fn of_command(command: &Command) -> Page {
    let name = format!("torr-{}", command.get_name());
    let own = command.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
    let mut page = Writer::default();
    page.title(&name.to_uppercase(), 1, DATE, MANUAL);
    page.section("NAME").flow(&format!("{name} - {}", about(command)));
    page.section("SYNOPSIS");
    let usage = own.clone().render_usage().to_string();
    let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage);
    let words = format!("torr {}", command.get_name());
    for (at, line) in usage.lines().map(str::trim).enumerate() {
        if at > 0 {
            page.paragraph();
        }
        page.mixed(&[words.as_str(), line.strip_prefix(words.as_str()).unwrap_or(line)]);
    }
    page.section("DESCRIPTION");
    for (at, text) in long_about(command).split("\n\n").enumerate() {
        if at > 0 {
            page.paragraph();
        }
        page.flow(&full_stop(text.trim()));
    }
    for alias in command.get_visible_aliases() {
        page.paragraph().mixed(&[&format!("torr {alias}"), " is an alias."]);
    }
    page.rendered(&options(own));
    nested(&mut page, command, &words);
    page.section("FURTHER FLAGS").flow("The flags of every command are in torr(1).");
    examples(&mut page, command);
    page.section("EXIT STATUS").flow("0 on success; torr-exit-codes(7) lists the others.");
    page.section("SEE ALSO");
    see(&mut page, &["torr(1)", "torr-exit-codes(7)"]);
    Page { name, section: 1, text: page.finish() }
}

/// The commands of a command, each with its flags.
fn nested(page: &mut Writer, command: &Command, words: &str) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let words = format!("{words} {}", below.get_name());
        page.section(&words.to_uppercase());
        let own = below.clone().mut_args(|arg| if arg.is_global_set() { arg.hide(true) } else { arg });
        let usage = own.clone().render_usage().to_string();
        let usage = usage.strip_prefix("Usage: ").unwrap_or(&usage).to_owned();
        page.mixed(&[words.as_str(), usage.strip_prefix(words.as_str()).unwrap_or(&usage)]);
        page.paragraph().flow(&story(below));
        page.rendered(&options(own).replace(".SH OPTIONS\n", ""));
        nested(page, below, &words);
    }
}

fn configuration() -> Page {
    let mut page = Writer::default();
    page.title("TORR.TOML", 5, DATE, MANUAL);
    page.section("NAME").flow("torr.toml - configuration file of torr");
    page.section("DESCRIPTION")
        .flow(
            "No file is needed, and none is written unless you ask for it: torr config init writes one with",
        )
        .flow("every key at its default. The format is TOML.");
    page.paragraph()
        .flow("Your own file is $XDG_CONFIG_HOME/torr/config.toml, or the one named by TORR_CONFIG; the")
        .flow("system-wide file is /etc/torr/config.toml. -C FILE names another one, which overrides both.")
        .flow("Variables override files, and flags override variables.");
    page.paragraph()
        .flow("A table [profile.NAME.SECTION] is used only with --profile NAME, and overrides [SECTION].");
    page.paragraph().flow("torr config show --origin prints the values in use and where they come from.");
    for (section, about, keys) in keys::used() {
        page.section(&section.to_uppercase()).flow(&full_stop(about));
        for key in keys {
            let what = format!("{} The default is {}.", full_stop(key.about), key.default());
            page.term(&[&key.full()], &what);
        }
    }
    page.section("SEE ALSO");
    see(&mut page, &["torr(1)", "torr-config(1)"]);
    Page { name: "torr.toml".to_owned(), section: 5, text: page.finish() }
}

fn exit_codes() -> Page {
    let mut page = Writer::default();
    page.title("TORR-EXIT-CODES", 7, DATE, MANUAL);
    page.section("NAME").flow("torr-exit-codes - exit codes of torr");
    page.section("DESCRIPTION").flow("These codes never change their meaning.");
    for (exit, meaning) in MEANINGS {
        page.term(&[&exit.code().to_string()], meaning);
    }
    page.paragraph();
    for line in EXIT_CODES_NOTE.lines() {
        page.flow(line);
    }
    page.section("SEE ALSO");
    see(&mut page, &["torr(1)"]);
    Page { name: "torr-exit-codes".to_owned(), section: 7, text: page.finish() }
}

fn long_about(command: &Command) -> String {
    command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default()
}

/// All that is said of a command, in one paragraph.
fn story(command: &Command) -> String {
    long_about(command).split("\n\n").map(|text| full_stop(text.trim())).collect::<Vec<_>>().join(" ")
}

/// The first sentence of a help text has no full stop; a paragraph has.
fn full_stop(text: &str) -> String {
    let text = text.replace('\n', " ");
    if text.ends_with(['.', '!', '?', ':']) || text.is_empty() { text } else { format!("{text}.") }
}

/// The flags with what they do, section by section.
fn options(command: Command) -> String {
    // What the short help leaves out belongs to the manual.
    let command = command.mut_args(|arg| arg.hide_short_help(false));
    let mut bytes = Vec::new();
    let written = Man::new(command).render_options_section(&mut bytes);
    written.expect("writing into memory does not fail");
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // A break beside an empty line is one too many for those who read closely.
    text.replace("\n.br\n\n.br\n", "\n.sp\n").replace("\n\n.br\n", "\n").replace("\n.RS 14\n", "\n.RS 4\n")
}

/// Returns the description of a command, as it follows the name.
fn about(command: &Command) -> String {
    let text = command.get_about().map(ToString::to_string).unwrap_or_default();
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_lowercase().to_string()).unwrap_or_default();
    let word = chars.as_str().chars().next().is_some_and(char::is_uppercase);
    if word { text } else { format!("{first}{}", chars.as_str()) }
}

/// The examples of a help text, as they are typed.
fn examples(page: &mut Writer, command: &Command) {
    let text = command.get_after_long_help().or(command.get_after_help()).map(ToString::to_string);
    let text = text.unwrap_or_default();
    let lines: Vec<&str> = text
        .lines()
        .skip_while(|line| !line.starts_with(EXAMPLES))
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .map(str::trim)
        .collect();
    if !lines.is_empty() {
        page.section("EXAMPLES").verbatim(&lines);
    }
}

fn see(page: &mut Writer, pages: &[&str]) {
    for (at, page_and_section) in pages.iter().enumerate() {
        let (name, section) = page_and_section.split_once('(').unwrap_or((page_and_section, ""));
        let comma = if at + 1 < pages.len() { "," } else { "" };
        page.mixed(&[name, &format!("({section}{comma}")]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_with_what_its_help_says() {
        let pages = all();
        for command in cli_spec::command().get_subcommands().filter(|command| !command.is_hide_set()) {
            let name = format!("torr-{}", command.get_name());
            let page = pages.iter().find(|page| page.name == name).unwrap_or_else(|| panic!("{name}"));
            assert!(page.text.contains(".SH SYNOPSIS") && page.text.contains(".SH DESCRIPTION"), "{name}");
            let examples = command.get_after_help().is_some_and(|help| help.to_string().contains(EXAMPLES));
            assert_eq!(page.text.contains(".SH EXAMPLES"), examples, "{name}");
        }
    }
}
