//! A few lines at the bottom of the terminal that are redrawn in place.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::face::cli::output::raw;

/// The fastest the lines are redrawn.
const FRAME: Duration = Duration::from_millis(100);

/// The lines at the bottom of standard error. Clones draw the same ones, so that whoever has a word
/// to say can put it above them.
#[derive(Clone, Debug, Default)]
pub struct Live(Arc<Mutex<Drawn>>);

#[derive(Debug, Default)]
struct Drawn {
    lines: Vec<String>,
    at: Option<Instant>,
}

impl Live {
    /// Shows these lines in place of those before, unless that was less than a tenth of a second ago.
    pub fn draw(&self, lines: Vec<String>) {
        let mut drawn = self.lock();
        let now = Instant::now();
        if drawn.at.is_some_and(|at| now.duration_since(at) < FRAME) {
            return;
        }
        raw(&redraw(drawn.lines.len(), &lines));
        drawn.lines = lines;
        drawn.at = Some(now);
    }

    /// Takes the lines away.
    pub fn erase(&self) {
        let mut drawn = self.lock();
        raw(&redraw(drawn.lines.len(), &[]));
        *drawn = Drawn::default();
    }

    /// Writes finished text above the lines.
    pub fn above(&self, text: &str) {
        let drawn = self.lock();
        let count = drawn.lines.len();
        raw(&format!("{}{text}{}", redraw(count, &[]), redraw(0, &drawn.lines)));
    }

    fn lock(&self) -> MutexGuard<'_, Drawn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What takes `before` lines away and puts these in their place; the cursor stays at the end of the
/// last one.
fn redraw(before: usize, lines: &[String]) -> String {
    let mut text = String::new();
    if before > 0 {
        text.push('\r');
        if before > 1 {
            let _ = write!(text, "\u{1b}[{}A", before - 1);
        }
        text.push_str("\u{1b}[J");
    }
    text.push_str(&lines.join("\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redrawing_leaves_nothing_behind() {
        let mut screen = vt100::Parser::new(10.try_into().unwrap(), 40.try_into().unwrap(), 0);
        let mut feed = |text: &str| {
            screen.process(text.replace('\n', "\r\n").as_bytes());
            screen.screen().contents()
        };
        let lines = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect::<Vec<_>>();
        assert_eq!(feed("before\n"), "before");
        assert_eq!(
            feed(&redraw(0, &lines(&["one", "a long line", "three"]))),
            "before\none\na long line\nthree"
        );
        assert_eq!(feed(&redraw(3, &lines(&["1", "2"]))), "before\n1\n2");
        assert_eq!(feed(&redraw(2, &[])), "before");
        assert_eq!(feed("after\n"), "before\nafter");
        assert_eq!(redraw(0, &[]), "");
    }
}
