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
    for odd in [0, 8 << 10, 48 << 10, 1 << 32] {
        assert_eq!(Geometry::aligned(odd, [(5, false)]), Err(GeometryError::PieceLength(odd)));
    }
    let small = std::iter::repeat_n((1, false), MAX_PIECES as usize + 1);
    assert_eq!(Geometry::aligned(1 << 14, small), Err(GeometryError::TooManyPieces(too_many)));
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
        Geometry::new(10, [(0, false), (7, false), (0, false), (3, true), (5, false), (0, false)]).unwrap();
    let parts: Vec<_> = shape.parts(0..15).map(|p| (p.file.0, p.offset, p.len, p.pad)).collect();
    assert_eq!(parts, [(1, 0, 7, false), (3, 0, 3, true), (4, 0, 5, false)]);
    assert_eq!(shape.pieces_of(FileIndex(4)), 1..2);
    assert_eq!(shape.pieces_of(FileIndex(0)), 0..0);
}

#[test]
fn files_of_v2_begin_at_pieces() {
    let lens = [(0, false), (40_000, false), (0, false), (5, false), (16_384, false), (0, false)];
    let shape = Geometry::aligned(16_384, lens).unwrap();
    assert_eq!((shape.piece_count(), shape.total(), shape.end()), (5, 56_389, 81_920));
    let lens: Vec<u32> = shape.pieces().map(|piece| shape.len_of(piece)).collect();
    assert_eq!(lens, [16_384, 16_384, 7_232, 5, 16_384]);
    let pieces: Vec<_> = (0..6).map(|file| shape.pieces_of(FileIndex(file))).collect();
    assert_eq!(pieces, [0..0, 0..3, 0..0, 3..4, 4..5, 0..0]);
    assert!(shape.block_at(3, 0, 5).is_some() && shape.span_at(3, 0, 6).is_none());
    let parts: Vec<_> = shape.parts(32_768..81_920).map(|p| (p.file.0, p.offset, p.len)).collect();
    assert_eq!(parts, [(1, 32_768, 7_232), (3, 0, 5), (4, 0, 16_384)]);
    assert_eq!(shape.parts(40_000..49_152).count(), 0, "a gap");
}

proptest! {
    #[test]
    fn v2_is_as_if_padded(lens in prop::collection::vec(0_u64..70_000, 1..12), power in 14_u32..17) {
        prop_assume!(lens.iter().sum::<u64>() > 0);
        let piece_len = 1_u64 << power;
        let shape = Geometry::aligned(piece_len, lens.iter().map(|&len| (len, false))).unwrap();
        // The same with pad files, as a hybrid torrent has them: after each file but the last.
        let padded = lens.iter().flat_map(|&len| [(len, false), (len.next_multiple_of(piece_len) - len, true)]);
        let padded = Geometry::new(piece_len, padded).unwrap();
        prop_assert_eq!(shape.piece_count(), padded.piece_count());
        prop_assert_eq!(shape.total(), lens.iter().sum::<u64>());
        let mut sum = 0;
        for (piece, same) in shape.pieces().zip(padded.pieces()) {
            let mut parts: Vec<FilePart> = shape.parts_of(piece).collect();
            prop_assert_eq!(parts.len(), 1, "a piece never covers two files");
            parts[0].file.0 *= 2;
            let stored: Vec<FilePart> = padded.parts_of(same).filter(|part| !part.pad).collect();
            prop_assert_eq!(parts, stored);
            let blocks: u32 = shape.blocks(piece).map(Block::len).sum();
            prop_assert_eq!(blocks, shape.len_of(piece));
            sum += u64::from(blocks);
        }
        prop_assert_eq!(sum, shape.total());
        for file in (0..shape.file_count()).map(FileIndex) {
            let (range, pieces) = (shape.file_range(file), shape.pieces_of(file));
            prop_assert_eq!(range.end - range.start, lens[file.0 as usize]);
            prop_assert_eq!(pieces.len() as u64, lens[file.0 as usize].div_ceil(piece_len));
            for index in pieces {
                prop_assert_eq!(shape.parts_of(shape.piece(index).unwrap()).next().unwrap().file, file);
            }
        }
    }

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
