//! Networks of DHT nodes without torrents, and what they are tried with.

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use torr::base::{NodeId, Rng};
use torr::dht::{Goal, Outcome};

pub use crate::sim::datagrams::Kind;
pub use crate::sim::plan::router_address as address;
pub use crate::sim::world::World;

/// The address of the n-th node of IPv6, each in a network of its own.
pub fn address6(n: u32) -> SocketAddr {
    SocketAddr::new(Ipv6Addr::from((0x2a00_u128 << 112) | (u128::from(n) << 64) | 1).into(), 6881)
}

/// A network of `count` nodes that have found one another: each began with three that were there.
pub fn network(seed: u64, count: u32) -> World {
    let mut world = World::network(seed);
    for n in 0..count {
        let knows: Vec<SocketAddr> = match n {
            0 => Vec::new(),
            _ => (0..3).map(|_| address(world.rng.below(n.into()) as u32)).collect(),
        };
        world.join(address(n), Kind::Honest, &knows);
        world.pass(Duration::from_millis(100));
    }
    world.pass(Duration::from_secs(30));
    world
}

/// A network of 500 nodes. It is built once, and everybody gets a copy.
pub fn common(seed: u64) -> World {
    static COMMON: OnceLock<World> = OnceLock::new();
    let mut world = COMMON.get_or_init(|| network(7, 500)).clone();
    world.rng = Rng::new(seed);
    world
}

/// Some place in the table.
pub fn place(rng: &mut Rng) -> NodeId {
    NodeId(std::array::from_fn(|_| rng.next_u64() as u8))
}

/// Has peers announced from nodes of chance and looked for from others: how often they were found, and
/// how the searches went, each with the seconds it took.
pub fn tries(world: &mut World, count: usize, honest: &[SocketAddr]) -> (usize, Vec<(f64, Outcome)>) {
    let mut found = 0;
    let mut outcomes = Vec::new();
    for _ in 0..count {
        let info_hash = place(&mut world.rng);
        let announcer = honest[world.rng.index(honest.len()).unwrap()];
        let announce = Some(torr::dht::Announce { port: Some(7777), seed: false });
        let key = world.begin(announcer, Goal::Peers { info_hash, no_seeds: false, announce });
        world.finish(key);
        let seeker = honest[world.rng.index(honest.len()).unwrap()];
        let start = world.now;
        let key = world.begin(seeker, Goal::Peers { info_hash, no_seeds: false, announce: None });
        let outcome = world.finish(key).clone();
        let peer = SocketAddr::new(announcer.ip(), 7777);
        found += usize::from(world.found.get(&key).is_some_and(|peers| peers.contains(&peer)));
        outcomes.push((world.now.since(start).as_secs_f64(), outcome));
    }
    (found, outcomes)
}
