//! The facts about a torrent, whatever its version and source: a torrent file of v1, v2 or both, or a link
//! that contains little more than the name.

use jiff::Timestamp;

use crate::app::selection::{Listed, listed};
use crate::base::{InfoHashes, Untrusted};
use crate::face::cli::json::hex;
use crate::proto::magnet::{Magnet, MagnetNote};
use crate::proto::metainfo::{Attributes, Extras, Metainfo, downloadable};

/// The note on a torrent without a v1 part, which is not a fault of the torrent.
pub const V2_ALONE: &str = "this torrent is v2 alone: torr can show it, but not download it yet";

/// The facts about a torrent.
pub struct About {
    /// The info-hash.
    pub info_hash: InfoHashes,
    /// Its name, as far as it is known.
    pub name: Option<Untrusted>,
    /// The facts that only a torrent file contains.
    pub content: Option<Content>,
    /// Trackers, web seeds, texts.
    pub extras: Extras,
    /// The facts that only a link contains.
    pub link: Option<Hints>,
    /// Notes about the parts that were left out, as sentences.
    pub notes: Vec<String>,
    /// The link to it.
    pub magnet: Magnet,
}

/// The facts that only a torrent file contains.
pub struct Content {
    /// Bytes of all files, padding not counted.
    pub size: u64,
    /// Bytes of a piece.
    pub piece_len: u32,
    /// How many pieces.
    pub pieces: u64,
    /// Whether the torrent is a single file without a directory of its own.
    pub single: bool,
    /// Peers come from trackers only.
    pub private: bool,
    /// Where it was first published.
    pub source: Option<Untrusted>,
    /// The files that are stored.
    pub files: Vec<Entry>,
}

/// One file.
pub struct Entry {
    /// The number people name it by.
    pub number: usize,
    /// Its path, a stranger's words.
    pub path: String,
    /// The path as it was given, where it could not be used like that.
    pub given: Option<String>,
    /// The length of the file, in bytes.
    pub len: u64,
    /// The attributes of the file (BEP 47).
    pub attributes: Attributes,
}

/// The facts that only a link contains.
pub struct Hints {
    /// Peers, as `host:port`.
    pub peers: Vec<String>,
    /// The chosen files, as `1-3,7`, counted from 1.
    pub select: Option<String>,
}

impl About {
    /// A torrent file.
    pub fn torrent(torrent: &Metainfo) -> Self {
        let files = listed(torrent).map(|file| {
            let known = &torrent.files()[file.number - 1];
            let given =
                known.original().map(|names| names.iter().map(Untrusted::raw).collect::<Vec<_>>().join("/"));
            let path = file.path.to_owned();
            Entry { number: file.number, path, given, len: file.len, attributes: known.attributes() }
        });
        let mut notes: Vec<String> = torrent.notes().iter().map(ToString::to_string).collect();
        if downloadable(&torrent.info_hash()).is_err() {
            notes.push(V2_ALONE.to_owned());
        }
        let shape = torrent.geometry();
        let content = Content {
            size: listed(torrent).fold(0, |sum, file| sum.saturating_add(file.len)),
            piece_len: shape.piece_len(),
            pieces: u64::from(shape.piece_count()),
            single: torrent.is_single_file(),
            private: torrent.is_private(),
            source: torrent.source().cloned(),
            files: files.collect(),
        };
        Self {
            info_hash: torrent.info_hash(),
            name: Some(torrent.name().clone()),
            content: Some(content),
            extras: torrent.extras().clone(),
            link: None,
            notes,
            magnet: Magnet::of(torrent),
        }
    }

    /// A link.
    pub fn link(magnet: Magnet, notes: &[MagnetNote]) -> Self {
        let named = magnet.named_peers.iter().map(|(host, port)| format!("{host}:{port}"));
        let ranges = magnet.select.iter().map(|range| {
            let (from, to) = (u64::from(*range.start()) + 1, u64::from(*range.end()) + 1);
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        });
        let select = ranges.collect::<Vec<_>>().join(",");
        Self {
            info_hash: magnet.info_hash,
            name: magnet.name.clone(),
            content: None,
            extras: Extras {
                trackers: magnet.trackers.iter().map(|url| vec![url.clone()]).collect(),
                web_seeds: magnet.web_seeds.clone(),
                ..Extras::default()
            },
            link: Some(Hints {
                peers: magnet.peers.iter().map(ToString::to_string).chain(named).collect(),
                select: (!select.is_empty()).then_some(select),
            }),
            notes: notes.iter().map(ToString::to_string).collect(),
            magnet,
        }
    }

    /// The files as a tree wants them; none where they are not known.
    pub fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        let files = self.content.iter().flat_map(|content| &content.files);
        files.map(|file| Listed { number: file.number, path: &file.path, len: file.len })
    }

    /// When it was made.
    pub fn created(&self) -> Option<Timestamp> {
        Timestamp::from_second(self.extras.creation_date?).ok()
    }

    /// The v1 hash in hexadecimal.
    pub fn v1(&self) -> Option<String> {
        self.info_hash.v1().map(|digest| hex(&digest))
    }

    /// The v2 hash in hexadecimal.
    pub fn v2_hash(&self) -> Option<String> {
        self.info_hash.v2().map(|digest| hex(&digest))
    }
}
