//! How a node begins that knows only where others may be.

use std::net::SocketAddr;
use std::time::Duration;

use torr::base::Moment;
use torr::dht::{Announce, Config, Dht, Family, Goal, Input, Origin};

use super::network::{Kind, address, common, place};

/// Addresses at which nobody is.
fn nobody(count: u32) -> Vec<SocketAddr> {
    (0..count).map(|n| address(20_000 + n)).collect()
}

#[test]
fn an_old_file_and_a_crowd_of_peers_do_not_keep_out_who_is_there() {
    for dead in [Origin::Kept, Origin::Told] {
        for living in [Origin::Bootstrap, Origin::Kept, Origin::Told] {
            let mut world = common(61);
            let info_hash = place(&mut world.rng);
            let announce = Some(Announce { port: Some(7777), seed: false });
            let key = world.begin(address(3), Goal::Peers { info_hash, no_seeds: false, announce });
            world.finish(key);
            let me = address(9000);
            world.join(me, Kind::Honest, &[]);
            world.tell_nodes(me, dead, &nobody(200));
            let start = world.now;
            let key = world.begin(me, Goal::Peers { info_hash, no_seeds: false, announce: None });
            // The name is found out meanwhile; the search is under way.
            world.pass(Duration::from_secs(5));
            world.tell_nodes(me, living, &[address(17)]);
            world.finish(key);
            let took = world.now.since(start);
            if dead == living {
                // There were enough of that kind already, or it is one of many: it is tried in its turn.
                continue;
            }
            assert!(world.found.contains_key(&key), "{dead:?}, {living:?}");
            assert!(took < Duration::from_secs(20), "{dead:?}, {living:?}: {took:?}");
            world.pass(Duration::from_secs(30));
            assert!(world.known_to(me) >= 20, "{}", world.known_to(me));
        }
    }
}

#[test]
fn the_best_are_tried_first() {
    let mut dht = v4();
    let mut out = Vec::new();
    dht.handle(at(0), Input::Nodes(Origin::Kept, &[9, 4, 7, 1].map(address)), &mut out);
    let to: Vec<_> = out.iter().filter_map(super::distrust::sent_to).collect();
    assert_eq!(to, [9, 4, 7, 1].map(address));
}

#[test]
fn what_was_kept_stays_kept_until_it_is_refuted() {
    let mut dht = v4();
    let kept: Vec<_> = (0..200).map(address).collect();
    dht.handle(at(0), Input::Nodes(Origin::Kept, &kept), &mut Vec::new());
    dht.handle(at(0), Input::Nodes(Origin::Told, &nobody(10)), &mut Vec::new());
    for secs in 1..600 {
        dht.handle(at(secs), Input::Tick, &mut Vec::new());
    }
    // Nobody answers at all, so the network is away.
    let mut saved = dht.saved(200).nodes;
    saved.sort();
    assert_eq!(saved, kept);
    // One does: it comes first, and those that do not answer meanwhile go.
    let mut world = common(62);
    let me = address(9000);
    world.join(me, Kind::Honest, &[]);
    world.tell_nodes(me, Origin::Kept, &nobody(150));
    world.tell_nodes(me, Origin::Bootstrap, &[address(17)]);
    world.pass(Duration::from_secs(60));
    let (saved, known) = (world.dht(me).saved(200).nodes, world.known_to(me));
    assert!(saved.len() >= 150, "{}", saved.len());
    let alive = world.addresses();
    assert!(saved[..known].iter().all(|addr| alive.contains(addr)));
}

fn at(secs: u64) -> Moment {
    Moment::START + Duration::from_secs(secs)
}

fn v4() -> Dht {
    Dht::new(at(0), &Config { families: vec![Family::V4], ..Config::default() }, [1; 32])
}
