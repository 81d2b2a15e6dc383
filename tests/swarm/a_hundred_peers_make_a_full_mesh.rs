//! A hundred peers, each connected with all others.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::trace::Trace;
use crate::sim::world::World;

const PEERS: usize = 100;

fn play(seed: u64) -> Trace {
    let leech = NodePlan { max_peers: 150, ..NodePlan::leech().up(256 * KIB) };
    let first = NodePlan { max_peers: 150, ..NodePlan::seed().up(64 * KIB) };
    let mut plan = Plan::new(seed, 64 * KIB, 4 * MIB).node(first).nodes(PEERS - 1, &leech);
    plan.trackers[0].most_peers = 200;
    let mut world = World::new(plan);
    let full = |world: &World| {
        let mut peers = world.nodes.iter().take(PEERS);
        peers.all(|node| node.ledger.peer_count() == PEERS - 1)
    };
    assert!(
        world.run(Duration::from_secs(300), full),
        "seed {seed}: the mesh is not full\n{}",
        world.report()
    );
    assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    let pairs: BTreeSet<_> = world.exchanges().collect();
    assert_eq!(pairs.len(), PEERS * (PEERS - 1) / 2, "seed {seed}: every pair has exchanged messages");
    world.trace()
}

#[test]
fn every_pair_of_a_hundred_exchanges_messages_and_all_finish() {
    assert_eq!(play(1), play(1), "two runs differ");
}
