//! The picture for people.

use jiff::tz::TimeZone;

use crate::base::{Untrusted, units};
use crate::face::cli::output::Output;
use crate::face::cli::style::{Role, Style, pad, pad_left, width, wrap};
use crate::face::cli::tree;

use super::about::{About, Content};

/// Lines of the tree that are shown without being asked for all.
const FEW_LINES: usize = 40;
/// The columns of the labels.
const LABEL: usize = 12;

/// Everything that is known, with labels on the left.
pub fn text(about: &About, all: bool, output: &Output) -> String {
    let style = output.out;
    let room = output.columns().saturating_sub(LABEL + 2).max(10);
    let extras = &about.extras;
    let mut text = String::new();
    let mut put = |label: &str, lines: Vec<String>| {
        for (number, line) in lines.into_iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            let line = format!("{}  {line}", style.paint(Role::Dim, &pad_left(label, LABEL)));
            text.push_str(line.trim_end());
            text.push('\n');
        }
    };
    let wrapped = |value: &Option<Untrusted>| {
        value.as_ref().map(|value| few_lines(&value.clean(), room)).unwrap_or_default()
    };
    let name = match &about.name {
        Some(_) => wrapped(&about.name),
        None => vec!["not in the link; only in the torrent file".to_owned()],
    };
    put("Name", name);
    put("Info hash", hashes(about, style, room));
    if let Some(content) = &about.content {
        put("Size", vec![size(content)]);
        put("Pieces", vec![pieces(content)]);
    }
    put("Created", created(about, room));
    if let Some(content) = &about.content {
        let private = if content.private {
            "yes (trackers only: no DHT, PEX or LSD)"
        } else {
            "no (DHT, PEX and LSD allowed)"
        };
        put("Private", vec![private.to_owned()]);
        put("Source", wrapped(&content.source));
    }
    put("Comment", wrapped(&extras.comment));
    let tiers = extras.trackers.iter().enumerate();
    put(
        "Trackers",
        tiers.flat_map(|(tier, urls)| urls.iter().map(move |url| format!("{}  {url}", tier + 1))).collect(),
    );
    put("Web seeds", extras.web_seeds.iter().chain(&extras.http_seeds).map(Untrusted::clean).collect());
    put("DHT nodes", extras.nodes.iter().map(|(host, port)| format!("{host}:{port}")).collect());
    if let Some(hints) = &about.link {
        put("Peers", hints.peers.clone());
        put("Wanted", hints.select.iter().map(|files| format!("files {files}")).collect());
    }
    if about.content.is_some() {
        put("Files", tree::lines_of(about.listed(), style, room, if all { usize::MAX } else { FEW_LINES }));
    }
    put("Magnet", vec![about.magnet.to_string()]);
    put("Note", about.notes.iter().flat_map(|note| few_lines(note, room)).collect());
    text
}

/// The hashes with their versions. That of v2 is too long for most terminals, so there its middle is left
/// out; the link has all of it.
fn hashes(about: &About, style: Style, room: usize) -> Vec<String> {
    let whole = 64 + "   v2".len() <= room;
    let shortened = |hash: String| {
        let dots = style.sign("…", "...");
        let start = 40 - 8 - width(dots);
        if whole { hash } else { format!("{}{dots}{}", &hash[..start], &hash[hash.len() - 8..]) }
    };
    let (v1, v2) = (about.v1(), about.v2_hash().map(shortened));
    let widest = v1.iter().chain(&v2).map(|hash| width(hash)).max().unwrap_or(0);
    let line = |hash: Option<String>, version| hash.map(|hash| format!("{}   {version}", pad(&hash, widest)));
    [line(v1, "v1"), line(v2, "v2")].into_iter().flatten().collect()
}

fn size(content: &Content) -> String {
    let count = if content.single {
        "one file".to_owned()
    } else {
        units::plural(content.files.len() as u64, "file", "files")
    };
    format!("{} in {count}", units::size(content.size))
}

fn pieces(content: &Content) -> String {
    format!("{} x {}", units::count(content.pieces), units::size(u64::from(content.piece_len)))
}

fn created(about: &About, room: usize) -> Vec<String> {
    let date =
        about.created().map(|at| at.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M").to_string());
    let by = about.extras.created_by.as_ref().map(|by| format!("by {by}"));
    let made: Vec<String> = [date, by].into_iter().flatten().collect();
    if made.is_empty() { Vec::new() } else { few_lines(&made.join(" "), room) }
}

/// At most six lines of at most this many columns.
fn few_lines(text: &str, columns: usize) -> Vec<String> {
    let mut lines = wrap(text, columns);
    if lines.len() > 6 {
        lines.truncate(6);
        lines.push("...".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_wrapped_and_endless_ones_are_cut() {
        assert_eq!(few_lines("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(few_lines("", 4), [""]);
        assert_eq!(few_lines(&"x".repeat(1000), 4).len(), 7);
        assert_eq!(few_lines("日本語", 4), ["日本", "語"]);
    }
}
