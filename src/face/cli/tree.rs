//! The files of a torrent as a tree of text.

use std::collections::BTreeMap;

use super::style::{Style, pad, pad_left, width};
use crate::app::selection::Listed;
use crate::base::{Untrusted, units};

/// The tree, no line wider than `columns` and at most `most` of them: where that is not enough,
/// directories with many files are shown closed, and what is still too much is only counted.
pub fn lines_of<'a>(
    files: impl Iterator<Item = Listed<'a>>,
    style: Style,
    columns: usize,
    most: usize,
) -> Vec<String> {
    let mut dirs = vec![Dir::default()];
    for file in files {
        place(&mut dirs, file);
    }
    let mut rows = Vec::new();
    for open_up_to in [usize::MAX, 20, 10, 5, 2, 1, 0] {
        rows.clear();
        draw(&dirs, 0, "", &Drawing { style, open_up_to }, &mut rows);
        if rows.len() <= most {
            break;
        }
    }
    let hidden = rows.len().saturating_sub(most);
    rows.truncate(most);
    let sizes = rows.iter().map(|row| width(&row.size)).max().unwrap_or(0);
    let notes = rows.iter().map(|row| width(&row.note)).max().unwrap_or(0);
    let widest = rows.iter().map(|row| width(&row.stem) + width(&row.name.clean())).max().unwrap_or(0);
    let room = columns.saturating_sub(sizes + notes + 3).max(8);
    let column = widest.min(room);
    let mut lines: Vec<String> = rows
        .iter()
        .map(|row| {
            let stem = style.fit_line(&row.stem, column.saturating_sub(width(&row.name.clean()).min(4)));
            let name = style.fit(&row.name, column.saturating_sub(width(&stem)));
            let size = pad_left(&row.size, sizes);
            style
                .fit_line(&format!("{}   {size}{}", pad(&format!("{stem}{name}"), column), row.note), columns)
        })
        .map(|line| line.trim_end().to_owned())
        .collect();
    if hidden > 0 {
        lines.push(style.own(&format!("… {} more (--all)", units::plural(hidden as u64, "line", "lines"))));
    }
    lines
}

/// How the tree is drawn.
struct Drawing {
    style: Style,
    /// Directories with more files than this in them are shown closed.
    open_up_to: usize,
}

/// A directory: its entries in the order in which they first appear.
#[derive(Default)]
struct Dir<'a> {
    entries: Vec<Entry<'a>>,
    /// The place of each subdirectory in `entries`.
    known: BTreeMap<&'a str, usize>,
    size: u64,
    files: usize,
}

enum Entry<'a> {
    Dir(&'a str, usize),
    File(&'a str, Listed<'a>),
}

struct Row {
    stem: String,
    name: Untrusted,
    size: String,
    note: String,
}

fn place<'a>(dirs: &mut Vec<Dir<'a>>, file: Listed<'a>) {
    let mut at = 0;
    let mut parts = file.path.split('/').peekable();
    while let Some(part) = parts.next() {
        dirs[at].size = dirs[at].size.saturating_add(file.len);
        dirs[at].files += 1;
        if parts.peek().is_none() {
            dirs[at].entries.push(Entry::File(part, file));
            return;
        }
        let next = match dirs[at].known.get(part) {
            Some(&next) => next,
            None => {
                let next = dirs.len();
                dirs.push(Dir::default());
                dirs[at].known.insert(part, next);
                dirs[at].entries.push(Entry::Dir(part, next));
                next
            }
        };
        at = next;
    }
}

/// Paths are at most a hundred deep, so the calls are too.
fn draw(dirs: &[Dir<'_>], at: usize, indent: &str, how: &Drawing, rows: &mut Vec<Row>) {
    let style = how.style;
    let last = dirs[at].entries.len().saturating_sub(1);
    let top = at == 0;
    for (number, entry) in dirs[at].entries.iter().enumerate() {
        let branch = match (top, number == last) {
            (true, _) => "",
            (false, true) => style.sign("└─ ", "`- "),
            (false, false) => style.sign("├─ ", "|- "),
        };
        match entry {
            Entry::File(name, file) => rows.push(Row {
                stem: format!("{indent}{branch}[{}] ", file.number),
                name: Untrusted::new(*name),
                size: units::size(file.len),
                note: String::new(),
            }),
            Entry::Dir(name, dir) => {
                // The size of the whole stands elsewhere.
                let size = if top { String::new() } else { units::size(dirs[*dir].size) };
                let closed = !top && dirs[*dir].files > how.open_up_to;
                let files = || units::plural(dirs[*dir].files as u64, "file", "files");
                rows.push(Row {
                    stem: format!("{indent}{branch}"),
                    name: Untrusted::new(format!("{name}/")),
                    size,
                    note: if closed {
                        style.own(&format!("   … {} (--all)", files()))
                    } else {
                        String::new()
                    },
                });
                if closed {
                    continue;
                }
                let deeper = match (top, number == last) {
                    (true, _) => String::new(),
                    (false, true) => format!("{indent}   "),
                    (false, false) => format!("{indent}{}", style.sign("│  ", "|  ")),
                };
                draw(dirs, *dir, &deeper, how, rows);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::selection::listed;
    use crate::proto::metainfo::Metainfo;
    use crate::proto::metainfo::{Attributes, Content, Draft, DraftFile, Extras};

    fn torrent(files: &[(&str, u64)]) -> Metainfo {
        let total: u64 = files.iter().map(|(_, len)| len).sum();
        let draft = Draft {
            name: "movies".to_owned(),
            content: Content::Several(
                files
                    .iter()
                    .map(|&(path, len)| DraftFile {
                        path: path.split('/').map(str::to_owned).collect(),
                        len,
                        attributes: Attributes::NONE,
                    })
                    .collect(),
            ),
            piece_len: 1 << 20,
            digests: vec![0; total.div_ceil(1 << 20) as usize * 20],
            private: false,
            source: None,
            extras: Extras::default(),
        };
        Metainfo::parse(&draft.to_bytes()).unwrap()
    }

    #[test]
    fn a_tree_shows_numbers_and_sizes() {
        let torrent = torrent(&[
            ("spring/spring-4k.mkv", 5 << 20),
            ("spring/extras.zip", 300 << 10),
            ("sintel/a", 1 << 10),
        ]);
        let text = lines_of(listed(&torrent), Style::default(), 80, 100).join("\n");
        assert_eq!(
            text,
            "movies/\n\
             ├─ spring/                5.29 MiB\n\
             │  ├─ [1] spring-4k.mkv      5 MiB\n\
             │  └─ [2] extras.zip       300 KiB\n\
             └─ sintel/                   1 KiB\n   \
                └─ [3] a                  1 KiB"
        );
        let short = lines_of(listed(&torrent), Style { ascii: true, colour: false }, 50, 5);
        assert_eq!(
            short.join("\n"),
            "movies/\n\
             |- spring/    5.29 MiB   ... 2 files (--all)\n\
             `- sintel/       1 KiB\n   \
                `- [3] a      1 KiB"
        );
        let shorter = lines_of(listed(&torrent), Style { ascii: true, colour: false }, 50, 2);
        assert_eq!(shorter[1..], ["|- spring/   5.29 MiB   ... 2 files (--all)", "... 1 line more (--all)"]);
        assert_eq!(shorter[0], "movies/");
    }

    #[test]
    fn a_tree_fits_its_columns() {
        let deep = "d/".repeat(90) + "file-with-a-long-name";
        let torrent = torrent(&[(&deep, 1 << 20), ("b", 5)]);
        for columns in [20, 40, 80] {
            for most in [500, 10, 1] {
                for line in lines_of(listed(&torrent), Style::default(), columns, most) {
                    assert!(width(&line) <= columns.max(24), "{columns}: {line}");
                }
            }
        }
    }
}
