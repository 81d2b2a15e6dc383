//! The end game: what a slow peer owes is asked of a fast one too.

use std::time::Duration;

use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

fn seconds(seed: u64, slow: usize, up: u64) -> (f64, f64) {
    let plan = Plan::new(seed, 256 * KIB, 16 * MIB)
        .nodes(2, &NodePlan::seed().up(512 * KIB))
        .nodes(slow, &NodePlan::seed().up(up))
        .node(NodePlan::leech());
    let mut world = World::new(plan);
    assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    let tally = &world.nodes[2 + slow].tally;
    (world.now.since_start().as_secs_f64(), tally.wasted as f64 / tally.landed as f64)
}

#[test]
fn a_slow_peer_does_not_hold_the_last_pieces() {
    for seed in 0..5 {
        let (alone, _) = seconds(seed, 0, KIB);
        let (with_slow, wasted) = seconds(seed, 3, KIB);
        assert!(with_slow < alone + 5.0, "seed {seed}: {alone:.1} s became {with_slow:.1} s");
        assert!(wasted < 0.05, "seed {seed}: {:.1} % were wasted", wasted * 100.0);
    }
}
