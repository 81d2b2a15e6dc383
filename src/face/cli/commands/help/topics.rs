//! Help topics beyond the commands.

use crate::face::cli::exit::MEANINGS;

/// The topics with what each is about.
pub const TOPICS: [(&str, &str); 5] = [
    ("torrents", "how to name a torrent, and the parts of a magnet link"),
    ("exit-codes", "what each exit code means"),
    ("environment", "the environment variables that torr reads"),
    ("units", "how to write sizes, rates and times"),
    ("json", "what scripts can rely on"),
];

/// The variables that are looked at, and what for.
pub const VARIABLES: [(&str, &str); 32] = [
    ("TORR_CONFIG", "your configuration file, instead of $XDG_CONFIG_HOME/torr/config.toml"),
    ("TORR_PROFILE", "the profile to use, like --profile"),
    ("TORR_STATE_DIR", "directory for torr's state, instead of $XDG_STATE_HOME/torr"),
    ("TORR_COLOR", "auto, always or never; --color overrides it"),
    ("TORR_ASCII", "any value but 0: print only ASCII, like --ascii"),
    ("TORR_LOG", "log filter, such as info or torr=debug; overrides -v"),
    ("NO_COLOR", "any value: no colours, unless --color or TORR_COLOR is set"),
    ("FORCE_COLOR", "any value but 0: colours even if the output is not a terminal, unless NO_COLOR is set"),
    ("CLICOLOR_FORCE", "same as FORCE_COLOR"),
    ("TERM", "dumb or unset: no colours, and nothing is redrawn"),
    ("COLUMNS", "width of the terminal, instead of the detected one"),
    ("LINES", "height of the terminal, instead of the detected one"),
    ("CI", "any value: progress as lines instead of a bar"),
    ("ALL_PROXY", "proxy for HTTP requests, such as to trackers; peers and UDP do not use it"),
    ("HTTPS_PROXY", "the same for https:// only"),
    ("HTTP_PROXY", "the same for http:// only"),
    ("NO_PROXY", "comma-separated hosts to reach without the proxy"),
    ("LC_ALL", "locale; unless it is UTF-8, torr prints only ASCII"),
    ("LC_CTYPE", "the same if LC_ALL is unset"),
    ("LANG", "the same if both are unset"),
    ("PAGER", "pager for long text on a terminal [default: less]; empty or cat for none"),
    ("LESS", "options for less [default: FRX]"),
    ("LV", "options for lv [default: -c]"),
    ("VISUAL", "editor for edit --editor and config edit"),
    ("EDITOR", "the same if VISUAL is unset"),
    ("HOME", "your home directory, with the directories below unless they are set"),
    ("XDG_CONFIG_HOME", "directory for configuration [default: ~/.config]"),
    ("XDG_STATE_HOME", "directory for state [default: ~/.local/state]"),
    ("XDG_CACHE_HOME", "directory for caches, such as file hashes [default: ~/.cache]"),
    ("XDG_DATA_HOME", "directory in which register creates torr.desktop [default: ~/.local/share]"),
    ("TMPDIR", "directory for the data of demo"),
    ("PATH", "directories in which register looks for torr and xdg-mime"),
];

/// Everything about a topic.
pub fn text(topic: &str) -> Option<String> {
    match topic {
        "torrents" => Some(TORRENTS.to_owned()),
        "exit-codes" => Some(exit_codes()),
        "environment" => Some(environment()),
        "units" => Some(UNITS.to_owned()),
        "json" => Some(JSON.to_owned()),
        _ => None,
    }
}

/// The names of the topics with commas between.
pub fn names() -> String {
    TOPICS.map(|(name, _)| name).join(", ")
}

/// A note on the exit codes.
pub const EXIT_CODES_NOTE: &str = "\
With several inputs, the exit code is that of the most serious error. If some of\n\
several downloads succeed and others fail, it is 1, and the JSON output has the\n\
code of each failed download.";

fn exit_codes() -> String {
    let lines: String =
        MEANINGS.iter().map(|(exit, meaning)| entry(&format!("{:>5}  ", exit.code()), meaning)).collect();
    format!("Exit codes\n\n{lines}\n{EXIT_CODES_NOTE}\n")
}

fn environment() -> String {
    let lines: String = VARIABLES.iter().map(|(name, what)| entry(&format!("  {name:<16} "), what)).collect();
    format!(
        "Environment\n\n{lines}\n\
         Every configuration key can also be set by a variable TORR_SECTION_KEY, such\n\
         as TORR_LIMITS_DOWN.\n\n\
         Flags override variables. An empty variable counts as unset.\n"
    )
}

/// A name and what it is, in lines of at most 79 columns.
fn entry(name: &str, what: &str) -> String {
    let indent = name.chars().count();
    let (mut text, mut at) = (name.trim_end().to_owned(), name.trim_end().chars().count());
    let mut gap = indent - at;
    for word in what.split(' ') {
        let long = word.chars().count();
        if at > indent && at + 1 + long > 79 {
            text.push('\n');
            (at, gap) = (0, indent);
        }
        text.push_str(&" ".repeat(gap));
        text.push_str(word);
        (at, gap) = (at + gap + long, 1);
    }
    text + "\n"
}

const TORRENTS: &str = "\
Torrents

A TORRENT argument is one of

  FILE.torrent            a torrent file
  -                       a torrent file on standard input
  https://…  http://…     the URL of a torrent file
  'magnet:?xt=urn:…'      a magnet link, in single quotes, or the shell would
                          split it at each &
  9f2c41…                 an info hash: 40 hexadecimal digits or 32 base32
                          letters (v1), 64 hexadecimal digits (v2)

A magnet link or info hash only identifies a torrent. torr get fetches its
metadata, such as the list of files, from the swarm, and remembers it. torr show
and torr magnet print what the link contains; with --fetch, they fetch the
metadata too. If a command needs a torrent file, create it from the link:
torr magnet LINK --fetch -o FILE.torrent.

Parts of a magnet link

  xt=urn:btih:… urn:btmh: the info hash: v1, v2, or both
  dn=                     a name, used until the metadata is known
  tr=                     trackers: http, https, udp
  x.pe=                   peers: ADDRESS:PORT, [ADDRESS]:PORT, NAME:PORT
  so=0,2,4-6              the files to download, counted from 0; --select
                          overrides it
  ws=                     web seeds; kept, but not used for downloads

torr can show v2-only torrents, but not download them.
";

const UNITS: &str = "\
Units

Sizes  500K  2M  1.5MiB  700MB  4096   K, M, G, T and KiB, MiB, GiB, TiB are
                                       powers of 1024; kB, MB, GB, TB powers
                                       of 1000; a plain number is bytes
Rates  500K  2M  none                  a size per second; plain numbers below
                                       1000 are refused, because 200 rarely
                                       means 200 bytes per second
Times  90s  30m  2h  7d  1h30m         a plain number is seconds
Goals  off  2.0  30m  forever  2.0,7d  a ratio, a time, or both: whichever comes
                                       first

torr prints powers of 1024 (KiB, MiB, GiB) with at most three digits. JSON and
--plain output has bytes, bytes per second and seconds as plain numbers.
";

const JSON: &str = "\
JSON

With --json, standard output has only JSON, even if a command fails: a single
document, or one event per line from long-running commands. Messages may still
be printed on standard error.

Every document names its schema, as in \"schema\":\"torr.show/1\". Within a schema
version, fields are only added. Unknown values are null, never 0 or -1. Sizes
are bytes, rates bytes per second, times seconds, dates RFC 3339 in UTC. A path
that is not valid UTF-8 also has a field path_hex.

An error is a document of its own:
  {\"schema\":\"torr.error/1\",\"ok\":false,\"code\":3,\"kind\":\"not_found\",\"message\":\"…\",\"hint\":\"…\",\"torrent\":null}
";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use super::*;
    use crate::base::units;

    #[test]
    fn every_topic_has_a_text_that_fits() {
        for (name, _) in TOPICS {
            let text = text(name).unwrap();
            for line in text.lines().filter(|line| !line.contains('{')) {
                assert!(line.chars().count() <= 80, "{name}: {line}");
            }
        }
    }

    #[test]
    fn what_is_said_of_units_is_so() {
        assert_eq!(units::parse_size("1.5MiB"), Ok(3 << 19));
        assert_eq!(units::parse_size("2M"), Ok(2 << 20));
        assert_eq!(units::parse_size("700MB"), Ok(700_000_000));
        assert_eq!(units::parse_size("4096"), Ok(4096));
        assert!(units::parse_rate("200").is_err());
        assert_eq!(units::parse_rate("none"), Ok(None));
        assert_eq!(units::parse_span("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(units::parse_span("90"), Ok(Duration::from_secs(90)));
    }

    /// The names in quotes that look like variables, in the files that read the environment.
    fn read_in(folder: &Path, found: &mut BTreeSet<String>) {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                read_in(&path, found);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                if !code.contains("env::var") || path.ends_with("help/topics.rs") {
                    continue;
                }
                let quoted = code.split('"').skip(1).step_by(2);
                let name = |word: &&str| {
                    word.len() > 1
                        && !word.starts_with("CARGO_")
                        && word.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
                        && !word.ends_with('_')
                        && *word != "FRX"
                };
                found.extend(quoted.filter(name).map(str::to_owned));
            }
        }
    }

    #[test]
    fn every_variable_that_is_read_is_listed_and_no_other() {
        let mut read = BTreeSet::new();
        read_in(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src"), &mut read);
        let listed: BTreeSet<String> = VARIABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
        // What libraries read for us.
        let by_others = BTreeSet::from(
            ["TMPDIR", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"].map(str::to_owned),
        );
        // Those of a daemon, which there is not.
        let unlisted = ["TORR_SOCKET", "XDG_RUNTIME_DIR"];
        read.retain(|name| !unlisted.contains(&name.as_str()));
        let read: BTreeSet<String> = read.union(&by_others).cloned().collect();
        assert_eq!(read, listed);
    }
}
