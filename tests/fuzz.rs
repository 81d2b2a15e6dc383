//! The fuzz targets over their corpus: every input as it is, cut and with single bits flipped.

#[macro_use]
#[path = "../fuzz/targets/mod.rs"]
mod targets;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use targets::{TARGETS, Target};

/// The longest input in the repository.
const MAX_LEN: u64 = 4096;
/// All inputs together.
const MAX_BYTES: u64 = 1 << 20;
/// The time that damaged inputs of one target may take.
const DAMAGE_TIME: Duration = Duration::from_millis(500);

fn corpus(name: &str) -> Vec<PathBuf> {
    let folder = Path::new("fuzz/corpus").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    files
}

/// Names the input if a target panics over it.
struct Blame<'a>(&'a Path, &'a str, &'a [u8]);

impl Drop for Blame<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let (path, how, bytes) = (self.0.display(), self.1, self.2.escape_ascii());
            eprintln!("the input is {path}, {how}: b\"{bytes}\"");
        }
    }
}

fn replay(name: &str, target: Target) {
    let files = corpus(name);
    assert!(!files.is_empty(), "fuzz/corpus/{name} is empty");
    let inputs: Vec<_> = files.iter().map(|file| (file, fs::read(file).expect("an input"))).collect();
    for (file, bytes) in &inputs {
        let _blame = Blame(file, "as it is", bytes);
        target(bytes);
    }
    let end = Instant::now() + DAMAGE_TIME;
    for (file, bytes) in &inputs {
        damage(bytes, |how, damaged| {
            let _blame = Blame(file, how, damaged);
            target(damaged);
            Instant::now() < end
        });
    }
}

/// Calls `with` for each cut and each flipped bit, until it has had enough.
fn damage(bytes: &[u8], mut with: impl FnMut(&str, &[u8]) -> bool) {
    for len in 0..bytes.len() {
        if !with("cut", &bytes[..len]) {
            return;
        }
    }
    let mut bent = bytes.to_vec();
    for bit in 0..bytes.len() * 8 {
        bent[bit / 8] ^= 1 << (bit % 8);
        if !with("with a bit flipped", &bent) {
            return;
        }
        bent[bit / 8] ^= 1 << (bit % 8);
    }
}

/// A test for each target.
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        $(
            #[test]
            fn $name() {
                replay(stringify!($name), targets::$name::run);
            }
        )+
    };
}

with_targets!(tests);

#[test]
fn each_target_has_a_binary_and_a_corpus() {
    let stems = |folder: &str| {
        let entries = fs::read_dir(folder).expect("a folder");
        let stem = |path: PathBuf| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let mut names: Vec<String> =
            entries.filter_map(|entry| stem(entry.expect("an entry").path())).collect();
        names.sort();
        names
    };
    let names: Vec<&str> = TARGETS.iter().map(|(name, _)| *name).collect();
    assert!(names.is_sorted(), "in the order of their names");
    assert_eq!(stems("fuzz/corpus"), names);
    assert_eq!(stems("fuzz/fuzz_targets"), names);
    let manifest = fs::read_to_string("fuzz/Cargo.toml").expect("a manifest");
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml has no binary {name}");
        let text = fs::read_to_string(format!("fuzz/fuzz_targets/{name}.rs")).expect("a target");
        assert!(text.contains(&format!("torr_fuzz::{name}::run")), "{name} runs another target");
    }
}

#[test]
fn the_corpus_is_small() {
    let files = TARGETS.iter().flat_map(|(name, _)| corpus(name));
    let lens: Vec<(PathBuf, u64)> =
        files.map(|file| (file.clone(), file.metadata().expect("a file").len())).collect();
    let long: Vec<_> = lens.iter().filter(|(_, len)| *len > MAX_LEN).collect();
    assert!(long.is_empty(), "{long:?}");
    let all: u64 = lens.iter().map(|(_, len)| len).sum();
    assert!(all <= MAX_BYTES, "{all} bytes");
}
