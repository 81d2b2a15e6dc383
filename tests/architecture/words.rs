//! Rules for words: how the documentation of an item begins, and how limits are named.

use std::path::Path;

use super::source::{Source, files_below};

/// The rooms of the library.
const ROOMS: [&str; 10] = [
    "src/base",
    "src/hash",
    "src/proto",
    "src/dht",
    "src/swarm",
    "src/net",
    "src/store",
    "src/engine",
    "src/app",
    "src/face",
];

/// Beginnings that do not name the item they document.
const BEGINNINGS: [&str; 5] = ["It ", "Who ", "What ", "That ", "Whether it "];

#[test]
fn documentation_begins_with_its_subject() {
    let mut wrong = Vec::new();
    for source in sources(&ROOMS) {
        let doc = |at: usize| source.lines.get(at).and_then(|line| documentation(line));
        for at in (0..source.lines.len()).filter(|&at| at == 0 || doc(at - 1).is_none()) {
            let Some(first) = doc(at) else { continue };
            // The help of a flag or an argument, which is one line without a full stop.
            if !first.ends_with('.') && doc(at + 1).is_none_or(str::is_empty) {
                continue;
            }
            let alone = first.ends_with('.') && doc(at + 1).is_none_or(str::is_empty);
            if BEGINNINGS.iter().any(|beginning| first.starts_with(beginning)) {
                wrong.push(source.complaint(at + 1, "begins without its subject"));
            } else if alone && !first.contains(['`', '[']) && first.split(' ').count() == 1 {
                wrong.push(source.complaint(at + 1, "one word documents nothing"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn limits_are_named_max_and_min() {
    let mut wrong = Vec::new();
    for source in sources(&["src", "tests", "benches"]) {
        let odd = |text: &str| text.starts_with("MOST_") || text.starts_with("LEAST_");
        for token in source.tokens.iter().filter(|token| odd(&token.text)) {
            wrong.push(source.complaint(token.line, "a limit is MAX_ or MIN_"));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn sources(folders: &[&str]) -> Vec<Source> {
    folders.iter().flat_map(|folder| files_below(Path::new(folder))).map(|file| Source::read(&file)).collect()
}

/// The words of a line of documentation.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!")).map(str::trim)
}
