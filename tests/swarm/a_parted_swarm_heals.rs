//! A network that falls into two parts and grows together again.

use std::time::Duration;

use crate::sim::plan::{Fault, KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

fn parted(seed: u64, seconds: u64) -> World {
    let leech = NodePlan::leech().up(128 * KIB);
    let plan = Plan::new(seed, 64 * KIB, 8 * MIB).node(NodePlan::seed().up(256 * KIB)).nodes(11, &leech);
    World::new(plan.at(15, Fault::Part(0..6)).at(15 + seconds, Fault::Heal))
}

#[test]
fn a_swarm_that_was_parted_for_a_moment_goes_on_over_the_same_connections() {
    for seed in 0..5 {
        let mut world = parted(seed, 8);
        assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    }
}

#[test]
fn a_swarm_that_was_parted_for_minutes_finds_together_again() {
    for seed in 0..5 {
        let mut world = parted(seed, 300);
        assert!(
            !world.run(Duration::from_secs(310), World::all_complete),
            "the part without a seed cannot finish"
        );
        assert!(world.are_complete(0..6), "seed {seed}: the part with the seed can\n{}", world.report());
        assert!(world.run(Duration::from_secs(1500), World::all_complete), "seed {seed}\n{}", world.report());
    }
}
