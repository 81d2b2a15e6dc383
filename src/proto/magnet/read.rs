//! Magnet links from strangers.
//!
//! What names the torrent is read strictly: a link that is damaged there would lead to another torrent or
//! to none. All else is help on the way, and what of it cannot be used is passed over and counted.

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
/// The longest part of a link of which any use is made, in bytes.
const MAX_PART: usize = 8 << 10;
/// The most trackers, web seeds and peers that are kept, of each.
const MAX_KEPT: usize = 200;
/// The most ranges of files that are kept.
const MAX_RANGES: usize = 2000;
/// The longest name of a host (RFC 1035).
const MAX_HOST: usize = 253;

/// Why a text is no link to a torrent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MagnetError {
    /// It does not begin as one.
    #[error("a magnet link begins with magnet:?")]
    NoMagnet,
    /// It is longer than anyone needs.
    #[error("the magnet link is longer than 4 MiB")]
    TooLong,
    /// A `%` without two hexadecimal digits in the name of the torrent: the link was damaged on its way.
    #[error("at byte {at} of the magnet link: % in the info hash must be followed by two hexadecimal digits")]
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
    /// So many parts of the choice of files that cannot be read, or beyond the first 2000; others can.
    Select(usize),
    /// A choice of files of which nothing can be read.
    NoSelect,
}

impl MagnetNote {
    /// Whether something else is fetched than was meant.
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

/// Reads a link.
pub(super) fn read(link: &str) -> Result<(Magnet, Vec<MagnetNote>), MagnetError> {
    let link = link.trim();
    if link.len() > MAX_BYTES {
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
        reading.take(key, value, end - value.len())?;
        end += 1;
    }
    reading.finish()
}

/// The bytes a value stands for that may not be damaged.
fn strictly(value: &str, at: usize) -> Result<Vec<u8>, MagnetError> {
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
    bad_select: usize,
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
            Some(item) if self.list.len() < MAX_KEPT => self.list.push(item),
            _ => self.left_out += 1,
        }
    }
}

impl Reading {
    /// Takes in one part, whose value begins at this byte of the link.
    fn take(&mut self, key: &str, value: &str, at: usize) -> Result<(), MagnetError> {
        // Several of a kind may be numbered: tr.1, tr.2.
        let (stem, number) = key.split_once('.').unwrap_or((key, ""));
        let stem = if number.bytes().all(|b| b.is_ascii_digit()) { stem } else { key };
        let short = value.len() <= MAX_PART;
        // A % that encodes nothing stands for itself: people write 100% into names.
        let bytes = || percent::decode(if short { value.as_bytes() } else { b"" });
        let text = || String::from_utf8_lossy(&bytes()).into_owned();
        match stem.to_ascii_lowercase().as_str() {
            "xt" => self.topic(&String::from_utf8_lossy(&strictly(value, at)?))?,
            "dn" if self.name.is_none() && !value.is_empty() && short => {
                // In names, and there alone, + is how forms write a blank.
                let spaced: Cow<'_, str> =
                    if value.contains('+') { value.replace('+', "%20").into() } else { value.into() };
                self.name = Some(Untrusted::from_bytes(&percent::decode(spaced.as_bytes())));
            }
            "tr" => self.trackers.add(url(&text(), &["http://", "https://", "udp://"])),
            "ws" => self.web_seeds.add(url(&text(), &["http://", "https://"])),
            "x.pe" => self.peer(&text()),
            "so" => self.choose(value),
            _ => {}
        }
        Ok(())
    }

    /// Takes in a choice of files: `0,2,4-6` (BEP 53). As elsewhere, what cannot be read of it does not keep
    /// the rest from being chosen.
    fn choose(&mut self, value: &str) {
        for part in String::from_utf8_lossy(&percent::decode(value.as_bytes())).split(',') {
            match range(part) {
                Some(range) if self.select.len() < MAX_RANGES => self.select.push(range),
                _ => self.bad_select += 1,
            }
        }
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
            let digest = hash.strip_prefix("1220").and_then(|hex| hex.parse::<InfoHashes>().ok()?.v2());
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
        return text.parse::<InfoHashes>().ok()?.v1();
    }
    BASE32_NOPAD.decode(text.to_ascii_uppercase().as_bytes()).ok()?.try_into().ok()
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

/// `2` or `4-6`.
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
