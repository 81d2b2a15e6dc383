//! Transfers as lines for a terminal.

use crate::engine::View;
use crate::face::cli::style::{Style, pad, pad_left, width};

use super::{many, one};

/// Below this many columns one torrent gets one line.
const NARROW: usize = 60;

/// How large a terminal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Its width.
    pub columns: usize,
    /// Its height.
    pub rows: usize,
}

/// The whole session: three lines for one torrent (one on a narrow terminal), otherwise a line for
/// each that is of interest and a grand total. `lost` torrents have failed and are not in the view any more.
/// No line is wider than the terminal less one column, and there are fewer lines than it has.
pub fn lines(view: &View, lost: usize, style: Style, size: Size) -> Vec<String> {
    let room = size.columns.saturating_sub(1).max(1);
    let lines = match view.torrents.as_slice() {
        [] => Vec::new(),
        [row] if lost == 0 && (size.columns < NARROW || size.rows < 4) => vec![one::narrow(row, style, room)],
        [row] if lost == 0 => one::lines(row, view.detail.as_ref(), style, room),
        rows => many::lines(rows, lost, view, style, size),
    };
    let most = size.rows.saturating_sub(1).max(1);
    lines.into_iter().take(most).map(|line| style.fit_line(&style.own(&line), room)).collect()
}

/// As many of these parts as have room, each with this between it and the one before.
pub(super) fn joined(parts: &[String], between: &str, room: usize) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let gap = if text.is_empty() { "" } else { between };
        if !text.is_empty() && width(&text) + width(gap) + width(part) > room {
            break;
        }
        text.push_str(gap);
        text.push_str(part);
    }
    text
}

/// A part of a whole that may be nothing.
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// A text and what stands behind it, the text in so many columns.
pub(super) fn columns(text: &str, wide: usize, behind: &str) -> String {
    format!("  {}  {behind}", pad(text, wide))
}

/// Right-aligned texts with two blanks between them.
pub(super) fn fields(fields: &[(&str, usize)]) -> String {
    fields.iter().map(|(text, wide)| pad_left(text, *wide)).collect::<Vec<_>>().join("  ")
}

#[cfg(test)]
pub(in crate::face::cli) mod tests;
