//! What was announced is found, whatever happens to the network.

use std::fmt::Write;
use std::time::Duration;

use super::world::{Kind, address, network, tries};

/// The middle of the values.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[test]
fn searches_take_few_steps_however_large_the_network() {
    let mut table = String::from("nodes   found   steps   messages   seconds\n");
    let mut steps = Vec::new();
    for count in [50, 500, 2000] {
        let mut world = network(7, count);
        let all = world.addresses();
        let (found, outcomes) = tries(&mut world, 100, &all);
        assert!(found >= 99, "{count} nodes: {found} of 100");
        let middle = |of: fn(&(f64, torr::dht::Outcome)) -> f64| median(outcomes.iter().map(of).collect());
        let depth = middle(|(_, outcome)| f64::from(outcome.depth));
        let messages = middle(|(_, outcome)| f64::from(outcome.asked + outcome.answered));
        let time = middle(|(time, _)| *time);
        steps.push(depth);
        writeln!(table, "{count:5}   {found:4}%   {depth:5}   {messages:8}   {time:7.2}").unwrap();
    }
    // From 50 to 2000 nodes there are 5 doublings; a step more than halves the way.
    assert!(steps[2] <= steps[0] + 3.0, "{steps:?}");
    insta::assert_snapshot!(table);
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let run = || {
        let mut world = network(3, 100);
        world.loss = 10;
        let all = world.addresses();
        let (found, _) = tries(&mut world, 10, &all);
        (found, world.packets, world.bytes, world.trace)
    };
    assert_eq!(run(), run());
}

#[test]
fn loss_does_not_hide_anybody() {
    let mut world = network(11, 300);
    world.loss = 10;
    let all = world.addresses();
    let (found, _) = tries(&mut world, 100, &all);
    assert!(found >= 99, "{found} of 100");
}

#[test]
fn a_third_of_the_nodes_may_be_dead() {
    let mut world = network(12, 500);
    for n in 0..500 {
        if n % 10 < 3 {
            world.set_kind(address(n), Kind::Dead);
        }
    }
    let alive: Vec<_> = (0..500).filter(|n| n % 10 >= 3).map(address).collect();
    let (found, _) = tries(&mut world, 100, &alive);
    assert!(found >= 98, "{found} of 100");
}

#[test]
fn half_of_the_nodes_may_be_replaced() {
    let mut world = network(13, 400);
    for n in 0..200 {
        world.leave(address(n));
        let knows: Vec<_> = (0..3).map(|_| address(200 + world.rng.below(200) as u32)).collect();
        world.join(address(1000 + n), Kind::Honest, &knows);
        world.run(Duration::from_secs(2));
    }
    world.run(Duration::from_secs(120));
    let all = world.addresses();
    let (found, _) = tries(&mut world, 100, &all);
    assert!(found >= 99, "{found} of 100");
}

#[test]
fn nodes_that_cannot_be_reached_do_not_get_in_the_way() {
    let mut world = network(14, 400);
    for n in 0..200 {
        let knows: Vec<_> = (0..3).map(|_| address(world.rng.below(400) as u32)).collect();
        world.join(address(1000 + n), Kind::Hidden, &knows);
        world.run(Duration::from_millis(200));
    }
    world.run(Duration::from_secs(120));
    let all = world.addresses();
    let (found, _) = tries(&mut world, 100, &all);
    assert!(found >= 99, "{found} of 100");
}

#[test]
fn a_new_node_soon_knows_many() {
    let mut world = network(15, 300);
    world.join(address(5000), Kind::Honest, &[address(17)]);
    world.run(Duration::from_secs(60));
    let known = world.known_to(address(5000));
    assert!(known >= 20, "{known}");
}
