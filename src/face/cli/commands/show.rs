//! `torr show`: what a torrent file says.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::base::{Untrusted, units};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::input;
use crate::face::cli::output::Output;
use crate::face::cli::style::{Role, pad_left, width};
use crate::face::cli::tree::{self, Listed, listed};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;

/// Look inside a torrent file
///
/// Names, sizes, trackers and the magnet link. Into a pipe goes one value per line, name and value
/// with a tab between, sizes in bytes.
#[derive(Args, Debug)]
#[command(
    visible_alias = "info",
    after_help = "Examples:
  torr show ubuntu.torrent
  torr show --field magnet ubuntu.torrent
  torr show --files ubuntu.torrent | cut -f3
  torr show --json ubuntu.torrent | jq .size"
)]
pub struct ShowArgs {
    /// A torrent file, its address on the web, or - for standard input
    #[arg(value_name = "TORRENT")]
    torrent: PathBuf,
    /// Only the files: number, size, path
    #[arg(long, conflicts_with = "field")]
    files: bool,
    /// Only one value, for scripts: name, info_hash, size, files, …; those of the plain output
    #[arg(long, value_name = "NAME")]
    field: Option<String>,
    /// The whole tree of files, however long
    #[arg(long)]
    all: bool,
}

/// Lines of the tree that are shown without being asked for all.
const FEW_LINES: usize = 40;

/// Shows it.
pub fn run(args: &ShowArgs, output: &Output) -> Result<Exit, Failure> {
    let torrent = input::torrent(&args.torrent, output)?;
    let torrent = &torrent.metainfo;
    if let Some(field) = &args.field {
        return one(torrent, field, output);
    }
    if output.json {
        output.event(&document(torrent))?;
    } else if args.files && output.plain {
        output.data(plain_files(torrent).as_bytes())?;
    } else if args.files {
        let lines = tree::lines(torrent, output.out, output.columns(), usize::MAX);
        output.data((lines.join("\n") + "\n").as_bytes())?;
    } else if output.plain {
        let lines: String =
            fields(torrent).iter().map(|(name, value)| format!("{name}\t{value}\n")).collect();
        output.data((lines + &plain_file_lines(torrent)).as_bytes())?;
    } else {
        output.data(text(torrent, args.all, output).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn one(torrent: &Metainfo, field: &str, output: &Output) -> Result<Exit, Failure> {
    let fields = fields(torrent);
    let values: Vec<&String> =
        fields.iter().filter(|(name, _)| *name == field).map(|(_, value)| value).collect();
    if values.is_empty() && !OPTIONAL.contains(&field) {
        let mut known: Vec<&str> = fields.iter().map(|(name, _)| *name).chain(OPTIONAL).collect();
        known.sort_unstable();
        known.dedup();
        let message = format!("there is no field '{}'", Untrusted::new(field));
        return Err(Failure::usage(message).hint(format!("fields: {}", known.join(", "))));
    }
    let found = !values.is_empty();
    if output.json {
        #[derive(Serialize)]
        struct Field<'a> {
            schema: &'static str,
            field: &'a str,
            values: Vec<&'a String>,
        }
        output.event(&Field { schema: "torr.show.field/1", field, values })?;
    } else {
        let lines: String = values.iter().map(|value| format!("{value}\n")).collect();
        output.data(lines.as_bytes())?;
    }
    Ok(if found { Exit::Done } else { Exit::No })
}

/// Fields that a torrent may lack; asking for one that is not there is answered with exit code 1.
const OPTIONAL: [&str; 9] =
    ["created", "created_by", "comment", "source", "tracker", "web_seed", "http_seed", "node", "note"];

/// Every value by the name scripts use, in order; lists repeat their name.
fn fields(torrent: &Metainfo) -> Vec<(&'static str, String)> {
    let shape = torrent.geometry();
    let extras = torrent.extras();
    let mut fields = vec![
        ("name", torrent.name().clean()),
        ("info_hash", torrent.info_hash().to_string()),
        ("size", content(torrent).to_string()),
        ("files", listed(torrent).count().to_string()),
        ("pieces", shape.piece_count().to_string()),
        ("piece_length", shape.piece_len().to_string()),
        ("private", if torrent.is_private() { "yes" } else { "no" }.to_owned()),
    ];
    let mut add = |name, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    add("created", created(torrent).map(|at| at.to_string()));
    add("created_by", extras.created_by.as_ref().map(Untrusted::clean));
    add("comment", extras.comment.as_ref().map(Untrusted::clean));
    add("source", torrent.source().map(Untrusted::clean));
    for url in extras.trackers.iter().flatten() {
        add("tracker", Some(url.clean()));
    }
    for url in &extras.web_seeds {
        add("web_seed", Some(url.clean()));
    }
    for url in &extras.http_seeds {
        add("http_seed", Some(url.clean()));
    }
    for (host, port) in &extras.nodes {
        add("node", Some(format!("{host}:{port}")));
    }
    for note in torrent.notes() {
        add("note", Some(note.to_string()));
    }
    add("magnet", Some(magnet(torrent)));
    fields
}

/// The files with tabs between number, size and path.
pub fn plain_files(torrent: &Metainfo) -> String {
    listed(torrent).map(|file| plain_file(&file)).collect()
}

/// One file, one line: number, size, path.
pub fn plain_file(file: &Listed<'_>) -> String {
    format!("{}\t{}\t{}\n", file.number, file.len, Untrusted::new(file.path))
}

fn plain_file_lines(torrent: &Metainfo) -> String {
    plain_files(torrent).lines().map(|line| format!("file\t{line}\n")).collect()
}

/// Bytes of content, padding not counted.
fn content(torrent: &Metainfo) -> u64 {
    listed(torrent).fold(0, |sum, file| sum.saturating_add(file.len))
}

fn created(torrent: &Metainfo) -> Option<Timestamp> {
    Timestamp::from_second(torrent.extras().creation_date?).ok()
}

/// The link to this torrent.
pub fn magnet(torrent: &Metainfo) -> String {
    Untrusted::new(Magnet::of(torrent).to_string()).clean()
}

fn text(torrent: &Metainfo, all: bool, output: &Output) -> String {
    let style = output.out;
    let columns = output.columns();
    let room = columns.saturating_sub(LABEL + 2).max(10);
    let shape = torrent.geometry();
    let extras = torrent.extras();
    let mut text = String::new();
    let mut put = |label: &str, lines: Vec<String>| {
        for (number, line) in lines.into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            let line = format!("{}  {line}", style.paint(Role::Dim, &pad_left(label, LABEL)));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    };
    let wrapped = |value: &Untrusted| wrap(&value.clean(), room);
    put("Name", wrapped(torrent.name()));
    put("Info hash", vec![format!("{}   v1", torrent.info_hash())]);
    let files = listed(torrent).count() as u64;
    let count =
        if torrent.is_single_file() { "one file".to_owned() } else { units::plural(files, "file", "files") };
    put("Size", vec![format!("{} in {count}", units::size(content(torrent)))]);
    let pieces = format!(
        "{} x {}",
        units::count(u64::from(shape.piece_count())),
        units::size(u64::from(shape.piece_len()))
    );
    put("Pieces", vec![pieces]);
    let date =
        created(torrent).map(|at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string());
    let by = extras.created_by.as_ref().map(|by| format!("by {by}"));
    let made: Vec<String> = [date, by].into_iter().flatten().collect();
    if !made.is_empty() {
        put("Created", wrap(&made.join(" "), room));
    }
    let private = if torrent.is_private() {
        "yes (trackers only: no DHT, PEX or LSD)"
    } else {
        "no (DHT, PEX and LSD allowed)"
    };
    put("Private", vec![private.to_owned()]);
    if let Some(source) = torrent.source() {
        put("Source", wrapped(source));
    }
    if let Some(comment) = &extras.comment {
        put("Comment", wrapped(comment));
    }
    let tiers = extras.trackers.iter().enumerate();
    put(
        "Trackers",
        tiers.flat_map(|(tier, urls)| urls.iter().map(move |url| format!("{}  {url}", tier + 1))).collect(),
    );
    put("Web seeds", extras.web_seeds.iter().chain(&extras.http_seeds).map(Untrusted::clean).collect());
    put("DHT nodes", extras.nodes.iter().map(|(host, port)| format!("{host}:{port}")).collect());
    put("Files", tree::lines(torrent, style, room, if all { usize::MAX } else { FEW_LINES }));
    put("Magnet", vec![magnet(torrent)]);
    put("Note", torrent.notes().iter().map(ToString::to_string).collect());
    text
}

/// The columns of the labels.
const LABEL: usize = 12;

/// Cut into lines of at most this many columns, wherever that falls; at most six of them.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for c in text.chars() {
        let last = lines.last_mut().expect("there is always a line");
        if width(last) + width(c.encode_utf8(&mut [0; 4])) > columns && !last.is_empty() {
            if lines.len() == 6 {
                lines.push("...".to_owned());
                break;
            }
            lines.push(c.to_string());
        } else {
            last.push(c);
        }
    }
    lines
}

#[derive(Serialize)]
struct Document {
    schema: &'static str,
    name: String,
    info_hash: Option<String>,
    info_hash_v2: Option<String>,
    size: u64,
    piece_length: u32,
    pieces: u32,
    private: bool,
    created: Option<String>,
    created_by: Option<String>,
    comment: Option<String>,
    source: Option<String>,
    trackers: Vec<Vec<String>>,
    web_seeds: Vec<String>,
    http_seeds: Vec<String>,
    nodes: Vec<String>,
    magnet: String,
    notes: Vec<String>,
    files: Vec<FileDocument>,
}

#[derive(Serialize)]
struct FileDocument {
    index: usize,
    path: String,
    size: u64,
    executable: bool,
    hidden: bool,
}

fn document(torrent: &Metainfo) -> Document {
    let extras = torrent.extras();
    let raw = |text: &Untrusted| text.raw().to_owned();
    let hash = torrent.info_hash();
    Document {
        schema: "torr.show/1",
        name: raw(torrent.name()),
        info_hash: hash.sha1().map(|digest| crate::face::cli::json::hex(&digest)),
        info_hash_v2: hash.sha256().map(|digest| crate::face::cli::json::hex(&digest)),
        size: content(torrent),
        piece_length: torrent.geometry().piece_len(),
        pieces: torrent.geometry().piece_count(),
        private: torrent.is_private(),
        created: created(torrent).map(|at| at.to_string()),
        created_by: extras.created_by.as_ref().map(raw),
        comment: extras.comment.as_ref().map(raw),
        source: torrent.source().map(raw),
        trackers: extras.trackers.iter().map(|tier| tier.iter().map(raw).collect()).collect(),
        web_seeds: extras.web_seeds.iter().map(raw).collect(),
        http_seeds: extras.http_seeds.iter().map(raw).collect(),
        nodes: extras.nodes.iter().map(|(host, port)| format!("{}:{port}", host.raw())).collect(),
        magnet: magnet(torrent),
        notes: torrent.notes().iter().map(ToString::to_string).collect(),
        files: listed(torrent)
            .map(|file| {
                let attributes = torrent.files()[file.number - 1].attributes();
                FileDocument {
                    index: file.number,
                    path: file.path.to_owned(),
                    size: file.len,
                    executable: attributes.is_executable(),
                    hidden: attributes.is_hidden(),
                }
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_wrapped_and_endless_ones_are_cut() {
        assert_eq!(wrap("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap(&"x".repeat(1000), 4).len(), 7);
        assert_eq!(wrap("日本語", 4), ["日本", "語"]);
    }
}
