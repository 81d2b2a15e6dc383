//! A source full of lies cannot hide the truth for ever.

use std::time::Duration;

use torr::swarm::event::{Input, Source};

use crate::sim::plan::{KIB, MIB, NodePlan, Plan, address_of, fake_address};
use crate::sim::world::World;

/// Nobody tells the leech anything but what the test does.
fn strangers(seed: u64) -> World {
    let plan = Plan::new(seed, 64 * KIB, MIB).node(NodePlan::seed()).node(NodePlan::leech());
    World::new(plan.silent())
}

#[test]
fn one_real_peer_among_thousands_of_fakes_of_another_source_is_found_at_once() {
    let mut world = strangers(1);
    world.run(Duration::from_secs(1), |_| false);
    for some in 0..50 {
        let addrs = (some * 1000..(some + 1) * 1000).map(fake_address).collect();
        world.hear(1, Input::PeersFound { source: Source::Dht, addrs });
    }
    world.hear(1, Input::PeersFound { source: Source::Tracker, addrs: vec![address_of(0)] });
    assert!(world.run(Duration::from_secs(60), World::all_complete), "{}", world.report());
}

#[test]
fn one_real_peer_among_a_thousand_fakes_of_the_same_source_is_found_within_minutes() {
    for seed in 0..3 {
        let mut world = strangers(seed);
        world.run(Duration::from_secs(1), |_| false);
        let mut addrs: Vec<_> = (0..1000).map(fake_address).collect();
        addrs.insert(seed as usize * 400, address_of(0));
        world.hear(1, Input::PeersFound { source: Source::Dht, addrs });
        assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    }
}
