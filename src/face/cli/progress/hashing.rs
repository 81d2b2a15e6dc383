//! Hashing as one line for a terminal: `[2/3] hash  ━━━╸───  66 %  612 MiB/s  1 s left  name`.

use std::time::Duration;

use crate::base::{Untrusted, units};
use crate::face::cli::style::{Style, pad_left, width};

use super::amounts::percent;

/// The longest a bar gets, and the shortest that still leaves room for the file, in columns.
const BAR: std::ops::RangeInclusive<usize> = 12..=34;
/// The usual width of the facts. The bar is measured by this and not by every digit, or it would twitch.
const FACTS: usize = 29;
/// The columns reserved for the name of the file.
const FILE: usize = 16;

/// How far hashing has come.
#[derive(Clone, Debug)]
pub struct Hashing<'a> {
    /// The step, at the start of the line.
    pub label: &'a str,
    /// Bytes hashed.
    pub done: u64,
    /// Bytes to hash.
    pub total: u64,
    /// Since the start.
    pub elapsed: Duration,
    /// The file that is read just now, where it is known.
    pub file: Option<&'a Untrusted>,
}

/// The line; never wider than `columns` less one.
pub fn line(at: &Hashing<'_>, style: Style, columns: usize) -> String {
    let room = columns.saturating_sub(1).max(1);
    let part = if at.total == 0 { 1.0 } else { at.done as f64 / at.total as f64 };
    let rate = at.done as f64 / at.elapsed.as_secs_f64().max(0.001);
    let mut facts = format!("  {}  {}", pad_left(&percent(part), 4), units::rate(rate));
    // The first instants say nothing about the rest.
    if at.elapsed >= Duration::from_secs(1) && rate >= 1024.0 {
        let left = Duration::from_secs((at.total.saturating_sub(at.done) as f64 / rate).ceil() as u64);
        facts.push_str(&format!("  {} left", units::span(left.max(Duration::from_secs(1)))));
    }
    let beside = |facts: usize| room.saturating_sub(width(at.label) + facts);
    let with_file = at.file.map(|_| beside(width(&facts).max(FACTS) + 2 + FILE));
    let bar = with_file.filter(|bar| BAR.start() <= bar).unwrap_or_else(|| beside(width(&facts)));
    let bar = bar.min(*BAR.end());
    let bar = if bar < 4 { String::new() } else { style.bar(part, bar) };
    let mut text = format!("{}{bar}{facts}", at.label);
    if let Some(file) = at.file {
        let rest = room.saturating_sub(width(&text) + 2);
        if rest >= 8 {
            text.push_str(&format!("  {}", style.fit(file, rest)));
        }
    }
    style.fit_line(&style.own(&text), room)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn it_reads_as_promised() {
        let at = Hashing {
            label: "[2/3] hash    ",
            done: 1_283_457_024,
            total: 1_944_631_855,
            elapsed: Duration::from_secs(2),
            file: Some(&Untrusted::new("IMG_2231.CR3")),
        };
        assert_eq!(
            line(&at, Style::default(), 100),
            "[2/3] hash    ━━━━━━━━━━━━━━━━━━━━━━────────────  65 %  612 MiB/s  2 s left  IMG_2231.CR3"
        );
        assert_eq!(
            line(&at, Style::default(), 80),
            "[2/3] hash    ━━━━━━━━━━━╸──────  65 %  612 MiB/s  2 s left  IMG_2231.CR3"
        );
        assert_eq!(
            line(&at, Style::default(), 60),
            "[2/3] hash    ━━━━━━━━━━━╸──────  65 %  612 MiB/s  2 s left"
        );
        assert_eq!(line(&at, Style::default(), 20), "[2/3] hash      65…");
    }

    #[test]
    fn its_bar_keeps_its_length() {
        let bar = |ms, done, name: &str| {
            let file = Untrusted::new(name);
            let elapsed = Duration::from_millis(ms);
            let at = Hashing { label: "hash  ", done, total: 5 << 30, elapsed, file: Some(&file) };
            line(&at, Style::default(), 80).chars().filter(|c| matches!(c, '━' | '╸' | '─')).count()
        };
        assert_eq!(bar(100, 1 << 20, "a"), bar(3000, 3 << 30, "a-much-longer-name-than-fits.mkv"));
        assert_eq!(bar(100, 1 << 20, "a"), bar(3000, 5 << 30, "a"));
    }

    proptest! {
        #[test]
        fn it_fits_any_terminal(columns in 2_usize..200, done: u64, total: u64, ms in 0_u64..100_000, name in "\\PC{0,40}") {
            let file = Untrusted::new(name);
            let at = Hashing { label: "hash  ", done, total, elapsed: Duration::from_millis(ms), file: Some(&file) };
            prop_assert!(width(&line(&at, Style::default(), columns)) < columns);
        }
    }
}
