//! The plan of the house as a test: imports point down, the quiet rooms stay quiet, `unsafe` stays in
//! its two places, files stay small and no test is forgotten.

use std::fs;
use std::path::{Path, PathBuf};

/// Each room and the rooms it may import, lowest first.
const ROOMS: [(&str, &[&str]); 9] = [
    ("base", &[]),
    ("hash", &["base"]),
    ("proto", &["base", "hash"]),
    ("swarm", &["base", "hash", "proto"]),
    ("dht", &["base", "hash", "proto"]),
    ("store", &["base", "hash", "proto"]),
    ("net", &["base", "hash", "proto", "swarm", "store"]),
    ("engine", &["base", "hash", "proto", "swarm", "dht", "store", "net"]),
    ("face", &["base", "hash", "proto", "store", "engine"]),
];

const QUIET: [&str; 5] = ["base", "hash", "proto", "swarm", "dht"];

/// What a quiet room never names: clocks, threads, files, sockets, chance that is not seeded.
const LOUD_WORDS: [&str; 17] = [
    "Instant::now",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "tokio",
    "reqwest",
    "socket2",
    "rustix",
    "libc::",
    "getrandom",
    "rand::",
    "RandomState",
];

/// The only files that may say `unsafe`: the lanes of `hash`, the maps of `store`.
const UNSAFE_FILES: [&str; 3] = ["src/hash/lanes", "src/store/map", "src/store/sigbus"];

/// A file this long has more than one idea in it.
const LONGEST: usize = 600;

#[test]
fn imports_point_down() {
    let mut wrong = Vec::new();
    for (room, below) in ROOMS {
        for file in sources(&Path::new("src").join(room)) {
            for (number, line) in code_lines(&file) {
                for (other, _) in ROOMS {
                    let named =
                        line.contains(&format!("crate::{other}")) || line.contains(&format!("torr::{other}"));
                    if named && other != room && !below.contains(&other) {
                        wrong.push(format!(
                            "{}:{number}: {room} may not know {other}: {line}",
                            file.display()
                        ));
                    }
                }
                if room == "net" && line.contains("crate::swarm") && !line.contains("crate::swarm::event") {
                    wrong.push(format!(
                        "{}:{number}: net knows the events of swarm, nothing else: {line}",
                        file.display()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn quiet_rooms_touch_nothing() {
    let mut wrong = Vec::new();
    for room in QUIET {
        for file in sources(&Path::new("src").join(room)) {
            for (number, line) in code_lines(&file) {
                for word in LOUD_WORDS {
                    if line.contains(word) {
                        wrong.push(format!("{}:{number}: {word} in a quiet room: {line}", file.display()));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_stays_in_its_two_places_and_gives_its_reason() {
    let mut wrong = Vec::new();
    for file in sources(Path::new("src")) {
        let name = file.display().to_string();
        let allowed = UNSAFE_FILES.iter().any(|start| name.starts_with(start));
        let text = fs::read_to_string(&file).expect("a source file can be read");
        let lines: Vec<&str> = text.lines().collect();
        for (number, line) in code_lines(&file) {
            if !(line.contains("unsafe {") || line.contains("unsafe fn") || line.contains("unsafe impl")) {
                continue;
            }
            if !allowed {
                wrong.push(format!("{name}:{number}: unsafe outside the maps and lanes"));
            }
            let above = &lines[number.saturating_sub(9)..number];
            if line.contains("unsafe {") && !above.iter().any(|l| l.contains("SAFETY")) {
                wrong.push(format!("{name}:{number}: no reason is given"));
            }
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn files_have_one_idea_each() {
    let long: Vec<String> = sources(Path::new("src"))
        .iter()
        .filter_map(|file| {
            let lines = fs::read_to_string(file).expect("a source file can be read").lines().count();
            (lines > LONGEST).then(|| format!("{} has {lines} lines", file.display()))
        })
        .collect();
    assert!(long.is_empty(), "\n{}", long.join("\n"));
}

#[test]
fn only_faces_print() {
    let printing: Vec<String> = ROOMS
        .iter()
        .filter(|(room, _)| *room != "face")
        .flat_map(|(room, _)| sources(&Path::new("src").join(room)))
        .filter(|file| {
            code_lines(file).iter().any(|(_, l)| l.contains("println!(") || l.contains("eprint!("))
        })
        .map(|file| file.display().to_string())
        .collect();
    assert!(printing.is_empty(), "{printing:?}");
}

#[test]
fn no_test_file_is_forgotten() {
    let mut forgotten = Vec::new();
    for file in sources(Path::new("tests")) {
        let (folder, stem) = (file.parent().expect("below tests"), file.file_stem().expect("has a name"));
        let (module, parent) = match stem.to_str() {
            Some("main") => continue,
            Some("mod") => (folder.file_name(), folder.parent().expect("below tests")),
            _ => (Some(stem), folder),
        };
        let module = module.and_then(|m| m.to_str()).expect("module names are plain");
        let index = [parent.join("main.rs"), parent.join("mod.rs")];
        let listed = index.iter().filter_map(|f| fs::read_to_string(f).ok()).any(|text| {
            text.lines().any(|line| line.trim_start_matches("pub ").starts_with(&format!("mod {module};")))
        });
        if !listed {
            forgotten.push(file.display().to_string());
        }
    }
    assert!(forgotten.is_empty(), "not listed as a module: {forgotten:?}");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.flatten().map(|entry| entry.path()) {
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The numbered lines of a file that are code: no comments, no unit tests.
fn code_lines(file: &Path) -> Vec<(usize, String)> {
    let text = fs::read_to_string(file).expect("a source file can be read");
    text.lines()
        .enumerate()
        .take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .map(|(at, line)| (at + 1, line.to_owned()))
        .collect()
}
