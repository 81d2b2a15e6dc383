//! What an HTTP tracker answers (BEP 3, 7, 23, 24, 31, 48).

use std::net::SocketAddr;

use torr::proto::announce::{MAX_INTERVAL, MAX_TEXT, MIN_INTERVAL, Refusal, Retry};
use torr::proto::tracker_http::{
    MAX_PEERS, ReplyError, read_announce, read_scrape, write_announce, write_failure, write_scrape,
};

pub fn run(data: &[u8]) {
    match read_announce(data) {
        Ok(mut reply) => {
            assert!(reply.peers.len() <= MAX_PEERS);
            for peer in &reply.peers {
                assert!(peer.port() != 0 && !peer.ip().is_unspecified() && !peer.ip().is_multicast());
            }
            let intervals = [Some(reply.interval), reply.min_interval];
            assert!(intervals.iter().flatten().all(|time| (MIN_INTERVAL..=MAX_INTERVAL).contains(time)));
            let warning = reply.warning.as_ref();
            assert!(warning.is_none_or(|text| (1..=MAX_TEXT).contains(&text.raw().chars().count())));
            assert!(reply.tracker_id.as_ref().is_none_or(|id| id.len() <= 1024));
            // Interval as it was claimed does not travel on, and peers are told by family.
            reply.claimed_interval = i64::try_from(reply.interval.as_secs()).ok();
            for compact in [true, false] {
                if compact {
                    reply.peers.sort_by_key(SocketAddr::is_ipv6);
                }
                assert_eq!(read_announce(&write_announce(&reply, compact)), Ok(reply.clone()));
            }
        }
        Err(ReplyError::Refused(refusal)) => refused(refusal),
        Err(_) => {}
    }
    match read_scrape(data) {
        Ok(mut scrape) => {
            // A count nobody knows is told as none, and a torrent once, in the order of the bytes.
            for (_, counts) in &mut scrape.torrents {
                for count in [&mut counts.seeds, &mut counts.downloaded, &mut counts.leechers] {
                    *count = count.or(Some(0));
                }
            }
            let back = read_scrape(&write_scrape(&scrape)).expect("what is written can be read");
            assert!(back.torrents.windows(2).all(|pair| pair[0].0.wire() < pair[1].0.wire()));
            assert!(back.torrents.iter().all(|torrent| scrape.torrents.contains(torrent)));
            assert!(scrape.torrents.iter().all(|(id, _)| back.torrents.iter().any(|(known, _)| known == id)));
        }
        Err(ReplyError::Refused(refusal)) => refused(refusal),
        Err(_) => {}
    }
}

fn refused(mut refusal: Refusal) {
    assert!(refusal.reason.raw().chars().count() <= MAX_TEXT);
    if let Some(Retry::After(time)) = refusal.retry {
        assert!((MIN_INTERVAL..=MAX_INTERVAL).contains(&time));
        refusal.retry = Some(Retry::After(time));
    }
    assert_eq!(read_announce(&write_failure(&refusal)), Err(ReplyError::Refused(refusal)));
}
