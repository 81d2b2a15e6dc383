//! Whoever lies, an honest peer is always heard in the end.

use super::world::{Manner, World};
use super::{Metainfo, torrent};

const LIARS: u32 = 50;
/// How long it may take, in seconds.
const PATIENCE: u64 = 1800;

fn liars(metainfo: &Metainfo) -> Vec<Manner> {
    (0..LIARS).map(|n| Manner::liar(n, metainfo.raw_info().len() as u32)).collect()
}

#[test]
fn fifty_liars_do_not_keep_an_honest_peer_from_giving_it() {
    let metainfo = torrent(5000, false);
    let mut longest = 0;
    for seed in 0..40 {
        let mut manners = liars(&metainfo);
        manners.insert(seed as usize, Manner::Honest);
        let mut world = World::new(seed, &metainfo, &manners);
        world.run(PATIENCE);
        assert_eq!(world.found, Some(true), "seed {seed}");
        longest = longest.max(world.now.since_start().as_secs());
    }
    assert!(longest < PATIENCE / 2, "the slowest took {longest} s");
}

#[test]
fn an_honest_peer_that_comes_late_completes_it() {
    let metainfo = torrent(5000, false);
    for seed in 100..120 {
        let mut world = World::new(seed, &metainfo, &liars(&metainfo));
        world.run(600);
        assert_eq!(world.found, None, "seed {seed}: nobody had it");
        world.come(Manner::Honest);
        world.run(PATIENCE);
        assert_eq!(world.found, Some(true), "seed {seed}");
    }
}

#[test]
fn those_who_claim_much_and_give_nothing_make_room() {
    // Each claims another length, so that most of them only wait for their turn, in every place there is.
    let metainfo = torrent(5000, false);
    let drippers: Vec<Manner> = (0..100).map(|n| Manner::DripperOf((16 << 20) - 16_384 * n)).collect();
    for seed in 200..210 {
        let mut world = World::new(seed, &metainfo, &drippers);
        world.run(120);
        assert_eq!(world.found, None, "seed {seed}: nobody had it");
        world.come(Manner::Honest);
        world.run(PATIENCE);
        assert_eq!(world.found, Some(true), "seed {seed}");
    }
}

#[test]
fn liars_of_one_kind_do_not_either() {
    let metainfo = torrent(5000, false);
    let size = metainfo.raw_info().len() as u32;
    for kind in 0..11 {
        let mut manners = vec![Manner::liar(kind, size); LIARS as usize];
        manners.push(Manner::Honest);
        let mut world = World::new(7, &metainfo, &manners);
        world.run(PATIENCE);
        assert_eq!(world.found, Some(true), "among {:?}", manners[0]);
    }
}

#[test]
fn the_same_seed_gives_the_same_search() {
    let metainfo = torrent(2000, false);
    let run = |seed| {
        let mut manners = liars(&metainfo);
        manners.push(Manner::Honest);
        let mut world = World::new(seed, &metainfo, &manners);
        world.run(PATIENCE);
        (world.trace, world.now)
    };
    assert_eq!(run(3), run(3));
    assert_ne!(run(3), run(4));
}
