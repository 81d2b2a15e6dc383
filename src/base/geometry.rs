//! Pieces, blocks and files as one line of bytes.
//!
//! A torrent is one line of bytes: its files end to end. Pieces cut the line at equal distances,
//! blocks cut the pieces, and a span of the line falls into parts of files. Only [`Geometry`] makes
//! [`Piece`] and [`Block`] values, hence they are always in range for it.
//!
//! In a v2 torrent each file begins at a piece, and the gap before the next file belongs to no piece: the
//! last piece of each file is short (BEP 52, "info dictionary", `piece length`). A hybrid torrent has pad
//! files in the same places (BEP 47), so both of its halves number their pieces alike.

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
    /// The file.
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
    /// The piece length is 0 or above [`MAX_PIECE_LEN`], or one that a v2 torrent cannot have.
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
    files: Vec<Extent>,
    /// Whether files begin at pieces, with gaps between them.
    aligned: bool,
}

/// Where a file lies on the line. Extents are in order and do not overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Extent {
    start: u64,
    end: u64,
    pad: bool,
}

impl Geometry {
    /// The geometry of files of these lengths (with whether each is padding), end to end.
    pub fn new(piece_len: u64, files: impl IntoIterator<Item = (u64, bool)>) -> Result<Self, GeometryError> {
        Self::place(piece_len, files, false)
    }

    /// The geometry of a v2 torrent: each file that has bytes begins at a piece, and the piece length is a
    /// power of two of at least [`BLOCK_LEN`] (BEP 52, "info dictionary").
    pub fn aligned(
        piece_len: u64,
        files: impl IntoIterator<Item = (u64, bool)>,
    ) -> Result<Self, GeometryError> {
        let geometry = Self::place(piece_len, files, true)?;
        if geometry.has_trees() { Ok(geometry) } else { Err(GeometryError::PieceLength(piece_len)) }
    }

    fn place(
        piece_len: u64,
        lens: impl IntoIterator<Item = (u64, bool)>,
        aligned: bool,
    ) -> Result<Self, GeometryError> {
        let checked_len = u32::try_from(piece_len).ok().filter(|len| (1..=MAX_PIECE_LEN).contains(len));
        let checked_len = checked_len.ok_or(GeometryError::PieceLength(piece_len))?;
        let (mut files, mut total, mut end) = (Vec::new(), 0_u64, 0_u64);
        for (len, pad) in lens {
            let start = if aligned && len > 0 { end.next_multiple_of(piece_len) } else { end };
            end = start.checked_add(len).filter(|&end| end < MAX_TOTAL_LEN).ok_or(GeometryError::TooLong)?;
            total += len;
            files.push(Extent { start, end, pad });
        }
        if total == 0 {
            return Err(GeometryError::Empty);
        }
        let pieces = end.div_ceil(piece_len);
        if pieces > u64::from(MAX_PIECES) {
            return Err(GeometryError::TooManyPieces(pieces));
        }
        Ok(Self { piece_len: checked_len, total, files, aligned })
    }

    /// A geometry of one file.
    pub fn single(piece_len: u64, len: u64) -> Result<Self, GeometryError> {
        Self::new(piece_len, [(len, false)])
    }

    /// The nominal piece length in bytes; the last piece may be shorter, and of a v2 torrent the last of each
    /// file.
    pub const fn piece_len(&self) -> u32 {
        self.piece_len
    }

    /// All bytes of the torrent, padding included; those of all pieces.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Where the line ends: the total, and the gaps of a v2 torrent.
    pub fn end(&self) -> u64 {
        self.files.last().map_or(0, |file| file.end)
    }

    /// Whether each piece can have a hash tree of its own: whether its length is a power of two of blocks
    /// (BEP 52, "info dictionary", `piece length`).
    pub const fn has_trees(&self) -> bool {
        self.piece_len.is_power_of_two() && self.piece_len >= BLOCK_LEN
    }

    /// How many pieces there are; at least 1.
    pub fn piece_count(&self) -> u32 {
        self.end().div_ceil(u64::from(self.piece_len)) as u32
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
        // A file never begins within a piece of an aligned line, so the one that is there at its start fills it.
        let line_end = if self.aligned { self.files[self.file_at(start)].end } else { self.end() };
        start..(start + u64::from(self.piece_len)).min(line_end)
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
        self.files.len() as u32
    }

    /// Where a file lies on the line; empty for an empty file or one that does not exist.
    pub fn file_range(&self, file: FileIndex) -> Range<u64> {
        self.files.get(file.0 as usize).map_or(self.end()..self.end(), |file| file.start..file.end)
    }

    /// Whether a file is padding (BEP 47).
    pub fn is_pad(&self, file: FileIndex) -> bool {
        self.files.get(file.0 as usize).is_some_and(|file| file.pad)
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

    /// The parts of files that a range of the line falls into, in order; empty files and gaps have no part.
    pub fn parts(&self, range: Range<u64>) -> impl Iterator<Item = FilePart> + '_ {
        let mut at = range.start;
        let mut index = self.file_at(at);
        std::iter::from_fn(move || {
            let file = loop {
                let file = self.files.get(index)?;
                at = at.max(file.start);
                if at >= range.end {
                    return None;
                }
                if at < file.end {
                    break file;
                }
                index += 1;
            };
            let len = range.end.min(file.end) - at;
            let offset = at - file.start;
            at += len;
            Some(FilePart { file: FileIndex(index as u32), offset, len, pad: file.pad })
        })
    }

    /// The parts of files that a piece falls into.
    pub fn parts_of(&self, piece: Piece) -> impl Iterator<Item = FilePart> + '_ {
        self.parts(self.piece_range(piece))
    }

    /// The last file that begins at this place of the line or before.
    fn file_at(&self, at: u64) -> usize {
        self.files.partition_point(|file| file.start <= at).saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
