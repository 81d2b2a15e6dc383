//! Peers that send wrong blocks.

use super::stage::{Stage, addr, asked, closed, dials, verifies};
use crate::proto::message::Message;
use crate::swarm::event::{DisconnectReason, Input, Note, Output};

#[test]
fn the_sole_sender_of_a_wrong_piece_is_banned_at_once() {
    let mut stage = Stage::leech(1);
    let (liar, blocks) = stage.meet_seed(1);
    let out = stage.land(liar, &blocks);
    assert_eq!(verifies(&out), [stage.piece(0)]);
    let piece = stage.piece(0);
    let out = stage.give(Input::HashFailed { piece, digests: vec![[9; 20]; 4] });
    assert_eq!(closed(&out, liar), Some(DisconnectReason::Lied));
    assert!(out.contains(&Output::Note(Note::HashFailed(piece))));
    assert!(out.contains(&Output::Note(Note::Banned(addr(1)))));
    let (again, out) = stage.connect(1);
    assert_eq!(closed(&out, again), Some(DisconnectReason::Lied));
    let source = super::super::event::Source::User;
    assert_eq!(dials(&stage.give(Input::PeersFound { source, addrs: vec![addr(1)] })), []);
    let (honest, blocks) = stage.meet_seed(2);
    stage.drain(honest, blocks);
    assert!(stage.torrent.is_finished());
}

#[test]
fn of_several_senders_exactly_the_liar_is_banned_once_the_piece_is_right() {
    let mut stage = Stage::leech(1);
    let (honest, blocks) = stage.meet_seed(1);
    let (liar, _) = stage.meet_seed(2);
    stage.land(honest, &blocks[..2]);
    // The first peer falls silent; the other sends the rest, with one wrong block.
    stage.pass(20);
    let rest: Vec<_> = stage.torrent.swarm.peers[&liar].pipeline.pending().iter().copied().collect();
    assert_eq!(rest.len(), 2);
    let out = stage.land(liar, &rest);
    assert_eq!(verifies(&out), [stage.piece(0)]);
    let mut digests = vec![[1; 20], [2; 20], [3; 20], [0xee; 20]];
    let out = stage.give(Input::HashFailed { piece: stage.piece(0), digests: digests.clone() });
    assert_eq!((closed(&out, honest), closed(&out, liar)), (None, None));
    let (third, again) = stage.meet_seed(3);
    let owed: Vec<_> = [asked(&out, honest), asked(&out, liar), again].concat();
    assert!(!owed.is_empty());
    for peer in [honest, liar, third] {
        let blocks: Vec<_> = stage.torrent.swarm.peers[&peer].pipeline.pending().iter().copied().collect();
        let out = stage.land(peer, &blocks);
        if !verifies(&out).is_empty() {
            assert!(out.contains(&Output::Verify { piece: stage.piece(0), digests: true }));
        }
    }
    let mut rest = Vec::new();
    for peer in [honest, liar, third] {
        rest.extend(stage.torrent.swarm.peers[&peer].pipeline.pending().iter().map(|&b| (peer, b)));
    }
    for (peer, block) in rest {
        stage.land(peer, &[block]);
    }
    digests[3] = [4; 20];
    let out = stage.give(Input::PieceVerified { piece: stage.piece(0), digests });
    assert!(out.contains(&Output::Close { peer: liar, why: DisconnectReason::Lied }));
    assert_ne!(closed(&out, honest), Some(DisconnectReason::Lied));
    assert_ne!(closed(&out, third), Some(DisconnectReason::Lied));
}

#[test]
fn a_piece_that_was_wrong_is_fetched_from_one_peer_alone() {
    let mut stage = Stage::leech(1);
    let (a, blocks) = stage.meet_seed(1);
    let (b, _) = stage.meet_seed(2);
    stage.land(a, &blocks[..3]);
    stage.hear(a, Message::Choke);
    let wanted = stage.wanted(0, blocks[3].index());
    let out = stage.hear(a, Message::Reject(wanted));
    let out = stage.land(b, &asked(&out, b));
    assert_eq!(verifies(&out), [stage.piece(0)]);
    let out = stage.give(Input::HashFailed { piece: stage.piece(0), digests: vec![[5; 20]; 4] });
    assert_eq!(asked(&out, b).len(), 4);
    let out = stage.hear(a, Message::Unchoke);
    assert_eq!(asked(&out, a), []);
}

#[test]
fn a_piece_that_could_not_be_written_blames_nobody() {
    let mut stage = Stage::leech(2);
    let (peer, blocks) = stage.meet_seed(1);
    let piece = blocks[0].piece();
    stage.land(peer, &blocks);
    let out = stage.give(Input::WriteFailed { piece });
    assert_eq!(closed(&out, peer), None);
    assert!(!stage.torrent.have().has(piece));
}
