//! IPv6 beside IPv4 (BEP 32): two networks, and nodes that are in both.

use std::net::SocketAddr;
use std::time::Duration;

use torr::dht::{Announce, Family, Goal};

use super::network::{Kind, World, address, address6, place, tries};

#[test]
fn a_network_of_ipv6_finds_as_well() {
    let mut world = World::network(41);
    for n in 0..200_u32 {
        let knows: Vec<_> = (0..n.min(3)).map(|_| address6(world.rng.below(n.into()) as u32)).collect();
        world.join(address6(n), Kind::Honest, &knows);
        world.pass(Duration::from_millis(100));
    }
    world.pass(Duration::from_secs(30));
    let all = world.addresses();
    let (found, _) = tries(&mut world, 100, &all);
    assert!(found >= 99, "{found} of 100");
}

/// Nodes of one family and of both by turns. Those of both are told of one in IPv4 only.
fn both() -> World {
    let mut world = World::network(42);
    let knows = |world: &mut World, of: fn(u32) -> SocketAddr, n: u32, turn: u32| -> Vec<SocketAddr> {
        let before: Vec<u32> = (0..n).filter(|m| m % 3 == turn || m % 3 == 2).collect();
        (0..3).filter_map(|_| world.rng.index(before.len())).map(|at| of(before[at])).collect()
    };
    for n in 0..240_u32 {
        match n % 3 {
            0 => {
                let knows = knows(&mut world, address, n, 0);
                world.join(address(n), Kind::Honest, &knows);
            }
            1 => {
                let knows = knows(&mut world, address6, n, 1);
                world.join(address6(n), Kind::Honest, &knows);
            }
            _ => {
                let mut knows = knows(&mut world, address, n, 0);
                if n < 20 {
                    knows.push(address6(1));
                }
                world.join_at(&[address(n), address6(n)], Kind::Honest, &knows);
            }
        }
        world.pass(Duration::from_millis(200));
    }
    world.pass(Duration::from_secs(120));
    world
}

#[test]
fn who_knows_one_family_finds_the_other() {
    let mut world = both();
    // One that begins with a single node of IPv4 that is in both.
    let young = address(9002);
    world.join_at(&[young, address6(9002)], Kind::Honest, &[address(200)]);
    world.pass(Duration::from_secs(60));
    for family in Family::ALL {
        let known = world.dht(young).node_count(family);
        assert!(known >= 8, "{family:?}: {known}");
    }
    // What was announced by those of IPv6 alone is found by those of both, and the other way round.
    let (mut found, mut back) = (0, 0);
    for _ in 0..50 {
        let six = address6(1 + 3 * world.rng.below(80) as u32);
        let dual = address(2 + 3 * world.rng.below(80) as u32);
        for (from, to, count) in [(six, dual, &mut found), (dual, six, &mut back)] {
            let info_hash = place(&mut world.rng);
            let announce = Some(Announce { port: Some(7777), seed: false });
            let key = world.begin(from, Goal::Peers { info_hash, no_seeds: false, announce });
            world.finish(key);
            let key = world.begin(to, Goal::Peers { info_hash, no_seeds: false, announce: None });
            world.finish(key);
            let peers = world.found.get(&key).cloned().unwrap_or_default();
            *count += usize::from(peers.iter().any(|peer| peer.is_ipv6() && peer.port() == 7777));
        }
    }
    assert!(found >= 49 && back >= 49, "{found} and {back} of 50");
}
