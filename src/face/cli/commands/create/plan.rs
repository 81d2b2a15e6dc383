//! What the torrent is going to be, before anything is hashed.

use std::ffi::OsStr;
use std::path::Path;

use super::CreateArgs;
use super::gather::Gathered;
use crate::base::{Geometry, GeometryError, Untrusted};
use crate::face::cli::args::torrent::PieceSize;
use crate::face::cli::error::{Failure, shown};
use crate::face::cli::exit::Exit;
use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo, auto_piece_len};

/// The largest torrent file that torr itself takes, in bytes.
const MOST_BYTES: usize = 16 << 20;
/// An old torrent's size of pieces is kept for this many of them.
const GOOD_COUNT: std::ops::RangeInclusive<u64> = 500..=2500;

/// The name: what was asked for, or that of the path.
pub fn name(args: &CreateArgs) -> Result<String, Failure> {
    if let Some(name) = &args.name {
        return Ok(name.clone());
    }
    let name = name_on_disk(&args.path)?;
    if name.is_empty() {
        let message = format!("{} has no name that a torrent can bear", shown(&args.path));
        return Err(Failure::usage(message).hint("give one: --name NAME"));
    }
    Ok(name)
}

/// What the file or folder is called where it lies; empty where that is no text.
pub fn name_on_disk(path: &Path) -> Result<String, Failure> {
    let whole = std::fs::canonicalize(path).map_err(|error| Failure::disk("read", path, &error))?;
    Ok(whole.file_name().unwrap_or(OsStr::new("")).to_str().unwrap_or("").to_owned())
}

/// Pieces and files. Where any size of pieces suits, that of an old torrent is kept as long as it makes
/// a good number of pieces.
pub fn shape(wish: PieceSize, found: &Gathered, old: Option<&Metainfo>) -> Result<Geometry, Failure> {
    let total = found.total();
    let old = old.map(|old| old.geometry().piece_len());
    let kept = old.filter(|&len| GOOD_COUNT.contains(&total.div_ceil(u64::from(len))));
    let len = wish.0.or(kept).unwrap_or_else(|| auto_piece_len(total));
    let shape = Geometry::new(u64::from(len), found.files.iter().map(|file| (file.len, false)));
    shape.map_err(|error| {
        let failure = Failure::usage(format!("this makes no torrent: {error}"));
        if matches!(error, GeometryError::TooManyPieces(_)) {
            failure.hint("choose a larger --piece-size")
        } else {
            failure
        }
    })
}

/// The torrent, with zeros for digests.
pub fn draft(args: &CreateArgs, name: String, found: &Gathered, shape: &Geometry, now: i64) -> Draft {
    let attributes = |executable| if executable { Attributes::EXECUTABLE } else { Attributes::NONE };
    let content = match found.files.as_slice() {
        [file] if !found.is_folder => Content::Single(file.len, attributes(file.executable)),
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
    let texts = |texts: &[String]| texts.iter().map(Untrusted::new).collect::<Vec<_>>();
    let given = |text: &str| (!text.is_empty()).then(|| Untrusted::new(text));
    Draft {
        name,
        content,
        piece_len: shape.piece_len(),
        digests: vec![0; shape.piece_count() as usize * 20],
        private: args.private,
        source: args.source.clone().filter(|source| !source.is_empty()),
        extras: Extras {
            trackers: args.tracker.iter().map(|tier| texts(&tier.0)).collect(),
            web_seeds: texts(&args.web_seed),
            nodes: args.node.iter().map(|node| (Untrusted::new(node.0.as_str()), node.1)).collect(),
            comment: args.comment.as_deref().and_then(given),
            created_by: given(&args.created_by),
            creation_date: (!args.no_date).then_some(now),
            ..Extras::default()
        },
    }
}

/// The torrent file and the torrent as everybody will read it. Refuses what nobody could use.
pub fn made(draft: &Draft) -> Result<(Vec<u8>, Metainfo), Failure> {
    let bytes = draft.to_bytes();
    if bytes.len() > MOST_BYTES {
        return Err(Failure::usage("the torrent file would be larger than 16 MiB")
            .hint("choose a larger --piece-size, or fewer files"));
    }
    let made = Metainfo::parse(&bytes).map_err(|error| {
        Failure::new(Exit::Input, "malformed", format!("this would make no usable torrent: {error}"))
    })?;
    Ok((bytes, made))
}
