//! What is shared and does not stay as it was.

use std::fs;
use std::path::Path;

use super::Scene;
use super::party::{Party, TIMEOUT, end};
use super::share::{link, many, seeder, settle};
use super::signals::some_done;
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

#[test]
fn a_file_that_changes_while_it_is_shared_ends_the_sharing() {
    let scene = Scene::new();
    many(&scene);
    let (mut program, told) = seeder(&scene, "seed", &["d"]);
    // What is added is not part of it.
    scene.write("d/sub1/added", "x");
    scene.write("d/sub1/f10", vec![9; 40_010]);
    let ended = end(&mut program);
    assert_eq!(ended.code(), Some(5), "{}", program.tail());
    let events = schema::check_lines(&program.output());
    let error = events.iter().find(|event| event["schema"] == "torr.error/1").unwrap();
    assert_eq!((&error["kind"], &error["torrent"]), (&"changed_on_disk".into(), &told["torrent"]));
    assert!(error["message"].as_str().unwrap().contains("f10 was changed while torr shared it"), "{error}");
    let last = events.iter().rfind(|event| event["event"] == "progress").unwrap();
    assert_eq!((&last["state"], &last["reason"]), (&"error".into(), &"changed_on_disk".into()));
}

/// Ends with the sentence that a file has changed.
#[track_caller]
fn ends(mut program: Program, kind: &str, words: &str, hint: &str) {
    assert_eq!(end(&mut program).code(), Some(5), "{}", program.tail());
    let error = event_of(&program.output());
    assert_eq!(error["kind"], kind, "{error}");
    let told = |key: &str| error[key].as_str().unwrap().to_owned();
    assert!(told("message").contains(words) && told("hint").contains(hint), "{error}");
}

fn event_of(output: &str) -> serde_json::Value {
    let all = schema::check_lines(output);
    all.into_iter().find(|event| event["schema"] == "torr.error/1").expect("an error is told")
}

#[test]
fn the_data_of_a_torrent_is_watched_whatever_it_is_named_by() {
    let scene = Scene::new();
    many(&scene);
    assert_eq!(scene.run(&["create", "d", "-q"]).code, 0);
    let write = |byte: u8| {
        scene.write("d/sub1/f10", vec![byte; 40_010]);
        settle(&scene, "d/sub1/f10");
    };
    let by_file = seeder(&scene, "file", &["d.torrent"]).0;
    let before = fs::read(scene.path().join("d/sub1/f10")).unwrap();
    write(9);
    ends(by_file, "changed_on_disk", "f10 was changed while torr shared it", "shares the current files");

    scene.write("d/sub1/f10", before);
    settle(&scene, "d/sub1/f10");
    let (mut first, told) = seeder(&scene, "name", &["d.torrent", "--until", "1s"]);
    assert_eq!(end(&mut first).code(), Some(0), "{}", first.tail());
    let short = &told["torrent"].as_str().unwrap()[..6];
    let by_name = seeder(&scene, "name", &[short]).0;
    write(7);
    ends(by_name, "changed_on_disk", "f10 was changed while torr shared it", "shares the current files");
}

#[test]
fn what_is_moved_away_was_not_changed() {
    let scene = Scene::new();
    scene.write("film.bin", vec![1; 100_000]);
    settle(&scene, "film.bin");
    let program = seeder(&scene, "seed", &["film.bin"]).0;
    let at = |name: &str| scene.path().join(name);
    fs::rename(at("film.bin"), at("elsewhere.bin")).unwrap();
    ends(program, "files_missing", "film.bin was moved or removed while torr shared it", "put it back");
    assert!(Path::new(&at("elsewhere.bin")).exists());
    assert!(link(&scene, &["elsewhere.bin"]).0.contains("dn=elsewhere.bin"));
}

#[test]
fn what_is_taken_away_while_it_comes_is_not_done() {
    type Change = fn(&Path, &Path);

    let mut party = Party::new();
    let bytes = party.make("x.bin", 2_000_000);
    party.seed(&["x.bin"]);
    let changes: [(&str, Change, &str); 5] = [
        ("removed", |_, file| fs::remove_file(file).unwrap(), "removed"),
        ("gone", |folder, _| fs::remove_dir_all(folder).unwrap(), "removed"),
        ("moved", |_, file| fs::rename(file, file.with_extension("moved")).unwrap(), "moved or removed"),
        ("cut", |_, file| fs::File::options().write(true).open(file).unwrap().set_len(0).unwrap(), "cut off"),
        (
            "replaced",
            |folder, file| {
                fs::write(folder.join("other"), "mine").unwrap();
                fs::rename(folder.join("other"), file).unwrap();
            },
            "was ",
        ),
    ];
    for (name, change, word) in changes {
        let (folder, state) = (party.path(name), format!("taker-{name}"));
        let arguments = ["get", "x.bin.torrent", "-o", name, "--down", "1M", "--json", "--interval", "1s"];
        let get = Program::start(name, &mut party.command(&state, &arguments), party.scene.path());
        wait_for("a part is there", TIMEOUT, || some_done(&get.output()).then_some(()));
        change(&folder, &folder.join("x.bin"));
        ends(get, "changed_on_disk", word, "run the command again");
        let again = party.get(&state, &["x.bin.torrent", "-o", name]);
        if name == "replaced" {
            assert_eq!(again.code, 5, "{}", again.err);
            assert_eq!(fs::read(folder.join("x.bin")).unwrap(), b"mine");
        } else {
            assert_eq!(again.code, 0, "{name}: {}", again.err);
            assert!(fs::read(folder.join("x.bin")).unwrap() == bytes, "{name}");
        }
    }
}
