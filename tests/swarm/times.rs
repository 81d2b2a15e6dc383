//! Completion times as a table in review: a change of strategy shows here as a changed number.
//!
//! Rates are averaged with `exp`, whose last bit is not the same everywhere, and one bit can turn a
//! choice. So the numbers are compared on one platform, and elsewhere only that the swarms finish.

use std::fmt::Write;
use std::time::Duration;

use crate::sim::node::{Node, Tally};
use crate::sim::plan::{KIB, MIB, NodePlan, Plan};
use crate::sim::world::World;

const TOTAL: u64 = 4 * MIB;

fn plan(leeches: usize, ms: u64, breaks: u64) -> Plan {
    let mut plan = Plan::new(11, 64 * KIB, TOTAL)
        .node(NodePlan::seed().up(512 * KIB).latency(ms))
        .nodes(leeches, &NodePlan::leech().up(256 * KIB).down(2 * MIB).latency(ms));
    plan.breaks = breaks;
    plan
}

#[test]
fn completion_times_by_peers_latency_and_loss() {
    let mut table = String::from(
        "4 MiB in 64 KiB pieces; the seed sends 512 KiB/s, a leech 256 KiB/s and takes 2 MiB/s.\n\
         latency: of a round trip; loss: connections that break, one in so many blocks.\n\
         bound: what no swarm can beat; last, mean: when the last leech and the average leech finish.\n\n\
         leeches  latency      loss    bound     last     mean   last/bound   wasted\n",
    );
    for leeches in [1, 4, 12, 30] {
        for ms in [5, 50, 250] {
            for breaks in [0, 300, 60] {
                let plan = plan(leeches, ms, breaks);
                let bound = plan.fluid_bound().as_secs_f64();
                let mut world = World::new(plan);
                assert!(world.run(Duration::from_secs(3600), World::all_complete), "{}", world.report());
                let last = world.now.since_start().as_secs_f64();
                let at = |n: &Node| n.completed.expect("all are").since_start().as_secs_f64();
                let mean = world.nodes[1..=leeches].iter().map(at).sum::<f64>() / leeches as f64;
                let of = |f: fn(&Tally) -> u64| world.nodes.iter().map(|n| f(&n.tally)).sum::<u64>();
                let wasted = of(|t| t.wasted) as f64 * 100.0 / of(|t| t.landed) as f64;
                let loss = if breaks == 0 { "none".to_owned() } else { format!("1/{breaks}") };
                let _ = writeln!(
                    table,
                    "{leeches:>7}  {:>4} ms  {loss:>8}  {bound:>5.1} s  {last:>5.1} s  {mean:>5.1} s  {:>11.2}  {wasted:>5.1} %",
                    ms * 4,
                    last / bound,
                );
            }
        }
    }
    if cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        insta::assert_snapshot!(table);
    }
}
