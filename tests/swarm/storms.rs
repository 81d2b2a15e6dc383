//! Swarms of chance in all weathers: first the storm, in which nothing unlawful may happen, then calm, in
//! which everyone must arrive. Each runs twice and must do exactly the same.

use std::ops::Range;
use std::time::Duration;

use torr::base::Rng;
use torr::swarm::event::Priority;

use crate::sim::disk::DiskPlan;
use crate::sim::liar::Manner;
use crate::sim::plan::{Fault, KIB, MIB, NodePlan, Plan, Start};
use crate::sim::trace::Trace;
use crate::sim::tracker::TrackerPlan;
use crate::sim::world::World;

/// When the last fault is over.
const STORM: u64 = 40;
/// Blocks that all nodes together have to fetch, roughly: what a storm costs.
const WORK: u64 = 4_000;

/// A swarm of 2 to 60 nodes, most of them small, and its weather.
fn storm(seed: u64) -> Plan {
    let mut rng = Rng::new(seed ^ 0x5707_2a11);
    let few = 1 + rng.below(59);
    let count = 2 + rng.below(few) as usize;
    let pieces = 20 + rng.below(181);
    let blocks = (WORK / count as u64 / pieces).clamp(1, 16);
    let piece_len = 16 * KIB * (1 + rng.below(blocks));
    let tail = 1 + rng.below(piece_len);
    let mut plan = Plan::new(seed, piece_len, (pieces - 1) * piece_len + tail);
    plan.jitter = rng.below(100);
    plan.nodes.push(NodePlan { latency: latency(&mut rng), ..NodePlan::seed() });
    for _ in 1..count {
        let node = node(&mut rng, piece_len);
        plan.nodes.push(node);
    }
    plan.trackers = (0..=rng.below(2)).map(|_| tracker(&mut rng)).collect();
    // One of them can be relied on once the storm is over.
    plan.trackers[0] = TrackerPlan { interval: 60 + rng.below(240) as i64, ..TrackerPlan::default() };
    weather(&mut rng, &mut plan);
    for node in &mut plan.nodes {
        node.pex = rng.one_in(2);
    }
    meeting(&mut Rng::new(seed ^ 0x11e7_0f17), &mut plan);
    plan
}

/// How nodes find one another, what they know of the torrent, and what the network loses.
fn meeting(rng: &mut Rng, plan: &mut Plan) {
    plan.routers = rng.below(2) as usize * 4;
    plan.loss = [0, 0, 200, 30][rng.below(4) as usize];
    for node in &mut plan.nodes {
        node.dht = rng.one_in(2);
        node.lan = rng.one_in(4).then(|| rng.below(3) as u8);
        if rng.one_in(3) && node.start == Start::Nothing {
            node.link = true;
            node.budget = 64 * MIB;
        }
    }
}

fn latency(rng: &mut Rng) -> Duration {
    let most = [5, 20, 50, 150, 400][rng.below(5) as usize];
    Duration::from_millis(1 + rng.below(most))
}

fn node(rng: &mut Rng, piece_len: u64) -> NodePlan {
    let manner = match rng.below(20) {
        0 => Manner::AlwaysLies,
        1 => Manner::OneBlockPerPiece,
        2 => Manner::Sometimes(2 + rng.below(30)),
        3 => Manner::Mute,
        _ => Manner::Honest,
    };
    let start = match rng.below(8) {
        0 => Start::Everything,
        1 => Start::Part(rng.below(100)),
        _ if manner == Manner::Honest => Start::Nothing,
        _ => Start::Everything,
    };
    let up = (64 * KIB) << rng.below(6);
    let slow_disk =
        DiskPlan { rate: 256 * KIB + rng.below(MIB), delay: Duration::from_millis(rng.below(500)) };
    NodePlan {
        start,
        up,
        down: up * (1 + rng.below(8)),
        latency: latency(rng),
        arrives: Duration::from_secs(if rng.one_in(3) { rng.below(STORM) } else { 0 }),
        stays: rng.one_in(3).then(|| Duration::from_secs(rng.below(60))),
        fast: !rng.one_in(4),
        reachable: !rng.one_in(4),
        says_limit: rng.one_in(2),
        manner,
        disk: if rng.one_in(5) { slow_disk } else { DiskPlan::default() },
        budget: if rng.one_in(5) { piece_len * (1 + rng.below(8)) } else { 16 * MIB },
        max_peers: if rng.one_in(4) { 10 + rng.below(20) as usize } else { 80 },
        skips: if rng.one_in(10) { rng.below(100) } else { 0 },
        priority: if rng.one_in(10) { Priority::High } else { Priority::Normal },
        in_order: rng.one_in(10),
        ..NodePlan::leech()
    }
}

fn tracker(rng: &mut Rng) -> TrackerPlan {
    TrackerPlan {
        interval: [0, -1, 60, 300, 1 << 31][rng.below(5) as usize],
        most_peers: rng.below(60) as usize,
        fakes: if rng.one_in(3) { rng.below(50) } else { 0 },
        refuses: rng.one_in(5),
        forgets: if rng.one_in(2) { 1 + rng.below(5) } else { 0 },
        ..TrackerPlan::default()
    }
}

fn weather(rng: &mut Rng, plan: &mut Plan) {
    let count = plan.nodes.len();
    let offset = rng.below(1000);
    let mut at = |s: u64, fault| plan.faults.push((Duration::from_millis(s * 1000 + offset), fault));
    if rng.one_in(2) {
        at(0, Fault::Breaks(100 + rng.below(2000)));
    }
    for _ in 0..rng.below(1 + count as u64 / 2) {
        let node = rng.below(count as u64) as usize;
        let begin = rng.below(STORM - 10);
        let end = begin + 1 + rng.below(STORM - 1 - begin);
        match rng.below(11) {
            0 => {
                at(begin, Fault::Crash(node));
                at(end, Fault::Return(node));
            }
            1 => {
                at(begin, Fault::Part(0..node));
                at(end, Fault::Heal);
            }
            2 => at(begin, Fault::Cut(node)),
            3 => {
                at(begin, Fault::DiskFull(node));
                at(end, Fault::DiskFreed(node));
            }
            4 if node > 0 => at(begin, Fault::PieceLost(node)),
            5 if node > 0 => at(begin, Fault::Leave(node)),
            6 | 7 => {
                at(begin, Fault::Pause(node));
                at(end, Fault::Resume(node));
            }
            8 => {
                at(begin, Fault::Skip(node, rng.below(100)));
                at(end, Fault::Unskip(node));
            }
            9 => at(begin, Fault::UploadLimit(node, Some(rng.below(MIB)))),
            _ => {
                at(begin, Fault::TrackerDies(0));
                at(end, Fault::TrackerReturns(0));
            }
        }
    }
    plan.faults.push((Duration::from_secs(STORM), Fault::Breaks(0)));
    plan.faults.push((Duration::from_secs(STORM), Fault::Heal));
}

/// Runs a storm to its end.
fn survive(seed: u64) -> Trace {
    let plan = storm(seed);
    let calm = Duration::from_secs(STORM);
    let limit = calm + plan.fluid_bound() * 20 + Duration::from_secs(1800);
    let mut world = World::new(plan);
    world.run(calm, |_| false);
    let arrived = world.run(limit, World::all_complete);
    assert!(arrived, "seed {seed}: after {limit:?} not everyone who can has finished\n{}", world.report());
    world.trace()
}

fn survive_twice(seeds: Range<u64>) {
    for seed in seeds {
        let (first, second) = (survive(seed), survive(seed));
        assert_eq!(first, second, "seed {seed}: two runs differ");
    }
}

/// The storm that is asked for, or the first.
#[test]
fn one_storm() {
    let number = |text: &str| text.parse().expect("a number");
    if let Ok(range) = std::env::var("SIM_STORMS") {
        let (from, to) = range.split_once("..").expect("SIM_STORMS=from..to");
        return survive_twice(number(from)..number(to));
    }
    let seed = std::env::var("SIM_SEED").map_or(0, |seed| number(&seed));
    survive_twice(seed..seed + 1);
}

macro_rules! storms {
    ($($(#[$attribute:meta])* $name:ident $seeds:expr;)*) => {
        $(#[test]
        $(#[$attribute])*
        fn $name() {
            survive_twice($seeds);
        })*
    };
}

storms! {
    storms_0_to_24_are_weathered 0..25;
    storms_25_to_49_are_weathered 25..50;
    storms_50_to_74_are_weathered 50..75;
    storms_75_to_99_are_weathered 75..100;
    #[ignore = "long"]
    storms_100_to_124_are_weathered 100..125;
    #[ignore = "long"]
    storms_125_to_149_are_weathered 125..150;
    #[ignore = "long"]
    storms_150_to_174_are_weathered 150..175;
    #[ignore = "long"]
    storms_175_to_199_are_weathered 175..200;
}
