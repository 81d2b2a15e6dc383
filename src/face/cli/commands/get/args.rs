//! The flags of `torr get`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::app::command_line::{Words, words};
use crate::app::door::{self, After};
use crate::app::seed_goal::parse_after;
use crate::app::selection::{Select, select};
use crate::base::{Untrusted, units};
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::fetch;
use crate::proto::paths::safe_name;

/// Download, verify, exit
///
/// Runs in the foreground until everything is there and verified. Files that are there already are
/// checked first and what is good is kept, so the same command goes on where an earlier one stopped.
/// When the output is not a terminal only the finished paths are printed.
#[derive(Args, Clone, Debug)]
#[command(
    visible_alias = "download",
    after_help = "Examples:
  torr get ubuntu.torrent
  torr get 'magnet:?xt=urn:btih:…' -o ~/iso --seed 2.0,7d
  torr get https://releases.example/ubuntu.torrent
  printf '%s\\n' *.torrent | torr get -i - --run 'notify-send done'
  mpv \"$(torr get -q film.torrent)\"
  torr get film.torrent -q --to-stdout | mpv -"
)]
pub struct GetArgs {
    /// Magnet links, info hashes, torrent files, their addresses on the web, or - for a torrent file on
    /// standard input
    #[arg(value_name = "TORRENT", required_unless_present = "input")]
    pub torrents: Vec<PathBuf>,
    /// Where to save; made if it is not there
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// Call the file or folder this instead of what the torrent calls it; for one torrent
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "input")]
    pub name: Option<String>,
    /// A file with one torrent per line, # begins a comment; - for standard input, each line as it comes
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Which files, whatever a link chooses: 1-3,7 or '*.mkv' or '!*.txt' or size>100M; may be given several times, the last match counts
    #[arg(short, long, value_name = "SPEC", value_parser = select)]
    pub select: Vec<Select>,
    /// Choose the files from a tree before it starts
    #[arg(short = 'S', long, conflicts_with = "list")]
    pub pick: bool,
    /// List the files with their numbers and sizes, and download nothing
    #[arg(short, long)]
    pub list: bool,
    /// Downloads at once [default: 5]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub jobs: Option<u16>,
    /// From the beginning to the end
    #[arg(long)]
    pub in_order: bool,
    /// The first and last pieces of each file first
    #[arg(long)]
    pub ends_first: bool,
    /// Give back afterwards: off, a ratio (2.0), a time (30m), forever, or 2.0,7d for whichever is first [default: off]
    #[arg(long, value_name = "WHEN", value_parser = parse_after)]
    pub seed: Option<After>,
    /// Keep the torrent file too, beside the data
    #[arg(long)]
    pub save_torrent: bool,
    /// Fetch only the torrent file of a link, as FILE or under its own name; no data
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
        conflicts_with_all = ["list", "pick", "to_stdout", "save_torrent", "select", "in_order", "ends_first",
            "seed", "existing", "alloc", "run", "name"])]
    pub torrent_only: Option<Option<PathBuf>>,
    /// Give up after so long without progress; none to wait for ever [default: none on a terminal, else 10m; with --list or --pick 60s for the file list of a link]
    #[arg(long, value_name = "TIME", value_parser = patience)]
    pub timeout: Option<Patience>,
    /// What to do with files that are there
    #[arg(long, value_name = "HOW", default_value = "check")]
    pub existing: ExistingArg,
    /// Overwrite files that are not ours
    #[arg(long, conflicts_with = "existing")]
    pub overwrite: bool,
    /// How space is reserved
    #[arg(long, value_name = "HOW", default_value = "sparse")]
    pub alloc: AllocArg,
    /// The only file, or the one that --select leaves, to standard output in order while it comes; it is saved
    /// as well
    #[arg(long, conflicts_with_all = ["list", "print0", "pick", "input"])]
    pub to_stdout: bool,
    /// Run this after each download: a program and its arguments, split at blanks, '…' and "…" keep them
    /// together; no shell. TORR_NAME, TORR_PATH and TORR_INFOHASH are in its environment
    #[arg(long, value_name = "CMD", value_parser = words)]
    pub run: Option<Words>,
    /// A zero byte after each path on standard output instead of a line end
    #[arg(short = '0', long)]
    pub print0: bool,
    /// From the local network only: no tracker, no DHT, no PEX, and of a link the local addresses alone
    #[arg(long, conflicts_with_all = ["tracker", "trackers", "dht", "pex", "no_lsd"])]
    pub lan: bool,
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// What to do with files that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ExistingArg {
    /// Keep what matches, refuse what is foreign
    Check,
    /// Refuse any file that we did not begin
    Refuse,
    /// Believe that they are right
    Trust,
}

/// How space is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum AllocArg {
    /// Not at all
    None,
    /// As a hole that fills
    Sparse,
    /// All of it at once
    Full,
}

/// How long to wait without progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience(Option<Duration>);

/// The patience with which a script waits: it must not hang for ever.
const UNWATCHED: Duration = Duration::from_secs(600);

impl GetArgs {
    /// What the engine does with files that are there.
    pub const fn existing(&self) -> door::Existing {
        match self.existing {
            _ if self.overwrite => door::Existing::Overwrite,
            ExistingArg::Check => door::Existing::Check,
            ExistingArg::Refuse => door::Existing::Refuse,
            ExistingArg::Trust => door::Existing::Trust,
        }
    }

    /// How the engine reserves space.
    pub const fn alloc(&self) -> door::Alloc {
        match self.alloc {
            AllocArg::None => door::Alloc::None,
            AllocArg::Sparse => door::Alloc::Sparse,
            AllocArg::Full => door::Alloc::Full,
        }
    }

    /// How long a torrent may wait without progress; `watched` by a person or not.
    pub fn patience(&self, watched: bool) -> Option<Duration> {
        let usual = if watched { None } else { Some(UNWATCHED) };
        self.timeout.map_or(usual, |patience| patience.0)
    }

    /// How long is waited for what a link leaves out where a person can do nothing else before.
    pub fn patience_first(&self) -> Option<Duration> {
        self.timeout.map_or(Some(fetch::TIMEOUT), |patience| patience.0)
    }
}

fn patience(text: &str) -> Result<Patience, String> {
    if text.eq_ignore_ascii_case("none") {
        return Ok(Patience(None));
    }
    let time = units::parse_span(text).map_err(|error| error.to_string())?;
    if time.is_zero() {
        Err("zero is not a time to wait; write none to wait for ever".to_owned())
    } else {
        Ok(Patience(Some(time)))
    }
}

/// Reads the name of a file or folder: what any system takes, and no path.
fn name(text: &str) -> Result<String, String> {
    if text.contains('/') {
        return Err("a name holds no slash; --output says which folder".to_owned());
    }
    let safe = safe_name(text.as_bytes());
    if safe == text {
        return Ok(safe);
    }
    Err(format!("not every system can call a file so; take '{}'", Untrusted::new(safe).fit(60)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_a_time_or_none() {
        assert_eq!(patience("none"), Ok(Patience(None)));
        assert_eq!(patience("90s"), Ok(Patience(Some(Duration::from_secs(90)))));
        assert!(patience("0").is_err() && patience("soon").is_err());
    }

    #[test]
    fn a_name_is_one_safe_element_of_a_path() {
        for good in ["a", "Größe 2.iso", ".hidden", "…"] {
            assert_eq!(name(good), Ok(good.to_owned()));
        }
        for bad in ["", ".", "..", "a/b", "/a", "a\0b", "a\n", "nul", "a.", "a ", &"x".repeat(256)] {
            assert!(name(bad).is_err(), "{bad:?}");
        }
        assert!(name("con").unwrap_err().contains("'_con'"));
    }
}
