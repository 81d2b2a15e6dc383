//! Queries to HTTP trackers.

use std::fmt::Write as _;
use std::net::IpAddr;

use crate::base::{InfoHashes, PeerId};
use crate::proto::announce::{Announce, AnnounceEvent, left_or_block};
use crate::proto::percent;

/// The most torrents in one scrape.
pub const MAX_SCRAPED: usize = 100;

/// Reasons why a tracker's URL cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum UrlError {
    /// The scheme is neither `http` nor `https`.
    #[error("the tracker's URL is neither http nor https")]
    Scheme,
    /// The URL sets a key of the query that only the client may set, and could forge announces with it.
    #[error("the tracker's URL sets a key that is the client's")]
    ClientKey,
    /// The path does not have the form that allows scraping (BEP 48).
    #[error("the tracker has no scrape address")]
    NoScrape,
}

/// The keys of the query that only the client may set.
const CLIENT_KEYS: [&[u8]; 20] = [
    b"info_hash",
    b"peer_id",
    b"port",
    b"uploaded",
    b"downloaded",
    b"left",
    b"corrupt",
    b"redundant",
    b"compact",
    b"numwant",
    b"key",
    b"event",
    b"trackerid",
    b"no_peer_id",
    b"supportcrypto",
    b"requirecrypto",
    b"ip",
    b"ipv4",
    b"ipv6",
    b"cryptoport",
];

/// Returns the URL of an announce to a tracker.
pub fn announce_url(tracker: &str, announce: &Announce) -> Result<String, UrlError> {
    let mut url = begin_query(tracker)?;
    bytes_key(&mut url, "info_hash", &announce.info_hash.wire());
    bytes_key(&mut url, "peer_id", &announce.peer_id.0);
    number_key(&mut url, "port", u64::from(announce.port));
    number_key(&mut url, "uploaded", announce.uploaded);
    number_key(&mut url, "downloaded", announce.downloaded);
    number_key(&mut url, "left", left_or_block(announce.left));
    number_key(&mut url, "compact", 1);
    let _ = write!(url, "key={:08X}&", announce.key);
    match announce.event {
        AnnounceEvent::None => {}
        AnnounceEvent::Started => url.push_str("event=started&"),
        AnnounceEvent::Completed => url.push_str("event=completed&"),
        AnnounceEvent::Stopped => url.push_str("event=stopped&"),
    }
    if let Some(number) = announce.numwant {
        number_key(&mut url, "numwant", u64::from(number));
    }
    match announce.ip {
        Some(IpAddr::V4(ip)) => bytes_key(&mut url, "ip", ip.to_string().as_bytes()),
        Some(IpAddr::V6(ip)) => bytes_key(&mut url, "ipv6", ip.to_string().as_bytes()),
        None => {}
    }
    if let Some(id) = &announce.tracker_id {
        bytes_key(&mut url, "trackerid", id);
    }
    url.pop();
    Ok(url)
}

/// Returns the URL of a scrape of at most [`MAX_SCRAPED`] torrents. `tracker` is the announce URL; the
/// `announce` that begins the last part of its path becomes `scrape` (BEP 48).
pub fn scrape_url(tracker: &str, torrents: &[InfoHashes]) -> Result<String, UrlError> {
    let path_end = tracker.find(['?', '#']).unwrap_or(tracker.len());
    let (path, query) = tracker.split_at(path_end);
    let (before, last) = path.rsplit_once('/').ok_or(UrlError::NoScrape)?;
    let suffix = last.strip_prefix("announce").ok_or(UrlError::NoScrape)?;
    let mut url = begin_query(&format!("{before}/scrape{suffix}{query}"))?;
    for torrent in torrents.iter().take(MAX_SCRAPED) {
        bytes_key(&mut url, "info_hash", &torrent.wire());
    }
    url.pop();
    Ok(url)
}

/// Returns the URL, ready for a key to be appended.
fn begin_query(tracker: &str) -> Result<String, UrlError> {
    let has_scheme =
        |scheme: &str| tracker.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    if !has_scheme("http://") && !has_scheme("https://") {
        return Err(UrlError::Scheme);
    }
    let url = tracker.split('#').next().unwrap_or(tracker);
    let query = url.split_once('?').map_or("", |(_, query)| query);
    for (key, _) in pairs(query.as_bytes()) {
        let key = percent::decode(key).to_ascii_lowercase();
        if CLIENT_KEYS.contains(&key.as_slice()) {
            return Err(UrlError::ClientKey);
        }
    }
    Ok(match url.split_once('?') {
        None => format!("{url}?"),
        Some((_, "")) => url.to_owned(),
        // A further question mark is part of a value (RFC 3986, section 3.4).
        Some((_, query)) if query.ends_with('&') => url.to_owned(),
        Some(_) => format!("{url}&"),
    })
}

fn bytes_key(url: &mut String, key: &str, value: &[u8]) {
    url.push_str(key);
    url.push('=');
    percent::encode(value, url);
    url.push('&');
}

fn number_key(url: &mut String, key: &str, value: u64) {
    let _ = write!(url, "{key}={value}&");
}

/// An announce as a tracker receives it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AnnounceQuery {
    /// The announce. Its `ip` is claimed by the client and must not be trusted.
    pub announce: Announce,
    /// Whether peers are to be in compact form (BEP 23): true unless the client declines it.
    pub compact: bool,
}

/// Reasons why a query is not a valid announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum QueryError {
    /// A required key is missing.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A value is malformed.
    #[error("{0} is not valid")]
    Bad(&'static str),
}

/// Parses the query of an announce: the undecoded text after `?`. Unknown keys are ignored, the first of a
/// repeated key counts, and missing amounts are 0.
pub fn parse_announce(query: &[u8]) -> Result<AnnounceQuery, QueryError> {
    let get = |name: &str| {
        pairs(query).find(|(key, _)| *key == name.as_bytes()).map(|(_, value)| percent::decode(value))
    };
    let id = |name: &'static str| -> Result<[u8; 20], QueryError> {
        let value = get(name).ok_or(QueryError::Missing(name))?;
        value.try_into().map_err(|_| QueryError::Bad(name))
    };
    let number = |name: &'static str| -> Result<Option<u64>, QueryError> {
        let Some(value) = get(name) else { return Ok(None) };
        let text = std::str::from_utf8(&value).map_err(|_| QueryError::Bad(name))?;
        text.parse().map(Some).map_err(|_| QueryError::Bad(name))
    };
    let event = match get("event").as_deref() {
        None | Some(b"" | b"empty") => AnnounceEvent::None,
        Some(b"started") => AnnounceEvent::Started,
        Some(b"completed") => AnnounceEvent::Completed,
        Some(b"stopped") => AnnounceEvent::Stopped,
        Some(_) => return Err(QueryError::Bad("event")),
    };
    let port = number("port")?.ok_or(QueryError::Missing("port"))?;
    let port = u16::try_from(port).ok().filter(|&port| port != 0).ok_or(QueryError::Bad("port"))?;
    let ip = ["ipv6", "ipv4", "ip"].into_iter().filter_map(get).find_map(|value| {
        let text = String::from_utf8(value).ok()?;
        text.parse::<IpAddr>().ok()
    });
    let key = get("key").and_then(|value| u32::from_str_radix(std::str::from_utf8(&value).ok()?, 16).ok());
    let wanted = number("numwant").ok().flatten();
    let announce = Announce {
        info_hash: InfoHashes::from_v1(id("info_hash")?),
        peer_id: PeerId(id("peer_id")?),
        port,
        uploaded: number("uploaded")?.unwrap_or(0),
        downloaded: number("downloaded")?.unwrap_or(0),
        left: number("left")?.unwrap_or(0),
        event,
        key: key.unwrap_or(0),
        numwant: wanted.map(|n| u32::try_from(n).unwrap_or(u32::MAX)),
        ip,
        tracker_id: get("trackerid"),
    };
    Ok(AnnounceQuery { announce, compact: get("compact").as_deref() != Some(b"0") })
}

/// Parses the query of a scrape, and returns at most [`MAX_SCRAPED`] torrents.
pub fn parse_scrape(query: &[u8]) -> Result<Vec<InfoHashes>, QueryError> {
    let asked = pairs(query).filter(|(key, _)| *key == b"info_hash").take(MAX_SCRAPED);
    asked
        .map(|(_, value)| {
            let digest: [u8; 20] =
                percent::decode(value).try_into().map_err(|_| QueryError::Bad("info_hash"))?;
            Ok(InfoHashes::from_v1(digest))
        })
        .collect()
}

/// Returns the keys and values of a query, not decoded.
fn pairs(query: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    query.split(|&b| b == b'&').filter(|part| !part.is_empty()).map(|part| {
        match part.iter().position(|&b| b == b'=') {
            Some(at) => (&part[..at], &part[at + 1..]),
            None => (part, &[][..]),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> Announce {
        Announce {
            info_hash: InfoHashes::from_v1(*b"\x00\xff &=?abcdefghijklmn"),
            peer_id: PeerId(*b"-tR0100-abcdefghijkl"),
            port: 51_413,
            uploaded: 1,
            downloaded: 2,
            left: 3,
            event: AnnounceEvent::Started,
            key: 0xbeef,
            numwant: Some(50),
            ip: None,
            tracker_id: Some(b"a b".to_vec()),
        }
    }

    #[test]
    fn an_announce_becomes_a_query() {
        assert_eq!(
            announce_url("http://t.example/announce", &sample()).unwrap(),
            "http://t.example/announce?info_hash=%00%FF%20%26%3D%3Fabcdefghijklmn&peer_id=-tR0100-abcdefghijkl\
             &port=51413&uploaded=1&downloaded=2&left=3&compact=1&key=0000BEEF&event=started&numwant=50&trackerid=a%20b"
        );
        let with_pass = announce_url("HTTPS://t/a?pass=1#x", &sample()).unwrap();
        assert!(with_pass.starts_with("HTTPS://t/a?pass=1&info_hash="), "{with_pass}");
        let unknown = Announce { left: u64::MAX, ..sample() };
        assert!(announce_url("http://t/a?", &unknown).unwrap().contains("a?info_hash="));
        assert!(announce_url("http://t/a", &unknown).unwrap().contains("&left=16384&"));
    }

    #[test]
    fn a_question_mark_within_a_query_begins_no_other() {
        for (url, begin) in [
            ("http://t/a?", "http://t/a?"),
            ("http://t/a??", "http://t/a??&"),
            ("http://t/a?x=y?", "http://t/a?x=y?&"),
            ("http://t/a?x=y?&", "http://t/a?x=y?&"),
        ] {
            let made = announce_url(url, &sample()).unwrap();
            assert!(made.starts_with(&format!("{begin}info_hash=")), "{made}");
            let query = parse_announce(made.split_once('?').unwrap().1.as_bytes()).unwrap();
            assert_eq!(query.announce, sample(), "{made}");
        }
    }

    #[test]
    fn urls_that_set_our_keys_are_refused() {
        for url in
            ["http://t/a?info_hash=x", "http://t/?a=b&EVENT=stopped", "http://t/?%69p=1", "http://t/?port"]
        {
            assert_eq!(announce_url(url, &sample()), Err(UrlError::ClientKey), "{url}");
        }
        for url in ["", "ftp://t/announce", "file:///etc/passwd", "http:/t", "é"] {
            assert_eq!(announce_url(url, &sample()), Err(UrlError::Scheme), "{url}");
        }
    }

    #[test]
    fn the_scrape_address_follows_from_the_name() {
        let hashes = [InfoHashes::from_v1([b'a'; 20]), InfoHashes::from_v1([b'b'; 20])];
        let of = |url| scrape_url(url, &hashes);
        let tail = format!("info_hash={}&info_hash={}", "a".repeat(20), "b".repeat(20));
        assert_eq!(of("http://t/announce").unwrap(), format!("http://t/scrape?{tail}"));
        assert_eq!(
            of("http://t/x/announce.php?k=a/b").unwrap(),
            format!("http://t/x/scrape.php?k=a/b&{tail}")
        );
        for url in ["http://t/a", "http://t/announce/x", "http://t/x?announce=1", "announce"] {
            assert_eq!(of(url), Err(UrlError::NoScrape), "{url}");
        }
        assert_eq!(of("udp://t/announce"), Err(UrlError::Scheme));
    }

    #[test]
    fn what_is_no_announce_is_refused() {
        let good = announce_url("http://t/a", &sample()).unwrap();
        let good = good.split_once('?').unwrap().1;
        assert!(parse_announce(good.as_bytes()).is_ok());
        let without =
            |key: &str| good.split('&').filter(|p| !p.starts_with(key)).collect::<Vec<_>>().join("&");
        let of = |query: &str| parse_announce(query.as_bytes()).unwrap_err();
        assert_eq!(of(""), QueryError::Missing("port"));
        assert_eq!(of(&without("info_hash")), QueryError::Missing("info_hash"));
        assert_eq!(of(&without("peer_id")), QueryError::Missing("peer_id"));
        assert_eq!(of(&good.replace("%00", "")), QueryError::Bad("info_hash"));
        for (from, to) in [("port=51413", "port=0"), ("port=51413", "port=65536"), ("port=51413", "port=x")] {
            assert_eq!(of(&good.replace(from, to)), QueryError::Bad("port"));
        }
        assert_eq!(of(&good.replace("left=3", "left=-3")), QueryError::Bad("left"));
        assert_eq!(of(&good.replace("started", "paused")), QueryError::Bad("event"));
        let minimal = format!(
            "info_hash={}&peer_id={}&port=1&compact=0&numwant=-1&key=xyz",
            "a".repeat(20),
            "b".repeat(20)
        );
        let read = parse_announce(minimal.as_bytes()).unwrap();
        assert_eq!(
            (read.compact, read.announce.numwant, read.announce.key, read.announce.left),
            (false, None, 0, 0)
        );
    }

    #[test]
    fn a_scrape_names_its_torrents() {
        let hashes: Vec<_> = (0..MAX_SCRAPED as u8 + 9).map(|n| InfoHashes::from_v1([n; 20])).collect();
        let url = scrape_url("http://t/announce", &hashes).unwrap();
        assert_eq!(parse_scrape(url.split_once('?').unwrap().1.as_bytes()).unwrap(), hashes[..MAX_SCRAPED]);
        assert_eq!(parse_scrape(b""), Ok(vec![]));
        assert_eq!(parse_scrape(b"info_hash=short"), Err(QueryError::Bad("info_hash")));
    }

    proptest! {
        #[test]
        fn an_announce_is_read_back(
            hash in any::<[u8; 20]>(), id in any::<[u8; 20]>(), port in 1_u16.., amounts in any::<[u32; 3]>(), key: u32,
            numwant in prop::option::of(any::<u32>()), ip in prop::option::of(any::<IpAddr>()),
            tracker_id in prop::option::of(prop::collection::vec(any::<u8>(), 0..30)), event in 0_usize..4,
        ) {
            use AnnounceEvent::{Completed, None, Started, Stopped};
            let [uploaded, downloaded, left] = amounts.map(u64::from);
            let announce = Announce {
                info_hash: InfoHashes::from_v1(hash), peer_id: PeerId(id), port, uploaded, downloaded, left, key, numwant,
                ip, tracker_id, event: [None, Started, Completed, Stopped][event],
            };
            let url = announce_url("http://t/announce?pass=x", &announce).unwrap();
            let read = parse_announce(url.split_once('?').unwrap().1.as_bytes());
            prop_assert_eq!(read, Ok(AnnounceQuery { announce, compact: true }));
        }

        #[test]
        fn noise_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,40}") {
            let _ = parse_announce(&bytes);
            let _ = parse_scrape(&bytes);
            let _ = announce_url(&text, &sample());
            let _ = scrape_url(&format!("http://t/announce{text}"), &[]);
        }
    }
}
