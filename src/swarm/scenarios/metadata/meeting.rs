//! Connections before and after the metadata is known.

use std::time::Duration;

use super::*;
use crate::proto::announce::{AnnounceEvent, AnnounceReply};
use crate::proto::handshake::Reserved;
use crate::swarm::event::{DisconnectReason, Note, Source, TorrentCommand, TrackerKey};

#[test]
fn it_says_that_it_has_nothing_and_asks_for_all_pieces_at_once() {
    let metainfo = torrent(3000, false);
    let info = metainfo.raw_info();
    let mut stage = Stage::with_link(config(metainfo.info_hash()));
    let (peer, out) = stage.connect(1);
    let first = said(&out, peer);
    assert_eq!(first[0], Message::HaveNone);
    let Message::Extended { id: HANDSHAKE_ID, body } = &first[1] else { panic!("{first:?}") };
    let ours = ExtendedHandshake::decode(body).expect("ours can be read");
    assert_eq!((ours.id_of(Extension::Metadata), ours.metadata_size), (Some(3), None));
    assert_eq!(first.len(), 2);
    let out = stage.hear(peer, hand(Some(info.len() as u32)));
    let all: Vec<_> = (0..4).map(MetadataMessage::Request).collect();
    assert_eq!(asked(&out, peer), all);
    assert_eq!(said(&out, peer).len(), 4, "it is interested in nothing");
    let out = stage.send(peer, info, &[3, 1, 0]);
    assert_eq!(found(&out), None);
    let out = stage.send(peer, info, &[2]);
    assert_eq!(found(&out), Some(true));
    // Our new handshake tells the old peer that we have the metadata.
    let Message::Extended { id: HANDSHAKE_ID, body } = &said(&out, peer)[0] else { panic!("{out:?}") };
    let later = ExtendedHandshake::decode(body).expect("ours can be read");
    assert_eq!(later.metadata_size, Some(info.len() as u32));
    // A new peer learns it as well, and gets the pieces that it requests.
    let (other, _) = stage.offer(2, None);
    let out = stage.hear(other, to_us(&MetadataMessage::Request(3)));
    let [MetadataMessage::Data { piece: 3, bytes, .. }] = &asked(&out, other)[..] else { panic!("{out:?}") };
    assert_eq!(bytes[..], info[3 * 16_384..]);
}

#[test]
fn one_without_the_fast_extension_hears_no_word_about_pieces() {
    let mut stage = Stage::with_link(config(torrent(10, false).info_hash()));
    let (peer, out) = stage.connect_with(1, false, Reserved::NONE.with_extended());
    assert!(matches!(said(&out, peer)[..], [Message::Extended { id: HANDSHAKE_ID, .. }]));
    let (plain, out) = stage.connect_with(2, false, Reserved::NONE);
    assert!(said(&out, plain).is_empty());
    // A peer that uses extensions without offering them gets no extended reply.
    for message in [hand(Some(1000)), to_us(&MetadataMessage::Request(0))] {
        assert_eq!(said(&stage.hear(plain, message), plain), []);
    }
    assert_eq!(stage.torrent.summary(stage.now).metadata.unwrap().offering, 0);
    let (peer, _) = stage.offer(3, None);
    let out = stage.hear(peer, to_us(&MetadataMessage::Request(0)));
    assert_eq!(asked(&out, peer), [MetadataMessage::Reject(0)], "nobody gives what it lacks");
}

#[test]
fn what_has_the_right_digest_and_makes_no_sense_is_told() {
    let info = b"d4:name1:xe".to_vec();
    let mut stage = Stage::with_link(config(InfoHashes::from_v1(sha1(&info))));
    let (peer, _) = stage.offer(1, Some(info.len() as u32));
    assert_eq!(found(&stage.send(peer, &info, &[0])), Some(false));
}

#[test]
fn of_a_hybrid_both_digests_must_be_right() {
    let info = torrent(10, false).raw_info().to_vec();
    let mut stage = Stage::with_link(config(InfoHashes::hybrid(sha1(&info), [7; 32])));
    let (peer, _) = stage.offer(1, Some(info.len() as u32));
    let out = stage.send(peer, &info, &[0]);
    assert_eq!((found(&out), closed(&out, peer)), (None, None));
    assert!(out.iter().any(|order| matches!(order, Output::Note(Note::WrongMetadata(_)))));
    // The peer is asked again from time to time, and is banned in the end.
    let mut closes = None;
    for _ in 0..4 {
        while asked(&stage.pass(1), peer).is_empty() {
            stage.hear(peer, Message::KeepAlive);
        }
        closes = closed(&stage.send(peer, &info, &[0]), peer);
    }
    assert_eq!(closes, Some(DisconnectReason::Lied));
}

#[test]
fn absurd_claims_end_the_connection() {
    let mut stage = Stage::with_link(config(torrent(10, false).info_hash()));
    for (n, size) in [1 << 31, u32::MAX, (16 << 20) + 1].into_iter().enumerate() {
        let (peer, out) = stage.offer(n as u8, Some(size));
        assert_eq!(closed(&out, peer), Some(DisconnectReason::Useless));
    }
    assert_eq!(stage.torrent.summary(stage.now).metadata.unwrap().too_long, 3);
}

#[test]
fn trackers_hear_that_the_size_is_not_known() {
    let id = torrent(10, false).info_hash();
    let trackers = vec![vec![TrackerKey(0)]];
    let mut stage = Stage::with_link(Config { trackers, ..config(id) });
    let out = stage.give(Input::Tick);
    let Some(Output::Announce { announce, .. }) = out.first() else { panic!("{out:?}") };
    assert_eq!((announce.left, announce.event), (u64::MAX, AnnounceEvent::Started));
    stage.give(Input::Announced { tracker: TrackerKey(0), answer: Ok(AnnounceReply::default()) });
    let out = stage.give(Input::Command(TorrentCommand::Stop));
    let Some(Output::Announce { announce, .. }) = out.first() else { panic!("{out:?}") };
    assert_eq!((announce.left, announce.event), (u64::MAX, AnnounceEvent::Stopped));
}

#[test]
fn one_that_proves_private_leaves_those_it_may_not_know() {
    let metainfo = torrent(10, true);
    let mut stage = Stage::with_link(Config { dht: true, ..config(metainfo.info_hash()) });
    assert!(stage.give(Input::Tick).iter().any(|o| matches!(o, Output::Lookup { .. })));
    stage.give(Input::PeersFound { source: Source::Dht, addrs: vec![addr(1), addr(3)] });
    stage.give(Input::PeersFound { source: Source::Tracker, addrs: vec![addr(2)] });
    let (of_dht, _) = stage.connect_with(1, false, modern());
    let (of_tracker, _) = stage.connect_with(2, false, modern());
    let info = metainfo.raw_info();
    stage.hear(of_dht, hand(Some(info.len() as u32)));
    let mut out = stage.send(of_dht, info, &[0]);
    assert_eq!(found(&out), Some(true));
    out.extend(stage.give(Input::PeersFound { source: Source::Dht, addrs: vec![addr(4)] }));
    out.extend(stage.give(Input::LookedUp { answered: 3, peers: 1 }));
    // A peer that was dialled before answers only now.
    let (late, answered) = stage.connect_with(3, false, modern());
    assert_eq!(closed(&answered, late), Some(DisconnectReason::Useless));
    let (of_user, answered) = stage.connect(2);
    assert_eq!(closed(&answered, of_user), Some(DisconnectReason::Duplicate), "it is still there");
    // The metadata of a private torrent is not uploaded.
    let out_of_us = stage.hear(of_tracker, to_us(&MetadataMessage::Request(0)));
    assert!(!asked(&out_of_us, of_tracker).iter().any(|m| matches!(m, MetadataMessage::Data { .. })));
    out.extend(stage.pass(4000));
    assert_eq!(closed(&out, of_dht), Some(DisconnectReason::Useless));
    assert_eq!(stage.torrent.swarm.candidates.len(), 1);
    let of_others = |o: &Output| matches!(o, Output::Lookup { .. }) || *o == Output::Dial { addr: addr(3) };
    assert!(!out.iter().any(of_others));
}

#[test]
fn a_torrent_goes_on_with_what_was_said_before() {
    let metainfo = torrent(20, false);
    let info = metainfo.raw_info();
    let mut stage = Stage::with_link(config(metainfo.info_hash()));
    let (seed, _) = stage.offer(1, Some(info.len() as u32));
    stage.hear(seed, Message::HaveAll);
    stage.hear(seed, Message::Unchoke);
    let (short, _) = stage.offer(2, None);
    stage.hear(short, Message::Bitfield(vec![0xff]));
    let (leech, _) = stage.connect_with(3, true, Reserved::NONE);
    stage.hear(leech, Message::Interested);
    assert_eq!(found(&stage.send(seed, info, &[0])), Some(true));
    let out = stage.open(&metainfo, |pieces| {
        let mut have = Bitfield::none(pieces);
        have.insert(metainfo.geometry().piece(7).expect("there are twenty"));
        have
    });
    let to_seed = said(&out, seed);
    assert_eq!(to_seed, [Message::Have(7), Message::Interested], "a bitfield would come too late");
    assert!(out.iter().any(|o| matches!(o, Output::Request { peer, .. } if *peer == seed)));
    assert_eq!(closed(&out, short), Some(DisconnectReason::Protocol), "eight pieces are not twenty");
    assert_eq!(said(&out, leech), [Message::Have(7), Message::Unchoke]);
    assert_eq!(stage.torrent.summary(stage.now).peers, 2);
}

#[test]
fn the_first_block_is_asked_for_when_the_last_piece_of_metadata_is_there() {
    let metainfo = torrent(20, false);
    let info = metainfo.raw_info();
    let mut stage = Stage::with_link(Config { eager: true, ..config(metainfo.info_hash()) });
    let (seed, out) = stage.connect_with(1, false, modern());
    assert!(!said(&out, seed).contains(&Message::Interested), "nobody knows what it has");
    // Each message has its effect at once, as far as it can by then.
    let out = stage.hear(seed, Message::HaveAll);
    assert_eq!(said(&out, seed), [Message::Interested]);
    let out = stage.hear(seed, hand(Some(info.len() as u32)));
    assert_eq!(asked(&out, seed), [MetadataMessage::Request(0)]);
    assert_eq!(stage.hear(seed, Message::Unchoke), []);
    let (empty, _) = stage.connect_with(2, false, modern());
    assert_eq!(stage.hear(empty, Message::HaveNone), []);
    assert_eq!(found(&stage.send(seed, info, &[0])), Some(true));
    let mut other = stage.clone();
    let out = stage.open(&metainfo, Bitfield::none);
    assert!(out.iter().any(|o| matches!(o, Output::Request { peer, .. } if *peer == seed)));
    assert!(!said(&out, seed).contains(&Message::Interested), "it knows");
    // All pieces were there already, so the two seeds disconnect.
    assert!(closed(&other.open(&metainfo, Bitfield::all), seed).is_some());
}

#[test]
fn what_a_peer_has_asked_for_is_given_by_the_torrent() {
    let metainfo = torrent(30_000, false);
    let info = metainfo.raw_info();
    let mut stage = Stage::with_link(config(metainfo.info_hash()));
    let (seed, _) = stage.offer(1, Some(info.len() as u32));
    let (borrower, _) = stage.offer(2, None);
    let pieces: Vec<u32> = (0..metadata_pieces(info.len() as u32)).collect();
    assert!(pieces.len() > 32, "more than goes out at once");
    stage.send(seed, info, &pieces);
    let mut given = Vec::new();
    let mut take = |out: &[Output]| {
        given.extend(asked(out, borrower).into_iter().filter_map(|message| match message {
            MetadataMessage::Data { piece, .. } => Some(piece),
            _ => None,
        }));
    };
    for &piece in &pieces {
        take(&stage.hear(borrower, to_us(&MetadataMessage::Request(piece))));
    }
    let mut out = stage.open(&metainfo, Bitfield::none);
    for _ in 0..pieces.len() {
        out.extend(stage.give(Input::Drained { peer: borrower }));
    }
    take(&out);
    assert_eq!(given, pieces);
}

#[test]
fn what_a_peer_has_lost_is_not_asked_of_it() {
    let metainfo = torrent(2, false);
    let info = metainfo.raw_info();
    let mut stage = Stage::with_link(config(metainfo.info_hash()));
    let (seed, _) = stage.offer(1, Some(info.len() as u32));
    stage.hear(seed, Message::HaveAll);
    stage.hear(seed, Message::Extended { id: Extension::DontHave.our_id(), body: vec![0, 0, 0, 0] });
    stage.hear(seed, Message::Unchoke);
    assert_eq!(found(&stage.send(seed, info, &[0])), Some(true));
    let out = stage.open(&metainfo, Bitfield::none);
    let asked = out
        .iter()
        .find_map(|o| if let Output::Request { blocks, .. } = o { Some(blocks.clone()) } else { None });
    assert!(asked.expect("it has one piece").iter().all(|block| block.piece().index() == 1));
}

#[test]
fn mute_peers_do_not_keep_us_awake() {
    let mut stage = Stage::with_link(config(torrent(10, false).info_hash()));
    stage.offer(1, Some(400));
    // Deadlines keep a distance, also after the rest of a peer: `pass` counts the ticks.
    stage.pass(120);
    let mut ticks = 0;
    let end = stage.now + Duration::from_secs(60);
    while let Some(at) = stage.torrent.deadline().filter(|&at| at <= end) {
        stage.now = stage.now.max(at);
        stage.give(Input::Tick);
        ticks += 1;
    }
    assert!(ticks < 100, "{ticks} in a minute");
}

#[test]
fn a_torrent_that_is_complete_does_not_say_have_without_end() {
    let metainfo = torrent(30_000, false);
    let mut stage = Stage::with_link(config(metainfo.info_hash()));
    let (peer, _) = stage.offer(1, None);
    let out = stage.open(&metainfo, Bitfield::all);
    assert!(closed(&out, peer).is_some() && said(&out, peer).is_empty());
}
