//! The results of a check as text.

use std::fmt::Write as _;
use std::ops::Range;

use crate::app::shown;
use crate::base::{Untrusted, units};
use crate::face::cli::progress::amounts::{of, percent_fine};
use crate::face::cli::style::{Role, Style, pad, pad_left, width};

use super::{Verdict, name, name_of};
use crate::app::damage::{FileReport, Status};

/// Everything, for a terminal.
pub fn full(verdict: &Verdict<'_>, repair: Option<&str>, style: Style, columns: usize) -> String {
    let mut text = headline(verdict, style);
    text.push('\n');
    if !verdict.all_good() || verdict.extra.as_ref().is_some_and(|extra| !extra.is_empty()) {
        text.push('\n');
        table(&mut text, verdict, style, columns);
    }
    if verdict.good.count() < verdict.asked.count() {
        let pieces = format!(
            "{} of {} pieces",
            units::count(verdict.good.count().into()),
            units::count(verdict.asked.count().into())
        );
        let room = columns.saturating_sub(width(&pieces) + 6).clamp(1, 66);
        let _ = writeln!(text, "\n  {}   {pieces}", map(verdict, style, room));
    } else if repair.is_some() {
        text.push('\n');
    }
    if let Some(repair) = repair {
        let _ = writeln!(text, "  Repair:  {repair}");
    }
    text
}

/// `✗ 97.0 % good: 4 of 7 files need repair`
pub fn headline(verdict: &Verdict<'_>, style: Style) -> String {
    let files = verdict.files.len() as u64;
    let good = style.paint(Role::Good, style.ok());
    if verdict.all_good() {
        let size = units::size(verdict.files.iter().map(|file| len(verdict, file)).sum());
        let files = units::plural(files, "file", "files");
        return if verdict.quick {
            format!("{good} all there: {files}, {size}, the sizes match; nothing was hashed")
        } else {
            format!("{good} all good: {files}, {size}, every piece matches")
        };
    }
    if verdict.quick {
        return format!(
            "{} {} of {} missing or of a wrong size; nothing was hashed",
            style.paint(Role::Bad, style.bad()),
            bad_files(verdict),
            units::plural(files, "file", "files"),
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
            shown(&verdict.place.path(verdict.torrent.files()[file.file.0 as usize].path().as_path())),
            bad.join(",")
        );
    }
    for path in verdict.extra.iter().flatten() {
        let _ = writeln!(text, "extra\t\t\t{}\t", shown(path));
    }
    text
}

/// From 0 to 1, by bytes.
pub fn part_good(verdict: &Verdict<'_>) -> f64 {
    let total = verdict.asked_bytes();
    if total == 0 { 1.0 } else { (total - verdict.bad_bytes()) as f64 / total as f64 }
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
    let mut line = |word: &str, role, name: &Untrusted, facts: &str| {
        let name = pad(&style.fit(name, names), names);
        let facts = style.own(&format!("{name}   {facts}"));
        let facts = style.fit_line(&facts, columns.saturating_sub(13).max(10));
        let _ = writeln!(text, "  {}  {}", style.paint(role, &pad(word, 8)), facts.trim_end());
    };
    let mut rest = verdict.files.iter().zip(&sizes).peekable();
    while let Some((file, size)) = rest.next() {
        if let Some((other, _)) = rest.next_if(|(other, _)| is_pair(file, other)) {
            let piece = pieces(&file.pieces);
            line("either", Role::Warn, &name(verdict, file), &format!("{piece} covers the end of one"));
            let end = "and the start of the other; v1 cannot tell which";
            line("", Role::Warn, &name(verdict, other), end);
            continue;
        }
        let role = match file.status {
            Status::Ok => Role::Good,
            Status::Unproven | Status::Either => Role::Warn,
            _ => Role::Bad,
        };
        let mut facts = match file.status {
            Status::Short => of(file.found.unwrap_or(0), len(verdict, file), " of "),
            Status::Missing | Status::Blocked | Status::Either => String::new(),
            _ => pad_left(size, size_column),
        };
        let why = why(verdict, file, style);
        if !(why.is_empty() || facts.is_empty()) {
            facts.push_str("   ");
        }
        line(file.status.word(), role, &name(verdict, file), &(facts + &why));
        if file.status == Status::Either {
            line("", role, &Untrusted::new(""), "v1 cannot tell which is bad");
        }
    }
    for path in verdict.extra.iter().flatten() {
        let own = verdict.place.own(verdict.torrent);
        let below = own.strip_prefix(&verdict.place.root).ok().and_then(|own| path.strip_prefix(own).ok());
        let below = below.unwrap_or(path);
        let path = style.fit(&shown(below), columns.saturating_sub(13).max(10));
        let _ = writeln!(text, "  {}  {path}", style.paint(Role::Dim, &pad("extra", 8)));
    }
}

/// Two files of which one is bad, by a piece that covers both and no third.
fn is_pair(file: &FileReport, other: &FileReport) -> bool {
    let either = |file: &FileReport| file.status == Status::Either;
    either(file)
        && either(other)
        && file.pieces == other.pieces
        && file.or == [other.file]
        && other.or == [file.file]
}

/// The size as it stands in its column.
fn size(verdict: &Verdict<'_>, file: &FileReport) -> String {
    match file.status {
        Status::Ok | Status::Damaged | Status::Unproven | Status::Long => units::size(len(verdict, file)),
        _ => String::new(),
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
            // That it ends too early is told by its sizes.
            if inner.is_empty() { String::new() } else { bytes(&inner) }
        }
        Status::Damaged => format!("{}, {}", pieces(&file.pieces), bytes(&file.bad)),
        Status::Either => {
            let others: Vec<String> = file
                .or
                .iter()
                .take(3)
                .map(|other| style.fit(&name_of(verdict, other.0 as usize), 40))
                .collect();
            let covers = if piece_count(&file.pieces) == 1 { "covers" } else { "cover" };
            format!("{} {covers} this and {}", pieces(&file.pieces), others.join(", "))
        }
        Status::Unproven => format!("{} cannot be checked without the file next to it", pieces(&file.pieces)),
        Status::Long => "it has extra bytes at its end".to_owned(),
        Status::Blocked => "something that is not a file is in its place".to_owned(),
    }
}

/// `pieces 241-243, 250`
fn pieces(ranges: &[Range<u32>]) -> String {
    let one = piece_count(ranges) == 1;
    let ranges: Vec<Range<u64>> = ranges.iter().map(|range| range.start.into()..range.end.into()).collect();
    format!("{} {}", if one { "piece" } else { "pieces" }, units::ranges(&ranges))
}

fn piece_count(ranges: &[Range<u32>]) -> u32 {
    ranges.iter().map(|range| range.end - range.start).sum()
}

/// `bytes 262144-1048575`
fn bytes(ranges: &[Range<u64>]) -> String {
    format!("bytes {}", units::ranges(ranges))
}

/// All pieces as one row of signs.
fn map(verdict: &Verdict<'_>, style: Style, columns: usize) -> String {
    let asked: Vec<bool> = verdict.asked.iter().map(|piece| verdict.good.has(piece)).collect();
    let count = asked.len();
    let cells = columns.min(count).max(1);
    let signs = if style.ascii { ['#', '~', '.'] } else { ['█', '▒', '░'] };
    (0..cells)
        .map(|cell| {
            let part = &asked[cell * count / cells..(cell + 1) * count / cells];
            let good = part.iter().filter(|&&good| good).count();
            match good {
                good if good == part.len() => signs[0],
                0 => signs[2],
                _ => signs[1],
            }
        })
        .collect()
}

fn len(verdict: &Verdict<'_>, file: &FileReport) -> u64 {
    verdict.len_of(file)
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
