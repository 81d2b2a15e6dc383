//! What those find who want others not to find anything.

use std::net::SocketAddr;
use std::time::Duration;

use super::network::{Kind, address, common, network, tries};

#[test]
fn a_tenth_of_the_nodes_may_lie() {
    for (seed, kind) in
        [(21, Kind::Liar), (31, Kind::Displacer), (32, Kind::Displacer), (33, Kind::Displacer)]
    {
        let mut world = common(seed);
        let liars: Vec<_> = (0..50).map(|n| n * 10 + seed as u32 % 10).collect();
        for &n in &liars {
            world.set_kind(address(n), kind);
        }
        let honest: Vec<_> = (0..500).filter(|n| !liars.contains(n)).map(address).collect();
        let (found, _) = tries(&mut world, 100, &honest);
        assert!(found >= 99, "{kind:?}, {seed}: {found} of 100");
    }
}

#[test]
fn as_many_attackers_as_honest_nodes_in_four_networks_change_nothing() {
    let mut world = network(22, 1000);
    let honest = world.addresses();
    let attackers: Vec<_> =
        (0..1000_u16).map(|n| SocketAddr::from(([66, 66, (n % 4) as u8, (n / 4) as u8], 6881))).collect();
    for &addr in &attackers {
        let knows: Vec<_> = (0..3).map(|_| address(world.rng.below(1000) as u32)).collect();
        world.join(addr, Kind::Liar, &knows);
        world.pass(Duration::from_millis(50));
    }
    world.pass(Duration::from_secs(60));
    for kind in [Kind::Liar, Kind::Displacer] {
        let mut world = world.clone();
        for &addr in &attackers {
            world.set_kind(addr, kind);
        }
        let (found, _) = tries(&mut world, 100, &honest);
        assert!(found >= 99, "{kind:?}: {found} of 100");
    }
}
