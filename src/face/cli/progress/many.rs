//! Several torrents on a terminal: a line for each that is under way, and a grand total.

use std::time::Duration;

use crate::app::door::{Row, State, View};
use crate::base::units;
use crate::face::cli::style::{Style, width};

use super::amounts::{eta_text, of, percent, span, span_short};
use super::layout::{Size, columns, fields, joined, share};
use super::status::{self, moves};

/// Below this many columns a line has no bar and no time, …
const NARROW: usize = 60;
/// … and below this no rate either.
const TINY: usize = 34;
/// Names are shortened to this before anything else is left out.
const NAME: usize = 12;

/// A line for each in the order they were given, as many as half of the terminal holds; how many more there
/// are; and the total.
pub(super) fn lines(rows: &[Row], lost: usize, view: &View, style: Style, size: Size) -> Vec<String> {
    let room = size.columns.saturating_sub(1).max(1);
    let most = (size.rows / 2).clamp(3, size.rows.saturating_sub(1).max(3)).saturating_sub(2).max(1);
    let shown = shown(rows, most);
    let name = rows.iter().map(|row| width(&row.name.clean())).max().unwrap_or(0);
    let mut lines: Vec<String> = shown.iter().map(|row| line(row, name, style, room)).collect();
    let queued = rows.iter().filter(|row| matches!(row.state, State::Queued | State::Paused)).count();
    let active = rows.iter().filter(|row| rank(row).is_some()).count() - shown.len();
    if active + queued > 0 {
        lines.push(format!("  … {} more: {active} active, {queued} queued", active + queued));
    }
    lines.push(total(rows, lost, view, style, room));
    // Where there is room for one line only, it is the total.
    if size.rows <= lines.len() {
        lines.drain(..lines.len() - size.rows.saturating_sub(1).max(1));
    }
    lines
}

/// Those that get a line: what moves comes before what waits for others. Their order is that of the rows.
fn shown(rows: &[Row], most: usize) -> Vec<&Row> {
    let mut chosen: Vec<usize> = (0..rows.len()).filter(|&at| rank(&rows[at]).is_some()).collect();
    chosen.sort_by_key(|&at| rank(&rows[at]));
    chosen.truncate(most);
    chosen.sort_unstable();
    chosen.into_iter().map(|at| &rows[at]).collect()
}

/// How much a row is of interest, the most interesting first; not at all if it has ended or waits its turn.
const fn rank(row: &Row) -> Option<u8> {
    match row.state {
        State::Metadata | State::Downloading | State::Checking => Some(0),
        State::Waiting => Some(1),
        State::Seeding => Some(2),
        State::Queued | State::Paused | State::Done | State::Error => None,
    }
}

fn line(row: &Row, longest: usize, style: Style, room: usize) -> String {
    if room < TINY {
        let facts = if moves(row) { percent(part(row)) } else { row.state.word().to_owned() };
        let name = room.saturating_sub(width(&facts) + 4);
        return columns(&style.fit(&row.name, name), name, &facts);
    }
    let wide = if room < NARROW { fields(&[("", 4), ("", 10)]) } else { full(row, style) };
    let name = longest.clamp(NAME, room.saturating_sub(width(&wide) + 4).max(NAME));
    let facts = match row.state {
        State::Downloading if moves(row) && room < NARROW => {
            fields(&[(&percent(part(row)), 4), (&units::rate(row.down), 10)])
        }
        State::Downloading if moves(row) => full(row, style),
        State::Checking => format!("{}  checking", fields(&[(&percent(part(row)), 4)])),
        State::Seeding if moves(row) => {
            format!("{} {}   ratio {:.2}", style.up(), units::rate(row.up), row.ratio())
        }
        _ => status::brief(row),
    };
    columns(&style.fit(&row.name, name), name, &facts)
}

/// Share, bar, rate and time.
fn full(row: &Row, style: Style) -> String {
    let eta = row.eta.filter(|_| eta_text(row.eta, row.down, row.active).is_some());
    let eta = eta.map_or_else(|| "-".to_owned(), span_short);
    let share = percent(part(row));
    let bar = style.bar(part(row), 11);
    fields(&[(&share, 4), (&bar, 11), (&units::rate(row.down), 10), (&eta, 9)])
}

fn part(row: &Row) -> f64 {
    if row.state == State::Checking { share(row.checked, row.to_check) } else { row.progress() }
}

/// `total  2 of 14 done   31 %   9.8 of 31.4 GiB   ↓ 41.3 MiB/s   9 min left`.
fn total(rows: &[Row], lost: usize, view: &View, style: Style, room: usize) -> String {
    let sum = Sum::of(rows, lost);
    let gives = sum.missing() == 0 && view.up >= 1024.0;
    let (sign, rate) = if gives { (style.up(), view.up) } else { (style.down(), view.down) };
    // Where nobody fetches, that nothing comes down is no news.
    let fetches = |row: &Row| {
        matches!(row.state, State::Metadata | State::Downloading | State::Waiting | State::Queued)
    };
    let rate = if rate >= 1024.0 || rows.iter().any(fetches) {
        format!("{sign} {}", units::rate(rate))
    } else {
        String::new()
    };
    let left = sum.left().map_or_else(String::new, |left| format!("{} left", span(left)));
    let share = percent(sum.part());
    let parts = if room < NARROW {
        vec![format!("total  {}", sum.counts("")), share, rate]
    } else {
        let amount =
            if sum.wanted == 0 && sum.unknown > 0 { String::new() } else { of(sum.done, sum.wanted, " of ") };
        vec![format!("total  {}", sum.counts(" done")), share, amount, rate, left]
    };
    format!("  {}", joined(&parts, "   ", room.saturating_sub(2)))
}

/// Several torrents as one.
pub struct Sum {
    /// Torrents that are complete.
    pub finished: usize,
    /// Torrents that failed.
    pub failed: usize,
    /// All of them.
    pub all: usize,
    /// Bytes that are there.
    pub done: u64,
    /// Bytes that are wanted, as far as that is known.
    pub wanted: u64,
    /// Torrents of which it is not known.
    unknown: usize,
    /// Bytes per second over the last while.
    average: f64,
}

impl Sum {
    /// Of these, and of as many that failed and are not among them.
    pub fn of(rows: &[Row], lost: usize) -> Self {
        let sum = |pick: fn(&Row) -> u64| rows.iter().fold(0_u64, |sum, row| sum.saturating_add(pick(row)));
        let failed = rows.iter().filter(|row| row.state == State::Error).count() + lost;
        let finished = rows.iter().filter(|row| matches!(row.state, State::Done | State::Seeding)).count();
        let steady =
            |row: &&Row| row.state == State::Downloading && eta_text(row.eta, row.down, row.active).is_some();
        let average = |row: &Row| {
            let left = row.eta.unwrap_or_default().as_secs_f64().max(1.0);
            row.wanted.saturating_sub(row.done) as f64 / left
        };
        Self {
            finished,
            failed,
            all: rows.len() + lost,
            done: sum(|row| row.done),
            wanted: sum(|row| row.wanted),
            unknown: rows.iter().filter(|row| row.state == State::Metadata).count(),
            average: rows.iter().filter(steady).map(average).sum(),
        }
    }

    /// `2 of 14` and a word, and how many failed if any did.
    pub fn counts(&self, word: &str) -> String {
        let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
        format!("{} of {}{word}{failed}", self.finished, self.all)
    }

    /// From 0 to 1, of what is known; less than 1 while that is not all.
    pub fn part(&self) -> f64 {
        match (self.unknown, self.wanted) {
            (0, _) => share(self.done, self.wanted),
            (_, 0) => 0.0,
            _ => share(self.done, self.wanted).min(0.999),
        }
    }

    /// The time until all of it is there at the average of those whose time is known.
    pub fn left(&self) -> Option<Duration> {
        let left = self.missing() as f64 / self.average;
        (self.unknown == 0 && self.missing() > 0 && self.average >= 1024.0)
            .then(|| Duration::from_secs_f64(left.min(1e9)))
    }

    fn missing(&self) -> u64 {
        self.wanted.saturating_sub(self.done)
    }
}
