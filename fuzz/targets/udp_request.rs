//! What a UDP tracker is asked (BEP 15, BEP 41).

use torr::proto::tracker_udp::{MAX_SCRAPED, Request};

pub fn run(data: &[u8]) {
    let Ok(request) = Request::decode(data) else { return };
    let bytes = request.encode();
    match &request {
        Request::Connect { .. } => assert_eq!(bytes, data),
        Request::Scrape { torrents, .. } => {
            assert!((1..=MAX_SCRAPED).contains(&torrents.len()));
            assert_eq!(bytes, data);
        }
        Request::Announce { announce, url_data, .. } => {
            assert!(announce.port != 0 && announce.tracker_id.is_none());
            assert!(url_data.len() <= data.len());
        }
    }
    let mut again = Request::decode(&bytes).expect("what is written can be read");
    assert_eq!(again.transaction(), request.transaction());
    if let (Request::Announce { announce: one, .. }, Request::Announce { announce: other, .. }) =
        (&request, &mut again)
    {
        // A size that is not known is told as the length of a block.
        assert!(one.left == other.left || one.left == u64::MAX);
        other.left = one.left;
    }
    assert_eq!(again, request);
}
