//! The parts of which lines are composed, and the room there is for them.

use crate::face::cli::style::{pad, pad_left, width};

/// How large a terminal is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Size {
    /// Its width.
    pub columns: usize,
    /// Its height.
    pub rows: usize,
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
