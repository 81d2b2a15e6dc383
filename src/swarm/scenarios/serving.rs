//! Requests of peers.

use std::time::Duration;

use super::stage::{Stage, closed, config, said};
use crate::base::Span;
use crate::proto::handshake::Reserved;
use crate::proto::message::{Message, Wanted};
use crate::swarm::Config;
use crate::swarm::event::{DisconnectReason, Input, Output, PeerKey};

fn served(out: &[Output], to: PeerKey) -> Vec<Span> {
    let spans = out.iter().filter_map(|o| match o {
        Output::Serve { peer, spans } if *peer == to => Some(spans.clone()),
        _ => None,
    });
    spans.flatten().collect()
}

#[test]
fn a_free_slot_is_given_at_once() {
    let mut stage = Stage::seed(4);
    let (peer, out) = stage.meet_leech(1);
    assert!(said(&out, peer).contains(&Message::Unchoke));
    let wanted = stage.wanted(1, 2);
    let out = stage.hear(peer, Message::Request(wanted));
    assert_eq!(served(&out, peer).len(), 1);
}

#[test]
fn nobody_waits_while_few_are_interested_and_slots_go_round_among_many() {
    let mut stage = Stage::with(64, true, Config { upload_limit: Some(40 << 10), ..config() });
    let peers: Vec<_> = (1..=9).map(|n| stage.meet_leech(n)).collect();
    let at_once = peers.iter().filter(|(peer, out)| said(out, *peer).contains(&Message::Unchoke)).count();
    assert_eq!(at_once, 4);
    let mut unchoked = std::collections::BTreeSet::new();
    for _ in 0..30 {
        let out = stage.pass(10);
        for (peer, _) in &peers {
            stage.hear(*peer, Message::KeepAlive);
            if said(&out, *peer).contains(&Message::Unchoke) {
                unchoked.insert(*peer);
            }
        }
    }
    assert!(unchoked.len() >= 8, "{unchoked:?}");
}

#[test]
fn nothing_is_served_to_the_choked_and_they_hear_so() {
    let mut stage = Stage::seed(400);
    let (peer, _) = stage.connect(1);
    stage.hear(peer, Message::HaveNone);
    let allowed =
        |index: u32| stage.torrent.swarm.peers[&peer].allowed.iter().any(|(p, _)| p.index() == index);
    let other = (0..400).find(|&index| !allowed(index)).unwrap();
    let wanted = stage.wanted(other, 0);
    let out = stage.hear(peer, Message::Request(wanted));
    assert_eq!(served(&out, peer), []);
    assert_eq!(said(&out, peer), [Message::Reject(wanted)]);
}

#[test]
fn the_choked_get_what_they_are_allowed_and_not_for_ever() {
    let mut stage = Stage::seed(400);
    let (peer, _) = stage.connect(1);
    let out = stage.hear(peer, Message::HaveNone);
    let allowed: Vec<u32> = said(&out, peer)
        .iter()
        .filter_map(|m| if let Message::AllowedFast(i) = m { Some(*i) } else { None })
        .collect();
    assert_eq!(allowed.len(), 5);
    let wanted = stage.wanted(allowed[0], 0);
    let mut times = 0;
    for _ in 0..20 {
        let out = stage.hear(peer, Message::Request(wanted));
        let spans = served(&out, peer);
        times += spans.len();
        stage.give(Input::Sent { peer, spans });
    }
    assert_eq!(times, 12);
}

#[test]
fn impossible_requests_are_rejected_and_too_many_end_the_connection() {
    let mut stage = Stage::seed(4);
    let (peer, _) = stage.meet_leech(1);
    let bad = [
        Wanted { piece: 9, begin: 0, len: 16_384 },
        Wanted { piece: 0, begin: 60_000, len: 16_384 },
        Wanted { piece: 0, begin: 0, len: 131_072 },
        Wanted { piece: 0, begin: u32::MAX, len: 2 },
        Wanted { piece: 0, begin: 0, len: 0 },
    ];
    for round in 0..70 {
        for wanted in bad {
            let out = stage.hear(peer, Message::Request(wanted));
            if closed(&out, peer) == Some(DisconnectReason::Protocol) {
                assert!(round >= 59);
                return;
            }
            assert_eq!(said(&out, peer), [Message::Reject(wanted)]);
        }
    }
    panic!("it is still there");
}

#[test]
fn a_request_flood_is_bounded_and_served_in_bursts() {
    let mut stage = Stage::seed(200);
    let (peer, _) = stage.meet_leech(1);
    let mut ahead = 0;
    let (mut all, mut rejected) = (Vec::new(), 0);
    for piece in 0..200 {
        for block in 0..4 {
            let wanted = stage.wanted(piece, block);
            let out = stage.hear(peer, Message::Request(wanted));
            all.extend(served(&out, peer));
            rejected += said(&out, peer).len();
            ahead = ahead.max(all.len());
        }
    }
    assert_eq!(ahead, 512 / 16, "no more than this is read ahead for one peer");
    assert_eq!(rejected, 300);
    let mut got = 0;
    while !all.is_empty() {
        got += all.len();
        all = served(&stage.give(Input::Sent { peer, spans: all }), peer);
    }
    assert_eq!(got, 500);
}

#[test]
fn a_cancelled_request_is_not_served() {
    let mut stage = Stage::seed(100);
    let (peer, _) = stage.meet_leech(1);
    for block in 0..100 {
        let wanted = stage.wanted(block / 4, block % 4);
        stage.hear(peer, Message::Request(wanted));
    }
    let (ordered, waiting) = (stage.wanted(0, 1), stage.wanted(20, 1));
    let out = stage.hear(peer, Message::Cancel(ordered));
    assert!(out.iter().any(|o| matches!(o, Output::CancelServe { spans, .. } if spans.len() == 1)));
    assert_eq!(said(&out, peer), [Message::Reject(ordered)]);
    let out = stage.hear(peer, Message::Cancel(waiting));
    assert_eq!(said(&out, peer), [Message::Reject(waiting)]);
}

#[test]
fn a_choke_voids_what_waits() {
    let mut stage = Stage::with(64, true, Config { upload_limit: Some(8 << 10), ..config() });
    let peers: Vec<_> = (1..=3).map(|n| stage.meet_leech(n).0).collect();
    let wanted = stage.wanted(1, 1);
    stage.hear(peers[0], Message::Request(wanted));
    for _ in 0..30 {
        let out = stage.pass(10);
        for &peer in &peers {
            stage.hear(peer, Message::KeepAlive);
        }
        if said(&out, peers[0]).contains(&Message::Choke) {
            assert!(out.contains(&Output::CancelServe { peer: peers[0], spans: vec![] }));
            assert!(said(&out, peers[0]).contains(&Message::Reject(wanted)));
            return;
        }
    }
    panic!("it was never choked");
}

#[test]
fn those_who_give_are_given_to_while_we_fetch() {
    let mut stage = Stage::with(64, false, Config { upload_limit: Some(14 << 10), ..config() });
    let (giver, first) = stage.meet_seed(1);
    let owed = first;
    let mut strangers = Vec::new();
    for n in 2..8 {
        let (peer, _) = stage.connect_with(n, true, Reserved::NONE);
        stage.hear(peer, Message::Interested);
        strangers.push(peer);
    }
    let (partner, _) = stage.connect(9);
    let mut bits = vec![0xff; 8];
    bits[7] = 0xfe;
    stage.hear(partner, Message::Bitfield(bits));
    stage.hear(partner, Message::Interested);
    let mut owed_by_partner = super::stage::asked(&stage.hear(partner, Message::Unchoke), partner);
    drop((giver, owed));
    for _ in 0..12 {
        stage.now += Duration::from_millis(900);
        let out = stage.land(partner, &owed_by_partner);
        owed_by_partner = super::stage::asked(&out, partner);
    }
    stage.pass(10);
    assert!(!stage.torrent.swarm.peers[&partner].choked, "who gives most has a slot");
    let unchoked = strangers.iter().filter(|peer| !stage.torrent.swarm.peers[peer].choked).count();
    assert_eq!(unchoked, 2);
}
