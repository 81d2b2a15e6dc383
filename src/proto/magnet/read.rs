//! Parsing of magnet links.
//!
//! The info-hash is parsed strictly, since a damaged one would lead to another torrent or to none. All other
//! parts are optional; those that are unusable are left out and counted.

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use super::Magnet;
use data_encoding::BASE32_NOPAD;

use crate::base::{InfoHashes, Sha1Digest, Sha256Digest, Untrusted, units};
use crate::proto::percent;

/// The longest link, in bytes.
const MAX_BYTES: usize = 4 << 20;
/// The longest part of a link that is read, in bytes.
const MAX_PART: usize = 8 << 10;
/// The most trackers, web seeds and peers that are kept, each.
const MAX_KEPT: usize = 200;
/// The most file ranges that are kept.
const MAX_RANGES: usize = 2000;
/// The longest host name, in bytes (RFC 1035, section 2.3.4).
const MAX_HOST: usize = 253;

/// Reasons why a text is not a usable magnet link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MagnetError {
    /// The text does not begin with `magnet:?`.
    #[error("a magnet link begins with magnet:?")]
    NoMagnet,
    /// The link is longer than 4 MiB.
    #[error("the magnet link is longer than 4 MiB")]
    TooLong,
    /// A `%` in the info-hash is not followed by two hexadecimal digits, so the link was damaged.
    #[error("at byte {at} of the magnet link: % in the info hash must be followed by two hexadecimal digits")]
    Percent {
        /// The offset of the `%`, in bytes.
        at: usize,
    },
    /// No info-hash is present: the link is cut off, or names something other than a torrent.
    #[error("the magnet link names no torrent: it has no xt=urn:btih: or xt=urn:btmh:")]
    NoHash,
    /// The v1 info-hash is malformed.
    #[error("the info hash after urn:btih: must have 40 hexadecimal digits or 32 of base32")]
    BadV1,
    /// The v2 info-hash is malformed, or its multihash is not SHA-256.
    #[error("the info hash after urn:btmh: must be 1220 and 64 hexadecimal digits")]
    BadV2,
    /// The link has two different info-hashes of the same version.
    #[error("the magnet link names two different torrents")]
    TwoTorrents,
}

/// A part of a usable link that was left out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MagnetNote {
    /// The number of trackers that are not http, https or udp, or beyond the first 200.
    Trackers(usize),
    /// The number of web seeds that are not http or https, or beyond the first 200.
    WebSeeds(usize),
    /// The number of peers with an unusable address, or beyond the first 200.
    Peers(usize),
    /// The number of file ranges that are malformed, or beyond the first 2000, where other ranges are usable.
    Select(usize),
    /// A selection of files without a usable range, so that all files are selected.
    NoSelect,
}

impl MagnetNote {
    /// Whether other files are downloaded than the link asked for.
    pub const fn changes_the_choice(&self) -> bool {
        matches!(self, Self::Select(_) | Self::NoSelect)
    }
}

impl fmt::Display for MagnetNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let many = |n: usize, one, more| units::plural(n as u64, one, more);
        match *self {
            Self::Trackers(n) => write!(f, "{} left out", many(n, "tracker", "trackers")),
            Self::WebSeeds(n) => write!(f, "{} left out", many(n, "web seed", "web seeds")),
            Self::Peers(n) => write!(f, "{} left out", many(n, "peer", "peers")),
            Self::Select(1) => {
                f.write_str("1 part of the choice of files (so=) cannot be read and is left out")
            }
            Self::Select(n) => {
                write!(f, "{n} parts of the choice of files (so=) cannot be read and are left out")
            }
            Self::NoSelect => {
                f.write_str("the choice of files (so=) cannot be read, so all files are chosen")
            }
        }
    }
}

/// Parses a link.
pub(super) fn read(link: &str) -> Result<(Magnet, Vec<MagnetNote>), MagnetError> {
    let link = link.trim();
    if link.len() > MAX_BYTES {
        return Err(MagnetError::TooLong);
    }
    let begin = link.get(..8).filter(|begin| begin.eq_ignore_ascii_case("magnet:?"));
    let query = &link[begin.ok_or(MagnetError::NoMagnet)?.len()..];
    let mut reader = MagnetReader::default();
    let mut end = link.len() - query.len();
    for part in query.split('&') {
        end += part.len();
        // Links are often copied out of web pages with their & still escaped.
        let part = part.strip_prefix("amp;").unwrap_or(part);
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        reader.read_part(key, value, end - value.len())?;
        end += 1;
    }
    reader.finish()
}

/// Percent-decodes a value that must not be damaged and begins at byte `at` of the link.
fn decode_strictly(value: &str, at: usize) -> Result<Vec<u8>, MagnetError> {
    let bytes = value.as_bytes();
    let digit = |n: usize| bytes.get(n).is_some_and(u8::is_ascii_hexdigit);
    let broken = (0..bytes.len()).find(|&n| bytes[n] == b'%' && !(digit(n + 1) && digit(n + 2)));
    match broken {
        Some(n) => Err(MagnetError::Percent { at: at + n }),
        None => Ok(percent::decode(bytes)),
    }
}

#[derive(Default)]
struct MagnetReader {
    v1: Option<Sha1Digest>,
    v2: Option<Sha256Digest>,
    name: Option<Untrusted>,
    trackers: BoundedList<Untrusted>,
    web_seeds: BoundedList<Untrusted>,
    peers: BoundedList<SocketAddr>,
    named_peers: BoundedList<(Untrusted, u16)>,
    select: Vec<RangeInclusive<u32>>,
    bad_select: usize,
}

/// A list of at most [`MAX_KEPT`] items, and the number of those that were left out.
struct BoundedList<T> {
    list: Vec<T>,
    left_out: usize,
}

impl<T> Default for BoundedList<T> {
    fn default() -> Self {
        Self { list: Vec::new(), left_out: 0 }
    }
}

impl<T: PartialEq> BoundedList<T> {
    fn add(&mut self, item: Option<T>) {
        match item {
            Some(item) if self.list.contains(&item) => {}
            Some(item) if self.list.len() < MAX_KEPT => self.list.push(item),
            _ => self.left_out += 1,
        }
    }
}

impl MagnetReader {
    /// Reads one part of the link, whose value begins at byte `at`.
    fn read_part(&mut self, key: &str, value: &str, at: usize) -> Result<(), MagnetError> {
        // Repeated keys may be numbered: tr.1, tr.2.
        let (stem, number) = key.split_once('.').unwrap_or((key, ""));
        let stem = if number.bytes().all(|b| b.is_ascii_digit()) { stem } else { key };
        let short = value.len() <= MAX_PART;
        // A % that is not followed by two digits stands for itself: people write 100% in names.
        let bytes = || percent::decode(if short { value.as_bytes() } else { b"" });
        let text = || String::from_utf8_lossy(&bytes()).into_owned();
        match stem.to_ascii_lowercase().as_str() {
            "xt" => self.read_topic(&String::from_utf8_lossy(&decode_strictly(value, at)?))?,
            "dn" if self.name.is_none() && !value.is_empty() && short => {
                // In names only, + stands for a space, as in HTML forms.
                let spaced: Cow<'_, str> =
                    if value.contains('+') { value.replace('+', "%20").into() } else { value.into() };
                self.name = Some(Untrusted::from_bytes(&percent::decode(spaced.as_bytes())));
            }
            "tr" => self.trackers.add(url(&text(), &["http://", "https://", "udp://"])),
            "ws" => self.web_seeds.add(url(&text(), &["http://", "https://"])),
            "x.pe" => self.read_peer(&text()),
            "so" => self.read_ranges(value),
            _ => {}
        }
        Ok(())
    }

    /// Reads the file ranges of `so`, such as `0,2,4-6` (BEP 53). A malformed range is left out; the others
    /// count.
    fn read_ranges(&mut self, value: &str) {
        for part in String::from_utf8_lossy(&percent::decode(value.as_bytes())).split(',') {
            match range(part) {
                Some(range) if self.select.len() < MAX_RANGES => self.select.push(range),
                _ => self.bad_select += 1,
            }
        }
    }

    fn read_topic(&mut self, urn: &str) -> Result<(), MagnetError> {
        let after = |prefix: &str| {
            let begin = urn.get(..prefix.len())?;
            begin.eq_ignore_ascii_case(prefix).then(|| &urn[prefix.len()..])
        };
        if let Some(hash) = after("urn:btih:") {
            let digest = v1(hash).ok_or(MagnetError::BadV1)?;
            set_once(&mut self.v1, digest)?;
        } else if let Some(hash) = after("urn:btmh:") {
            let digest = hash.strip_prefix("1220").and_then(|hex| hex.parse::<InfoHashes>().ok()?.v2());
            set_once(&mut self.v2, digest.ok_or(MagnetError::BadV2)?)?;
        }
        Ok(())
    }

    fn read_peer(&mut self, text: &str) {
        if let Ok(addr) = text.parse::<SocketAddr>() {
            let good = addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast();
            self.peers.add(good.then(|| super::global(addr)));
            return;
        }
        let named = text.rsplit_once(':').and_then(|(host, port)| {
            let port = port.parse().ok().filter(|&port| port != 0)?;
            let letter = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
            let known = !host.is_empty()
                && host.len() <= MAX_HOST
                && host.bytes().all(letter)
                && host.bytes().any(|b| b.is_ascii_alphabetic());
            known.then(|| (Untrusted::new(host), port))
        });
        self.named_peers.add(named);
    }

    fn finish(self) -> Result<(Magnet, Vec<MagnetNote>), MagnetError> {
        let info_hash = match (self.v1, self.v2) {
            (Some(v1), Some(v2)) => InfoHashes::hybrid(v1, v2),
            (Some(v1), None) => InfoHashes::from_v1(v1),
            (None, Some(v2)) => InfoHashes::from_v2(v2),
            (None, None) => return Err(MagnetError::NoHash),
        };
        let counted = [
            (self.trackers.left_out, MagnetNote::Trackers as fn(usize) -> MagnetNote),
            (self.web_seeds.left_out, MagnetNote::WebSeeds),
            (self.peers.left_out + self.named_peers.left_out, MagnetNote::Peers),
        ];
        let mut notes: Vec<MagnetNote> =
            counted.iter().filter(|(n, _)| *n > 0).map(|(n, note)| note(*n)).collect();
        match self.bad_select {
            0 => {}
            _ if self.select.is_empty() => notes.push(MagnetNote::NoSelect),
            bad => notes.push(MagnetNote::Select(bad)),
        }
        let magnet = Magnet {
            info_hash,
            name: self.name,
            trackers: self.trackers.list,
            web_seeds: self.web_seeds.list,
            peers: self.peers.list,
            named_peers: self.named_peers.list,
            select: self.select,
        };
        Ok((magnet, notes))
    }
}

fn set_once<T: PartialEq>(slot: &mut Option<T>, value: T) -> Result<(), MagnetError> {
    match slot {
        Some(there) if *there != value => Err(MagnetError::TwoTorrents),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

/// Parses a v1 info-hash: 40 hexadecimal digits, or 32 of base32 (RFC 4648, section 6) in older links.
fn v1(text: &str) -> Option<Sha1Digest> {
    if text.len() != 32 {
        return text.parse::<InfoHashes>().ok()?.v1();
    }
    BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?.try_into().ok()
}

/// Returns the text if it is a URL with one of the schemes and a host.
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

/// Parses a file range, such as `2` or `4-6`.
fn range(text: &str) -> Option<RangeInclusive<u32>> {
    let number = |text: &str| -> Option<u32> {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten()
    };
    let (from, to) = text.split_once('-').unwrap_or((text, text));
    let (from, to) = (number(from)?, number(to)?);
    (from <= to).then_some(from..=to)
}

#[cfg(test)]
mod tests;
