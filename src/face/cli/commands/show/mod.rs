//! `torr show`: what a torrent file or a magnet link says.

pub mod about;
mod document;
mod fields;
mod lint;
pub mod raw;
mod swarm;
mod text;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ArgGroup, Args};
use serde::Serialize;

use crate::app::input;
use crate::app::input::Link;
use crate::app::selection::Listed;
use crate::app::session_settings::NetworkOptions;
use crate::app::{Error, ErrorKind};
use crate::base::{Untrusted, units};
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::fetch;
use crate::face::cli::output::Output;
use crate::face::cli::style::Role;
use crate::face::cli::{fetching, json, pager, tree};
use crate::proto::bencode::{Limits, Tree};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;

use about::About;

/// Show the contents of a torrent file or magnet link
///
/// Prints names, sizes, trackers and the magnet link. The network is used only with --fetch or --swarm. If
/// standard output is not a terminal, prints one value per line, with a tab between name and value and sizes
/// in bytes. Text that does not fit the terminal is shown in $PAGER.
#[derive(Args, Debug)]
#[command(
    visible_alias = "info",
    group = ArgGroup::new("asks").multiple(true),
    after_help = "Examples:
  torr show ubuntu.torrent
  torr show 'magnet:?xt=urn:btih:…'
  torr show --fetch --files 'magnet:?xt=urn:btih:…'
  torr show --field magnet ubuntu.torrent
  torr show --files ubuntu.torrent | cut -f3
  torr show --json ubuntu.torrent | jq .size
  torr show --swarm ubuntu.torrent"
)]
pub struct ShowArgs {
    /// Torrent file, magnet link or info hash; - reads a torrent file from standard input
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// Print only the files: number, size, path
    #[arg(long, group = "what")]
    files: bool,
    /// Print a single value, for scripts: name, info_hash, size, tracker and any other name in the plain
    /// output. Exit code 1 if the torrent does not have it
    #[arg(long, value_name = "NAME", group = "what")]
    field: Option<String>,
    /// Print the whole file tree, however long
    #[arg(long)]
    all: bool,
    /// Print the raw torrent file as JSON; binary strings become {"$hex": "…"}
    #[arg(long, group = "what")]
    raw: bool,
    /// Report things that are valid but likely mistakes; exit code 1 if there are any
    #[arg(long, group = "what")]
    lint: bool,
    /// Ask the trackers for the number of seeds and leechers
    #[arg(long, groups = ["what", "asks"])]
    swarm: bool,
    /// Fetch the metadata of a magnet link or info hash from the swarm, and show it like a torrent file
    #[arg(long, group = "asks")]
    fetch: bool,
    /// Time limit for the network [default: 60s for --fetch, 15s for --swarm]
    #[arg(long, value_name = "TIME", value_parser = units::parse_span, requires = "asks")]
    timeout: Option<Duration>,
    /// Use the local network only: no trackers, no DHT, no PEX
    #[arg(long, requires = "fetch")]
    lan: bool,
}

/// The torrent that the argument names.
struct Source {
    about: About,
    /// The torrent file, unless the argument is a link.
    bytes: Option<Vec<u8>>,
}

/// Shows it.
pub fn run(args: &ShowArgs, global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    if args.raw && Link::of(&args.torrent)?.is_none() {
        return raw(&fetching::bytes(&args.torrent, output)?, &args.torrent, output);
    }
    let Source { about, bytes } = source(args, global, output)?;
    if args.raw
        && let Some(bytes) = &bytes
    {
        return raw(bytes, &args.torrent, output);
    }
    if args.raw || (args.lint && bytes.is_none()) {
        let flag = if args.raw { "--raw" } else { "--lint" };
        let message = format!("{flag} needs a torrent file, but this is a link");
        return Err(Error::usage(message).hint(format!("to download the torrent file first: {flag} --fetch")));
    }
    if let Some(field) = &args.field {
        return one(&about, field, output);
    }
    if args.lint {
        return lint(&about, bytes.map_or(0, |bytes| bytes.len()), output);
    }
    if args.swarm {
        return swarm::ask(&about, args.timeout.unwrap_or(swarm::TIMEOUT), output);
    }
    tell(&about, args.files, args.all, output)?;
    Ok(Exit::Done)
}

/// Tells what is known, in the way the output wants it.
pub fn tell(about: &About, only_files: bool, all: bool, output: &Output) -> Result<(), Error> {
    if output.json {
        output.event(&document::document(about))
    } else if only_files && about.content.is_none() {
        let message = "the link does not contain the file list";
        let failure = Error::new(ErrorKind::Answer, "no_metadata", message).about(about.info_hash);
        Err(failure.hint("to get it from the swarm: torr show --files --fetch"))
    } else if output.plain {
        let mut text = String::new();
        if !only_files {
            let line = |(name, value): &(&str, String)| format!("{name}\t{value}\n");
            text.extend(fields::fields(about).iter().map(line));
        }
        let start = if only_files { "" } else { "file\t" };
        text.extend(fields::files(about).map(|file| format!("{start}{file}\n")));
        output.data(text.as_bytes())
    } else if only_files {
        let lines = tree::lines_of(about.listed(), output.out, output.columns(), usize::MAX);
        pager::show(output, &(lines.join("\n") + "\n"))
    } else {
        pager::show(output, &text::text(about, all, output))
    }
}

/// Returns the facts in a torrent file of any version.
pub fn look(bytes: &[u8], argument: &Path) -> Result<About, Error> {
    let torrent = Metainfo::parse(bytes).map_err(|error| input::malformed(argument, &error))?;
    Ok(About::torrent(&torrent))
}

fn source(args: &ShowArgs, global: &GlobalArgs, output: &Output) -> Result<Source, Error> {
    let Some(link) = Link::of(&args.torrent)? else {
        let bytes = fetching::bytes(&args.torrent, output)?;
        return Ok(Source { about: look(&bytes, &args.torrent)?, bytes: Some(bytes) });
    };
    if !args.fetch {
        return Ok(Source { about: About::link(link.magnet, &link.notes), bytes: None });
    }
    let patience = args.timeout.unwrap_or(fetch::TIMEOUT);
    let network = NetworkOptions { lan: args.lan, ..NetworkOptions::default() };
    let torrent = fetch::torrent(link, network, patience, global, output)?;
    Ok(Source { about: About::torrent(&torrent.metainfo), bytes: Some(torrent.bytes) })
}

fn one(about: &About, field: &str, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Field<'a> {
        schema: &'static str,
        field: &'a str,
        values: &'a [String],
    }
    let values = fields::one(about, field)?;
    if output.json {
        output.event(&Field { schema: "torr.show.field/1", field, values: &values })?;
    } else {
        let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
        output.data(lines.as_bytes())?;
    }
    Ok(if values.is_empty() { Exit::No } else { Exit::Done })
}

fn raw(bytes: &[u8], argument: &Path, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document<'a, 't> {
        schema: &'static str,
        torrent: raw::Raw<'a, 't>,
        trailing_bytes: usize,
    }
    let tree = Tree::parse(bytes, Limits::TORRENT).map_err(|error| input::malformed(argument, &error))?;
    let (torrent, after) = (raw::Raw::new(tree.root()), tree.rest().len());
    if output.json {
        output.event(&Document { schema: "torr.show.raw/1", torrent, trailing_bytes: after })?;
    } else {
        if after > 0 {
            output.warn(&format!("ignored {} after the end", units::plural(after as u64, "byte", "bytes")));
        }
        pager::show(output, &(json::pretty(&torrent) + "\n"))?;
    }
    Ok(Exit::Done)
}

fn lint(about: &About, bytes: usize, output: &Output) -> Result<Exit, Error> {
    #[derive(Serialize)]
    struct Document<'a> {
        schema: &'static str,
        torrent: String,
        ok: bool,
        findings: &'a [lint::Finding],
    }
    let findings = lint::find(about, bytes);
    let ok = findings.is_empty();
    if output.json {
        let torrent = about.info_hash.to_string();
        output.event(&Document { schema: "torr.show.lint/1", torrent, ok, findings: &findings })?;
    } else if output.plain {
        let lines: String =
            findings.iter().map(|found| format!("{}\t{}\n", found.name, found.text)).collect();
        output.data(lines.as_bytes())?;
    } else if ok {
        output.line(&format!("{} no problems found", output.out.paint(Role::Good, output.out.ok())))?;
    } else {
        let mark = output.out.paint(Role::Warn, "!");
        let lines: String = findings
            .iter()
            .map(|found| format!("{mark} {} ({})\n", output.out.own(&found.text), found.name))
            .collect();
        output.data(lines.as_bytes())?;
    }
    Ok(if ok { Exit::Done } else { Exit::No })
}

/// The link to this torrent.
pub fn magnet(torrent: &Metainfo) -> String {
    Untrusted::new(Magnet::of(torrent).to_string()).clean()
}

/// One file, one line: number, size, path.
pub fn plain_file(file: &Listed<'_>) -> String {
    fields::file(file) + "\n"
}
