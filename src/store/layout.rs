//! The layout of a torrent on disk: its files, its pieces, and how they are written.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::error::{DiskError, DiskErrorKind};
use crate::base::{FileIndex, Geometry, InfoHashes};
use crate::proto::metainfo::{PieceHashes, downloadable};

/// A file of a torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileSpec {
    /// The path beneath the root; plain names only.
    pub path: PathBuf,
    /// The length in bytes.
    pub len: u64,
    /// Marks a padding file (BEP 47), which is never stored.
    pub pad: bool,
    /// Sets the executable bit of the file (BEP 47).
    pub executable: bool,
}

/// The files of a torrent and the hashes of its pieces. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The geometry of pieces and files; its files are `files`.
    pub geometry: Arc<Geometry>,
    /// The files in the torrent's order, padding files included.
    pub files: Arc<[FileSpec]>,
    /// The piece hashes.
    pub hashes: PieceHashes,
    /// The info-hashes of the torrent.
    pub id: InfoHashes,
}

impl Layout {
    /// A layout of consistent parts. Geometry, files and hashes must match, and every path must be unique and
    /// stay beneath the root; otherwise the error is [`DiskErrorKind::Invalid`].
    pub fn new(
        id: InfoHashes,
        geometry: Arc<Geometry>,
        files: Vec<FileSpec>,
        hashes: PieceHashes,
    ) -> Result<Self, DiskError> {
        let invalid = |path: &Path| DiskError::new(DiskErrorKind::Invalid, "use", path);
        // Only SHA-1 pieces (v1) are supported so far.
        downloadable(&id).map_err(|error| invalid(Path::new("")).with_detail(error.to_string()))?;
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

/// The way bytes are written to files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DiskIo {
    /// Memory maps where they are fast, positional writes elsewhere.
    #[default]
    Auto,
    /// Memory maps wherever possible.
    Mmap,
    /// Positional writes (`pwritev`).
    Pwrite,
}

/// The allocation of disk space.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Alloc {
    /// No allocation: a file grows as pieces arrive.
    None,
    /// A sparse file of the full length.
    #[default]
    Sparse,
    /// All space is allocated before the download begins.
    Full,
}

/// Options of a [`Storage`](super::Storage).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StorageOptions {
    /// The way bytes are written.
    pub io: DiskIo,
    /// The allocation of disk space.
    pub alloc: Alloc,
    /// Allows to truncate files that are longer than the torrent says.
    pub overwrite: bool,
    /// Follows symbolic links when reading. Such a storage is read-only: nothing is ever written through a
    /// link.
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
