//! `torr create`: a torrent file from a file or a folder.

mod report;
pub mod target;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::app::input::Torrent;
use crate::app::making::Wishes;
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

/// Make a torrent file
///
/// Hidden files and junk (.DS_Store, Thumbs.db, desktop.ini) are left out, links are not followed, and
/// all that is left out is counted. Nothing is overwritten without --force. When the output is not a
/// terminal only the path of the new file is printed.
///
/// Which files: what an --include means is taken whatever else would leave it out, a folder with all it
/// holds; then --exclude is heard, then the files .ignore and .gitignore (with --ignore-files), then
/// what is junk or hidden. A pattern without a slash means a name at any depth, one with a slash a path
/// below PATH, one with a slash at its end folders only; * stands for anything but a slash, ** for
/// anything. A PATH that is a file is always taken.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr create photos/
  torr create photos/ -t udp://tracker.example.org:6969 -o /tmp/photos.torrent
  torr create src/ --ignore-files -x '*.o' --include docs/
  torr create season/ --reuse season-old.torrent
  torr create ubuntu.iso -o - | torr show -")]
pub struct CreateArgs {
    /// The file or folder
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Where to write the torrent file; - for standard output [default: NAME.torrent here]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// A tracker; again for the next tier, a,b for two of the same tier
    #[arg(short, long, value_name = "URL", value_parser = tier)]
    tracker: Vec<Tier>,
    /// The version of the format
    #[arg(long, value_name = "FORMAT", default_value = "v1")]
    format: Format,
    /// The size of a piece: auto, or a power of two from 16K to 16M as a rule
    #[arg(long, value_name = "SIZE", value_parser = piece_size, default_value = "auto")]
    piece_size: PieceSize,
    /// The name of the torrent [default: that of PATH]
    #[arg(long, value_name = "NAME", value_parser = plain_name)]
    name: Option<String>,
    /// A comment
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// Where it is first published; changes the info hash
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// The program that made it; empty for none
    #[arg(long, value_name = "TEXT", default_value = concat!("torr ", env!("CARGO_PKG_VERSION")))]
    created_by: String,
    /// Do not say when it was made
    #[arg(long)]
    no_date: bool,
    /// Peers come from the trackers only (BEP 27)
    #[arg(long)]
    private: bool,
    /// A web server that has the files (BEP 19); may be given several times
    #[arg(long, value_name = "URL", value_parser = web_seed)]
    web_seed: Vec<String>,
    /// A node of the distributed hash table to begin with (BEP 5); may be given several times
    #[arg(long, value_name = "HOST:PORT", value_parser = node)]
    node: Vec<Node>,
    /// Leave out what this pattern means; may be given several times
    #[arg(short = 'x', long, value_name = "GLOB", help_heading = "Which files")]
    exclude: Vec<String>,
    /// Take what this pattern means, whatever else would leave it out
    #[arg(long, value_name = "GLOB", help_heading = "Which files")]
    include: Vec<String>,
    /// Include hidden files
    #[arg(long, help_heading = "Which files")]
    hidden: bool,
    /// Include junk files
    #[arg(long, help_heading = "Which files")]
    junk: bool,
    /// Follow links; one that leads nowhere or in a circle is then an error
    #[arg(long, help_heading = "Which files")]
    follow: bool,
    /// Leave out what .gitignore and .ignore files within PATH say
    #[arg(long, help_heading = "Which files")]
    ignore_files: bool,
    /// The order of the files: path, or size with the largest first
    #[arg(long, value_name = "BY", default_value = "path", help_heading = "Which files")]
    sort: Sort,
    /// Take over the hashes of files that have not changed since this torrent was made
    ///
    /// A file counts as unchanged if its path and size are the same and it was neither written nor
    /// replaced since the second in which the old torrent says it was made. Pieces are taken over where
    /// their size and their place in the files are the same; --piece-size auto keeps the old size.
    #[arg(long, value_name = "TORRENT")]
    reuse: Option<PathBuf>,
    /// Say what would be made; hash and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Overwrite an existing torrent file
    #[arg(short, long)]
    force: bool,
    /// Print the magnet link on standard output, in place of the path
    #[arg(long)]
    magnet: bool,
    /// Also draw a QR code of the info hash
    #[arg(long)]
    qr: bool,
    /// Seed it afterwards, as torr seed does
    #[arg(long)]
    seed: bool,
    /// How many threads hash [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Do not warn of this; may be given several times
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

fn wishes(args: &CreateArgs) -> Result<Wishes, Error> {
    Ok(Wishes {
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
