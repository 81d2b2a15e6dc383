//! Nodes that lose their network, or are seen elsewhere.

use std::sync::OnceLock;
use std::time::Duration;

use torr::base::Rng;
use torr::dht::{Family, Goal, Outcome, fits};

use super::network::{World, address, network, place};

/// A network in which much time passes.
fn small(seed: u64) -> World {
    static SMALL: OnceLock<World> = OnceLock::new();
    let mut world = SMALL.get_or_init(|| network(5, 120)).clone();
    world.rng = Rng::new(seed);
    world
}

/// One search of a node, and the time until the next, in seconds.
fn search(world: &mut World, pause: u64) -> Outcome {
    let next = world.now + Duration::from_secs(pause);
    let info_hash = place(&mut world.rng);
    let key = world.begin(address(77), Goal::Peers { info_hash, no_seeds: false, announce: None });
    let outcome = world.finish(key).clone();
    world.pass(next.since(world.now));
    outcome
}

#[test]
fn after_an_outage_it_is_back_at_once() {
    for (minutes, every) in [(5, 30), (20, 30), (40, 60)] {
        let mut world = small(51);
        let me = address(77);
        world.pass(Duration::from_secs(300));
        let saved = world.dht(me).saved(200).nodes.len();
        world.cut = Some(me);
        for _ in 0..minutes * 60 / every {
            search(&mut world, every);
        }
        assert_eq!(world.known_to(me), 0, "nobody is known to be there");
        let kept = world.dht(me).saved(200).nodes.len();
        assert!(kept * 10 >= saved * 9, "{kept} of {saved}");
        world.cut = None;
        let outcome = search(&mut world, 10);
        assert!(outcome.answered >= 8, "{minutes} minutes: {outcome:?}");
        // Somebody who asks for nothing is back as well.
        world.cut = Some(me);
        for _ in 0..20 {
            search(&mut world, 30);
        }
        world.cut = None;
        world.pass(Duration::from_secs(20));
        assert!(world.known_to(me) >= 8, "{}", world.known_to(me));
    }
}

#[test]
fn a_new_address_is_a_new_id_among_the_same_nodes() {
    let mut world = small(52);
    let (me, there) = (address(77), address(9077));
    search(&mut world, 60);
    let (before, known) = (world.dht(me).id(Family::V4), world.known_to(me));
    world.seen_at(me, &[there]);
    let mut least = known;
    for _ in 0..40 {
        let outcome = search(&mut world, 30);
        assert!(outcome.answered >= 8, "{outcome:?}");
        least = least.min(world.known_to(me));
    }
    let id = world.dht(me).id(Family::V4);
    assert!(id != before && id.is_some_and(|id| fits(&id, there.ip())));
    assert!(least * 10 >= known * 8, "{least} of {known}");
}

#[test]
fn two_ways_out_are_no_reason_to_move_all_the_time() {
    let mut world = small(53);
    let me = address(77);
    world.seen_at(me, &[address(9077), address(9078)]);
    let mut ids = vec![world.dht(me).id(Family::V4)];
    for _ in 0..120 {
        let outcome = search(&mut world, 30);
        assert!(outcome.answered >= 8, "{outcome:?}");
        ids.push(world.dht(me).id(Family::V4));
    }
    ids.dedup();
    assert!(ids.len() <= 3, "{ids:?}");
}
