//! Every help text and every error text, word for word. `TRYCMD=overwrite cargo test cli::snapshots`
//! writes them anew, for commands that are new as well.

use std::fs;
use std::path::{Path, PathBuf};

use super::Scene;
use super::shell::commands;

const FOLDER: &str = "tests/cli/snapshots";

fn overwriting() -> bool {
    std::env::var_os("TRYCMD").is_some_and(|mode| mode == "overwrite")
}

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(FOLDER).join(format!("{name}.trycmd"))
}

/// Adds the command lines that a file lacks, with their texts still to come.
fn add(name: &str, lines: &[String]) {
    let mut text = fs::read_to_string(file(name)).unwrap_or_else(|_| format!("# {name}\n"));
    for line in lines.iter().filter(|line| !text.contains(&format!("\n$ {line}\n"))).collect::<Vec<_>>() {
        text.extend(["\n```\n$ ", line.as_str(), "\n\n```\n"]);
    }
    fs::create_dir_all(file(name).parent().unwrap()).unwrap();
    fs::write(file(name), text).unwrap();
}

#[test]
fn texts_are_as_they_were_agreed_on() {
    let scene = Scene::new();
    let mut names = vec!["errors".to_owned(), "torr".to_owned(), "topics".to_owned()];
    for command in commands(&scene) {
        let name = format!("help-{}", command.split(' ').next().unwrap_or_default());
        let lines = [format!("torr {command} -h"), format!("torr {command} --help")];
        if overwriting() {
            add(&name, &lines);
        }
        let text = fs::read_to_string(file(&name)).unwrap_or_default();
        for line in lines {
            let there = text.contains(&format!("\n$ {line}\n"));
            assert!(there, "{FOLDER}/{name}.trycmd lacks {line}; TRYCMD=overwrite adds it");
        }
        names.push(name);
    }
    // Commands that are gone leave nothing behind.
    for entry in fs::read_dir(file("torr").parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
        assert!(names.contains(&stem), "{}: there is no such command", path.display());
    }
    let cases = trycmd::TestCases::new();
    cases.register_bin("torr", Path::new(env!("CARGO_BIN_EXE_torr")));
    for (name, value) in [("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("COLUMNS", "100"), ("TERM", "dumb")] {
        cases.env(name, value);
    }
    cases.case(format!("{FOLDER}/*.trycmd")).run();
}
