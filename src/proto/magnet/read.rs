//! Magnet links from strangers.
//!
//! What names the torrent is read strictly: a link that is damaged there would lead to another torrent or
//! to none. All else is help on the way, and what of it cannot be used is passed over and counted.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::Magnet;
use crate::base::{InfoHash, Sha1Digest, Sha256Digest, Untrusted, units};
use crate::proto::percent;

/// The longest link, in bytes.
const MOST_BYTES: usize = 64 * 1024;
/// The most trackers, web seeds, peers and ranges of files that are kept, of each.
const MOST_KEPT: usize = 200;
/// The longest name of a host (RFC 1035).
const MOST_HOST: usize = 253;

/// Why a text is no link to a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MagnetError {
    /// It does not begin as one.
    #[error("a magnet link begins with magnet:?")]
    NoMagnet,
    /// It is longer than anyone needs.
    #[error("the magnet link is longer than 64 KiB")]
    TooLong,
    /// A `%` without two hexadecimal digits: the link was damaged on its way.
    #[error("at byte {at} of the magnet link: % must be followed by two hexadecimal digits")]
    Percent {
        /// The offset of the `%`.
        at: usize,
    },
    /// No info-hash: it is a link to something else, or it is cut off.
    #[error("the magnet link names no torrent: it has no xt=urn:btih: or xt=urn:btmh:")]
    NoHash,
    /// An info-hash of v1 that is none.
    #[error("the info hash after urn:btih: must have 40 hexadecimal digits or 32 of base32")]
    BadV1,
    /// An info-hash of v2 that is none, or made with another function than SHA-256.
    #[error("the info hash after urn:btmh: must be 1220 and 64 hexadecimal digits")]
    BadV2,
    /// Two different info-hashes of the same version.
    #[error("the magnet link names two different torrents")]
    TwoTorrents,
}

/// Something that was passed over in a link that can be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MagnetNote {
    /// So many trackers that are not http, https or udp, or beyond the first 200.
    Trackers(usize),
    /// So many web seeds that are not http or https, or beyond the first 200.
    WebSeeds(usize),
    /// So many peers whose address is none, or beyond the first 200.
    Peers(usize),
    /// A choice of files that cannot be read.
    Select,
}

impl fmt::Display for MagnetNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |n: usize, one, more| units::plural(n as u64, one, more);
        match *self {
            Self::Trackers(n) => write!(f, "{} left out", many(n, "tracker", "trackers")),
            Self::WebSeeds(n) => write!(f, "{} left out", many(n, "web seed", "web seeds")),
            Self::Peers(n) => write!(f, "{} left out", many(n, "peer", "peers")),
            Self::Select => f.write_str("the choice of files (so=) cannot be read and is left out"),
        }
    }
}

/// Reads a link.
pub(super) fn read(link: &str) -> Result<(Magnet, Vec<MagnetNote>), MagnetError> {
    let link = link.trim();
    if link.len() > MOST_BYTES {
        return Err(MagnetError::TooLong);
    }
    let begin = link.get(..8).filter(|begin| begin.eq_ignore_ascii_case("magnet:?"));
    let query = &link[begin.ok_or(MagnetError::NoMagnet)?.len()..];
    let mut reading = Reading::default();
    let mut end = link.len() - query.len();
    for part in query.split('&') {
        end += part.len();
        // Links are often copied out of web pages with their & still escaped.
        let part = part.strip_prefix("amp;").unwrap_or(part);
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        reading.take(key, &decode(value, end - value.len())?, value)?;
        end += 1;
    }
    reading.finish()
}

/// The bytes a value stands for.
fn decode(value: &str, at: usize) -> Result<Vec<u8>, MagnetError> {
    let bytes = value.as_bytes();
    let digit = |n: usize| bytes.get(n).is_some_and(u8::is_ascii_hexdigit);
    let broken = (0..bytes.len()).find(|&n| bytes[n] == b'%' && !(digit(n + 1) && digit(n + 2)));
    match broken {
        Some(n) => Err(MagnetError::Percent { at: at + n }),
        None => Ok(percent::decode(bytes)),
    }
}

#[derive(Default)]
struct Reading {
    v1: Option<Sha1Digest>,
    v2: Option<Sha256Digest>,
    name: Option<Untrusted>,
    trackers: Kept<Untrusted>,
    web_seeds: Kept<Untrusted>,
    peers: Kept<SocketAddr>,
    named_peers: Kept<(Untrusted, u16)>,
    select: Vec<RangeInclusive<u32>>,
    bad_select: bool,
}

/// A list that does not grow for ever, and how many did not get into it.
struct Kept<T> {
    list: Vec<T>,
    left_out: usize,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { list: Vec::new(), left_out: 0 }
    }
}

impl<T: PartialEq> Kept<T> {
    fn add(&mut self, item: Option<T>) {
        match item {
            Some(item) if self.list.contains(&item) => {}
            Some(item) if self.list.len() < MOST_KEPT => self.list.push(item),
            _ => self.left_out += 1,
        }
    }
}

impl Reading {
    fn take(&mut self, key: &str, bytes: &[u8], raw: &str) -> Result<(), MagnetError> {
        let text = String::from_utf8_lossy(bytes);
        // Several of a kind may be numbered: tr.1, tr.2.
        let (stem, number) = key.split_once('.').unwrap_or((key, ""));
        let stem = if number.bytes().all(|b| b.is_ascii_digit()) { stem } else { key };
        match stem.to_ascii_lowercase().as_str() {
            "xt" => self.topic(&text)?,
            "dn" if self.name.is_none() && !bytes.is_empty() => {
                // In names, and there alone, + is how forms write a blank.
                let spaced: Cow<'_, str> =
                    if raw.contains('+') { raw.replace('+', "%20").into() } else { raw.into() };
                self.name = Some(Untrusted::from_bytes(&percent::decode(spaced.as_bytes())));
            }
            "tr" => self.trackers.add(url(&text, &["http://", "https://", "udp://"])),
            "ws" => self.web_seeds.add(url(&text, &["http://", "https://"])),
            "x.pe" => self.peer(&text),
            "so" => match ranges(&text) {
                Some(ranges) if self.select.len() + ranges.len() <= MOST_KEPT => self.select.extend(ranges),
                _ => self.bad_select = true,
            },
            _ => {}
        }
        Ok(())
    }

    fn topic(&mut self, urn: &str) -> Result<(), MagnetError> {
        let after = |prefix: &str| {
            let begin = urn.get(..prefix.len())?;
            begin.eq_ignore_ascii_case(prefix).then(|| &urn[prefix.len()..])
        };
        if let Some(hash) = after("urn:btih:") {
            let digest = v1(hash).ok_or(MagnetError::BadV1)?;
            one(&mut self.v1, digest)?;
        } else if let Some(hash) = after("urn:btmh:") {
            let digest = hash.strip_prefix("1220").and_then(|hex| hex.parse::<InfoHash>().ok()?.sha256());
            one(&mut self.v2, digest.ok_or(MagnetError::BadV2)?)?;
        }
        Ok(())
    }

    fn peer(&mut self, text: &str) {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            let good = addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast();
            self.peers.add(good.then(|| super::global(addr)));
            return;
        }
        let named = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|&port| port != 0)?;
            let letter = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            let known = !host.is_empty()
                && host.len() <= MOST_HOST
                && host.bytes().all(letter)
                && host.bytes().any(|b| b.is_ascii_alphabetic());
            known.then(|| (Untrusted::new(host), port))
        });
        self.named_peers.add(named);
    }

    fn finish(self) -> Result<(Magnet, Vec<MagnetNote>), MagnetError> {
        let info_hash = match (self.v1, self.v2) {
            (Some(v1), Some(v2)) => InfoHash::hybrid(v1, v2),
            (Some(v1), None) => InfoHash::v1(v1),
            (None, Some(v2)) => InfoHash::v2(v2),
            (None, None) => return Err(MagnetError::NoHash),
        };
        let counted = [
            (self.trackers.left_out, MagnetNote::Trackers as fn(usize) -> MagnetNote),
            (self.web_seeds.left_out, MagnetNote::WebSeeds),
            (self.peers.left_out + self.named_peers.left_out, MagnetNote::Peers),
        ];
        let mut notes: Vec<MagnetNote> =
            counted.iter().filter(|(n, _)| *n > 0).map(|(n, note)| note(*n)).collect();
        if self.bad_select {
            notes.push(MagnetNote::Select);
        }
        let magnet = Magnet {
            info_hash,
            name: self.name,
            trackers: self.trackers.list,
            web_seeds: self.web_seeds.list,
            peers: self.peers.list,
            named_peers: self.named_peers.list,
            // Half a choice would be another choice.
            select: if self.bad_select { Vec::new() } else { self.select },
        };
        Ok((magnet, notes))
    }
}

fn one<T: PartialEq>(slot: &mut Option<T>, value: T) -> Result<(), MagnetError> {
    match slot {
        Some(there) if *there != value => Err(MagnetError::TwoTorrents),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

/// The v1 digest: 40 hexadecimal digits, or 32 of base32 (RFC 4648) as older links have it.
fn v1(text: &str) -> Option<Sha1Digest> {
    if text.len() != 32 {
        return text.parse::<InfoHash>().ok()?.sha1();
    }
    let mut digest = [0; 20];
    let (mut bits, mut held, mut at) = (0_u32, 0, 0);
    for letter in text.bytes() {
        let value = match letter.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => letter - b'a',
            letter @ b'2'..=b'7' => letter - b'2' + 26,
            _ => return None,
        };
        bits = (bits << 5) | u32::from(value);
        held += 5;
        if held >= 8 {
            held -= 8;
            digest[at] = (bits >> held) as u8;
            at += 1;
        }
    }
    Some(digest)
}

/// An address of one of these schemes that names a host.
fn url(text: &str, schemes: &[&str]) -> Option<Untrusted> {
    let text = text.trim();
    let scheme = schemes
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme)))?;
    let host = text[scheme.len()..].split(['/', '?', '#']).next().unwrap_or_default();
    let good =
        !host.is_empty() && !text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\u{fffd}');
    good.then(|| Untrusted::new(text))
}

/// `0,2,4-6` (BEP 53).
fn ranges(text: &str) -> Option<Vec<RangeInclusive<u32>>> {
    let number = |text: &str| -> Option<u32> {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        (from <= to).then_some(from..=to)
    };
    text.split(',').map(range).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa";

    fn of(rest: &str) -> (Magnet, Vec<MagnetNote>) {
        read(&format!("magnet:?xt=urn:btih:{HEX}{rest}")).unwrap()
    }

    fn refused(link: &str) -> MagnetError {
        read(link).unwrap_err()
    }

    #[test]
    fn a_hash_is_read_however_it_is_written() {
        let wanted = Magnet::new(HEX.parse().unwrap());
        let upper = HEX.to_uppercase();
        // The same twenty bytes in base32.
        let base32 = "T4WEDUFHYPZ7PPSC27D6HNORUC2OBQNK";
        for link in [
            format!("magnet:?xt=urn:btih:{HEX}"),
            format!(" MAGNET:?XT=urn:BTIH:{upper}\n"),
            format!("magnet:?xt=urn:btih:{base32}"),
            format!("magnet:?xt=urn:btih:{}", base32.to_lowercase()),
            format!("magnet:?xt=urn%3Abtih%3A{HEX}"),
            format!("magnet:?xt.1=urn:btih:{HEX}&xt.2=urn:btih:{HEX}"),
            format!("magnet:?xt=urn:ed2k:31D6CFE0D16AE931B73C59D7E0C089C0&xt=urn:btih:{HEX}"),
            format!("magnet:?&&x&kt=a+b&xt=urn:btih:{HEX}&"),
        ] {
            assert_eq!(Magnet::parse(&link), Ok(wanted.clone()), "{link}");
        }
        let v2 = "ab".repeat(32);
        let both = read(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btmh:1220{v2}")).unwrap().0;
        assert!(both.info_hash.sha1().is_some() && both.info_hash.sha256() == Some([0xab; 32]));
        assert_eq!(
            Magnet::parse(&format!("magnet:?xt=urn:btmh:1220{v2}")).unwrap().info_hash,
            InfoHash::v2([0xab; 32])
        );
    }

    #[test]
    fn what_is_no_link_is_refused_by_name() {
        for text in ["", "magnet:", "magnet:x", "http://x", "magnét:?xt", "éééé"] {
            assert_eq!(refused(text), MagnetError::NoMagnet, "{text}");
        }
        for text in ["magnet:?", "magnet:?dn=x", "magnet:?xt=urn:sha1:x", "magnet:?xt=btih:x"] {
            assert_eq!(refused(text), MagnetError::NoHash, "{text}");
        }
        for hash in ["", "x", &HEX[1..], &"1".repeat(32), &"g".repeat(40), &"ab".repeat(32)] {
            assert_eq!(refused(&format!("magnet:?xt=urn:btih:{hash}")), MagnetError::BadV1, "{hash}");
        }
        for hash in ["", "1220", &format!("1114{HEX}"), &"ab".repeat(34)] {
            assert_eq!(refused(&format!("magnet:?xt=urn:btmh:{hash}")), MagnetError::BadV2, "{hash}");
        }
        let other = "ab".repeat(20);
        assert_eq!(
            refused(&format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{other}")),
            MagnetError::TwoTorrents
        );
        assert_eq!(refused(&format!("magnet:?xt=urn:btih:{HEX}&dn=100%")), MagnetError::Percent { at: 67 });
        assert_eq!(refused("magnet:?dn=%zz"), MagnetError::Percent { at: 11 });
        assert_eq!(
            refused(&format!("magnet:?xt=urn:btih:{HEX}&dn={}", "x".repeat(1 << 16))),
            MagnetError::TooLong
        );
    }

    #[test]
    fn names_and_addresses_are_read() {
        let (magnet, notes) =
            of("&dn=a+b%2Bc&amp;tr=udp%3A%2F%2Ft%3A1&tr.2=http://u/a+b&tr=udp://t:1&ws=https://w/\
             &x.pe=1.2.3.4:5&x.pe=[::1]:6&x.pe=peer.example:7&so=0,4-6,2");
        assert_eq!(magnet.name, Some("a b+c".into()));
        assert_eq!(magnet.trackers, ["udp://t:1".into(), "http://u/a+b".into()]);
        assert_eq!(magnet.web_seeds, ["https://w/".into()]);
        assert_eq!(magnet.peers, ["1.2.3.4:5".parse().unwrap(), "[::1]:6".parse().unwrap()]);
        assert_eq!(magnet.named_peers, [("peer.example".into(), 7)]);
        assert_eq!(magnet.select, [0..=0, 4..=6, 2..=2]);
        assert_eq!(notes, []);
    }

    #[test]
    fn what_cannot_be_used_is_passed_over() {
        let (magnet, notes) =
            of("&tr=file:///etc/passwd&tr=wss://t&tr=udp://&tr=http://a%0Ab&ws=udp://w&ws=file:///x\
             &x.pe=1.2.3.4&x.pe=1.2.3.4:0&x.pe=0.0.0.0:1&x.pe=a%20b:1&x.pe=:5&so=3-1");
        assert_eq!(magnet, Magnet::new(HEX.parse().unwrap()));
        let wanted =
            [MagnetNote::Trackers(4), MagnetNote::WebSeeds(2), MagnetNote::Peers(5), MagnetNote::Select];
        assert_eq!(notes, wanted);
        for bad in ["", "-", "1-", "+1", "1,,2", "99999999999", "x"] {
            assert!(of(&format!("&so=1&so={bad}")).0.select.is_empty(), "{bad}");
        }
        let many: Vec<String> =
            (0..1000).map(|n| format!("&tr=udp://t:{n}&x.pe=1.1.1.1:{}", n + 1)).collect();
        let (magnet, notes) = of(&many.concat());
        assert_eq!((magnet.trackers.len(), magnet.peers.len()), (200, 200));
        assert_eq!(notes, [MagnetNote::Trackers(800), MagnetNote::Peers(800)]);
    }

    fn hash() -> impl Strategy<Value = InfoHash> {
        let (v1, v2) = (any::<[u8; 20]>(), any::<[u8; 32]>());
        (v1, v2, 0..3).prop_map(|(v1, v2, kind)| match kind {
            0 => InfoHash::v1(v1),
            1 => InfoHash::v2(v2),
            _ => InfoHash::hybrid(v1, v2),
        })
    }

    prop_compose! {
        fn magnet()(
            info_hash in hash(),
            name in prop::option::of("[^\u{0}]{1,12}".prop_map(Untrusted::new)),
            trackers in prop::collection::btree_set("(udp|http|https)://[a-z0-9:.]{1,9}(/[a-zA-Z0-9?&+%=é]{0,9})?", 0..4),
            web_seeds in prop::collection::btree_set("https?://[a-z]{1,9}/[a-z &]{0,4}[a-z]", 0..3),
            peers in prop::collection::btree_set((any::<std::net::IpAddr>(), 1_u16..), 0..4),
            names in prop::collection::btree_set(("[a-z]{1,9}\\.[a-z]{2}", 1_u16..), 0..3),
            select in prop::collection::vec((0_u32..1000, 0_u32..1000), 0..4),
        ) -> Magnet {
            let texts = |set: std::collections::BTreeSet<String>| -> Vec<Untrusted> {
                set.into_iter().filter(|text| !text.contains(' ')).map(Untrusted::new).collect()
            };
            let usable = |ip: &std::net::IpAddr| !ip.is_unspecified() && !ip.is_multicast();
            Magnet {
                info_hash,
                name,
                trackers: texts(trackers),
                web_seeds: texts(web_seeds),
                peers: peers.into_iter().filter(|(ip, _)| usable(ip)).map(SocketAddr::from).collect(),
                named_peers: names.into_iter().map(|(host, port)| (Untrusted::new(host), port)).collect(),
                select: select.into_iter().map(|(from, more)| from..=from + more).collect(),
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(magnet in magnet()) {
            prop_assert_eq!(Magnet::parse_with_notes(&magnet.to_string()), Ok((magnet, vec![])));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,200}", parts in prop::collection::vec(
            prop::sample::select(vec!["xt", "=", "&", "urn:btih:", HEX, "%", "%41", "tr", "udp://x", "so", "0-", "x.pe", ".1", "é", "dn", "+"]), 0..30,
        )) {
            let _ = read(&text);
            let _ = read(&format!("magnet:?{text}"));
            if let Ok((magnet, _)) = read(&format!("magnet:?{}", parts.concat())) {
                prop_assert_eq!(Magnet::parse(&magnet.to_string()), Ok(magnet));
            }
        }
    }
}
