//! Transfers as lines for a terminal.

use crate::app::door::View;
use crate::face::cli::style::Style;

use super::layout::Size;
use super::{many, one};

/// Below this many columns one torrent gets one line.
const NARROW: usize = 60;

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

#[cfg(test)]
pub(in crate::face::cli) mod tests;
