//! From metadata to content without a new connection: whoever gave the info dictionary gives the first blocks.

use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::trace::Trace;
use crate::sim::world::World;

/// Nodes that begin with the info-hash alone.
const LINKS: std::ops::Range<usize> = 3..12;

/// Slow links with long ways, on which one packet in twenty is lost.
fn plan(seed: u64) -> Plan {
    let link = NodePlan::link().up(128 * KIB).down(512 * KIB).latency(150);
    let leech = NodePlan { link: false, ..link.clone() };
    let mut plan = Plan::new(seed, 16 * KIB, 16 * MIB)
        .node(NodePlan::seed().up(256 * KIB).latency(150))
        .nodes(2, &leech)
        .nodes(LINKS.len(), &link);
    plan.loss = 20;
    plan.jitter = 50;
    plan
}

fn play(seed: u64) -> Trace {
    let plan = plan(seed);
    let limit = plan.fluid_bound() * 4;
    let mut world = World::new(plan);
    assert!(world.run(limit, World::all_complete), "seed {seed}\n{}", world.report());
    for node in &world.nodes[LINKS] {
        let tally = &node.tally;
        assert!(tally.opened.is_some() && !tally.opened_with.is_empty(), "seed {seed}, node {}", node.number);
        assert_eq!(tally.closed_by_opening, 0, "seed {seed}, node {}", node.number);
        let first = tally.first_block.expect("it has everything");
        assert!(tally.opened_with.contains(&first), "seed {seed}, node {}: a new connection", node.number);
    }
    world.trace()
}

#[test]
fn nodes_with_a_link_alone_fetch_metadata_and_content_over_lossy_links() {
    for seed in 0..3 {
        assert_eq!(play(seed), play(seed), "seed {seed}: two runs differ");
    }
}

#[test]
fn a_swarm_in_which_one_node_knows_the_metadata_spreads_it_to_all() {
    for seed in 10..13 {
        let link = NodePlan::link().up(256 * KIB);
        let plan = Plan::new(seed, 64 * KIB, 4 * MIB).node(NodePlan::seed()).nodes(20, &link);
        let mut world = World::new(plan);
        assert!(world.run(Duration::from_secs(120), World::all_complete), "seed {seed}\n{}", world.report());
        assert!(world.nodes.iter().all(|node| node.tally.closed_by_opening == 0));
    }
}
