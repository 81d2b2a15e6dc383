//! Torrent files of v1, v2 or both (BEP 3, 5, 12, 19, 27, 47, 52).
//!
//! The scanner of [`bencode`](super::bencode) checks the bytes before serde_bencode reads them. The info-hash
//! is computed from the raw bytes of the info dictionary, which are kept. A fault in a vital part is a
//! [`MetainfoError`]; any other unusable part is left out, with a [`Note`].

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

/// Refuses a v2-only torrent: it can be parsed and shown, but its content cannot be downloaded yet.
pub fn downloadable(info_hash: &InfoHashes) -> Result<(), MetainfoError> {
    info_hash.v1().map(|_| ()).ok_or(MetainfoError::V2Only)
}

/// A validated torrent of v1, v2 or both. The pieces and files of a hybrid torrent are those of its v1 half.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metainfo {
    info_hash: InfoHashes,
    raw_info: Box<[u8]>,
    piece_hashes: PieceHashes,
    /// The bencoded `piece layers` of the torrent file.
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
    /// Parses a torrent file of at most 16 MiB.
    pub fn parse(bytes: &[u8]) -> Result<Self, MetainfoError> {
        check::file(bytes)
    }

    /// Parses a separate info dictionary, as peers send it (BEP 9), with no bytes after it. The caller
    /// compares [`info_hash`](Self::info_hash) with the one it wants.
    pub fn from_info(raw_info: &[u8]) -> Result<Self, MetainfoError> {
        check::info(raw_info)
    }

    /// Returns the torrent, or an error if it is v2-only and cannot be downloaded yet.
    pub fn downloadable(self) -> Result<Self, MetainfoError> {
        downloadable(&self.info_hash).map(|()| self)
    }

    /// Replaces the keys outside the info dictionary.
    pub fn with_extras(self, extras: Extras) -> Self {
        Self { extras, ..self }
    }

    /// Renames the torrent's file or directory on disk. Characters that are unsafe in a name are replaced.
    pub fn with_root_name(mut self, name: &str) -> Self {
        for file in &mut self.files {
            file.path = file.path.with_root(name.as_bytes());
            file.link = file.link.as_ref().map(|link| link.with_root(name.as_bytes()));
        }
        self.renamed = true;
        self
    }

    /// The name on disk that was set with [`with_root_name`](Self::with_root_name).
    pub fn root_name(&self) -> Option<&str> {
        self.renamed.then(|| self.top_name())
    }

    /// The name of the torrent's file or directory on disk: the first component of all its paths. Padding and
    /// links do not count, as they are never stored.
    pub fn top_name(&self) -> &str {
        let stored = self.files.iter().find(|file| file.is_stored());
        stored.or(self.files.first()).and_then(|file| file.path.components().next()).unwrap_or_default()
    }

    /// The info-hash.
    pub const fn info_hash(&self) -> InfoHashes {
        self.info_hash
    }

    /// The bencoded info dictionary, unchanged.
    pub fn raw_info(&self) -> &[u8] {
        &self.raw_info
    }

    /// The torrent's own name for its file or directory.
    pub const fn name(&self) -> &Untrusted {
        &self.name
    }

    /// The geometry: the boundaries of pieces, blocks and files.
    pub const fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The hashes of all pieces.
    pub const fn piece_hashes(&self) -> &PieceHashes {
        &self.piece_hashes
    }

    /// The files in order, including pad files and links; at least one.
    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Returns the file with this index.
    pub fn file(&self, file: FileIndex) -> Option<&File> {
        self.files.get(file.0 as usize)
    }

    /// Whether the torrent is a single file, without a directory of its own.
    pub const fn is_single_file(&self) -> bool {
        self.single
    }

    /// Whether peers may come from trackers only (BEP 27).
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// The site that the torrent is published on (`source`), which some private trackers require.
    pub const fn source(&self) -> Option<&Untrusted> {
        self.source.as_ref()
    }

    /// The keys outside the info dictionary.
    pub const fn extras(&self) -> &Extras {
        &self.extras
    }

    /// Notes about the parts that were left out or changed.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }
}
