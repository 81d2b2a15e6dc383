use super::*;

fn addr(n: u8) -> SocketAddr {
    ([10, 0, 0, n], 6881).into()
}

fn id(n: u8) -> NodeId {
    NodeId([n; 20])
}

fn lookup(nodes: impl IntoIterator<Item = u8>) -> Lookup {
    let mut lookup = Lookup::new(id(0));
    nodes.into_iter().for_each(|n| lookup.learn(id(n), addr(n), 1));
    lookup
}

#[test]
fn the_nearest_are_asked_first_and_few_at_a_time() {
    let mut lookup = lookup([9, 3, 5, 1, 7, 8]);
    let asked: Vec<_> = std::iter::from_fn(|| lookup.next()).map(|(id, ..)| id.unwrap().0[0]).collect();
    assert_eq!(asked, [1, 3, 5, 7]);
    lookup.mark_late(addr(1));
    assert_eq!(lookup.next().unwrap().1, addr(8));
    assert_eq!(lookup.next(), None);
    lookup.answered(id(1), addr(1), Some(vec![1]), true);
    assert_eq!(lookup.next(), None, "four that are not late are under way");
    lookup.failed(addr(3), false);
    lookup.learn(id(2), addr(2), 2);
    assert_eq!(lookup.next(), Some((Some(id(2)), addr(2), 2)));
}

#[test]
fn it_ends_when_the_nearest_that_are_there_have_answered() {
    let mut lookup = lookup(1..=20);
    let mut asked = 0;
    while let Some((id, addr, _)) = lookup.next() {
        asked += 1;
        assert!(!lookup.is_done());
        if addr.ip() == self::addr(2).ip() {
            lookup.failed(addr, false);
        } else {
            lookup.answered(id.unwrap(), addr, None, false);
        }
    }
    assert!(lookup.is_done());
    assert_eq!(asked, 9);
    let nearest: Vec<_> = lookup.nearest().map(|(id, ..)| id.0[0]).collect();
    assert_eq!(nearest, [1, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(lookup.depth(), 1);
}

#[test]
fn a_search_that_knows_nobody_ends() {
    let mut lookup = lookup([]);
    assert!(lookup.is_done());
    lookup.try_stranger(addr(1));
    assert!(!lookup.is_done());
    assert_eq!(lookup.next(), Some((None, addr(1), 1)));
    assert!(!lookup.is_done());
    lookup.answered(id(4), addr(1), None, false);
    assert!(lookup.is_done());
    lookup.learn(id(4), addr(1), 2);
    assert!(lookup.is_done(), "nobody is asked twice");
}

#[test]
fn one_that_is_late_holds_up_nothing_but_counts_if_it_answers_after_all() {
    let mut lookup = lookup(1..=20);
    let mut asked = Vec::new();
    while let Some((id, at, _)) = lookup.next() {
        asked.push(at);
        if at == addr(3) || at == addr(4) {
            lookup.mark_late(at);
        } else {
            lookup.answered(id.unwrap(), at, None, false);
        }
    }
    assert_eq!(asked, (1..=10).map(addr).collect::<Vec<_>>());
    assert!(lookup.is_done());
    lookup.answered(id(3), addr(3), None, true);
    let nearest: Vec<_> = lookup.nearest().map(|(id, ..)| id).collect();
    assert_eq!(nearest, [1, 2, 3, 5, 6, 7, 8, 9].map(id));
    // If there is no other node, the search waits for the late one.
    let mut few = self::lookup([1, 2]);
    few.next();
    few.next();
    few.answered(id(1), addr(1), None, false);
    few.mark_late(addr(2));
    assert!(!few.is_done());
    few.failed(addr(2), true);
    assert!(few.is_done());
}

#[test]
fn a_node_has_the_name_it_gives_itself() {
    let mut lookup = lookup([1, 2, 3]);
    lookup.next();
    lookup.answered(id(9), addr(1), Some(vec![7]), false);
    let nearest: Vec<_> = lookup.nearest().map(|(id, at, _)| (id, at)).collect();
    assert_eq!(nearest, [(id(9), addr(1))]);
    assert_eq!(lookup.next().unwrap().1, addr(2));
}

/// Returns an address in the n-th network of the Internet.
fn away(n: u8) -> SocketAddr {
    ([8, 8, n, 1], 1).into()
}

fn matching_id(addr: SocketAddr) -> NodeId {
    crate::dht::node_id(addr.ip(), [0; 20])
}

fn ask_all(lookup: &mut Lookup, mut is_there: impl FnMut(SocketAddr) -> bool) -> Vec<SocketAddr> {
    let mut asked = Vec::new();
    while let Some((id, at, _)) = lookup.next() {
        asked.push(at);
        if is_there(at) {
            lookup.answered(id.unwrap(), at, Some(vec![1]), false);
        } else {
            lookup.failed(at, false);
        }
    }
    asked
}

#[test]
fn a_network_on_the_internet_has_one_place() {
    let mut lookup = Lookup::new(id(0));
    let of = |n| SocketAddr::from(([8, 8, 8, n], 1));
    for n in (1..=20).rev() {
        lookup.learn(id(n), of(n), 1);
    }
    assert_eq!(lookup.next().unwrap().1, of(1));
    assert_eq!(lookup.next(), None);
    lookup.answered(id(1), of(1), None, false);
    assert!(lookup.is_done() && lookup.next().is_none());
    // No owner can draw the search ever nearer inside its own network.
    for n in 1..=50 {
        let mut nearer = id(0);
        nearer.0[2] = 100 - n;
        lookup.learn(nearer, of(100 + n), 2);
        ask_all(&mut lookup, |_| true);
    }
    assert_eq!(lookup.answered_count(), MAX_REPLIES_PER_NETWORK);
    assert_eq!(lookup.nearest().count(), 1);
}

#[test]
fn what_is_made_up_drives_nobody_out() {
    let mut lookup = Lookup::new(id(0));
    let honest: Vec<_> = (1..=8).map(away).collect();
    for &at in &honest {
        lookup.learn(matching_id(at), at, 1);
        // Nearer ones in the same network, some of which fit, and the same address under another port.
        let beside = SocketAddr::from(([8, 8, honest.len() as u8, 77], 1));
        lookup.learn(id(0), SocketAddr::new(at.ip(), 9), 1);
        lookup.learn(matching_id(beside), beside, 1);
    }
    for n in 0..200 {
        lookup.learn(id(0), ([9, 9, n, 1], 1).into(), 1);
    }
    ask_all(&mut lookup, |at| honest.contains(&at));
    assert!(lookup.is_done());
    let mut found: Vec<_> = lookup.nearest().map(|(_, at, _)| at).collect();
    found.sort();
    assert_eq!(found, honest);
}

#[test]
fn the_end_is_with_those_that_fit_and_nearer_ones_are_beside() {
    let mut lookup = Lookup::new(id(0));
    let honest: Vec<_> = (1..=40).map(away).collect();
    for &at in &honest {
        lookup.learn(matching_id(at), at, 1);
    }
    let own_choice = SocketAddr::from(([9, 9, 9, 1], 1));
    lookup.learn(id(0), own_choice, 1);
    ask_all(&mut lookup, |_| true);
    let nearest: Vec<_> = lookup.nearest().map(|(_, at, _)| at).collect();
    assert_eq!((nearest.len(), nearest[0]), (K + 1, own_choice));
    let mut by_distance = honest.clone();
    by_distance.sort_by_key(|&at| matching_id(at).distance(&id(0)));
    assert_eq!(nearest[1..], by_distance[..K]);
    // However many follow that do not fit, the end comes.
    let mut asked = 0;
    for n in 0..250_u8 {
        let mut nearer = id(0);
        nearer.0[5] = 250 - n;
        lookup.learn(nearer, ([9, n, 2, 2], 1).into(), 2);
        asked += ask_all(&mut lookup, |_| true).len();
    }
    assert!(lookup.is_done());
    assert_eq!(asked, MAX_MISMATCHED.0 - 1);
}

#[test]
fn made_up_ones_keep_a_search_from_its_end_for_a_moment_only() {
    let mut lookup = Lookup::new(id(0));
    (1..=40).for_each(|n| lookup.learn(matching_id(away(n)), away(n), 1));
    for n in 1..=100 {
        lookup.learn(id(0), ([9, 9, n, 1], 1).into(), 1);
    }
    let (mut honest, mut silent) = (0, Vec::new());
    while let Some((id, at, _)) = lookup.next() {
        if at.ip().to_string().starts_with("8.") {
            lookup.answered(id.unwrap(), at, None, false);
            honest += 1;
        } else {
            silent.push(at);
        }
    }
    assert_eq!((honest, silent.len()), (K, K));
    assert!(!lookup.is_done());
    for at in silent {
        lookup.mark_late(at);
    }
    assert!(lookup.is_done() && lookup.next().is_none());
}

#[test]
fn where_nobody_fits_the_nearest_are_taken() {
    let mut lookup = Lookup::new(id(0));
    (1..=40).for_each(|n| lookup.learn(id(n), away(n), 1));
    ask_all(&mut lookup, |_| true);
    assert!(lookup.is_done());
    let nearest: Vec<_> = lookup.nearest().map(|(id, ..)| id).collect();
    assert_eq!(nearest, (1..=8).map(id).collect::<Vec<_>>());
}

#[test]
fn a_wrong_name_hides_nobody() {
    let mut lookup = Lookup::new(id(0));
    lookup.learn(id(200), addr(1), 1);
    (10..=40).for_each(|n| lookup.learn(id(n), addr(n), 1));
    lookup.learn(id(1), addr(1), 2);
    assert_eq!(lookup.next().unwrap().0, Some(id(1)));
}

#[test]
fn its_memory_is_bounded() {
    let mut lookup = Lookup::new(id(0));
    for n in 0..10_000_u16 {
        let [high, low] = n.to_be_bytes();
        let mut far = id(high);
        far.0[19] = low;
        lookup.learn(far, SocketAddr::from(([10, 1, high, low], 1)), 1);
        lookup.try_stranger(SocketAddr::from(([10, 2, high, low], 1)));
    }
    assert!(lookup.list.len() + lookup.strangers.len() <= MAX_SEEN && lookup.seen.len() <= MAX_SEEN);
}
