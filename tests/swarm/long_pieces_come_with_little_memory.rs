//! Pieces far longer than memory: everybody gets everything, and liars are found all the same.

use std::time::Duration;

use crate::sim::liar::Manner;
use crate::sim::plan::{Fault, MIB, NodePlan, Plan, address_of};
use crate::sim::world::World;

/// Peers of all speeds, and less memory than one piece takes.
fn plan(seed: u64, budget: u64) -> Plan {
    let leech = NodePlan { budget, ..NodePlan::leech() };
    Plan::new(seed, 6 * MIB, 20 * MIB + seed)
        .nodes(2, &NodePlan::seed().up(2 * MIB))
        .node(NodePlan::seed().up(MIB / 64).latency(200))
        .nodes(3, &leech)
        .node(leech.clone().up(MIB / 8).latency(100))
}

#[test]
fn everybody_gets_everything_whoever_comes_and_goes() {
    for seed in 0..12 {
        let mut plan = plan(seed, [0, MIB, 3 * MIB, 16 * MIB][seed as usize % 4]);
        plan.breaks = [0, 300][seed as usize % 2];
        let plan = plan
            .at(4, Fault::Crash(0))
            .at(9, Fault::Return(0))
            .at(10, Fault::Cut(3))
            .at(12, Fault::DiskFull(4))
            .at(20, Fault::DiskFreed(4))
            .at(25, Fault::Breaks(0));
        let mut world = World::new(plan);
        let done = world.run(Duration::from_secs(900), World::all_complete);
        assert!(done, "seed {seed}\n{}", world.report());
    }
}

#[test]
fn who_lies_about_long_pieces_is_found_and_nobody_else() {
    for seed in 0..6 {
        let manner =
            [Manner::AlwaysLies, Manner::OneBlockPerPiece, Manner::Sometimes(100)][seed as usize % 3];
        let plan = plan(seed, 2 * MIB).node(NodePlan::seed().up(2 * MIB).manner(manner));
        let mut world = World::new(plan);
        let done = world.run(Duration::from_secs(900), World::all_complete);
        assert!(done, "seed {seed}\n{}", world.report());
        // That the innocent are not banned is checked at every step.
        let liar = address_of(7).ip();
        for node in &world.nodes[3..7] {
            let spoiled = node.tally.spoiled.len();
            assert!(spoiled == 0 || node.tally.banned.contains(&liar), "seed {seed}\n{}", world.report());
        }
    }
}
