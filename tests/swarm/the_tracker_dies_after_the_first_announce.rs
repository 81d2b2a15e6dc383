//! A tracker is needed to meet, not to share.

use std::time::Duration;

use crate::sim::plan::{Fault, KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

#[test]
fn the_tracker_dies_after_the_first_announce_and_the_swarm_still_finishes() {
    for seed in 0..5 {
        let leech = NodePlan::leech().up(256 * KIB);
        let mut plan = Plan::new(seed, 128 * KIB, 8 * MIB).node(NodePlan::seed()).nodes(12, &leech);
        plan.routers = 0;
        let mut world = World::new(plan.at(1, Fault::TrackerDies(0)).at(20, Fault::Cut(0)));
        assert!(world.run(Duration::from_secs(600), World::all_complete), "{}", world.report());
    }
}
