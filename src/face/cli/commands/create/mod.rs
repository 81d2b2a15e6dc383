//! `torr create`: a torrent file from a file or a folder.

mod gather;
mod hash;
mod lints;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::base::{Geometry, GeometryError, MAX_PIECE_LEN, Sha1Digest, Untrusted, units};
use crate::face::cli::args::network;
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;
use crate::face::cli::style::Role;
use crate::face::cli::{faults, signals};
use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo, auto_piece_len};
use crate::store;

use super::show::magnet;
use gather::Gathered;

/// Make a torrent file
///
/// Hidden files and junk (.DS_Store, Thumbs.db, desktop.ini) are left out and counted. Nothing is
/// overwritten without --force. When the output is not a terminal only the path of the new file is
/// printed.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr create photos/
  torr create photos/ -t udp://tracker.example.org:6969 -o /tmp/photos.torrent
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
    /// Peers come from the trackers only (BEP 27)
    #[arg(long)]
    private: bool,
    /// A comment
    #[arg(long, value_name = "TEXT")]
    comment: Option<String>,
    /// The name of the torrent [default: that of PATH]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Where it is first published; changes the info hash
    #[arg(long, value_name = "TEXT")]
    source: Option<String>,
    /// Do not say when it was made
    #[arg(long)]
    no_date: bool,
    /// Include hidden files
    #[arg(long)]
    hidden: bool,
    /// Include junk files
    #[arg(long)]
    junk: bool,
    /// Look, say what would be made, and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Overwrite an existing torrent file
    #[arg(short, long)]
    force: bool,
    /// How many threads hash [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
}

/// One tier of trackers.
#[derive(Clone, Debug)]
struct Tier(Vec<String>);

/// A size, or whatever suits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct PieceSize(Option<u32>);

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
enum Format {
    /// Version 1 (BEP 3)
    V1,
    /// Version 2 (BEP 52); not available yet
    V2,
    /// Both; not available yet
    Hybrid,
}

/// Makes it.
pub fn run(args: &CreateArgs, output: &Output) -> Result<Exit, Failure> {
    if args.format != Format::V1 {
        let name = if args.format == Format::V2 { "v2" } else { "hybrid" };
        return Err(Failure::not_yet(&format!("the {name} format")).hint("use --format v1"));
    }
    signals::end_at_once(output);
    let name = name(args)?;
    let target = Target::new(args, &name);
    target.check(args.force || args.dry_run)?;
    let scan = gather::gather(&args.path, args.hidden, args.junk)?;
    let total = scan.total();
    let shape = shape(args.piece_size, &scan)?;
    let piece_len = shape.piece_len();
    announce_scan(&scan, total, output)?;
    for warning in lints::find(&lints::Facts {
        piece_len,
        private: args.private,
        trackers: args.tracker.len(),
        files: &scan.files,
    }) {
        output.warn(&warning);
    }
    if args.dry_run {
        let text = format!(
            "{} of {}; nothing was written",
            units::plural(shape.piece_count().into(), "piece", "pieces"),
            units::size(piece_len.into())
        );
        output.say(&text);
        return Ok(Exit::Done);
    }
    let threads = args.threads.map_or_else(hash::cores, usize::from);
    let digests = hash::hash(&scan, &shape, threads, output)?;
    let bytes = draft(args, name, &scan, piece_len, &digests).to_bytes();
    let made = Metainfo::parse(&bytes).map_err(|error| {
        Failure::new(Exit::Input, "malformed", format!("this would make no usable torrent: {error}"))
    })?;
    if bytes.len() > 16 << 20 {
        return Err(Failure::usage("the torrent file would be larger than 16 MiB")
            .hint("choose a larger --piece-size"));
    }
    target.write(&bytes, args.force, output)?;
    finish(&made, &target, bytes.len() as u64, output)
}

fn name(args: &CreateArgs) -> Result<String, Failure> {
    if let Some(name) = &args.name {
        let bad = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']);
        return if bad { Err(Failure::usage("--name must be one plain name")) } else { Ok(name.clone()) };
    }
    let whole =
        std::fs::canonicalize(&args.path).map_err(|error| Failure::disk("read", &args.path, &error))?;
    let name = whole.file_name().unwrap_or(OsStr::new("")).to_str().unwrap_or("");
    if name.is_empty() {
        let message = format!("{} has no name that a torrent can bear", shown(&args.path));
        return Err(Failure::usage(message).hint("give one: --name NAME"));
    }
    Ok(name.to_owned())
}

fn shape(wish: PieceSize, scan: &Gathered) -> Result<Geometry, Failure> {
    let len = wish.0.unwrap_or_else(|| auto_piece_len(scan.total()));
    let shape = Geometry::new(u64::from(len), scan.files.iter().map(|file| (file.len, false)));
    shape.map_err(|error| {
        let failure = Failure::usage(format!("this makes no torrent: {error}"));
        if matches!(error, GeometryError::TooManyPieces(_)) {
            failure.hint("choose a larger --piece-size")
        } else {
            failure
        }
    })
}

fn announce_scan(scan: &Gathered, total: u64, output: &Output) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Scanned {
        schema: &'static str,
        event: &'static str,
        files: usize,
        size: u64,
        hidden_skipped: u64,
        junk_skipped: u64,
        links_skipped: u64,
    }
    output.event(&Scanned {
        schema: SCHEMA,
        event: "scan",
        files: scan.files.len(),
        size: total,
        hidden_skipped: scan.hidden,
        junk_skipped: scan.junk,
        links_skipped: scan.special,
    })?;
    let skipped = [
        (scan.hidden, "hidden file", "hidden files", " (--hidden to include)"),
        (scan.junk, "junk file", "junk files", " (--junk to include)"),
        (scan.special, "link or device", "links and devices", ""),
    ];
    let skipped = skipped
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many, how)| format!("    {} skipped{how}", units::plural(*count, one, many)));
    let files = units::plural(scan.files.len() as u64, "file", "files");
    output.say(&format!("[1/3] scan    {files}, {}{}", units::size(total), skipped.collect::<String>()));
    Ok(())
}

const SCHEMA: &str = "torr.create/1";

fn draft(args: &CreateArgs, name: String, scan: &Gathered, piece_len: u32, digests: &[Sha1Digest]) -> Draft {
    let attributes = |executable| if executable { Attributes::EXECUTABLE } else { Attributes::NONE };
    let content = match scan.files.as_slice() {
        [file] if !scan.is_folder => Content::Single(file.len, attributes(file.executable)),
        files => Content::Several(
            files
                .iter()
                .map(|file| DraftFile {
                    path: file.names.clone(),
                    len: file.len,
                    attributes: attributes(file.executable),
                })
                .collect(),
        ),
    };
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Draft {
        name,
        content,
        piece_len,
        digests: digests.concat(),
        private: args.private,
        source: args.source.clone(),
        extras: Extras {
            trackers: args
                .tracker
                .iter()
                .map(|tier| tier.0.iter().map(|url| Untrusted::new(url.as_str())).collect())
                .collect(),
            comment: args.comment.as_deref().map(Untrusted::new),
            created_by: Some(Untrusted::new(concat!("torr ", env!("CARGO_PKG_VERSION")))),
            creation_date: (!args.no_date).then(|| i64::try_from(now).unwrap_or(0)),
            ..Extras::default()
        },
    }
}

/// Where the torrent file goes.
enum Target {
    Stdout,
    File(PathBuf),
}

impl Target {
    fn new(args: &CreateArgs, name: &str) -> Self {
        match &args.output {
            Some(path) if path == Path::new("-") => Self::Stdout,
            Some(path) if path.is_dir() => Self::File(path.join(format!("{name}.torrent"))),
            Some(path) => Self::File(path.clone()),
            None => Self::File(PathBuf::from(format!("{name}.torrent"))),
        }
    }

    /// Refuses before the work what would be refused after it.
    fn check(&self, may_overwrite: bool) -> Result<(), Failure> {
        match self {
            Self::File(path) if !may_overwrite && path.symlink_metadata().is_ok() => {
                let message = format!("{} is there already", shown(path));
                Err(Failure::new(Exit::Disk, "exists", message)
                    .hint("overwrite it with --force, or choose another name with -o"))
            }
            _ => Ok(()),
        }
    }

    fn write(&self, bytes: &[u8], overwrite: bool, output: &Output) -> Result<(), Failure> {
        match self {
            Self::Stdout if output.json => Err(Failure::usage("--json and -o - both want standard output")),
            Self::Stdout => output.data(bytes),
            Self::File(path) => {
                store::write_atomic(path, bytes, overwrite).map_err(|error| faults::disk(&error))?;
                output.say(&format!("[3/3] write   {}", shown(path)));
                Ok(())
            }
        }
    }
}

fn finish(made: &Metainfo, target: &Target, len: u64, output: &Output) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Done {
        schema: &'static str,
        event: &'static str,
        path: Option<String>,
        torrent: String,
        name: String,
        size: u64,
        pieces: u32,
        piece_length: u32,
        magnet: String,
    }
    let shape = made.geometry();
    let path = match target {
        Target::Stdout => None,
        Target::File(path) => Some(std::path::absolute(path).unwrap_or_else(|_| path.clone())),
    };
    output.event(&Done {
        schema: SCHEMA,
        event: "done",
        path: path.as_deref().map(|path| path.to_string_lossy().into_owned()),
        torrent: made.info_hash().to_string(),
        name: made.name().raw().to_owned(),
        size: shape.total(),
        pieces: shape.piece_count(),
        piece_length: shape.piece_len(),
        magnet: magnet(made),
    })?;
    output.say(&format!(
        "{} {}, {} of {}",
        output.err.paint(Role::Good, output.err.ok()),
        units::size(len),
        units::plural(u64::from(shape.piece_count()), "piece", "pieces"),
        units::size(u64::from(shape.piece_len()))
    ));
    output.say(&format!("  {}", magnet(made)));
    if let Some(path) = path
        && !output.stdout_tty
        && !output.json
        && output.quiet < 2
    {
        output.path(&path, b'\n')?;
    }
    Ok(Exit::Done)
}

fn tier(text: &str) -> Result<Tier, String> {
    text.split(',').map(|url| network::tracker(url.trim())).collect::<Result<_, _>>().map(Tier)
}

fn piece_size(text: &str) -> Result<PieceSize, String> {
    if text.eq_ignore_ascii_case("auto") {
        return Ok(PieceSize(None));
    }
    let size = units::parse_size(text).map_err(|error| error.to_string())?;
    let size = u32::try_from(size)
        .ok()
        .filter(|&size| (16 << 10..=MAX_PIECE_LEN).contains(&size) && size % (16 << 10) == 0);
    size.map(|size| PieceSize(Some(size)))
        .ok_or_else(|| "a piece has a multiple of 16 KiB, up to 511 MiB".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_and_sizes_are_read() {
        assert_eq!(tier("udp://a:1, http://b/announce").unwrap().0, ["udp://a:1", "http://b/announce"]);
        assert!(tier("udp://a:1,").is_err());
        assert_eq!(piece_size("auto"), Ok(PieceSize(None)));
        assert_eq!(piece_size("256K"), Ok(PieceSize(Some(262_144))));
        for bad in ["0", "1000", "17K", "1T", "x"] {
            assert!(piece_size(bad).is_err(), "{bad}");
        }
    }
}
