//! Peer exchange while the metadata is unknown.

use std::net::SocketAddr;

use super::*;
use crate::base::Bitfield;
use crate::proto::extended::pex::{PexFlags, PexMessage};
use crate::swarm::event::Source;

/// The scripted peers' message id for `ut_pex`, which differs from ours.
const PEX: u8 = 8;

fn stage(private: bool) -> (Metainfo, Stage) {
    let metainfo = torrent(20, private);
    let stage = Stage::with_link(Config { pex: true, ..config(metainfo.info_hash()) });
    (metainfo, stage)
}

/// Connects a peer that we dialled, with peer exchange and, if `size` is given, an offered info dictionary.
fn meet(stage: &mut Stage, n: u8, size: Option<u32>) -> PeerKey {
    stage.give(Input::PeersFound { source: Source::Tracker, addrs: vec![addr(n)] });
    let (peer, _) = stage.connect_with(n, false, modern());
    let ids = vec![(Extension::Metadata, THEIRS), (Extension::Pex, PEX)];
    let hand = ExtendedHandshake { ids, metadata_size: size, ..ExtendedHandshake::default() };
    stage.hear(peer, Message::Extended { id: HANDSHAKE_ID, body: hand.encode() });
    peer
}

fn tells(peer: PeerKey, of: &[u8]) -> Input {
    let added = of.iter().map(|&n| (addr(n), PexFlags::default())).collect();
    let body = PexMessage { added, dropped: vec![] }.encode();
    Input::MessageReceived { peer, message: Message::Extended { id: Extension::Pex.our_id(), body } }
}

fn told(out: &[Output], to: PeerKey) -> Vec<SocketAddr> {
    let bodies = said(out, to).into_iter().filter_map(|message| match message {
        Message::Extended { id: PEX, body } => Some(body),
        _ => None,
    });
    let messages = bodies.map(|body| PexMessage::decode(&body).expect("ours can be read"));
    messages.flat_map(|message| message.added).map(|(addr, _)| addr).collect()
}

/// Returns the message id for `ut_pex` in our last handshake to this peer.
fn offered(out: &[Output], to: PeerKey) -> Option<u8> {
    let mut hands = said(out, to).into_iter().filter_map(|message| match message {
        Message::Extended { id: HANDSHAKE_ID, body } => ExtendedHandshake::decode(&body).ok(),
        _ => None,
    });
    let ids = hands.next_back()?.ids;
    ids.iter().find(|(extension, _)| *extension == Extension::Pex).map(|&(_, id)| id)
}

#[test]
fn one_that_lacks_the_dictionary_leads_to_one_that_has_it() {
    let (metainfo, mut stage) = stage(false);
    let info = metainfo.raw_info();
    let guide = meet(&mut stage, 1, None);
    let out = stage.give(tells(guide, &[2, 3]));
    let mut dialled = dials(&out);
    dialled.sort_unstable();
    assert_eq!(dialled, [addr(2), addr(3)]);
    let (seed, _) = stage.connect_with(2, false, modern());
    stage.hear(seed, hand(Some(info.len() as u32)));
    assert_eq!(found(&stage.send(seed, info, &[0])), Some(true));
    assert_eq!(dials(&stage.give(tells(guide, &[4]))), [], "once a minute is enough");
}

#[test]
fn those_who_look_for_it_hear_of_one_another() {
    let (_, mut stage) = stage(false);
    let (guest, out) = stage.connect(9);
    assert_eq!(offered(&out, guest), Some(Extension::Pex.our_id()));
    let peers = [1, 2, 3].map(|n| meet(&mut stage, n, None));
    let out = stage.pass(3);
    assert_eq!(told(&out, peers[0]), [addr(2), addr(3)], "nobody knows where the guest listens");
    assert_eq!(told(&out, peers[2]), [addr(1), addr(2)]);
    assert!(told(&out, guest).is_empty(), "it does not take part");
}

#[test]
fn the_torrent_goes_on_telling_where_the_search_ended() {
    let (metainfo, mut stage) = stage(false);
    let info = metainfo.raw_info();
    let peers = [1, 2].map(|n| meet(&mut stage, n, Some(info.len() as u32)));
    assert_eq!(told(&stage.pass(3), peers[0]), [addr(2)]);
    assert_eq!(found(&stage.send(peers[0], info, &[0])), Some(true));
    let mut out = stage.open(&metainfo, Bitfield::none);
    out.extend(stage.pass(90));
    assert_eq!(told(&out, peers[0]), [], "it was told before");
}

#[test]
fn of_one_that_proves_private_nothing_is_told_any_more() {
    let (metainfo, mut stage) = stage(true);
    let info = metainfo.raw_info();
    let peers = [1, 2].map(|n| meet(&mut stage, n, Some(info.len() as u32)));
    stage.give(tells(peers[0], &[5]));
    let (of_pex, _) = stage.connect_with(5, false, modern());
    let mut out = stage.send(peers[0], info, &[0]);
    assert_eq!(found(&out), Some(true));
    assert_eq!(offered(&out, peers[1]), Some(0), "it is taken back");
    assert!(out.iter().any(|o| matches!(o, Output::Close { peer, .. } if *peer == of_pex)));
    out.extend(stage.give(tells(peers[1], &[6])));
    out.extend(stage.pass(100));
    assert!(peers.iter().all(|&peer| told(&out, peer).is_empty()));
    assert!(!dials(&out).contains(&addr(6)));
}
