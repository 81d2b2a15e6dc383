//! Torrent files (BEP 3, 5, 12, 19, 27, 47, 52) into checked values, of v1, v2 or both.
//!
//! The bytes pass the guard of [`bencode`](super::bencode) first; only then serde_bencode reads them. The
//! info-hash is taken over the raw bytes of the info dictionary, which are kept. What is vital is
//! checked and refused by name ([`MetainfoError`]); what is not is passed over with a [`Note`].

mod check;
mod draft;
mod edit;
mod entries;
mod error;
mod extras;
mod fields;
mod file;
mod file_tree;
mod hybrid;
mod layers;
mod naming;
mod pieces;
#[cfg(test)]
mod tests;
mod v2;
mod wire;

pub use draft::{Content, Draft, DraftFile, auto_piece_len};
pub use edit::{Edit, EditError};
pub use error::{LayersError, MetainfoError, Note};
pub use extras::Extras;
pub use fields::{Field, Fields};
pub use file::{Attributes, File};
pub use file_tree::FileTreeError;
pub use hybrid::HybridError;
pub use pieces::{PieceDigest, PieceHashes};

use crate::base::{FileIndex, Geometry, InfoHashes, Untrusted};

/// Refuses a torrent that is v2 alone: it can be read and shown, and its content not be fetched yet.
pub fn downloadable(info_hash: &InfoHashes) -> Result<(), MetainfoError> {
    info_hash.v1().map(|_| ()).ok_or(MetainfoError::V2Only)
}

/// A checked torrent of v1, v2 or both. Pieces and files of a hybrid torrent are those of its v1 half.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metainfo {
    info_hash: InfoHashes,
    raw_info: Box<[u8]>,
    piece_hashes: PieceHashes,
    /// The piece layers of the v2 part as they stood in the file.
    piece_layers: Option<Box<[u8]>>,
    name: Untrusted,
    geometry: Geometry,
    files: Vec<File>,
    single: bool,
    renamed: bool,
    private: bool,
    source: Option<Untrusted>,
    extras: Extras,
    notes: Vec<Note>,
}

impl Metainfo {
    /// Reads a torrent file of at most 16 MiB.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetainfoError> {
        check::file(bytes)
    }

    /// Reads an info dictionary alone, as peers send it (BEP 9). There must be nothing after it. Whether
    /// it is the wanted one is told by [`info_hash`](Self::info_hash).
    pub fn from_info(raw_info: &[u8]) -> Result<Self, MetainfoError> {
        check::info(raw_info)
    }

    /// The torrent itself, if its content can be downloaded and seeded.
    pub fn downloadable(self) -> Result<Self, MetainfoError> {
        downloadable(&self.info_hash).map(|()| self)
    }

    /// The same torrent with other trackers, texts and so on.
    pub fn with_extras(self, extras: Extras) -> Self {
        Self { extras, ..self }
    }

    /// The same torrent with its file or directory called something else on the disk. What cannot be a
    /// name is changed until it can.
    pub fn with_root_name(mut self, name: &str) -> Self {
        for file in &mut self.files {
            file.path = file.path.with_root(name.as_bytes());
            file.link = file.link.as_ref().map(|link| link.with_root(name.as_bytes()));
        }
        self.renamed = true;
        self
    }

    /// What its file or directory is called on the disk instead of the name it was given, if it is.
    pub fn root_name(&self) -> Option<&str> {
        self.renamed.then(|| self.top_name())
    }

    /// The name of its file or directory on the disk: the outermost component of all its paths. Padding and
    /// links are never stored and have no say in it.
    pub fn top_name(&self) -> &str {
        let stored = self.files.iter().find(|file| file.is_stored());
        stored.or(self.files.first()).and_then(|file| file.path.components().next()).unwrap_or_default()
    }

    /// What identifies it.
    pub const fn info_hash(&self) -> InfoHashes {
        self.info_hash
    }

    /// The info dictionary as it stands in the file.
    pub fn raw_info(&self) -> &[u8] {
        &self.raw_info
    }

    /// The name as it was given: of the file, or of the directory that holds the files.
    pub const fn name(&self) -> &Untrusted {
        &self.name
    }

    /// Pieces and files as one line of bytes.
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The hashes of its pieces.
    pub const fn piece_hashes(&self) -> &PieceHashes {
        &self.piece_hashes
    }

    /// The files in their order, pad files and links included; at least one.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// The file of this number, if there is one.
    pub fn file(&self, file: FileIndex) -> Option<&File> {
        self.files.get(file.0 as usize)
    }

    /// Whether it was described as a single file, which lies in no directory of its own.
    pub const fn is_single_file(&self) -> bool {
        self.single
    }

    /// Whether peers may come from its trackers only (BEP 27).
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// Where it was first published, as some private trackers want it.
    pub const fn source(&self) -> Option<&Untrusted> {
        self.source.as_ref()
    }

    /// What the file says beyond the info dictionary.
    pub const fn extras(&self) -> &Extras {
        &self.extras
    }

    /// What was passed over.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}
