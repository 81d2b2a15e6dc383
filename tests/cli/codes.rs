//! Each exit code that is documented comes out of a run.

use std::process::Stdio;
use std::time::Duration;

use torr::proto::metainfo::Metainfo;
use torr::store::TorrentStore;

use super::party::{Party, TIMEOUT, end};
use super::{Ran, Scene, unread};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

#[track_caller]
fn assert_ends(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains(words) && !ran.err.contains("panicked"), "{}", ran.err);
}

#[test]
fn the_codes_are_listed_as_they_are() {
    let scene = Scene::new();
    let help = scene.run(&["help", "exit-codes"]).out;
    let codes: Vec<i32> = help
        .lines()
        .filter_map(|line| line.strip_prefix(' ')?.split_whitespace().next()?.parse().ok())
        .collect();
    assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6, 7, 70, 130, 141, 143]);
}

#[test]
fn each_code_has_a_run_that_ends_with_it() {
    let scene = Scene::new();
    scene.photos();
    assert_ends(&scene.run(&["verify", "photos.torrent"]), 0, "");
    scene.write("damaged/photos/a.bin", vec![0; 100_000]);
    assert_ends(&scene.run(&["verify", "photos.torrent", "damaged"]), 1, "");
    assert_ends(&scene.run(&["verify"]), 2, "error: ");
    assert_ends(&scene.run(&["verify", "photos/a.bin"]), 3, "error: ");
    let nobody = ["get", "photos.torrent", "-o", "got", "--bind", "127.0.0.1", "--timeout", "1s"];
    assert_ends(&scene.run(&nobody), 4, "error: ");
    assert_ends(&scene.run(&["create", "photos"]), 5, "already exists");
    assert_ends(&scene.run(&["ctl", "list"]), 6, "no torr daemon is running");
    let bug = scene.run(&["version", "--debug-panic"]);
    assert_ends(&bug, 70, "This is a bug in torr");
    let mut closed = scene.command(&["show", "photos.torrent"]);
    let closed = closed.stdin(Stdio::null()).stdout(unread()).output().unwrap();
    assert_eq!((closed.status.code(), closed.stderr), (Some(141), Vec::new()));
}

#[test]
fn a_signal_has_its_code() {
    let scene = Scene::new();
    for (signal, code) in [("-INT", 130), ("-TERM", 143)] {
        let mut command = scene.command(&["tracker", "--listen", "127.0.0.1:0"]);
        let mut program = Program::start("tracker", &mut command, scene.path());
        wait_for("it listens", TIMEOUT, || program.output().contains("http://").then_some(()));
        let sent = std::process::Command::new("kill").args([signal, &program.id().to_string()]).status();
        assert!(sent.unwrap().success());
        let end = wait_for("it ends", Duration::from_secs(10), || program.ended());
        assert_eq!(end.code(), Some(code));
    }
}

#[test]
fn a_torrent_that_another_process_has_in_the_same_folder_is_left_to_it() {
    let party = Party::new();
    party.make("x.bin", 300_000);
    let arguments = ["get", "x.bin.torrent", "-o", "got", "--timeout", "none"];
    let mut first = Program::start("first", &mut party.command("a", &arguments), party.scene.path());
    let torrent = Metainfo::parse(&party.read("x.bin.torrent")).unwrap();
    wait_for("the torrent is taken", TIMEOUT, || {
        let owner = TorrentStore::in_state_dir(&party.path("state-a")).owner(&torrent.info_hash());
        owner.ok()?.filter(|owner| owner.process == first.id()).map(drop)
    });
    let ran = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_ends(&ran, 7, &format!("active in another torr (process {})", first.id()));
    let ran = party.get("a", &["x.bin.torrent", "-o", "got", "--json"]);
    let documents = ran.json();
    let error = documents.iter().find(|document| document["schema"] == "torr.error/1").unwrap();
    assert_eq!((ran.code, &error["code"]), (7, &7.into()), "{error}");
    // The same folder under another name.
    std::os::unix::fs::symlink("got", party.path("link")).unwrap();
    assert_ends(&party.get("a", &["x.bin.torrent", "-o", "link"]), 7, "active in another torr");
    // It ends with its process, however that ends.
    let killed = std::process::Command::new("kill").args(["-KILL", &first.id().to_string()]).status();
    assert!(killed.unwrap().success());
    end(&mut first);
    let arguments = ["get", "x.bin.torrent", "-o", "got", "--timeout", "1s"];
    assert_ends(&Scene::ran(&mut party.command("a", &arguments)), 4, "error: ");
}

#[test]
fn a_bug_is_told_to_scripts_by_its_code() {
    let scene = Scene::new();
    let ran = scene.run(&["version", "--json", "--debug-panic"]);
    assert_eq!((ran.code, ran.out.as_str()), (70, ""));
    let failed = schema::check_lines(&scene.run(&["show", "nowhere.torrent", "--json"]).out);
    assert_eq!(failed[0]["code"], 3);
}
