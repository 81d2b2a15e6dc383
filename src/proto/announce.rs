//! What is said to a tracker and what it answers, whatever the way it travels (HTTP or UDP).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{InfoHashes, PeerId, Untrusted};

/// The shortest time between two announces that a tracker can make us keep to.
pub const MIN_INTERVAL: Duration = Duration::from_secs(60);
/// The longest time between two announces that a tracker can make us keep to.
pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// The time between two announces where the tracker names none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// The most characters of a tracker's text that are kept.
pub const MAX_TEXT: usize = 200;

/// Why an announce is made (BEP 3, "event").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum AnnounceEvent {
    /// A regular one.
    #[default]
    None,
    /// The first of a session.
    Started,
    /// The download has just become complete.
    Completed,
    /// The last of a session.
    Stopped,
}

/// One announce (BEP 3, 7, 15, 23).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// Which torrent; its 20 wire bytes are sent.
    pub info_hash: InfoHashes,
    /// Who we say we are.
    pub peer_id: PeerId,
    /// The port on which we listen.
    pub port: u16,
    /// Bytes sent since `Started`.
    pub uploaded: u64,
    /// Bytes received since `Started`.
    pub downloaded: u64,
    /// Bytes that are still missing; [`u64::MAX`] where the size is not known yet.
    pub left: u64,
    /// Why.
    pub event: AnnounceEvent,
    /// A number that only we and the tracker know, by which it knows us again after an address change.
    pub key: u32,
    /// How many peers are wanted; the tracker's default where `None`.
    pub numwant: Option<u32>,
    /// The address to be announced instead of the one the tracker sees.
    pub ip: Option<IpAddr>,
    /// What the tracker asked us to send back ([`AnnounceReply::tracker_id`]).
    pub tracker_id: Option<Vec<u8>>,
}

/// The answer to an announce.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnounceReply {
    /// When to announce again, within [`MIN_INTERVAL`] and [`MAX_INTERVAL`].
    pub interval: Duration,
    /// The interval as the tracker gave it, in seconds; `None` where it gave none. Shown, never waited for.
    pub claimed_interval: Option<i64>,
    /// The shortest time to an announce out of turn, within the same bounds.
    pub min_interval: Option<Duration>,
    /// Addresses of peers; never with port 0 or an unspecified address.
    pub peers: Vec<SocketAddr>,
    /// How many peers have everything.
    pub seeds: Option<u32>,
    /// How many peers lack something.
    pub leechers: Option<u32>,
    /// How often the torrent has been completed.
    pub downloaded: Option<u32>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// A text for the user; the announce was accepted none the less.
    pub warning: Option<Untrusted>,
    /// To be sent back with each later announce.
    pub tracker_id: Option<Vec<u8>>,
}

/// When a refused announce may be tried again (BEP 31).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// After this time at the earliest.
    After(Duration),
    /// Not at all.
    Never,
}

/// A tracker understood and said no.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The tracker's words, at most [`MAX_TEXT`] characters.
    pub reason: Untrusted,
    /// When to try again, if the tracker says so.
    pub retry: Option<Retry>,
}

/// How many peers a tracker knows of a torrent (BEP 48).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScrapeCounts {
    /// How many have everything.
    pub seeds: Option<u32>,
    /// How often it has been completed.
    pub downloaded: Option<u32>,
    /// How many lack something.
    pub leechers: Option<u32>,
}

/// The answer to a scrape.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScrapeReply {
    /// The counts by info-hash (as v1 values: the wire has 20 bytes), in the order of the answer.
    pub torrents: Vec<(InfoHashes, ScrapeCounts)>,
}

/// The time to wait for an interval given in seconds: within [`MIN_INTERVAL`] and [`MAX_INTERVAL`], and
/// [`DEFAULT_INTERVAL`] where there is none.
pub fn clamp_interval(seconds: Option<i64>) -> Duration {
    match seconds {
        None => DEFAULT_INTERVAL,
        Some(s) => Duration::from_secs(u64::try_from(s).unwrap_or(0)).clamp(MIN_INTERVAL, MAX_INTERVAL),
    }
}

/// The bytes left as they are told to a tracker: where nobody knows yet, a block's worth, since 0 would
/// make us a seed.
pub(super) fn left_or_something(left: u64) -> u64 {
    if left == u64::MAX { u64::from(crate::base::BLOCK_LEN) } else { left }
}

/// A count as a tracker gave it: nothing where it is negative or absurd.
pub(super) fn count(number: i64) -> Option<u32> {
    i32::try_from(number).ok().and_then(|n| u32::try_from(n).ok())
}

/// A tracker's text, cut to [`MAX_TEXT`] characters.
pub(super) fn text(bytes: &[u8]) -> Untrusted {
    // A character has four bytes at most, so nothing that is kept lies beyond this cut.
    let head = &bytes[..bytes.len().min(MAX_TEXT * 4)];
    Untrusted::new(String::from_utf8_lossy(head).chars().take(MAX_TEXT).collect::<String>())
}

/// Whether a connection to this address could ever succeed.
pub(super) fn is_dialable(address: &SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_stay_within_bounds() {
        let secs = |s| clamp_interval(Some(s)).as_secs();
        assert_eq!([secs(0), secs(-5), secs(i64::MIN), secs(59)], [60; 4]);
        assert_eq!([secs(1800), secs(1 << 31), secs(i64::MAX)], [1800, 86_400, 86_400]);
        assert_eq!(clamp_interval(None), DEFAULT_INTERVAL);
    }

    #[test]
    fn negative_counts_are_unknown() {
        assert_eq!([count(-1), count(i64::MIN), count(1 << 31), count(7)], [None, None, None, Some(7)]);
    }

    #[test]
    fn long_texts_are_cut() {
        assert_eq!(text("é".repeat(1_000_000).as_bytes()).raw().chars().count(), MAX_TEXT);
        assert_eq!(text(b"\xff\xfe").raw(), "\u{fffd}\u{fffd}");
    }
}
