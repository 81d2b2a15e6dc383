//! Small swarms on narrow uplinks: how long they take, and what they waste.

use std::time::Duration;

use torr::base::Rng;
use torr::swarm::event::{Input, PeerKey, Source};

use crate::sim::liar::Manner;
use crate::sim::plan::{KIB, MIB, NodePlan, Plan, address_of};
use crate::sim::world::World;

const PIECE: u64 = 128 * KIB;

/// `rates[i]` is what node `i` sends in a second; the first `seeds` have everything, the last `liars` lie. All of them
/// hear of all others at once.
fn swarm(seed: u64, pieces: u64, rates: &[u64], seeds: usize, liars: usize) -> World {
    let mut plan = Plan::new(seed, PIECE, PIECE * pieces - 5000);
    for (node, &rate) in rates.iter().enumerate() {
        let lies = node + liars >= rates.len();
        let manner = if lies { Manner::OneBlockPerPiece } else { Manner::Honest };
        let full = node < seeds || lies;
        let node = if full { NodePlan::seed() } else { NodePlan::leech() };
        let node = node.up(rate).down(16 * MIB).latency(15).manner(manner);
        plan.nodes.push(NodePlan { budget: MIB, says_limit: false, ..node });
    }
    plan.trackers.clear();
    let mut world = World::new(plan);
    world.pass(Duration::from_millis(1));
    let addrs: Vec<_> = (0..rates.len()).map(address_of).collect();
    for node in 0..rates.len() {
        world.hear(node, Input::PeersFound { source: Source::Tracker, addrs: addrs.clone() });
    }
    world
}

/// The seconds until everybody has everything.
fn seconds(world: &mut World, limit: u64) -> f64 {
    assert!(world.run(Duration::from_secs(limit), World::all_complete), "{}", world.report());
    world.now.since_start().as_secs_f64()
}

fn wasted(world: &World) -> u64 {
    world.nodes.iter().map(|node| node.tally.wasted).sum()
}

#[test]
fn one_gets_everything_from_one() {
    let mut world = swarm(1, 40, &[1_000_000, 1_000_000], 1, 0);
    // 5.2 MB at 1 MB/s take 5.2 s; the rest is meeting, and the slow start.
    let seconds = seconds(&mut world, 60);
    assert!(seconds < 7.5, "{seconds}");
    assert_eq!(wasted(&world), 0);
}

#[test]
fn a_crowd_shares_what_one_has() {
    let mut world = swarm(1, 40, &[1_000_000; 9], 1, 0);
    // The one alone would need 42 s for all; what they give one another makes it a few times faster.
    let seconds = seconds(&mut world, 120);
    assert!(seconds < 16.0, "{seconds}");
    assert!(wasted(&world) < world.plan.total / 2, "{}", wasted(&world));
}

#[test]
fn a_slow_peer_does_not_hold_up_the_end() {
    let mut world = swarm(3, 40, &[2_000_000, 4_000, 1_000_000], 2, 0);
    let seconds = seconds(&mut world, 60);
    assert!(seconds < 12.0, "{seconds}");
}

#[test]
fn liars_are_banned_and_the_others_are_not() {
    for seed in 0..6 {
        let mut rates = vec![500_000; 9];
        rates[7] = 900_000;
        let mut world = swarm(seed, 24, &rates, 3, 2);
        seconds(&mut world, 300);
        // That the innocent are not banned is checked at every step.
        assert!(world.nodes[3..7].iter().any(|node| !node.tally.banned.is_empty()), "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_history() {
    let history = |seed| {
        let mut world = swarm(seed, 20, &[600_000; 6], 1, 0);
        seconds(&mut world, 120);
        world.trace()
    };
    assert_eq!(history(5), history(5));
    assert_ne!(history(5), history(6));
}

#[test]
fn whoever_comes_and_goes_everyone_finishes() {
    for seed in 0..4 {
        let mut world = swarm(seed, 30, &[400_000; 8], 2, 0);
        let mut rng = Rng::new(seed);
        for _ in 0..40 {
            let at = world.now.since_start() + Duration::from_millis(500 + rng.below(500));
            if world.run(at, World::all_complete) {
                break;
            }
            // A connection breaks, or a piece goes bad on a disk.
            let node = rng.below(8) as usize;
            let conns: Vec<PeerKey> = world.connections_of(node);
            if let Some(at) = rng.index(conns.len()) {
                world.snap(conns[at].0 as usize);
            }
            let have: Vec<_> = world.nodes[node].ledger.have().iter().collect();
            if node >= 2
                && !world.are_complete([node])
                && rng.one_in(3)
                && let Some(at) = rng.index(have.len())
            {
                world.hear(node, Input::PieceLost { piece: have[at] });
            }
        }
        seconds(&mut world, 400);
    }
}
