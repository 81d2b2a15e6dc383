//! A full disk makes a torrent wait and costs nothing that was verified.

use std::time::Duration;

use crate::sim::plan::{Fault, KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

#[test]
fn a_full_disk_makes_one_node_wait_and_once_freed_it_finishes() {
    for seed in 0..5 {
        let plan = Plan::new(seed, 64 * KIB, 8 * MIB).node(NodePlan::seed());
        let plan = plan.nodes(4, &NodePlan::leech().up(256 * KIB));
        let mut world = World::new(plan.at(4, Fault::DiskFull(1)).at(120, Fault::DiskFreed(1)));
        assert!(!world.run(Duration::from_secs(119), World::all_complete), "a full disk takes nothing");
        assert!(world.are_complete(2..5), "seed {seed}: the others do not wait\n{}", world.report());
        let held = world.nodes[1].ledger.have().count();
        assert!(held > 0, "seed {seed}: it had begun");
        assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
        let fetched = world.nodes[1].tally.landed - u64::from(held) * 64 * KIB;
        assert!(fetched < 9 * MIB, "seed {seed}: {fetched} bytes were fetched after the pause");
    }
}
