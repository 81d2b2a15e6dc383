//! What was spread once need not be sent again by the one who had it first.

use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

#[test]
fn the_only_seed_leaves_after_one_full_copy_is_spread_and_everyone_still_finishes() {
    for seed in 0..5 {
        let plan = Plan::new(seed, 64 * KIB, 6 * MIB).node(NodePlan::seed().up(512 * KIB));
        let plan = plan.nodes(15, &NodePlan::leech().up(256 * KIB));
        let size = plan.total as f64;
        let mut world = World::new(plan);
        let spread = |world: &World| world.one_copy_is_spread_besides(0);
        assert!(world.run(Duration::from_secs(600), spread), "{}", world.report());
        let copies = world.nodes[0].tally.sent as f64 / size;
        assert!(copies < 3.0, "seed {seed}: the first copy took {copies:.2}");
        world.leave(0);
        assert!(world.run(Duration::from_secs(900), World::all_complete), "seed {seed}\n{}", world.report());
    }
}
