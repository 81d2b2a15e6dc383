//! The plan of a torrent, before anything is hashed.

use std::ffi::OsStr;
use std::path::Path;

use super::gather::Gathered;
use super::values::{Node, PieceSize, Tier};
use crate::app::{Error, ErrorKind, Remedy};
use crate::base::{Geometry, GeometryError, Untrusted};
use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras, Metainfo, auto_piece_len};

/// The largest torrent file that torr itself takes, in bytes.
const MAX_BYTES: usize = 16 << 20;
/// An old torrent's size of pieces is kept for this many of them.
const GOOD_COUNT: std::ops::RangeInclusive<u64> = 500..=2500;

/// The version of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// Version 1 (BEP 3).
    V1,
    /// Version 2 (BEP 52); not available yet.
    V2,
    /// Both; not available yet.
    Hybrid,
}

impl Format {
    /// Refuses what cannot be made.
    pub fn check(self) -> Result<(), Error> {
        let name = match self {
            Self::V1 => return Ok(()),
            Self::V2 => "v2",
            Self::Hybrid => "hybrid",
        };
        Err(Error::not_yet(&format!("the {name} format")).remedy(Remedy::FormatV1))
    }
}

/// Fields of a torrent beside its files.
#[derive(Clone, Debug, Default)]
pub struct Recipe {
    /// Its name.
    pub name: String,
    /// Peers come from the trackers only (BEP 27).
    pub private: bool,
    /// Where it is first published.
    pub source: Option<String>,
    /// Its trackers.
    pub trackers: Vec<Tier>,
    /// Web servers that have the files.
    pub web_seeds: Vec<String>,
    /// Nodes of the distributed hash table.
    pub nodes: Vec<Node>,
    /// A comment.
    pub comment: Option<String>,
    /// The program that made it; empty for none.
    pub created_by: String,
    /// When it was made, in seconds since 1970.
    pub date: Option<i64>,
}

/// The name of the file or folder on disk; empty where that is not text.
pub fn name_on_disk(path: &Path) -> Result<String, Error> {
    let whole = std::fs::canonicalize(path).map_err(|error| Error::disk("read", path, &error))?;
    Ok(whole.file_name().unwrap_or(OsStr::new("")).to_str().unwrap_or("").to_owned())
}

/// Pieces and files. Where any size of pieces suits, that of an old torrent is kept as long as it makes
/// a good number of pieces.
pub fn shape(wish: PieceSize, found: &Gathered, old: Option<&Metainfo>) -> Result<Geometry, Error> {
    let total = found.total();
    let old = old.map(|old| old.geometry().piece_len());
    let kept = old.filter(|&len| GOOD_COUNT.contains(&total.div_ceil(u64::from(len))));
    let len = wish.0.or(kept).unwrap_or_else(|| auto_piece_len(total));
    let shape = Geometry::new(u64::from(len), found.files.iter().map(|file| (file.len, false)));
    shape.map_err(|error| {
        let failure = Error::usage(format!("cannot create a torrent: {error}"));
        if matches!(error, GeometryError::TooManyPieces(_)) {
            failure.remedy(Remedy::LargerPieces)
        } else {
            failure
        }
    })
}

/// The torrent, with zeros for digests.
pub fn draft(recipe: &Recipe, found: &Gathered, shape: &Geometry) -> Draft {
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
        name: recipe.name.clone(),
        content,
        piece_len: shape.piece_len(),
        digests: vec![0; shape.piece_count() as usize * 20],
        private: recipe.private,
        source: recipe.source.clone().filter(|source| !source.is_empty()),
        extras: Extras {
            trackers: recipe.trackers.iter().map(|tier| texts(&tier.0)).collect(),
            web_seeds: texts(&recipe.web_seeds),
            nodes: recipe.nodes.iter().map(|node| (Untrusted::new(node.0.as_str()), node.1)).collect(),
            comment: recipe.comment.as_deref().and_then(given),
            created_by: given(&recipe.created_by),
            creation_date: recipe.date,
            ..Extras::default()
        },
    }
}

/// The torrent file and the torrent as everybody will read it. Refuses what nobody could use.
pub fn made(draft: &Draft) -> Result<(Vec<u8>, Metainfo), Error> {
    let bytes = draft.to_bytes();
    if bytes.len() > MAX_BYTES {
        return Err(Error::usage("the torrent file would be larger than 16 MiB").remedy(Remedy::LargerPieces));
    }
    let made = Metainfo::parse(&bytes).map_err(|error| {
        Error::new(ErrorKind::Input, "malformed", format!("the torrent would not be usable: {error}"))
    })?;
    Ok((bytes, made))
}
