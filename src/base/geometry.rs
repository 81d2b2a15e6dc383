//! Pieces, blocks and files as one line of bytes.
//!
//! A torrent is one line of bytes: its files end to end. Pieces cut the line at equal distances,
//! blocks cut the pieces, and a span of the line falls into parts of files. Only [`Geometry`] makes
//! [`Piece`] and [`Block`] values, hence they are always in range for it.

use std::ops::Range;

/// The length of a block, the unit of a request: 16 KiB (BEP 3). The last block of a piece may be shorter.
pub const BLOCK_LEN: u32 = 16 * 1024;
/// Blocks of a run: a piece that is too long to be held whole is hashed and written in runs of 1 MiB.
pub const RUN_BLOCKS: u32 = 64;
/// The length of a run in bytes; the last run of a piece may be shorter.
pub const RUN_LEN: u64 = (RUN_BLOCKS * BLOCK_LEN) as u64;
/// The most pieces a torrent may have.
pub const MAX_PIECES: u32 = 1 << 21;
/// The longest piece, in bytes.
pub const MAX_PIECE_LEN: u32 = 32_767 * BLOCK_LEN;
/// The most bytes a torrent may have (exclusive).
pub const MAX_TOTAL_LEN: u64 = 1 << 48;

/// The number of a piece.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Piece(u32);

impl Piece {
    /// The number itself, counted from 0.
    pub const fn index(self) -> u32 {
        self.0
    }

    pub(super) const fn raw(index: u32) -> Self {
        Self(index)
    }
}

/// One block of a piece: what is asked for in one request.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Block {
    piece: Piece,
    index: u16,
    len: u16,
}

impl Block {
    /// The piece it lies in.
    pub const fn piece(self) -> Piece {
        self.piece
    }

    /// Its number within the piece.
    pub const fn index(self) -> u32 {
        self.index as u32
    }

    /// Its first byte, counted from the start of the piece.
    pub const fn begin(self) -> u32 {
        self.index as u32 * BLOCK_LEN
    }

    /// Its length in bytes: 1 to [`BLOCK_LEN`].
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(self) -> u32 {
        self.len as u32
    }

    /// The same bytes as a span.
    pub const fn span(self) -> Span {
        Span { piece: self.piece, begin: self.begin(), len: self.len() }
    }
}

/// Any run of bytes within one piece, at most [`BLOCK_LEN`] of them: what a peer may ask of us.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Span {
    piece: Piece,
    begin: u32,
    len: u32,
}

impl Span {
    /// The piece it lies in.
    pub const fn piece(self) -> Piece {
        self.piece
    }

    /// Its first byte, counted from the start of the piece.
    pub const fn begin(self) -> u32 {
        self.begin
    }

    /// Its length in bytes: 1 to [`BLOCK_LEN`].
    #[allow(clippy::len_without_is_empty)]
    pub const fn len(self) -> u32 {
        self.len
    }
}

/// The number of a file in its torrent, counted from 0 and counting pad files too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FileIndex(pub u32);

/// A run of bytes within one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FilePart {
    /// Which file.
    pub file: FileIndex,
    /// The first byte, counted from the start of the file.
    pub offset: u64,
    /// How many bytes; never 0.
    pub len: u64,
    /// Whether the file is padding (BEP 47): zeros that are never stored.
    pub pad: bool,
}

/// Why lengths make no geometry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum GeometryError {
    /// The piece length is 0 or above [`MAX_PIECE_LEN`].
    #[error("the piece length {0} is outside 1 to {MAX_PIECE_LEN}")]
    PieceLength(u64),
    /// The files add up to nothing.
    #[error("the torrent has no content")]
    Empty,
    /// The files add up to [`MAX_TOTAL_LEN`] or more.
    #[error("the files add up to more than 256 TiB")]
    TooLong,
    /// There are more than [`MAX_PIECES`].
    #[error("{0} pieces are more than {MAX_PIECES}")]
    TooManyPieces(u64),
}

/// The shape of a torrent: piece length, total length and where each file lies.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Geometry {
    piece_len: u32,
    total: u64,
    /// The start of each file on the line, and the total at the end.
    starts: Vec<u64>,
    pads: Vec<bool>,
}

impl Geometry {
    /// The geometry of files of these lengths (with whether each is padding), end to end.
    pub fn new(piece_len: u64, files: impl IntoIterator<Item = (u64, bool)>) -> Result<Self, GeometryError> {
        let checked_len = u32::try_from(piece_len).ok().filter(|len| (1..=MAX_PIECE_LEN).contains(len));
        let piece_len = checked_len.ok_or(GeometryError::PieceLength(piece_len))?;
        let (mut starts, mut pads, mut total) = (Vec::new(), Vec::new(), 0_u64);
        for (len, pad) in files {
            starts.push(total);
            pads.push(pad);
            total = total.checked_add(len).filter(|&t| t < MAX_TOTAL_LEN).ok_or(GeometryError::TooLong)?;
        }
        starts.push(total);
        if total == 0 {
            return Err(GeometryError::Empty);
        }
        let pieces = total.div_ceil(u64::from(piece_len));
        if pieces > u64::from(MAX_PIECES) {
            return Err(GeometryError::TooManyPieces(pieces));
        }
        Ok(Self { piece_len, total, starts, pads })
    }

    /// A geometry of one file.
    pub fn single(piece_len: u64, len: u64) -> Result<Self, GeometryError> {
        Self::new(piece_len, [(len, false)])
    }

    /// The nominal piece length in bytes; the last piece may be shorter.
    pub const fn piece_len(&self) -> u32 {
        self.piece_len
    }

    /// All bytes of the torrent, padding included.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many pieces there are; at least 1.
    pub fn piece_count(&self) -> u32 {
        self.total.div_ceil(u64::from(self.piece_len)) as u32
    }

    /// The piece of this number, if there is one.
    pub fn piece(&self, index: u32) -> Option<Piece> {
        (index < self.piece_count()).then_some(Piece(index))
    }

    /// All pieces, in order.
    pub fn pieces(&self) -> impl DoubleEndedIterator<Item = Piece> + ExactSizeIterator + use<> {
        (0..self.piece_count()).map(Piece)
    }

    /// Where a piece lies on the line.
    pub fn piece_range(&self, piece: Piece) -> Range<u64> {
        let start = u64::from(piece.0) * u64::from(self.piece_len);
        start..(start + u64::from(self.piece_len)).min(self.total)
    }

    /// The length of this piece in bytes.
    pub fn len_of(&self, piece: Piece) -> u32 {
        let range = self.piece_range(piece);
        (range.end - range.start) as u32
    }

    /// How many blocks this piece has; at least 1.
    pub fn blocks_in(&self, piece: Piece) -> u32 {
        self.len_of(piece).div_ceil(BLOCK_LEN)
    }

    /// The block of this number within a piece, if there is one.
    pub fn block(&self, piece: Piece, index: u32) -> Option<Block> {
        if piece.0 >= self.piece_count() || index >= self.blocks_in(piece) {
            return None;
        }
        let len = (self.len_of(piece) - index * BLOCK_LEN).min(BLOCK_LEN);
        Some(Block { piece, index: index as u16, len: len as u16 })
    }

    /// All blocks of a piece, in order.
    pub fn blocks(&self, piece: Piece) -> impl DoubleEndedIterator<Item = Block> + '_ {
        (0..self.blocks_in(piece)).filter_map(move |index| self.block(piece, index))
    }

    /// The block with exactly these numbers from a message, if there is one.
    pub fn block_at(&self, piece: u32, begin: u32, len: u32) -> Option<Block> {
        if !begin.is_multiple_of(BLOCK_LEN) {
            return None;
        }
        self.block(self.piece(piece)?, begin / BLOCK_LEN).filter(|block| block.len() == len)
    }

    /// The span with these numbers from a request, if it lies within its piece and is neither empty
    /// nor longer than [`BLOCK_LEN`].
    pub fn span_at(&self, piece: u32, begin: u32, len: u32) -> Option<Span> {
        let piece = self.piece(piece)?;
        let end = begin.checked_add(len)?;
        ((1..=BLOCK_LEN).contains(&len) && end <= self.len_of(piece)).then_some(Span { piece, begin, len })
    }

    /// How many files there are, padding included.
    pub fn file_count(&self) -> u32 {
        self.pads.len() as u32
    }

    /// Where a file lies on the line; empty for an empty file or one that does not exist.
    pub fn file_range(&self, file: FileIndex) -> Range<u64> {
        let at = file.0 as usize;
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(&start), Some(&end)) => start..end,
            _ => self.total..self.total,
        }
    }

    /// Whether a file is padding (BEP 47).
    pub fn is_pad(&self, file: FileIndex) -> bool {
        self.pads.get(file.0 as usize).copied().unwrap_or(false)
    }

    /// The pieces that hold at least one byte of a file, as a range of piece numbers.
    pub fn pieces_of(&self, file: FileIndex) -> Range<u32> {
        let range = self.file_range(file);
        if range.is_empty() {
            return 0..0;
        }
        let len = u64::from(self.piece_len);
        (range.start / len) as u32..((range.end - 1) / len) as u32 + 1
    }

    /// The parts of files that a range of the line falls into, in order; empty files have no part.
    pub fn parts(&self, range: Range<u64>) -> impl Iterator<Item = FilePart> + '_ {
        let end = range.end.min(self.total);
        let mut at = range.start;
        let mut file = self.starts.partition_point(|&start| start <= at).saturating_sub(1);
        std::iter::from_fn(move || {
            while at < end && self.starts[file + 1] <= at {
                file += 1;
            }
            (at < end).then(|| {
                let len = end.min(self.starts[file + 1]) - at;
                let part = FilePart {
                    file: FileIndex(file as u32),
                    offset: at - self.starts[file],
                    len,
                    pad: self.pads[file],
                };
                at += len;
                part
            })
        })
    }

    /// The parts of files that a piece falls into.
    pub fn parts_of(&self, piece: Piece) -> impl Iterator<Item = FilePart> + '_ {
        self.parts(self.piece_range(piece))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_that_make_no_torrent_are_refused() {
        assert_eq!(Geometry::single(0, 5), Err(GeometryError::PieceLength(0)));
        assert_eq!(Geometry::single(1 << 32, 5), Err(GeometryError::PieceLength(1 << 32)));
        assert_eq!(Geometry::single(16_384, 0), Err(GeometryError::Empty));
        assert_eq!(Geometry::new(1, [(u64::MAX, false), (2, false)]), Err(GeometryError::TooLong));
        let too_many = u64::from(MAX_PIECES) + 1;
        assert_eq!(Geometry::single(1, too_many), Err(GeometryError::TooManyPieces(too_many)));
    }

    #[test]
    fn the_last_piece_and_block_are_short() {
        let shape = Geometry::single(40_000, 90_001).unwrap();
        assert_eq!(shape.piece_count(), 3);
        let last = shape.piece(2).unwrap();
        assert_eq!((shape.len_of(last), shape.blocks_in(last)), (10_001, 1));
        let first = shape.piece(0).unwrap();
        assert_eq!(shape.blocks(first).map(Block::len).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
        assert!(shape.block_at(0, 32_768, 7_232).is_some());
        assert!(shape.block_at(0, 32_768, 16_384).is_none());
        assert!(shape.block_at(0, 1, 16_384).is_none());
        assert!(shape.span_at(0, 1, 16_384).is_some());
        assert!(shape.span_at(2, 1, 10_001).is_none());
        assert!(shape.span_at(0, u32::MAX, 2).is_none());
        assert!(shape.span_at(0, 0, 0).is_none());
        assert!(shape.span_at(0, 0, BLOCK_LEN + 1).is_none());
    }

    #[test]
    fn empty_files_have_no_part() {
        let shape =
            Geometry::new(10, [(0, false), (7, false), (0, false), (3, true), (5, false), (0, false)])
                .unwrap();
        let parts: Vec<_> = shape.parts(0..15).map(|p| (p.file.0, p.offset, p.len, p.pad)).collect();
        assert_eq!(parts, [(1, 0, 7, false), (3, 0, 3, true), (4, 0, 5, false)]);
        assert_eq!(shape.pieces_of(FileIndex(4)), 1..2);
        assert_eq!(shape.pieces_of(FileIndex(0)), 0..0);
    }

    proptest! {
        #[test]
        fn parts_cover_a_range_without_gap_or_overlap(
            lens in prop::collection::vec(0_u64..200, 1..20), piece_len in 1_u64..100, a in 0_u64..4000, b in 0_u64..4000,
        ) {
            prop_assume!(lens.iter().sum::<u64>() > 0);
            let shape = Geometry::new(piece_len, lens.iter().map(|&len| (len, false))).unwrap();
            let range = a.min(b).min(shape.total())..a.max(b).min(shape.total());
            let mut at = range.start;
            for part in shape.parts(range.clone()) {
                let file = shape.file_range(part.file);
                prop_assert_eq!(file.start + part.offset, at);
                prop_assert!(part.len > 0 && part.offset + part.len <= file.end - file.start);
                at += part.len;
            }
            prop_assert_eq!(at, range.end.max(range.start));
            let blocks: u64 = shape.pieces().flat_map(|p| shape.blocks(p).map(|b| u64::from(b.len())).collect::<Vec<_>>()).sum();
            prop_assert_eq!(blocks, shape.total());
        }
    }
}
