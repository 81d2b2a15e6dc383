//! What the store has to know of a torrent.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::error::{DiskError, DiskErrorKind};
use crate::base::{FileIndex, Geometry, InfoHashes};
use crate::proto::metainfo::{PieceHashes, downloadable};

/// One file of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSpec {
    /// Where it lies beneath the root; plain names only.
    pub path: PathBuf,
    /// Its length in bytes.
    pub len: u64,
    /// Whether it is padding (BEP 47), which is never stored.
    pub pad: bool,
    /// Whether it is to be executable (BEP 47).
    pub executable: bool,
}

/// The files of a torrent and the hashes of its pieces. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The shape; its files are `files`.
    pub geometry: Arc<Geometry>,
    /// The files in the torrent's order, padding included.
    pub files: Arc<[FileSpec]>,
    /// The hashes of its pieces.
    pub hashes: PieceHashes,
    /// The identity of the torrent.
    pub id: InfoHashes,
}

impl Layout {
    /// A layout, if its parts fit one another and no path leads out of the root or is there twice.
    pub fn new(
        id: InfoHashes,
        geometry: Arc<Geometry>,
        files: Vec<FileSpec>,
        hashes: PieceHashes,
    ) -> Result<Self, DiskError> {
        let invalid = |path: &Path| DiskError::new(DiskErrorKind::Invalid, "use", path);
        // Pieces are hashed by SHA-1 alone so far.
        downloadable(&id).map_err(|error| invalid(Path::new("")).with(error.to_string()))?;
        if hashes.v1().is_none()
            || hashes.count() != geometry.piece_count() as usize
            || files.len() != geometry.file_count() as usize
        {
            return Err(invalid(Path::new("")));
        }
        let mut seen = std::collections::BTreeSet::new();
        for (at, file) in files.iter().enumerate() {
            let index = FileIndex(at as u32);
            let range = geometry.file_range(index);
            let fits = range.end - range.start == file.len && geometry.is_pad(index) == file.pad;
            let plain = file.path.components().all(|part| matches!(part, Component::Normal(_)));
            let named = file.path.file_name().is_some();
            if !fits || (!file.pad && (!plain || !named || !seen.insert(file.path.as_path()))) {
                return Err(invalid(&file.path));
            }
        }
        drop(seen);
        Ok(Self { geometry, files: files.into(), hashes, id })
    }
}

/// How bytes get into files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiskIo {
    /// Through maps where they are good, else by positional writes.
    #[default]
    Auto,
    /// Through maps wherever possible.
    Mmap,
    /// By positional writes.
    Pwrite,
}

/// How the space of files is reserved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Alloc {
    /// Not at all: a file grows as pieces come.
    None,
    /// As a hole of the full length that is filled as pieces come.
    #[default]
    Sparse,
    /// All of it at once.
    Full,
}

/// How a volume behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StorageOptions {
    /// How bytes get into files.
    pub io: DiskIo,
    /// How space is reserved.
    pub alloc: Alloc,
    /// Whether files that are too long may be cut.
    pub overwrite: bool,
    /// Whether files that are reached by links are read, wherever they lie. Nothing is ever written through a link:
    /// such a volume is only read.
    pub follow: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_do_not_fit_one_another_are_refused() {
        let geometry = Arc::new(Geometry::aligned(16_384, [(5, false)]).unwrap());
        let file = |len| FileSpec { path: "a".into(), len, pad: false, executable: false };
        let layout = |id, len, hashes| Layout::new(id, geometry.clone(), vec![file(len)], hashes);
        let (v1, v2) = (InfoHashes::from_v1([1; 20]), InfoHashes::from_v2([2; 32]));
        assert!(layout(v1, 5, PieceHashes::from_v1([[0; 20]])).is_ok());
        assert!(layout(v1, 6, PieceHashes::from_v1([[0; 20]])).is_err());
        assert!(layout(v1, 5, PieceHashes::from_v1([[0; 20]; 2])).is_err());
        assert!(layout(v1, 5, PieceHashes::from_v2([None])).is_err());
        let refused = layout(v2, 5, PieceHashes::from_v2([None])).unwrap_err();
        assert_eq!(refused.detail, "v2-only torrents are not supported yet");
    }
}
