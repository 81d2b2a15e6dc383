//! One acquaintance is enough: the rest is word of mouth (BEP 11).

use std::time::Duration;

use torr::swarm::event::{Input, Source};

use crate::sim::plan::{KIB, MIB, NodePlan, Plan, address_of};
use crate::sim::trace::Trace;
use crate::sim::world::World;

const NODES: usize = 20;

/// Everybody knows only the one that came before; the first has everything.
fn chain(seed: u64, pex: bool) -> World {
    let leech = NodePlan { pex, ..NodePlan::leech().up(256 * KIB).down(MIB) };
    let first = NodePlan { pex, ..NodePlan::seed().up(256 * KIB) };
    let plan = Plan::new(seed, 64 * KIB, 8 * MIB).node(first).nodes(NODES - 1, &leech);
    let mut world = World::new(plan.silent());
    world.run(Duration::from_secs(1), |_| false);
    for node in 1..NODES {
        world.hear(node, Input::PeersFound { source: Source::User, addrs: vec![address_of(node - 1)] });
    }
    world
}

/// The fewest peers that anybody has.
fn fewest(world: &World) -> usize {
    world.nodes.iter().map(|node| node.ledger.peer_count()).min().expect("there are nodes")
}

#[test]
fn a_chain_of_acquaintances_becomes_a_swarm() {
    let play = |seed| -> Trace {
        let mut world = chain(seed, true);
        world.run(Duration::from_secs(30), |_| false);
        let met = fewest(&world);
        assert!(met >= 3, "after half a minute somebody knows {met} peers only");
        assert!(world.run(Duration::from_secs(240), World::all_complete), "{}", world.report());
        world.trace()
    };
    for seed in 0..3 {
        assert_eq!(play(seed), play(seed), "seed {seed}: two runs differ");
    }
}

#[test]
fn without_it_a_chain_stays_a_chain() {
    let mut world = chain(0, false);
    world.run(Duration::from_secs(30), |_| false);
    assert_eq!(fewest(&world), 1);
}

#[test]
fn who_knows_the_seed_leads_a_late_comer_to_it_and_to_the_others() {
    let leech = NodePlan { pex: true, ..NodePlan::leech().up(64 * KIB) };
    let late = leech.clone().arrives(20);
    let seed = NodePlan { pex: true, ..NodePlan::seed().up(256 * KIB) };
    let plan = Plan::new(4, 64 * KIB, 16 * MIB).node(seed).nodes(8, &leech).node(late);
    let mut world = World::new(plan.silent());
    world.run(Duration::from_secs(1), |_| false);
    for node in 1..9 {
        world.hear(node, Input::PeersFound { source: Source::User, addrs: vec![address_of(0)] });
    }
    world.run(Duration::from_secs(21), |_| false);
    world.hear(9, Input::PeersFound { source: Source::User, addrs: vec![address_of(5)] });
    // It calls one, is told of the others at the next opportunity, and calls them.
    world.run(Duration::from_secs(30), |_| false);
    assert!(world.nodes[9].ledger.peer_count() >= 8, "{}", world.report());
}
