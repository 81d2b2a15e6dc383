//! A few lines at the bottom of the terminal that are redrawn in place.
//!
//! Between frames the cursor stands at the beginning of the first of them. A terminal that changes its size
//! may break lines anew or cut them, but it keeps the cursor at its character: so nothing above is ever
//! touched, and everything below is ours to write over. A frame is one write, and it writes over what was
//! there instead of clearing it first, so that nothing flickers.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::face::cli::stderr;
use crate::face::cli::style::width;

/// The fastest the lines are redrawn.
const FRAME: Duration = Duration::from_millis(100);

/// Whether lines stand on the terminal, for the last words of a crash.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// The lines at the bottom of standard error. Clones draw the same ones, so that whoever has a word
/// to say can put it above them.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Mutex<Drawn>>);

#[derive(Debug, Default)]
struct Drawn {
    lines: Vec<String>,
    /// The lines make room for the next text.
    leaving: bool,
    at: Option<Instant>,
}

impl Live {
    /// Shows these lines in place of those before, unless they are the same or that was less than a tenth
    /// of a second ago.
    pub fn draw(&self, lines: Vec<String>) {
        let mut drawn = self.lock();
        let now = Instant::now();
        if drawn.lines == lines || drawn.at.is_some_and(|at| now.duration_since(at) < FRAME) {
            return;
        }
        drawn.leaving = false;
        drawn.write("", lines);
        drawn.at = Some(now);
    }

    /// Takes the lines away.
    pub fn erase(&self) {
        let mut drawn = self.lock();
        drawn.write("", Vec::new());
        *drawn = Drawn::default();
    }

    /// Has the next text take the place of the lines.
    pub fn leave(&self) {
        self.lock().leaving = true;
    }

    /// Writes finished text above the lines.
    pub fn above(&self, text: &str) {
        let mut drawn = self.lock();
        let lines = if drawn.leaving { Vec::new() } else { drawn.lines.clone() };
        drawn.leaving = false;
        drawn.write(text, lines);
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drawn {
    fn write(&mut self, text: &str, lines: Vec<String>) {
        let measured = || crossterm::terminal::window_size().ok().map(|size| usize::from(size.columns));
        let bytes = if self.lines.is_empty() && lines.is_empty() {
            text.to_owned()
        } else {
            let columns = if text.is_empty() { None } else { measured() };
            frame(text, !self.lines.is_empty(), &lines, columns.unwrap_or(80).max(1))
        };
        if !bytes.is_empty() {
            stderr::write(&bytes);
        }
        DRAWN.store(!lines.is_empty(), Ordering::Relaxed);
        self.lines = lines;
    }
}

/// The sequence that erases the lines from the terminal; empty where there are none.
pub fn last_words() -> &'static str {
    if DRAWN.swap(false, Ordering::Relaxed) { "\r\u{1b}[J" } else { "" }
}

/// A frame, from the beginning of the first line to the beginning of the first line: the text, and below it
/// the lines. Where none stood before there is nothing to write over.
fn frame(text: &str, over: bool, lines: &[String], columns: usize) -> String {
    // Keys that were pressed may have moved the cursor along its row.
    let mut out = String::from(if over { "\r" } else { "" });
    for line in text.lines() {
        out.push_str(line);
        // A row that is full to its last column has nothing behind it that could stay.
        let seen = seen(line);
        if over && (seen == 0 || !seen.is_multiple_of(columns)) {
            out.push_str("\u{1b}[K");
        }
        out.push_str("\r\n");
    }
    let Some((last, before)) = lines.split_last() else {
        out.push_str("\u{1b}[J");
        return out;
    };
    // A line that turns out wider than we believe is cut by the terminal, not broken.
    out.push_str("\u{1b}[?7l");
    for line in before {
        let _ = write!(out, "{line}\u{1b}[K\r\n");
    }
    let _ = write!(out, "{last}\u{1b}[J\u{1b}[?7h\r");
    if !before.is_empty() {
        let _ = write!(out, "\u{1b}[{}A", before.len());
    }
    out
}

/// The columns of a line in which there may be colours.
fn seen(line: &str) -> usize {
    let mut parts = line.split('\u{1b}');
    let first = parts.next().map_or(0, width);
    first + parts.map(|part| part.split_once('m').map_or(0, |(_, rest)| width(rest))).sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn screen(rows: u16, columns: u16) -> vt100::Parser {
        vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0)
    }

    #[test]
    fn redrawing_leaves_nothing_behind() {
        let mut screen = screen(10, 40);
        let mut feed = |text: &str| {
            screen.process(text.as_bytes());
            screen.screen().contents().trim_end().to_owned()
        };
        assert_eq!(feed("before\r\n"), "before");
        assert_eq!(
            feed(&frame("", false, &lines(&["one", "a long line", "three"]), 40)),
            "before\none\na long line\nthree"
        );
        feed("^C");
        assert_eq!(feed(&frame("", true, &lines(&["1", "2"]), 40)), "before\n1\n2");
        assert_eq!(feed(&frame("word", true, &lines(&["1", "2"]), 40)), "before\nword\n1\n2");
        // It takes two rows, and the screen knows that they are one line.
        let long = "x".repeat(45);
        assert_eq!(feed(&frame(&long, true, &lines(&["1", "2"]), 40)), format!("before\nword\n{long}\n1\n2"));
        assert_eq!(feed(&frame("end", true, &[], 40)), format!("before\nword\n{long}\nend"));
        assert_eq!(feed("after\r\n"), format!("before\nword\n{long}\nend\nafter"));
    }

    #[test]
    fn at_no_byte_of_a_frame_the_lines_are_gone() {
        let mut screen = screen(6, 20);
        let bar = |n: usize| lines(&["name", &"=".repeat(n), "rates"]);
        screen.process(b"1\r\n2\r\n3\r\n4\r\n5\r\n");
        screen.process(frame("", false, &bar(1), 20).as_bytes());
        for n in 2..19 {
            for byte in frame(if n == 9 { "a word" } else { "" }, true, &bar(n), 20).bytes() {
                screen.process(&[byte]);
                let seen = screen.screen().contents();
                assert!(seen.contains("name") || seen.contains("rates"), "{seen}");
                assert!(seen.contains('=') || n == 9, "{seen}");
                assert!(!screen.screen().hide_cursor(), "{seen}");
            }
        }
        assert_eq!(screen.screen().contents(), format!("4\n5\na word\nname\n{}\nrates", "=".repeat(18)));
    }

    #[test]
    fn a_terminal_that_shrinks_keeps_what_is_above() {
        for (rows, columns) in [(10, 12), (4, 40), (3, 7), (2, 2)] {
            let mut screen = screen(10, 40);
            screen.process(b"above\r\n");
            screen
                .process(frame("", false, &lines(&["a long first line", "second", "third"]), 40).as_bytes());
            screen.screen_mut().set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
            screen.process(frame("", true, &lines(&["x"]), 40).as_bytes());
            let seen = screen.screen().contents();
            assert!(seen.trim_end().ends_with('x') && !seen.contains("second"), "{seen:?}");
            assert!(seen.starts_with("ab"), "{seen:?}");
        }
    }

    #[test]
    fn colours_take_no_columns() {
        assert_eq!(
            [seen(""), seen("abc"), seen("\u{1b}[32m✓\u{1b}[0m a"), seen("\u{1b}[1mab")],
            [0, 3, 3, 2]
        );
    }
}
