//! In one local network a multicast is enough, also for those whom nobody else can call (BEP 14).

use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

fn plan(seed: u64, lans: [u8; 2]) -> Plan {
    let hidden = NodePlan { reachable: false, pex: false, ..NodePlan::leech().up(512 * KIB) };
    let [first, second] = lans.map(|lan| NodePlan { lan: Some(lan), ..hidden.clone() });
    let seed_plan = NodePlan { start: crate::sim::plan::Start::Everything, ..first.clone() };
    let link = NodePlan { link: true, ..second.clone() };
    let mut plan = Plan::new(seed, 64 * KIB, 4 * MIB).node(seed_plan).nodes(3, &second).node(link).silent();
    plan.loss = 4;
    plan
}

#[test]
fn neighbours_behind_nat_find_one_another_though_every_fourth_datagram_is_lost() {
    for seed in 0..5 {
        let mut world = World::new(plan(seed, [1, 1]));
        assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    }
}

#[test]
fn the_word_does_not_leave_the_network() {
    let mut world = World::new(plan(0, [1, 2]));
    world.run(Duration::from_secs(600), |_| false);
    assert_eq!(world.nodes[0].ledger.peer_count(), 0);
}
