//! One configuration file: read within bounds and parsed, each value and each problem with its line.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use toml_edit::{Document, Item, Key as TomlKey, TableLike};

use super::aliases;
use super::keys::{self, KeyId, SECTIONS};
use super::kind::Value;
use super::origin::{Origin, Problem, Severity};
use super::suggest;
use crate::app::{Remedy, reason};
use crate::base::Untrusted;

/// The size of the largest file that is read, in bytes.
pub const MAX_BYTES: u64 = 1 << 20;
/// The number of problems of one file that are kept.
const MAX_PROBLEMS: usize = 100;
/// The table whose tables are profiles.
pub const PROFILE: &str = "profile";

/// The result of reading a file.
#[derive(Debug)]
pub enum Read {
    /// The text of the file.
    Text(String),
    /// No such file.
    Absent,
    /// A file that cannot be used.
    Problem(Problem),
}

/// The content of one place.
#[derive(Clone, Default, Debug)]
pub struct Content {
    /// The keys that are set, the weakest first.
    pub found: Vec<Found>,
    /// The problems.
    pub problems: Vec<Problem>,
    /// The profiles that have sections.
    pub profiles: Vec<String>,
}

/// A key that is set.
#[derive(Clone, PartialEq, Debug)]
pub struct Found {
    /// The key.
    pub key: KeyId,
    /// The value, checked.
    pub value: Value,
    /// The place that sets the key.
    pub origin: Origin,
}

/// Reads a file that may be absent.
pub fn read(path: &Path) -> Read {
    let read = File::open(path).and_then(|file| {
        let mut bytes = Vec::new();
        file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes)
    });
    match read {
        Ok(bytes) => match decode(bytes, path) {
            Ok(text) => Read::Text(text),
            Err(problem) => Read::Problem(*problem),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Read::Absent
        }
        Err(error) => {
            Read::Problem(Problem::unread(path, format!("cannot be read: {}", reason(&error)), None))
        }
    }
}

/// Decodes the bytes of a file.
fn decode(bytes: Vec<u8>, path: &Path) -> Result<String, Box<Problem>> {
    if bytes.len() as u64 > MAX_BYTES {
        let why = "is too large for a configuration (more than 1 MiB)".to_owned();
        let remedy = Some(Remedy::Sentence("is it the right file?".to_owned()));
        return Err(Box::new(Problem::unread(path, why, remedy)));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = good.split(|&byte| byte == b'\n').count();
        let origin = Origin::File { path: path.to_owned(), line: Some(line) };
        let why = "this is not UTF-8".to_owned();
        let remedy = Some(Remedy::Sentence("save the file as UTF-8".to_owned()));
        Box::new(Problem { origin, ..Problem::unread(path, why, remedy) })
    })
}

/// Parses a text. Every profile is checked, the values of the one in use are taken.
pub fn scan(text: &str, path: &Path, profile: Option<&str>) -> Content {
    let mut scan = Scan { text, path, lines: Lines::new(text), content: Content::default() };
    let document = match Document::parse(text) {
        Ok(document) => document,
        Err(error) => {
            let at = error.span().map_or(text.len(), |span| span.start);
            let message = Untrusted::new(error.message().lines().next().unwrap_or_default()).fit(200);
            scan.problem(
                Severity::Error,
                at,
                None,
                message,
                Some(Remedy::Sentence("the syntax is TOML: key = value".to_owned())),
            );
            return scan.content;
        }
    };
    let root = document.as_table();
    for (key, item) in pairs(root).filter(|(key, _)| key.get() != PROFILE) {
        scan.section("", key, item);
    }
    if let Some((key, item)) = root.get_key_value(PROFILE) {
        scan.profiles(key, item, profile);
    }
    scan.content
}

struct Scan<'a> {
    text: &'a str,
    path: &'a Path,
    lines: Lines,
    content: Content,
}

impl Scan<'_> {
    fn profiles(&mut self, key: &TomlKey, item: &Item, chosen: Option<&str>) {
        let Some(table) = item.as_table_like() else {
            let message = "profile is no key but a table".to_owned();
            let hint = Remedy::Sentence("write [profile.NAME.section]".to_owned());
            return self.problem(Severity::Error, start(key, item), None, message, Some(hint));
        };
        for (key, item) in pairs(table) {
            let name = key.get();
            let Some(sections) = item.as_table_like() else {
                let message = format!("profile.{} is no key but a table", Untrusted::new(name).fit(60));
                let hint = Remedy::Sentence("write [profile.NAME.section]".to_owned());
                self.problem(Severity::Error, start(key, item), None, message, Some(hint));
                continue;
            };
            self.content.profiles.push(name.to_owned());
            let before = self.content.found.len();
            let prefix = format!("profile.{}.", Untrusted::new(name).fit(60));
            for (key, item) in pairs(sections) {
                self.section(&prefix, key, item);
            }
            if chosen != Some(name) {
                self.content.found.truncate(before);
            }
        }
    }

    fn section(&mut self, prefix: &str, key: &TomlKey, item: &Item) {
        let (name, at) = (key.get(), start(key, item));
        let known = SECTIONS.iter().find(|(section, _)| *section == name);
        match (known, item.as_table_like()) {
            (Some((section, _)), Some(table)) => {
                for (key, item) in pairs(table) {
                    self.key(prefix, section, table, key, item);
                }
            }
            (Some((section, _)), None) => {
                let message = format!("{section} is no key but a section");
                let hint = Remedy::Sentence(format!("write [{prefix}{section}]"));
                self.problem(Severity::Error, at, None, message, Some(hint));
            }
            (None, Some(_)) => {
                let message = format!("there is no section {prefix}{}", Untrusted::new(name).fit(60));
                let near = suggest::closest(name, keys::used().map(|(section, ..)| section));
                let hint = near.map(|near| Remedy::Sentence(format!("did you mean [{prefix}{near}]?")));
                self.problem(Severity::Warning, at, None, message, hint);
            }
            (None, None) => {
                let message =
                    format!("there is no key {prefix}{} outside the sections", Untrusted::new(name).fit(60));
                let hint = suggest::key(name)
                    .map(|near| Remedy::Sentence(format!("did you mean {prefix}{}?", near.full())));
                self.problem(Severity::Warning, at, None, message, hint);
            }
        }
    }

    fn key(&mut self, prefix: &str, section: &str, table: &dyn TableLike, key: &TomlKey, item: &Item) {
        let (name, at) = (key.get(), start(key, item));
        let full = format!("{section}.{name}");
        let shown = format!("{prefix}{}", Untrusted::new(full.as_str()).fit(80));
        let known = if let Some(known) = keys::find(&full) {
            known
        } else if let Some(meant) = aliases::key_of(section, name) {
            let right = format!("{prefix}{}", meant.full());
            if table.contains_key(meant.name) {
                let message = format!("{shown} counts for nothing, for {right} is there as well");
                let hint = Some(Remedy::Sentence("take one of them out".to_owned()));
                return self.problem(Severity::Warning, at, Some(meant.full()), message, hint);
            }
            let message = format!("{shown} is written {right} here; it works all the same");
            self.problem(Severity::Warning, at, Some(meant.full()), message, Some(Remedy::MigrateConfig));
            meant
        } else {
            let hint = suggest::key(&full)
                .map(|near| Remedy::Sentence(format!("did you mean {prefix}{}?", near.full())));
            let message = format!("there is no key {shown}");
            return self.problem(Severity::Warning, at, None, message, hint);
        };
        let kind = known.kind;
        let checked =
            item.as_value().and_then(Value::from_toml).ok_or_else(|| format!("write {}", kind.allowed()));
        match checked.and_then(|value| kind.check(&value).map(|()| value)) {
            Ok(value) => {
                let origin = self.origin(at);
                self.content.found.push(Found { key: known.id, value, origin });
            }
            Err(hint) => {
                let value_at = item.span().map_or(at, |span| span.start);
                let message = format!("{shown} cannot be {}", self.written(item));
                let key = Some(known.full());
                self.problem(Severity::Error, value_at, key, message, Some(Remedy::Sentence(hint)));
            }
        }
    }

    /// The value as it is written in the file.
    fn written(&self, item: &Item) -> String {
        let Some(span) = item.as_value().and_then(toml_edit::Value::span) else {
            return "a table".to_owned();
        };
        let text = self.text.get(span).unwrap_or_default();
        Untrusted::new(text.lines().next().unwrap_or_default()).fit(60)
    }

    fn origin(&self, at: usize) -> Origin {
        Origin::File { path: self.path.to_owned(), line: Some(self.lines.number(at)) }
    }

    fn problem(
        &mut self,
        severity: Severity,
        at: usize,
        key: Option<String>,
        message: String,
        remedy: Option<Remedy>,
    ) {
        // One error is kept however many warnings come before it.
        let full = self.content.problems.len() >= MAX_PROBLEMS;
        let error = severity == Severity::Error;
        if full && !(error && self.content.problems.iter().all(|other| other.severity != severity)) {
            return;
        }
        let origin = self.origin(at);
        self.content.problems.push(Problem { severity, origin, key, message, remedy });
    }
}

/// The keys of a table with their items.
pub fn pairs(table: &dyn TableLike) -> impl Iterator<Item = (&TomlKey, &Item)> {
    table.iter().filter_map(|(name, _)| table.get_key_value(name))
}

fn start(key: &TomlKey, item: &Item) -> usize {
    key.span().or_else(|| item.span()).map_or(0, |span| span.start)
}

/// The ends of the lines of a text.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The number of the line that holds this byte, counted from 1.
    fn number(&self, at: usize) -> usize {
        1 + self.0.partition_point(|&end| end < at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let content = scan(text, Path::new("/c"), None);
        content
            .problems
            .iter()
            .map(|problem| format!("{:?} {}", problem.severity, problem.sentence()))
            .collect()
    }

    #[test]
    fn keys_are_found_however_they_are_written() {
        let text = "network.port = 1 # one\nlimits = { down = \"2M\" }\n\n[seeding]\n\"get\" = 'forever'\n";
        let content = scan(text, Path::new("/c"), None);
        assert_eq!(content.problems, []);
        let found: Vec<String> = content
            .found
            .iter()
            .map(|found| format!("{} {} {}", found.key.key().full(), found.value, found.origin))
            .collect();
        assert_eq!(found, ["network.port 1 /c:1", "limits.down \"2M\" /c:2", "seeding.get \"forever\" /c:5"]);
    }

    #[test]
    fn what_nobody_knows_is_a_warning_with_what_was_meant() {
        assert_eq!(
            told(
                "dht = true\n[netwrok]\nport = 1\n[network]\nprot = 1\nsky = 2\n[profile.a.limits]\ndwn = 1"
            ),
            [
                "Warning /c:1: there is no key dht outside the sections; did you mean network.dht?",
                "Warning /c:2: there is no section netwrok; did you mean [network]?",
                "Warning /c:5: there is no key network.prot; did you mean network.port?",
                "Warning /c:6: there is no key network.sky",
                "Warning /c:8: there is no key profile.a.limits.dwn; did you mean profile.a.limits.down?",
            ]
        );
    }

    #[test]
    fn what_cannot_be_is_an_error_with_what_can() {
        assert_eq!(
            told(
                "network = 5\n[limits]\ndown = 200\nup = \"fa\u{202e}st\"\npeers_total = \"many\"\n[ui]\nfps = {}\n\
                  mouse = [\n 1,\n]\nunits = \"imperial\""
            ),
            [
                "Error /c:1: network is no key but a section; write [network]",
                "Error /c:3: limits.down cannot be 200; 200 bytes per second? write 200K for KiB/s, or none for no limit",
                "Error /c:4: limits.up cannot be \"fa\\u{202e}st\"; 'fa\\u{202e}st' is not a size; write 500K, 2M or 1.5GiB",
                "Error /c:5: limits.peers_total cannot be \"many\"; write a whole number from 1 to 10000",
                "Error /c:7: ui.fps cannot be {}; write a whole number from 1 to 60",
                "Error /c:8: ui.mouse cannot be [; write true or false",
                "Error /c:11: ui.units cannot be \"imperial\"; write binary or si",
            ]
        );
        let told = told("[limits]\ndown = \n");
        assert!(told.len() == 1 && told[0].starts_with("Error /c:2: "), "{told:?}");
    }

    #[test]
    fn other_names_work_with_a_warning() {
        let content =
            scan("[limits]\ndownload = \"1M\"\nupload = \"1M\"\nup = \"2M\"", Path::new("/c"), None);
        let found: Vec<String> = content.found.iter().map(|found| found.key.key().full()).collect();
        assert_eq!(found, ["limits.down", "limits.up"]);
        let told: Vec<String> = content.problems.iter().map(Problem::sentence).collect();
        assert_eq!(
            told,
            [
                "/c:2: limits.download is written limits.down here; it works all the same; MigrateConfig",
                "/c:3: limits.upload counts for nothing, for limits.up is there as well; take one of them out",
            ]
        );
    }

    #[test]
    fn files_are_bounded_and_text() {
        let problem = |bytes: Vec<u8>| decode(bytes, Path::new("/c")).unwrap_err().place_and_message();
        assert_eq!(problem(b"a = 1\nb = \"\xff\"".to_vec()), "/c:2: this is not UTF-8");
        assert!(problem(vec![b'#'; 2 << 20]).contains("too large"));
        assert!(matches!(read(Path::new("/dev/null/x")), Read::Absent));
        assert!(matches!(read(Path::new("/")), Read::Problem(_)));
        let many = (0..10_000).map(|n| format!("x{n} = 1\n")).collect::<Vec<_>>().concat();
        assert_eq!(told(&format!("{many}[network]\nport = true")).len(), MAX_PROBLEMS + 1);
    }

    #[test]
    fn depth_does_no_harm() {
        let longest = MAX_BYTES as usize;
        for deep in [
            "[".repeat(longest / 2),
            format!("x = {}", "[".repeat(longest / 2)),
            "a.".repeat(longest / 2),
            "[a.".repeat(1000),
        ] {
            assert!(!told(&deep).is_empty());
            assert!(!told(&format!("{deep}b = 1")).is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_bytes_harm(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(text) = decode(bytes, Path::new("/c")) {
                scan(&text, Path::new("/c"), Some("a"));
            }
        }

        #[test]
        fn nothing_that_looks_like_a_file_harms(
            parts in prop::collection::vec(
                prop::sample::select(vec![
                    "[", "]", "network", "limits", "profile", ".", "port", "down", "=", "\"", "'", "a", "1", "-",
                    "\n", " ", "#", "{", "}", ",", "true", "\u{202e}", "\u{1b}", "2.0", "\"none\"", "download", "[[",
                ]),
                0..60,
            )
        ) {
            let text = parts.concat();
            let lines = text.lines().count().max(1);
            let content = scan(&text, Path::new("/c"), Some("a"));
            for problem in &content.problems {
                let told = problem.sentence();
                prop_assert!(!told.contains(['\u{1b}', '\u{202e}', '\n']), "{told:?}");
                if let Origin::File { line: Some(line), .. } = problem.origin {
                    prop_assert!(line <= lines + 1);
                }
            }
        }
    }
}
