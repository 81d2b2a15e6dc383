//! What there is to know beyond the commands.

use crate::face::cli::exit::MEANINGS;

/// The topics with what each is about.
pub const TOPICS: [(&str, &str); 5] = [
    ("torrents", "the ways to name a torrent, and what a magnet link may say"),
    ("exit-codes", "what the process says when it ends"),
    ("environment", "the variables that torr looks at"),
    ("units", "how sizes, rates and times are written"),
    ("json", "what scripts may rely on"),
];

/// The variables that are looked at, and what for.
pub const VARIABLES: [(&str, &str); 34] = [
    ("TORR_CONFIG", "your configuration file, instead of $XDG_CONFIG_HOME/torr/config.toml"),
    ("TORR_PROFILE", "the profile, as --profile"),
    ("TORR_STATE_DIR", "where torr keeps its state; without it $XDG_STATE_HOME/torr, ~/.local/state/torr"),
    ("TORR_SOCKET", "where a daemon listens, as --socket"),
    ("TORR_COLOR", "auto, always or never; --color wins over it"),
    ("TORR_ASCII", "anything but 0: no characters above U+007F from torr, as --ascii"),
    ("TORR_LOG", "what the log on standard error tells, such as info or torr=debug; wins over -v"),
    ("NO_COLOR", "anything: no colours, unless --color or TORR_COLOR says otherwise"),
    (
        "FORCE_COLOR",
        "anything but 0: colours even where the output is not a terminal, unless NO_COLOR is set",
    ),
    ("CLICOLOR_FORCE", "the same as FORCE_COLOR"),
    ("TERM", "dumb or unset: no colours and nothing that is redrawn"),
    ("COLUMNS", "the width of the terminal, instead of the one that it tells"),
    ("LINES", "the same for its height"),
    ("CI", "anything: lines instead of a bar that is redrawn"),
    ("ALL_PROXY", "a proxy for what goes by HTTP to trackers; peers and UDP are not sent through it"),
    ("HTTPS_PROXY", "the same for https:// alone"),
    ("HTTP_PROXY", "the same for http:// alone"),
    ("NO_PROXY", "hosts that are reached without it, with commas between"),
    ("LC_ALL", "the locale; torr keeps to ASCII where it does not say UTF-8"),
    ("LC_CTYPE", "the same where LC_ALL is unset"),
    ("LANG", "the same where both are unset"),
    ("PAGER", "what shows long texts on a terminal, less without it; empty or cat: nothing"),
    ("LESS", "flags for less; FRX where it is unset"),
    ("LV", "the same for lv; -c where it is unset"),
    ("VISUAL", "the editor for edit --editor and config edit"),
    ("EDITOR", "the same where VISUAL is unset"),
    ("HOME", "where the folders below are, if they are not named"),
    ("XDG_CONFIG_HOME", "configuration, ~/.config without it"),
    ("XDG_STATE_HOME", "state, ~/.local/state without it"),
    ("XDG_CACHE_HOME", "what can be found again, such as hashes of files; ~/.cache without it"),
    ("XDG_DATA_HOME", "where register puts torr.desktop, ~/.local/share without it"),
    ("XDG_RUNTIME_DIR", "where the socket of a daemon is; without it the state"),
    ("TMPDIR", "where the demo keeps what it moves"),
    ("PATH", "where register looks for torr and xdg-mime"),
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

/// What more there is to say about the exit codes.
pub const EXIT_CODES_NOTE: &str = "\
With several inputs the code is the most serious one, not the last one; where\n\
some of several downloads are done and others failed it is 1, and the JSON\n\
has the code of each that failed.";

fn exit_codes() -> String {
    let lines: String =
        MEANINGS.iter().map(|(exit, meaning)| entry(&format!("{:>5}  ", exit.code()), meaning)).collect();
    format!("Exit codes\n\n{lines}\n{EXIT_CODES_NOTE}\n")
}

fn environment() -> String {
    let lines: String = VARIABLES.iter().map(|(name, what)| entry(&format!("  {name:<16} "), what)).collect();
    format!(
        "Environment\n\n{lines}\n\
         Each key of the configuration is also a variable: TORR_SECTION_KEY, such as\n\
         TORR_LIMITS_DOWN.\n\n\
         A flag wins over a variable. An empty variable is as good as none.\n"
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

Where a command asks for a TORRENT it takes

  FILE.torrent            a torrent file
  -                       a torrent file on standard input
  https://…  http://…     the address of a torrent file
  'magnet:?xt=urn:…'      a magnet link, in single quotes: the shell would take
                          it apart at each &
  9f2c41…                 an info hash: 40 hexadecimal digits or 32 letters of
                          base32 (v1), 64 hexadecimal digits (v2)

A link and an info hash only name a torrent. torr get asks the swarm for the
rest, the list of files, and then does what it does with a torrent file; what
torr has had before it remembers. torr show and torr magnet say what a link
says, with --fetch they ask as well. Where the torrent file itself is needed:
torr magnet LINK --fetch -o FILE.torrent.

What counts in a link

  xt=urn:btih:… urn:btmh: the info hash of v1, of v2, or both
  dn=                     a name until the torrent's own is known
  tr=                     trackers: http, https, udp
  x.pe=                   peers: ADDRESS:PORT, [ADDRESS]:PORT, NAME:PORT
  so=0,2,4-6              the files that are wanted, counted from 0; --select
                          wins over it
  ws=                     web seeds, which are kept and not used yet

Torrents of v2 alone can be shown, and not be downloaded yet.
";

const UNITS: &str = "\
Units

Sizes  500K  2M  1.5MiB  700MB  4096   K, M, G, T and KiB, MiB, GiB, TiB count
                                       in 1024, kB, MB, GB, TB in 1000; a bare
                                       number is bytes
Rates  500K  2M  none                  the same per second; a bare number below
                                       1000 is refused, for 200 was hardly meant
                                       to be 200 bytes per second
Times  90s  30m  2h  7d  1h30m         a bare number is seconds
Goals  off  2.0  30m  forever  2.0,7d  a ratio, a time, or both: whichever comes
                                       first

What torr prints counts in 1024 (KiB, MiB, GiB) with at most three digits; JSON
and --plain have bytes, bytes per second and seconds as numbers.
";

const JSON: &str = "\
JSON

With --json only JSON goes to standard output, also where a command fails: one
document, or one event per line where a command runs long. Words for people may
still go to standard error.

Every document names its schema, as in \"schema\":\"torr.show/1\". Within the same
number fields are only added. What is not known is null, never 0 or -1. Sizes
are bytes, rates bytes per second, times seconds, dates RFC 3339 in UTC. A path
that is not UTF-8 also comes as path_hex.

A failure is a document of its own:
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
        let read: BTreeSet<String> = read.union(&by_others).cloned().collect();
        assert_eq!(read, listed);
    }
}
