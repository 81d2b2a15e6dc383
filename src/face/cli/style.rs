//! Signs, colours and widths.

use unicode_width::UnicodeWidthChar;

use crate::base::Untrusted;

/// The meaning of a run of text. Its colour is one of the terminal's sixteen and never carries the meaning alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// A success.
    Good,
    /// A failure.
    Bad,
    /// Look at this.
    Warn,
    /// Less important.
    Dim,
    /// The name of the thing.
    Strong,
}

/// How one stream is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// No characters above U+007F from us; names are still shown as they are.
    pub ascii: bool,
    /// Colours are welcome.
    pub colour: bool,
}

impl Style {
    /// The text in the colour of its role.
    pub fn paint(self, role: Role, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match role {
            Role::Good => "32",
            Role::Bad => "31",
            Role::Warn => "33",
            Role::Dim => "2",
            Role::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// One of two spellings of a sign.
    pub const fn sign(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.ascii { ascii } else { unicode }
    }

    /// The sign of success.
    pub const fn ok(self) -> &'static str {
        self.sign("✓", "ok")
    }

    /// The sign of failure.
    pub const fn bad(self) -> &'static str {
        self.sign("✗", "x")
    }

    /// The sign of downwards.
    pub const fn down(self) -> &'static str {
        self.sign("↓", "down")
    }

    /// The sign of upwards.
    pub const fn up(self) -> &'static str {
        self.sign("↑", "up")
    }

    /// Our own text without characters that this stream may not show.
    pub fn own(self, text: &str) -> String {
        if !self.ascii {
            return text.to_owned();
        }
        text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '…' => out.push_str("..."),
                '\u{2009}' | '\u{202f}' | '\u{a0}' => out.push(' '),
                '·' => out.push('-'),
                '×' => out.push('x'),
                c => out.push(c),
            }
            out
        })
    }

    /// Text from outside, cleaned and cut to this many columns.
    pub fn fit(self, text: &Untrusted, columns: usize) -> String {
        let clean = text.clean();
        if width(&clean) <= columns {
            return clean;
        }
        if !self.ascii {
            return text.fit(columns);
        }
        cut(&clean, columns, "...")
    }

    /// One line of our own, cut to this many columns. It must hold no colours.
    pub fn fit_line(self, line: &str, columns: usize) -> String {
        if width(line) <= columns { line.to_owned() } else { cut(line, columns, self.sign("…", "...")) }
    }

    /// A bar of this many columns, filled to this part.
    pub fn bar(self, part: f64, columns: usize) -> String {
        let part = if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 };
        let halves = (part * columns as f64 * 2.0).floor() as usize;
        let (full, half) = (halves / 2, halves % 2);
        let rest = columns.saturating_sub(full + half);
        let (on, tip, off) = if self.ascii { ("=", ">", "-") } else { ("━", "╸", "─") };
        format!("{}{}{}", on.repeat(full), tip.repeat(half), off.repeat(rest))
    }
}

/// How many columns a line takes on a terminal, counted by character as [`Untrusted::fit`] does.
pub fn width(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Text as lines no wider than this, broken between words; only a word that is wider by itself is taken apart.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("there is always one");
        if line.is_empty() {
            line.push_str(word);
        } else if width(line) + 1 + width(word) <= columns {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
        while let Some(rest) = lines.last_mut().and_then(|line| take_beyond(line, columns)) {
            lines.push(rest);
        }
    }
    lines
}

/// Takes off the end of a line that lies beyond so many columns, and returns it.
fn take_beyond(line: &mut String, columns: usize) -> Option<String> {
    let mut used = 0;
    let (at, _) = line.char_indices().find(|(at, c)| {
        used += c.width().unwrap_or(0);
        used > columns && *at > 0
    })?;
    Some(line.split_off(at))
}

/// The text with blanks on its right up to this many columns.
pub fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// The text with blanks on its left up to this many columns.
pub fn pad_left(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

fn cut(text: &str, columns: usize, mark: &str) -> String {
    let mark = if columns < mark.len() && mark.is_ascii() { &mark[..columns] } else { mark };
    let room = columns.saturating_sub(width(mark));
    let mut used = 0;
    let mut out: String = text
        .chars()
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect();
    if columns > 0 {
        out.push_str(mark);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bar_shows_half_columns_and_never_full_too_early() {
        let style = Style::default();
        assert_eq!(style.bar(0.0, 4), "────");
        assert_eq!(style.bar(0.13, 4), "╸───");
        assert_eq!(style.bar(0.999, 4), "━━━╸");
        assert_eq!(style.bar(1.0, 4), "━━━━");
        assert_eq!(style.bar(f64::NAN, 2), "──");
        assert_eq!(Style { ascii: true, colour: false }.bar(0.5, 5), "==>--");
    }

    #[test]
    fn colours_only_where_they_are_welcome() {
        assert_eq!(Style::default().paint(Role::Bad, "x"), "x");
        assert_eq!(Style { colour: true, ascii: false }.paint(Role::Bad, "x"), "\u{1b}[31mx\u{1b}[0m");
    }

    #[test]
    fn ascii_keeps_names_and_changes_our_signs() {
        let style = Style { ascii: true, colour: false };
        assert_eq!(style.own("a … b × c"), "a ... b x c");
        assert_eq!(style.fit(&Untrusted::new("Čeština"), 20), "Čeština");
        assert_eq!(style.fit(&Untrusted::new("Čeština"), 5), "Če...");
    }

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrap("", 5), [""]);
        assert_eq!(wrap("not yet seen from outside", 12), ["not yet seen", "from outside"]);
        assert_eq!(wrap("a verylongword b", 6), ["a", "verylo", "ngword", "b"]);
        assert_eq!(wrap("日本", 1), ["日", "本"]);
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in ".{0,60}", columns in 0_usize..40, ascii: bool, part in any::<f64>()) {
            let style = Style { ascii, colour: false };
            prop_assert!(width(&style.fit(&Untrusted::new(text.as_str()), columns)) <= columns);
            prop_assert!(width(&style.fit_line(&Untrusted::new(text.as_str()).clean(), columns)) <= columns);
            prop_assert_eq!(width(&style.bar(part, columns)), columns);
        }
    }
}
