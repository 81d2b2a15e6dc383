//! Where the seed is the narrow place, the swarm takes little longer than the seed needs for one copy.

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

#[test]
fn a_slow_seed_and_fast_leeches_come_near_the_fluid_bound() {
    for seed in 0..5 {
        let plan = Plan::new(seed, 64 * KIB, 8 * MIB).node(NodePlan::seed().up(128 * KIB));
        let plan = plan.nodes(20, &NodePlan::leech().up(2 * MIB).down(16 * MIB));
        let bound = plan.fluid_bound();
        let mut world = World::new(plan);
        assert!(world.run(bound * 3, World::all_complete), "seed {seed}\n{}", world.report());
        let ratio = world.now.since_start().as_secs_f64() / bound.as_secs_f64();
        assert!(ratio < 1.7, "seed {seed}: {ratio:.2} times the bound");
    }
}
