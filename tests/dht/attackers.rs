//! What those find who want others not to find anything.

use std::net::SocketAddr;
use std::time::Duration;

use super::world::{Kind, address, network, tries};

#[test]
fn a_tenth_of_the_nodes_may_lie() {
    let mut world = network(21, 500);
    for n in 0..50 {
        world.set_kind(address(n * 10), Kind::Liar);
    }
    let honest: Vec<_> = (0..500).filter(|n| n % 10 != 0).map(address).collect();
    let (found, _) = tries(&mut world, 100, &honest);
    assert!(found >= 98, "{found} of 100");
}

#[test]
fn as_many_attackers_as_honest_nodes_in_four_networks_change_nothing() {
    let mut world = network(22, 1000);
    let honest = world.addresses();
    for n in 0..1000_u16 {
        let addr = SocketAddr::from(([66, 66, (n % 4) as u8, (n / 4) as u8], 6881));
        let knows: Vec<_> = (0..3).map(|_| address(world.rng.below(1000) as u32)).collect();
        world.join(addr, Kind::Liar, &knows);
        world.run(Duration::from_millis(50));
    }
    world.run(Duration::from_secs(60));
    let (found, _) = tries(&mut world, 100, &honest);
    assert!(found >= 99, "{found} of 100");
}
