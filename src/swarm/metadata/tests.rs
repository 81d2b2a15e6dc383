//! Scripted offers and pieces.

use super::attempts::MEMORY;
use super::*;

const SIZE: u32 = 40_000;

fn at(ms: u64) -> Moment {
    Moment::START + Duration::from_millis(ms)
}

fn peer(n: u64) -> PeerKey {
    PeerKey(n)
}

/// Has a peer send a piece, right or wrong.
fn send(download: &mut MetadataDownload, now: Moment, from: PeerKey, piece: u32, byte: u8) -> PieceResult {
    let len = metadata_piece_len(SIZE, piece) as usize;
    download.receive_piece(now, from, piece, Some(SIZE), vec![byte; len])
}

#[test]
fn small_dictionaries_are_asked_whole_of_the_first_two() {
    let mut download = MetadataDownload::default();
    for n in 0..3 {
        assert!(download.add_offer(at(0), peer(n), SIZE));
    }
    assert_eq!(download.choose_requests(at(0)), [(peer(0), vec![0, 1, 2]), (peer(1), vec![0, 1, 2])]);
    assert_eq!(send(&mut download, at(1), peer(0), 1, 7), PieceResult::Accepted);
    assert_eq!(send(&mut download, at(2), peer(1), 1, 8), PieceResult::Unneeded);
    assert_eq!(send(&mut download, at(2), peer(1), 0, 7), PieceResult::Accepted);
    let PieceResult::Complete(attempt, whole) = send(&mut download, at(3), peer(0), 2, 7) else {
        panic!("it is whole")
    };
    assert_eq!((attempt, whole), (Attempt::Shared(SIZE), vec![7; SIZE as usize]));
}

#[test]
fn who_takes_one_question_at_a_time_is_asked_so() {
    let mut download = MetadataDownload::default();
    assert!(download.add_offer(at(0), peer(0), SIZE));
    download.limit_to_one(peer(0));
    assert_eq!(download.choose_requests(at(0)), [(peer(0), vec![0])]);
    assert!(download.choose_requests(at(1)).is_empty());
    for piece in 0..2 {
        assert_eq!(send(&mut download, at(2), peer(0), piece, 7), PieceResult::Accepted);
        assert_eq!(download.choose_requests_from(at(2), peer(0)), [piece + 1]);
    }
    assert!(matches!(send(&mut download, at(3), peer(0), 2, 7), PieceResult::Complete(..)));
}

#[test]
fn long_ones_are_divided() {
    let mut download = MetadataDownload::default();
    let size = 100 * 16_384;
    (0..2).for_each(|n| assert!(download.add_offer(at(0), peer(n), size)));
    let asked = download.choose_requests(at(0));
    assert_eq!(asked, [(peer(0), (0..32).collect::<Vec<_>>()), (peer(1), (32..64).collect())]);
    assert!(download.choose_requests(at(500)).is_empty());
    // The second peer is silent: its pieces are requested from the first once that has none pending.
    for piece in 0..32 {
        download.receive_piece(at(600), peer(0), piece, Some(size), vec![0; 16_384]);
    }
    assert_eq!(download.choose_requests_from(at(600), peer(0)), (64..96).collect::<Vec<_>>());
    for piece in 64..96 {
        download.receive_piece(at(1600), peer(0), piece, Some(size), vec![0; 16_384]);
    }
    assert_eq!(download.choose_requests_from(at(1600), peer(0)), (96..100).collect::<Vec<_>>());
    for piece in 96..100 {
        download.receive_piece(at(1700), peer(0), piece, Some(size), vec![0; 16_384]);
    }
    assert_eq!(download.choose_requests_from(at(1700), peer(0)), (32..64).collect::<Vec<_>>());
}

#[test]
fn one_that_gave_all_of_a_wrong_one_lied() {
    let mut download = MetadataDownload::default();
    assert!(download.add_offer(at(0), peer(0), SIZE));
    download.choose_requests(at(0));
    send(&mut download, at(1), peer(0), 0, 6);
    send(&mut download, at(1), peer(0), 1, 6);
    let PieceResult::Complete(attempt, _) = send(&mut download, at(1), peer(0), 2, 6) else {
        panic!("it is whole")
    };
    assert_eq!(download.reject_attempt(attempt), Some(peer(0)));
}

#[test]
fn of_several_each_has_to_show_its_own() {
    let mut download = MetadataDownload::default();
    (0..2).for_each(|n| assert!(download.add_offer(at(0), peer(n), SIZE)));
    download.choose_requests(at(0));
    send(&mut download, at(1), peer(0), 0, 7);
    send(&mut download, at(1), peer(1), 1, 6);
    let PieceResult::Complete(attempt, _) = send(&mut download, at(1), peer(0), 2, 7) else {
        panic!("it is whole")
    };
    assert_eq!(download.reject_attempt(attempt), None);
    assert_eq!(download.choose_requests(at(2)), [(peer(0), vec![0, 1, 2]), (peer(1), vec![0, 1, 2])]);
    for (from, byte) in [(0, 7), (1, 6)] {
        send(&mut download, at(3), peer(from), 0, byte);
        send(&mut download, at(3), peer(from), 1, byte);
    }
    let PieceResult::Complete(attempt, _) = send(&mut download, at(3), peer(1), 2, 6) else {
        panic!("it is whole")
    };
    assert_eq!(download.reject_attempt(attempt), Some(peer(1)));
    download.remove_peer(peer(1));
    let PieceResult::Complete(attempt, whole) = send(&mut download, at(5), peer(0), 2, 7) else {
        panic!("it is whole")
    };
    assert_eq!((attempt, whole), (Attempt::Alone(peer(0)), vec![7; SIZE as usize]));
}

#[test]
fn what_cannot_be_is_told_apart() {
    let mut download = MetadataDownload::default();
    assert!(!download.add_offer(at(0), peer(0), u32::MAX) && !download.add_offer(at(0), peer(0), 0));
    assert!(download.add_offer(at(0), peer(0), SIZE));
    download.choose_requests(at(0));
    assert_eq!(download.receive_piece(at(0), peer(0), 2, None, vec![0; 16_384]), PieceResult::Invalid);
    assert_eq!(
        download.receive_piece(at(0), peer(0), 0, Some(SIZE + 1), vec![0; 16_384]),
        PieceResult::Invalid
    );
    assert_eq!(download.receive_piece(at(0), peer(9), 0, None, vec![0; 16_384]), PieceResult::Unneeded);
    assert_eq!(download.held(), 0);
}

#[test]
fn large_claims_hold_no_memory_and_make_room() {
    let mut download = MetadataDownload::default();
    (0..40).for_each(|n| assert!(download.add_offer(at(0), peer(n), MAX_METADATA - n as u32)));
    let first = download.choose_requests(at(0));
    assert_eq!(first.len(), 2);
    assert_eq!(download.held(), 0);
    // An honest peer connects late and has its turn at once, since its dictionary is smaller.
    assert!(download.add_offer(at(10), peer(99), SIZE));
    assert_eq!(download.choose_requests(at(10)), [(peer(99), vec![0, 1, 2])]);
}

#[test]
fn the_longest_one_has_its_turn_among_drippers_of_the_same_length() {
    let mut download = MetadataDownload::default();
    let size = MAX_METADATA;
    (0..10).for_each(|n| assert!(download.add_offer(at(0), peer(n), size)));
    // After a wrong shared attempt, each peer gets its own.
    download.unshared.insert(size);
    assert!(download.add_offer(at(0), peer(10), size));
    let mut owed: BTreeMap<PeerKey, Vec<u32>> = BTreeMap::new();
    for second in 0..3600 {
        let now = at(second * 1000);
        for (who, pieces) in download.choose_requests(now) {
            owed.entry(who).or_default().extend(pieces);
        }
        for n in 0..11 {
            let many = if n == 10 { 1024 } else { usize::from(second % 5 == 0) };
            for _ in 0..many {
                let Some(piece) = owed.get_mut(&peer(n)).and_then(Vec::pop) else { break };
                let got = download.receive_piece(now, peer(n), piece, None, vec![0; 16_384]);
                if matches!(got, PieceResult::Complete(Attempt::Alone(who), _) if who == peer(10)) {
                    return;
                }
                owed.entry(peer(n)).or_default().extend(download.choose_requests_from(now, peer(n)));
            }
            assert!(download.held() <= MEMORY);
        }
    }
    panic!("it waits for ever");
}

#[test]
fn a_silent_crowd_keeps_an_honest_peer_from_its_turn_for_seconds_only() {
    let mut download = MetadataDownload::default();
    (0..=100).for_each(|n| assert!(download.add_offer(at(0), peer(n), SIZE)));
    let asked_at = (0..60).find(|&second| {
        let asked = download.choose_requests(at(second * 1000));
        asked.iter().any(|&(who, _)| who == peer(100))
    });
    let second = asked_at.expect("it is asked");
    assert!((4..8).contains(&second), "at first few are asked, then ever more: {second}");
    // A silent peer may still send its pieces, and is asked for no more before it does.
    let now = at(second * 1000);
    assert!(download.choose_requests_from(now, peer(0)).is_empty());
    assert_eq!(send(&mut download, now, peer(0), 0, 7), PieceResult::Accepted);
    assert_eq!(send(&mut download, now, peer(100), 1, 7), PieceResult::Accepted);
    assert!(matches!(send(&mut download, now, peer(0), 2, 7), PieceResult::Complete(..)));
}

#[test]
fn one_that_was_wrong_works_alone_and_is_asked_again_after_ever_longer_pauses() {
    let mut download = MetadataDownload::default();
    let who = ([8, 8, 8, 8], 0).into();
    let mut now = at(0);
    assert!(download.add_offer(now, peer(0), SIZE));
    for times in 1..MAX_WRONG {
        assert_eq!(download.choose_requests(now), [(peer(0), vec![0, 1, 2])], "time {times}");
        send(&mut download, now, peer(0), 0, 6);
        send(&mut download, now, peer(0), 1, 6);
        let PieceResult::Complete(attempt, _) = send(&mut download, now, peer(0), 2, 6) else {
            panic!("it is whole")
        };
        assert_eq!(attempt == Attempt::Alone(peer(0)), times > 1);
        assert_eq!(download.reject_attempt(attempt), Some(peer(0)));
        assert!(!download.accuse(now, peer(0), who));
        let rest = REST * (1 << (times - 1));
        assert!(download.choose_requests(now + rest / 2).is_empty());
        now += rest;
    }
    // A new connection does not reset the count.
    download.remove_peer(peer(0));
    assert!(download.add_offer(now, peer(1), SIZE) && download.add_offer(now, peer(2), SIZE));
    download.distrust_accused(peer(1), who);
    download.choose_requests(now);
    send(&mut download, now, peer(1), 0, 6);
    send(&mut download, now, peer(2), 1, 7);
    send(&mut download, now, peer(2), 2, 7);
    let PieceResult::Complete(attempt, whole) = send(&mut download, now, peer(2), 0, 7) else {
        panic!("it is whole")
    };
    assert_eq!((attempt, whole), (Attempt::Shared(SIZE), vec![7; SIZE as usize]));
    assert!(download.accuse(now, peer(1), who), "once too often");
}
