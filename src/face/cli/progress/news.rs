//! Transfers as lines for a log: a line when a state changes, and otherwise a line for every tenth
//! or every half minute, whichever is rarer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{InfoHash, Untrusted, units};
use crate::engine::{Row, State};

use super::amounts::{eta_text, of, percent};

const TENTHS: f64 = 0.1;
const HALF_MINUTE: Duration = Duration::from_secs(30);

/// What was last said about each torrent.
#[derive(Debug, Default)]
pub struct News {
    /// The time between lines that the user chose.
    every: Option<Duration>,
    said: BTreeMap<InfoHash, Said>,
}

#[derive(Debug)]
struct Said {
    state: State,
    reason: &'static str,
    progress: f64,
    at: Duration,
}

impl News {
    /// Nothing was said; with a time between lines if the user chose one.
    pub fn new(every: Option<Duration>) -> Self {
        Self { every, said: BTreeMap::new() }
    }

    /// Whether there is something to say about this torrent, `now` being any steady clock.
    pub fn due(&mut self, row: &Row, now: Duration) -> bool {
        let due = match self.said.get(&row.id) {
            // What has only just begun has nothing to say yet.
            None => self.every.is_some() || row.reason.word != "starting",
            Some(said) if said.state != row.state => true,
            Some(said) if row.state == State::Waiting && said.reason != row.reason.word => true,
            Some(said) => match (self.every, row.state) {
                (Some(every), _) => now.saturating_sub(said.at) >= every,
                (None, State::Downloading) => {
                    row.progress() - said.progress >= TENTHS && now.saturating_sub(said.at) >= HALF_MINUTE
                }
                (None, _) => false,
            },
        };
        if due {
            let said = Said { state: row.state, reason: row.reason.word, progress: row.progress(), at: now };
            self.said.insert(row.id, said);
        }
        due
    }
}

/// The line of a new torrent: `08ada5 metadata: ubuntu.iso, 1 file, 5.6 GiB`.
pub fn metadata(id: InfoHash, name: &Untrusted, files: u64, size: u64) -> String {
    let files = units::plural(files, "file", "files");
    format!("{} metadata: {}, {files}, {}", id.short(), name.fit(200), units::size(size))
}

/// The line of a torrent on its way: `08ada5  18 %  1/5.6 GiB  34.9 MiB/s  2 min 12 s left  41 peers`.
pub fn line(row: &Row) -> String {
    let id = row.id.short();
    match row.state {
        State::Downloading => {
            let eta = eta_text(row.eta, row.down, row.active)
                .map_or_else(|| "-".to_owned(), |eta| format!("{eta} left"));
            format!(
                "{id}  {}  {}  {}  {eta}  {}",
                percent(row.progress()),
                of(row.done, row.wanted, "/"),
                units::rate(row.down),
                units::plural(u64::from(row.peers), "peer", "peers")
            )
        }
        State::Seeding => format!(
            "{id} seeding  {}  {}  sent {}  ratio {:.2}",
            units::rate(row.up),
            units::plural(u64::from(row.peers), "peer", "peers"),
            units::size(row.sent),
            row.ratio()
        ),
        State::Checking => format!("{id} checking what is there"),
        state if row.reason.text.is_empty() => format!("{id} {}", state.word()),
        state => format!("{id} {}: {}", state.word(), row.reason.text),
    }
}

/// The last line of a torrent: `08ada5 done: 5.6 GiB in 2 min 46 s`.
pub fn done(id: InfoHash, size: u64, received: u64, took: Duration) -> String {
    let how =
        if received == 0 { ", all of it was there".to_owned() } else { format!(" in {}", units::span(took)) };
    format!("{} done: {}{how}", id.short(), units::size(size))
}

#[cfg(test)]
mod tests {
    use super::super::screen::tests::row;
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn lines_come_with_changes_and_then_rarely() {
        let mut news = News::new(None);
        let mut torrent = row("a", State::Waiting);
        assert!(news.due(&torrent, at(0)));
        assert!(!news.due(&torrent, at(100)), "nothing is new");
        torrent.state = State::Downloading;
        torrent.done = 0;
        assert!(news.due(&torrent, at(101)));
        torrent.done = torrent.wanted / 2;
        assert!(!news.due(&torrent, at(102)), "too soon");
        torrent.done = torrent.wanted / 20;
        assert!(!news.due(&torrent, at(200)), "too little");
        torrent.done = torrent.wanted / 9;
        assert!(news.due(&torrent, at(200)));
    }

    #[test]
    fn an_interval_is_kept_whatever_happens() {
        let mut news = News::new(Some(at(5)));
        let torrent = row("a", State::Downloading);
        assert!(news.due(&torrent, at(0)));
        assert!(!news.due(&torrent, at(4)));
        assert!(news.due(&torrent, at(5)));
    }

    #[test]
    fn lines_read_as_promised() {
        assert_eq!(
            line(&row("a", State::Downloading)),
            "080808  74 %  4.16/5.6 GiB  38.2 MiB/s  41 s left  62 peers"
        );
        assert_eq!(line(&row("a", State::Waiting)), "080808 waiting: no peers yet");
        let id = InfoHash::v1([8; 20]);
        assert_eq!(
            metadata(id, &"ubuntu.iso\u{1b}".into(), 1, 6_012_954_214),
            "080808 metadata: ubuntu.iso\\u{1b}, 1 file, 5.6 GiB"
        );
        assert_eq!(done(id, 6_012_954_214, 1, at(166)), "080808 done: 5.6 GiB in 2 min 46 s");
        assert_eq!(done(id, 6_012_954_214, 0, at(0)), "080808 done: 5.6 GiB, all of it was there");
    }
}
