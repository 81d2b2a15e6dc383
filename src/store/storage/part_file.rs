//! The part file: its name, and the slots of pieces that cover several files.

use std::path::PathBuf;

use crate::base::FileIndex;
use crate::store::layout::Layout;

/// Maximum bytes of the torrent's name in the name of the part file; file names are limited to 255 bytes.
const MAX_NAME: usize = 180;

/// The name of the part file and its slots.
#[derive(Debug)]
pub(super) struct PartFile {
    /// File name in the root.
    pub(super) name: PathBuf,
    pieces: Vec<u32>,
}

impl PartFile {
    /// The part file of this torrent.
    pub(super) fn of(layout: &Layout) -> Self {
        let mut pieces: Vec<u32> = Vec::new();
        let mut last = None;
        for at in 0..layout.files.len() as u32 {
            let range = layout.geometry.pieces_of(FileIndex(at));
            if range.is_empty() || layout.geometry.is_pad(FileIndex(at)) {
                continue;
            }
            if last == Some(range.start) && pieces.last() != Some(&range.start) {
                pieces.push(range.start);
            }
            last = Some(range.end - 1);
        }
        let first = layout.files.iter().find(|file| !file.pad);
        let name = first.and_then(|file| file.path.components().next());
        let name = name.map(|name| name.as_os_str().to_string_lossy().into_owned()).unwrap_or_default();
        let short = &name[..name.floor_char_boundary(MAX_NAME)];
        Self { name: PathBuf::from(format!(".{short}.{}.part", layout.id.short())), pieces }
    }

    /// The slot number of a piece, if it covers several files.
    pub(super) fn slot(&self, piece: u32) -> Option<u64> {
        self.pieces.binary_search(&piece).ok().map(|slot| slot as u64)
    }
}
