//! What was found out, as text.

use std::fmt::Write as _;
use std::ops::Range;

use crate::base::units;
use crate::face::cli::error::shown;
use crate::face::cli::progress::amounts::{of, percent_fine};
use crate::face::cli::style::{Role, Style, pad, pad_left, width};

use super::report::{FileReport, Status};
use super::{Verdict, name};

/// Ranges that are named before the rest is only counted.
const MOST_RANGES: usize = 3;

/// Everything, for a terminal.
pub fn full(verdict: &Verdict<'_>, repair: Option<&str>, style: Style, columns: usize) -> String {
    let mut text = headline(verdict, style);
    text.push('\n');
    if !verdict.all_good() || !verdict.extra.is_empty() {
        text.push('\n');
        table(&mut text, verdict, style, columns);
    }
    if verdict.good.count() < verdict.good.len() {
        let pieces = format!(
            "{} of {} pieces",
            units::count(verdict.good.count().into()),
            units::count(verdict.good.len().into())
        );
        let room = columns.saturating_sub(width(&pieces) + 6).clamp(1, 66);
        let _ = writeln!(text, "\n  {}   {pieces}", map(verdict, style, room));
    }
    if let Some(repair) = repair {
        let _ = writeln!(text, "  Repair:  {repair}");
    }
    text
}

/// `✗ 97.0 % good: 4 of 7 files need repair`
pub fn headline(verdict: &Verdict<'_>, style: Style) -> String {
    let files = verdict.files.len() as u64;
    if verdict.all_good() {
        let size = units::size(verdict.files.iter().map(|file| len(verdict, file)).sum());
        let files = units::plural(files, "file", "files");
        return format!(
            "{} all good: {files}, {size}, every piece matches",
            style.paint(Role::Good, style.ok())
        );
    }
    let need = if bad_files(verdict) == 1 { "needs" } else { "need" };
    format!(
        "{} {} good: {} of {} {need} repair",
        style.paint(Role::Bad, style.bad()),
        percent_fine(part_good(verdict)),
        bad_files(verdict),
        units::plural(files, "file", "files"),
    )
}

/// One record per file with tabs between: status, number, size, path, bad bytes.
pub fn plain(verdict: &Verdict<'_>) -> String {
    let mut text = String::new();
    for file in &verdict.files {
        let bad: Vec<String> =
            file.bad.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
        let (word, number) = (file.status.word(), file.file.0 + 1);
        let _ = writeln!(
            text,
            "{word}\t{number}\t{}\t{}\t{}",
            len(verdict, file),
            name(verdict, file),
            bad.join(",")
        );
    }
    for path in &verdict.extra {
        let _ = writeln!(text, "extra\t\t\t{}\t", shown(path));
    }
    text
}

/// From 0 to 1, by bytes.
pub fn part_good(verdict: &Verdict<'_>) -> f64 {
    let total = verdict.torrent.geometry().total();
    (total - verdict.bad_bytes()) as f64 / total as f64
}

/// Files that are not certain to be right.
pub fn bad_files(verdict: &Verdict<'_>) -> usize {
    verdict.files.iter().filter(|file| file.status != Status::Ok).count()
}

fn table(text: &mut String, verdict: &Verdict<'_>, style: Style, columns: usize) {
    let sizes: Vec<String> = verdict.files.iter().map(|file| size(verdict, file)).collect();
    let size_column = sizes.iter().map(|size| width(size)).max().unwrap_or(0);
    let longest = verdict.files.iter().map(|file| width(&name(verdict, file).clean())).max().unwrap_or(0);
    let names = longest.min(columns.saturating_sub(size_column + 45).clamp(16, 60));
    for (file, size) in verdict.files.iter().zip(&sizes) {
        let role = match file.status {
            Status::Ok => Role::Good,
            Status::Unproven | Status::Either => Role::Warn,
            _ => Role::Bad,
        };
        let facts = format!(
            "{}  {}   {}",
            pad(&style.fit(&name(verdict, file), names), names),
            pad_left(size, size_column),
            why(verdict, file, style)
        );
        let line = style.fit_line(&style.own(&facts), columns.saturating_sub(13).max(10));
        let _ = writeln!(text, "  {}  {}", style.paint(role, &pad(file.status.word(), 8)), line.trim_end());
    }
    for path in &verdict.extra {
        let path = style.fit(&shown(path), columns.saturating_sub(13).max(10));
        let _ = writeln!(text, "  {}  {path}", style.paint(Role::Dim, &pad("extra", 8)));
    }
}

fn size(verdict: &Verdict<'_>, file: &FileReport) -> String {
    match file.status {
        Status::Missing | Status::Blocked => String::new(),
        Status::Short | Status::Long => of(file.found.unwrap_or(0), len(verdict, file), " of "),
        _ => units::size(len(verdict, file)),
    }
}

fn why(verdict: &Verdict<'_>, file: &FileReport, style: Style) -> String {
    match file.status {
        Status::Ok | Status::Missing => String::new(),
        Status::Short => {
            let cut = file.found.unwrap_or(0);
            let inner: Vec<Range<u64>> = file
                .bad
                .iter()
                .filter(|range| range.start < cut)
                .map(|range| range.start..range.end.min(cut))
                .collect();
            let ends = "ends too early";
            if inner.is_empty() { ends.to_owned() } else { format!("{ends}; {}", bytes(&inner)) }
        }
        Status::Damaged => format!("{}, {}", pieces(&file.pieces), bytes(&file.bad)),
        Status::Either => {
            let others: Vec<String> = file
                .or
                .iter()
                .take(3)
                .map(|other| {
                    let path = verdict.torrent.files()[other.0 as usize].path().as_path();
                    style.fit(&shown(&verdict.place.path(path)), 40)
                })
                .collect();
            format!(
                "{} covers this and {}; v1 cannot tell which is bad",
                pieces(&file.pieces),
                others.join(", ")
            )
        }
        Status::Unproven => format!("{} cannot be checked without the file beside it", pieces(&file.pieces)),
        Status::Long => "there are bytes after its end".to_owned(),
        Status::Blocked => "something that is no file is in its place".to_owned(),
    }
}

/// `pieces 241-243, 250`
fn pieces(ranges: &[Range<u32>]) -> String {
    let one = ranges.iter().map(|range| range.end - range.start).sum::<u32>() == 1;
    let ranges: Vec<Range<u64>> = ranges.iter().map(|range| range.start.into()..range.end.into()).collect();
    format!("{} {}", if one { "piece" } else { "pieces" }, listed(&ranges))
}

/// `bytes 262144-1048575`
fn bytes(ranges: &[Range<u64>]) -> String {
    format!("bytes {}", listed(ranges))
}

fn listed(ranges: &[Range<u64>]) -> String {
    let shown = ranges.iter().take(MOST_RANGES).map(|range| match range.end - range.start {
        1 => range.start.to_string(),
        _ => format!("{}-{}", range.start, range.end - 1),
    });
    let text = shown.collect::<Vec<_>>().join(", ");
    match ranges.len().saturating_sub(MOST_RANGES) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

/// All pieces as one row of signs.
fn map(verdict: &Verdict<'_>, style: Style, columns: usize) -> String {
    let count = verdict.good.len() as usize;
    let cells = columns.min(count).max(1);
    let signs = if style.ascii { ['#', '~', '.'] } else { ['█', '▒', '░'] };
    let shape = verdict.torrent.geometry();
    (0..cells)
        .map(|cell| {
            let range = cell * count / cells..(cell + 1) * count / cells;
            let good = range
                .clone()
                .filter(|&at| shape.piece(at as u32).is_some_and(|piece| verdict.good.has(piece)))
                .count();
            match good {
                good if good == range.len() => signs[0],
                0 => signs[2],
                _ => signs[1],
            }
        })
        .collect()
}

fn len(verdict: &Verdict<'_>, file: &FileReport) -> u64 {
    verdict.torrent.files()[file.file.0 as usize].len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_named_and_then_counted() {
        assert_eq!(pieces(&[241..244]), "pieces 241-243");
        assert_eq!(pieces(&[5..6]), "piece 5");
        assert_eq!(bytes(&[0..1, 5..9, 20..30, 40..41, 50..51]), "bytes 0, 5-8, 20-29 and 2 more");
    }
}
