use proptest::prelude::*;

use super::*;

const A: PeerKey = PeerKey(1);
const B: PeerKey = PeerKey(2);

fn one_open() -> (Geometry, Piece, Started) {
    let geometry = Geometry::single(65_536, 100_000).unwrap();
    let piece = geometry.piece(0).unwrap();
    let mut started = Started::default();
    started.open(Moment::START, &geometry, piece, Reach::new(4, 0), None, false);
    (geometry, piece, started)
}

#[test]
fn of_a_long_piece_only_what_is_in_reach_is_given_and_taken() {
    let geometry = Geometry::single(3 << 20, 3 << 20).unwrap();
    let piece = geometry.piece(0).unwrap();
    let mut started = Started::default();
    started.open(Moment::START, &geometry, piece, Reach::new(192, 0), None, false);
    assert_eq!((started.bytes(), started.elastic().count()), (1 << 20, 1));
    let blocks = started.take(&geometry, piece, A, 500);
    assert_eq!((blocks.len(), started.with_free().count()), (64, 0));
    let beyond = geometry.block(piece, 64).unwrap();
    assert_eq!(started.landed(Moment::START, beyond, B), Arrival::Twin);
    started.stretch(piece);
    assert_eq!((started.bytes(), started.take(&geometry, piece, B, 500).len()), (2 << 20, 64));
    for &block in &blocks {
        assert_eq!(started.landed(Moment::START, block, A), Arrival::New(vec![]));
    }
    assert_eq!(started.asked(&geometry, piece).len(), 64);
    started.settle(piece, 64);
    assert_eq!((started.bytes(), started.with_free().count()), (1 << 20, 0));
    started.stretch(piece);
    assert_eq!((started.get(piece).unwrap().free(), started.elastic().count()), (64, 0));
    assert_eq!(started.landed(Moment::START, blocks[0], B), Arrival::Twin);
    started.close(piece);
    assert_eq!(started.bytes(), 0);
}

#[test]
fn the_last_block_makes_a_piece_whole() {
    let (geometry, piece, mut started) = one_open();
    let blocks = started.take(&geometry, piece, A, 9);
    assert_eq!(blocks.len(), 4);
    for &block in &blocks[..3] {
        assert_eq!(started.landed(Moment::START, block, A), Arrival::New(vec![]));
    }
    assert_eq!(started.landed(Moment::START, blocks[0], A), Arrival::Twin);
    assert_eq!(started.landed(Moment::START, blocks[3], A), Arrival::Last(vec![]));
    assert_eq!(started.close(piece).map(|o| o.senders()), Some(vec![A; 4]));
    assert_eq!(started.landed(Moment::START, blocks[0], A), Arrival::Stray);
    assert_eq!(started.bytes(), 0);
}

#[test]
fn the_twin_of_a_block_takes_the_place_of_the_first_asked() {
    let (geometry, piece, mut started) = one_open();
    let block = started.take(&geometry, piece, A, 1)[0];
    assert_eq!(started.twinnable(&geometry, piece, A).count(), 0);
    assert_eq!(started.twinnable(&geometry, piece, B).collect::<Vec<_>>(), [(block, A, 1)]);
    started.add_twin(block, B);
    assert!(!started.release(block, A));
    assert!(started.release(block, B));
    let block = started.take(&geometry, piece, A, 1)[0];
    started.add_twin(block, B);
    assert_eq!(started.landed(Moment::START, block, B), Arrival::New(vec![A]));
}

proptest! {
    #[test]
    fn asked_and_landed_and_free_are_all(steps in prop::collection::vec((0_u8..4, 0_u64..3, 0_u32..4), 0..200)) {
        let (geometry, piece, mut started) = one_open();
        for (what, peer, block) in steps {
            let peer = PeerKey(peer);
            let block = geometry.block(piece, block).unwrap();
            match what {
                0 => { started.take(&geometry, piece, peer, 2); }
                1 => { started.release(block, peer); }
                2 => { started.landed(Moment::START, block, peer); }
                _ => if started.twinnable(&geometry, piece, peer).any(|(b, ..)| b == block) {
                    started.add_twin(block, peer);
                },
            }
            let open = started.get(piece).unwrap();
            let count = |f: fn(&Cell) -> bool| open.cells.iter().filter(|&c| f(c)).count() as u32;
            prop_assert_eq!(count(|c| *c == Cell::Free), open.free());
            prop_assert_eq!(count(|c| matches!(c, Cell::Landed(_))), open.landed());
            prop_assert_eq!(started.with_free().count() == 1, open.free() > 0);
            for (block, twins) in &started.twins {
                prop_assert!(matches!(open.cells[block.index() as usize], Cell::Asked(_)));
                prop_assert!(!twins.is_empty() && twins.len() < MOST_ASKERS);
            }
        }
    }
}
