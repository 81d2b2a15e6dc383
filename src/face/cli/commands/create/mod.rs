//! `torr create`: a torrent file from a file or a folder.

mod report;
pub mod target;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::input::Torrent;
use crate::app::making::ScanOptions;
use crate::app::making::gather::{self, Gathered, Sort};
use crate::app::making::hash;
use crate::app::making::lints::{self, Lint};
use crate::app::making::plan::{self, Format, Recipe};
use crate::app::making::values::{Node, PieceSize, Tier, node, piece_size, plain_name, tier, web_seed};
use crate::app::{Error, shown};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::making::HashStyle;
use crate::face::cli::output::Output;
use crate::face::cli::{fetching, making, signals};

use super::seed;
use crate::app::making::reuse::{self, Reused};
use target::Target;

/// Create a torrent file
///
/// Skips hidden files and junk files (.DS_Store, Thumbs.db, desktop.ini), does not follow symbolic links, and
/// reports how many files were skipped. Nothing is overwritten without --force. If standard output is not a
/// terminal, only the path of the new file is printed.
///
/// Which files: --include comes first and overrides everything else; a matching directory is included with
/// all its contents. Next come --exclude, then .ignore and .gitignore files (with --ignore-files), then the
/// rules for junk and hidden files. A pattern without a slash matches a name at any depth, one with a slash
/// matches a path below PATH, and one that ends with a slash matches only directories; * matches anything but
/// a slash, ** matches anything. If PATH is a file, it is always included.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr create photos/
  torr create photos/ -t udp://tracker.example.org:6969 -o /tmp/photos.torrent
  torr create src/ --ignore-files -x '*.o' --include docs/
  torr create season/ --reuse season-old.torrent
  torr create ubuntu.iso -o - | torr show -")]
pub struct CreateArgs {
    /// File or directory to share
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Write the torrent file to FILE; - for standard output [default: NAME.torrent in the current directory]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Add a tracker; repeat for the next tier, or write a,b for two in the same tier
    #[arg(short, long, value_name = "URL", value_parser = tier)]
    tracker: Vec<Tier>,
    /// Version of the torrent format
    #[arg(long, value_name = "FORMAT", default_value = "v1")]
    format: Format,
    /// Piece size: auto, or a size, usually a power of two from 16K to 16M
    #[arg(long, value_name = "SIZE", value_parser = piece_size, default_value = "auto")]
    piece_size: PieceSize,
    /// Name of the torrent [default: the name of PATH]
    #[arg(long, value_name = "NAME", value_parser = plain_name)]
    name: Option<String>,
    /// Comment to store in the torrent
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Store where the torrent is first published; changes the info hash
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Name of the creating program; empty for none
    #[arg(long, value_name = "TEXT", default_value = concat!("torr ", env!("CARGO_PKG_VERSION")))]
    created_by: String,
    /// Leave out the creation date
    #[arg(long)]
    no_date: bool,
    /// Make the torrent private: peers come only from the trackers (BEP 27)
    #[arg(long)]
    private: bool,
    /// Add a web seed, a web server that has the files (BEP 19); can be repeated
    #[arg(long, value_name = "URL", value_parser = web_seed)]
    web_seed: Vec<String>,
    /// Add a DHT node for bootstrapping (BEP 5); can be repeated
    #[arg(long, value_name = "HOST:PORT", value_parser = node)]
    node: Vec<Node>,
    /// Exclude files matching GLOB; can be repeated
    #[arg(short = 'x', long, value_name = "GLOB", help_heading = "Which files")]
    exclude: Vec<String>,
    /// Include files matching GLOB, even if they would be excluded otherwise; can be repeated
    #[arg(long, value_name = "GLOB", help_heading = "Which files")]
    include: Vec<String>,
    /// Include hidden files
    #[arg(long, help_heading = "Which files")]
    hidden: bool,
    /// Include junk files
    #[arg(long, help_heading = "Which files")]
    junk: bool,
    /// Follow symbolic links; broken and circular links are errors
    #[arg(long, help_heading = "Which files")]
    follow: bool,
    /// Respect .gitignore and .ignore files below PATH
    #[arg(long, help_heading = "Which files")]
    ignore_files: bool,
    /// Order of the files in the torrent
    #[arg(long, value_name = "BY", default_value = "path", help_heading = "Which files")]
    sort: Sort,
    /// Reuse the hashes of files that have not changed since TORRENT was created
    ///
    /// A file counts as unchanged if it has the same path and size and was not modified or replaced after the
    /// creation date in the old torrent. A hash is reused if the piece has the same size and the same
    /// position in the files; --piece-size auto keeps the old size.
    #[arg(long, value_name = "TORRENT")]
    reuse: Option<PathBuf>,
    /// Show what would be created; hash and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Overwrite an existing torrent file
    #[arg(short, long)]
    force: bool,
    /// Print the magnet link on standard output instead of the path
    #[arg(long)]
    magnet: bool,
    /// Also print a QR code of the info hash
    #[arg(long)]
    qr: bool,
    /// Seed the torrent afterwards, like torr seed
    #[arg(long)]
    seed: bool,
    /// Number of hashing threads [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Suppress this warning; can be repeated
    #[arg(long, value_name = "NAME")]
    allow: Vec<Lint>,
}

const SCHEMA: &str = "torr.create/1";
/// How hashing is told.
const HASHING: HashStyle = HashStyle { schema: SCHEMA, event: "progress", label: "[2/3] hash    " };

/// Makes it.
pub fn run(args: &CreateArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    refuse(args, output)?;
    let ending = signals::end_at_once(output);
    // Before the files are looked at, so that what is written to later on is newer.
    let now = std::time::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs() as i64);
    let name = name(args)?;
    let target = Target::new(args.output.as_deref(), format!("{name}.torrent").into());
    target.check(args.force || args.dry_run, output)?;
    let old = args
        .reuse
        .as_deref()
        .map(|path| fetching::torrent(path, output))
        .transpose()?
        .map(|old| old.metainfo);
    let found = gather::gather(&args.path, &wishes(args)?, args.sort, target.path())?;
    let shape = plan::shape(args.piece_size, &found, old.as_ref())?;
    report::scan(&found, output)?;
    gather::check_readable(&found)?;
    let mut draft = plan::draft(&args.recipe(name, now), &found, &shape);
    let (bytes, planned) = plan::made(&draft)?;
    making::warn(&lints::find(&draft, &found, &shape, bytes.len(), &args.allow), SCHEMA, output)?;
    let reused = match &old {
        Some(old) => reuse::find(old, &draft.name, &found, &shape, now),
        None => Reused::nothing(&shape),
    };
    report::reuse(&reused, &shape, args, output)?;
    if args.dry_run {
        report::plan(&planned, &found, &target, bytes.len(), args, output)?;
        return Ok(Exit::Done);
    }
    let threads = args.threads.map_or_else(hash::cores, usize::from);
    let hashed = making::hash(&hash::line(&found), &shape, &reused.digests, threads, HASHING, output)?;
    hash::check_unchanged(&found)?;
    report::hashed(&hashed, &reused, &shape, output);
    draft.digests = hashed.joined();
    let (bytes, made) = plan::made(&draft)?;
    target.write(&bytes, args.force, output)?;
    report::done(&made, &target, bytes.len(), args, output)?;
    match target.path() {
        Some(path) if args.seed => {
            ending.leave();
            let torrent = Torrent { metainfo: made, bytes, path: Some(path.to_owned()), link: None };
            give(&args.path, torrent, found, global, output)
        }
        _ => Ok(Exit::Done),
    }
}

/// Refuses before any work what cannot be done.
fn refuse(args: &CreateArgs, output: &Output) -> Result<(), Error> {
    args.format.check()?;
    let to_stdout = args.output.as_deref() == Some(Path::new("-"));
    if to_stdout && args.magnet {
        return Err(Error::usage("--magnet and -o - both write to standard output"));
    }
    if to_stdout && output.stdout_tty && !args.dry_run {
        return Err(Error::usage("torr does not write a torrent file to a terminal")
            .hint("write it to a file with -o FILE"));
    }
    if args.seed {
        if to_stdout {
            return Err(Error::usage("--seed needs a torrent file").hint("write it to a file with -o FILE"));
        }
        let on_disk = plan::name_on_disk(&args.path)?;
        if args.name.as_ref().is_some_and(|name| *name != on_disk) {
            let message = format!(
                "--seed needs data with the name in the torrent, but {} has another name",
                shown(&args.path)
            );
            return Err(Error::usage(message).hint("rename it, or leave out --name"));
        }
    }
    Ok(())
}

impl CreateArgs {
    fn recipe(&self, name: String, now: i64) -> Recipe {
        Recipe {
            name,
            private: self.private,
            source: self.source.clone(),
            trackers: self.tracker.clone(),
            web_seeds: self.web_seed.clone(),
            nodes: self.node.clone(),
            comment: self.comment.clone(),
            created_by: self.created_by.clone(),
            date: (!self.no_date).then_some(now),
        }
    }
}

/// The name: what was asked for, or that of the path.
fn name(args: &CreateArgs) -> Result<String, Error> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let name = plan::name_on_disk(&args.path)?;
    if name.is_empty() {
        let message = format!("{} has no name that a torrent can use", shown(&args.path));
        return Err(Error::usage(message).hint("set one: --name NAME"));
    }
    Ok(name)
}

fn wishes(args: &CreateArgs) -> Result<ScanOptions, Error> {
    Ok(ScanOptions {
        hidden: args.hidden,
        junk: args.junk,
        follow: args.follow,
        ignore_files: args.ignore_files,
        include: making::patterns("--include", &args.include)?,
        exclude: making::patterns("--exclude", &args.exclude)?,
    })
}

/// Goes on as `torr seed` would.
fn give(
    data: &Path,
    torrent: Torrent,
    found: Gathered,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Exit, Error> {
    let data = std::fs::canonicalize(data).map_err(|error| Error::disk("read", data, &error))?;
    let folder = data.parent().unwrap_or(&data).to_owned();
    seed::go_on(torrent, &folder, found.files, data, found.linked > 0, global, output)
}
