//! Torrents for tests.

use std::path::Path;
use std::sync::Arc;

use super::{Alloc, BUF_LEN, Buf, DiskIo, FilePool, FileSpec, Layout, Pool, Storage, StorageOptions};
use crate::base::{FileIndex, Geometry, InfoHashes, Piece};
use crate::hash;
use crate::proto::metainfo::PieceHashes;

/// The modes of writing that every storage test runs on.
pub(super) const IO_MODES: [DiskIo; 2] = [DiskIo::Mmap, DiskIo::Pwrite];

/// A torrent and its bytes.
pub(super) struct Sample {
    pub(super) layout: Layout,
    pub(super) line: Vec<u8>,
}

impl Sample {
    /// A torrent with files of these lengths, each with whether it is a padding file.
    pub(super) fn new(piece_len: u64, lens: &[(u64, bool)]) -> Self {
        let geometry = Arc::new(Geometry::new(piece_len, lens.iter().copied()).unwrap());
        let mut line: Vec<u8> = (0..geometry.total()).map(|i| (i ^ (i >> 8) ^ (i >> 13)) as u8 | 1).collect();
        let mut files = Vec::new();
        for (at, &(len, pad)) in lens.iter().enumerate() {
            let path = if at % 3 == 0 { format!("top/{at}") } else { format!("top/dir{}/{at}", at % 2) };
            files.push(FileSpec { path: path.into(), len, pad, executable: at % 4 == 1 });
            if pad {
                let range = geometry.file_range(FileIndex(at as u32));
                line[range.start as usize..range.end as usize].fill(0);
            }
        }
        let digests: Vec<_> = line.chunks(piece_len as usize).map(hash::sha1).collect();
        let hashes = PieceHashes::from_v1(digests);
        let id = InfoHashes::from_v1([0xab; 20]);
        Self { layout: Layout::new(id, geometry, files, hashes).unwrap(), line }
    }

    pub(super) fn geometry(&self) -> &Geometry {
        &self.layout.geometry
    }

    pub(super) fn piece(&self, index: u32) -> Piece {
        self.geometry().piece(index).unwrap()
    }

    /// The payload of a piece.
    pub(super) fn bytes(&self, piece: Piece) -> &[u8] {
        let range = self.geometry().piece_range(piece);
        &self.line[range.start as usize..range.end as usize]
    }

    /// The payload of a file.
    pub(super) fn file(&self, at: usize) -> &[u8] {
        let range = self.geometry().file_range(FileIndex(at as u32));
        &self.line[range.start as usize..range.end as usize]
    }

    /// The payload of a piece, a buffer for each block.
    pub(super) fn bufs(&self, piece: Piece, pool: &Pool) -> Vec<Buf> {
        let chunks = self.bytes(piece).chunks(BUF_LEN);
        chunks
            .map(|chunk| {
                let mut buf = pool.try_take().unwrap();
                buf.fill(chunk);
                buf
            })
            .collect()
    }

    pub(super) fn storage(&self, root: &Path, io: DiskIo, wanted: &[bool]) -> Storage {
        let options = StorageOptions { io, alloc: Alloc::Sparse, overwrite: false, follow: false };
        Storage::new(root, self.layout.clone(), options, wanted, &FilePool::new(4)).unwrap()
    }
}
