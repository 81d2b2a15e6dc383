//! What a UDP tracker answers (BEP 15).

use torr::proto::announce::{MAX_INTERVAL, MAX_TEXT, MIN_INTERVAL};
use torr::proto::tracker_http::MAX_PEERS;
use torr::proto::tracker_udp::{Family, MAX_SCRAPED, Response};

pub fn run(data: &[u8]) {
    for family in [Family::V4, Family::V6] {
        let Ok(mut response) = Response::decode(data, family) else { continue };
        let again = Response::decode(&response.encode(family), family).expect("what is written can be read");
        match (&mut response, &again) {
            (Response::Announce { reply, .. }, Response::Announce { reply: back, .. }) => {
                assert!(reply.peers.len() <= MAX_PEERS);
                assert!((MIN_INTERVAL..=MAX_INTERVAL).contains(&reply.interval));
                for peer in &reply.peers {
                    assert!(peer.port() != 0 && !peer.ip().is_unspecified() && !peer.ip().is_multicast());
                }
                // Addresses of the other family are not told on, nor is a claim nobody keeps to; a count nobody
                // knows is told as none.
                reply.peers.retain(|peer| peer.is_ipv4() == (family == Family::V4));
                reply.claimed_interval = back.claimed_interval;
                reply.seeds = reply.seeds.or(Some(0));
                reply.leechers = reply.leechers.or(Some(0));
            }
            (Response::Scrape { counts, .. }, _) => {
                assert!(counts.len() <= MAX_SCRAPED);
                for one in counts {
                    for count in [&mut one.seeds, &mut one.downloaded, &mut one.leechers] {
                        *count = count.or(Some(0));
                    }
                }
            }
            (Response::Error { refusal, .. }, Response::Error { refusal: back, .. }) => {
                let (text, back) = (refusal.reason.raw(), back.reason.raw());
                assert!(text.chars().count() <= MAX_TEXT && text == back);
            }
            _ => {}
        }
        assert_eq!(again, response);
    }
}
