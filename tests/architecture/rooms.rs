//! The rooms: who may import whom, and what none of them may name.

use std::fs;
use std::path::Path;

use super::modules::{MODULES, Modules};
use super::source::Source;

/// Each room and the rooms it may import, lowest first.
const ROOMS: [(&str, &[&str]); 10] = [
    ("base", &[]),
    ("hash", &["base"]),
    ("proto", &["base", "hash"]),
    ("swarm", &["base", "hash", "proto"]),
    ("dht", &["base", "hash", "proto"]),
    ("store", &["base", "hash", "proto"]),
    ("net", &["base", "hash", "proto", "swarm", "store"]),
    ("engine", &["base", "hash", "proto", "swarm", "dht", "store", "net"]),
    ("app", &["base", "hash", "proto", "store", "engine"]),
    ("face", &["base", "proto", "app"]),
];

const QUIET: [&str; 5] = ["base", "hash", "proto", "swarm", "dht"];

/// Clocks, threads, files, sockets, chance that is not seeded: a quiet room names none of them outside tests.
const LOUD_WORDS: [&str; 20] = [
    "Instant::now",
    "SystemTime",
    "std::thread",
    "std::fs",
    "std::env",
    "std::process",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "tokio",
    "reqwest",
    "socket2",
    "rustix",
    "nix",
    "libc",
    "getrandom",
    "rand",
    "RandomState",
];

/// Only faces print.
const PRINTING: [&str; 5] = ["print!", "println!", "eprint!", "eprintln!", "dbg!"];

#[test]
fn imports_point_down() {
    assert_none(&upward_imports(&MODULES));
}

#[test]
fn quiet_rooms_touch_nothing() {
    assert_none(&loud_words(&MODULES));
}

#[test]
fn only_faces_print() {
    let quiet_ones = MODULES.files().filter(|(home, _)| home.get(1).is_some_and(|room| room != "face"));
    let printing = quiet_ones.flat_map(|(_, module)| {
        let lines = PRINTING.iter().flat_map(|word| module.source.lines_with(word));
        lines.map(|line| module.source.complaint(line, "only faces print")).collect::<Vec<_>>()
    });
    assert_none(&printing.collect::<Vec<_>>());
}

#[test]
fn the_program_knows_the_faces_alone() {
    let text = fs::read_to_string("src/main.rs").expect("the program can be read");
    let program = Modules::new([Source::new(Path::new("src/main.rs"), &text)]);
    let paths = program.files().flat_map(|(_, module)| &module.imports);
    assert!(paths.filter(|i| i.path[0] == "crate").all(|i| i.path[1] == "face"));
}

/// A room that exists is in the lists above and in the table of `src/lib.rs`, and no other is.
#[test]
fn the_lists_name_the_rooms_there_are() {
    let entries = fs::read_dir("src").expect("the source can be read").flatten();
    let mut built: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    built.sort();
    let mut listed = ROOMS.map(|(room, _)| room);
    listed.sort_unstable();
    assert_eq!(listed.as_slice(), built);
    assert!(QUIET.iter().all(|room| built.iter().any(|other| other == room)));

    let text = fs::read_to_string("src/lib.rs").expect("the library can be read");
    let rows = text.lines().filter_map(|line| line.strip_prefix("//! | [`")?.split_once("`]"));
    let mut told: Vec<(&str, bool)> = rows.map(|(room, rest)| (room, rest.ends_with("| yes |"))).collect();
    told.sort_unstable();
    let wanted: Vec<(&str, bool)> = listed.iter().map(|room| (*room, QUIET.contains(room))).collect();
    assert_eq!(told, wanted, "the table in src/lib.rs");
}

/// Imports that point up, in test code too: a test that needs a higher room belongs there, or in `tests/`.
fn upward_imports(modules: &Modules) -> Vec<String> {
    let mut wrong = Vec::new();
    for (home, module) in modules.files() {
        let Some(room) = home.get(1) else { continue };
        let below = ROOMS.iter().find(|(name, _)| name == room).map_or(&[][..], |(_, below)| *below);
        for import in
            module.imports.iter().filter(|import| import.path.len() > 1 && import.path[0] == "crate")
        {
            let other = import.path[1].as_str();
            if other != room && !below.contains(&other) {
                let what = format!("{room} may not know {other}");
                wrong.push(module.source.complaint(import.line, &what));
            }
            if room == "net" && other == "swarm" && import.path.get(2).is_none_or(|part| part != "event") {
                let what = "net knows the events of swarm, nothing else";
                wrong.push(module.source.complaint(import.line, what));
            }
        }
    }
    wrong
}

fn loud_words(modules: &Modules) -> Vec<String> {
    let mut wrong = Vec::new();
    for (_, module) in modules.files().filter(|(home, _)| home.len() > 1 && QUIET.contains(&home[1].as_str()))
    {
        for word in LOUD_WORDS {
            let what = format!("{word} in a quiet room");
            let named = module.imports.iter().filter(|import| !import.test && is_within(&import.path, word));
            let lines = module.source.lines_with(word).into_iter().chain(named.map(|import| import.line));
            wrong.extend(lines.map(|line| module.source.complaint(line, &what)));
        }
    }
    wrong.sort();
    wrong.dedup();
    wrong
}

/// Whether a path, however its `use` is folded, goes through these names.
fn is_within(path: &[String], names: &str) -> bool {
    let names: Vec<&str> = names.split("::").collect();
    path.windows(names.len()).any(|window| window == names)
}

fn assert_none(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

mod tests {
    use super::*;

    /// The offences in these files, each as `NAME:LINE: rule`.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let sources = files.iter().map(|(path, text)| Source::new(Path::new(path), text));
        let modules = Modules::new(sources);
        let wrong = upward_imports(&modules).into_iter().chain(loud_words(&modules));
        wrong.map(|text| text.splitn(4, ": ").take(2).collect::<Vec<_>>().join(": ")).collect()
    }

    #[test]
    fn code_after_a_test_module_obeys() {
        let text = "#[cfg(test)]\nmod scenarios;\n\nuse crate::face::cli;\n\
                    fn f() {\n    std::fs::read(\"a\");\n    SystemTime::now();\n}\n";
        assert_eq!(
            found(&[("src/swarm/seeker/mod.rs", text)]),
            [
                "src/swarm/seeker/mod.rs:4: swarm may not know face",
                "src/swarm/seeker/mod.rs:6: std::fs in a quiet room",
                "src/swarm/seeker/mod.rs:7: SystemTime in a quiet room",
            ]
        );
    }

    #[test]
    fn tests_may_be_loud_but_import_no_upper_room() {
        let text =
            "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n    use crate::engine::Handle;\n}\n";
        assert_eq!(found(&[("src/proto/a.rs", text)]), ["src/proto/a.rs:5: proto may not know engine"]);
        let files =
            [("src/dht/mod.rs", "#[cfg(test)]\nmod world;\n"), ("src/dht/world.rs", "use std::fs;\n")];
        assert_eq!(found(&files), [""; 0]);
    }

    #[test]
    fn folded_and_relative_imports_are_seen() {
        assert_eq!(
            found(&[("src/dht/a.rs", "use std::{fs, net};\n")]),
            ["src/dht/a.rs:1: std::fs in a quiet room"]
        );
        assert_eq!(
            found(&[("src/dht/a.rs", "use super::super::net;\n")]),
            ["src/dht/a.rs:1: dht may not know net"]
        );
        assert_eq!(
            found(&[("src/hash/a.rs", "use crate::{base, store::{Pool}};\n")]),
            ["src/hash/a.rs:1: hash may not know store"]
        );
    }

    #[test]
    fn net_knows_the_events_of_swarm_alone() {
        assert_eq!(found(&[("src/net/a.rs", "use crate::swarm::{event::Input};\n")]), [""; 0]);
        assert_eq!(
            found(&[("src/net/a.rs", "use crate::swarm::Torrent;\n")]),
            ["src/net/a.rs:1: net knows the events of swarm, nothing else"]
        );
    }
}
