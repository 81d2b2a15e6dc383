//! Bad inputs and bad surroundings: one sentence, a hint, the promised code, and nothing overwritten.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::party::{Party, bytes};
use super::{Ran, Scene};
use crate::support::bencode::Value;

/// One sentence and one hint, and the same as a document.
#[track_caller]
fn assert_refused(ran: &Ran, code: i32, sentence: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    let errors: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", ran.err);
    assert!(errors[0].contains(sentence), "{}", ran.err);
    assert!(ran.err.lines().any(|line| line.starts_with("hint:  ")), "{}", ran.err);
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

/// The same with `--json`: an error document on standard output.
#[track_caller]
fn assert_document(ran: &Ran, code: i32, kind: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    let events = ran.json();
    let document = events.iter().find(|event| event["schema"] == "torr.error/1");
    let document = document.unwrap_or_else(|| panic!("no document: {}", ran.out));
    assert_eq!((&document["code"], &document["kind"]), (&code.into(), &kind.into()), "{document}");
    assert_eq!(document["ok"], false);
}

/// A scene with `x.torrent` of 100 kB that names no tracker; the data lies in `given`.
fn scene() -> (Scene, Vec<u8>) {
    let scene = Scene::new();
    let bytes = bytes(100_000);
    scene.write("given/x.bin", &bytes);
    let made = scene.run(&["create", "given/x.bin", "-o", "x.torrent", "--piece-size", "16K", "--no-date"]);
    assert_eq!(made.code, 0, "{}", made.err);
    (scene, bytes)
}

fn run(scene: &Scene, arguments: &[&str]) -> Ran {
    let mut command = scene.command(arguments);
    Scene::ran(command.args(["--bind", "127.0.0.1"]))
}

#[test]
fn what_is_no_torrent_is_refused() {
    let scene = Scene::new();
    scene.write("cut.torrent", "d4:info");
    scene.write("folder/a", "a");
    assert_refused(&run(&scene, &["get", "cut.torrent"]), 3, "cut.torrent: the file is not well-formed");
    assert_document(&run(&scene, &["get", "cut.torrent", "--json"]), 3, "malformed");
    let ran = run(&scene, &["get", "folder"]);
    assert_refused(&ran, 3, "folder is a directory, not a torrent file");
    assert!(ran.err.contains("torr seed folder"), "{}", ran.err);
    assert_document(&run(&scene, &["get", "nowhere.torrent", "--json"]), 3, "not_found");
}

#[test]
fn damaged_and_missing_data_is_not_given() {
    let (scene, mut bytes) = scene();
    bytes[50_000] ^= 1;
    scene.write("given/x.bin", &bytes);
    let verified = scene.run(&["verify", "x.torrent", "given"]);
    assert_eq!(verified.code, 1, "{}", verified.err);
    assert_eq!(verified.out, "damaged\t1\t100000\tx.bin\t49152-65535\n");
    let ran = run(&scene, &["seed", "x.torrent", "-o", "given"]);
    assert_refused(&ran, 5, "1 of 7 pieces of x.bin are missing or damaged in ");
    assert!(
        ran.err.contains("torr verify x.torrent given") && ran.err.contains("torr get x.torrent -o given")
    );
    assert_document(&run(&scene, &["seed", "x.torrent", "-o", "given", "--json"]), 5, "files_missing");
    std::fs::remove_file(scene.path().join("given/x.bin")).unwrap();
    assert_document(&run(&scene, &["seed", "x.torrent", "-o", "given", "--json"]), 5, "files_missing");
    assert_refused(&run(&scene, &["seed", "x.torrent", "-o", "nowhere"]), 5, "nowhere");
}

#[test]
fn what_is_not_ours_is_kept() {
    let (scene, _) = scene();
    for (name, foreign, how) in [
        ("short", vec![1; 5], "has only 5 of 100 000 bytes, too few to check"),
        ("same", vec![2; 100_000], "differs from the torrent in bytes 0-99999 (97.7 KiB)"),
        ("long", vec![3; 200_000], "differs from the torrent in bytes 0-199999 (195 KiB)"),
    ] {
        scene.write(&format!("{name}/x.bin"), &foreign);
        let ran = run(&scene, &["get", "x.torrent", "-o", name, "--timeout", "5s"]);
        assert_refused(&ran, 5, &format!("x.bin is there already and {how}"));
        let ran = run(&scene, &["get", "x.torrent", "-o", name, "--timeout", "5s", "--json"]);
        assert_document(&ran, 5, "foreign_data");
        assert!(std::fs::read(scene.path().join(name).join("x.bin")).unwrap() == foreign, "{name}");
    }
    // A folder where the file belongs, and a link that leads elsewhere.
    std::fs::create_dir_all(scene.path().join("folder/x.bin")).unwrap();
    assert_eq!(run(&scene, &["get", "x.torrent", "-o", "folder", "--timeout", "5s"]).code, 5);
    scene.write("elsewhere", "mine");
    std::fs::create_dir(scene.path().join("link")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", scene.path().join("link/x.bin")).unwrap();
    assert_eq!(run(&scene, &["get", "x.torrent", "-o", "link", "--timeout", "5s"]).code, 5);
    assert_eq!(std::fs::read(scene.path().join("elsewhere")).unwrap(), b"mine");
}

#[test]
fn a_place_that_cannot_be_written_is_told() {
    let (scene, _) = scene();
    scene.write("file", "mine");
    assert_refused(&run(&scene, &["get", "x.torrent", "-o", "file"]), 5, "cannot create file");
    assert_document(&run(&scene, &["get", "x.torrent", "-o", "file/below", "--json"]), 5, "not_plain");
    assert_eq!(std::fs::read(scene.path().join("file")).unwrap(), b"mine");
    assert_eq!(run(&scene, &["get", "x.torrent", "-o", "/proc/self/x"]).code, 5);
}

#[test]
fn nobody_to_get_it_from_is_told() {
    let (scene, _) = scene();
    let none = run(&scene, &["get", "x.torrent", "-o", "got", "--timeout", "1s"]);
    assert_refused(&none, 4, "no peers known, and the torrent names no tracker to ask");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    drop(taken);
    let url = format!("http://127.0.0.1:{port}/announce");
    let dead = ["get", "x.torrent", "-o", "got", "--timeout", "3s", "--tracker", &url];
    assert_refused(&run(&scene, &dead), 4, "no peers known, and its tracker fails: ");
    let mut json = dead.to_vec();
    json.push("--json");
    assert_document(&run(&scene, &json), 4, "no_peers");
}

#[test]
fn a_port_in_use_is_told() {
    let (scene, _) = scene();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let port = address.port().to_string();
    let sentence = format!("cannot listen on {address}: another program uses it");
    assert_refused(&run(&scene, &["get", "x.torrent", "-o", "got", "-p", &port]), 2, &sentence);
    let tracker = scene.run(&["tracker", "--listen", &address.to_string()]);
    assert_refused(&tracker, 2, &sentence);
    assert_document(&scene.run(&["tracker", "--json", "--listen", &address.to_string()]), 2, "network");
}

#[test]
fn the_same_torrent_twice_is_got_once() {
    let mut party = Party::new();
    party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    let got = party.get("a", &["x.bin.torrent", "x.bin.torrent", "-o", "got"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/x.bin").as_str()), "{}", got.err);
    assert!(got.err.contains("warning: x.bin was given twice"), "{}", got.err);
}

#[test]
fn when_a_file_may_not_grow_what_is_there_is_kept() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 4_000_000);
    party.seed(&["x.bin"]);
    // A limit of file sizes is a full disk that every system has: 2 MiB in units of 512 bytes.
    let mut command = Command::new("sh");
    let script = r#"ulimit -f 4096 && exec "$0" "$@""#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_torr"), "get", "x.bin.torrent", "-o", "got"]);
    command.args(["--bind", "127.0.0.1", "--state-dir", "state-a", "--timeout", "30s", "--alloc", "none"]);
    command.current_dir(party.scene.path()).env("HOME", party.scene.path()).env("LANG", "C.UTF-8");
    command.envs(super::ALONE);
    let full = Scene::ran(command.stdin(Stdio::null()));
    assert_refused(&full, 5, "a limit of this process allows no file of this size");
    let got = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(party.read("got/x.bin") == bytes);
}

#[test]
fn hostile_names_stay_within_the_folder() {
    let mut party = Party::new();
    let paths: [&[&str]; 6] = [
        &["..", "..", "evil"],
        &["\u{1b}[31mred", "x"],
        &["\u{202e}gpj.exe"],
        &["a/../../b"],
        &["."],
        &["/etc/passwd"],
    ];
    let content: Vec<Vec<u8>> = (0..paths.len()).map(|at| bytes(1000 + at)).collect();
    let line = content.concat();
    let files = paths.iter().zip(&content).map(|(path, bytes)| {
        let path = Value::List(path.iter().map(|part| Value::text(part)).collect());
        Value::Dict(vec![("length", Value::Int(bytes.len() as u64)), ("path", path)])
    });
    let info = Value::Dict(vec![
        ("files", Value::List(files.collect())),
        ("name", Value::text("../\u{1b}]0;pwn\u{7}na\u{202e}me")),
        ("piece length", Value::Int(16384)),
        ("pieces", Value::Bytes(torr::hash::sha1(&line).to_vec())),
    ]);
    let torrent = Value::Dict(vec![("announce", Value::text(&party.url)), ("info", info)]);
    party.scene.write("evil.torrent", torrent.encode());

    let shown = party.scene.run(&["show", "evil.torrent"]);
    assert!(!shown.out.contains('\u{202e}') && shown.code == 0, "{}", shown.out);
    let safe: Vec<&str> =
        shown.out.lines().filter_map(|line| line.strip_prefix("file\t")?.split('\t').nth(2)).collect();
    assert_eq!(safe.len(), paths.len(), "{}", shown.out);
    for (path, bytes) in safe.iter().zip(&content) {
        party.scene.write(&format!("given/{path}"), bytes);
    }
    let top = safe[0].split('/').next().unwrap();
    party.seed_as("evil.torrent", top);
    let got = party.get("a", &["evil.torrent", "-o", "deep/er/got"]);
    assert_eq!((got.code, got.out), (0, party.line(&format!("deep/er/got/{top}"))), "{}", got.err);
    assert!(!got.err.contains('\u{202e}'), "{}", got.err);
    for (path, bytes) in safe.iter().zip(&content) {
        assert!(party.read(&format!("deep/er/got/{path}")) == *bytes, "{path}");
    }
    let only = |folder: &str| std::fs::read_dir(party.path(folder)).unwrap().count();
    assert_eq!((only("deep"), only("deep/er"), only("deep/er/got")), (1, 1, 1));
}

#[test]
fn many_torrents_are_seeded_under_a_low_limit_of_open_files() {
    const TORRENTS: usize = 40;
    let scene = Scene::new();
    let mut torrents = Vec::new();
    for number in 0..TORRENTS {
        let (data, torrent) = (format!("given/{number}"), format!("{number}.torrent"));
        scene.write(&data, bytes(20_000 + number));
        let made = scene.run(&["create", &data, "-o", &torrent, "--no-date", "-q"]);
        assert_eq!(made.code, 0, "{}", made.err);
        torrents.push(torrent);
    }
    let mut command = Command::new("sh");
    let limited =
        ["-c", "ulimit -Sn 64 && exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_torr"), "seed", "--until", "3s"];
    command.args(limited).args(["-o", "given", "--bind", "127.0.0.1", "--json"]).args(&torrents);
    let ours = scene.command(&[] as &[&str]);
    command.current_dir(scene.path()).env_clear();
    command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    let ran = Scene::ran(&mut command);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert_eq!(ran.json().iter().filter(|event| event["event"] == "done").count(), TORRENTS);
}
