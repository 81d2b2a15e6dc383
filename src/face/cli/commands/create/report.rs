//! The report on a new torrent file.

use serde::Serialize;

use super::target::Target;
use super::{CreateArgs, SCHEMA};
use crate::app::making::ScannedFile;
use crate::app::making::gather::Gathered;
use crate::app::making::hash::Hashed;
use crate::app::making::reuse::Reused;
use crate::app::{Error, shown};
use crate::base::{Geometry, Untrusted, units};
use crate::face::cli::commands::show::magnet;
use crate::face::cli::hint;
use crate::face::cli::json::path_hex;
use crate::face::cli::making;
use crate::face::cli::output::Output;
use crate::face::cli::qr;
use crate::face::cli::style::{Role, pad_left};
use crate::proto::magnet::Magnet;
use crate::proto::metainfo::Metainfo;

/// The first step.
pub fn scan(found: &Gathered, output: &Output) -> Result<(), Error> {
    output.event(&making::scanned(SCHEMA, found))?;
    output.say(&format!("[1/3] scan    {}", making::amount(found)));
    if let Some(skipped) = hint::skipped(&found.skipped) {
        output.say(&format!("              {skipped}"));
    }
    Ok(())
}

/// Reports the settings taken over from an old torrent.
pub fn reuse(reused: &Reused, shape: &Geometry, args: &CreateArgs, output: &Output) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Reuse<'a> {
        schema: &'static str,
        event: &'static str,
        pieces: u32,
        of_pieces: u32,
        size: u64,
        reason: Option<&'a str>,
    }
    let Some(old) = &args.reuse else { return Ok(()) };
    if let Some(because) = &reused.none_because {
        output.warn(&format!("cannot reuse {}, hashing everything: {because}", shown(old)));
    }
    let (pieces, size) = reused.amount(shape);
    output.event(&Reuse {
        schema: SCHEMA,
        event: "reuse",
        pieces,
        of_pieces: shape.piece_count(),
        size,
        reason: reused.none_because.as_deref(),
    })
}

/// The second step.
pub fn hashed(hashed: &Hashed, reused: &Reused, shape: &Geometry, output: &Output) {
    let amount = hashed.amount().unwrap_or_else(|| "nothing new".to_owned());
    let taken_over = match reused.amount(shape) {
        (0, _) => String::new(),
        (pieces, bytes) => {
            let of = units::count(shape.piece_count().into());
            format!(", {} reused ({} of {of} pieces)", units::size(bytes), units::count(pieces.into()))
        }
    };
    output.say(&format!("[2/3] hash    {amount}{taken_over}"));
}

/// Reports a dry run: the files on standard output, the rest as messages.
pub fn plan(
    made: &Metainfo,
    found: &Gathered,
    target: &Target,
    len: usize,
    args: &CreateArgs,
    output: &Output,
) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Planned {
        path: String,
        size: u64,
    }
    #[derive(Serialize)]
    struct Plan<'a> {
        schema: &'static str,
        event: &'static str,
        path: Option<String>,
        name: &'a str,
        size: u64,
        pieces: u32,
        piece_length: u32,
        torrent_size: usize,
        files: Vec<Planned>,
    }
    let name = made.name().raw();
    let path = |names: &[String]| {
        std::iter::once(name).chain(names.iter().map(String::as_str)).collect::<Vec<_>>().join("/")
    };
    let shape = made.geometry();
    if output.json {
        let file = |file: &ScannedFile| Planned { path: path(&file.names), size: file.len };
        return output.event(&Plan {
            schema: SCHEMA,
            event: "plan",
            path: absolute(target),
            name,
            size: shape.total(),
            pieces: shape.piece_count(),
            piece_length: shape.piece_len(),
            torrent_size: len,
            files: found.files.iter().map(file).collect(),
        });
    }
    let lines: String = found
        .files
        .iter()
        .map(|file| {
            let path = Untrusted::new(path(&file.names));
            if output.plain {
                format!("{}\t{path}\n", file.len)
            } else {
                let room = output.columns().saturating_sub(13);
                format!("  {}  {}\n", pad_left(&units::size(file.len), 8), output.out.fit(&path, room))
            }
        })
        .collect();
    if output.quiet == 0 {
        output.data(lines.as_bytes())?;
    }
    if let Some(path) = target.path()
        && !args.force
        && path.symlink_metadata().is_ok()
    {
        output.warn(&format!("{} already exists; only --force overwrites it", shown(path)));
    }
    output.say(&format!("would write {}: {}; nothing was written", shown_target(target), summary(made, len)));
    Ok(())
}

/// The third step, and the end.
pub fn done(
    made: &Metainfo,
    target: &Target,
    len: usize,
    args: &CreateArgs,
    output: &Output,
) -> Result<(), Error> {
    #[derive(Serialize)]
    struct Done {
        schema: &'static str,
        event: &'static str,
        path: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        path_hex: Option<String>,
        torrent: String,
        name: String,
        size: u64,
        pieces: u32,
        piece_length: u32,
        torrent_size: usize,
        magnet: String,
    }
    let shape = made.geometry();
    output.event(&Done {
        schema: SCHEMA,
        event: "done",
        path: absolute(target),
        path_hex: target
            .path()
            .map(|path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
            .as_deref()
            .and_then(path_hex),
        torrent: made.info_hash().to_string(),
        name: made.name().raw().to_owned(),
        size: shape.total(),
        pieces: shape.piece_count(),
        piece_length: shape.piece_len(),
        torrent_size: len,
        magnet: magnet(made),
    })?;
    output.say(&format!("[3/3] write   {}", shown_target(target)));
    output.say(&format!("{} {}", output.err.paint(Role::Good, output.err.ok()), summary(made, len)));
    if output.json || !args.magnet {
        output.say(&format!("  {}", magnet(made)));
    }
    if args.qr {
        code(made, output);
    }
    if output.json {
        return Ok(());
    }
    if args.magnet {
        return output.line(&magnet(made));
    }
    if let Some(path) = target.path()
        && !output.stdout_tty
        && output.quiet < 2
    {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        output.path(&path, b'\n')?;
    }
    Ok(())
}

/// A QR code of the info hash, or why there is none.
fn code(made: &Metainfo, output: &Output) {
    let link = Magnet::of(made);
    match qr::draw(&qr::short_link(&link), output.err, output.columns()) {
        Ok(lines) => lines.iter().for_each(|line| output.say(line)),
        Err(why) => output.say(&why.to_string()),
    }
}

/// `41 KiB, 1 946 pieces of 1 MiB`.
fn summary(made: &Metainfo, len: usize) -> String {
    let shape = made.geometry();
    let pieces = units::plural(u64::from(shape.piece_count()), "piece", "pieces");
    format!("{}, {pieces} of {}", units::size(len as u64), units::size(u64::from(shape.piece_len())))
}

fn shown_target(target: &Target) -> String {
    target.path().map_or_else(|| "standard output".to_owned(), |path| shown(path).clean())
}

fn absolute(target: &Target) -> Option<String> {
    let path = target.path()?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    Some(path.to_string_lossy().into_owned())
}
