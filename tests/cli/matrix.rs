//! Every command in every surrounding: what goes into a pipe steers no terminal, JSON is what its
//! schema says, quiet is quiet, and nobody who goes away makes a command panic.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::process::{Child, Command, Output, Stdio};

use super::{Scene, unread};
use crate::support::schema;

/// A torrent that nobody has.
const LINK: &str = "magnet:?xt=urn:btih:abababababababababababababababababababab&dn=a%1B[2Jname";

/// Each command line with its exit code. Commands that write do so again and again without harm.
const COMMANDS: [(&[&str], i32); 31] = [
    (&["show", LINK], 0),
    (&["magnet", LINK], 0),
    (&["verify", LINK], 2),
    (&["get", "magnet:?dn=x"], 3),
    (&["get", LINK, "--timeout", "1s", "--bind", "127.0.0.1"], 4),
    (&["get", "--list", LINK, "--timeout", "1s", "--bind", "127.0.0.1"], 4),
    (&["show", "photos.torrent"], 0),
    (&["show", "--files", "photos.torrent"], 0),
    (&["show", "bad.torrent"], 3),
    (&["create", "photos", "-o", "again.torrent", "--force"], 0),
    (&["create", "photos", "-o", "photos.torrent"], 5),
    (&["verify", "photos.torrent"], 0),
    (&["verify", "photos.torrent", "damaged"], 1),
    (&["get", "bad.torrent", "--bind", "127.0.0.1"], 3),
    (&["get", "photos.torrent", "--bind", "127.0.0.1"], 0),
    (&["get", "--list", "photos.torrent"], 0),
    (&["seed", "bad.torrent", "--bind", "127.0.0.1"], 3),
    (&["seed", "photos.torrent", "-o", "damaged", "--bind", "127.0.0.1"], 5),
    (&["seed", "photos", "--until", "1s", "--qr", "always", "--bind", "127.0.0.1"], 0),
    (&["seed", "empty", "--bind", "127.0.0.1"], 5),
    (&["tracker", "--listen", "203.0.113.1:1"], 2),
    (&["dht", "lookup", "bad.torrent"], 3),
    (&["dht", "node", "--bind", "203.0.113.1"], 2),
    (&["register", "--dry-run"], 0),
    (&["register"], 2),
    (&["completions", "fish"], 0),
    (&["man", "get"], 0),
    (&["help", "units"], 0),
    (&["version"], 0),
    (&["get", "--help"], 0),
    (&["nonsense"], 2),
];

/// What is added to a command line, and what is set in its environment.
type Surrounding = (&'static [&'static str], &'static [(&'static str, &'static str)]);

const SURROUNDINGS: [Surrounding; 14] = [
    (&[], &[]),
    (&[], &[("TERM", "dumb")]),
    (&[], &[("TERM", "")]),
    (&[], &[("NO_COLOR", "1")]),
    (&[], &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")]),
    (&[], &[("FORCE_COLOR", "0")]),
    (&[], &[("TORR_COLOR", "never"), ("FORCE_COLOR", "1")]),
    (&[], &[("CI", "true"), ("COLUMNS", "40")]),
    (&["--progress", "bar"], &[]),
    (&["--plain"], &[]),
    (&["--ascii"], &[("TORR_COLOR", "auto")]),
    (&["-q"], &[]),
    (&["-qq"], &[]),
    (&["--color", "never"], &[("CLICOLOR_FORCE", "1")]),
];

/// Checks each document against its schema.
fn described(text: &str) -> Vec<serde_json::Value> {
    let documents: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for document in &documents {
        schema::check(document);
    }
    documents
}

fn scene() -> Scene {
    let scene = Scene::new();
    scene.photos();
    scene.write("bad.torrent", "d4:infod4:name1:xe");
    scene.write("damaged/photos/a.bin", vec![0; 100_000]);
    scene.write("empty/.hidden", "x");
    scene
}

fn command(scene: &Scene, arguments: &[&str], more: &[&str], environment: &[(&str, &str)]) -> Command {
    let mut command = scene.command(arguments);
    command.args(more).envs(environment.iter().copied()).stdin(Stdio::null());
    command
}

/// Runs a command line once in each of these ways: one after the other or, where time has to pass in it, all at once,
/// each with a state of its own.
fn run_each(scene: &Scene, arguments: &[&str], ways: impl IntoIterator<Item = Way>) -> Vec<Output> {
    let waits = arguments.contains(&"1s");
    let running = ways.into_iter().enumerate().map(|(number, (more, environment, out, err))| {
        let mut command = command(scene, arguments, more, environment);
        if waits {
            command.args(["--state-dir", &format!("state-{number}")]);
        }
        let child = command.stdout(out).stderr(err).spawn().unwrap();
        if waits { Err(child) } else { Ok(child.wait_with_output().unwrap()) }
    });
    let running: Vec<Result<Output, Child>> = running.collect();
    running.into_iter().map(|one| one.unwrap_or_else(|child| child.wait_with_output().unwrap())).collect()
}

/// More arguments, an environment, and where the output goes.
type Way = (&'static [&'static str], &'static [(&'static str, &'static str)], Stdio, Stdio);

/// The way in which all that is said is read.
fn read((more, environment): Surrounding) -> Way {
    (more, environment, Stdio::piped(), Stdio::piped())
}

/// Whether the bytes steer a terminal.
fn steers(bytes: &[u8]) -> bool {
    bytes.iter().any(|byte| matches!(byte, 0x1b | b'\r' | 7 | 8))
}

#[track_caller]
fn assert_clean(ran: &Output, code: i32, what: &str) {
    let (out, err) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert_eq!(ran.status.code(), Some(code), "{what}: {out}{err}");
    assert!(!steers(&ran.stdout) && !steers(&ran.stderr), "{what}: {out:?}{err:?}");
    assert!(!err.contains("panicked") && !err.contains("internal error"), "{what}: {err}");
}

#[test]
fn what_goes_into_a_pipe_steers_no_terminal() {
    let scene = scene();
    for (arguments, code) in COMMANDS {
        let ran = run_each(&scene, arguments, SURROUNDINGS.map(read));
        for ((more, environment), ran) in SURROUNDINGS.into_iter().zip(ran) {
            let what = format!("{arguments:?} {more:?} {environment:?}");
            assert_clean(&ran, code, &what);
            if more == ["-qq"] || (more == ["-q"] && matches!(code, 0 | 1)) {
                assert!(ran.stderr.is_empty(), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
            }
            if more == ["-q"] && code > 1 {
                assert!(ran.stderr.starts_with(b"error: "), "{what}");
            }
            if more == ["--ascii"] {
                assert!(ran.stdout.is_ascii() && ran.stderr.is_ascii(), "{what}");
            }
        }
    }
}

#[test]
fn colours_that_are_forced_are_colours_and_nothing_else() {
    let scene = scene();
    let forced: [Surrounding; 5] = [
        (&[], &[("FORCE_COLOR", "1")]),
        (&[], &[("CLICOLOR_FORCE", "1")]),
        (&[], &[("TORR_COLOR", "always"), ("NO_COLOR", "1")]),
        (&["--color", "always"], &[("NO_COLOR", "1"), ("TORR_COLOR", "never")]),
        (&["--color=always"], &[("TERM", "dumb")]),
    ];
    for (arguments, code) in COMMANDS {
        let ran = run_each(&scene, arguments, forced.map(read));
        for ((more, environment), ran) in forced.into_iter().zip(ran) {
            let what = format!("{arguments:?} {more:?} {environment:?}");
            assert_eq!(ran.status.code(), Some(code), "{what}");
            assert!(code < 2 || ran.stderr.contains(&0x1b), "{what}");
            for stream in [&ran.stdout, &ran.stderr] {
                assert!(!steers(&without_colours(stream)), "{what}: {}", String::from_utf8_lossy(stream));
            }
        }
    }
}

/// The bytes without `ESC [ digits m`.
fn without_colours(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after
            .strip_prefix(b"[")
            .map(|code| (code, code.iter().take_while(|b| b.is_ascii_digit() || **b == b';').count()));
        match digits {
            Some((code, count)) if first == 0x1b && code.get(count) == Some(&b'm') => {
                rest = &code[count + 1..];
            }
            _ => {
                out.push(first);
                rest = after;
            }
        }
    }
    out
}

#[test]
fn json_is_what_its_schema_says_and_nothing_else() {
    let scene = scene();
    let flags: [&[&str]; 4] =
        [&["--json"], &["--json", "-q"], &["--json", "--ascii", "-v"], &["--json", "--color", "always"]];
    for (arguments, code) in COMMANDS {
        let ran = run_each(&scene, arguments, flags.map(|more| read((more, &[]))));
        for (more, ran) in flags.into_iter().zip(ran) {
            let what = format!("{arguments:?} {more:?}");
            assert_eq!(ran.status.code(), Some(code), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
            assert!(!steers(&ran.stdout), "{what}");
            let documents = described(&String::from_utf8(ran.stdout).unwrap());
            assert!(!documents.is_empty(), "{what}");
            let failed = documents.iter().any(|document| document["schema"] == "torr.error/1");
            assert_eq!(failed, code > 1, "{what}: {documents:?}");
        }
    }
}

#[test]
fn the_demo_keeps_to_its_schema() {
    let scene = Scene::new();
    let arguments = ["demo", "--size", "4M", "--interval", "1s"];
    let ran =
        command(&scene, &arguments, &["--json"], &[("TMPDIR", scene.path().to_str().unwrap())]).output();
    let events = schema::check_lines(&String::from_utf8(ran.unwrap().stdout).unwrap());
    let came = events.iter().filter(|event| event["event"] == "came").count();
    assert!(came >= 2 && events.last().is_some_and(|event| event["event"] == "done"), "{events:?}");
}

#[test]
fn a_reader_that_has_gone_is_no_reason_to_panic() {
    let scene = scene();
    let flags: [&[&str]; 3] = [&[], &["--json"], &["-v"]];
    for (arguments, code) in COMMANDS {
        let ways = flags.into_iter().flat_map(|more| {
            let (read, gone) = (Stdio::piped, || Stdio::from(unread()));
            [(read(), read()), (gone(), read()), (read(), gone()), (gone(), gone())]
                .map(|(out, err)| (more, &[][..], out, err))
        });
        let ran = run_each(&scene, arguments, ways);
        for (more, ran) in flags.into_iter().zip(ran.chunks(4)) {
            let what = format!("{arguments:?} {more:?}");
            let [plain, out, err, both] = ran else { panic!("each was run in four ways") };
            // An error may keep its own code, as nobody misses its document.
            let kept = code > 1 && out.status.code() == Some(code);
            let alone = if !plain.stdout.is_empty() && !kept { 141 } else { code };
            assert_clean(out, alone, &what);
            assert_eq!(err.status.code(), Some(code), "{what}");
            assert_eq!(both.status.code(), Some(alone), "{what}");
        }
    }
}

#[test]
fn paths_that_are_no_text_are_taken_and_told() {
    let scene = scene();
    let odd = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
    let (torrent, folder) = (odd(b"t\xff.torrent"), odd(b"d\xfe\x1b"));
    std::fs::copy(scene.path().join("photos.torrent"), scene.path().join(&torrent)).unwrap();
    std::fs::create_dir_all(scene.path().join(&folder)).unwrap();
    std::fs::rename(scene.path().join("photos"), scene.path().join(&folder).join("photos")).unwrap();
    let mut photos = folder.clone();
    photos.push(OsStr::new("/photos"));
    let (word, bind) = (|text: &str| OsString::from(text), "127.0.0.1");
    let lines: [(Vec<OsString>, i32); 9] = [
        (vec![word("show"), torrent.clone()], 0),
        (vec![word("verify"), torrent.clone(), folder.clone()], 0),
        (vec![word("get"), torrent.clone(), word("-o"), folder.clone(), word("--bind"), word(bind)], 0),
        (vec![word("show"), odd(b"no\xff.torrent")], 3),
        (vec![word("create"), odd(b"no\xff")], 5),
        (vec![word("create"), photos, word("-o"), odd(b"n\xff.torrent"), word("--force")], 0),
        (vec![word("man"), word("--dir"), odd(b"m\xff")], 0),
        (vec![odd(b"x\xff.torrent")], 2),
        (vec![odd(b"x\xff")], 2),
    ];
    for (arguments, code) in lines {
        for json in [false, true] {
            let mut command = scene.command(&arguments);
            if json {
                command.arg("--json");
            }
            let ran = command.stdin(Stdio::null()).output().unwrap();
            let what = format!("{arguments:?}");
            assert_eq!(ran.status.code(), Some(code), "{what}: {}", String::from_utf8_lossy(&ran.stderr));
            let said = String::from_utf8(ran.stderr).unwrap_or_else(|_| panic!("{what}"));
            assert!(!steers(said.as_bytes()) && !said.contains("internal error"), "{what}: {said}");
            if json {
                let text = String::from_utf8(ran.stdout).unwrap();
                assert!(!steers(text.as_bytes()), "{what}");
                described(&text);
                let exact = text.contains("path_hex");
                assert!(exact || !text.contains("\u{fffd}") || code > 1, "{what}: {text}");
            }
        }
    }
}
