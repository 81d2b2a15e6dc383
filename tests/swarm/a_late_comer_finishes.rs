//! Who comes when all others have finished and mostly gone is served as well.

use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

#[test]
fn a_late_comer_finishes_though_most_have_left() {
    for seed in 0..5 {
        let goes = NodePlan { stays: Some(Duration::from_secs(10)), ..NodePlan::leech().up(512 * KIB) };
        let plan = Plan::new(seed, 128 * KIB, 8 * MIB)
            .node(NodePlan::seed())
            .nodes(10, &goes)
            .node(NodePlan::leech().arrives(900));
        let mut world = World::new(plan);
        assert!(world.run(Duration::from_secs(1000), World::all_complete), "seed {seed}\n{}", world.report());
        assert!((1..11).all(|node| world.nodes[node].gone));
    }
}
