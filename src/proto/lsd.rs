//! Local Service Discovery (BEP 14): the multicast datagrams by which clients announce their torrents on the
//! local network.

use std::fmt::Write as _;
use std::net::SocketAddr;

use crate::base::InfoHashes;

/// The longest datagram that is sent, in bytes; it fits into one packet on nearly every network.
pub const MAX_WRITTEN_LEN: usize = 1400;
/// The longest datagram that is read, in bytes.
pub const MAX_READ_LEN: usize = 4096;
/// The most torrents that are announced in one datagram.
pub const MAX_WRITTEN: usize = 25;
/// The most torrents that are read from one datagram.
pub const MAX_READ: usize = 100;
/// The longest cookie that is read, in bytes.
const MAX_COOKIE_LEN: usize = 64;

/// An announcement (`BT-SEARCH`): the sender has these torrents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Search {
    /// The TCP port on which the sender accepts peers; its address is that of the datagram.
    pub port: u16,
    /// The info-hashes in the form that handshakes use: at least one, none twice.
    pub torrents: Vec<[u8; 20]>,
    /// An opaque value by which the sender recognises its own datagrams.
    pub cookie: Option<Vec<u8>>,
}

/// Reasons why a datagram is not an announcement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SearchError {
    /// The datagram is not a `BT-SEARCH` message, or longer than [`MAX_READ_LEN`].
    #[error("not a search")]
    NotASearch,
    /// The port is missing or 0.
    #[error("no port")]
    Port,
    /// No valid info-hash is present.
    #[error("no torrent")]
    Torrents,
}

/// Decodes a datagram. Headers may come in any order and case, and lines may end without a carriage return.
/// Unknown headers are ignored; of a repeated one the first counts, but every `Infohash` is read.
pub fn read(datagram: &[u8]) -> Result<Search, SearchError> {
    if datagram.len() > MAX_READ_LEN {
        return Err(SearchError::NotASearch);
    }
    let mut lines =
        datagram.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let begins = first.split_at_checked(10).is_some_and(|(verb, rest)| {
        verb.eq_ignore_ascii_case(b"BT-SEARCH ") && rest.to_ascii_uppercase().ends_with(b" HTTP/1.1")
    });
    if !begins {
        return Err(SearchError::NotASearch);
    }
    let (mut port, mut torrents, mut cookie) = (None, Vec::new(), None);
    for line in lines.take_while(|line| !line.is_empty()) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"port") {
            port = port.or_else(|| digits(value));
        } else if name.eq_ignore_ascii_case(b"infohash") {
            let torrent = info_hash(value).filter(|torrent| !torrents.contains(torrent));
            torrents.extend(torrent.filter(|_| torrents.len() < MAX_READ));
        } else if name.eq_ignore_ascii_case(b"cookie") && value.len() <= MAX_COOKIE_LEN {
            cookie = cookie.or_else(|| Some(value.to_vec()));
        }
    }
    let port = port.filter(|&port| port != 0).ok_or(SearchError::Port)?;
    if torrents.is_empty() {
        return Err(SearchError::Torrents);
    }
    Ok(Search { port, torrents, cookie })
}

/// Returns the datagrams that announce `torrents` to a multicast group, `each` (1 to [`MAX_WRITTEN`]) in one
/// datagram.
pub fn write(group: SocketAddr, port: u16, cookie: u32, torrents: &[[u8; 20]], each: usize) -> Vec<Vec<u8>> {
    let datagram = |torrents: &[[u8; 20]]| {
        let mut text = format!("BT-SEARCH * HTTP/1.1\r\nHost: {group}\r\nPort: {port}\r\n");
        for &torrent in torrents {
            let _ = write!(text, "Infohash: {}\r\n", InfoHashes::from_v1(torrent));
        }
        let _ = write!(text, "cookie: {}\r\n\r\n\r\n", cookie_text(cookie));
        text.into_bytes()
    };
    torrents.chunks(each.clamp(1, MAX_WRITTEN)).map(datagram).collect()
}

/// Returns one of our own cookies as it is written in a datagram.
pub fn cookie_text(cookie: u32) -> String {
    format!("{cookie:08x}")
}

fn digits(value: &[u8]) -> Option<u16> {
    let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| digits)?.parse().ok()
}

fn info_hash(value: &[u8]) -> Option<[u8; 20]> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() == 40)?;
    text.parse().ok().map(|hash: InfoHashes| hash.wire())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As libtorrent writes it.
    const OTHER: &str = "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 51413\r\n\
        Infohash: 0123456789abcdef0123456789ABCDEF01234567\r\ncookie: 1b2c3d4\r\n\r\n\r\n";

    fn group() -> SocketAddr {
        "239.192.152.143:6771".parse().unwrap()
    }

    #[test]
    fn the_words_of_others_are_understood() {
        let search = read(OTHER.as_bytes()).unwrap();
        assert_eq!((search.port, search.torrents.len()), (51413, 1));
        assert_eq!((search.torrents[0][0], search.cookie), (0x01, Some(b"1b2c3d4".to_vec())));
    }

    #[test]
    fn headers_may_come_in_any_order_and_case() {
        let text = format!(
            "bt-search * http/1.1\nX: y\nINFOHASH:{a}\ninfohash:  {b} \nInfohash: {a}\nInfohash: zz\nno colon\n\
             port:7\nPort: 8\n\nPort: 9",
            a = "a".repeat(40),
            b = "B".repeat(40)
        );
        let search = read(text.as_bytes()).unwrap();
        assert_eq!(search, Search { port: 7, torrents: vec![[0xaa; 20], [0xbb; 20]], cookie: None });
    }

    #[test]
    fn what_says_nothing_is_refused() {
        let changed = |from: &str, to: &str| read(OTHER.replace(from, to).as_bytes());
        for (from, to, why) in [
            ("BT-SEARCH", "M-SEARCH", SearchError::NotASearch),
            ("HTTP/1.1", "", SearchError::NotASearch),
            ("51413", "0", SearchError::Port),
            ("51413", "65536", SearchError::Port),
            ("51413", "+5", SearchError::Port),
            ("51413", "", SearchError::Port),
            ("Port", "Porto", SearchError::Port),
            ("Infohash: 01", "Infohash: ", SearchError::Torrents),
            ("Infohash: 01", "Infohash: +1", SearchError::Torrents),
        ] {
            assert_eq!(changed(from, to), Err(why), "{from} -> {to}");
        }
        assert_eq!(read(b""), Err(SearchError::NotASearch));
        let long = OTHER.replace("cookie", &format!("x: {}\r\ncookie", "y".repeat(MAX_READ_LEN)));
        assert_eq!(read(long.as_bytes()), Err(SearchError::NotASearch));
    }

    #[test]
    fn a_long_cookie_is_left_out() {
        let text = OTHER.replace("1b2c3d4", &"c".repeat(MAX_COOKIE_LEN + 1));
        assert_eq!(read(text.as_bytes()).unwrap().cookie, None);
    }

    #[test]
    fn ours_looks_as_the_document_has_it() {
        let group = "[ff15::efc0:988f]:6771".parse().unwrap();
        let written = write(group, 6881, 0xab, &[[0xcd; 20]], 1);
        let text = "BT-SEARCH * HTTP/1.1\r\nHost: [ff15::efc0:988f]:6771\r\nPort: 6881\r\nInfohash: "
            .to_owned()
            + &"cd".repeat(20)
            + "\r\ncookie: 000000ab\r\n\r\n\r\n";
        assert_eq!(written, [text.into_bytes()]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_short_and_read_back(
            port in 1_u16..,
            cookie: u32,
            torrents in prop::collection::btree_set(any::<[u8; 20]>(), 1..80),
            each in 0_usize..40,
        ) {
            let torrents: Vec<[u8; 20]> = torrents.into_iter().collect();
            for group in [group(), "[ff15::efc0:988f]:6771".parse().unwrap()] {
                let mut read_back = Vec::new();
                for datagram in write(group, port, cookie, &torrents, each) {
                    prop_assert!(datagram.len() <= MAX_WRITTEN_LEN);
                    let search = read(&datagram).unwrap();
                    prop_assert_eq!((search.port, search.cookie), (port, Some(cookie_text(cookie).into_bytes())));
                    read_back.extend(search.torrents);
                }
                prop_assert_eq!(&read_back, &torrents);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = read(&bytes);
            let _ = read(&[b"BT-SEARCH * HTTP/1.1\r\n", &*bytes].concat());
        }

        #[test]
        fn what_is_read_keeps_to_its_bounds(
            at in 0..OTHER.len(),
            with in prop::collection::vec(any::<u8>(), 0..20),
            again in 0_usize..90,
        ) {
            let mut bytes = OTHER.as_bytes()[..OTHER.len() - 4].to_vec();
            for n in 0..again {
                bytes.extend_from_slice(format!("Infohash: {n:040x}\r\n").as_bytes());
            }
            bytes.splice(at.min(bytes.len())..at.min(bytes.len()), with);
            if let Ok(search) = read(&bytes) {
                prop_assert!(search.port != 0 && (1..=MAX_READ).contains(&search.torrents.len()));
                prop_assert!(search.cookie.is_none_or(|cookie| cookie.len() <= MAX_COOKIE_LEN));
            }
        }
    }
}
