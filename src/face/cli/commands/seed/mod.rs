//! `torr seed`: share a file, a folder or a torrent.

mod data;
mod known;
mod making;
mod save;
mod torrent;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{Args, FromArgMatches};

use crate::app::door::{ExistingFiles, SeedGoal};
use crate::app::input::{self, Kind, MAX_BYTES, Torrent};
use crate::app::making::ScannedFile;
use crate::app::seed_goal::parse_until;
use crate::app::session_settings::SessionSettings;
use crate::app::submission::{Submission, Transfer};
use crate::app::{Error, ErrorKind};
use crate::base::{InfoHashes, Untrusted};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::args::network::NetworkArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::signals;
use crate::face::cli::transfer::link::{Given, Links, Qr};
use crate::face::cli::transfer::{self, Outcomes, TransferRequest, Verb, session_settings};
use crate::proto::metainfo::Metainfo;

use making::MakingArgs;

/// Share files, directories or torrents
///
/// Hashes a file or directory and prints what others need to download it: a command to run, and the link as a
/// QR code. Seeding the same path again rehashes only changed files; if nothing changed, the link stays the
/// same. The data of a torrent file is checked first; missing data is an error and is never downloaded. If
/// standard output is not a terminal, only the link is printed. Ctrl-C stops.
#[derive(Args, Debug)]
#[command(
    visible_alias = "share",
    after_help = "Examples:
  torr seed photos/
  torr seed photos/ --lan --once
  torr seed photos.torrent -o ~/pictures --until 2.0,7d
  torr seed 08ada5                       downloaded before with torr get"
)]
pub struct SeedArgs {
    /// Files, directories or torrent files; or the first digits of the info hash of a torrent downloaded or
    /// seeded before
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Directory with a torrent's data [default: the current directory, or that of the torrent file]
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
    /// When to stop: a ratio (2.0), a time (1h), copies:1, forever, or several separated by commas
    #[arg(long, value_name = "WHEN", value_parser = parse_until, default_value = "forever")]
    until: SeedGoal,
    /// Stop once another peer has a complete copy; same as --until copies:1
    #[arg(long, conflicts_with = "until")]
    once: bool,
    /// Share on the local network only: no trackers, no DHT; the link has only local addresses
    #[arg(long, conflicts_with_all = ["tracker", "trackers", "dht", "pex", "no_lsd"])]
    lan: bool,
    /// Follow symbolic links
    #[arg(long)]
    follow: bool,
    /// Leave this machine's addresses out of the link
    #[arg(long)]
    no_address: bool,
    /// Also write the torrent file, next to the data or as FILE; never overwrites a file
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "without the flag, with it alone, and with a file")]
    save: Option<Option<PathBuf>>,
    /// When to draw a QR code with the info hash and this machine's best address
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    qr: Qr,
    #[command(flatten)]
    making: MakingArgs,
    #[command(flatten)]
    network: NetworkArgs,
}

/// A torrent to seed, and how others find it.
struct Share {
    metainfo: Metainfo,
    transfer: Transfer,
    given: Given,
}

impl Share {
    /// The info-hashes of the torrent.
    const fn info_hashes(&self) -> InfoHashes {
        self.transfer.torrent.info_hashes
    }
}

/// Seeds the files, folders and torrents of this command line.
pub fn run(args: &SeedArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    check(args)?;
    let settings = session_settings(&args.network, args.lan, global, output)?;
    let ending = signals::end_at_once(output);
    let mut outcomes = Outcomes::default();
    let mut submissions = Vec::new();
    let mut given: BTreeMap<InfoHashes, Given> = BTreeMap::new();
    for argument in &args.paths {
        match share(args, &settings, argument, output) {
            Ok(share) if given.contains_key(&share.info_hashes()) => {
                output.warn(&format!("{} was given twice", share.transfer.torrent.name.fit(100)));
            }
            Ok(share) => {
                given.insert(share.info_hashes(), share.given);
                submissions.push(Submission::Transfer(Box::new(share.transfer)));
            }
            // Whoever reads what we print has gone away.
            Err(failure) if failure.kind == ErrorKind::Closed => return Err(failure),
            Err(failure) => {
                output.fail(&failure);
                outcomes.failed(&failure);
            }
        }
    }
    ending.leave();
    seed(args, settings, submissions, given, outcomes, output)
}

/// Goes on with a torrent that was just made of the data in this folder, as `torr seed` would with no flag but
/// `--follow` and the trackers that were given: what was hashed a moment ago is not hashed again.
pub fn go_on(
    torrent: Torrent,
    folder: &Path,
    files: Vec<ScannedFile>,
    data: PathBuf,
    follow: bool,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let trackers: Vec<String> = torrent.metainfo.extras().trackers.iter().flatten().map(tracker).collect();
    let flags = trackers.iter().map(OsStr::new).chain(follow.then_some(OsStr::new("--follow")));
    let line = [OsStr::new("seed")].into_iter().chain(flags).chain([OsStr::new("--"), data.as_os_str()]);
    let args = SeedArgs::augment_args(clap::Command::new("seed"))
        .try_get_matches_from(line)
        .and_then(|found| SeedArgs::from_arg_matches(&found))
        .map_err(|error| Error::new(ErrorKind::Internal, "internal", error.kind().to_string()))?;
    let settings = session_settings(&args.network, args.lan, global, output)?;
    let mut share = torrent::ready(&args, &settings, torrent, folder.to_owned(), ExistingFiles::Trust, data)?;
    share.given.files = files;
    let given = BTreeMap::from([(share.info_hashes(), share.given)]);
    let submissions = vec![Submission::Transfer(Box::new(share.transfer))];
    seed(&args, settings, submissions, given, Outcomes::default(), output)
}

/// The flag that names a tracker.
fn tracker(url: &Untrusted) -> String {
    format!("--tracker={}", url.raw())
}

/// Seeds what was made ready.
fn seed(
    args: &SeedArgs,
    settings: SessionSettings,
    submissions: Vec<Submission>,
    given: BTreeMap<InfoHashes, Given>,
    outcomes: Outcomes,
    output: &Output,
) -> Result<Exit, Error> {
    let links = Links { hide_addresses: args.no_address, qr: args.qr, given, ..Links::of(&settings) };
    let request = TransferRequest {
        jobs: submissions.len(),
        outcomes,
        links: Some(links),
        ..TransferRequest::new(Verb::Seed, settings, submissions)
    };
    transfer::run(request, output)
}

impl SeedArgs {
    /// When to stop.
    fn until(&self) -> SeedGoal {
        if self.once { SeedGoal { copies: Some(1), ..SeedGoal::default() } } else { self.until }
    }
}

/// Refuses before any work what cannot be done.
fn check(args: &SeedArgs) -> Result<(), Error> {
    args.making.format.check()?;
    let file = args.save.as_ref().and_then(Option::as_deref);
    if file.is_some_and(|file| !file.is_dir()) && args.paths.len() > 1 {
        let message =
            format!("--save=FILE names one torrent file, but {} paths were given", args.paths.len());
        return Err(Error::usage(message).hint("--save alone writes each next to its data"));
    }
    Ok(())
}

fn share(
    args: &SeedArgs,
    settings: &SessionSettings,
    argument: &Path,
    output: &Output,
) -> Result<Share, Error> {
    let share = if is_data(argument) {
        if args.output.is_some() {
            let message = "-o gives the folder of a torrent's data, but a file or folder is the data itself";
            return Err(Error::usage(message).hint("leave -o out"));
        }
        data::TorrentBuilder { args, settings, output }.share(argument)?
    } else {
        if let Some(flag) = args.making.given() {
            let shown = crate::app::shown(argument);
            let message = format!("{flag} is for files and folders, but {shown} is a torrent");
            return Err(Error::usage(message).hint("give the data instead, or leave out the flag"));
        }
        torrent::share(args, settings, argument, output)?
    };
    save::save(args.save.as_ref(), &share, output)?;
    Ok(share)
}

/// Whether this is a file or a folder to be shared, and not a torrent: what is called a torrent or reads as
/// one is one.
fn is_data(argument: &Path) -> bool {
    let Kind::File(path) = Kind::of(argument) else { return false };
    let Ok(meta) = path.metadata() else { return false };
    if !meta.is_file() {
        return true;
    }
    let named = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("torrent"));
    !named && (meta.len() > MAX_BYTES || input::torrent_file(path).is_err())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_and_torrents_are_told_apart() {
        const TORRENT: &[u8] =
            b"d4:infod6:lengthi3e4:name1:b12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, bytes) in [("a.torrent", TORRENT), ("b", TORRENT), ("bad.torrent", b"x"), ("c", b"x")] {
            std::fs::write(at(name), bytes).unwrap();
        }
        std::fs::create_dir(at("d.torrent")).unwrap();
        assert!(is_data(&at("c")) && is_data(&at("d.torrent")) && is_data(dir.path()));
        for torrent in ["a.torrent", "b", "bad.torrent", "none"] {
            assert!(!is_data(&at(torrent)), "{torrent}");
        }
        for torrent in ["-", "http://x/a", "magnet:?xt=urn:btih:x", "08ada5"] {
            assert!(!is_data(Path::new(torrent)), "{torrent}");
        }
    }
}
