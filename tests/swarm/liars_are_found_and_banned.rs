//! Wrong bytes are traced to those who sent them, and to nobody else.

use std::time::Duration;

use crate::sim::liar::Manner;
use crate::sim::plan::{KIB, MIB, NodePlan, Plan, address_of};
use crate::sim::world::World;

fn k_of_ten_lie(seed: u64, k: usize, manner: Manner) {
    let plan = Plan::new(seed, 128 * KIB, 3 * MIB).nodes(10 - k, &NodePlan::seed().up(256 * KIB));
    let plan = plan.nodes(k, &NodePlan::seed().up(256 * KIB).manner(manner)).node(NodePlan::leech());
    let mut world = World::new(plan);
    assert!(world.run(Duration::from_secs(600), World::all_complete), "seed {seed}\n{}", world.report());
    let tally = &world.nodes[10].tally;
    // That the innocent are not banned is checked at every step.
    for (piece, &times) in &tally.spoiled {
        assert!(times as usize <= k + 1, "seed {seed}, {k} liars: {piece:?} was spoiled {times} times");
    }
    if manner == Manner::AlwaysLies {
        let caught = (10 - k..10).filter(|&liar| tally.banned.contains(&address_of(liar).ip())).count();
        let spoiled = tally.spoiled.values().sum::<u32>();
        assert!(
            caught == k || spoiled == 0,
            "seed {seed}: {caught} of {k} liars are caught\n{}",
            world.report()
        );
    }
}

#[test]
fn those_who_always_lie_are_banned_and_nobody_else() {
    for seed in 0..10 {
        for k in 1..=5 {
            k_of_ten_lie(seed, k, Manner::AlwaysLies);
        }
    }
}

#[test]
fn one_wrong_block_in_each_piece_does_not_keep_it_from_coming_out_right() {
    for seed in 0..10 {
        for k in 1..=5 {
            k_of_ten_lie(seed, k, Manner::OneBlockPerPiece);
        }
    }
}

#[test]
fn those_who_lie_now_and_then_do_not_keep_a_piece_from_coming_out_right() {
    for seed in 0..10 {
        for k in 1..=5 {
            k_of_ten_lie(seed, k, Manner::Sometimes(3));
        }
    }
}
