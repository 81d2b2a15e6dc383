//! `torr seed PATH`: what is hashed, what is printed, and who can fetch it with that.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::party::{TIMEOUT, bytes, end};
use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

/// Shares for a moment, on loopback only.
pub fn share(scene: &Scene, arguments: &[&str]) -> Ran {
    scene.run(&[&["seed", "--bind", "127.0.0.1", "--until", "1s"], arguments].concat())
}

/// The same where all goes well; the only line on standard output, which is the link.
#[track_caller]
pub fn link(scene: &Scene, arguments: &[&str]) -> (String, String) {
    let ran = share(scene, arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let link = ran.out.strip_suffix('\n').expect("a line").to_owned();
    assert!(link.starts_with("magnet:?xt=urn:btih:") && !link.contains('\n'), "{link}");
    (link, ran.err)
}

/// The info hash in a link.
pub fn hash(link: &str) -> &str {
    &link["magnet:?xt=urn:btih:".len()..][..40]
}

/// A folder of many files, long enough ago for them to be known again at once.
pub fn many(scene: &Scene) {
    for n in 0..20_usize {
        scene.write(&format!("d/sub{}/f{n}", n % 3), bytes(40_000 + n));
    }
    settle(scene, "d/sub1/f19");
}

/// Waits until a change of a file could not be hidden by the steps in which its times go on.
pub fn settle(scene: &Scene, file: &str) {
    let written = fs::metadata(scene.path().join(file)).unwrap().modified().unwrap();
    wait_for("the file is no longer new", TIMEOUT, || {
        (SystemTime::now().duration_since(written).ok()? > Duration::from_millis(30)).then_some(())
    });
}

/// Starts a seeder and waits for its link; its events are in its output.
pub fn seeder(scene: &Scene, name: &str, arguments: &[&str]) -> (Program, Value) {
    let mut command = scene.command(&[&["seed", "--bind", "127.0.0.1", "--json"], arguments].concat());
    command.args(["--state-dir", &format!("state-{name}")]);
    let program = Program::start(name, &mut command, scene.path());
    let link = wait_for("the link is told", TIMEOUT, || event(&program.output(), "link"));
    (program, link)
}

pub fn event(output: &str, name: &str) -> Option<Value> {
    let whole = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    whole.into_iter().find(|event| event["event"] == name)
}

#[test]
fn the_second_time_nothing_is_hashed_and_the_link_is_the_same() {
    let scene = Scene::new();
    many(&scene);
    let (first, said) = link(&scene, &["d", "-p", "55501"]);
    assert!(said.contains(" hashed  20 files, 781 KiB, "), "{said}");
    assert!(first.ends_with("&dn=d&x.pe=127.0.0.1:55501"), "{first}");
    let (second, said) = link(&scene, &["d", "-p", "55501"]);
    assert_eq!(first, second);
    assert!(said.contains(" known   20 files, 781 KiB; unchanged"), "{said}");
    // Nothing but the hashes is left of the first run: they are enough.
    let (third, said) = link(&scene, &["d/", "--state-dir", "other", "-p", "55501"]);
    assert_eq!(first, third);
    assert!(said.contains("unchanged since it was hashed"), "{said}");
    // What is damaged is as good as nothing, and it can be asked for.
    for file in fs::read_dir(scene.path().join(".cache/torr/hashes")).unwrap() {
        fs::write(file.unwrap().path(), "damaged").unwrap();
    }
    let (fourth, said) = link(&scene, &["d", "--state-dir", "third", "-p", "55501"]);
    assert_eq!(first, fourth);
    assert!(said.contains(" hashed  20 files"), "{said}");
    let (fifth, said) = link(&scene, &["d", "--rehash", "-p", "55501"]);
    assert_eq!(first, fifth);
    assert!(said.contains(" hashed  20 files"), "{said}");
    // It is remembered like one that was fetched.
    let by_name = share(&scene, &[&hash(&first)[..6], "-p", "55501"]);
    assert_eq!((by_name.code, by_name.out.trim_end()), (0, first.as_str()), "{}", by_name.err);
}

#[test]
fn one_changed_file_of_many_is_hashed_and_the_result_is_that_of_a_fresh_run() {
    let scene = Scene::new();
    many(&scene);
    let (before, _) = link(&scene, &["d"]);
    let changed: Vec<u8> = bytes(40_010).iter().map(|byte| !byte).collect();
    scene.write("d/sub1/f10", changed);
    settle(&scene, "d/sub1/f10");
    let (after, said) = link(&scene, &["d"]);
    assert_ne!(hash(&before), hash(&after));
    assert!(said.contains("the rest is unchanged"), "{said}");
    let fresh = scene.run(&["create", "d", "--magnet", "-o", "fresh.torrent"]);
    assert_eq!(hash(&fresh.out), hash(&after), "{}", fresh.err);
    // A folder that has grown is another torrent, and what was there is not hashed again.
    scene.write("d/sub9/new", bytes(50_000));
    let (grown, _) = link(&scene, &["d"]);
    let fresh = scene.run(&["create", "d", "--magnet", "-o", "grown.torrent"]);
    assert_eq!(hash(&fresh.out), hash(&grown), "{}", fresh.err);
}

#[test]
fn the_data_of_a_known_torrent_is_shared_as_that_torrent() {
    let scene = Scene::new();
    many(&scene);
    scene.write("d/.hidden", "in the torrent, and passed over by default");
    let made =
        scene.run(&["create", "d", "--hidden", "--piece-size", "32K", "-q", "-o", "x.torrent", "--magnet"]);
    let known = hash(&made.out).to_owned();
    assert_eq!(link(&scene, &["x.torrent"]).0.find(&known), Some(20));
    for flags in [&["d"][..], &["d", "--rehash"]] {
        let (same, said) = link(&scene, flags);
        assert_eq!(hash(&same), known, "{said}");
        let short = &known[..6];
        assert!(
            said.contains(&format!("this is the data of d ({short})")) && said.contains("--new"),
            "{said}"
        );
    }
    let (new, said) = link(&scene, &["d", "--new"]);
    assert!(hash(&new) != known && !said.contains("this is the data"), "{said}");
    // What is asked for and it does not have makes a new one too.
    let (private, _) = link(&scene, &["d", "--private"]);
    assert!(hash(&private) != known && hash(&private) != hash(&new));
    // One whose bytes are no longer those of the torrent is shared as it is.
    scene.write("d/sub1/f10", vec![7; 40_010]);
    let (changed, said) = link(&scene, &["d"]);
    assert!(hash(&changed) != known && hash(&changed) != hash(&new), "{said}");
    let fresh = scene.run(&["create", "d", "--magnet", "-o", "fresh.torrent"]);
    assert_eq!(hash(&fresh.out), hash(&changed));
}

#[test]
fn what_is_asked_for_stands_in_the_torrent_and_in_the_link() {
    let scene = Scene::new();
    scene.write("a b", bytes(70_000));
    let (told, _) = link(
        &scene,
        &[
            "a b",
            "--tracker",
            "http://127.0.0.1:1/announce",
            "--web-seed",
            "http://w.example/",
            "--comment",
            "so",
            "--piece-size",
            "32K",
            "--private",
            "--save",
            "--no-address",
        ],
    );
    assert!(
        told.ends_with("&dn=a%20b&tr=http%3A%2F%2F127.0.0.1%3A1%2Fannounce&ws=http%3A%2F%2Fw.example%2F"),
        "{told}"
    );
    let show = scene.run(&["show", "--json", "a b.torrent"]).json().remove(0);
    assert_eq!(show["info_hash"], hash(&told));
    assert_eq!(
        (&show["comment"], &show["private"], &show["piece_length"]),
        (&"so".into(), &true.into(), &32_768.into())
    );
    // The same again is no other file; another one is never written over.
    let (again, _) = link(&scene, &["a b", "--private", "--piece-size", "32K", "--save"]);
    assert_eq!(hash(&again), hash(&told));
    scene.write("mine", "mine");
    let refused = share(&scene, &["a b", "--save=mine"]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(refused.err.contains("mine already exists with different content"), "{}", refused.err);
    assert_eq!(fs::read(scene.path().join("mine")).unwrap(), b"mine");
    let local = link(&scene, &["a b", "--lan", "--piece-size", "32K", "--private"]).0;
    assert!(
        !local.contains("&tr=") && !local.contains("&ws=") && local.contains("&x.pe=127.0.0.1:"),
        "{local}"
    );
}

#[test]
fn each_path_has_its_link_and_the_events_are_as_promised() {
    let scene = Scene::new();
    scene.write("one", bytes(100));
    scene.write("two/.hidden", "x");
    scene.write("two/x", bytes(200_000));
    std::os::unix::fs::symlink("x", scene.path().join("two/link")).unwrap();
    let ran = share(&scene, &["one", "two", "none"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(ran.out.lines().filter(|line| line.starts_with("magnet:?")).count(), 2, "{}", ran.out);
    assert_eq!(ran.out.lines().count(), 2);
    assert!(ran.err.contains("no such file, folder or torrent: none"), "{}", ran.err);
    assert!(ran.err.contains("skipped 1 hidden (--hidden), 1 link (--follow)"), "{}", ran.err);

    let json = share(&scene, &["one", "two", "--json", "--rehash"]);
    assert_eq!(json.code, 0, "{}", json.err);
    let events = schema::check_lines(&json.out);
    let links: Vec<&Value> = events.iter().filter(|event| event["event"] == "link").collect();
    assert_eq!(links.len(), 2);
    for event in links {
        assert_eq!(event["command"], format!("torr get '{}'", event["link"].as_str().unwrap()));
        let address = event["addresses"][0].as_str().unwrap();
        assert!(event["link"].as_str().unwrap().ends_with(&format!("&x.pe={address}")), "{event}");
    }
    assert!(events.iter().any(|event| event["event"] == "scan" && event["links_skipped"] == 1));
}

#[test]
fn what_cannot_be_shared_is_refused_in_a_sentence() {
    let scene = Scene::new();
    scene.photos();
    fs::create_dir(scene.path().join("empty")).unwrap();
    fs::create_dir(scene.path().join("odd")).unwrap();
    fs::write(scene.path().join("odd").join(std::ffi::OsStr::from_bytes(b"\xff")), "x").unwrap();
    scene.write("names/aux.txt", "x");
    for (arguments, code, sentence) in [
        (&["empty"][..], 5, "empty has no content to share"),
        (&["odd"], 5, "is not UTF-8"),
        (&["names"], 5, "names/aux.txt has a name that a torrent cannot use"),
        (&["none"], 3, "no such file, folder or torrent: none"),
        (&["photos", "-o", "x"], 2, "is the data itself"),
        (&["photos", "--format", "v2"], 2, "the v2 format is not available yet"),
        (&["photos", "photos.torrent", "--save=x"], 2, "--save=FILE names one torrent file"),
        (&["photos.torrent", "--private"], 2, "--private is for files and folders"),
        (&["photos", "--web-seed", "ftp://x"], 2, "a web seed is http://"),
        (&["photos", "--once", "--until", "2.0"], 2, "cannot be used with"),
        (&["photos", "--lan", "--tracker", "http://x/"], 2, "cannot be used with"),
        (&["photos", "--lan", "--dht"], 2, "cannot be used with"),
        (&["/"], 2, "has no name that a torrent can use"),
    ] {
        let arguments = [&["seed", "--bind", "127.0.0.1"], arguments].concat();
        let ran = scene.run(&arguments);
        assert_eq!(
            (ran.code, ran.err.contains(sentence), ran.out.as_str()),
            (code, true, ""),
            "{arguments:?}: {}",
            ran.err
        );
    }
    // The name of what is shared is part of the torrent too.
    let odd = scene.path().join(std::ffi::OsStr::from_bytes(b"\xfe"));
    fs::write(&odd, "x").unwrap();
    let ran = Scene::ran(scene.command(&["seed"]).arg(&odd));
    assert_eq!((ran.code, ran.err.contains("is not UTF-8")), (5, true), "{}", ran.err);
    let secret = scene.path().join("photos/secret");
    fs::write(&secret, "x").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o000)).unwrap();
    // Whoever may do anything is not stopped by permissions.
    if fs::File::open(&secret).is_err() {
        let ran = scene.run(&["seed", "photos"]);
        assert_eq!(
            (ran.code, ran.err.contains("photos/secret: permission denied")),
            (5, true),
            "{}",
            ran.err
        );
    }
}

#[test]
fn who_has_the_torrent_file_and_the_address_can_fetch_it() {
    let scene = Scene::new();
    many(&scene);
    let (mut program, told) = seeder(&scene, "seed", &["d", "--once", "--save"]);
    let address = told["addresses"][0].as_str().unwrap();
    let got = scene.run(&[
        "get",
        "d.torrent",
        "-o",
        "got",
        "--peer",
        address,
        "--bind",
        "127.0.0.1",
        "--state-dir",
        "state-get",
        "--timeout",
        "30s",
    ]);
    assert_eq!(got.code, 0, "{}", got.err);
    same(&scene, "d", "got/d");
    assert_eq!(end(&mut program).code(), Some(0), "{}", program.tail());
}

/// Runs the command that was printed, as it stands, in a folder of its own.
pub fn literally(scene: &Scene, name: &str, told: &Value) -> Program {
    let bin = Path::new(env!("CARGO_BIN_EXE_torr")).parent().unwrap().to_owned();
    let folder = scene.path().join(name);
    fs::create_dir_all(&folder).unwrap();
    let mut command = Command::new("sh");
    command.arg("-c").arg(told["command"].as_str().unwrap()).current_dir(&folder).env_clear();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    command.env("PATH", path).env("HOME", &folder).env("LANG", "C.UTF-8");
    Program::start(&format!("{name}-log"), &mut command, scene.path())
}

#[test]
fn the_printed_command_is_all_that_the_other_side_needs() {
    let scene = Scene::new();
    many(&scene);
    let (mut seeder, told) = seeder(&scene, "seed", &["d", "--once"]);
    let mut getter = literally(&scene, "there", &told);
    assert_eq!(end(&mut getter).code(), Some(0), "{}", getter.tail());
    same(&scene, "d", "there/d");
    assert_eq!(getter.output().trim_end(), scene.path().join("there/d").to_str().unwrap());
    assert_eq!(end(&mut seeder).code(), Some(0), "{}", seeder.tail());
}

#[test]
fn several_receivers_get_all_of_it() {
    let scene = Scene::new();
    scene.write("it's a film.mkv", bytes(3_000_000));
    let (mut seeder, told) = seeder(&scene, "seed", &["it's a film.mkv", "--until", "copies:3"]);
    let mut getters: Vec<Program> =
        ["one", "two", "three"].iter().map(|name| literally(&scene, name, &told)).collect();
    for getter in &mut getters {
        assert_eq!(end(getter).code(), Some(0), "{}", getter.tail());
    }
    for name in ["one", "two", "three"] {
        same(&scene, "it's a film.mkv", &format!("{name}/it's a film.mkv"));
    }
    assert_eq!(end(&mut seeder).code(), Some(0), "{}", seeder.tail());
}

#[test]
fn what_links_lead_to_is_shared_where_that_is_asked() {
    let scene = Scene::new();
    scene.write("d/own", bytes(50_000));
    scene.write("elsewhere/one", bytes(70_000));
    scene.write("elsewhere/deep/two", bytes(90_000));
    std::os::unix::fs::symlink("../elsewhere/one", scene.path().join("d/one")).unwrap();
    std::os::unix::fs::symlink("../elsewhere/deep", scene.path().join("d/more")).unwrap();
    let hash = |told: &Value| told["torrent"].as_str().unwrap().to_owned();
    let fetch = |told: &Value, name: &str| {
        let mut getter = literally(&scene, name, told);
        assert_eq!(end(&mut getter).code(), Some(0), "{}", getter.tail());
        // The links themselves are followed by diff, too.
        same(&scene, "d", &format!("{name}/d"));
    };
    let (mut first, told) = seeder(&scene, "first", &["d", "--follow", "--once"]);
    fetch(&told, "one");
    assert_eq!(end(&mut first).code(), Some(0), "{}", first.tail());
    // It is remembered; what links lead to is given on request only.
    let hash = hash(&told);
    let seed = ["seed", "--bind", "127.0.0.1", "--state-dir", "state-first", &hash[..6]];
    let refused = scene.run(&seed);
    assert_eq!(refused.code, 5, "{}", refused.err);
    let again = scene.run(&[&seed[..], &["--follow", "--until", "1s"]].concat());
    assert_eq!((again.code, again.out.contains(&hash)), (0, true), "{}", again.err);

    let arguments = ["create", "d", "--follow", "--seed", "--json", "--state-dir", "state-create"];
    let mut command = scene.command(&arguments);
    let mut program = Program::start("create", &mut command, scene.path());
    let told = wait_for("the link is told", TIMEOUT, || event(&program.output(), "link"));
    fetch(&told, "two");
    // A link that leads elsewhere now is a file that has changed.
    fs::remove_file(scene.path().join("d/one")).unwrap();
    scene.write("elsewhere/other", vec![1; 70_000]);
    std::os::unix::fs::symlink("../elsewhere/other", scene.path().join("d/one")).unwrap();
    assert_eq!(end(&mut program).code(), Some(5), "{}", program.tail());
}

#[test]
fn create_goes_on_with_sharing() {
    let scene = Scene::new();
    many(&scene);
    let mut command = scene.command(&["create", "d", "--seed", "--json", "--state-dir", "state"]);
    let mut program = Program::start("create", &mut command, scene.path());
    let told = wait_for("the link is told", TIMEOUT, || event(&program.output(), "link"));
    schema::check_lines(&program.output());
    let checking = |event: &Value| event["state"] == "checking";
    assert!(!schema::check_lines(&program.output()).iter().any(checking), "nothing is hashed twice");
    assert_eq!(told["torrent"], event(&program.output(), "done").unwrap()["torrent"]);
    assert!(Command::new("kill").args(["-INT", &program.id().to_string()]).status().unwrap().success());
    assert_eq!(end(&mut program).code(), Some(130), "{}", program.tail());
}

/// Whether two folders hold the same files.
#[track_caller]
pub fn same(scene: &Scene, one: &str, other: &str) {
    let ran = Command::new("diff").args(["-r", one, other]).current_dir(scene.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stdout));
    assert!(Path::new(&scene.path().join(other)).exists());
}
