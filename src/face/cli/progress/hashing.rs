//! Hashing as one line for a terminal: `[2/3] hash  ━━━╸───  66 %  612 MiB/s  1 s left  name`.

use std::time::Duration;

use crate::base::{Untrusted, units};
use crate::face::cli::style::{Style, width};

use super::amounts::percent;

/// How far hashing has come.
#[derive(Clone, Debug)]
pub struct Hashing<'a> {
    /// What stands in front: the step.
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
    let mut facts = format!("  {}  {}", percent(part), units::rate(rate));
    // The first instants say nothing about the rest.
    if at.elapsed >= Duration::from_secs(1) && rate >= 1024.0 {
        let left = Duration::from_secs((at.total.saturating_sub(at.done) as f64 / rate).ceil() as u64);
        facts.push_str(&format!("  {} left", units::span(left.max(Duration::from_secs(1)))));
    }
    let bar = room.saturating_sub(width(at.label) + width(&facts)).min(34);
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
        assert_eq!(line(&at, Style::default(), 20), "[2/3] hash      65…");
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
