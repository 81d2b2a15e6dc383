//! Safe relative paths for the file names of a torrent.
//!
//! The names in a torrent are chosen by a stranger. [`resolve`] turns them into paths that stay below the
//! directory they are joined to, can be created on every file system, and stay distinct on file systems that
//! ignore letter case or Unicode composition. The result depends only on the names and their order, so a
//! torrent has the same paths however it was obtained.
//!
//! Characters that are merely inconvenient on other systems (`?`, `*`, `|`, a colon after more than one
//! letter) are kept, so that data stored by other clients is found.

use std::collections::BTreeMap;
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

/// The longest path component, in bytes.
pub const MAX_COMPONENT: usize = 255;
/// The most components of a path.
pub const MAX_DEPTH: usize = 100;
/// The most directories of a torrent.
pub const MAX_DIRECTORIES: usize = 1 << 19;
/// The longest extension that is preserved when a name is cut, in bytes with its dot.
const MAX_EXTENSION: usize = 32;
/// The longest number that distinguishes equal names, as in ` (4294967295)`, in bytes.
const ROOM_FOR_NUMBER: usize = 13;

/// The relative path of a file of a torrent: components joined by `/`, none of them empty, `.` or `..`. Only
/// this module creates them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SafePath(Box<str>);

impl SafePath {
    /// Makes a path of one component from any name.
    pub fn single(name: &[u8]) -> Self {
        Self(safe_name(name).into())
    }

    /// Returns the path as text, with `/` between components. The text comes from a stranger: print it as
    /// [`Untrusted`](crate::base::Untrusted).
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the path, to be joined to a directory.
    pub fn as_path(&self) -> &Path {
        Path::new(&*self.0)
    }

    /// Returns the components, outermost first; at least one.
    pub fn components(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the last component.
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Replaces the outermost component with a safe form of `name`. Applied to all paths of a torrent, it
    /// keeps them distinct.
    pub fn with_root(&self, name: &[u8]) -> Self {
        let root = safe_name(name);
        Self(match self.0.split_once('/') {
            Some((_, rest)) => format!("{root}/{rest}").into(),
            None => root.into(),
        })
    }
}

/// The error for more than [`MAX_DIRECTORIES`] directories.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the files lie in more than {MAX_DIRECTORIES} directories")]
pub struct TooManyDirectories;

/// Returns a safe path for each file, in order. Directories whose names differ only in letter case or
/// composition become one, spelled as it first occurs. The first file with a name keeps it unless a directory
/// has it; later ones get a number. Takes time n log n in the length of all names.
pub fn resolve<'a, F, C>(files: F) -> Result<Vec<SafePath>, TooManyDirectories>
where
    F: IntoIterator<Item = C>,
    C: IntoIterator<Item = &'a [u8]>,
{
    resolve_within(files, MAX_DIRECTORIES)
}

fn resolve_within<'a, F, C>(files: F, most_directories: usize) -> Result<Vec<SafePath>, TooManyDirectories>
where
    F: IntoIterator<Item = C>,
    C: IntoIterator<Item = &'a [u8]>,
{
    let mut dirs = Directories { most: most_directories, list: Vec::new(), by_name: BTreeMap::new() };
    let mut places: Vec<(u32, String)> = Vec::new();
    let mut names = Vec::new();
    for components in files {
        names.clear();
        names.extend(components.into_iter().map(safe_name));
        let file = names.pop().unwrap_or_else(|| "_".to_owned());
        names.truncate(MAX_DEPTH - 1);
        let mut dir = ROOT;
        for name in names.drain(..) {
            dir = dirs.enter(dir, name)?;
        }
        places.push((dir, file));
    }
    let mut taken = std::mem::take(&mut dirs.by_name);
    let mut equal = Vec::new();
    for (number, (dir, name)) in places.iter().enumerate() {
        match taken.entry((*dir, fold(name))) {
            std::collections::btree_map::Entry::Occupied(_) => equal.push(number),
            std::collections::btree_map::Entry::Vacant(free) => {
                free.insert(FILE);
            }
        }
    }
    tell_apart(&mut places, &equal, &mut taken);
    // The prefix is cached, as files of one directory mostly follow one another. The paths of all directories
    // together could be far longer than those of all files.
    let (mut last, mut prefix) = (ROOT, String::new());
    let join = |(dir, name)| {
        if dir != last {
            (last, prefix) = (dir, dirs.prefix(dir));
        }
        SafePath(format!("{prefix}{name}").into())
    };
    Ok(places.into_iter().map(join).collect())
}

/// Makes a safe component from any bytes: UTF-8 of 1 to [`MAX_COMPONENT`] bytes, without separators, control
/// and bidirectional characters, drive letters, reserved names, and dots or spaces at the end.
pub fn safe_name(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut name: String = text.chars().map(|c| if is_bad(c) { '_' } else { c }).collect();
    if is_reserved(&name) {
        name.insert(0, '_');
    }
    if name.as_bytes().get(1) == Some(&b':') && name.as_bytes()[0].is_ascii_alphabetic() {
        name.replace_range(1..2, "_");
    }
    if name.len() > MAX_COMPONENT {
        let (stem, extension) = split_extension(&name);
        name = format!("{}{extension}", cut(stem, MAX_COMPONENT - extension.len()));
    }
    let kept = name.trim_end_matches(['.', ' ']).len();
    if kept < name.len() || name.is_empty() {
        let missing = (name.len() - kept).max(1);
        name.truncate(kept);
        name.extend(std::iter::repeat_n('_', missing));
    }
    name
}

/// Returns a form that is equal for all names that some file system treats as equal.
fn fold(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    // Converting to upper case first unites letters that have several lower-case forms, such as final sigma.
    name.nfd().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfd().collect()
}

/// The index of the root directory.
const ROOT: u32 = 0;
/// A marker for a file, in place of a directory's index.
const FILE: u32 = u32::MAX;

/// The directories of a torrent, as a tree.
struct Directories {
    most: usize,
    /// The parent and name of each directory except the root; parents come before their children.
    list: Vec<(u32, String)>,
    by_name: BTreeMap<(u32, String), u32>,
}

impl Directories {
    fn enter(&mut self, parent: u32, name: String) -> Result<u32, TooManyDirectories> {
        let key = (parent, fold(&name));
        if let Some(&number) = self.by_name.get(&key) {
            return Ok(number);
        }
        if self.list.len() >= self.most {
            return Err(TooManyDirectories);
        }
        self.list.push((parent, name));
        let number = self.list.len() as u32;
        self.by_name.insert(key, number);
        Ok(number)
    }

    /// Returns the path of a directory, with `/` at its end; empty for the root.
    fn prefix(&self, mut dir: u32) -> String {
        let mut names = Vec::new();
        while dir != ROOT {
            let (parent, name) = &self.list[dir as usize - 1];
            names.push(name.as_str());
            dir = *parent;
        }
        names.iter().rev().flat_map(|name| [*name, "/"]).collect()
    }
}

/// Adds numbers to the names at these indices until they are unique. Numbers continue per name, so that no
/// candidate is tried twice.
fn tell_apart(places: &mut [(u32, String)], equal: &[usize], taken: &mut BTreeMap<(u32, String), u32>) {
    let mut last_number: BTreeMap<(u32, String), u32> = BTreeMap::new();
    for &number in equal {
        let (dir, name) = &mut places[number];
        let (stem, extension) = split_extension(name);
        let stem = cut(stem, MAX_COMPONENT - ROOM_FOR_NUMBER - extension.len());
        let counter = last_number.entry((*dir, fold(&format!("{stem}{extension}")))).or_insert(0);
        *name = loop {
            *counter += 1;
            let candidate = format!("{stem} ({counter}){extension}");
            if let std::collections::btree_map::Entry::Vacant(free) = taken.entry((*dir, fold(&candidate))) {
                free.insert(FILE);
                break candidate;
            }
        };
    }
}

/// Splits a name before its last dot; the extension is empty if it is too long or the whole name.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION => name.split_at(dot),
        _ => (name, ""),
    }
}

/// Cuts a text to at most `most` bytes, between characters.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// Whether a character separates components, controls the terminal or changes how others are shown.
fn is_bad(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '/' | '\\' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Whether Windows reserves the name for a device, whatever its extension.
fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" => true,
        other => {
            let number = other.strip_prefix("COM").or_else(|| other.strip_prefix("LPT"));
            number.is_some_and(|n| {
                n.chars().count() == 1 && n.contains(|c: char| c.is_ascii_digit() || "¹²³".contains(c))
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn paths(files: &[&str]) -> Vec<String> {
        let files = files.iter().map(|path| path.split('/').map(str::as_bytes));
        resolve(files).unwrap().iter().map(|path| path.as_str().to_owned()).collect()
    }

    #[test]
    fn names_that_lead_elsewhere_stay() {
        let cases: [(&[u8], &str); 24] = [
            (b"", "_"),
            (b".", "_"),
            (b"..", "__"),
            (b"...", "___"),
            (b"../../etc/passwd", ".._.._etc_passwd"),
            (b"/etc/passwd", "_etc_passwd"),
            (b"..\\..\\windows", ".._.._windows"),
            (b"a\0b", "a_b"),
            (b"C:", "C_"),
            (b"c:\\x", "c__x"),
            (b"Part 1: the end", "Part 1: the end"),
            (b"\xc0\xae\xc0\xae", "\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            (b"\x1b]0;x\x07", "_]0;x_"),
            (b"CON", "_CON"),
            (b"nul.txt", "_nul.txt"),
            (b"Com1.tar.gz", "_Com1.tar.gz"),
            (b"lpt9 .x", "_lpt9 .x"),
            (b"COM10", "COM10"),
            (b"console", "console"),
            (b"a.", "a_"),
            (b"a. . ", "a____"),
            (b" a", " a"),
            ("photo\u{202e}gpj.exe".as_bytes(), "photo_gpj.exe"),
            ("COM²".as_bytes(), "_COM²"),
        ];
        for (raw, safe) in cases {
            assert_eq!(safe_name(raw), safe, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn long_names_are_cut_and_keep_their_extension() {
        let long = safe_name(format!("{}.tar.gz", "é".repeat(300)).as_bytes());
        assert!(long.len() <= MAX_COMPONENT && long.ends_with("é.gz"), "{long}");
        assert_eq!(safe_name(&b"x".repeat(4096)).len(), MAX_COMPONENT);
        assert_eq!(safe_name(format!("a.{}", "x".repeat(400)).as_bytes()).len(), MAX_COMPONENT);
        assert!(safe_name(format!("{} . {}", "x".repeat(252), "y".repeat(90)).as_bytes()).ends_with('_'));
    }

    #[test]
    fn equal_names_get_numbers() {
        assert_eq!(paths(&["d/a.txt", "d/a.txt", "e/a.txt"]), ["d/a.txt", "d/a (1).txt", "e/a.txt"]);
        assert_eq!(paths(&["Read", "READ", "read"]), ["Read", "READ (1)", "read (2)"]);
        assert_eq!(paths(&["a", "a", "a (1)"]), ["a", "a (2)", "a (1)"]);
        assert_eq!(paths(&["caf\u{e9}", "cafe\u{301}"]), ["caf\u{e9}", "cafe\u{301} (1)"]);
        assert_eq!(paths(&["σ", "ς", "Σ"]), ["σ", "ς (1)", "Σ (2)"]);
        assert_eq!(paths(&["..", "__", "."]), ["__", "__ (1)", "_"]);
    }

    #[test]
    fn a_file_gives_way_to_a_directory() {
        assert_eq!(paths(&["a", "A/b", "a/c"]), ["a (1)", "A/b", "A/c"]);
        assert_eq!(paths(&["x/y/z", "x/y"]), ["x/y/z", "x/y (1)"]);
    }

    #[test]
    fn deep_paths_are_folded() {
        let deep = vec!["d"; 500].join("/");
        let path = &paths(&[&format!("{deep}/file")])[0];
        assert_eq!(path.split('/').count(), MAX_DEPTH);
        assert!(path.ends_with("/file"));
    }

    #[test]
    fn twenty_thousand_equal_names_differ() {
        let long = "n".repeat(250);
        let near: Vec<_> = (0..10_000).map(|n| format!("{long}{:04}", n / 2)).collect();
        for names in [vec!["same"; 20_000], near.iter().map(String::as_str).collect()] {
            let all: BTreeSet<_> = paths(&names).into_iter().collect();
            assert_eq!(all.len(), names.len());
        }
    }

    #[test]
    fn directories_are_counted() {
        let names: Vec<_> = (0..=7).map(|n| n.to_string()).collect();
        let files = || names.iter().map(|name| [name.as_bytes(), b"f"]);
        assert_eq!(resolve_within(files(), 7), Err(TooManyDirectories));
        assert_eq!(resolve_within(files(), 8).map(|paths| paths.len()), Ok(8));
    }

    #[test]
    fn a_root_is_replaced() {
        let of = |text: &str| resolve([text.split('/').map(str::as_bytes)]).unwrap().remove(0);
        assert_eq!(of("a/b/c").with_root(b"x/y").as_str(), "x_y/b/c");
        assert_eq!(of("a").with_root(b"..").as_str(), "__");
        assert_eq!(of("a/b").file_name(), "b");
        assert_eq!(SafePath::single(b"/").as_path(), Path::new("_"));
    }

    fn hostile_name() -> impl Strategy<Value = Vec<u8>> {
        let chars = prop::sample::select(
            "aAbB.. /\\:\0\u{202e}éE\u{301}e1()CONconß\u{1b}".chars().collect::<Vec<_>>(),
        );
        prop_oneof![
            4 => prop::collection::vec(chars, 0..5).prop_map(|c| c.into_iter().collect::<String>().into_bytes()),
            1 => prop::collection::vec(any::<u8>(), 0..400),
        ]
    }

    proptest! {
        #[test]
        fn any_names_give_safe_paths_that_differ(
            files in prop::collection::vec(prop::collection::vec(hostile_name(), 0..5), 0..30),
        ) {
            let result = resolve(files.iter().map(|f| f.iter().map(Vec::as_slice))).unwrap();
            prop_assert_eq!(result.len(), files.len());
            let all: BTreeSet<_> = result.iter().map(|p| fold(p.as_str())).collect();
            prop_assert_eq!(all.len(), files.len());
            for path in &result {
                let mut inner = path.as_str();
                for name in path.components() {
                    prop_assert!((1..=MAX_COMPONENT).contains(&name.len()));
                    prop_assert!(name != "." && name != ".." && !name.ends_with(['.', ' ']));
                    prop_assert!(!name.chars().any(is_bad) && !is_reserved(name));
                }
                while let Some((dir, _)) = inner.rsplit_once('/') {
                    prop_assert!(!all.contains(&fold(dir)), "{} is a file and a directory", dir);
                    inner = dir;
                }
                prop_assert!(path.as_path().components().all(|c| matches!(c, std::path::Component::Normal(_))));
            }
        }

        #[test]
        fn a_safe_name_is_left_as_it_is(raw in hostile_name()) {
            let once = safe_name(&raw);
            prop_assert_eq!(safe_name(once.as_bytes()), once);
        }
    }
}
