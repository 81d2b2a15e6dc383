//! Whatever peers say of the info dictionary, an honest one is heard in the end.

use std::time::Duration;

use torr::swarm::event::{Input, Source};

use crate::sim::plan::{NodePlan, Plan, address_of};
use crate::sim::script::{KINDS, Script};
use crate::sim::trace::Trace;
use crate::sim::world::World;

const LIARS: u32 = 50;
/// Pieces of the torrent; each takes 20 bytes in the info dictionary.
const PIECES: u64 = 5000;
/// How long it may take, in seconds.
const LIMIT: u64 = 1800;

/// A node that begins with a link, and after it these peers, all of which it hears of at once.
struct Search {
    world: World,
    heard_of: usize,
}

impl Search {
    fn new(seed: u64, pieces: u64, peers: Vec<NodePlan>) -> Self {
        let node = NodePlan { max_peers: 30, ..NodePlan::link() };
        let mut plan = Plan::new(seed, 16_384, pieces * 16_384).node(node).silent();
        plan.nodes.extend(peers);
        plan.jitter = 100;
        let mut search = Self { world: World::new(plan), heard_of: 1 };
        search.world.pass(Duration::from_millis(1));
        search.hears_of(Duration::ZERO);
        search
    }

    /// The node hears of those that have come by now.
    fn hears_of(&mut self, now: Duration) {
        let come = self.world.nodes.iter().filter(|node| node.plan.arrives <= now).map(|node| node.number);
        let addrs = come.filter(|&number| number >= self.heard_of).map(address_of).collect();
        self.heard_of = self.world.nodes.iter().filter(|node| node.plan.arrives <= now).count();
        self.world.hear(0, Input::PeersFound { source: Source::Tracker, addrs });
    }

    /// Lets time pass until the metadata is there or the time is over. Says whether it is.
    fn run(&mut self, seconds: u64) -> bool {
        let until = self.world.now.since_start() + Duration::from_secs(seconds);
        self.world.run(until, |world| world.nodes[0].knows_info)
    }

    fn seconds(&self) -> u64 {
        self.world.now.since_start().as_secs()
    }
}

/// The length of the info dictionary of a torrent of so many pieces.
fn size(pieces: u64) -> u32 {
    World::new(Plan::new(0, 16_384, pieces * 16_384).silent()).metainfo.raw_info().len() as u32
}

fn liars(pieces: u64) -> Vec<NodePlan> {
    let size = size(pieces);
    (0..LIARS).map(|n| NodePlan::script(Script::liar(n, size))).collect()
}

/// The liars are there from the start and an honest peer comes after ten minutes, of which the node then hears.
fn with_a_late_comer(seed: u64, mut peers: Vec<NodePlan>, wait: u64) {
    peers.push(NodePlan::seed().arrives(wait));
    let mut search = Search::new(seed, PIECES, peers);
    assert!(!search.run(wait), "seed {seed}: nobody had it");
    search.world.pass(Duration::from_secs(1));
    search.hears_of(Duration::from_secs(wait));
    assert!(search.run(LIMIT), "seed {seed}");
}

#[test]
fn fifty_liars_do_not_keep_an_honest_peer_from_giving_it() {
    let mut longest = 0;
    for seed in 0..40 {
        let mut peers = liars(PIECES);
        peers.insert(seed as usize, NodePlan::seed());
        let mut search = Search::new(seed, PIECES, peers);
        assert!(search.run(LIMIT), "seed {seed}");
        longest = longest.max(search.seconds());
    }
    assert!(longest < LIMIT / 2, "the slowest took {longest} s");
}

#[test]
fn an_honest_peer_that_comes_late_completes_it() {
    for seed in 100..120 {
        with_a_late_comer(seed, liars(PIECES), 600);
    }
}

#[test]
fn those_who_claim_much_and_give_nothing_make_room() {
    // Each claims another length, so that most of them only wait for their turn, in every place there is.
    let dripper = |n: u32| NodePlan::script(Script::DripperOf((16 << 20) - 16_384 * n));
    for seed in 200..210 {
        with_a_late_comer(seed, (0..100).map(dripper).collect(), 120);
    }
}

#[test]
fn liars_of_one_kind_do_not_either() {
    for kind in 0..KINDS {
        let script = Script::liar(kind, size(PIECES));
        let mut peers = vec![NodePlan::script(script); LIARS as usize];
        peers.push(NodePlan::seed());
        assert!(Search::new(7, PIECES, peers).run(LIMIT), "among {script:?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_search() {
    let run = |seed| -> (Trace, u64) {
        let mut peers = liars(2000);
        peers.push(NodePlan::seed());
        let mut search = Search::new(seed, 2000, peers);
        search.run(LIMIT);
        (search.world.trace(), search.seconds())
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3).0, run(4).0);
}
