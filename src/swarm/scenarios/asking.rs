//! Requests for blocks.

use std::collections::BTreeSet;
use std::time::Duration;

use std::sync::Arc;

use super::stage::{Stage, asked, cancelled, config, said, verifies};
use crate::base::{Bitfield, Geometry, Piece};
use crate::proto::handshake::Reserved;
use crate::proto::message::Message;
use crate::swarm::ContentSetup;
use crate::swarm::event::{Input, Order, Output, Priority, TorrentCommand};

#[test]
fn interest_is_told_as_soon_as_there_is_a_reason() {
    let mut stage = Stage::leech(8);
    let (peer, _) = stage.connect(1);
    assert_eq!(said(&stage.hear(peer, Message::HaveNone), peer), []);
    assert_eq!(said(&stage.hear(peer, Message::Have(3)), peer), [Message::Interested]);
    let first = asked(&stage.hear(peer, Message::Unchoke), peer);
    assert_eq!(first.len(), 4);
    let out = stage.drain(peer, first);
    assert!(said(&out, peer).contains(&Message::NotInterested));
    assert!(said(&out, peer).contains(&Message::Have(3)), "who seeds counts whole copies");
}

#[test]
fn a_torrent_comes_whole_from_one_seed() {
    let mut stage = Stage::leech(20);
    let (peer, first) = stage.meet_seed(1);
    let out = stage.drain(peer, first);
    assert!(stage.torrent.is_finished() && stage.torrent.have().is_full());
    assert_eq!(verifies(&out).len(), 20);
    assert!(out.contains(&Output::Note(super::super::event::Note::Finished)));
    assert_eq!(stage.torrent.summary(stage.now).wasted, 0);
}

#[test]
fn nothing_is_asked_of_those_who_choke_us_but_what_they_allow() {
    let mut stage = Stage::leech(8);
    let (peer, _) = stage.connect(1);
    assert!(asked(&stage.hear(peer, Message::HaveAll), peer).is_empty());
    let blocks = asked(&stage.hear(peer, Message::AllowedFast(5)), peer);
    assert_eq!(blocks.len(), 4);
    assert!(blocks.iter().all(|block| block.piece().index() == 5));
}

#[test]
fn a_suggested_piece_is_begun_first() {
    let mut stage = Stage::leech(64);
    let (peer, _) = stage.connect(1);
    stage.hear(peer, Message::HaveAll);
    stage.hear(peer, Message::Suggest(33));
    let blocks = asked(&stage.hear(peer, Message::Unchoke), peer);
    assert!(blocks.iter().all(|block| block.piece().index() == 33));
}

#[test]
fn slow_peers_share_a_piece_and_fast_ones_have_their_own() {
    let mut stage = Stage::leech(64);
    let (slow, blocks) = stage.meet_seed(1);
    stage.hear(slow, Message::Choke);
    let out = blocks.iter().map(|b| stage.wanted(b.piece().index(), b.index())).collect::<Vec<_>>();
    for wanted in out {
        stage.hear(slow, Message::Reject(wanted));
    }
    let (fast, first) = stage.meet_seed(2);
    assert_eq!(first[0].piece(), blocks[0].piece(), "what is begun is finished first");
    stage.now += Duration::from_millis(200);
    let more = asked(&stage.land(fast, &first), fast);
    assert!(!more.is_empty());
    let out = stage.hear(slow, Message::Unchoke);
    let pieces: BTreeSet<_> = more.iter().map(|b| b.piece()).collect();
    assert!(asked(&out, slow).iter().all(|b| !pieces.contains(&b.piece())));
}

#[test]
fn a_choke_frees_what_was_asked_where_requests_are_not_rejected() {
    let mut stage = Stage::leech(1);
    let (peer, _) = stage.connect_with(1, true, Reserved::NONE);
    stage.hear(peer, Message::Bitfield(vec![0x80]));
    let blocks = asked(&stage.hear(peer, Message::Unchoke), peer);
    assert_eq!(blocks.len(), 4);
    let (other, none) = stage.meet_seed(2);
    assert_eq!(none, []);
    let out = stage.hear(peer, Message::Choke);
    assert_eq!(asked(&out, other), blocks);
}

#[test]
fn a_rejected_block_is_asked_of_another() {
    let mut stage = Stage::leech(1);
    let (peer, blocks) = stage.meet_seed(1);
    let (other, _) = stage.meet_seed(2);
    let wanted = stage.wanted(0, blocks[2].index());
    stage.hear(peer, Message::Reject(wanted));
    let out = stage.pass(2);
    let again: Vec<_> = [asked(&out, other), asked(&out, peer)].concat();
    assert_eq!(again, [blocks[2]]);
}

#[test]
fn what_a_silent_peer_owes_is_asked_of_others_and_it_gets_one_more_chance() {
    let mut stage = Stage::leech(64);
    let (silent, owed) = stage.meet_seed(1);
    let out = stage.pass(61);
    assert_eq!(cancelled(&out, silent), owed);
    let chance = asked(&out, silent);
    assert_eq!(chance.len(), 1, "a snubbed peer is asked for one block");
    let (other, first) = stage.meet_seed(2);
    assert_eq!(first.iter().filter(|block| owed.contains(block)).count(), 3);
    assert!(!first.contains(&chance[0]));
    stage.drain(other, first);
    let duplicate = asked(&stage.pass(5), other);
    stage.drain(other, duplicate);
    assert!(stage.torrent.is_finished(), "in the end that one came from the other too");
}

#[test]
fn in_the_end_game_the_last_blocks_are_asked_of_several_and_taken_back() {
    let mut stage = Stage::leech(2);
    let (slow, owed) = stage.meet_seed(1);
    let (fast, first) = stage.meet_seed(2);
    stage.now += Duration::from_millis(50);
    let mut out = stage.land(fast, &first);
    out.extend(stage.pass(20));
    let duplicates = asked(&out, fast);
    assert!(
        duplicates.iter().all(|duplicate| owed.contains(duplicate)) && !duplicates.is_empty(),
        "{duplicates:?}"
    );
    let out = stage.land(fast, &duplicates);
    assert!(duplicates.iter().all(|duplicate| cancelled(&out, slow).contains(duplicate)));
}

#[test]
fn the_budget_bounds_what_is_open_but_always_allows_one_piece() {
    let mut stage = Stage::leech(64);
    stage.give(Input::Budget { bytes: 0 });
    let (a, first) = stage.meet_seed(1);
    assert_eq!(first.len(), 4);
    let (b, none) = stage.meet_seed(2);
    assert_eq!(none, []);
    let out = stage.give(Input::Budget { bytes: 2 * 65_536 });
    assert_eq!(asked(&out, b).len(), 4);
    let out = stage.land(a, &first);
    assert_eq!(verifies(&out), [first[0].piece()]);
    assert_eq!(asked(&out, a), [], "a piece is open until it is written");
    let out = stage.give(Input::PieceVerified { piece: first[0].piece(), digests: vec![] });
    assert!(!asked(&out, a).is_empty());
}

#[test]
fn a_piece_nobody_can_go_on_with_makes_room_where_memory_is_short() {
    let mut stage = Stage::leech(64);
    stage.give(Input::Budget { bytes: 65_536 });
    let (gone, first) = stage.connect(1);
    drop(first);
    stage.hear(gone, Message::HaveNone);
    stage.hear(gone, Message::Have(7));
    let first = asked(&stage.hear(gone, Message::Unchoke), gone);
    stage.land(gone, &first[..1]);
    let why = super::super::event::DisconnectReason::Closed;
    stage.give(Input::Disconnected { peer: gone, why });
    let (other, _) = stage.connect(2);
    stage.hear(other, Message::HaveNone);
    stage.hear(other, Message::Have(9));
    assert_eq!(asked(&stage.hear(other, Message::Unchoke), other), []);
    let out = stage.pass(40);
    assert!(out.contains(&Output::Discard { piece: stage.piece(7) }));
    assert_eq!(asked(&out, other).len(), 4);
}

#[test]
fn skipped_pieces_are_never_asked_and_high_ones_come_first() {
    let mut priorities = vec![Priority::Skip; 8];
    priorities[2] = Priority::Normal;
    priorities[6] = Priority::High;
    let geometry = Arc::new(Geometry::single(65_536, 8 * 65_536).unwrap());
    let setup = ContentSetup { priorities, ..ContentSetup::new(geometry, Bitfield::none(8)) };
    let mut stage = Stage::with_content(config(), setup);
    let (peer, first) = stage.meet_seed(1);
    assert!(first.iter().all(|b| b.piece().index() == 6));
    stage.drain(peer, first);
    assert!(stage.torrent.is_finished());
    assert_eq!(stage.torrent.have().iter().map(Piece::index).collect::<Vec<_>>(), [2, 6]);
    let summary = stage.torrent.summary(stage.now);
    assert_eq!((summary.wanted, summary.done), (2 * 65_536, 2 * 65_536));
}

#[test]
fn a_piece_that_is_not_wanted_any_more_is_dropped() {
    let mut stage = Stage::leech(4);
    let (peer, first) = stage.meet_seed(1);
    let piece = first[0].piece();
    stage.land(peer, &first[..1]);
    let mut priorities = vec![Priority::Normal; 4];
    priorities[piece.index() as usize] = Priority::Skip;
    let out = stage.give(Input::Command(TorrentCommand::Priorities(priorities)));
    assert_eq!(cancelled(&out, peer), first[1..]);
    assert!(out.contains(&Output::Discard { piece }));
    // One block was sent before the cancel arrived.
    let out = stage.land(peer, &first[1..2]);
    assert!(!out.iter().any(|o| matches!(o, Output::Accept { .. })), "{out:?}");
}

#[test]
fn in_order_means_from_the_beginning_to_the_end() {
    let geometry = Arc::new(Geometry::single(65_536, 12 * 65_536).unwrap());
    let setup = ContentSetup { order: Order::InOrder, ..ContentSetup::new(geometry, Bitfield::none(12)) };
    let mut stage = Stage::with_content(config(), setup);
    let (peer, first) = stage.meet_seed(1);
    let mut pieces: Vec<_> = first.iter().map(|b| b.piece().index()).collect();
    pieces.extend(asked(&stage.drain(peer, first), peer).iter().map(|b| b.piece().index()));
    assert!(pieces.is_sorted());
}

#[test]
fn a_deep_pipeline_is_filled_in_runs() {
    let mut stage = Stage::leech(400);
    let (peer, first) = stage.meet_seed(1);
    let out = stage.drain(peer, first);
    let runs: Vec<usize> = out
        .iter()
        .filter_map(|o| if let Output::Request { blocks, .. } = o { Some(blocks.len()) } else { None })
        .collect();
    assert!(runs.iter().filter(|&&run| run >= 8).count() > runs.len() * 3 / 4, "{runs:?}");
}

#[test]
fn a_lost_piece_is_fetched_again_and_taken_back_from_those_who_believe_in_it() {
    let mut stage = Stage::seed(4);
    let (peer, _) = stage.meet_leech(1);
    let body = b"d1:md11:lt_donthavei7eee".to_vec();
    stage.hear(peer, Message::Extended { id: 0, body });
    let piece = stage.piece(2);
    let out = stage.give(Input::PieceLost { piece });
    assert!(said(&out, peer).contains(&Message::Extended { id: 7, body: vec![0, 0, 0, 2] }));
    assert!(!stage.torrent.is_finished() && !stage.torrent.have().has(piece));
    let (seed, first) = stage.meet_seed(2);
    assert!(!first.is_empty());
    stage.drain(seed, first);
    assert!(stage.torrent.have().is_full());
}
