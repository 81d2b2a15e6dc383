//! Rules for files: where `unsafe` may stand, how long they are, that none is forgotten.

use std::fs;
use std::path::Path;

use super::source::{Source, files_below};

/// The only files that may say `unsafe`: the lanes of `hash`, the maps of `store`.
const UNSAFE_FILES: [&str; 3] = ["src/hash/lanes_x86.rs", "src/store/map.rs", "src/store/sigbus.rs"];

/// How many lines above a block may stand before its reason.
const NEAR: usize = 8;

/// A file this long has more than one idea in it; about 400 lines are the aim.
const MAX_LINES: usize = 550;

#[test]
fn unsafe_code_stays_in_its_places_and_gives_its_reason() {
    let mut wrong = Vec::new();
    let everywhere =
        ["src", "tests", "benches"].into_iter().flat_map(|folder| files_below(Path::new(folder)));
    for source in everywhere.map(|file| Source::read(&file)) {
        let allowed = UNSAFE_FILES.iter().any(|file| source.path == Path::new(file));
        for (at, token) in source.tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe") {
            let above = &source.lines[token.line.saturating_sub(NEAR + 1)..token.line];
            if !allowed {
                wrong.push(source.complaint(token.line, "unsafe outside the maps and lanes"));
            } else if source.tokens[at + 1].text == "{" && !above.iter().any(|line| line.contains("SAFETY")) {
                wrong.push(source.complaint(token.line, "no reason is given"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_file_that_may_say_unsafe_does() {
    for file in UNSAFE_FILES {
        assert!(Source::read(Path::new(file)).tokens.iter().any(|token| token.text == "unsafe"), "{file}");
    }
}

#[test]
fn files_have_one_idea_each() {
    let files = ["src", "tests", "benches"].into_iter().flat_map(|folder| files_below(Path::new(folder)));
    let long: Vec<String> = files
        .filter_map(|file| {
            let lines = fs::read_to_string(&file).expect("a source file can be read").lines().count();
            (lines > MAX_LINES).then(|| format!("{} has {lines} lines", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn no_test_file_is_forgotten() {
    let mut forgotten = Vec::new();
    for file in files_below(Path::new("tests")) {
        let (folder, stem) = (file.parent().expect("below tests"), file.file_stem().expect("has a name"));
        let (module, parent) = match stem.to_str() {
            Some("main") => continue,
            Some("mod") => (folder.file_name(), folder.parent().expect("below tests")),
            _ => (Some(stem), folder),
        };
        let module = module.and_then(|m| m.to_str()).expect("module names are plain");
        let index = [parent.join("main.rs"), parent.join("mod.rs")];
        let listed = index
            .iter()
            .filter(|file| file.exists())
            .any(|file| !Source::read(file).lines_with(&format!("mod {module};")).is_empty());
        if !listed {
            forgotten.push(file.display().to_string());
        }
    }
    assert!(forgotten.is_empty(), "not listed as a module: {forgotten:?}");
}

/// The line of `CONTRIBUTING.md` that names the command for the loop while working names one that there is.
#[test]
fn the_quick_command_exists() {
    let guide = fs::read_to_string("CONTRIBUTING.md").expect("the guide can be read");
    let quick: Vec<&str> = guide.lines().filter_map(|line| line.strip_prefix("quick: ")).collect();
    let [command] = quick.as_slice() else { panic!("one line names the quick command: {quick:?}") };
    let alias =
        command.strip_prefix("cargo ").and_then(|rest| rest.split(' ').next()).expect("a cargo command");
    let config = fs::read_to_string(".cargo/config.toml").expect("cargo is configured");
    let config: toml_edit::DocumentMut = config.parse().expect("the configuration is TOML");
    assert!(config["alias"].get(alias).is_some(), "cargo has no alias {alias}");
}
