//! The tree as lines of text, as many and as wide as the screen.

use crate::base::{Untrusted, units};
use crate::face::cli::style::{Role, Style, pad, pad_left, width};

use super::model::{Chosen, Picker, Row};

/// The frame around the tree.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The torrent.
    pub name: Untrusted,
    /// Bytes that are free where it will lie, if that is known.
    pub free: Option<u64>,
    /// How the terminal is written to.
    pub style: Style,
}

/// Lines that are not of the tree.
const AROUND: usize = 3;

/// How many lines of a screen are for the tree.
pub fn height(rows: usize) -> usize {
    if rows > AROUND { rows - AROUND } else { 1 }
}

/// The screen: at most this many lines, none wider than this.
pub fn lines(picker: &Picker, frame: &Frame, columns: usize, rows: usize) -> Vec<String> {
    let style = frame.style;
    let mut lines = Vec::with_capacity(rows);
    if rows > AROUND {
        let title = format!("Choose files of {}", style.fit(&frame.name, columns.saturating_sub(16).max(4)));
        lines.push(style.paint(Role::Strong, &style.fit_line(&title, columns)));
    }
    let (above, below) = picker.hidden();
    let tree: Vec<Row<'_>> = picker.rows().collect();
    for (at, row) in tree.iter().enumerate() {
        let more = match (at == 0 && above, at + 1 == tree.len() && below) {
            (true, _) => style.sign("↑", "^"),
            (_, true) => style.sign("↓", "v"),
            _ => " ",
        };
        let text = line(row, more, style, columns);
        lines.push(if row.here { style.paint(Role::Strong, &text) } else { text });
    }
    if tree.is_empty() {
        lines.push(style.fit_line("  no file passes the filter", columns));
    }
    if rows > AROUND {
        lines.resize(rows - 2, String::new());
    }
    if rows >= AROUND {
        lines.push(totals(picker, frame, columns));
    }
    if rows > 1 {
        lines.push(foot(picker, style, columns));
    }
    lines
}

fn line(row: &Row<'_>, more: &str, style: Style, columns: usize) -> String {
    let mark = match row.chosen {
        Chosen::All => "[x]",
        Chosen::Some => "[-]",
        Chosen::None => "[ ]",
    };
    let cursor = if row.here { ">" } else { more };
    let indent = " ".repeat((row.depth * 2).min(columns / 4));
    let fold = match row.folder {
        Some(true) => style.sign("▾ ", "- "),
        Some(false) => style.sign("▸ ", "+ "),
        None => "",
    };
    let start = format!("{cursor}{indent}{mark} {fold}");
    let size = units::size(row.size);
    let slash = if row.folder.is_some() { "/" } else { "" };
    let name = Untrusted::new(format!("{}{slash}", row.name));
    // On a narrow screen names come before sizes.
    let room = columns.saturating_sub(width(&start));
    let beside = room.saturating_sub(width(&size).max(8) + 2);
    let text = if beside >= 8 {
        let name = pad(&style.fit(&name, beside), beside);
        format!("{start}{name}  {}", pad_left(&size, room - beside - 2))
    } else {
        format!("{start}{}", style.fit(&name, room))
    };
    style.fit_line(&text, columns)
}

fn totals(picker: &Picker, frame: &Frame, columns: usize) -> String {
    let (some, all, bytes, whole) = picker.totals();
    let (chosen, whole) = (units::size(bytes), units::size(whole));
    let short = frame.free.is_some_and(|free| bytes > free);
    let free = frame.free.map(units::size);
    let text = match free {
        Some(free) if short => [
            format!("{some} of {all} files, {chosen} of {whole}: too much, {free} free"),
            format!("{chosen}: {free} free!"),
            format!("{chosen} > {free}!"),
        ],
        Some(free) => [
            format!("{some} of {all} files, {chosen} of {whole}, {free} free"),
            format!("{some}/{all}  {chosen}, {free} free"),
            format!("{some}/{all}  {chosen}"),
        ],
        None => [
            format!("{some} of {all} files, {chosen} of {whole}"),
            format!("{some}/{all}  {chosen} of {whole}"),
            format!("{some}/{all}  {chosen}"),
        ],
    };
    let line = widest(&text, columns, frame.style);
    if short { frame.style.paint(Role::Warn, &line) } else { line }
}

fn foot(picker: &Picker, style: Style, columns: usize) -> String {
    let (filter, typing) = picker.filter();
    if !picker.word.is_empty() {
        return style.paint(Role::Warn, &style.fit_line(picker.word, columns));
    }
    if typing {
        return style.fit_line(&format!("/{}_", Untrusted::new(filter)), columns);
    }
    let keys = [
        "space choose  a all  n none  h l fold  / filter  enter start  q leave",
        "space  a all  n none  /  enter start  q",
        "space a n / enter q",
    ];
    if filter.is_empty() {
        return style.paint(Role::Dim, &widest(&keys, columns, style));
    }
    let text = [
        format!("filter: {}   esc shows all  enter start", Untrusted::new(filter)),
        format!("/{}", Untrusted::new(filter)),
    ];
    widest(&text, columns, style)
}

/// The first text that fits, or as much of the last as does.
fn widest(texts: &[impl AsRef<str>], columns: usize, style: Style) -> String {
    let fits = texts.iter().map(AsRef::as_ref).find(|text| width(text) <= columns);
    fits.map_or_else(
        || texts.last().map_or_else(String::new, |text| style.fit_line(text.as_ref(), columns)),
        str::to_owned,
    )
}

#[cfg(test)]
mod tests {
    use super::super::model::Key;
    use super::super::tests::torrent;
    use super::*;

    fn frame(free: Option<u64>) -> Frame {
        Frame { name: "t".into(), free, style: Style::default() }
    }

    fn picker(height: usize) -> Picker {
        let mut picker = Picker::new(
            &torrent(&[("a/x.mkv", 10 << 20), ("b.txt", 20), ("a/y.txt", 30)]),
            &[true, false, true],
        );
        picker.resize(height);
        picker
    }

    #[test]
    fn a_wide_screen_shows_everything() {
        let rows = 9;
        let picker = picker(height(rows));
        let lines = lines(&picker, &frame(Some(5 << 20)), 50, rows);
        assert_eq!(
            lines,
            [
                "Choose files of t",
                ">[-] ▾ t/                                   10 MiB",
                "   [x] ▾ a/                                 10 MiB",
                "     [x] x.mkv                              10 MiB",
                "     [x] y.txt                                30 B",
                "   [ ] b.txt                                  20 B",
                "",
                "10 MiB: 5 MiB free!",
                "space  a all  n none  /  enter start  q",
            ]
        );
    }

    #[test]
    fn every_screen_is_kept_within() {
        for columns in [10, 20, 33, 80] {
            for rows in [1, 2, 3, 4, 5, 24] {
                let mut picker = picker(height(rows));
                for key in [Key::Down, Key::Char('n'), Key::Enter, Key::Char('/'), Key::Char('x'), Key::Enter]
                {
                    picker.press(key);
                    let lines = lines(&picker, &frame(None), columns, rows);
                    assert!(lines.len() <= rows, "{columns}x{rows}: {lines:#?}");
                    for line in lines {
                        assert!(width(&line) <= columns, "{columns}x{rows}: {line}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_narrow_screen_shows_names_and_the_sum() {
        let picker = picker(height(8));
        let lines = lines(&picker, &frame(Some(1 << 40)), 20, 8);
        assert_eq!(lines[3], "     [x] x.mkv");
        assert_eq!(lines[6], "2/3  10 MiB");
        assert_eq!(lines[7], "space a n / enter q");
    }

    #[test]
    fn names_steer_nothing() {
        let torrent = torrent(&[("a\u{1b}[2J\u{202e}b", 1)]);
        let mut picker = Picker::new(&torrent, &[true]);
        picker.resize(9);
        let text = lines(&picker, &frame(None), 60, 12).join("\n");
        assert!(!text.contains(['\u{1b}', '\u{202e}']), "{text:?}");
    }
}
