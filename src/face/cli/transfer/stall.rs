//! When waiting has been long enough: `--timeout`.

use std::time::Duration;

use crate::engine::{Row, State};

/// The least of a file list that has to come in so long to be progress: who sends less only wants to be waited
/// for, and could go on for days.
const LEAST: (f64, Duration) = (16.0 * 1024.0, Duration::from_secs(5));

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
        let should = matches!(row.state, State::Metadata | State::Downloading | State::Waiting);
        let moved = match self.seen {
            Some((received, _)) if row.state == State::Metadata => {
                let new = here.0.saturating_sub(received);
                let waited = now.saturating_sub(self.since).as_secs_f64();
                new > 0 && new as f64 * LEAST.1.as_secs_f64() >= LEAST.0 * waited
            }
            seen => seen != Some(here),
        };
        if !should || moved {
            self.seen = Some(here);
            self.since = now;
        }
        now.saturating_sub(self.since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::progress::screen::tests::row;

    #[test]
    fn only_time_without_progress_counts() {
        let at = Duration::from_secs;
        let mut stall = Stall::default();
        let mut torrent = row("a", State::Waiting);
        assert_eq!(stall.look(&torrent, at(1)), at(0));
        assert_eq!(stall.look(&torrent, at(9)), at(8));
        torrent.done += 1;
        assert_eq!(stall.look(&torrent, at(10)), at(0));
        torrent.state = State::Queued;
        assert_eq!(stall.look(&torrent, at(100)), at(0));
        torrent.state = State::Downloading;
        assert_eq!(stall.look(&torrent, at(130)), at(30));
    }

    #[test]
    fn a_file_list_has_to_come_at_some_pace() {
        let at = Duration::from_secs;
        let look = |bytes: u64, every: u64| {
            let (mut stall, mut torrent) = (Stall::default(), row("a", State::Metadata));
            (torrent.done, torrent.received) = (0, 0);
            let waited = (0..100).map(|n| {
                torrent.received = n * bytes;
                stall.look(&torrent, at(n * every))
            });
            waited.max().unwrap()
        };
        assert_eq!(look(16 << 10, 5), at(0));
        assert_eq!(look(1 << 20, 60), at(0));
        assert_eq!(look(16 << 10, 6), at(99 * 6), "a dripper");
        assert_eq!(look(0, 1), at(99));
    }
}
