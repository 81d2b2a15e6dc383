//! Replies of HTTP trackers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use crate::base::{InfoHashes, Untrusted};
use crate::proto::announce::{
    AnnounceReply, Refusal, Retry, ScrapeCounts, ScrapeReply, clamp_interval, count, is_dialable, text,
};
use crate::proto::bencode::{BencodeError, Limits, Tree, Value, dict};

/// The most peers that are read from one reply.
pub const MAX_PEERS: usize = 3000;
/// The longest tracker id that is sent back, in bytes.
const MAX_TRACKER_ID: usize = 1024;

/// Reasons why a reply yields nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ReplyError {
    /// The reply is not bencode.
    #[error("the tracker's answer is not well-formed: {0}")]
    Bencode(#[from] BencodeError),
    /// The reply is not a dictionary, or a scrape without `files`.
    #[error("the tracker's answer is not of the expected kind")]
    Kind,
    /// The tracker refused the request.
    #[error("the tracker refused: {}", .0.reason)]
    Refused(Refusal),
}

/// Decodes the reply to an announce, at most 1 MiB. Values of the wrong type count as absent, and peers that
/// cannot be connected to are left out.
pub fn read_announce(body: &[u8]) -> Result<AnnounceReply, ReplyError> {
    let tree = Tree::parse(body, Limits::MESSAGE)?;
    let root = accepted(&tree)?;
    let int = |key: &str| root.get(key.as_bytes())?.int();
    let bytes = |key: &str| root.get(key.as_bytes())?.bytes();
    let mut peers = Vec::new();
    if let Some(value) = root.get(b"peers") {
        match value.bytes() {
            Some(compact) => peers.extend(compact_v4(compact).take(MAX_PEERS)),
            None => peers.extend(value.list().filter_map(|peer| long_form(&peer)).take(MAX_PEERS)),
        }
    }
    peers.extend(compact_v6(bytes("peers6").unwrap_or_default()).take(MAX_PEERS));
    peers.retain(is_dialable);
    peers.truncate(MAX_PEERS);
    let claimed_interval = int("interval");
    Ok(AnnounceReply {
        interval: clamp_interval(claimed_interval),
        claimed_interval,
        min_interval: int("min interval").map(|seconds| clamp_interval(Some(seconds))),
        peers,
        seeds: int("complete").and_then(count),
        leechers: int("incomplete").and_then(count),
        downloaded: int("downloaded").and_then(count),
        external_ip: bytes("external ip").and_then(address),
        warning: bytes("warning message").filter(|message| !message.is_empty()).map(text),
        tracker_id: bytes("tracker id").filter(|id| id.len() <= MAX_TRACKER_ID).map(<[u8]>::to_vec),
    })
}

/// Decodes the reply to a scrape, at most 1 MiB.
pub fn read_scrape(body: &[u8]) -> Result<ScrapeReply, ReplyError> {
    let tree = Tree::parse(body, Limits::MESSAGE)?;
    let root = accepted(&tree)?;
    let files = root.get(b"files").filter(Value::is_dict).ok_or(ReplyError::Kind)?;
    let torrents = files.dict().filter_map(|(key, value)| {
        let digest: [u8; 20] = key.try_into().ok()?;
        let number = |key: &str| value.get(key.as_bytes())?.int().and_then(count);
        let (seeds, downloaded, leechers) = (number("complete"), number("downloaded"), number("incomplete"));
        Some((InfoHashes::from_v1(digest), ScrapeCounts { seeds, downloaded, leechers }))
    });
    Ok(ScrapeReply { torrents: torrents.collect() })
}

/// Returns the dictionary of a reply, unless it is a refusal.
fn accepted<'a, 't>(tree: &'t Tree<'a>) -> Result<Value<'a, 't>, ReplyError> {
    let root = tree.root();
    if !root.is_dict() {
        return Err(ReplyError::Kind);
    }
    let Some(reason) = root.get(b"failure reason") else { return Ok(root) };
    let retry = root.get(b"retry in").and_then(|retry| match (retry.int(), retry.bytes()) {
        (Some(minutes @ 0..), _) => {
            let seconds = minutes.saturating_mul(60);
            Some(Retry::After(clamp_interval(Some(seconds))))
        }
        (_, Some(b"never")) => Some(Retry::Never),
        _ => None,
    });
    Err(ReplyError::Refused(Refusal { reason: text(reason.bytes().unwrap_or_default()), retry }))
}

/// Decodes a peer in dictionary form (BEP 3). Host names are not resolved.
fn long_form(peer: &Value) -> Option<SocketAddr> {
    let host = std::str::from_utf8(peer.get(b"ip")?.bytes()?).ok()?;
    let port = u16::try_from(peer.get(b"port")?.int()?).ok()?;
    Some(SocketAddr::new(host.parse::<IpAddr>().ok()?.to_canonical(), port))
}

/// Decodes peers of six bytes each (BEP 23); an incomplete one at the end is ignored.
pub(in crate::proto) fn compact_v4(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> {
    bytes.as_chunks::<6>().0.iter().map(|&[a, b, c, d, high, low]| {
        SocketAddr::new(Ipv4Addr::new(a, b, c, d).into(), u16::from_be_bytes([high, low]))
    })
}

/// Decodes peers of eighteen bytes each (BEP 7); an incomplete one at the end is ignored.
pub(in crate::proto) fn compact_v6(bytes: &[u8]) -> impl Iterator<Item = SocketAddr> {
    bytes.as_chunks::<18>().0.iter().map(|chunk| {
        let mut ip = [0; 16];
        ip.copy_from_slice(&chunk[..16]);
        let port = u16::from_be_bytes([chunk[16], chunk[17]]);
        SocketAddr::new(IpAddr::from(Ipv6Addr::from(ip)).to_canonical(), port)
    })
}

/// Decodes an address of 4 or 16 bytes (BEP 24).
fn address(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(v4.into());
    }
    <[u8; 16]>::try_from(bytes).ok().map(|v6| IpAddr::from(v6).to_canonical())
}

/// Returns the reply to an announce, with its peers in compact form (BEP 23, 7) or as dictionaries (BEP 3).
pub fn write_announce(reply: &AnnounceReply, compact: bool) -> Vec<u8> {
    let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    dict(|out| {
        out.int("interval", seconds(reply.interval));
        if let Some(time) = reply.min_interval {
            out.int("min interval", seconds(time));
        }
        let counts =
            [("complete", reply.seeds), ("incomplete", reply.leechers), ("downloaded", reply.downloaded)];
        for (key, number) in counts {
            if let Some(number) = number {
                out.int(key, i64::from(number));
            }
        }
        if compact {
            let (mut v4, mut v6) = (Vec::new(), Vec::new());
            for peer in &reply.peers {
                put_compact(*peer, if peer.is_ipv4() { &mut v4 } else { &mut v6 });
            }
            out.bytes("peers", v4);
            if !v6.is_empty() {
                out.bytes("peers6", v6);
            }
        } else {
            out.list("peers", |list| {
                for peer in &reply.peers {
                    list.dict(|entry| {
                        entry.bytes("ip", peer.ip().to_string()).int("port", i64::from(peer.port()));
                    });
                }
            });
        }
        match reply.external_ip {
            Some(IpAddr::V4(ip)) => {
                out.bytes("external ip", ip.octets());
            }
            Some(IpAddr::V6(ip)) => {
                out.bytes("external ip", ip.octets());
            }
            None => {}
        }
        if let Some(warning) = &reply.warning {
            out.bytes("warning message", warning.raw());
        }
        if let Some(id) = &reply.tracker_id {
            out.bytes("tracker id", id);
        }
    })
}

/// Appends an address and port as 6 or 18 bytes.
pub(in crate::proto) fn put_compact(peer: SocketAddr, out: &mut Vec<u8>) {
    match peer.ip() {
        IpAddr::V4(ip) => out.extend(ip.octets()),
        IpAddr::V6(ip) => out.extend(ip.octets()),
    }
    out.extend(peer.port().to_be_bytes());
}

/// Returns the reply that refuses a request (BEP 3, BEP 31).
pub fn write_failure(refusal: &Refusal) -> Vec<u8> {
    dict(|out| {
        out.bytes("failure reason", refusal.reason.raw());
        match refusal.retry {
            Some(Retry::After(time)) => {
                out.int("retry in", time.as_secs().div_ceil(60) as i64);
            }
            Some(Retry::Never) => {
                out.bytes("retry in", "never");
            }
            None => {}
        }
    })
}

/// Returns the reply to a scrape (BEP 48).
pub fn write_scrape(reply: &ScrapeReply) -> Vec<u8> {
    dict(|out| {
        out.dict("files", |files| {
            for (torrent, counts) in &reply.torrents {
                files.dict(torrent.wire(), |entry| {
                    for (key, number) in [
                        ("complete", counts.seeds),
                        ("downloaded", counts.downloaded),
                        ("incomplete", counts.leechers),
                    ] {
                        entry.int(key, i64::from(number.unwrap_or(0)));
                    }
                });
            }
        });
    })
}

/// A refusal with one of torr's own reasons.
impl From<&str> for Refusal {
    fn from(reason: &str) -> Self {
        Self { reason: Untrusted::new(reason), retry: None }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::proto::announce::{DEFAULT_INTERVAL, MAX_INTERVAL, MIN_INTERVAL};

    #[test]
    fn an_answer_is_read() {
        let body = b"d8:completei5e10:incompletei7e8:intervali1800e12:min intervali900e5:peers12:\x01\x02\x03\x04\x1a\xe1\
            \x05\x06\x07\x08\x00\x006:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe111:external ip4:\x09\x09\x09\x09\
            15:warning message4:slow10:tracker id2:ide";
        let reply = read_announce(body).unwrap();
        assert_eq!(reply.peers, ["1.2.3.4:6881".parse().unwrap(), "[2001:db8::1]:6881".parse().unwrap()]);
        assert_eq!((reply.seeds, reply.leechers, reply.downloaded), (Some(5), Some(7), None));
        assert_eq!((reply.interval.as_secs(), reply.min_interval.unwrap().as_secs()), (1800, 900));
        assert_eq!(reply.external_ip, Some("9.9.9.9".parse().unwrap()));
        assert_eq!((reply.warning, reply.tracker_id), (Some("slow".into()), Some(b"id".to_vec())));
    }

    #[test]
    fn the_long_form_is_read() {
        let body = b"d5:peersld2:ip7:1.2.3.47:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti1eed2:ip3:::14:porti2ee\
            d2:ip11:example.org4:porti3eed2:ip7:1.2.3.44:porti65536eed2:ip7:1.2.3.4ei5ed2:ip7:1.2.3.44:porti0eeee";
        let peers = read_announce(body).unwrap().peers;
        assert_eq!(peers, ["1.2.3.4:1".parse().unwrap(), "[::1]:2".parse().unwrap()]);
    }

    #[test]
    fn odd_answers_are_tamed() {
        let of = |body: &str| read_announce(body.as_bytes()).unwrap();
        assert_eq!(of("de"), AnnounceReply { interval: DEFAULT_INTERVAL, ..AnnounceReply::default() });
        assert_eq!(of("d8:intervali0ee").interval, MIN_INTERVAL);
        assert_eq!(of("d8:intervali2147483648ee").interval, MAX_INTERVAL);
        assert_eq!(
            (of("d8:intervali-1ee").interval, of("d8:intervali-1ee").claimed_interval),
            (MIN_INTERVAL, Some(-1))
        );
        assert_eq!(of("d8:interval4:sooNe").interval, DEFAULT_INTERVAL);
        assert_eq!(of("d8:completei-1e10:incompletei99999999999ee").seeds, None);
        assert_eq!(of("d5:peers5:abcdee").peers, []);
        assert_eq!(of("d5:peersi5ee").peers, []);
        assert_eq!(of("d11:external ip3:abce").external_ip, None);
        let many = [b"d5:peers60000:".as_slice(), &[1].repeat(60_000), b"e"].concat();
        assert_eq!(read_announce(&many).unwrap().peers.len(), MAX_PEERS);
        assert_eq!(read_announce(b"le"), Err(ReplyError::Kind));
        assert!(matches!(read_announce(b"<html>"), Err(ReplyError::Bencode(_))));
        assert!(matches!(read_announce(&b"l".repeat(100_000)), Err(ReplyError::Bencode(_))));
    }

    #[test]
    fn a_refusal_is_kept_short() {
        let of = |tail: &str| {
            let body = format!("d14:failure reason1000000:{}{tail}e", "\u{1b}".repeat(1_000_000));
            match read_announce(body.as_bytes()) {
                Err(ReplyError::Refused(refusal)) => refusal,
                other => panic!("{other:?}"),
            }
        };
        let minutes = |n: u64| Some(Retry::After(Duration::from_secs(n * 60)));
        assert_eq!(of("").reason.raw().len(), 200);
        assert_eq!(of("8:retry ini5e").retry, minutes(5));
        assert_eq!(of("8:retry in5:never").retry, Some(Retry::Never));
        assert_eq!([of("8:retry ini-5e").retry, of("8:retry in1:x").retry], [None, None]);
        assert_eq!(of("8:retry ini9223372036854775807e").retry, Some(Retry::After(MAX_INTERVAL)));
        assert!(matches!(read_scrape(b"d14:failure reasoni5ee"), Err(ReplyError::Refused(_))));
    }

    #[test]
    fn a_scrape_is_read() {
        let body = b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei5e10:downloadedi-1ee5:shortdeee";
        let counts = ScrapeCounts { seeds: Some(5), downloaded: None, leechers: None };
        assert_eq!(read_scrape(body).unwrap().torrents, [(InfoHashes::from_v1([b'a'; 20]), counts)]);
        assert_eq!(read_scrape(b"de"), Err(ReplyError::Kind));
    }

    proptest! {
        #[test]
        fn an_answer_is_read_back(
            peers in prop::collection::vec(any::<SocketAddr>(), 0..20), counts in any::<[Option<u16>; 3]>(), ip: Option<IpAddr>,
            interval in 60_u64..86_400, warning in prop::option::of("[a-z]{1,20}"), tracker_id: Option<[u8; 5]>, compact: bool,
        ) {
            let plain = |peer: SocketAddr| SocketAddr::new(peer.ip().to_canonical(), peer.port());
            let peers: Vec<_> = peers.into_iter().map(plain).filter(is_dialable).collect();
            let (v4, v6): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.is_ipv4());
            let [seeds, leechers, downloaded] = counts.map(|n| n.map(u32::from));
            let reply = AnnounceReply {
                interval: Duration::from_secs(interval), claimed_interval: Some(interval as i64), min_interval: None,
                peers: [v4, v6].concat(), seeds, leechers, downloaded, external_ip: ip.map(|ip| ip.to_canonical()),
                warning: warning.map(Untrusted::new), tracker_id: tracker_id.map(|id| id.to_vec()),
            };
            prop_assert_eq!(read_announce(&write_announce(&reply, compact)), Ok(reply));
        }

        #[test]
        fn a_refusal_and_a_scrape_are_read_back(reason in "[a-zé]{0,50}", minutes in 1_u64..100, hash: [u8; 20], counts: [u16; 3]) {
            let refusal = Refusal { reason: reason.into(), retry: Some(Retry::After(Duration::from_secs(minutes * 60))) };
            prop_assert_eq!(read_announce(&write_failure(&refusal)), Err(ReplyError::Refused(refusal)));
            let [seeds, downloaded, leechers] = counts.map(|n| Some(u32::from(n)));
            let torrents = vec![(InfoHashes::from_v1(hash), ScrapeCounts { seeds, downloaded, leechers })];
            let reply = ScrapeReply { torrents };
            prop_assert_eq!(read_scrape(&write_scrape(&reply)), Ok(reply));
        }

        #[test]
        fn a_changed_answer_is_read_or_refused(at: prop::sample::Index, byte: u8, noise in prop::collection::vec(any::<u8>(), 0..99)) {
            let mut body = b"d8:completei5e8:intervali1800e5:peers6:abcdef6:peers618:abcdefghijklmnopqr8:retry ini5ee".to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            for bytes in [&body, &noise] {
                let _ = read_announce(bytes);
                let _ = read_scrape(bytes);
            }
        }
    }
}
