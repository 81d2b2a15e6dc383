//! Findings: properties of a torrent that are allowed but rarely intended. Those that `torr create` also
//! warns about have the same names there.

use std::collections::BTreeSet;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;

use crate::app::making::portable::portable;
use crate::base::{Untrusted, units};

use super::about::{About, Content, Entry, V2_ALONE};

/// Bytes of a path above which systems of 260 characters have no room for a folder to put it in.
const LONG_PATH: usize = 200;
/// The largest pieces that are common, in bytes.
const LARGE_PIECE: u32 = 16 << 20;
/// The largest torrent files that are common, in bytes.
const LARGE_TORRENT: usize = 8 << 20;

/// One finding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// Its name.
    pub name: &'static str,
    /// One sentence.
    pub text: String,
}

/// Looks at a torrent; `bytes` is the length of its file.
pub fn find(about: &About, bytes: usize) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut add = |name, text: &str| found.push(Finding { name, text: text.to_owned() });
    let extras = &about.extras;
    if let Some(content) = &about.content {
        of_content(about, content, &mut add);
    }
    if bytes > LARGE_TORRENT {
        let size = units::size(bytes as u64);
        add("large-torrent", &format!("the torrent file has {size}, which some clients reject"));
    }
    let odd_tracker = |url: &&Untrusted| {
        !["http://", "https://", "udp://"]
            .iter()
            .any(|scheme| url.raw().to_ascii_lowercase().starts_with(scheme))
    };
    if let Some(url) = extras.trackers.iter().flatten().find(odd_tracker) {
        add("odd-tracker", &format!("the tracker {} is neither http, https nor udp", url.fit(60)));
    }
    for note in about.notes.iter().filter(|note| *note != V2_ALONE) {
        add("note", note);
    }
    found
}

fn of_content(about: &About, content: &Content, add: &mut impl FnMut(&'static str, &str)) {
    if !content.piece_len.is_power_of_two() {
        add("uneven-piece", "the piece size is not a power of two, which some clients reject");
    }
    if content.piece_len > LARGE_PIECE {
        add("large-piece", "some clients reject pieces above 16 MiB");
    }
    if content.private && about.extras.trackers.is_empty() {
        add("private-without-tracker", "a private torrent without a tracker finds no peers");
    }
    if content.private && !about.extras.nodes.is_empty() {
        add("private-with-node", "a private torrent does not use its DHT nodes");
    }
    if !content.single && about.extras.web_seeds.iter().any(|url| !url.raw().ends_with('/')) {
        let text = "the web seed of a folder must be the URL of its parent folder and end with a slash";
        add("web-seed-without-slash", text);
    }
    if let Some(which) = those(content.files.iter().filter(|file| given(file).len() > LONG_PATH)) {
        add("path-too-long", &format!("{which} too long for some systems"));
    }
    let odd = |file: &&Entry| !given(file).split('/').all(portable);
    if let Some(which) = those(content.files.iter().filter(odd)) {
        add("name-not-portable", &format!("{which} not valid on Windows"));
    }
    if let Some(which) = those(collisions(&content.files).into_iter()) {
        add("names-collide", &format!("{which} the same as another if case is ignored"));
    }
}

/// `3 paths are`, with the first as an example.
fn those<'a>(mut files: impl Iterator<Item = &'a Entry>) -> Option<String> {
    let first = Untrusted::new(given(files.next()?)).fit(60);
    Some(match files.count() {
        0 => format!("the path {first} is"),
        more => format!("{} (the first is {first}) are", units::plural(more as u64 + 1, "path", "paths")),
    })
}

/// Files that would share a path with an earlier one on a system that does not tell letter case and
/// composition apart.
fn collisions(files: &[Entry]) -> Vec<&Entry> {
    let fold = |path: &str| path.nfc().collect::<String>().to_lowercase();
    let mut seen = BTreeSet::new();
    files.iter().filter(|file| !seen.insert(fold(given(file)))).collect()
}

/// The path as others see it.
fn given(file: &Entry) -> &str {
    file.given.as_deref().unwrap_or(&file.path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::InfoHashes;
    use crate::proto::magnet::Magnet;
    use crate::proto::metainfo::Attributes;

    fn names(change: impl FnOnce(&mut About)) -> Vec<&'static str> {
        let mut about = About::link(Magnet::new(InfoHashes::from_v1([1; 20])), &[]);
        about.content = Some(Content {
            size: 5,
            piece_len: 1 << 20,
            pieces: 1,
            single: false,
            private: false,
            source: None,
            files: vec![entry("t/a", 1)],
        });
        change(&mut about);
        find(&about, 100).into_iter().map(|finding| finding.name).collect()
    }

    fn entry(path: &str, number: usize) -> Entry {
        Entry { number, path: path.to_owned(), given: None, len: 5, attributes: Attributes::NONE }
    }

    #[test]
    fn what_is_seldom_meant_is_found() {
        assert!(names(|_| ()).is_empty());
        let content = |change: fn(&mut Content)| names(|about| about.content.iter_mut().for_each(change));
        assert_eq!(content(|c| c.piece_len = 48 << 10), ["uneven-piece"]);
        assert_eq!(content(|c| c.piece_len = 32 << 20), ["large-piece"]);
        assert_eq!(content(|c| c.private = true), ["private-without-tracker"]);
        assert_eq!(content(|c| c.files.push(entry("t/CON.txt", 2))), ["name-not-portable"]);
        assert_eq!(content(|c| c.files.push(entry("t/A", 2))), ["names-collide"]);
        assert_eq!(content(|c| c.files.push(entry(&"x".repeat(201), 2))), ["path-too-long"]);
        assert_eq!(names(|a| a.extras.web_seeds.push("http://w/x".into())), ["web-seed-without-slash"]);
        assert_eq!(names(|a| a.extras.trackers.push(vec!["wss://t".into()])), ["odd-tracker"]);
        assert_eq!(names(|a| a.notes.push("something".to_owned())), ["note"]);
        assert!(portable("common") && portable("com") && !portable("COM1.x") && !portable("x."));
    }
}
