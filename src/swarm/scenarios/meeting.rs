//! Beginning and end of connections.

use super::stage::{Stage, addr, closed, config, dials, modern, said};
use crate::base::PeerId;
use crate::proto::extended::ExtendedHandshake;
use crate::proto::handshake::Reserved;
use crate::proto::message::Message;
use crate::swarm::Config;
use crate::swarm::event::{
    DialFailure, DisconnectReason, Input, Output, PeerHandshake, PeerKey, Source, TorrentCommand,
};

#[test]
fn we_say_what_we_have_first_and_what_we_can_do_next() {
    let (peer, out) = Stage::seed(9).connect(1);
    let Message::Extended { id: 0, body } = &said(&out, peer)[1] else { panic!("no handshake") };
    assert_eq!(said(&out, peer)[0], Message::HaveAll);
    let hand = ExtendedHandshake::decode(body).unwrap();
    assert_eq!((hand.port, hand.reqq, hand.upload_only), (Some(51_413), Some(500), Some(true)));
    let (peer, out) = Stage::leech(9).connect(1);
    assert_eq!(said(&out, peer)[0], Message::HaveNone);
    let plain = PeerHandshake { id: PeerId([1; 20]), reserved: Reserved::NONE };
    let (peer, out) = Stage::seed(9).connect_as(1, true, plain);
    assert_eq!(said(&out, peer), [Message::Bitfield(vec![0xff, 0x80])]);
    let (peer, out) = Stage::leech(9).connect_as(1, true, plain);
    assert_eq!(said(&out, peer), []);
}

#[test]
fn found_addresses_are_dialled_at_once_and_failures_later_again() {
    let mut stage = Stage::leech(4);
    let out = stage.give(Input::PeersFound { source: Source::Tracker, addrs: (1..5).map(addr).collect() });
    assert_eq!(dials(&out).len(), 4);
    let why = DialFailure::Refused;
    assert_eq!(dials(&stage.give(Input::DialFailed { addr: addr(1), why })), []);
    assert_eq!(dials(&stage.pass(59)), []);
    assert_eq!(dials(&stage.pass(2)), [addr(1)]);
    let summary = stage.torrent.summary(stage.now);
    assert_eq!((summary.dials.refused, summary.known, summary.dialling), (1, 4, 4));
}

#[test]
fn no_more_are_dialled_than_there_are_places() {
    let mut stage = Stage::with(4, false, Config { max_peers: 3, ..config() });
    let (peer, _) = stage.connect(99);
    let out = stage.give(Input::PeersFound { source: Source::Tracker, addrs: (1..9).map(addr).collect() });
    assert_eq!(dials(&out).len(), 2);
    let out = stage.give(Input::Disconnected { peer, why: DisconnectReason::Closed });
    assert_eq!(dials(&out).len(), 1);
}

#[test]
fn a_private_torrent_takes_no_address_from_strangers() {
    let mut stage = Stage::with(4, false, Config { private: true, ..config() });
    for source in [Source::Dht, Source::Pex, Source::Lsd] {
        assert_eq!(stage.give(Input::PeersFound { source, addrs: vec![addr(1)] }), []);
    }
    assert_eq!(
        dials(&stage.give(Input::PeersFound { source: Source::Tracker, addrs: vec![addr(1)] })).len(),
        1
    );
}

#[test]
fn a_private_torrent_keeps_no_connection_that_was_dialled_on_the_word_of_strangers() {
    let mut stage = Stage::with(4, false, Config { private: true, ..config() });
    stage.give(Input::PeersFound { source: Source::User, addrs: vec![addr(1)] });
    let hello = |n| PeerHandshake { id: PeerId([n; 20]), reserved: modern() };
    for (n, incoming, why) in [(1, false, None), (2, false, Some(DisconnectReason::Useless)), (3, true, None)]
    {
        let (peer, out) = stage.connect_as(n, incoming, hello(n));
        assert_eq!(closed(&out, peer), why, "{n}");
    }
}

#[test]
fn who_answers_at_two_addresses_is_one_peer_while_the_first_is_of_use() {
    let hello = PeerHandshake { id: PeerId([9; 20]), reserved: modern() };
    let found = |stage: &mut Stage| {
        stage.give(Input::PeersFound { source: Source::User, addrs: vec![addr(1), addr(2)] });
    };
    let mut stage = Stage::leech(4);
    found(&mut stage);
    let (first, _) = stage.connect_as(1, false, hello);
    let (second, out) = stage.connect_as(2, false, hello);
    assert_eq!((closed(&out, second), closed(&out, first)), (Some(DisconnectReason::Duplicate), None));
    // A peer that copies the id of another keeps it away only for a moment.
    let mut stage = Stage::leech(4);
    found(&mut stage);
    stage.connect_as(1, false, hello);
    stage.pass(31);
    let (second, out) = stage.connect_as(2, false, hello);
    assert_eq!(closed(&out, second), None);
}

#[test]
fn a_copy_is_counted_once_and_only_where_something_of_it_is_ours() {
    let mut stage = Stage::seed(2);
    let copies = |stage: &Stage| stage.torrent.summary(stage.now).copies;
    let complete = |stage: &mut Stage, peer| (0..2).for_each(|n| drop(stage.hear(peer, Message::Have(n))));
    let (liar, _) = stage.meet_leech(1);
    complete(&mut stage, liar);
    assert_eq!(copies(&stage), 0, "it took nothing");
    let hello = PeerHandshake { id: PeerId([7; 20]), reserved: modern() };
    for n in [2, 3] {
        let (peer, _) = stage.connect_as(n, true, hello);
        stage.hear(peer, Message::HaveNone);
        stage.hear(peer, Message::Interested);
        let wanted = stage.wanted(0, 0);
        let out = stage.hear(peer, Message::Request(wanted));
        let sent = out.iter().find_map(|o| match o {
            Output::Serve { spans, .. } => Some(spans.clone()),
            _ => None,
        });
        stage.give(Input::Sent { peer, spans: sent.expect("there are slots for both") });
        complete(&mut stage, peer);
        assert_eq!(copies(&stage), 1, "one peer, connected twice");
    }
}

#[test]
fn we_do_not_talk_to_ourselves() {
    let mut stage = Stage::leech(4);
    stage.give(Input::PeersFound { source: Source::Tracker, addrs: vec![addr(1)] });
    let (peer, out) =
        stage.connect_as(1, false, PeerHandshake { id: PeerId([0x80; 20]), reserved: modern() });
    assert_eq!(closed(&out, peer), Some(DisconnectReason::Ourselves));
    stage.give(Input::PeersFound { source: Source::Pex, addrs: vec![addr(1)] });
    assert_eq!(dials(&stage.pass(4000)), []);
}

#[test]
fn of_two_connections_with_one_peer_both_ends_keep_the_same() {
    // Our id is 0x80…: greater than 1, less than 0xf0.
    for (id, incoming_first, keeps_new) in
        [(1, true, true), (1, false, false), (0xf0, true, false), (0xf0, false, true)]
    {
        let mut stage = Stage::leech(4);
        let hello = PeerHandshake { id: PeerId([id; 20]), reserved: modern() };
        let (first, _) = stage.connect_as(1, incoming_first, hello);
        let (second, out) = stage.connect_as(1, !incoming_first, hello);
        let gone = if keeps_new { first } else { second };
        assert_eq!(closed(&out, gone), Some(DisconnectReason::Duplicate));
        assert_eq!(stage.torrent.swarm.peers.len(), 1);
        assert_eq!(dials(&stage.pass(300)), [], "it is connected");
    }
}

#[test]
fn who_calls_again_after_its_network_was_down_is_let_in() {
    let mut stage = Stage::leech(4);
    let (first, _) = stage.connect(1);
    let (second, out) = stage.connect(1);
    assert_eq!(closed(&out, second), Some(DisconnectReason::Duplicate));
    stage.pass(40);
    let (third, out) = stage.connect(1);
    assert_eq!((closed(&out, first), closed(&out, third)), (Some(DisconnectReason::Duplicate), None));
}

#[test]
fn a_stolen_id_keeps_nobody_away() {
    let mut stage = Stage::leech(4);
    let hello = PeerHandshake { id: PeerId([9; 20]), reserved: modern() };
    stage.connect_as(1, true, hello);
    let (peer, out) = stage.connect_as(2, true, hello);
    assert_eq!(closed(&out, peer), None);
}

#[test]
fn seeds_part_from_seeds() {
    let mut stage = Stage::seed(4);
    let (peer, _) = stage.connect(1);
    assert_eq!(closed(&stage.hear(peer, Message::HaveAll), peer), Some(DisconnectReason::Useless));
    let (peer, _) = stage.connect(2);
    stage.hear(peer, Message::HaveNone);
    let body = b"d11:upload_onlyi1ee".to_vec();
    let out = stage.hear(peer, Message::Extended { id: 0, body });
    assert_eq!(closed(&out, peer), Some(DisconnectReason::Useless));
    let mut stage = Stage::leech(1);
    let (peer, first) = stage.meet_seed(1);
    let out = stage.drain(peer, first);
    assert_eq!(closed(&out, peer), Some(DisconnectReason::Useless));
    assert!(!stage.torrent.swarm.peers.contains_key(&peer));
}

#[test]
fn what_cannot_be_ends_the_connection() {
    let messages = [
        Message::Have(4),
        Message::Bitfield(vec![0xff]),
        Message::Bitfield(vec![0xf0, 0]),
        Message::Suggest(4),
        Message::AllowedFast(4),
    ];
    for message in messages {
        let mut stage = Stage::leech(4);
        let (peer, _) = stage.connect(1);
        assert_eq!(
            closed(&stage.hear(peer, message.clone()), peer),
            Some(DisconnectReason::Protocol),
            "{message:?}"
        );
    }
    let mut stage = Stage::leech(4);
    let (peer, _) = stage.connect_with(1, true, Reserved::NONE);
    assert_eq!(closed(&stage.hear(peer, Message::HaveAll), peer), Some(DisconnectReason::Protocol));
    let (peer, _) = stage.connect(2);
    stage.hear(peer, Message::HaveNone);
    assert_eq!(closed(&stage.hear(peer, Message::HaveAll), peer), Some(DisconnectReason::Protocol));
}

#[test]
fn a_bitfield_may_come_again_and_only_adds() {
    let mut stage = Stage::seed(4);
    let (peer, _) = stage.connect(1);
    for bits in [0x00, 0x40, 0xc0, 0x20, 0xe0] {
        assert_eq!(closed(&stage.hear(peer, Message::Bitfield(vec![bits])), peer), None);
    }
    assert_eq!(stage.torrent.swarm.peers[&peer].has.as_bytes(), [0xe0]);
    assert_eq!(
        closed(&stage.hear(peer, Message::Bitfield(vec![0xf0])), peer),
        Some(DisconnectReason::Useless)
    );
}

#[test]
fn floods_end_the_connection_and_cost_little() {
    let floods: [fn(u32) -> Message; 8] = [
        |_| Message::Bitfield(vec![0x10]),
        |_| Message::Unknown(77),
        |_| Message::Port(5),
        |i| Message::Suggest(i % 4),
        |i| Message::AllowedFast(i % 4),
        |i| Message::Have(i % 4),
        |_| Message::Extended { id: 200, body: vec![] },
        |_| Message::Extended { id: 0, body: b"d1:mdee".to_vec() },
    ];
    for flood in floods {
        let mut stage = Stage::leech(4);
        let (peer, _) = stage.connect(1);
        let end = (0..1000).find(|&i| closed(&stage.hear(peer, flood(i)), peer).is_some());
        assert!(end.is_some_and(|end| (300..320).contains(&end)), "{end:?}");
    }
}

#[test]
fn silence_is_broken_by_us_and_not_borne_from_others() {
    let mut stage = Stage::leech(4);
    let (quiet, _) = stage.connect(1);
    let (polite, _) = stage.connect(2);
    let mut out = Vec::new();
    for _ in 0..13 {
        out.extend(stage.pass(10));
        stage.hear(polite, Message::KeepAlive);
    }
    assert_eq!(closed(&out, quiet), Some(DisconnectReason::Silent));
    assert_eq!(said(&out, polite), [Message::KeepAlive]);
    for _ in 0..50 {
        out.extend(stage.pass(10));
        stage.hear(polite, Message::KeepAlive);
    }
    assert_eq!(closed(&out, polite), Some(DisconnectReason::Useless));
}

#[test]
fn a_pause_ends_connections_and_a_resume_brings_them_back() {
    let mut stage = Stage::leech(4);
    stage.give(Input::PeersFound { source: Source::Tracker, addrs: vec![addr(1)] });
    let (peer, _) = stage.connect_with(1, false, modern());
    let out = stage.give(Input::Command(TorrentCommand::Pause));
    assert_eq!(out, [Output::Close { peer, why: DisconnectReason::Stopping }]);
    let (late, out) = stage.connect(2);
    assert_eq!(closed(&out, late), Some(DisconnectReason::Stopping));
    assert_eq!(dials(&stage.pass(600)), []);
    assert_eq!(dials(&stage.give(Input::Command(TorrentCommand::Resume))), [addr(1)]);
}

#[test]
fn the_idle_make_room_for_callers_of_higher_priority() {
    let mut stage = Stage::with(4, false, Config { max_peers: 2, ..config() });
    stage.connect(1);
    stage.connect(2);
    let (third, out) = stage.connect(3);
    assert_eq!(
        closed(&out, third),
        Some(DisconnectReason::Replaced),
        "nobody is replaced right after coming"
    );
    for _ in 0..20 {
        stage.pass(10);
        for key in [PeerKey(1), PeerKey(2)] {
            stage.hear(key, Message::KeepAlive);
        }
    }
    let accepted = (3..60).any(|n| {
        let (peer, out) = stage.connect(n);
        closed(&out, peer).is_none()
    });
    assert!(accepted && stage.torrent.swarm.peers.len() == 2);
}

#[test]
fn an_idle_torrent_has_no_deadline() {
    let mut stage = Stage::leech(4);
    stage.pass(1);
    assert_eq!(stage.torrent.deadline(), None);
    let mut stage = Stage::seed(4);
    let (peer, _) = stage.connect(1);
    stage.give(Input::Disconnected { peer, why: DisconnectReason::Closed });
    assert_eq!(stage.torrent.deadline(), None);
}

#[test]
fn a_later_handshake_changes_only_what_it_mentions() {
    let mut stage = Stage::leech(4);
    let (peer, _) = stage.connect(1);
    let mut shake = |body: &[u8]| stage.hear(peer, Message::Extended { id: 0, body: body.to_vec() });
    shake(b"d1:md11:ut_metadatai2e6:ut_pexi1ee1:v3:olde");
    shake(b"d1:md6:ut_pexi0e11:lt_donthavei7ee13:metadata_sizei99ee");
    let known = &stage.torrent.swarm.peers[&peer];
    assert_eq!((known.metadata_id, known.pex_id, known.dont_have_id), (Some(2), None, Some(7)));
    assert_eq!((known.metadata_size, known.client.raw()), (Some(99), "old"));
}
