//! When waiting has been long enough: `--timeout`.

use std::time::Duration;

use crate::engine::{Row, State};

/// How long a torrent has made no progress.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stall {
    seen: Option<(u64, u64)>,
    since: Duration,
}

impl Stall {
    /// Looks at a torrent, `now` being any steady clock, and says how long nothing has come. Only time in
    /// which something should come counts.
    pub fn look(&mut self, row: &Row, now: Duration) -> Duration {
        let here = (row.received.max(row.done), row.checked);
        let should = matches!(row.state, State::Downloading | State::Waiting);
        if !should || self.seen != Some(here) {
            self.seen = Some(here);
            self.since = now;
        }
        now.saturating_sub(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{InfoHashes, TorrentId};
    use crate::engine::Reason;

    #[test]
    fn only_time_without_progress_counts() {
        let at = Duration::from_secs;
        let mut stall = Stall::default();
        let unnamed = (TorrentId::FIRST, InfoHashes::from_v1([8; 20]), "a".into());
        let reason = Reason { word: "ok", text: String::new() };
        let mut torrent = Row::new(unnamed.0, unnamed.1, unnamed.2, (State::Waiting, reason));
        assert_eq!(stall.look(&torrent, at(1)), at(0));
        assert_eq!(stall.look(&torrent, at(9)), at(8));
        torrent.done += 1;
        assert_eq!(stall.look(&torrent, at(10)), at(0));
        torrent.state = State::Queued;
        assert_eq!(stall.look(&torrent, at(100)), at(0));
        torrent.state = State::Downloading;
        assert_eq!(stall.look(&torrent, at(130)), at(30));
    }
}
