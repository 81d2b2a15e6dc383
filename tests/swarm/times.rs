//! Completion times as a table in review: a change of strategy shows here as a changed number.
//!
//! How long one swarm takes is chance to a good part: of one leech that loses its only connection now and then, the
//! slowest tenth takes five times as long as the fastest. So each line is many swarms, from one seed each, and tells
//! of the one in the middle. A seed draws the info-hash too, on which it depends what choked peers may ask (BEP 6).
//!
//! Rates are averaged with `exp`, whose last bit is not the same everywhere, and one bit can turn a
//! choice. So the numbers are compared on one platform, and elsewhere only that the swarms finish.

use std::fmt::Write;
use std::time::Duration;

use crate::sim::node::{Node, Tally};
use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

const TOTAL: u64 = 4 * MIB;
/// How many leeches a swarm has, and how many swarms a line tells of: the smaller, the more chance is in them.
const SWARMS: [(usize, u64); 4] = [(1, 41), (4, 21), (12, 3), (20, 3)];
/// Up to so many leeches a swarm is small.
const FEW: usize = 4;

fn plan(seed: u64, leeches: usize, ms: u64, breaks: u64) -> Plan {
    let mut plan = Plan::new(seed, 64 * KIB, TOTAL)
        .node(NodePlan::seed().up(512 * KIB).latency(ms))
        .nodes(leeches, &NodePlan::leech().up(256 * KIB).down(2 * MIB).latency(ms));
    plan.breaks = breaks;
    plan
}

/// How a swarm went: when the last leech and the average leech finished, in seconds, and the percentage of what came
/// that was of no use.
fn go(plan: Plan) -> [f64; 3] {
    let leeches = plan.nodes.len() - 1;
    let mut world = World::new(plan);
    assert!(world.run(Duration::from_secs(3600), World::all_complete), "{}", world.report());
    let at = |n: &Node| n.completed.expect("all are").since_start().as_secs_f64();
    let mean = world.nodes[1..=leeches].iter().map(at).sum::<f64>() / leeches as f64;
    let of = |f: fn(&Tally) -> u64| world.nodes.iter().map(|n| f(&n.tally)).sum::<u64>();
    let wasted = of(|t| t.wasted) as f64 * 100.0 / of(|t| t.landed) as f64;
    [world.now.since_start().as_secs_f64(), mean, wasted]
}

#[test]
#[ignore = "long"]
fn completion_times_by_peers_latency_and_loss() {
    let mut table = String::from(
        "4 MiB in 64 KiB pieces; the seed sends 512 KiB/s, a leech 256 KiB/s and takes 2 MiB/s.\n\
         latency: of a round trip; loss: connections that break, one in so many blocks; swarms: how many were run.\n\
         bound: what no swarm can beat; last, mean: when the last leech and the average leech finish, the median of\n\
         the swarms; fast, slow: when the last leech finishes in the swarms at a quarter and at three quarters.\n\n\
         leeches  latency      loss  swarms    bound     fast     last     slow     mean   last/bound   wasted\n",
    );
    for (leeches, swarms) in SWARMS {
        for ms in [5, 50, 250] {
            // In a swarm of many a break now and then changes little, and each of them costs a second.
            let often: &[u64] = if leeches > FEW { &[0, 60] } else { &[0, 300, 60] };
            for &breaks in often {
                let bound = plan(0, leeches, ms, breaks).fluid_bound().as_secs_f64();
                let went: Vec<_> = (0..swarms).map(|seed| go(plan(seed, leeches, ms, breaks))).collect();
                let sorted = |column: usize| {
                    let mut values: Vec<f64> = went.iter().map(|row| row[column]).collect();
                    values.sort_by(f64::total_cmp);
                    values
                };
                let (last, mean, wasted) = (sorted(0), sorted(1), sorted(2));
                let middle = last.len() / 2;
                let loss = if breaks == 0 { "none".to_owned() } else { format!("1/{breaks}") };
                let _ = writeln!(
                    table,
                    "{leeches:>7}  {:>4} ms  {loss:>8}  {swarms:>6}  {bound:>5.1} s  {:>5.1} s  {:>5.1} s  {:>5.1} s  \
                     {:>5.1} s  {:>11.2}  {:>5.1} %",
                    ms * 4,
                    last[last.len() / 4],
                    last[middle],
                    last[last.len() - 1 - last.len() / 4],
                    mean[middle],
                    last[middle] / bound,
                    wasted[middle],
                );
            }
        }
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        insta::assert_snapshot!(table);
    }
}
