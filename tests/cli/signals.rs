//! Ctrl-C, termination and sudden death.

use std::net::TcpListener;
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use torr::proto::metainfo::{Attributes, Content, Draft, Extras};

use super::Scene;
use super::party::{Party, TIMEOUT};
use crate::support::program::Program;
use crate::support::wait::wait_for;

/// An end that is put off until a tracker answers would take its whole patience, a minute.
const SOON: Duration = Duration::from_secs(10);

pub fn send(program: &Program, signal: &str) {
    let sent = Command::new("kill").args([signal, &program.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// Sends a signal and waits for the end; says the code.
pub fn stop(program: &mut Program, signal: &str) -> Option<i32> {
    send(program, signal);
    wait_for("the program ends", SOON, || program.ended()).code()
}

/// A tracker that accepts and never answers.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/announce", listener.local_addr().unwrap());
    (listener, url)
}

#[test]
fn a_tracker_that_never_answers_does_not_hold_up_the_end() {
    let scene = Scene::new();
    let (_listener, url) = mute();
    scene.write("given/x.bin", super::party::bytes(100_000));
    assert_eq!(scene.run(&["create", "given/x.bin", "-o", "x.torrent", "-t", &url]).code, 0);
    let cases = [
        ("get", vec!["get", "x.torrent", "-o", "got"], "-INT", 130),
        ("term", vec!["get", "x.torrent", "-o", "got"], "-TERM", 143),
        ("hup", vec!["get", "x.torrent", "-o", "got"], "-HUP", 143),
        ("seed", vec!["seed", "x.torrent", "-o", "given"], "-INT", 130),
    ];
    for (name, arguments, signal, code) in cases {
        let mut command = scene.command(&arguments);
        command.args(["--bind", "127.0.0.1", "--state-dir", name, "--interval", "1s"]);
        let mut program = Program::start(name, &mut command, scene.path());
        wait_for("it has begun", TIMEOUT, || program.errors().contains("metadata").then_some(()));
        assert_eq!(stop(&mut program, signal), Some(code), "{}", program.tail());
        let errors = program.errors();
        assert_eq!(errors.matches("stopping, saving progress").count(), 1, "{errors}");
        assert!(!errors.contains("panicked") && !errors.contains("error"), "{errors}");
    }
}

#[test]
fn a_second_ctrl_c_skips_what_is_left_to_do() {
    let scene = Scene::new();
    let (_listener, url) = mute();
    scene.write("given/x.bin", super::party::bytes(100_000));
    assert_eq!(scene.run(&["create", "given/x.bin", "-o", "x.torrent", "-t", &url]).code, 0);
    let mut command = scene.command(&["get", "x.torrent", "-o", "got", "--bind", "127.0.0.1", "--json"]);
    let mut program = Program::start("twice", &mut command, scene.path());
    wait_for("it has begun", TIMEOUT, || program.output().contains("metadata").then_some(()));
    send(&program, "-INT");
    wait_for("it says so", SOON, || program.errors().contains("stopping, saving progress").then_some(()));
    // Again and again, for what comes at once is taken for the same. It may end by itself meanwhile; that is as
    // good.
    let ended = wait_for("it ends", SOON, || {
        let _ = Command::new("kill").args(["-INT", &program.id().to_string()]).stderr(Stdio::null()).status();
        program.ended()
    });
    assert_eq!(ended.code(), Some(130), "{}", program.tail());
    assert!(program.errors().contains("stopped before any data arrived"), "{}", program.errors());
    let last = crate::support::schema::check_lines(&program.output()).pop().unwrap();
    assert_eq!((&last["event"], &last["code"]), (&"summary".into(), &130.into()));
}

#[test]
fn a_tracker_ends_when_asked() {
    let scene = Scene::new();
    let mut command = scene.command(&["tracker", "--listen", "127.0.0.1:0"]);
    let mut tracker = Program::start("tracker", &mut command, scene.path());
    wait_for("it listens", TIMEOUT, || tracker.output().contains("http://").then_some(()));
    assert_eq!(stop(&mut tracker, "-INT"), Some(130));
}

#[test]
fn an_interrupted_download_goes_on_without_hashing() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 4_000_000);
    party.seed(&["x.bin"]);
    let arguments = ["get", "x.bin.torrent", "-o", "got", "--down", "1M", "--json", "--interval", "1s"];
    let mut part = Program::start("part", &mut party.command("a", &arguments), party.scene.path());
    wait_for("a part is there", TIMEOUT, || some_done(&part.output()).then_some(()));
    assert_eq!(stop(&mut part, "-INT"), Some(130), "{}", part.tail());
    assert!(part.errors().contains("run the same command to resume"), "{}", part.errors());
    let last = part.output().lines().last().map(str::to_owned).unwrap_or_default();
    assert!(last.contains(r#""event":"summary","ok":false,"code":130"#), "{last}");

    let rest = party.get("a", &["x.bin.torrent", "-o", "got", "--json"]);
    assert_eq!(rest.code, 0, "{}", rest.err);
    assert!(rest.err.contains("already there"), "{}", rest.err);
    assert!(!rest.out.contains("added_existing_files"), "{}", rest.out);
    assert!(party.read("got/x.bin") == bytes);
}

#[test]
fn sudden_death_loses_nothing_that_was_right() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 2_000_000);
    party.seed(&["x.bin"]);
    for round in 0..10 {
        let name = format!("round-{round}");
        let arguments = ["get", "x.bin.torrent", "-o", "got", "--down", "500K", "--json", "--interval", "1s"];
        let mut program = Program::start(&name, &mut party.command("a", &arguments), party.scene.path());
        // Each round dies at another point: at once, when the files are made, in the midst of it.
        wait_for("its moment has come", TIMEOUT, || {
            let due = match round % 4 {
                0 => true,
                1 => party.path("state-a/library.redb").exists(),
                2 => party.path("got/x.bin").exists(),
                _ => some_done(&program.output()),
            };
            (due || program.ended().is_some()).then_some(())
        });
        send_if_alive(&mut program);
        assert!(!program.errors().contains("error"), "{}", program.tail());
    }
    let rest = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(rest.code, 0, "{}", rest.err);
    assert!(party.read("got/x.bin") == bytes);
}

fn send_if_alive(program: &mut Program) {
    if program.ended().is_none() {
        send(program, "-KILL");
        wait_for("it is dead", TIMEOUT, || program.ended());
    }
}

pub fn some_done(output: &str) -> bool {
    output.lines().any(|line| line.contains(r#""event":"progress""#) && !line.contains(r#""done":0,"#))
}

#[test]
fn a_demo_cleans_up_when_it_is_interrupted() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path().join("tmp")).unwrap();
    let mut command = scene.command(&["demo", "--size", "16M"]);
    command.env("TMPDIR", scene.path().join("tmp"));
    let mut demo = Program::start("demo", &mut command, scene.path());
    wait_for("somebody has come", TIMEOUT, || demo.errors().contains("ann joined").then_some(()));
    assert_eq!(stop(&mut demo, "-INT"), Some(130), "{}", demo.tail());
    assert!(demo.errors().contains("stopping, cleaning up"), "{}", demo.errors());
    let left: Vec<_> = std::fs::read_dir(scene.path().join("tmp")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_check_that_is_cut_off_says_so() {
    const PIECE: u64 = 16 << 20;
    const PIECES: u64 = 512;
    let scene = Scene::new();
    // One byte in each piece, so that none is a hole that need not be hashed.
    scene.write("got/x.bin", "");
    let file = std::fs::File::options().write(true).open(scene.path().join("got/x.bin")).unwrap();
    file.set_len(PIECE * PIECES).unwrap();
    for piece in 0..PIECES {
        file.write_all_at(b"x", piece * PIECE).unwrap();
    }
    let draft = Draft {
        name: "x.bin".into(),
        content: Content::Single(PIECE * PIECES, Attributes::NONE),
        piece_len: PIECE as u32,
        digests: vec![0; 20 * PIECES as usize],
        private: false,
        source: None,
        extras: Extras::default(),
    };
    scene.write("x.torrent", draft.to_bytes());
    let mut command = scene.command(&["get", "x.torrent", "-o", "got", "--bind", "127.0.0.1"]);
    let mut get = Program::start("get", &mut command, scene.path());
    wait_for("it checks", TIMEOUT, || get.errors().contains("checking files").then_some(()));
    assert_eq!(stop(&mut get, "-INT"), Some(130));
    let errors = get.errors();
    assert!(errors.contains("stopped while checking existing files, which are unchanged"), "{errors}");
}
