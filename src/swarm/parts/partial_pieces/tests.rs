use proptest::prelude::*;

use super::*;

const A: PeerKey = PeerKey(1);
const B: PeerKey = PeerKey(2);

fn one_open() -> (Geometry, Piece, PartialPieces) {
    let geometry = Geometry::single(65_536, 100_000).unwrap();
    let piece = geometry.piece(0).unwrap();
    let mut partial = PartialPieces::default();
    partial.open(Moment::START, &geometry, piece, RequestWindow::new(4, 0), None, false);
    (geometry, piece, partial)
}

#[test]
fn of_a_long_piece_only_what_is_in_window_is_given_and_taken() {
    let geometry = Geometry::single(3 << 20, 3 << 20).unwrap();
    let piece = geometry.piece(0).unwrap();
    let mut partial = PartialPieces::default();
    partial.open(Moment::START, &geometry, piece, RequestWindow::new(192, 0), None, false);
    assert_eq!((partial.bytes(), partial.elastic().count()), (1 << 20, 1));
    let blocks = partial.take(&geometry, piece, A, 500);
    assert_eq!((blocks.len(), partial.with_free().count()), (64, 0));
    let beyond = geometry.block(piece, 64).unwrap();
    assert_eq!(partial.receive(Moment::START, beyond, B), Arrival::Duplicate);
    partial.extend(piece);
    assert_eq!((partial.bytes(), partial.take(&geometry, piece, B, 500).len()), (2 << 20, 64));
    for &block in &blocks {
        assert_eq!(partial.receive(Moment::START, block, A), Arrival::New(vec![]));
    }
    assert_eq!(partial.requested(&geometry, piece).len(), 64);
    partial.flush(piece, 64);
    assert_eq!((partial.bytes(), partial.with_free().count()), (1 << 20, 0));
    partial.extend(piece);
    assert_eq!((partial.get(piece).unwrap().free(), partial.elastic().count()), (64, 0));
    assert_eq!(partial.receive(Moment::START, blocks[0], B), Arrival::Duplicate);
    partial.close(piece);
    assert_eq!(partial.bytes(), 0);
}

#[test]
fn the_last_block_makes_a_piece_whole() {
    let (geometry, piece, mut partial) = one_open();
    let blocks = partial.take(&geometry, piece, A, 9);
    assert_eq!(blocks.len(), 4);
    for &block in &blocks[..3] {
        assert_eq!(partial.receive(Moment::START, block, A), Arrival::New(vec![]));
    }
    assert_eq!(partial.receive(Moment::START, blocks[0], A), Arrival::Duplicate);
    assert_eq!(partial.receive(Moment::START, blocks[3], A), Arrival::Last(vec![]));
    assert_eq!(partial.close(piece).map(|o| o.senders()), Some(Some(vec![A; 4])));
    assert_eq!(partial.receive(Moment::START, blocks[0], A), Arrival::Stray);
    assert_eq!(partial.bytes(), 0);
}

#[test]
fn the_twin_of_a_block_takes_the_place_of_the_first_asked() {
    let (geometry, piece, mut partial) = one_open();
    let block = partial.take(&geometry, piece, A, 1)[0];
    assert_eq!(partial.duplicate_candidates(&geometry, piece, A).count(), 0);
    assert_eq!(partial.duplicate_candidates(&geometry, piece, B).collect::<Vec<_>>(), [(block, A, 1)]);
    partial.add_duplicate(block, B);
    assert!(!partial.release(block, A));
    assert!(partial.release(block, B));
    let block = partial.take(&geometry, piece, A, 1)[0];
    partial.add_duplicate(block, B);
    assert_eq!(partial.receive(Moment::START, block, B), Arrival::New(vec![A]));
}

proptest! {
    #[test]
    fn asked_and_landed_and_free_are_all(steps in prop::collection::vec((0_u8..4, 0_u64..3, 0_u32..4), 0..200)) {
        let (geometry, piece, mut partial) = one_open();
        for (what, peer, block) in steps {
            let peer = PeerKey(peer);
            let block = geometry.block(piece, block).unwrap();
            match what {
                0 => { partial.take(&geometry, piece, peer, 2); }
                1 => { partial.release(block, peer); }
                2 => { partial.receive(Moment::START, block, peer); }
                _ => if partial.duplicate_candidates(&geometry, piece, peer).any(|(b, ..)| b == block) {
                    partial.add_duplicate(block, peer);
                },
            }
            let open = partial.get(piece).unwrap();
            let count = |f: fn(&Cell) -> bool| open.cells.iter().filter(|&c| f(c)).count() as u32;
            prop_assert_eq!(count(|c| *c == Cell::Free), open.free());
            prop_assert_eq!(count(|c| matches!(c, Cell::Received(_))), open.received());
            prop_assert_eq!(partial.with_free().count() == 1, open.free() > 0);
            for (block, duplicates) in &partial.duplicates {
                prop_assert!(matches!(open.cells[block.index() as usize], Cell::Requested(_)));
                prop_assert!(!duplicates.is_empty() && duplicates.len() < MAX_ASKERS);
            }
        }
    }
}
