//! Peer exchange (BEP 11).

use std::net::SocketAddr;

use super::stage::{Stage, addr, closed, config, dials, modern, said};
use crate::proto::extended::pex::{PexFlags, PexMessage};
use crate::proto::extended::{ExtendedHandshake, Extension};
use crate::proto::message::Message;
use crate::swarm::Config;
use crate::swarm::event::{Input, Output, PeerKey, Source};

/// The scripted peers' message id for `ut_pex`.
const THEIRS: u8 = 9;

fn stage(complete: bool) -> Stage {
    Stage::with(4, complete, Config { pex: true, ..config() })
}

/// Returns an extension handshake with a port and a message id for `ut_pex`, 0 for none.
fn handshake(port: Option<u16>, pex: u8) -> Message {
    let ids = vec![(Extension::Pex, pex)];
    let body = ExtendedHandshake { ids, port, ..ExtendedHandshake::default() }.encode();
    Message::Extended { id: 0, body }
}

/// Connects a peer that we dialled and that supports peer exchange.
fn meet(stage: &mut Stage, n: u8) -> PeerKey {
    stage.give(Input::PeersFound { source: Source::Tracker, addrs: vec![addr(n)] });
    let (peer, _) = stage.connect_with(n, false, modern());
    stage.hear(peer, handshake(None, THEIRS));
    peer
}

fn told(out: &[Output], to: PeerKey) -> Vec<PexMessage> {
    let read = |message| match message {
        Message::Extended { id: THEIRS, body } => Some(PexMessage::decode(&body).unwrap()),
        _ => None,
    };
    said(out, to).into_iter().filter_map(read).collect()
}

fn added(out: &[Output], to: PeerKey) -> Vec<SocketAddr> {
    told(out, to).iter().flat_map(|message| message.added.iter().map(|(addr, _)| *addr)).collect()
}

fn tells(peer: PeerKey, addrs: impl IntoIterator<Item = SocketAddr>) -> Input {
    let added = addrs.into_iter().map(|addr| (addr, PexFlags::default())).collect();
    let body = PexMessage { added, dropped: vec![] }.encode();
    Input::MessageReceived { peer, message: Message::Extended { id: Extension::Pex.our_id(), body } }
}

fn offers_pex(stage: &mut Stage) -> bool {
    let (peer, out) = stage.connect(200);
    let offers = said(&out, peer).iter().any(|message| match message {
        Message::Extended { id: 0, body } => {
            ExtendedHandshake::decode(body).unwrap().id_of(Extension::Pex).is_some()
        }
        _ => false,
    });
    stage.give(Input::Disconnected { peer, why: super::super::event::DisconnectReason::Closed });
    offers
}

#[test]
fn those_who_come_together_hear_of_one_another_within_seconds() {
    let mut stage = stage(false);
    let peers = [1, 2, 3].map(|n| meet(&mut stage, n));
    let out = stage.pass(3);
    for (n, peer) in (1..).zip(peers) {
        let others: Vec<_> = (1..=3).filter(|&other| other != n).map(addr).collect();
        assert_eq!(added(&out, peer), others);
    }
    let late = meet(&mut stage, 4);
    let out = stage.pass(3);
    assert_eq!(added(&out, late), [1, 2, 3].map(addr));
    assert_eq!(told(&out, peers[0]), [], "it was told something a short while ago");
    stage.hear(late, Message::KeepAlive);
    stage.give(Input::Disconnected { peer: peers[1], why: super::super::event::DisconnectReason::Closed });
    let out = stage.pass(60);
    assert_eq!(added(&out, peers[0]), [addr(4)]);
    assert_eq!(told(&out, peers[0])[0].dropped, [addr(2)]);
    for peer in [peers[0], peers[2], late] {
        stage.hear(peer, Message::KeepAlive);
    }
    let out = stage.pass(120);
    assert_eq!(told(&out, peers[0]), [], "nothing is new");
}

#[test]
fn only_those_who_can_be_called_are_told_of() {
    let mut stage = stage(false);
    let listener = meet(&mut stage, 1);
    let (silent, _) = stage.connect(2);
    stage.hear(silent, handshake(None, THEIRS));
    let (open, _) = stage.connect(3);
    stage.hear(open, handshake(Some(777), 0));
    let out = stage.pass(3);
    let told = told(&out, listener);
    assert_eq!(told[0].added, [(SocketAddr::new(addr(3).ip(), 777), PexFlags::default())]);
    assert_eq!(added(&out, silent).len(), 2, "whoever cannot be called may call");
    assert!(said(&out, open).is_empty(), "it does not take part");
}

#[test]
fn seeds_are_told_of_leeches_only() {
    let mut stage = stage(false);
    let [one, two, leech] = [1, 2, 3].map(|n| meet(&mut stage, n));
    stage.hear(one, Message::HaveAll);
    stage.hear(two, Message::HaveAll);
    stage.hear(leech, Message::HaveNone);
    let out = stage.pass(3);
    assert_eq!(added(&out, one), [addr(3)]);
    let seed = PexFlags::default().with(PexFlags::SEED, true).with(PexFlags::OUTGOING, true);
    assert_eq!(told(&out, leech)[0].added, [(addr(1), seed), (addr(2), seed)]);
}

#[test]
fn what_a_peer_tells_is_dialled_once_a_minute() {
    let mut stage = stage(false);
    let peer = meet(&mut stage, 1);
    let own = SocketAddr::from(([127, 0, 0, 1], 51_413));
    let out = stage.give(tells(peer, [addr(5), addr(6), addr(1), own]));
    assert_eq!(dials(&out).len(), 2);
    assert_eq!(dials(&stage.give(tells(peer, [addr(7)]))), [], "too early");
    for _ in 0..300 {
        if closed(&stage.give(tells(peer, [addr(8)])), peer).is_some() {
            return;
        }
    }
    panic!("it may talk for ever");
}

#[test]
fn who_was_told_of_carries_its_source() {
    let mut stage = stage(false);
    let peer = meet(&mut stage, 1);
    stage.give(tells(peer, [addr(5)]));
    stage.connect_with(5, false, modern());
    let found = stage.torrent.peers(stage.now).find(|known| known.addr == addr(5)).unwrap();
    assert_eq!(found.source, Some(Source::Pex));
}

#[test]
fn it_is_off_where_it_is_not_wanted_and_for_private_torrents() {
    let private = Config { pex: true, private: true, ..config() };
    for config in [config(), private] {
        let mut stage = Stage::with(4, false, config);
        assert!(!offers_pex(&mut stage));
        let peers = [1, 2].map(|n| meet(&mut stage, n));
        assert_eq!(dials(&stage.give(tells(peers[0], [addr(5)]))), []);
        let out = stage.pass(100);
        assert!(peers.iter().all(|&peer| told(&out, peer).is_empty()));
        assert_eq!(stage.torrent.summary(stage.now).known, 2);
    }
    assert!(offers_pex(&mut stage(false)) && offers_pex(&mut stage(true)));
}
