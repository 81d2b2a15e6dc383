//! The flags of `torr get`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::app::command_line::{Words, words};
use crate::app::config::Origin;
use crate::app::door::{After, Alloc, DiskIo, ExistingFiles, Order};
use crate::app::hook::Hook;
use crate::app::seed_goal::parse_after;
use crate::app::selection::{Select, select};
use crate::app::session_settings::SessionSettings;
use crate::app::submission::{SubmissionOptions, TorrentFileMode};
use crate::base::{Untrusted, units};
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::fetch;
use crate::proto::paths::safe_name;

/// Download torrents, verify them, exit
///
/// Runs in the foreground until everything is downloaded and verified. Files that already exist are checked
/// first: valid data is kept, and missing bytes, holes and zeros are filled, so running the same command again
/// resumes a download, also one that another program began. A file with other bytes is never changed unless
/// --existing repair, --existing backup or --overwrite asks for that: torr names the bytes that differ and exits
/// with code 5. Bytes that cannot be checked before their piece was received are compared with it then. If
/// standard output is not a terminal, only the paths of finished downloads are printed.
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
    /// Torrent files, their URLs, magnet links or info hashes; - reads a torrent file from standard input
    #[arg(value_name = "TORRENT", required_unless_present = "input")]
    pub torrents: Vec<PathBuf>,
    /// Directory to save to; created if missing
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    pub output: PathBuf,
    /// Save the file or directory under this name instead of the torrent's; for a single torrent
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "input")]
    pub name: Option<String>,
    /// Read torrents from FILE, one per line; # starts a comment; - reads standard input as lines arrive
    #[arg(short, long, value_name = "FILE")]
    pub input: Option<PathBuf>,
    /// Download only these files: 1-3,7 or '*.mkv' or '!*.txt' or size>100M; overrides a magnet link's
    /// choice; can be repeated, the last match wins
    #[arg(short, long, value_name = "SPEC", value_parser = select)]
    pub select: Vec<Select>,
    /// Choose files from a tree before the download starts
    #[arg(short = 'S', long, conflicts_with = "list")]
    pub pick: bool,
    /// List the files with their numbers and sizes; download nothing
    #[arg(short, long)]
    pub list: bool,
    /// Number of simultaneous downloads [default: 5]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub jobs: Option<u16>,
    /// Download in order, from start to end
    #[arg(long)]
    pub in_order: bool,
    /// Download the first and last pieces of each file first
    #[arg(long)]
    pub ends_first: bool,
    /// Seed afterwards: off, until a ratio (2.0) or a time (30m) is reached, forever, or 2.0,7d for whichever
    /// comes first [default: off]
    #[arg(long, value_name = "WHEN", value_parser = parse_after)]
    pub seed: Option<After>,
    /// Also save the torrent file, next to the data
    #[arg(long)]
    pub save_torrent: bool,
    /// Fetch only the torrent file of a magnet link, not the data; save it as FILE or under its own name
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true,
        conflicts_with_all = ["list", "pick", "to_stdout", "save_torrent", "select", "in_order", "ends_first",
            "seed", "existing", "alloc", "disk_io", "run", "name"])]
    pub torrent_only: Option<Option<PathBuf>>,
    /// Give up after this long without progress; none to wait forever [default: none on a terminal, otherwise
    /// 10m; 60s for a magnet link's file list with --list or --pick]
    #[arg(long, value_name = "TIME", value_parser = patience)]
    pub timeout: Option<Patience>,
    /// What to do with files that already exist
    #[arg(long, value_name = "HOW", default_value = "check")]
    pub existing: ExistingArg,
    /// Overwrite everything that does not match in files that torr did not create
    #[arg(long, conflicts_with = "existing")]
    pub overwrite: bool,
    /// How to allocate disk space
    #[arg(long, value_name = "HOW", default_value = "sparse")]
    pub alloc: AllocArg,
    /// How to write files
    #[arg(long, value_name = "HOW", default_value = "auto")]
    pub disk_io: DiskIoArg,
    /// Write the only file, or the one chosen by --select, to standard output in order as it arrives; it is
    /// saved as well
    #[arg(long, conflicts_with_all = ["list", "print0", "pick", "input"])]
    pub to_stdout: bool,
    /// Run a program after each download. Arguments are split at spaces; '…' and "…" group them; no shell is
    /// involved. TORR_NAME, TORR_PATH and TORR_INFOHASH are set in its environment
    #[arg(long, value_name = "CMD", value_parser = words)]
    pub run: Option<Words>,
    /// End each path on standard output with a NUL byte instead of a newline
    #[arg(short = '0', long)]
    pub print0: bool,
    /// Download from the local network only: no trackers, no DHT, no PEX; use only the local addresses in a
    /// magnet link
    #[arg(long, conflicts_with_all = ["tracker", "trackers", "dht", "pex", "no_lsd"])]
    pub lan: bool,
    #[command(flatten)]
    pub network: NetworkArgs,
}

/// The treatment of files that are there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum ExistingArg {
    /// Keep data that matches and fill what is missing or zeros; refuse files that differ
    Check,
    /// As check, but replace the bytes that differ
    Repair,
    /// As check, but rename files that differ to NAME.before-torr and download them again
    Backup,
    /// Refuse files that torr did not create
    Refuse,
    /// Trust that they are complete; check nothing
    Trust,
}

/// How space is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum AllocArg {
    /// None
    None,
    /// As sparse files
    Sparse,
    /// In full, before the download starts
    Full,
}

/// How files are written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub enum DiskIoArg {
    /// Through memory maps; by system calls where maps are slow, and while the disk cannot keep up
    Auto,
    /// Through memory maps
    Mmap,
    /// By system calls (pwritev)
    Pwrite,
}

/// How long to wait without progress.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Patience(Option<Duration>);

/// The patience with which a script waits: it must not hang for ever.
const UNWATCHED: Duration = Duration::from_secs(600);

impl GetArgs {
    /// How files are written.
    pub const fn disk_io(&self) -> DiskIo {
        match self.disk_io {
            DiskIoArg::Auto => DiskIo::Auto,
            DiskIoArg::Mmap => DiskIo::Mmap,
            DiskIoArg::Pwrite => DiskIo::Pwrite,
        }
    }

    /// The wishes for the torrents; `watched` by a person or not. A wish without a flag is that of the settings.
    pub fn submission_options(&self, settings: &SessionSettings, watched: bool) -> SubmissionOptions {
        SubmissionOptions {
            root_name: self.name.clone(),
            select: self.select.clone(),
            existing: match self.existing {
                _ if self.overwrite => ExistingFiles::Overwrite,
                ExistingArg::Check => ExistingFiles::Check,
                ExistingArg::Repair => ExistingFiles::Repair,
                ExistingArg::Backup => ExistingFiles::Backup,
                ExistingArg::Refuse => ExistingFiles::Refuse,
                ExistingArg::Trust => ExistingFiles::Trust,
            },
            alloc: match self.alloc {
                AllocArg::None => Alloc::None,
                AllocArg::Sparse => Alloc::Sparse,
                AllocArg::Full => Alloc::Full,
            },
            order: if self.in_order { Order::InOrder } else { Order::RarestFirst },
            ends_first: self.ends_first,
            after: self.seed.unwrap_or_else(|| settings.after_download()),
            torrent_file: match &self.torrent_only {
                Some(name) => TorrentFileMode::FileOnly(name.clone()),
                None if self.save_torrent => TorrentFileMode::DataAndFile,
                None => TorrentFileMode::Data,
            },
            metadata_timeout: self.patience(watched),
            stream: self.to_stdout.then_some(Origin::Flag("--to-stdout")),
            ..SubmissionOptions::new(self.output.clone())
        }
    }

    /// The program that runs after each download.
    pub fn hook(&self) -> Option<Hook> {
        self.run.clone().map(|command| Hook { command, origin: Origin::Flag("--run") })
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
