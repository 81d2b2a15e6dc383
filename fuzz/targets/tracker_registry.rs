//! The memory of the built-in tracker.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use torr::base::{InfoHashes, Moment, PeerId, Rng};
use torr::net::tracker_server::{Access, Families, Registry};
use torr::proto::announce::{Announce, AnnounceEvent};

use super::draws::Draws;

const INTERVAL: Duration = Duration::from_secs(60);

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    let listed = InfoHashes::from_v1([1; 20]);
    let access = if draws.one_in(2) { Access::Only([listed].into()) } else { Access::Open };
    let mut registry = Registry::new(access.clone(), INTERVAL, Rng::new(draws.byte().into()));
    let mut now = Moment::START;
    for _ in 0..2000 {
        if draws.is_empty() {
            break;
        }
        match draws.below(8) {
            0 => now += Duration::from_secs(draws.byte().into()),
            1 => {
                let before = registry.totals().peers;
                let gone = registry.expire(now).len();
                assert_eq!(registry.totals().peers, before - gone);
            }
            _ => announce(&mut draws, &mut registry, now, &access),
        }
        let totals = registry.totals();
        assert!(totals.seeds <= totals.peers);
        let all = (0..4).map(|n| registry.counts(InfoHashes::from_v1([n; 20])));
        let known: u32 = all.map(|counts| counts.seeds.unwrap_or(0) + counts.leechers.unwrap_or(0)).sum();
        assert_eq!(known as usize, totals.peers, "peers are counted right");
    }
    registry.expire(now + INTERVAL * 2);
    let totals = registry.totals();
    assert_eq!((totals.torrents, totals.peers, totals.seeds), (0, 0, 0), "the silent are forgotten");
}

fn announce(draws: &mut Draws<'_>, registry: &mut Registry, now: Moment, access: &Access) {
    let (flags, source) = (draws.byte(), address(draws));
    let events =
        [AnnounceEvent::None, AnnounceEvent::Started, AnnounceEvent::Completed, AnnounceEvent::Stopped];
    let announce = Announce {
        info_hash: InfoHashes::from_v1([flags & 3; 20]),
        peer_id: PeerId([draws.byte() % 4; 20]),
        port: 1 + u16::from(draws.byte() % 4),
        uploaded: 0,
        downloaded: 0,
        left: [0, 1, u64::MAX, 9][usize::from(flags >> 2 & 3)],
        event: events[usize::from(flags >> 4 & 3)],
        key: u32::from(draws.byte() % 3),
        numwant: (flags & 0x40 != 0).then(|| u32::from(draws.byte())),
        ip: (flags & 0x80 != 0).then(|| address(draws)),
        tracker_id: None,
    };
    let families = if draws.one_in(2) { Families::Own } else { Families::Both };
    let serves = match access {
        Access::Open => true,
        Access::Only(list) => list.contains(&announce.info_hash),
    };
    let answer = registry.announce(now, source, &announce, families);
    assert_eq!(answer.is_some(), serves);
    let Some(answer) = answer else { return };
    assert!(answer.peers.len() <= announce.numwant.map_or(50, |want| want.min(200)) as usize);
    assert!(announce.event != AnnounceEvent::Stopped || answer.peers.is_empty());
    let each: BTreeSet<SocketAddr> = answer.peers.iter().copied().collect();
    assert_eq!(each.len(), answer.peers.len(), "none twice");
    let v4 = source.to_canonical().is_ipv4();
    assert!(families == Families::Both || answer.peers.iter().all(|peer| peer.is_ipv4() == v4));
    if let Some(seen) = answer.seen {
        assert!(!each.contains(&seen.addr), "nobody is told of itself");
    }
}

fn address(draws: &mut Draws<'_>) -> IpAddr {
    let byte = draws.byte();
    let n = byte & 3;
    match byte >> 5 {
        0..4 => IpAddr::from([8, 0, 0, n]),
        4 => IpAddr::from([192, 168, 0, n]),
        5 => IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0x0800, n.into()]),
        6 => IpAddr::from([0x2a00, 0, 0, 0, 0, 0, 0, n.into()]),
        _ => IpAddr::from([127, 0, 0, 1]),
    }
}
