//! Lints: properties that a torrent may have and that are seldom intended.

use std::collections::BTreeMap;

use unicode_normalization::UnicodeNormalization;

use super::gather::Gathered;
use super::portable::portable;
use crate::base::{Geometry, Untrusted, units};
use crate::proto::metainfo::Draft;
use crate::store::ScannedFile;

/// One kind of finding.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lint {
    /// The piece size is not a power of two.
    UnevenPiece,
    /// Pieces above 16 MiB.
    LargePiece,
    /// A torrent file above 8 MiB.
    LargeTorrent,
    /// A private torrent that names no tracker.
    PrivateWithoutTracker,
    /// A private torrent that names nodes of the distributed hash table.
    PrivateWithNode,
    /// A web seed of several files that does not end with a slash.
    WebSeedWithoutSlash,
    /// Paths too long for some systems.
    PathTooLong,
    /// Names that Windows does not take.
    NameNotPortable,
    /// Names that are the same where letter case does not count.
    NamesCollide,
}

/// A finding of a lint, in one sentence.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// Of which kind.
    pub lint: Lint,
    /// The sentence.
    pub text: String,
}

impl Lint {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::UnevenPiece,
        Self::LargePiece,
        Self::LargeTorrent,
        Self::PrivateWithoutTracker,
        Self::PrivateWithNode,
        Self::WebSeedWithoutSlash,
        Self::PathTooLong,
        Self::NameNotPortable,
        Self::NamesCollide,
    ];

    /// The name on a command line and in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnevenPiece => "uneven-piece",
            Self::LargePiece => "large-piece",
            Self::LargeTorrent => "large-torrent",
            Self::PrivateWithoutTracker => "private-without-tracker",
            Self::PrivateWithNode => "private-with-node",
            Self::WebSeedWithoutSlash => "web-seed-without-slash",
            Self::PathTooLong => "path-too-long",
            Self::NameNotPortable => "name-not-portable",
            Self::NamesCollide => "names-collide",
        }
    }
}

/// Bytes of a path with the torrent's name, above which systems of 260 characters have no room for a
/// folder to put it in.
const LONG_PATH: usize = 200;
/// The largest pieces that are common, in bytes.
const LARGE_PIECE: u32 = 16 << 20;
/// The largest torrent files that are common, in bytes.
const LARGE_TORRENT: usize = 8 << 20;

/// Looks at a torrent that is going to be made; `size` is that of the torrent file.
pub fn find(
    draft: &Draft,
    found: &Gathered,
    shape: &Geometry,
    size: usize,
    allowed: &[Lint],
) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |lint, text: &str| all.push(Finding { lint, text: text.to_owned() });
    let piece_len = shape.piece_len();
    if !piece_len.is_power_of_two() {
        add(Lint::UnevenPiece, "the piece size is not a power of two, which some clients reject");
    }
    if piece_len > LARGE_PIECE {
        add(Lint::LargePiece, "some clients reject pieces above 16 MiB");
    }
    if size > LARGE_TORRENT {
        let text = format!("the torrent file has {}, which some clients reject", units::size(size as u64));
        add(Lint::LargeTorrent, &text);
    }
    if draft.private && draft.extras.trackers.is_empty() {
        add(Lint::PrivateWithoutTracker, "a private torrent without a tracker finds no peers");
    }
    if draft.private && !draft.extras.nodes.is_empty() {
        add(Lint::PrivateWithNode, "a private torrent does not use its DHT nodes");
    }
    if found.is_folder && draft.extras.web_seeds.iter().any(|url| !url.raw().ends_with('/')) {
        let text = "the web seed of a folder must be the URL of its parent folder and end with a slash";
        add(Lint::WebSeedWithoutSlash, text);
    }
    let long = |file: &&ScannedFile| {
        draft.name.len() + file.names.iter().map(|name| name.len() + 1).sum::<usize>() > LONG_PATH
    };
    if let Some(which) = those(found.files.iter().filter(long)) {
        add(Lint::PathTooLong, &format!("{which} too long for some systems"));
    }
    let odd = |file: &&ScannedFile| !file.names.iter().all(|name| portable(name));
    if !portable(&draft.name) {
        add(Lint::NameNotPortable, "the name of the torrent is not valid on Windows");
    }
    if let Some(which) = those(found.files.iter().filter(odd)) {
        add(Lint::NameNotPortable, &format!("{which} not valid on Windows"));
    }
    if let Some(which) = those(collisions(&found.files).into_iter()) {
        add(Lint::NamesCollide, &format!("{which} the same as another if case is ignored"));
    }
    all.retain(|finding| !allowed.contains(&finding.lint));
    all
}

/// `3 paths are`, with the first as an example.
fn those<'a>(mut files: impl Iterator<Item = &'a ScannedFile>) -> Option<String> {
    let first = Untrusted::new(files.next()?.names.join("/")).fit(60);
    Some(match files.count() {
        0 => format!("the path {first} is"),
        more => format!("{} (the first is {first}) are", units::plural(more as u64 + 1, "path", "paths")),
    })
}

/// Files and folders that would share a name on a system that does not tell letter case and composition
/// apart; of each only the later ones.
fn collisions(files: &[ScannedFile]) -> Vec<&ScannedFile> {
    let fold = |name: &str| name.nfc().collect::<String>().to_lowercase();
    let mut spelled: BTreeMap<Vec<String>, &[String]> = BTreeMap::new();
    let mut collide = Vec::new();
    for file in files {
        let folded: Vec<String> = file.names.iter().map(|name| fold(name)).collect();
        let others = (1..=folded.len()).any(|depth| {
            let here = &file.names[..depth];
            *spelled.entry(folded[..depth].to_vec()).or_insert(here) != here
        });
        if others {
            collide.push(file);
        }
    }
    collide
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::metainfo::{Content, Extras};
    use crate::store::ScanStamp;

    fn found(paths: &[&str]) -> Gathered {
        let file = |path: &&str| ScannedFile {
            path: path.into(),
            names: path.split('/').map(str::to_owned).collect(),
            len: 1,
            executable: false,
            stamp: ScanStamp::default(),
        };
        Gathered { files: paths.iter().map(file).collect(), is_folder: true, ..Gathered::default() }
    }

    fn draft() -> Draft {
        let trackers = vec![vec!["udp://t.example:1".into()]];
        Draft {
            name: "name".into(),
            content: Content::Several(Vec::new()),
            piece_len: 1 << 20,
            digests: Vec::new(),
            private: false,
            source: None,
            extras: Extras { trackers, ..Extras::default() },
        }
    }

    fn of(draft: &Draft, paths: &[&str], piece_len: u64, size: usize) -> Vec<(Lint, String)> {
        let found = found(paths);
        let shape = Geometry::new(piece_len, found.files.iter().map(|file| (file.len, false))).unwrap();
        let all = find(draft, &found, &shape, size, &[]);
        for finding in &all {
            assert!(
                !find(draft, &found, &shape, size, &[finding.lint])
                    .iter()
                    .any(|other| other.lint == finding.lint)
            );
        }
        all.into_iter().map(|finding| (finding.lint, finding.text)).collect()
    }

    fn lints(draft: &Draft, paths: &[&str]) -> Vec<Lint> {
        of(draft, paths, 1 << 20, 1000).into_iter().map(|(lint, _)| lint).collect()
    }

    #[test]
    fn a_common_torrent_has_none() {
        assert_eq!(of(&draft(), &["a/b.c", "a/d", "e"], 16 << 20, 8 << 20), []);
    }

    #[test]
    fn sizes_that_are_uncommon_are_found() {
        let kinds = |piece_len, size| {
            of(&draft(), &["a"], piece_len, size).into_iter().map(|(lint, _)| lint).collect::<Vec<_>>()
        };
        assert_eq!(kinds(48 << 10, 1), [Lint::UnevenPiece]);
        assert_eq!(kinds(32 << 20, 1), [Lint::LargePiece]);
        assert_eq!(kinds(1 << 20, (8 << 20) + 1), [Lint::LargeTorrent]);
    }

    #[test]
    fn private_torrents_need_a_tracker_and_no_nodes() {
        let mut draft = Draft { private: true, ..draft() };
        assert_eq!(lints(&draft, &["a"]), []);
        draft.extras.nodes = vec![("h".into(), 1)];
        assert_eq!(lints(&draft, &["a"]), [Lint::PrivateWithNode]);
        draft.extras.trackers.clear();
        assert_eq!(lints(&draft, &["a"]), [Lint::PrivateWithoutTracker, Lint::PrivateWithNode]);
    }

    #[test]
    fn a_web_seed_of_a_folder_ends_with_a_slash() {
        let mut draft = draft();
        draft.extras.web_seeds = vec!["http://w/x/".into()];
        assert_eq!(lints(&draft, &["a"]), []);
        draft.extras.web_seeds.push("http://w/x".into());
        assert_eq!(lints(&draft, &["a"]), [Lint::WebSeedWithoutSlash]);
    }

    #[test]
    fn names_that_give_trouble_are_counted_with_an_example() {
        let long = format!("{}/b", "x".repeat(193));
        let found = of(&draft(), &["a/CON.txt", "a/ok", "b?", &long], 1 << 20, 1);
        assert_eq!(
            found,
            [(Lint::NameNotPortable, "2 paths (the first is a/CON.txt) are not valid on Windows".into())]
        );
        let found = of(&draft(), &[&format!("{long}c")], 1 << 20, 1);
        assert_eq!(found[0].0, Lint::PathTooLong);
        assert!(
            found[0].1.starts_with("the path xxx") && found[0].1.ends_with("… is too long for some systems")
        );
        assert_eq!(lints(&Draft { name: "nul".into(), ..draft() }, &["a"]), [Lint::NameNotPortable]);
        assert!(portable("common") && portable("com") && !portable("COM1.x") && !portable("x."));
    }

    #[test]
    fn names_that_differ_in_case_alone_are_found() {
        assert_eq!(lints(&draft(), &["A/x", "A/y", "b"]), []);
        let found = of(&draft(), &["A/x", "a/y", "q/\u{e9}", "q/e\u{301}"], 1 << 20, 1);
        assert_eq!(found[0].0, Lint::NamesCollide);
        assert!(found[0].1.starts_with("2 paths (the first is a/y) are the same"), "{found:?}");
    }
}
