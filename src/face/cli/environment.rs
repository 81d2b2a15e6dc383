//! Where the process runs: its streams and its environment, read once.

use std::env;
use std::io::{self, IsTerminal};

/// The facts about terminals and variables that decide how the output looks. Plain data, so that every case can be
/// tested.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Environment {
    /// Standard output is a terminal.
    pub stdout_tty: bool,
    /// Standard error is a terminal.
    pub stderr_tty: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// `TORR_COLOR`.
    pub torr_color: Option<String>,
    /// `NO_COLOR` is set and not empty.
    pub no_color: bool,
    /// `FORCE_COLOR` or `CLICOLOR_FORCE` is set and neither empty nor 0.
    pub force_color: bool,
    /// `CI` is set and not empty.
    pub ci: bool,
    /// `TORR_ASCII` is set and neither empty nor 0.
    pub ascii: bool,
    /// The locale says UTF-8.
    pub utf8: bool,
    /// `COLUMNS`.
    pub columns: Option<usize>,
    /// `LINES`.
    pub rows: Option<usize>,
}

impl Environment {
    /// Those of this process.
    pub fn here() -> Self {
        let var = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let on = |name: &str| var(name).is_some_and(|value| value != "0");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        Self {
            stdout_tty: io::stdout().is_terminal(),
            stderr_tty: io::stderr().is_terminal(),
            term: var("TERM"),
            torr_color: var("TORR_COLOR"),
            no_color: var("NO_COLOR").is_some(),
            force_color: on("FORCE_COLOR") || on("CLICOLOR_FORCE"),
            ci: var("CI").is_some(),
            ascii: on("TORR_ASCII"),
            utf8: locale.contains("utf-8") || locale.contains("utf8"),
            columns: var("COLUMNS").and_then(|text| text.parse().ok()),
            rows: var("LINES").and_then(|text| text.parse().ok()),
        }
    }

    /// Whether the terminal understands more than lines.
    pub fn smart(&self) -> bool {
        self.term.as_deref().is_some_and(|term| term != "dumb")
    }
}
