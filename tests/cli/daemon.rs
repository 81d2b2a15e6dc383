//! The commands that need a daemon, while there is none: code 6, once what was asked makes sense.

use std::os::unix::net::UnixListener;

use super::{Ran, Scene};
use crate::support::schema;

fn scene() -> Scene {
    let scene = Scene::new();
    scene.photos();
    scene
}

#[track_caller]
fn assert_ends(ran: &Ran, code: i32, words: &str) {
    assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{}", ran.err);
    assert!(ran.err.contains(words), "{}", ran.err);
    assert!(!ran.err.contains("torr daemon'") && ran.err.contains("\nhint:  "), "{}", ran.err);
}

#[test]
fn without_a_daemon_there_is_a_code_and_another_way() {
    let scene = scene();
    let magnet = format!("magnet:?xt=urn:btih:{}", "ab".repeat(20));
    for arguments in [
        &["add", "photos.torrent"][..],
        &["add", "photos.torrent", &magnet, "https://x.example/a.torrent", "-o", "got", "--paused"],
        &["add", &"ab".repeat(20), "--label", "linux", "--select", "1-3", "--pick"],
        &["ctl", "ls"],
        &["ctl", "pause", "9f2c41"],
        &["ctl", "set", "up=2M"],
        &["ctl", "queue", "all", "top"],
        &["ctl", "list", "size>1GiB", "done<50%"],
    ] {
        let ran = scene.run(arguments);
        assert_ends(&ran, 6, "error: no torr daemon is running at ");
        assert!(ran.err.contains("'torr get' works without"), "{}", ran.err);
        let json = scene.run(&[arguments, &["--json"]].concat());
        let told = schema::check_lines(&json.out);
        assert_eq!((told.len(), &told[0]["code"], &told[0]["kind"]), (1, &6.into(), &"no_daemon".into()));
    }
}

#[test]
fn what_makes_no_sense_is_said_first() {
    let scene = scene();
    for (arguments, code, words) in [
        (&["add"][..], 2, "TORRENT"),
        (&["add", "photos.torrent", "--select", "[", "-o", "x"], 2, "--select"),
        (&["add", "photos.torrent", "--spawn"], 2, "--spawn is not available yet"),
        (&["add", "nowhere.torrent"], 3, "torrent file not found: nowhere.torrent"),
        (&["add", "photos.torrent", "photos/a.bin"], 3, "photos/a.bin"),
        (&["add", "magnet:?dn=nothing"], 3, "magnet:?dn=nothing"),
        (&["add", "http://"], 3, "http://"),
        (&["ctl"], 2, "VERB"),
        (&["ctl", "lst"], 2, "did you mean: list"),
        (&["ctl", "pause"], 2, "torr ctl pause: WHICH is missing"),
        (&["ctl", "move", "9f2c41"], 2, "torr ctl move: DIR is missing"),
        (&["ctl", "queue", "9f2c41", "sideways"], 2, "up, down, top or bottom"),
        (&["ctl", "set", "up"], 2, "NAME=VALUE"),
        (&["ctl", "stop", "now"], 2, "takes no further words"),
        (&["get", "photos.torrent", "--socket", "s"], 2, "--socket names a daemon"),
    ] {
        assert_ends(&scene.run(arguments), code, words);
    }
}

#[test]
fn the_socket_is_looked_for_where_it_is_said_to_be() {
    let scene = scene();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = scene.command(arguments);
        command.envs(variables.iter().copied());
        Scene::ran(&mut command)
    };
    let none = "no torr daemon is running at ";
    let home = scene.path().join(".local/state/torr/daemon.sock");
    assert_ends(&run(&["ctl", "ls"], &[]), 6, &format!("{none}{}", home.display()));
    let runtime = [("XDG_RUNTIME_DIR", "/nowhere")];
    assert_ends(&run(&["ctl", "ls"], &runtime), 6, &format!("{none}/nowhere/torr/daemon.sock"));
    let profile = ["ctl", "ls", "--profile", "work"];
    assert_ends(&run(&profile, &runtime), 6, &format!("{none}/nowhere/torr/profiles/work/daemon.sock"));
    let both = [runtime[0], ("TORR_SOCKET", "/else/s")];
    assert_ends(&run(&["ctl", "ls"], &both), 6, &format!("{none}/else/s"));
    assert_ends(&run(&["ctl", "ls", "--socket", "here"], &both), 6, &format!("{none}here"));

    // Somebody listens, but speaks nothing that we know.
    let _listener = UnixListener::bind(scene.path().join("here")).unwrap();
    let ran = run(&["ctl", "ls", "--socket", "here"], &[]);
    assert_ends(&ran, 6, "the program at here is not a compatible torr daemon");
    let ran = run(&["add", "photos.torrent", "--socket", "here", "--json"], &[]);
    assert_eq!((ran.code, &schema::check_lines(&ran.out)[0]["kind"]), (6, &"refused".into()));
}

#[test]
fn nothing_advertises_what_cannot_be_used() {
    let scene = Scene::new();
    for arguments in [&["help"][..], &["--help"], &["completions", "fish"], &["man"]] {
        let text = scene.run(arguments).out;
        for word in ["torr add", "torr ctl", "torr-ctl", "\n  add ", "\n  ctl ", "-a \"ctl\""] {
            assert!(!text.contains(word), "{arguments:?}: {word}");
        }
    }
    assert!(scene.run(&["add", "--help"]).out.contains("There is no daemon yet"));
}
