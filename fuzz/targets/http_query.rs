//! What an HTTP tracker is asked (BEP 3, 7, 23, 48), and the address it is asked at.

use torr::base::{InfoHashes, PeerId};
use torr::proto::announce::{Announce, AnnounceEvent};
use torr::proto::tracker_http::{MAX_SCRAPED, announce_url, parse_announce, parse_scrape, scrape_url};

const TRACKER: &str = "http://t.example/announce";

pub fn run(data: &[u8]) {
    if let Ok(query) = parse_announce(data) {
        assert_ne!(query.announce.port, 0);
        let url = announce_url(TRACKER, &query.announce).expect("the address is good");
        let mut again = parse_announce(after_mark(&url).as_bytes()).expect("what is written can be read");
        assert!(again.compact, "we never decline it");
        // A size that is not known is told as the length of a block.
        assert!(query.announce.left == again.announce.left || query.announce.left == u64::MAX);
        again.announce.left = query.announce.left;
        assert_eq!(again.announce, query.announce);
    }
    if let Ok(torrents) = parse_scrape(data) {
        assert!(torrents.len() <= MAX_SCRAPED);
        let url = scrape_url(TRACKER, &torrents).expect("the address is good");
        assert_eq!(parse_scrape(url.split_once('?').map_or("", |(_, query)| query).as_bytes()), Ok(torrents));
    }
    if let Ok(tracker) = std::str::from_utf8(data) {
        addressed(tracker);
    }
}

/// The tracker's own address is any text, as it stands in torrent files and links.
fn addressed(tracker: &str) {
    let announce = Announce {
        info_hash: InfoHashes::from_v1(*b"an info-hash, & more"),
        peer_id: PeerId(*b"-tR0100-\0\xff %&?#=+abc"),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: AnnounceEvent::Started,
        key: 0xab,
        numwant: Some(50),
        ip: None,
        tracker_id: Some(b"id".to_vec()),
    };
    if let Ok(url) = announce_url(tracker, &announce) {
        assert!(!url.contains('#'));
        let query = parse_announce(after_mark(&url).as_bytes()).expect("what is written can be read");
        assert_eq!(query.announce, announce, "an address sets nothing that is the client's");
    }
    if let Ok(url) = scrape_url(tracker, &[announce.info_hash]) {
        assert!(!url.contains('#'));
        assert_eq!(parse_scrape(after_mark(&url).as_bytes()), Ok(vec![announce.info_hash]));
    }
}

fn after_mark(url: &str) -> &str {
    url.split_once('?').expect("it has a query").1
}
