use std::net::Ipv4Addr;

use super::*;

fn at(secs: u64) -> Moment {
    Moment::START + Duration::from_secs(secs)
}

fn id(rng: &mut Rng) -> NodeId {
    NodeId(std::array::from_fn(|_| rng.next_u64() as u8))
}

/// Returns an Internet address in a network of its own.
fn away(n: u32) -> SocketAddr {
    (Ipv4Addr::from(0x0800_0000 + (n << 8) + 1), 6881).into()
}

fn nearby(n: u16) -> SocketAddr {
    ([127, 0, 0, 1], n).into()
}

fn full() -> (Table, Vec<(NodeId, SocketAddr)>) {
    let mut rng = Rng::new(5);
    let mut table = Table::new(id(&mut rng));
    let nodes: Vec<_> = (1..3000_u16).map(|n| (id(&mut rng), nearby(n))).collect();
    for &(id, addr) in &nodes {
        table.answered(at(0), id, addr);
    }
    (table, nodes)
}

#[test]
fn the_nearest_are_the_nearest_of_all_that_are_known() {
    let (table, _) = full();
    let mut rng = Rng::new(9);
    for round in 0..200 {
        let mut target = id(&mut rng);
        if round % 2 == 0 {
            let shared = rng.below(20) as u32;
            target = within(&table.own(), shared, &mut rng);
            assert_eq!(target.common_bits(&table.own()), shared);
        }
        let mut all = table.all();
        all.sort_by_key(|(id, _)| id.distance(&target));
        for most in [1, 8, 20] {
            assert_eq!(table.nearest(&target, most), all[..most]);
        }
    }
    assert_eq!(table.nearest(&NodeId([0; 20]), 10_000).len(), table.count());
}

#[test]
fn buckets_are_wide_where_nodes_are_far() {
    let (table, nodes) = full();
    assert_eq!(table.buckets[0].nodes.len(), 128);
    assert_eq!(table.buckets[4].nodes.len(), K);
    assert!(table.buckets.iter().all(|bucket| bucket.spares.len() <= MAX_SPARES));
    // The first nodes have stayed.
    assert!(table.knows(&nodes[0].0, nodes[0].1));
    assert!(!table.knows(&nodes[0].0, nearby(9)));
}

#[test]
fn the_silent_make_room_for_spares() {
    let (mut table, _) = full();
    let before = table.count();
    let (gone, addr) = table.nearest(&NodeId([0; 20]), 1)[0];
    table.failed(&gone, nearby(9999), true);
    assert!(table.knows(&gone, addr), "the words of a stranger");
    table.failed(&gone, addr, false);
    assert!(table.knows(&gone, addr) && table.count() == before - 1, "nobody else answers either");
    table.failed(&gone, addr, true);
    assert!(!table.knows(&gone, addr));
    assert_eq!(table.count(), before);
    // Without spares a node is given more time.
    let mut small = Table::new(NodeId([0; 20]));
    small.answered(at(0), NodeId([9; 20]), nearby(1));
    let nine = NodeId([9; 20]);
    small.failed(&nine, nearby(1), true);
    assert_eq!((small.count(), small.nearest(&nine, 8)), (0, vec![]));
    // The node is not passed on, but it is queried if there is no other.
    assert_eq!(
        (small.to_ask(&nine, 8), small.in_doubt(8)),
        (vec![(nine, nearby(1))], vec![(nine, nearby(1))])
    );
    small.answered(at(1), NodeId([7; 20]), nearby(2));
    assert_eq!(small.to_ask(&nine, 8), [(NodeId([7; 20]), nearby(2))]);
    small.answered(at(1), nine, nearby(1));
    assert_eq!(small.nearest(&nine, 8).len(), 2);
    (0..100).for_each(|_| small.failed(&nine, nearby(1), false));
    assert!(small.knows(&nine, nearby(1)), "the network is away");
    (0..2).for_each(|_| small.failed(&nine, nearby(1), true));
    assert!(!small.knows(&nine, nearby(1)));
}

#[test]
fn who_is_somebody_else_makes_room_at_once() {
    let (mut table, _) = full();
    let (before, (gone, addr)) = (table.count(), table.nearest(&NodeId([0; 20]), 1)[0]);
    table.refuted(&gone, nearby(9999));
    assert!(table.knows(&gone, addr), "somebody elsewhere");
    table.refuted(&gone, addr);
    assert!(!table.knows(&gone, addr) && table.count() == before);
}

#[test]
fn under_another_id_it_knows_the_same_nodes() {
    let mut rng = Rng::new(6);
    let mut table = Table::new(id(&mut rng));
    for n in 0..300 {
        table.answered(at(n), id(&mut rng), away(n as u32));
    }
    let before = table.count();
    let (silent, addr) = table.all()[0];
    table.failed(&silent, addr, false);
    let own = id(&mut rng);
    table.rename(own);
    assert_eq!(table.own(), own);
    assert!(table.count() >= before * 9 / 10, "{} of {before}", table.count());
    assert!(table.in_doubt(8).len() <= 1);
    let mut all = table.all();
    all.sort_by_key(|(id, _)| id.distance(&own));
    assert_eq!(table.nearest(&own, 8), all[..8], "each has the place that is its due");
    assert!(all.iter().all(|(id, addr)| table.knows(id, *addr)));
}

#[test]
fn an_owner_on_the_internet_has_one_place() {
    let mut rng = Rng::new(1);
    let mut table = Table::new(id(&mut rng));
    let one = |port| SocketAddr::from(([8, 8, 8, 8], port));
    table.answered(at(0), id(&mut rng), one(1));
    table.answered(at(0), id(&mut rng), one(2));
    assert_eq!(table.count(), 1);
    // The same socket with a new id: the node has restarted.
    let renamed = id(&mut rng);
    table.answered(at(0), renamed, one(1));
    assert!(table.count() == 1 && table.knows(&renamed, one(1)));
    // A network gets one node in a bucket.
    for n in 0..250 {
        table.answered(at(0), id(&mut rng), SocketAddr::from(([9, 9, 9, n], 1)));
    }
    assert!(table.count() < 12, "{}", table.count());
    // The id of another node that still replies.
    table.answered(at(0), renamed, away(77));
    assert!(table.knows(&renamed, one(1)));
    table.answered(at(0), table.own(), away(78));
    assert!(!table.knows(&table.own(), away(78)));
}

#[test]
fn an_id_that_fits_is_preferred() {
    let mut rng = Rng::new(2);
    let mut table = Table::new(NodeId([0xff; 20]));
    for n in 0..128 {
        let mut id = id(&mut rng);
        id.0[0] &= 0x7f;
        table.answered(at(0), id, away(n));
    }
    assert_eq!(table.count(), 128);
    let addr =
        (1000..5000).map(away).find(|addr| crate::dht::node_id(addr.ip(), [1; 20]).0[0] < 0x80).unwrap();
    let honest = crate::dht::node_id(addr.ip(), [1; 20]);
    table.answered(at(0), honest, addr);
    assert!(table.knows(&honest, addr) && table.count() == 128);
}

#[test]
fn what_is_quiet_is_asked_and_what_is_stale_is_searched() {
    let mut rng = Rng::new(3);
    let mut table = Table::new(NodeId([0; 20]));
    table.answered(at(0), NodeId([0x80; 20]), nearby(1));
    table.answered(at(60), NodeId([0x40; 20]), nearby(2));
    assert_eq!(table.quietest(at(899)), None);
    assert_eq!(table.quietest(at(900)), Some((NodeId([0x80; 20]), nearby(1))));
    table.asked(at(900), &NodeId([0x80; 20]));
    assert_eq!(table.quietest(at(901)), None);
    let mut refresh = |table: &mut Table, secs| {
        table.refresh(at(secs), &mut rng).map(|target| target.common_bits(&NodeId([0; 20])))
    };
    // A bucket that was never searched is due at once, then none for a while.
    assert_eq!(
        [refresh(&mut table, 1), refresh(&mut table, 2), refresh(&mut table, 3)],
        [Some(0), Some(1), None]
    );
    assert_eq!(refresh(&mut table, 900), None);
    assert_eq!(refresh(&mut table, 901), Some(0));
    table.searched(at(901), &NodeId([0x40; 20]));
    assert_eq!(refresh(&mut table, 1000), None);
}
