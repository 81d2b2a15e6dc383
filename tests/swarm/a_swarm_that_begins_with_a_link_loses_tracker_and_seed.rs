//! A link is enough to begin, and what it names may go once a copy of everything is in the swarm.

use std::time::Duration;

use torr::swarm::event::{Input, Source};

use crate::sim::plan::{Fault, KIB, MIB, NodePlan, Plan, address_of};
use crate::sim::trace::Trace;
use crate::sim::world::World;

const LINKS: usize = 15;

fn plan(seed: u64) -> Plan {
    let link = NodePlan::link().up(256 * KIB);
    let plan = Plan::new(seed, 64 * KIB, 6 * MIB).node(NodePlan::seed().up(512 * KIB));
    plan.nodes(LINKS - 5, &link).nodes(5, &link.arrives(20))
}

/// Lets one copy spread, takes the first seed away, and sees everybody finish.
fn play(seed: u64, mut world: World) -> Trace {
    let spread = |world: &World| world.one_copy_is_spread_besides(0);
    assert!(world.run(Duration::from_secs(600), spread), "seed {seed}\n{}", world.report());
    assert!(!world.all_complete(), "seed {seed}: somebody still lacks something");
    world.leave(0);
    assert!(world.run(Duration::from_secs(1200), World::all_complete), "seed {seed}\n{}", world.report());
    world.trace()
}

/// The tracker dies after 8 s; each node was told the address of one other and learns the rest from its peers.
fn with_one_address(seed: u64) -> Trace {
    let mut plan = plan(seed).at(8, Fault::TrackerDies(0));
    plan.routers = 0;
    let mut world = World::new(plan);
    for node in 1..=LINKS {
        let arrives = world.nodes[node].plan.arrives;
        world.run(arrives + Duration::from_secs(1), |_| false);
        let addrs = vec![address_of(if node <= LINKS - 5 { 0 } else { node - 1 })];
        world.hear(node, Input::PeersFound { source: Source::User, addrs });
    }
    play(seed, world)
}

/// The tracker is dead from the start; the DHT is all there is.
fn with_the_dht(seed: u64) -> Trace {
    play(seed, World::new(plan(seed).at(0, Fault::TrackerDies(0))))
}

#[test]
fn a_swarm_with_one_address_each_outlives_its_tracker_and_its_first_seed() {
    for seed in 0..3 {
        assert_eq!(with_one_address(seed), with_one_address(seed), "seed {seed}: two runs differ");
    }
}

#[test]
fn a_swarm_with_the_dht_alone_outlives_its_first_seed() {
    for seed in 0..3 {
        assert_eq!(with_the_dht(seed), with_the_dht(seed), "seed {seed}: two runs differ");
    }
}
