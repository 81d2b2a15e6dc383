//! The pieces that more than one file has a share in, and their slots in the part file.

use std::path::PathBuf;

use crate::base::FileIndex;
use crate::store::layout::Layout;

/// The most bytes of the torrent's name in the name of the part file; names end at 255.
const MAX_NAME: usize = 180;

/// The seams of a torrent.
#[derive(Debug)]
pub(super) struct PartFile {
    /// The name of the part file.
    pub(super) name: PathBuf,
    pieces: Vec<u32>,
}

impl PartFile {
    /// The seams of this torrent.
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

    /// The slot of a piece, if it has one.
    pub(super) fn slot(&self, piece: u32) -> Option<u64> {
        self.pieces.binary_search(&piece).ok().map(|slot| slot as u64)
    }
}
