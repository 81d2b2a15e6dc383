//! DHT searches, and port messages of peers.

use std::net::SocketAddr;

use super::stage::{Stage, addr, closed, config, modern, said};
use crate::base::PeerId;
use crate::proto::message::Message;
use crate::swarm::Config;
use crate::swarm::event::{Input, Output, PeerHandshake, Source, TorrentCommand};

fn with_dht() -> Config {
    Config { dht: true, ..config() }
}

fn hello(n: u8) -> PeerHandshake {
    PeerHandshake { id: PeerId([n; 20]), reserved: modern().with_dht() }
}

fn lookups(out: &[Output]) -> Vec<(bool, bool)> {
    let each = out.iter().filter_map(|order| match order {
        Output::Lookup { announce, seed } => Some((*announce, *seed)),
        _ => None,
    });
    each.collect()
}

fn nodes(out: &[Output]) -> Vec<SocketAddr> {
    let each = out
        .iter()
        .filter_map(|order| if let Output::AddDhtNode { addr } = order { Some(*addr) } else { None });
    each.collect()
}

#[test]
fn a_download_searches_at_once_and_dials_whom_it_finds() {
    let mut stage = Stage::with(4, false, with_dht());
    assert_eq!(lookups(&stage.pass(0)), [(true, false)]);
    assert_eq!(lookups(&stage.pass(3600)), [], "one at a time");
    let out = stage.give(Input::PeersFound { source: Source::Dht, addrs: vec![addr(9)] });
    assert!(out.contains(&Output::Dial { addr: addr(9) }));
    stage.give(Input::LookedUp { answered: 30, peers: 1 });
    assert_eq!(lookups(&stage.pass(60)), [(true, false)], "one peer is few");
    let searched = stage.torrent.summary(stage.now).dht.unwrap();
    assert_eq!((searched.searches, searched.answered, searched.peers), (1, 30, 1));
}

#[test]
fn who_becomes_complete_is_announced_as_a_seed() {
    let mut stage = Stage::with(1, false, with_dht());
    assert_eq!(lookups(&stage.pass(0)), [(true, false)]);
    stage.give(Input::LookedUp { answered: 30, peers: 1 });
    let (peer, asked) = stage.meet_seed(1);
    let mut out = stage.drain(peer, asked);
    out.extend(stage.pass(1));
    assert!(stage.torrent.is_finished());
    assert_eq!(lookups(&out), [(true, true)]);
}

#[test]
fn nobody_is_announced_who_cannot_be_reached() {
    let mut stage = Stage::with(1, true, Config { port: 0, ..with_dht() });
    assert_eq!(lookups(&stage.pass(0)), [(false, true)]);
}

#[test]
fn private_and_paused_torrents_search_for_nobody() {
    let mut private = Stage::with(4, false, Config { private: true, ..with_dht() });
    assert_eq!(lookups(&private.pass(7200)), []);
    let (peer, out) = private.connect_as(1, true, hello(1));
    assert!(!said(&out, peer).iter().any(|message| matches!(message, Message::Port(_))));
    assert_eq!(nodes(&private.hear(peer, Message::Port(7))), []);
    private.give(Input::PeersFound { source: Source::Dht, addrs: vec![addr(9)] });
    assert_eq!(
        (private.torrent.summary(private.now).known, private.torrent.summary(private.now).dht),
        (0, None)
    );
    assert_eq!(lookups(&Stage::leech(4).pass(7200)), [], "it is off");

    let mut stage = Stage::with(4, false, with_dht());
    stage.give(Input::Command(TorrentCommand::Pause));
    assert_eq!(lookups(&stage.pass(7200)), []);
    assert_eq!(lookups(&stage.give(Input::Command(TorrentCommand::Resume))), [(true, false)]);
    stage.give(Input::Command(TorrentCommand::Stop));
    assert_eq!(lookups(&stage.pass(7200)), []);
}

#[test]
fn nodes_are_told_of_once() {
    let mut stage = Stage::with(4, false, with_dht());
    let (peer, out) = stage.connect_as(1, true, hello(1));
    assert!(said(&out, peer).contains(&Message::Port(51_413)));
    let node = SocketAddr::new(addr(1).ip(), 7);
    assert_eq!(nodes(&stage.hear(peer, Message::Port(7))), [node]);
    let again: Vec<Output> = (0..299).flat_map(|_| stage.hear(peer, Message::Port(8))).collect();
    assert_eq!((nodes(&again), closed(&again, peer)), (vec![], None));
    let out: Vec<Output> = (0..5).flat_map(|_| stage.hear(peer, Message::Port(8))).collect();
    assert!(closed(&out, peer).is_some());
    let (plain, out) = stage.connect(2);
    assert!(!said(&out, plain).iter().any(|message| matches!(message, Message::Port(_))));
}

#[test]
fn a_seed_that_loses_a_piece_searches_at_once_or_when_it_is_time() {
    for few in [true, false] {
        let mut stage = Stage::with(1, true, with_dht());
        assert_eq!(lookups(&stage.pass(0)), [(true, true)]);
        stage.give(Input::LookedUp { answered: 30, peers: 1 });
        if !few {
            for n in 1..=60 {
                stage.meet_leech(n);
            }
        }
        assert_eq!(lookups(&stage.pass(120)), []);
        let piece = stage.piece(0);
        let out = stage.give(Input::PieceLost { piece });
        assert_eq!(lookups(&out), if few { vec![(true, false)] } else { vec![] });
        assert!(stage.torrent.deadline().is_none_or(|at| at > stage.now), "nothing is left to be done");
    }
}
