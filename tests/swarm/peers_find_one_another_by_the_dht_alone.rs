//! No tracker, no address: the DHT is enough, also for those behind NAT and on links that lose packets (BEP 5).

use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::trace::Trace;
use crate::sim::world::World;

fn play(seed: u64) -> Trace {
    let leech = NodePlan { pex: false, ..NodePlan::leech().up(256 * KIB) };
    let hidden = NodePlan { reachable: false, ..leech.clone() };
    let link = NodePlan { link: true, ..leech.clone() };
    let mut plan = Plan::new(seed, 64 * KIB, 4 * MIB)
        .node(NodePlan { pex: false, ..NodePlan::seed() })
        .nodes(5, &leech)
        .nodes(5, &hidden.arrives(5))
        .nodes(5, &link.arrives(10));
    plan.trackers.clear();
    plan.loss = 10;
    plan.routers = 20;
    let mut world = World::new(plan);
    assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    world.trace()
}

#[test]
fn peers_find_one_another_by_the_dht_alone() {
    for seed in 0..3 {
        assert_eq!(play(seed), play(seed), "seed {seed}: two runs differ");
    }
}
