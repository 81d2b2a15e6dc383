//! Read-ahead: pieces that a reader needs next.

use std::time::Duration;

use super::stage::{Stage, asked, cancelled, said};
use crate::base::Block;
use crate::proto::message::Message;
use crate::swarm::event::{Input, Output, PeerKey, TorrentCommand};

fn ahead(stage: &mut Stage, pieces: std::ops::Range<u32>) -> Vec<Output> {
    stage.give(Input::Command(TorrentCommand::Ahead(pieces)))
}

fn pieces(blocks: &[Block]) -> Vec<u32> {
    let mut pieces: Vec<u32> = blocks.iter().map(|block| block.piece().index()).collect();
    pieces.dedup();
    pieces
}

/// Has a peer send its pending blocks and every piece verify. Returns the blocks requested from it next.
fn serve(stage: &mut Stage, peer: PeerKey, owed: &[Block]) -> Vec<Block> {
    stage.now += Duration::from_millis(20);
    let out = stage.land(peer, owed);
    let mut next = asked(&out, peer);
    for piece in super::stage::verifies(&out) {
        next.extend(asked(&stage.give(Input::PieceVerified { piece, digests: vec![] }), peer));
    }
    next
}

#[test]
fn pieces_ahead_come_first_and_in_order() {
    let mut stage = Stage::leech(200);
    ahead(&mut stage, 40..60);
    let (peer, mut owed) = stage.meet_seed(1);
    let mut came = Vec::new();
    while came.len() < 100 && !owed.is_empty() {
        came.extend(owed.iter().copied());
        owed = serve(&mut stage, peer, &owed);
    }
    let order = pieces(&came);
    assert_eq!(order[..20], (40..60).collect::<Vec<_>>(), "{order:?}");
    assert!(!order[20..].is_sorted(), "what nobody waits for comes in no order: {order:?}");
}

#[test]
fn the_window_moves_with_the_reader() {
    let mut stage = Stage::leech(200);
    let (peer, owed) = stage.meet_seed(1);
    ahead(&mut stage, 100..102);
    let owed = serve(&mut stage, peer, &owed);
    assert_eq!(pieces(&owed)[0], 100);
    ahead(&mut stage, 150..152);
    let next = serve(&mut stage, peer, &owed);
    assert!(next.iter().any(|block| block.piece().index() == 150), "{next:?}");
    ahead(&mut stage, 0..0);
    let next = serve(&mut stage, peer, &next);
    assert!(
        !next.is_empty() && stage.torrent.phase.content().is_some_and(|content| content.ahead.is_empty())
    );
}

#[test]
fn who_is_late_with_what_is_waited_for_is_helped() {
    let mut stage = Stage::leech(60);
    ahead(&mut stage, 7..9);
    let (slow, owed) = stage.meet_seed(1);
    assert_eq!(pieces(&owed), [7], "it is asked for the piece that is waited for");
    // The first peer sends nothing, and a fast one connects.
    stage.pass(5);
    let (quick, mut owed) = stage.meet_seed(2);
    let mut came: Vec<Block> = Vec::new();
    let mut taken_back = Vec::new();
    for _ in 0..200 {
        if owed.is_empty() || came.iter().filter(|block| block.piece().index() == 7).count() == 4 {
            break;
        }
        came.extend(owed.iter().copied());
        stage.now += Duration::from_millis(20);
        let out = stage.land(quick, &owed);
        taken_back.extend(cancelled(&out, slow));
        owed = asked(&out, quick);
        for piece in super::stage::verifies(&out) {
            owed.extend(asked(&stage.give(Input::PieceVerified { piece, digests: vec![] }), quick));
        }
    }
    assert!(stage.torrent.have().has(stage.piece(7)), "{came:?}");
    assert_eq!(taken_back.len(), 4, "what came is not sent twice");
    assert!(!stage.torrent.is_finished());
}

#[test]
fn what_cannot_be_read_now_is_rejected_and_may_be_asked_again() {
    let mut stage = Stage::seed(4);
    let (peer, _) = stage.meet_leech(1);
    let wanted = stage.wanted(1, 2);
    let served = |out: &[Output]| {
        let spans = out.iter().find_map(|order| match order {
            Output::Serve { spans, .. } => Some(spans.clone()),
            _ => None,
        });
        spans.unwrap_or_default()
    };
    let spans = served(&stage.hear(peer, Message::Request(wanted)));
    let out = stage.give(Input::ReadFailed { peer, spans: spans.clone() });
    assert_eq!(said(&out, peer), [Message::Reject(wanted)]);
    assert_eq!(served(&stage.hear(peer, Message::Request(wanted))), spans);
    assert_eq!(said(&stage.give(Input::Sent { peer, spans }), peer), []);
}
