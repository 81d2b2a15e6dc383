use super::*;
use crate::store::Pool;

fn filled(pool: &Pool, block: Block) -> Buf {
    let mut buf = pool.try_take().unwrap();
    buf.set_len(block.len() as usize);
    buf.whole_mut()[0] = block.index() as u8;
    buf
}

/// The ranges of saved blocks.
fn saved(buffer: &PieceBuffer) -> Vec<(u32, u32)> {
    buffer.saved_blocks().iter().map(|range| (range.start, range.end)).collect()
}

#[test]
fn blocks_land_in_any_order_and_twins_are_dropped() {
    let geometry = Geometry::single(40_000, 90_001).unwrap();
    let piece = geometry.piece(1).unwrap();
    let pool = Pool::new(1 << 20);
    let filled = |block: Block| filled(&pool, block);
    let blocks: Vec<_> = geometry.blocks(piece).collect();
    let mut buffer = PieceBuffer::new(&geometry, piece);
    assert!(buffer.insert(blocks[2], filled(blocks[2])));
    assert!(!buffer.insert(blocks[2], filled(blocks[2])));
    assert!(!buffer.insert(blocks[0], filled(blocks[2])), "of the wrong length");
    let stranger = geometry.block(geometry.piece(0).unwrap(), 0).unwrap();
    assert!(!buffer.insert(stranger, filled(stranger)));
    assert!(buffer.insert(blocks[1], filled(blocks[1])));
    let mut buffer = buffer.into_bufs().unwrap_err();
    assert!(!buffer.is_complete());
    assert!(buffer.insert(blocks[0], filled(blocks[0])));
    assert!(buffer.next_segment(Some(false)).is_none(), "it is held whole");
    let order: Vec<_> = buffer.into_bufs().unwrap().iter().map(|buf| buf[0]).collect();
    assert_eq!(order, [0, 1, 2]);
    assert_eq!(pool.counters().in_use, 0);
}

#[test]
fn runs_leave_in_order_one_at_a_time_and_the_last_when_it_is_to_be_verified() {
    let geometry = Geometry::single(3 << 20, (2 << 20) + 5).unwrap();
    let piece = geometry.piece(0).unwrap();
    let pool = Pool::new(4 << 20);
    let blocks: Vec<_> = geometry.blocks(piece).collect();
    let mut buffer = PieceBuffer::segmented(&geometry, piece);
    for &block in blocks[1..].iter().rev() {
        assert!(buffer.insert(block, filled(&pool, block)));
        assert!(buffer.next_segment(Some(true)).is_none(), "there is a hole at the front");
    }
    assert!(buffer.insert(blocks[0], filled(&pool, blocks[0])) && buffer.is_complete());
    let first = buffer.next_segment(None).unwrap();
    assert_eq!((first.first, first.bufs.len(), first.last), (0, 64, None));
    assert!(buffer.next_segment(None).is_none(), "one at a time");
    assert!(!buffer.insert(blocks[3], filled(&pool, blocks[3])), "it has left already");
    assert!(buffer.has(blocks[3]));
    let mut hash_state = first.hash_state;
    hash_state.digests = vec![[0; 20]; 64];
    assert_eq!(hash_state.blocks(), 64);
    assert!(buffer.restore_hash_state(hash_state));
    let second = buffer.next_segment(None).unwrap();
    assert_eq!((second.first, second.bufs[5][0], second.last), (64, 69, None));
    assert!(buffer.restore_hash_state(second.hash_state));
    assert!(buffer.next_segment(None).is_none(), "nobody has said that it is to be verified");
    let last = buffer.next_segment(Some(true)).unwrap();
    assert_eq!((last.first, last.bufs.len(), last.last), (128, 1, Some(true)));
    assert!(buffer.restore_hash_state(last.hash_state));
    assert!(buffer.next_segment(Some(true)).is_none() && buffer.into_bufs().is_err());
}

#[test]
fn the_front_of_an_earlier_life_is_known() {
    let geometry = Geometry::single(2 << 20, 2 << 20).unwrap();
    let piece = geometry.piece(0).unwrap();
    let pool = Pool::new(4 << 20);
    let mut old = PieceBuffer::segmented(&geometry, piece);
    for block in geometry.blocks(piece) {
        old.insert(block, filled(&pool, block));
    }
    let segment = old.next_segment(None).unwrap();
    assert!(!segment.hash_state.is_stale());
    drop(old);
    assert!(segment.hash_state.is_stale());
    let mut new = PieceBuffer::segmented(&geometry, piece);
    assert!(!new.restore_hash_state(segment.hash_state));
    assert!(
        !PieceBuffer::new(&geometry, piece)
            .restore_hash_state(new.segments.take().unwrap().hash_state.unwrap())
    );
}

#[test]
fn unsaved_blocks_are_lent_once_and_hold_up_their_piece_meanwhile() {
    let geometry = Geometry::single(3 * 16_384, 3 * 16_384).unwrap();
    let piece = geometry.piece(0).unwrap();
    let pool = Pool::new(1 << 20);
    let blocks: Vec<_> = geometry.blocks(piece).collect();
    let mut buffer = PieceBuffer::new(&geometry, piece);
    assert!(buffer.lend_unsaved().is_none());
    for &block in &blocks[..2] {
        buffer.insert(block, filled(&pool, block));
    }
    let lent = buffer.lend_unsaved().unwrap();
    assert!(buffer.lend_unsaved().is_none() && buffer.has(blocks[1]) && buffer.saved_blocks().is_empty());
    assert!(!buffer.insert(blocks[1], filled(&pool, blocks[1])), "it was received");
    buffer.insert(blocks[2], filled(&pool, blocks[2]));
    let mut buffer = buffer.into_bufs().unwrap_err();
    assert!(buffer.take_back(lent, true));
    assert_eq!(saved(&buffer), [(0, 2)]);
    let lent = buffer.lend_unsaved().unwrap();
    assert_eq!(lent.bufs.len(), 1, "those that are saved stay");
    assert!(buffer.take_back(lent, false), "it could not be saved");
    let lent = buffer.lend_unsaved().unwrap();
    let mut other = PieceBuffer::new(&geometry, piece);
    assert!(!lent.is_stale());
    drop(buffer);
    assert!(lent.is_stale() && !other.take_back(lent, true) && other.saved_blocks().is_empty());
    assert_eq!(pool.counters().in_use, 0);
}

#[test]
fn what_has_left_in_segments_counts_as_saved_once_it_is_written() {
    let geometry = Geometry::single(3 << 20, 2 << 20).unwrap();
    let piece = geometry.piece(0).unwrap();
    let pool = Pool::new(4 << 20);
    let mut buffer = PieceBuffer::segmented_after(&geometry, piece, Stream::default(), vec![[0; 20]; 64]);
    assert_eq!((buffer.taken(), saved(&buffer)), (64, vec![(0, 64)]));
    for block in geometry.blocks(piece).skip(64) {
        assert!(buffer.insert_saved(block, filled(&pool, block)));
    }
    assert!(buffer.is_complete() && buffer.lend_unsaved().is_none());
    assert_eq!((buffer.received().count(), saved(&buffer)), (64, vec![(0, 128)]));
    let last = buffer.next_segment(Some(false)).unwrap();
    assert_eq!((last.first, last.bufs.len(), saved(&buffer)), (64, 64, vec![(0, 64)]));
}
