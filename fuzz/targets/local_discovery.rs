//! When the local network hears of which torrent, whatever it says itself.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use torr::base::{Moment, is_near};
use torr::proto::lsd::{self, Search};
use torr::swarm::local::{Local, Wire};

use super::draws::Draws;

const MINUTE: Duration = Duration::from_secs(60);

pub fn run(data: &[u8]) {
    let mut draws = Draws::new(data);
    let start = Moment::START + Duration::from_secs(1);
    let mut now = start;
    let mut local = Local::new(now, 7, draws.byte().into());
    let mut joined: BTreeMap<Wire, usize> = BTreeMap::new();
    let mut announced: BTreeMap<Wire, Moment> = BTreeMap::new();
    let mut networks: Vec<(IpAddr, u8)> = Vec::new();
    let mut turns = 0;
    for _ in 0..2000 {
        if draws.is_empty() {
            break;
        }
        match draws.below(8) {
            0 => {
                let torrent = torrent(&mut draws);
                local.join(now, torrent);
                *joined.entry(torrent).or_default() += 1;
            }
            1 => {
                let torrent = torrent(&mut draws);
                if let Some(wishes) = joined.get_mut(&torrent) {
                    *wishes -= 1;
                    local.leave(torrent);
                }
                joined.retain(|_, wishes| *wishes > 0);
            }
            2 => {
                networks = (0..draws.below(3)).map(|_| (address(&mut draws), draws.byte())).collect();
                local.set_networks(now, networks.clone());
            }
            3..6 => {
                let from = SocketAddr::new(address(&mut draws), 6771);
                let search = Search {
                    port: draws.u16().max(1),
                    torrents: (0..=draws.below(3)).map(|_| torrent(&mut draws)).collect(),
                    cookie: draws.one_in(4).then(|| lsd::cookie_text(local.cookie()).into_bytes()),
                };
                let ours = search.cookie.is_some();
                let found = local.heard(now, from, &search);
                assert!(found.is_empty() || !ours, "our own words are no news");
                assert!(found.is_empty() || is_near(from.ip()) || !networks.is_empty());
                for (torrent, addr) in found {
                    assert!(joined.contains_key(&torrent) && search.torrents.contains(&torrent));
                    assert_eq!(addr, SocketAddr::new(from.ip(), search.port));
                }
            }
            6 => now += Duration::from_millis(u64::from(draws.byte()) * 7),
            _ => now += Duration::from_secs(u64::from(draws.byte()) * 2),
        }
        let due = local.due(now);
        for torrent in &due {
            assert!(joined.contains_key(torrent), "what has left is announced no more");
            let last = announced.insert(*torrent, now);
            assert!(last.is_none_or(|last| now.since(last) >= MINUTE), "none twice in a minute");
        }
        turns += u64::from(!due.is_empty());
        assert!(turns <= 4 + now.since(start).as_secs() / 60, "all together take a turn a minute");
        if !due.is_empty() {
            assert!(local.deadline().is_none_or(|at| at > now), "what was due has been done");
        }
        assert_eq!(local.deadline().is_some(), !joined.is_empty());
    }
}

fn torrent(draws: &mut Draws<'_>) -> Wire {
    [draws.byte() % 8; 20]
}

/// An address of the local network, of the Internet, or of one that may be either.
fn address(draws: &mut Draws<'_>) -> IpAddr {
    let byte = draws.byte();
    let n = byte >> 3 & 3;
    match byte & 7 {
        0 => IpAddr::from([127, 0, 0, 1]),
        1 | 2 => IpAddr::from([192, 168, 0, n]),
        3 => IpAddr::from([8, 8, n, 8]),
        4 => IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, n.into()]),
        5 => IpAddr::from([0x2a00, n.into(), 0, 0, 0, 0, 0, 1]),
        6 => IpAddr::from([0, 0, 0, 0, 0, 0xffff, 0xc0a8, n.into()]),
        _ => IpAddr::from([byte, byte, byte, byte]),
    }
}
