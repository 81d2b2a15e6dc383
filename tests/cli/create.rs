//! `torr create`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

#[test]
fn only_the_path_goes_into_a_pipe() {
    let scene = Scene::new();
    scene.write("film.mkv", vec![7; 50_000]);
    let ran = scene.run(&["create", "film.mkv"]);
    let path = fs::canonicalize(scene.path()).unwrap().join("film.mkv.torrent");
    assert_eq!((ran.code, ran.out.trim_end()), (0, path.to_str().unwrap()), "{}", ran.err);
    assert!(ran.err.contains("[1/3] scan    1 file, 48.8 KiB"), "{}", ran.err);
}

#[test]
fn nothing_is_overwritten_without_force() {
    let scene = Scene::new();
    scene.photos();
    let before = fs::read(scene.path().join("photos.torrent")).unwrap();
    let ran = scene.run(&["create", "photos"]);
    assert_eq!(ran.code, 5);
    assert!(
        ran.err.contains("error: photos.torrent already exists\nhint:  overwrite it with --force"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read(scene.path().join("photos.torrent")).unwrap(), before);
    assert_eq!(scene.run(&["create", "photos", "--force"]).code, 0);
}

#[test]
fn the_torrent_can_go_to_standard_output() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let ran = scene.run(&["create", "a", "-o", "-", "--no-date", "-q"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("d10:created by"), "{}", ran.out);
    assert!(!scene.path().join("a.torrent").exists());
}

/// The events of a run that went well, each checked against the schema.
fn events(ran: &Ran) -> Vec<Value> {
    assert_eq!(ran.code, 0, "{}", ran.err);
    schema::check_lines(&ran.out)
}

fn event(events: &[Value], name: &str) -> Value {
    events.iter().find(|event| event["event"] == name).unwrap_or_else(|| panic!("{name}: {events:?}")).clone()
}

/// The paths of a torrent that is made with these flags, without writing it.
fn planned(scene: &Scene, flags: &[&str]) -> Vec<String> {
    let events = events(&scene.run(&[&["create", "d", "-n", "--json"], flags].concat()));
    let plan = event(&events, "plan");
    let path = |file: &Value| file["path"].as_str().unwrap().trim_start_matches("d/").to_owned();
    plan["files"].as_array().unwrap().iter().map(path).collect()
}

#[test]
fn a_dry_run_says_everything_and_writes_nothing() {
    let scene = Scene::new();
    scene.photos();
    let ran = scene.run(&["create", "-n", "photos", "--piece-size", "48K", "-o", "new.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.out, "100000\tphotos/a.bin\n70000\tphotos/sub/b.bin\n10000\tphotos/sub/c.bin\n");
    assert!(ran.err.contains("[1/3] scan    3 files, 176 KiB\n"), "{}", ran.err);
    assert!(ran.err.contains("(uneven-piece)"), "{}", ran.err);
    let end = " B, 4 pieces of 48 KiB; nothing was written\n";
    assert!(ran.err.contains("would write new.torrent: ") && ran.err.ends_with(end), "{}", ran.err);
    assert!(!scene.path().join("new.torrent").exists() && !ran.err.contains("hash"), "{}", ran.err);
    // What it says of the torrent file is what the torrent file is.
    let plan = event(
        &events(&scene.run(&["create", "-nf", "photos", "--piece-size", "16K", "--no-date", "--json"])),
        "plan",
    );
    assert_eq!(plan["torrent_size"], fs::metadata(scene.path().join("photos.torrent")).unwrap().len());
}

#[test]
fn what_is_left_out_is_counted_and_events_are_json() {
    let scene = Scene::new();
    for name in ["d/a", "d/.hidden", "d/Thumbs.db", "d/x.o"] {
        scene.write(name, "x");
    }
    symlink("a", scene.path().join("d/link")).unwrap();
    let trackers = "udp://t.example:1,http://u.example/announce";
    let told = events(&scene.run(&["create", "d", "--json", "-t", trackers, "-x", "*.o"]));
    let kinds: Vec<_> = told.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["scan", "done"]);
    for kind in ["hidden", "junk", "excluded", "links"] {
        assert_eq!(told[0][format!("{kind}_skipped")], 1, "{kind}");
    }
    let shown = scene.run(&["show", "--json", "d.torrent"]).json();
    assert_eq!(shown[0]["trackers"], json!([["udp://t.example:1", "http://u.example/announce"]]));
    let ran = scene.run(&["create", "d", "-n", "-x", "*.o"]);
    let line = "skipped 1 hidden (--hidden), 1 junk (--junk), 1 excluded, 1 link (--follow)";
    assert!(ran.err.contains(line), "{}", ran.err);
}

#[test]
fn patterns_and_ignore_files_decide_in_the_documented_order() {
    let scene = Scene::new();
    for name in ["a.txt", "b.log", "build/keep/x", "build/y", ".env", ".git/config", "sub/c.log", "sub/d.txt"]
    {
        scene.write(&format!("d/{name}"), "x");
    }
    scene.write("d/.gitignore", "*.log\n");
    scene.write("d/sub/.ignore", "!c.log\n");
    scene.write(".gitignore", "*\n");
    assert_eq!(planned(&scene, &["-x", "build"]), ["a.txt", "b.log", "sub/c.log", "sub/d.txt"]);
    assert_eq!(planned(&scene, &["-x", "build", "--ignore-files"]), ["a.txt", "sub/c.log", "sub/d.txt"]);
    let rescued =
        ["-x", "build", "--ignore-files", "--include", "keep/", "--include", ".env", "--include", "b.*"];
    assert_eq!(
        planned(&scene, &rescued),
        [".env", "a.txt", "b.log", "build/keep/x", "sub/c.log", "sub/d.txt"]
    );
    assert_eq!(planned(&scene, &["-x", "*", "--include", "*.txt"]), ["a.txt", "sub/d.txt"]);
    assert_eq!(
        planned(&scene, &["-x", "/a.txt", "-x", "sub/*.log", "-x", "build/**"]),
        ["b.log", "sub/d.txt"]
    );
    let hidden = planned(&scene, &["--hidden", "--ignore-files", "-x", "build"]);
    assert_eq!(hidden, [".env", ".gitignore", "a.txt", "sub/.ignore", "sub/c.log", "sub/d.txt"]);
    let ran = scene.run(&["create", "d", "-x", "[a"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("--exclude: the pattern '[a': "), "{}", ran.err);
}

#[test]
fn links_are_followed_only_on_request() {
    let scene = Scene::new();
    scene.write("d/a", "x");
    scene.write("else/where", "yy");
    symlink("../else", scene.path().join("d/to")).unwrap();
    assert_eq!(planned(&scene, &[]), ["a"]);
    assert_eq!(planned(&scene, &["--follow"]), ["a", "to/where"]);
    symlink(".", scene.path().join("d/circle")).unwrap();
    let ran = scene.run(&["create", "d", "--follow"]);
    assert_eq!(ran.code, 5);
    assert!(
        ran.err.contains("d/circle") && ran.err.contains("leads back to a folder it lies in"),
        "{}",
        ran.err
    );
}

#[test]
fn the_largest_files_come_first_where_that_is_wanted() {
    let scene = Scene::new();
    for (name, len) in [("a", 1), ("b", 3), ("c", 2)] {
        scene.write(&format!("d/{name}"), "x".repeat(len));
    }
    assert_eq!(planned(&scene, &[]), ["a", "b", "c"]);
    assert_eq!(planned(&scene, &["--sort", "size"]), ["b", "c", "a"]);
}

#[test]
fn everything_said_stands_in_the_torrent() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let flags = [
        "--name",
        "other",
        "--comment",
        "c",
        "--source",
        "s",
        "--created-by",
        "me",
        "--no-date",
        "--private",
        "--web-seed",
        "https://w.example/a",
        "--node",
        "[::1]:6881",
        "--node",
        "n.example:1",
        "-t",
        "udp://t.x:1",
    ];
    let ran = scene.run(&[&["create", "a", "--allow", "private-with-node"], flags.as_slice()].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.err.contains("warning"), "{}", ran.err);
    let bytes = fs::read(scene.path().join("other.torrent")).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let before = "d8:announce11:udp://t.x:17:comment1:c10:created by2:me4:infod6:lengthi5e4:name5:other";
    let after =
        "7:privatei1e6:source1:se5:nodesll3:::1i6881eel9:n.examplei1eee8:url-listl19:https://w.example/aee";
    assert!(text.starts_with(before) && text.ends_with(after), "{text}");
    for (flag, value) in
        [("--web-seed", "ftp://x"), ("--node", "x"), ("--name", "a/b"), ("--tracker", "x"), ("--allow", "x")]
    {
        assert_eq!(scene.run(&["create", "a", "-n", flag, value]).code, 2, "{flag}");
    }
}

#[test]
fn lints_are_warnings_with_names_that_silence_them() {
    let scene = Scene::new();
    scene.write("d/con", "x");
    scene.write("d/A", "x");
    scene.write("d/a", "x");
    let flags = ["create", "d", "-n", "--private", "--piece-size", "48K", "--web-seed", "http://w.example"];
    let names = [
        "uneven-piece",
        "private-without-tracker",
        "web-seed-without-slash",
        "name-not-portable",
        "names-collide",
    ];
    let lints = |extra: &[&str]| {
        let told = events(&scene.run(&[&flags, ["--json"].as_slice(), extra].concat()));
        let lints = told.iter().filter(|event| event["event"] == "warning");
        lints.map(|event| event["lint"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lints(&[]), names);
    for name in names {
        let others: Vec<_> = names.into_iter().filter(|other| *other != name).collect();
        assert_eq!(lints(&["--allow", name]), others);
    }
    let words = scene.run(&flags).err;
    assert_eq!(words.matches("warning: ").count(), names.len(), "{words}");
}

#[test]
fn the_link_takes_the_place_of_the_path() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let ran = scene.run(&["create", "a", "--magnet", "-t", "udp://t.x:1"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown = scene.run(&["show", "--field", "magnet", "a.torrent"]).out;
    assert_eq!(ran.out, shown);
    assert!(!ran.err.contains("magnet:"), "{}", ran.err);
    assert_eq!(scene.run(&["create", "a", "--magnet", "-o", "-"]).code, 2);
    assert_eq!(scene.run(&["create", "a", "--json", "-o", "-"]).code, 2);
    let later = scene.run(&["create", "a", "--format", "hybrid"]);
    assert_eq!((later.code, later.err.contains("the hybrid format is not available yet")), (2, true));
}

#[test]
fn the_code_of_the_link_is_drawn_where_it_can_be() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let drawn = scene.run(&["create", "a", "--qr"]);
    let code: Vec<&str> = drawn.err.lines().filter(|line| line.contains('█')).collect();
    assert_eq!((drawn.code, code.len()), (0, 21), "{}", drawn.err);
    // It says what the one of the finished torrent says.
    let of_the_file = scene.run(&["magnet", "a.torrent", "--qr"]).out;
    assert_eq!(code, of_the_file.lines().skip(1).collect::<Vec<_>>());
    assert_eq!(drawn.out.lines().count(), 1, "only the path is data: {}", drawn.out);
    let ascii = scene.run(&["create", "a", "-f", "--qr", "--ascii"]);
    assert!(
        ascii.code == 0 && ascii.err.contains("no QR code: it cannot be drawn in ASCII"),
        "{}",
        ascii.err
    );
}

/// Makes the torrent `d.torrent`, and waits until what changes from here on is newer than it says it is.
fn aged(scene: &Scene, flags: &[&str]) {
    let second = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let written = second();
    wait_for("the files are a second old", Duration::from_secs(10), || (second() > written).then_some(()));
    let ran = scene.run(&[&["create", "d", "-f", "--piece-size", "16K"], flags].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn hashes_of_unchanged_files_are_taken_over_and_right() {
    let scene = Scene::new();
    let bytes = |salt: u8| (0..65_536_usize).map(|i| (i * 7 + i / 256) as u8 ^ salt).collect::<Vec<_>>();
    for (name, salt) in [("a", 1), ("b", 2), ("c", 3)] {
        scene.write(&format!("d/{name}"), bytes(salt));
    }
    aged(&scene, &[]);
    // One is written anew with the same size and an old time, one is added at the end.
    let old = fs::metadata(scene.path().join("d/b")).unwrap().modified().unwrap();
    scene.write("d/b", bytes(9));
    fs::File::options().write(true).open(scene.path().join("d/b")).unwrap().set_modified(old).unwrap();
    scene.write("d/e", bytes(4));
    let told = events(&scene.run(&["create", "d", "--reuse", "d.torrent", "-o", "new.torrent", "--json"]));
    let reuse = event(&told, "reuse");
    assert_eq!(
        (&reuse["pieces"], &reuse["of_pieces"], &reuse["size"]),
        (&json!(8), &json!(16), &json!(131_072))
    );
    let fresh = events(&scene.run(&["create", "d", "-o", "fresh.torrent", "--piece-size", "16K", "--json"]));
    assert_eq!(event(&told, "done")["torrent"], event(&fresh, "done")["torrent"]);
    let ran = scene.run(&["create", "d", "--reuse", "d.torrent", "-o", "new.torrent", "-f"]);
    assert!(ran.err.contains(", 128 KiB reused (8 of 16 pieces)"), "{}", ran.err);
    assert_eq!(scene.run(&["verify", "new.torrent", "d"]).code, 0);
}

#[test]
fn an_old_torrent_that_does_not_fit_is_told_and_all_is_hashed() {
    let scene = Scene::new();
    scene.write("d/a", vec![1; 50_000]);
    aged(&scene, &["--no-date"]);
    let ran = scene.run(&["create", "d", "--reuse", "d.torrent", "-o", "new.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let why = "cannot reuse d.torrent, hashing everything: it has no creation date";
    assert!(ran.err.contains(why), "{}", ran.err);
    assert_eq!(scene.run(&["verify", "new.torrent", "d"]).code, 0);
    scene.write("bad.torrent", "x");
    assert_eq!(scene.run(&["create", "d", "--reuse", "bad.torrent", "-f"]).code, 3);
}

#[test]
fn a_torrent_is_never_part_of_itself() {
    let scene = Scene::new();
    scene.write("d/a", "x");
    let make = || {
        let mut command = scene.command(&["create", ".", "-f", "--json"]);
        events(&Scene::ran(command.current_dir(scene.path().join("d"))))
    };
    let first = event(&make(), "done")["torrent"].clone();
    assert_eq!(event(&make(), "done")["torrent"], first);
    assert!(scene.path().join("d/d.torrent").exists());
}

#[test]
fn a_file_that_changes_meanwhile_is_noticed() {
    let scene = Scene::new();
    // Enough that hashing takes longer than the way to the first progress.
    let size = 1_u64 << 30;
    fs::create_dir(scene.path().join("d")).unwrap();
    fs::File::create(scene.path().join("d/big")).unwrap().set_len(size).unwrap();
    scene.write("d/small", "x");
    let mut command =
        scene.command(&["create", "d", "--threads", "1", "--progress", "json", "--interval", "0"]);
    let mut program = Program::start("create", &mut command, scene.path());
    wait_for("it hashes", Duration::from_secs(60), || program.errors().contains("progress").then_some(()));
    scene.write("d/small", "y");
    let ended = wait_for("it ends", Duration::from_secs(120), || program.ended());
    assert_eq!(ended.code(), Some(5), "{}", program.tail());
    assert!(program.errors().contains("error: d/small changed during hashing"), "{}", program.tail());
    assert!(!scene.path().join("d.torrent").exists());
}

#[test]
fn an_interrupted_run_leaves_nothing() {
    let scene = Scene::new();
    fs::create_dir(scene.path().join("d")).unwrap();
    fs::File::create(scene.path().join("d/big")).unwrap().set_len(1 << 33).unwrap();
    let mut command =
        scene.command(&["create", "d", "--threads", "1", "--progress", "json", "--interval", "0"]);
    let mut program = Program::start("create", &mut command, scene.path());
    wait_for("it hashes", Duration::from_secs(60), || program.errors().contains("progress").then_some(()));
    let sent = Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = wait_for("it ends", Duration::from_secs(10), || program.ended());
    assert_eq!(ended.code(), Some(130), "{}", program.tail());
    let mut left: Vec<_> =
        fs::read_dir(scene.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["create.log", "create.out", "d"]);
}

#[test]
fn a_file_that_may_not_be_read_is_named() {
    let scene = Scene::new();
    scene.write("d/a", "x");
    scene.write("d/secret", "x");
    let secret = scene.path().join("d/secret");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    // Whoever may do anything is not stopped by permissions.
    if fs::File::open(&secret).is_ok() {
        return;
    }
    let ran = scene.run(&["create", "d"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("cannot read d/secret: permission denied"), "{}", ran.err);
    assert!(!scene.path().join("d.torrent").exists());
}

#[test]
fn it_can_go_on_with_seeding() {
    let scene = Scene::new();
    scene.write("d/a", "hello");
    let mut command =
        scene.command(&["create", "d", "--seed", "--json", "-o", "x.torrent", "--state-dir", "state"]);
    let mut program = Program::start("create", &mut command, scene.path());
    let seeds = |line: &str| line.contains("torr.seed/1") && line.contains(r#""state":"seeding""#);
    wait_for("it seeds", Duration::from_secs(60), || program.output().lines().any(seeds).then_some(()));
    let sent = Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let ended = wait_for("it ends", Duration::from_secs(10), || program.ended());
    assert_eq!(ended.code(), Some(130), "{}", program.tail());
    assert!(
        program.output().starts_with(r#"{"schema":"torr.create/1","event":"scan""#),
        "{}",
        program.tail()
    );
    let other = scene.run(&["create", "d", "--seed", "--name", "other"]);
    assert_eq!((other.code, other.err.contains("has another")), (2, true), "{}", other.err);
}

#[test]
fn a_folder_that_may_not_be_written_is_the_disks_fault() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let locked = scene.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever may do anything is not stopped by permissions.
    if fs::write(locked.join("probe"), "").is_ok() {
        return;
    }
    let ran = scene.run(&["create", "a", "-o", "locked/a.torrent"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("permission denied"), "{}", ran.err);
}
