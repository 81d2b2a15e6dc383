//! What was announced is found, whatever happens to the network.

use std::fmt::Write;
use std::time::Duration;

use super::network::{Kind, World, address, common, network, tries};

/// The value that so many of a hundred do not exceed.
fn percentile(mut values: Vec<f64>, percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() * percent / 100]
}

/// Makes three of ten nodes something else; gives the others.
fn three_of_ten(world: &mut World, kind: Kind) -> Vec<std::net::SocketAddr> {
    for n in (0..500).filter(|n| n % 10 < 3) {
        world.set_kind(address(n), kind);
    }
    (0..500).filter(|n| n % 10 >= 3).map(address).collect()
}

/// Whatever may happen, at once: packets are lost, and of ten nodes one lies, one is dead and one cannot be reached.
/// Gives the others.
fn trouble(world: &mut World, count: u32) -> Vec<std::net::SocketAddr> {
    world.loss = 20;
    for n in 0..count {
        let kind = match n % 10 {
            0 => Kind::Liar,
            1 => Kind::Dead,
            2 => Kind::Hidden,
            _ => continue,
        };
        world.set_kind(address(n), kind);
    }
    (0..count).filter(|n| n % 10 > 2).map(address).collect()
}

#[test]
#[ignore = "long"]
fn searches_take_few_steps_however_large_the_network() {
    let mut table = String::from("nodes             found   steps   messages   seconds    p90\n");
    let mut row = |name: &str, mut world: World, of: &[std::net::SocketAddr]| {
        let (found, outcomes) = tries(&mut world, 100, of);
        assert!(found >= 99, "{name}: {found} of 100");
        let middle =
            |of: fn(&(f64, torr::dht::Outcome)) -> f64| percentile(outcomes.iter().map(of).collect(), 50);
        let depth = middle(|(_, outcome)| f64::from(outcome.depth));
        let messages = middle(|(_, outcome)| f64::from(outcome.asked + outcome.answered));
        let time = middle(|(time, _)| *time);
        let long = percentile(outcomes.iter().map(|(time, _)| *time).collect(), 90);
        let line = format!("{name:15}   {found:4}%   {depth:5}   {messages:8}   {time:7.2}   {long:4.1}");
        writeln!(table, "{line}").unwrap();
        depth
    };
    let (mut steps, mut troubled) = (Vec::new(), Vec::new());
    for count in [50, 500, 2000] {
        let mut world = if count == 500 { common(7) } else { network(7, count) };
        let all = world.addresses();
        steps.push(row(&count.to_string(), world.clone(), &all));
        let honest = trouble(&mut world, count);
        troubled.push((format!("{count}, all of it"), world, honest));
    }
    // From 50 to 2000 nodes there are 5 doublings; a step more than halves the way.
    assert!(steps[2] <= steps[0] + 3.0, "{steps:?}");
    let mut lossy = common(11);
    lossy.loss = 10;
    let all = lossy.addresses();
    row("500, 10 % loss", lossy, &all);
    let mut dying = common(12);
    let alive = three_of_ten(&mut dying, Kind::Dead);
    row("500, 30 % dead", dying, &alive);
    let mut lied_to = common(21);
    for n in 0..50 {
        lied_to.set_kind(address(n * 10), Kind::Liar);
    }
    let honest: Vec<_> = (0..500).filter(|n| n % 10 != 0).map(address).collect();
    row("500, 10 % liars", lied_to, &honest);
    for (name, world, honest) in troubled {
        row(&name, world, &honest);
    }
    insta::assert_snapshot!(table);
}

#[test]
fn the_same_seed_gives_the_same_network() {
    let run = || {
        let mut world = network(3, 100);
        world.loss = 10;
        let all = world.addresses();
        let (found, _) = tries(&mut world, 10, &all);
        (found, world.packets, world.bytes, world.trace())
    };
    assert_eq!(run(), run());
}

#[test]
fn nodes_may_have_ids_of_their_own_choice() {
    for chosen in [3, 10] {
        let mut world = World::network(16);
        for n in 0..300_u32 {
            let knows: Vec<_> = (0..n.min(3)).map(|_| address(world.rng.below(n.into()) as u32)).collect();
            world.join(address(n), if n % 10 < chosen { Kind::Unfit } else { Kind::Honest }, &knows);
            world.pass(Duration::from_millis(100));
        }
        world.pass(Duration::from_secs(30));
        let all = world.addresses();
        let (found, _) = tries(&mut world, 100, &all);
        assert!(found >= 99, "{chosen} of 10: {found} of 100");
    }
}

#[test]
fn half_of_the_nodes_may_be_replaced() {
    let mut world = common(13);
    for n in 0..200 {
        world.remove(address(n));
        let knows: Vec<_> = (0..3).map(|_| address(200 + world.rng.below(300) as u32)).collect();
        world.join(address(1000 + n), Kind::Honest, &knows);
        world.pass(Duration::from_secs(2));
    }
    world.pass(Duration::from_secs(120));
    let all = world.addresses();
    let (found, _) = tries(&mut world, 100, &all);
    assert!(found >= 99, "{found} of 100");
}

#[test]
fn nodes_that_cannot_be_reached_do_not_get_in_the_way() {
    let mut world = common(14);
    for n in 0..200 {
        let knows: Vec<_> = (0..3).map(|_| address(world.rng.below(500) as u32)).collect();
        world.join(address(1000 + n), Kind::Hidden, &knows);
        world.pass(Duration::from_millis(200));
    }
    world.pass(Duration::from_secs(120));
    let all = world.addresses();
    let (found, _) = tries(&mut world, 100, &all);
    assert!(found >= 99, "{found} of 100");
}

#[test]
fn a_new_node_soon_knows_many() {
    let mut world = common(15);
    world.join(address(5000), Kind::Honest, &[address(17)]);
    world.pass(Duration::from_secs(60));
    let known = world.known_to(address(5000));
    assert!(known >= 20, "{known}");
}
