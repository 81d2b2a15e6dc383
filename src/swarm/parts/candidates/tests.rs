//! Scripted addresses and dials.

use std::time::Duration;

use super::super::peer_source_quota::MAX_PER_PEER;
use super::room::{MAX_CANDIDATES, share};
use super::*;

fn at(s: u64) -> Moment {
    Moment::START + Duration::from_secs(s)
}

fn addr(n: u32) -> SocketAddr {
    (std::net::Ipv4Addr::from(0x0b00_0000 + n), 6881).into()
}

fn next(list: &mut Candidates, s: u64) -> Option<SocketAddr> {
    list.next(at(s), DialMode::Downloading, &mut Rng::new(1))
}

#[test]
fn what_cannot_be_dialled_is_not_kept() {
    let mut list = Candidates::new(at(0), vec!["0.0.0.0:51413".parse().unwrap()]);
    for text in ["1.2.3.4:0", "0.0.0.0:5", "224.0.0.1:5", "127.0.0.1:51413"] {
        list.add(at(0), Source::Pex, text.parse().unwrap());
    }
    assert_eq!(list.len(), 0);
    list.ban("9.9.9.9:1".parse().unwrap());
    list.add(at(0), Source::Pex, "9.9.9.9:5".parse().unwrap());
    assert_eq!((list.len(), next(&mut list, 0)), (0, None));
}

#[test]
fn the_first_dials_are_made_at_once_and_the_rest_at_a_rate() {
    let mut list = Candidates::new(at(0), vec![]);
    (0..200).for_each(|n| list.add(at(0), Source::Tracker, addr(n)));
    let first: Vec<_> = std::iter::from_fn(|| next(&mut list, 0)).collect();
    assert_eq!(first.len(), MAX_DIALS);
    assert_eq!(list.due(at(0), DialMode::Downloading), None);
    for &a in &first {
        list.failed(at(0), a, DialFailure::Refused);
    }
    assert_eq!(next(&mut list, 0), None);
    assert!(list.due(at(0), DialMode::Downloading).unwrap() > at(0));
    assert_eq!(std::iter::from_fn(|| next(&mut list, 1)).count(), 10);
}

#[test]
fn failures_make_an_address_wait_longer_and_leave_at_last() {
    let mut list = Candidates::new(at(0), vec![]);
    list.add(at(0), Source::Dht, addr(1));
    let (mut now, mut waits) = (0, Vec::new());
    while let Some(due) = list.due(at(now), DialMode::Downloading) {
        waits.push(due.since(at(now)).as_secs());
        now = due.since_start().as_secs() + 1;
        let dialled = next(&mut list, now).unwrap();
        list.failed(at(now), dialled, DialFailure::TimedOut);
    }
    assert_eq!(waits, [0, 60, 120, 240, 480, 960]);
    assert_eq!((list.len(), list.dialling(), list.dials().timed_out), (0, 0, 6));
}

#[test]
fn one_true_address_is_found_among_fifty_thousand_false_ones() {
    let mut list = Candidates::new(at(0), vec![]);
    (0..50_000).for_each(|n| list.add(at(0), Source::Pex, addr(n)));
    let truth = addr(77_777);
    list.add(at(0), Source::Tracker, truth);
    assert!(list.len() <= MAX_CANDIDATES);
    let tried: Vec<_> = std::iter::from_fn(|| next(&mut list, 0)).take(20).collect();
    assert!(tried.contains(&truth));
}

#[test]
fn who_tells_more_is_not_heard_more() {
    let sender = |n: u8| SocketAddr::from(([12, 0, 0, n], 6881));
    let mut list = Candidates::new(at(0), vec![]);
    for liar in 0..40 {
        (0..1000)
            .for_each(|n| list.add_from_peer(at(0), sender(liar), addr(u32::from(liar) << 16 | n), false));
    }
    assert_eq!(list.len(), share(Source::Pex));
    let truth = addr(0x77_7777);
    list.add_from_peer(at(0), sender(99), truth, false);
    assert!(list.list.contains_key(&truth), "the largest makes room");
    let mut tried = Vec::new();
    for s in 0..10 {
        while let Some(one) = next(&mut list, s) {
            tried.push(one);
            list.failed(at(s), one, DialFailure::TimedOut);
        }
    }
    assert!(tried.iter().position(|&one| one == truth).is_some_and(|at| at <= 40), "{}", tried.len());
    // A sender with a full share gets no further address in, unless one has failed.
    let kept = list.quotas.kept(owner_of(sender(0)));
    assert!((1..=MAX_PER_PEER).contains(&kept), "{kept}");
}

#[test]
fn an_address_on_the_internet_is_dialled_once_a_minute() {
    let mut list = Candidates::new(at(0), vec![]);
    for port in 1..20 {
        list.add(at(0), Source::Pex, ([8, 8, 8, 8], port).into());
        list.add(at(0), Source::Pex, ([127, 0, 0, 1], port).into());
    }
    let tried: Vec<_> = std::iter::from_fn(|| next(&mut list, 0)).collect();
    assert_eq!(tried.iter().filter(|a| !a.ip().is_loopback()).count(), 1);
    assert_eq!(tried.len(), 20);
    assert!(list.due(at(0), DialMode::Downloading).is_some_and(|due| due >= at(60)));
}

#[test]
fn seeds_are_not_dialled_once_we_are_complete() {
    let mut list = Candidates::new(at(0), vec![]);
    list.add(at(0), Source::Pex, addr(1));
    list.connected(addr(1));
    list.disconnected(at(0), addr(1), true, true);
    assert_eq!(list.next(at(900), DialMode::Seeding, &mut Rng::new(1)), None);
    assert_eq!(list.due(at(900), DialMode::Seeding), None);
    assert!(list.next(at(900), DialMode::Downloading, &mut Rng::new(1)).is_some());
}

#[test]
fn what_the_user_named_is_soon_dialled_again() {
    let again = |source, others: u32| {
        let mut list = Candidates::new(at(0), vec![]);
        list.add(at(0), source, addr(1));
        assert_eq!(next(&mut list, 0), Some(addr(1)));
        list.dial_connected(addr(1));
        list.connected(addr(1));
        (2..2 + others).for_each(|n| list.add(at(0), Source::Pex, addr(n)));
        while let Some(other) = next(&mut list, 1) {
            list.failed(at(1), other, DialFailure::Refused);
        }
        list.disconnected(at(2), addr(1), true, true);
        // The times at which the address may be dialled after each failure.
        let mut waits = Vec::new();
        let mut now = 2;
        for _ in 0..3 {
            let due =
                list.ready_at(&addr(1), &list.list[&addr(1)], DialMode::Downloading).since_start().as_secs();
            waits.push(due - now);
            now = due;
            list.limiter.record_dial(at(now), addr(1).ip());
            list.failed(at(now), addr(1), DialFailure::Refused);
        }
        waits
    };
    assert_eq!(again(Source::User, 3), [5, 5, 10]);
    assert_eq!(again(Source::Tracker, 3), [58, 60, 120]);
}

#[test]
fn who_has_nobody_else_soon_tries_again_the_one_that_was_of_use() {
    let alone = |list: &mut Candidates, s: u64| list.next(at(s), DialMode::Isolated, &mut Rng::new(1));
    let mut list = Candidates::new(at(0), vec![]);
    let (used, beside) = (addr(1), SocketAddr::new(addr(1).ip(), 7000));
    list.add(at(0), Source::Tracker, used);
    assert_eq!(alone(&mut list, 0), Some(used));
    list.dial_connected(used);
    list.connected(used);
    // Another port of the same address has not been useful yet.
    list.add(at(1), Source::Pex, beside);
    list.disconnected(at(2), used, true, true);
    assert_eq!(list.due(at(2), DialMode::Isolated), Some(at(12)));
    assert_eq!((alone(&mut list, 11), next(&mut list, 59)), (None, None), "others wait out the minute");
    assert_eq!(alone(&mut list, 12), Some(used));
    // The dial fails, and the privilege is gone.
    list.failed(at(13), used, DialFailure::Refused);
    assert_eq!(list.due(at(13), DialMode::Isolated), Some(at(72)));
    assert_eq!(alone(&mut list, 72), Some(beside));
    list.failed(at(72), beside, DialFailure::Refused);
    assert_eq!(alone(&mut list, 131), None);
    // The next dial connects and is useful, so the privilege is back.
    assert_eq!(alone(&mut list, 132), Some(used));
    list.dial_connected(used);
    list.connected(used);
    list.disconnected(at(140), used, true, true);
    assert_eq!(list.due(at(140), DialMode::Isolated), Some(at(150)));
    // After a useless connection it waits like any other address.
    assert_eq!(alone(&mut list, 150), Some(used));
    list.dial_connected(used);
    list.connected(used);
    list.disconnected(at(151), used, false, true);
    assert_eq!(list.due(at(151), DialMode::Isolated), Some(at(210)));
}

#[test]
fn nobody_can_have_us_knock_at_every_door_of_a_neighbour() {
    for source in [Source::Tracker, Source::Dht, Source::Lsd] {
        let mut list = Candidates::new(at(0), vec![]);
        let doors = |host: u8| (1..=200).map(move |port| SocketAddr::from(([192, 168, 1, host], port)));
        doors(9).chain(doors(7)).for_each(|addr| list.add(at(0), source, addr));
        let mut tried = Vec::new();
        for s in 0..60 {
            while let Some(one) = next(&mut list, s) {
                tried.push(one);
                list.failed(at(s), one, DialFailure::Refused);
            }
        }
        let of =
            |host: u8| tried.iter().filter(|addr| addr.ip().to_string().ends_with(&host.to_string())).count();
        assert_eq!((of(9), of(7)), (30, 30), "{source:?}");
    }
}

#[test]
fn an_address_counts_as_of_the_source_that_is_trusted_most() {
    let mut list = Candidates::new(at(0), vec![]);
    list.add_from_peer(at(0), addr(9), addr(1), false);
    list.add(at(0), Source::Dht, addr(2));
    for _ in 0..2 {
        let one = list.next(at(4000), DialMode::Downloading, &mut Rng::new(1)).unwrap();
        list.failed(at(4000), one, DialFailure::TimedOut);
    }
    list.add(at(4001), Source::Tracker, addr(1));
    list.add(at(4001), Source::User, addr(2));
    list.add(at(4001), Source::Dht, addr(1));
    assert_eq!(
        (list.source_of(addr(1)), list.source_of(addr(2))),
        (Some(Source::Tracker), Some(Source::User))
    );
    assert_eq!(list.quotas.kept(owner_of(addr(9))), 0);
    assert_eq!(next(&mut list, 4001), Some(addr(2)), "what the user names is dialled at once");
    list.retain_for_private();
    assert_eq!(list.len(), 2);
}

#[test]
fn an_address_that_is_forgotten_and_told_again_is_not_dialled_twice_at_once() {
    let mut list = Candidates::new(at(0), vec![]);
    list.add(at(0), Source::Dht, addr(1));
    assert_eq!(next(&mut list, 0), Some(addr(1)));
    list.retain_for_private();
    list.add(at(1), Source::User, addr(1));
    assert_eq!(
        (next(&mut list, 100), list.due(at(100), DialMode::Isolated), list.dialling()),
        (None, None, 1)
    );
    list.failed(at(101), addr(1), DialFailure::TimedOut);
    assert_eq!((next(&mut list, 1000), list.dialling()), (Some(addr(1)), 1));
}
