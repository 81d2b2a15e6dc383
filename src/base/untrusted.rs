//! Text from outside.

use std::fmt;

use unicode_width::UnicodeWidthChar;

/// Text that came from a file, a peer or a tracker. It cannot be printed as it is: [`fmt::Display`]
/// shows control characters (C0, DEL, C1), bidirectional controls, zero-width characters and
/// overlong runs of combining marks visibly escaped, so that it can neither steer a terminal nor
/// pretend to be something else.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Untrusted(String);

impl Untrusted {
    /// Takes text as it came.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Takes bytes as they came; what is not UTF-8 becomes U+FFFD.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(String::from_utf8_lossy(bytes).into_owned())
    }

    /// The raw text, for anything but people: comparing, joining paths, sending on.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The cleaned text.
    pub fn clean(&self) -> String {
        clean(&self.0)
    }

    /// The cleaned text, cut to this many terminal columns with `…` where something is missing.
    pub fn fit(&self, columns: usize) -> String {
        fit(&self.clean(), columns)
    }
}

impl fmt::Display for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clean())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Untrusted({:?})", self.clean())
    }
}

impl<T: Into<String>> From<T> for Untrusted {
    fn from(text: T) -> Self {
        Self::new(text)
    }
}

/// Combining marks that may follow one another; living languages need no more.
const MAX_MARKS: usize = 4;

fn clean(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut marks = 0;
    let mut joinable = false;
    for c in text.chars() {
        let mark = c.width() == Some(0) && !is_invisible(c) && !c.is_control();
        marks = if mark { marks + 1 } else { 0 };
        if c.is_control() || is_invisible(c) || marks > MAX_MARKS || (mark && !joinable) {
            out.extend(c.escape_unicode());
            joinable = false;
        } else {
            out.push(c);
            joinable = true;
        }
    }
    out
}

/// Characters that show nothing, or change how others are shown.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0e}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn fit(text: &str, columns: usize) -> String {
    let width = |c: char| c.width().unwrap_or(0);
    if text.chars().map(width).sum::<usize>() <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(1);
    let mut out: String = text
        .chars()
        .take_while(|&c| {
            let fits = width(c) <= left;
            left -= width(c).min(left);
            fits
        })
        .collect();
    if columns > 0 {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_not_done() {
        assert_eq!(Untrusted::new("a\u{1b}]0;x\u{7}b").to_string(), "a\\u{1b}]0;x\\u{7}b");
        assert_eq!(Untrusted::new("photo\u{202e}gpj.exe").to_string(), "photo\\u{202e}gpj.exe");
        assert_eq!(Untrusted::new("ze\u{200b}ro\u{9b}1m").to_string(), "ze\\u{200b}ro\\u{9b}1m");
        assert_eq!(Untrusted::new("Čeština 日本語 é e\u{301}").to_string(), "Čeština 日本語 é e\u{301}");
        assert_eq!(Untrusted::from_bytes(b"\xff").to_string(), "\u{fffd}");
    }

    #[test]
    fn piles_of_combining_marks_are_cut() {
        let pile = format!("a{}", "\u{301}".repeat(300));
        let shown = Untrusted::new(pile).to_string();
        assert_eq!(shown.matches('\u{301}').count(), MAX_MARKS);
    }

    #[test]
    fn a_cut_says_that_it_is_one() {
        assert_eq!(Untrusted::new("abcdef").fit(6), "abcdef");
        assert_eq!(Untrusted::new("abcdef").fit(5), "abcd…");
        assert_eq!(Untrusted::new("日本語").fit(4), "日…");
        assert_eq!(Untrusted::new("abc").fit(0), "");
    }

    proptest! {
        #[test]
        fn cleaned_text_has_no_control_character(bytes in prop::collection::vec(any::<u8>(), 0..200), columns in 0_usize..50) {
            let text = Untrusted::from_bytes(&bytes);
            prop_assert!(!text.clean().chars().any(|c| c.is_control() || is_invisible(c)));
            let width: usize = text.fit(columns).chars().map(|c| c.width().unwrap_or(0)).sum();
            prop_assert!(width <= columns);
        }
    }
}
