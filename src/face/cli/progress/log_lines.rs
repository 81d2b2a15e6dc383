//! Transfers as lines for a log: a line when a state changes, and otherwise a line for every tenth
//! or every half minute, whichever is rarer.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::app::door::{Row, State};
use crate::base::{InfoHashes, TorrentId, Untrusted, units};

use super::amounts::{eta_text, of, percent, span};
use super::many::Sum;
use super::status::{self, moves};

const TENTHS: f64 = 0.1;
const HALF_MINUTE: Duration = Duration::from_secs(30);
/// How long nothing is said of a search for metadata, which is mostly over before.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Decides when a line about a torrent is due, from the last one.
#[derive(Debug, Default)]
pub struct UpdateTimer {
    /// The time between lines that the user chose.
    every: Option<Duration>,
    said: BTreeMap<TorrentId, Said>,
    /// When each search for metadata was first seen.
    sought: BTreeMap<TorrentId, Duration>,
    /// When the total was last told, and how far it was.
    total: Option<(Duration, f64)>,
}

#[derive(Debug)]
struct Said {
    state: State,
    reason: &'static str,
    /// The sentence, where it tells more than the word.
    text: String,
    progress: f64,
    at: Duration,
}

impl UpdateTimer {
    /// Nothing was said; with a time between lines if the user chose one.
    pub fn new(every: Option<Duration>) -> Self {
        Self { every, ..Self::default() }
    }

    /// Whether there is something to say about this torrent, `now` being any steady clock.
    pub fn due(&mut self, row: &Row, now: Duration) -> bool {
        let word = if moves(row) { "ok" } else { row.reason.word };
        let due = match self.said.get(&row.id) {
            _ if row.state == State::Metadata => self.search_due(row, now),
            // What has only just begun has nothing to say yet.
            None => self.every.is_some() || !matches!(row.reason.word, "starting" | "waiting_for_check"),
            Some(said) if said.state != row.state => true,
            // What has ended is told once.
            Some(_) if matches!(row.state, State::Done | State::Error) => false,
            Some(said) if row.state == State::Waiting && said.reason != word => true,
            Some(said) => {
                let passed = now.saturating_sub(said.at);
                match (self.every, row.state) {
                    (Some(every), _) => passed >= every,
                    (None, State::Downloading) => {
                        let stands = said.reason != word && word != "starting";
                        (stands || row.progress() - said.progress >= TENTHS) && passed >= HALF_MINUTE
                    }
                    (None, _) => false,
                }
            }
        };
        if due {
            let text = if row.state == State::Metadata { row.reason.text.clone() } else { String::new() };
            let said = Said { state: row.state, reason: word, text, progress: row.progress(), at: now };
            self.said.insert(row.id, said);
        }
        due
    }

    /// Whether there is something to say about a search for metadata: first after a while, then seldom, and
    /// never the same twice.
    fn search_due(&mut self, row: &Row, now: Duration) -> bool {
        let since = *self.sought.entry(row.id).or_insert(now);
        match (self.every, self.said.get(&row.id).filter(|said| said.state == State::Metadata)) {
            (Some(every), Some(said)) => now.saturating_sub(said.at) >= every,
            (Some(_), None) => true,
            (None, None) => now.saturating_sub(since) >= TIMEOUT,
            (None, Some(said)) => {
                let passed = now.saturating_sub(said.at);
                let other = said.reason != row.reason.word && passed >= TIMEOUT;
                other || (said.text != row.reason.text && passed >= HALF_MINUTE)
            }
        }
    }

    /// Whether there is something to say about all of them together.
    pub fn total_due(&mut self, sum: &Sum, now: Duration) -> bool {
        let part = sum.part();
        let (at, told) = *self.total.get_or_insert((now, part));
        let passed = now.saturating_sub(at);
        let due = match self.every {
            Some(every) => passed >= every,
            None => part - told >= TENTHS && passed >= HALF_MINUTE,
        };
        if due {
            self.total = Some((now, part));
        }
        due
    }
}

/// The line of a new torrent: `08ada5 metadata: ubuntu.iso, 1 file, 5.6 GiB`.
pub fn metadata(torrent: InfoHashes, name: &Untrusted, files: u64, size: u64) -> String {
    let files = units::plural(files, "file", "files");
    format!("{} metadata: {}, {files}, {}", torrent.short(), name.fit(200), units::size(size))
}

/// The line of a torrent on its way: `08ada5  18 %  1.0/5.6 GiB  34.9 MiB/s  2 min 12 s left  41 peers`.
pub fn line(row: &Row) -> String {
    let id = row.info_hashes.short();
    let so_far = || format!("{id}  {}  {}", percent(row.progress()), of(row.done, row.wanted, "/"));
    match row.state {
        State::Downloading if moves(row) => {
            let eta = eta_text(row.eta, row.down, row.active)
                .map_or_else(|| "-".to_owned(), |eta| format!("{eta} left"));
            let peers = units::plural(u64::from(row.peers), "peer", "peers");
            format!("{}  {}  {eta}  {peers}", so_far(), units::rate(row.down))
        }
        State::Downloading => format!("{}  {}", so_far(), status::reason(row)),
        State::Seeding => format!(
            "{id} seeding  {}  {}  sent {}  ratio {:.2}",
            units::rate(row.up),
            units::plural(u64::from(row.peers), "peer", "peers"),
            units::size(row.sent),
            row.ratio()
        ),
        _ => format!("{id} {}", status::reason(row)),
    }
}

/// The line of all of them: `total   2 of 14 done  31 %  9.8/31.4 GiB  41.3 MiB/s  9 min left`.
pub fn total(sum: &Sum, down: f64) -> String {
    let (counts, part) = (sum.counts(" done"), percent(sum.part()));
    let line = format!("total   {counts}  {part}  {}", of(sum.done, sum.wanted, "/"));
    // Where nothing is fetched any more there is neither a rate nor an end of it.
    if sum.finished + sum.failed == sum.all {
        return line;
    }
    let left = sum.left().map_or_else(|| "-".to_owned(), |left| format!("{} left", span(left)));
    format!("{line}  {}  {left}", units::rate(down))
}

/// The last line of a torrent: `08ada5 done: 5.6 GiB in 2 min 46 s`.
pub fn done(torrent: InfoHashes, size: u64, received: u64, took: Duration) -> String {
    let how = if received == 0 { ", already there".to_owned() } else { format!(" in {}", units::span(took)) };
    format!("{} done: {}{how}", torrent.short(), units::size(size))
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
        let mut timer = UpdateTimer::new(None);
        let mut torrent = row("a", State::Waiting);
        assert!(timer.due(&torrent, at(0)));
        assert!(!timer.due(&torrent, at(100)), "nothing is new");
        torrent.state = State::Downloading;
        torrent.done = 0;
        assert!(timer.due(&torrent, at(101)));
        torrent.done = torrent.wanted / 2;
        assert!(!timer.due(&torrent, at(102)), "too soon");
        torrent.done = torrent.wanted / 20;
        assert!(!timer.due(&torrent, at(200)), "too little");
        torrent.done = torrent.wanted / 9;
        assert!(timer.due(&torrent, at(200)));
    }

    #[test]
    fn a_search_is_told_when_it_takes_long() {
        let mut timer = UpdateTimer::new(None);
        let mut torrent = row("a", State::Metadata);
        assert!(!timer.due(&torrent, at(5)) && !timer.due(&torrent, at(7)), "it is mostly over by then");
        assert!(timer.due(&torrent, at(8)));
        assert!(!timer.due(&torrent, at(99)), "nothing is new");
        torrent.reason.text = "2 trackers silent".to_owned();
        assert!(timer.due(&torrent, at(99)) && !timer.due(&torrent, at(199)));
        torrent.reason.word = "peers_without_metadata";
        assert!(timer.due(&torrent, at(200)));
        torrent.state = State::Downloading;
        assert!(timer.due(&torrent, at(201)));
        assert!(UpdateTimer::new(Some(at(1))).due(&row("a", State::Metadata), at(0)));
    }

    #[test]
    fn what_stops_moving_is_told_but_not_at_every_breath() {
        let mut timer = UpdateTimer::new(None);
        let mut torrent = row("a", State::Downloading);
        assert!(timer.due(&torrent, at(0)));
        torrent.down = 0.0;
        torrent.reason.word = "choked_by_all";
        assert!(!timer.due(&torrent, at(5)), "it may be a breath");
        assert!(timer.due(&torrent, at(31)));
        assert!(!timer.due(&torrent, at(90)), "nothing is new");
        torrent.state = State::Waiting;
        torrent.reason.word = "no_peers_known";
        assert!(timer.due(&torrent, at(91)));
        torrent.reason.word = "trackers_fail";
        assert!(timer.due(&torrent, at(92)));
        torrent.state = State::Error;
        assert!(timer.due(&torrent, at(93)) && !timer.due(&torrent, at(200)));
    }

    #[test]
    fn the_total_is_told_as_rarely_as_the_rest() {
        let mut timer = UpdateTimer::new(None);
        let part = |done: u64| Sum::of(&[Row { done, ..row("a", State::Downloading) }], 1);
        let tenth = 6_012_954_214 / 10 + 1;
        assert!(!timer.total_due(&part(0), at(0)));
        assert!(!timer.total_due(&part(tenth), at(29)) && !timer.total_due(&part(tenth / 2), at(60)));
        assert!(timer.total_due(&part(tenth), at(61)) && !timer.total_due(&part(tenth), at(200)));
        let mut often = UpdateTimer::new(Some(at(1)));
        assert!(!often.total_due(&part(0), at(0)) && often.total_due(&part(0), at(1)));
    }

    #[test]
    fn an_interval_is_kept_whatever_happens() {
        let mut timer = UpdateTimer::new(Some(at(5)));
        let torrent = row("a", State::Downloading);
        assert!(timer.due(&torrent, at(0)));
        assert!(!timer.due(&torrent, at(4)));
        assert!(timer.due(&torrent, at(5)));
    }

    #[test]
    fn lines_read_as_promised() {
        assert_eq!(
            line(&row("a", State::Downloading)),
            "080808  74 %  4.2/5.6 GiB  38.2 MiB/s  41 s left  62 peers"
        );
        let still = Row { down: 100.0, ..row("a", State::Downloading) };
        assert_eq!(line(&still), "080808  74 %  4.2/5.6 GiB  no peers yet");
        let sum = Sum::of(&[row("a", State::Downloading), row("b", State::Done)], 1);
        assert_eq!(
            total(&sum, 4e7),
            "total   1 of 3 done, 1 failed  74 %  8.3/11.2 GiB  38.1 MiB/s  1 min 22 s left"
        );
        let given = Row { done: 6_012_954_214, ..row("a", State::Seeding) };
        assert_eq!(total(&Sum::of(&[given], 0), 0.0), "total   1 of 1 done  100 %  5.6/5.6 GiB");
        assert_eq!(line(&row("a", State::Waiting)), "080808 waiting: no peers yet");
        let id = InfoHashes::from_v1([8; 20]);
        assert_eq!(
            metadata(id, &"ubuntu.iso\u{1b}".into(), 1, 6_012_954_214),
            "080808 metadata: ubuntu.iso\\u{1b}, 1 file, 5.6 GiB"
        );
        assert_eq!(done(id, 6_012_954_214, 1, at(166)), "080808 done: 5.6 GiB in 2 min 46 s");
        assert_eq!(done(id, 6_012_954_214, 0, at(0)), "080808 done: 5.6 GiB, already there");
    }
}
