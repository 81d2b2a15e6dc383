//! `get`, `seed` and `tracker` as processes that meet on loopback.

use super::party::{Party, TIMEOUT, bytes, end};
use crate::support::program::Program;
use crate::support::wait::wait_for;

#[test]
fn what_one_gives_another_gets() {
    let mut party = Party::new();
    let bytes = party.make("film.bin", 3_000_001);
    party.seed(&["film.bin"]);

    let got = party.get("a", &["film.bin.torrent", "-o", "got"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/film.bin").as_str()), "{}", got.err);
    assert!(party.read("got/film.bin") == bytes, "the bytes differ");
    assert!(got.err.contains("metadata: film.bin, 1 file, 2.86 MiB"), "{}", got.err);
    assert!(got.err.contains(" done: 2.86 MiB in "), "{}", got.err);
    assert!(!got.err.contains("queued") && !got.err.contains("error"), "{}", got.err);

    let again = party.get("a", &["film.bin.torrent", "-o", "got", "--json"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(!again.out.contains("added_existing_files"), "nothing is hashed twice: {}", again.out);
    assert!(again.err.contains("already there"), "{}", again.err);

    let arguments = ["seed", "film.bin.torrent", "-o", "got", "--json", "--until", "1s"];
    let seeded = super::Scene::ran(&mut party.command("a", &arguments));
    assert_eq!(seeded.code, 0, "{}", seeded.err);
    assert!(!seeded.out.contains("added_existing_files"), "nothing is hashed twice: {}", seeded.out);
    assert!(seeded.out.contains(r#""state":"seeding""#), "{}", seeded.out);
}

#[test]
fn scripts_hear_how_several_fare() {
    let mut party = Party::new();
    let contents = [party.make("a.bin", 700_000), party.make("b.bin", 900_000), party.make("c.bin", 5)];
    party.seed(&["a.bin", "b.bin", "c.bin"]);
    let torrents = ["a.bin.torrent", "b.bin.torrent", "c.bin.torrent", "-o", "got", "-j", "1", "--json"];
    let got = party.get("a", &torrents);
    assert_eq!(got.code, 0, "{}", got.err);
    let events = got.json();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert!(events.iter().all(|event| event["schema"] == "torr.get/1"), "{}", got.out);
    assert_eq!((of("metadata").len(), of("done").len(), of("summary").len()), (3, 3, 1), "{}", got.out);
    let metadata = of("metadata");
    assert_eq!((&metadata[0]["name"], &metadata[0]["size"]), (&"a.bin".into(), &700_000.into()));
    assert!(of("progress").iter().any(|event| event["reason"] == "too_many_active"), "{}", got.out);
    for done in of("done") {
        assert_eq!(done["verified"], true);
        assert!(std::path::Path::new(done["path"].as_str().unwrap()).is_file());
    }
    let last = events.last().unwrap();
    assert_eq!(last["event"], "summary");
    assert_eq!((&last["ok"], &last["code"], &last["done"]), (&true.into(), &0.into(), &3.into()));
    for (name, bytes) in ["a.bin", "b.bin", "c.bin"].iter().zip(contents) {
        assert!(party.read(&format!("got/{name}")) == bytes, "{name}");
    }
}

#[test]
fn only_what_is_selected_is_fetched() {
    let mut party = Party::new();
    for (name, len) in [("a.txt", 100_000), ("b.mkv", 200_000), ("c.mkv", 300_000)] {
        party.scene.write(&format!("given/set/{name}"), bytes(len));
    }
    party.torrent("set");
    party.seed(&["set"]);
    let got = party.get("a", &["set.torrent", "-o", "got", "--select", "*.mkv", "--select", "!b*"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/set").as_str()), "{}", got.err);
    assert!(party.read("got/set/c.mkv") == party.read("given/set/c.mkv"));
    assert!(!party.path("got/set/a.txt").exists());
    let rest = party.get("a", &["set.torrent", "-o", "got"]);
    assert_eq!(rest.code, 0, "{}", rest.err);
    for name in ["a.txt", "b.mkv", "c.mkv"] {
        assert!(party.read(&format!("got/set/{name}")) == party.read(&format!("given/set/{name}")), "{name}");
    }
}

#[test]
fn giving_back_ends_when_it_should() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 400_000);
    party.seed(&["x.bin"]);
    let got = party.get("a", &["x.bin.torrent", "-o", "a", "--seed", "0"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(!got.err.contains("seeding"), "{}", got.err);
    let got = party.get("b", &["x.bin.torrent", "-o", "b", "--seed", "1s", "--json"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(got.out.contains(r#""state":"seeding""#), "{}", got.out);
    assert!(party.read("b/x.bin") == bytes);

    // One that seeds for ever, until it has given one copy to somebody else.
    let arguments = ["seed", "x.bin.torrent", "-o", "b", "--until", "1.0", "--no-trackers", "--json"];
    let mut giver = Program::start("giver", &mut party.command("b", &arguments), party.scene.path());
    let port = wait_for("the port is remembered", TIMEOUT, || {
        giver.output().contains(r#""state":"seeding""#).then_some(())?;
        std::fs::read_to_string(party.path("state-b/port")).ok()?.trim().parse::<u16>().ok()
    });
    let peer = format!("127.0.0.1:{port}");
    let got = party.get("c", &["x.bin.torrent", "-o", "c", "--no-trackers", "--peer", &peer, "--seed", "5s"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert_eq!(end(&mut giver).code(), Some(0), "{}", giver.output());
}

#[test]
fn several_at_once_from_the_same_home_do_not_stand_in_each_others_way() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 400_000);
    party.seed(&["x.bin"]);
    // The state of the seeder, which still runs.
    let got = party.get("seeder-0", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(party.read("got/x.bin") == bytes);
}
