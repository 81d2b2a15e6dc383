//! Announces, scrapes and their answers, the same for HTTP and UDP trackers.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{InfoHashes, PeerId, Untrusted};

/// The shortest announce interval that a tracker can impose on us.
pub const MIN_INTERVAL: Duration = Duration::from_secs(60);
/// The longest announce interval that a tracker can impose on us.
pub const MAX_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);
/// The announce interval where the tracker names none.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(30 * 60);
/// The longest text of a tracker that is kept, in characters.
pub const MAX_TEXT: usize = 200;

/// The reason for an announce (BEP 3, "event").
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash)]
pub enum AnnounceEvent {
    /// A regular announce, with no event.
    #[default]
    None,
    /// The first announce of a session.
    Started,
    /// The announce made when the download has just been completed.
    Completed,
    /// The last announce of a session.
    Stopped,
}

/// An announce (BEP 3, 7, 15, 23).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    /// The info-hash; its 20-byte wire form is sent.
    pub info_hash: InfoHashes,
    /// Our peer id.
    pub peer_id: PeerId,
    /// The port on which we accept peers.
    pub port: u16,
    /// Bytes uploaded since `Started`.
    pub uploaded: u64,
    /// Bytes downloaded since `Started`.
    pub downloaded: u64,
    /// Bytes that we still lack; [`u64::MAX`] while the size of the torrent is unknown.
    pub left: u64,
    /// The reason for the announce.
    pub event: AnnounceEvent,
    /// A secret that we share with the tracker, so that it can identify us after our address has changed.
    pub key: u32,
    /// The number of peers to ask for; `None` leaves it to the tracker.
    pub numwant: Option<u32>,
    /// The address to announce instead of the one the tracker sees.
    pub ip: Option<IpAddr>,
    /// The tracker id of an earlier answer ([`AnnounceReply::tracker_id`]), sent back to the tracker.
    pub tracker_id: Option<Vec<u8>>,
}

/// A tracker's answer to an announce.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AnnounceReply {
    /// The time until the next regular announce, from [`MIN_INTERVAL`] to [`MAX_INTERVAL`].
    pub interval: Duration,
    /// The interval as the tracker gave it, in seconds, or `None`. Shown to users; announces never wait for
    /// it.
    pub claimed_interval: Option<i64>,
    /// The shortest time until an announce out of turn, within the same bounds.
    pub min_interval: Option<Duration>,
    /// Addresses of peers; none has port 0 or an unspecified address.
    pub peers: Vec<SocketAddr>,
    /// The number of seeds in the swarm.
    pub seeds: Option<u32>,
    /// The number of leechers in the swarm.
    pub leechers: Option<u32>,
    /// The number of times the torrent was downloaded completely.
    pub downloaded: Option<u32>,
    /// Our own address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// A warning for the user; the announce was accepted all the same.
    pub warning: Option<Untrusted>,
    /// An id to send back with every later announce.
    pub tracker_id: Option<Vec<u8>>,
}

/// The time at which a refused announce may be retried (BEP 31, `retry in`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retry {
    /// After this time at the earliest.
    After(Duration),
    /// No retry: the refusal is final.
    Never,
}

/// A refusal by a tracker (BEP 3, `failure reason`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The tracker's reason, cut to [`MAX_TEXT`] characters.
    pub reason: Untrusted,
    /// When to try again, if the tracker says so (BEP 31).
    pub retry: Option<Retry>,
}

/// The counts that a scrape returns for one torrent (BEP 48).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ScrapeCounts {
    /// The number of seeds (`complete`).
    pub seeds: Option<u32>,
    /// The number of times the torrent was downloaded completely.
    pub downloaded: Option<u32>,
    /// The number of leechers (`incomplete`).
    pub leechers: Option<u32>,
}

/// A tracker's answer to a scrape.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ScrapeReply {
    /// The counts by info-hash, in the order of the answer. The wire has 20 bytes only, so all are v1 values.
    pub torrents: Vec<(InfoHashes, ScrapeCounts)>,
}

/// Converts an interval in seconds to the time to wait: within [`MIN_INTERVAL`] and [`MAX_INTERVAL`], or
/// [`DEFAULT_INTERVAL`] where the tracker gave none.
pub fn clamp_interval(seconds: Option<i64>) -> Duration {
    match seconds {
        None => DEFAULT_INTERVAL,
        Some(s) => Duration::from_secs(u64::try_from(s).unwrap_or(0)).clamp(MIN_INTERVAL, MAX_INTERVAL),
    }
}

/// Returns the bytes left as they are sent to a tracker: one block while the size is unknown, since 0 would
/// announce us as a seed.
pub(super) fn left_or_block(left: u64) -> u64 {
    if left == u64::MAX { u64::from(crate::base::BLOCK_LEN) } else { left }
}

/// Converts a tracker's count; `None` where it is negative or above `i32::MAX`.
pub(super) fn count(number: i64) -> Option<u32> {
    i32::try_from(number).ok().and_then(|n| u32::try_from(n).ok())
}

/// Converts a tracker's text, cut to [`MAX_TEXT`] characters.
pub(super) fn text(bytes: &[u8]) -> Untrusted {
    // UTF-8 needs at most four bytes per character, so no character that is kept lies beyond this cut.
    let head = &bytes[..bytes.len().min(MAX_TEXT * 4)];
    Untrusted::new(String::from_utf8_lossy(head).chars().take(MAX_TEXT).collect::<String>())
}

/// Whether the address can be connected to: it has a port and is neither unspecified nor multicast.
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
