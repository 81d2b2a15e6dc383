//! Magnet links and info hashes where a torrent is asked for, between processes that meet on loopback.

use std::net::TcpListener;
use std::process::Command;

use super::party::{Party, TIMEOUT, bytes, end};
use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

/// The torrent of nobody.
const NOBODY: &str = "abababababababababababababababababababab";

/// A tracker, and one who gives; links to what it gives.
pub struct Given {
    pub party: Party,
    pub peer: String,
}

impl Given {
    /// The file `film.bin` and the folder `set` with three files are given.
    pub fn new() -> Self {
        let mut party = Party::new();
        party.make("film.bin", 700_001);
        for (name, len) in [("a.txt", 100_000), ("b.mkv", 200_000), ("sub/c.mkv", 300_000)] {
            party.scene.write(&format!("given/set/{name}"), bytes(len));
        }
        party.torrent("set");
        party.seed(&["film.bin", "set"]);
        let port = wait_for("the port is remembered", TIMEOUT, || {
            std::fs::read_to_string(party.path("state-seeder-0/port")).ok()?.trim().parse::<u16>().ok()
        });
        Self { party, peer: format!("127.0.0.1:{port}") }
    }

    pub fn hash(&self, name: &str) -> String {
        let ran = self.party.scene.run(&["show", "--field", "info_hash", &format!("{name}.torrent")]);
        ran.out.trim().to_owned()
    }

    /// A link that names the torrent and one peer.
    pub fn link(&self, name: &str) -> String {
        format!("magnet:?xt=urn:btih:{}&x.pe={}", self.hash(name), self.peer)
    }

    #[track_caller]
    fn assert_same(&self, got: &str, given: &str) {
        assert!(self.party.read(got) == self.party.read(&format!("given/{given}")), "{got}");
    }
}

#[track_caller]
fn assert_error(ran: &Ran, code: i32, words: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    let errors: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert!(errors.len() == 1 && errors[0].contains(words), "{}", ran.err);
}

#[test]
fn a_link_is_all_it_takes() {
    let given = Given::new();
    let (party, link, hash) = (&given.party, given.link("film.bin"), given.hash("film.bin"));
    let got = party.get("a", &[&link, "-o", "got", "--no-trackers"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/film.bin").as_str()), "{}", got.err);
    given.assert_same("got/film.bin", "film.bin");
    let lines: Vec<&str> = got.err.lines().collect();
    assert_eq!(lines.len(), 2, "{}", got.err);
    assert!(
        lines[0].ends_with(&format!(" {} metadata: film.bin, 1 file, 684 KiB", &hash[..6])),
        "{}",
        got.err
    );

    // What was had once is known: nobody is asked for the list of files again.
    let short = format!("magnet:?xt=urn:btih:{hash}");
    let again = party.get("a", &[&short, "-o", "got", "--json"]);
    assert_eq!(again.code, 0, "{}", again.err);
    assert!(!again.out.contains(r#""state":"metadata""#), "{}", again.out);
    assert!(again.err.contains("already there"), "{}", again.err);
    let seed = ["seed", &hash[..6], "--until", "1s", "--json"];
    let seeded = Scene::ran(&mut party.command("a", &seed));
    assert_eq!(seeded.code, 0, "{}", seeded.err);
    assert!(seeded.out.contains(r#""state":"seeding""#), "{}", seeded.out);

    // The hash alone, in both spellings, and peers by a flag.
    for (state, hash) in [("b", hash.to_uppercase()), ("c", base32(&hash))] {
        let folder = format!("got-{state}");
        let got = party.get(state, &[&hash, "--peer", &given.peer, "--no-trackers", "-o", &folder]);
        assert_eq!(got.code, 0, "{}", got.err);
        given.assert_same(&format!("{folder}/film.bin"), "film.bin");
    }
}

/// Hexadecimal digits as letters of base32 (RFC 4648).
fn base32(hex: &str) -> String {
    let bits: String =
        hex.chars().map(|digit| format!("{:04b}", digit.to_digit(16).unwrap())).collect::<Vec<_>>().concat();
    let letter = |at: usize| {
        let value = u8::from_str_radix(&bits[at..at + 5], 2).unwrap();
        char::from(if value < 26 { b'a' + value } else { b'2' + value - 26 })
    };
    (0..bits.len()).step_by(5).map(letter).collect()
}

#[test]
fn a_tracker_of_the_link_is_enough_and_stays_with_the_torrent() {
    let given = Given::new();
    let party = &given.party;
    let link = party.scene.run(&["magnet", "film.bin.torrent"]).out.trim().to_owned();
    assert!(link.contains("&tr=http"), "{link}");
    let got = party.get("a", &[&link, "-o", "got", "--save-torrent"]);
    assert_eq!(got.code, 0, "{}", got.err);
    given.assert_same("got/film.bin", "film.bin");
    let tracker = party.scene.run(&["show", "--field", "tracker", "got/film.bin.torrent"]);
    assert_eq!(tracker.out.trim(), party.url, "{}", tracker.err);
    // What is remembered of it needs neither the link nor the file.
    std::fs::remove_file(party.path("got/film.bin")).unwrap();
    let again = party.get("a", &[&given.hash("film.bin"), "-o", "got"]);
    assert_eq!(again.code, 0, "{}", again.err);
    given.assert_same("got/film.bin", "film.bin");
    let got = party.get("b", &[&given.hash("film.bin"), "--tracker", &party.udp(), "-o", "udp"]);
    assert_eq!(got.code, 0, "{}", got.err);
    given.assert_same("udp/film.bin", "film.bin");
}

#[test]
fn scripts_hear_what_is_looked_for() {
    let given = Given::new();
    let got = given.party.get("a", &[&given.link("set"), "-o", "got", "--json"]);
    assert_eq!(got.code, 0, "{}", got.err);
    let events = schema::check_lines(&got.out);
    let metadata: Vec<_> = events.iter().filter(|event| event["event"] == "metadata").collect();
    assert_eq!(metadata.len(), 1, "{}", got.out);
    assert_eq!(
        (&metadata[0]["name"], &metadata[0]["size"], &metadata[0]["files"]),
        (&"set".into(), &600_000.into(), &3.into())
    );
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["done"]), (&"summary".into(), &1.into()));

    // Nobody answers at this place.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let link = format!("magnet:?xt=urn:btih:{NOBODY}&dn=some+name&x.pe={silent}");
    let arguments = ["get", &link, "-o", "none", "--json", "--timeout", "2s"];
    let ran = Scene::ran(&mut given.party.command("b", &arguments));
    assert_eq!(ran.code, 4, "{}", ran.err);
    let events = schema::check_lines(&ran.out);
    let looking = events.iter().find(|event| event["state"] == "metadata").unwrap();
    assert_eq!((&looking["torrent"], &looking["reason"]), (&NOBODY.into(), &"searching_peers".into()));
    assert!(looking["size"].is_null() && looking["progress"].is_null(), "{looking}");
    let error = events.iter().find(|event| event["schema"] == "torr.error/1").unwrap();
    assert_eq!((&error["code"], &error["kind"]), (&4.into(), &"no_metadata".into()), "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.starts_with("no file list of some name came within 2 s: "), "{message}");
    assert!(message.contains("the only known peer"), "{message}");
    assert!(!given.party.path("none").exists(), "nothing is made before it is known what");
}

#[test]
fn a_link_chooses_files_and_flags_choose_again() {
    let given = Given::new();
    let party = &given.party;
    let link = given.link("set") + "&so=0,2";
    let list = |state: &str, arguments: &[&str]| {
        let mut all = vec!["--list"];
        all.extend(arguments);
        let ran = party.get(state, &all);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    assert_eq!(list("a", &[&link]), "1\t100000\tset/a.txt\n3\t300000\tset/sub/c.mkv\n");
    assert_eq!(list("a", &[&link, "--select", "2"]), "2\t200000\tset/b.mkv\n");
    let both = list("b", &[&link, &given.link("film.bin"), "--json"]);
    let documents = schema::check_lines(&both);
    let named = |name: &str| documents.iter().find(|document| document["name"] == name).unwrap();
    assert_eq!((documents.len(), &named("set")["selected_size"]), (2, &400_000.into()));
    assert_eq!(named("film.bin")["selected_size"], 700_001);

    let got = party.get("c", &[&link, "-o", "got"]);
    assert_eq!(got.code, 0, "{}", got.err);
    given.assert_same("got/set/a.txt", "set/a.txt");
    given.assert_same("got/set/sub/c.mkv", "set/sub/c.mkv");
    assert!(!party.path("got/set/b.mkv").exists());

    let beyond = party.get("d", &[&(given.link("set") + "&so=3"), "-o", "beyond"]);
    assert_error(&beyond, 3, "the link selects file numbers that set does not have");
    let some = party.get("e", &[&(given.link("set") + "&so=1,7-9"), "-o", "some"]);
    assert_eq!(some.code, 0, "{}", some.err);
    assert!(some.err.contains("warning: the link selects 3 files that set does not have"), "{}", some.err);
    given.assert_same("some/set/b.mkv", "set/b.mkv");
}

#[test]
fn links_and_files_come_together_and_none_waits_for_another() {
    let given = Given::new();
    let party = &given.party;
    party.make("other.bin", 100_000);
    party.scene.write("mixed/other.bin", party.read("given/other.bin"));
    let (film, set) = (given.link("film.bin"), given.link("set"));
    let silent = format!("magnet:?xt=urn:btih:{NOBODY}&dn=nobody");
    party.scene.write("list", format!("# links\n{film}\nother.bin.torrent\n{set}\n"));
    let arguments =
        ["get", &silent, &film, "film.bin.torrent", "-i", "list", "-o", "mixed", "--timeout", "5s"];
    let ran = Scene::ran(&mut party.command("a", &arguments));
    assert_eq!(ran.code, 1, "{}", ran.err);
    given.assert_same("mixed/film.bin", "film.bin");
    given.assert_same("mixed/set/b.mkv", "set/b.mkv");
    let twice = ran.err.lines().filter(|line| line.contains("was given twice")).count();
    assert_eq!((twice, ran.out.lines().count()), (2, 3), "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("error: no file list of nobody came within 5 s: "), "{}", ran.err);
    assert!(ran.err.contains("total   3 of 4 done, 1 failed"), "{}", ran.err);
}

#[test]
fn what_is_there_is_treated_as_with_a_torrent_file() {
    let given = Given::new();
    let party = &given.party;
    party.scene.write("foreign/film.bin", "somebody's own");
    let ran = party.get("a", &[&given.link("film.bin"), "-o", "foreign"]);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert_eq!(party.read("foreign/film.bin"), b"somebody's own");
    let mut half = party.read("given/film.bin");
    half[400_000..].fill(0);
    party.scene.write("half/film.bin", half);
    let ran = party.get("b", &[&given.link("film.bin"), "-o", "half"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains(" already there"), "{}", ran.err);
    given.assert_same("half/film.bin", "film.bin");
    let ran = party.get("c", &[&given.link("film.bin"), "-o", "named", "--name", "x.bin", "--in-order"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, party.line("named/x.bin").as_str()), "{}", ran.err);
    given.assert_same("named/x.bin", "film.bin");
}

#[test]
fn a_file_goes_to_standard_output_from_a_link() {
    let given = Given::new();
    let link = given.link("set") + "&so=1";
    let mut command =
        given.party.command("a", &["get", &link, "--to-stdout", "-o", "got", "--timeout", "30s"]);
    let out = command.output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stdout == given.party.read("given/set/b.mkv"));
    let several = given.party.get("b", &[&given.link("set"), "--to-stdout", "-o", "got"]);
    assert_error(&several, 2, "--to-stdout writes one file, but several of set are selected");
}

#[test]
fn only_the_torrent_file_may_be_wanted() {
    let given = Given::new();
    let party = &given.party;
    let film = given.link("film.bin") + "&tr=udp://t.example:1&ws=http://w.example/";
    let arguments = ["--torrent-only", &film, &given.link("set"), "-o", "only", "--no-trackers"];
    let ran = party.get("a", &arguments);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let mut paths: Vec<&str> = ran.out.lines().collect();
    paths.sort_unstable();
    let expected = ["only/film.bin.torrent", "only/set.torrent"].map(|name| party.path(name));
    assert_eq!(paths, expected.each_ref().map(|path| path.to_str().unwrap()));
    assert_eq!(std::fs::read_dir(party.path("only")).unwrap().count(), 2);
    let shown = party.scene.run(&["show", "--json", "only/film.bin.torrent"]).json();
    assert_eq!(shown[0]["info_hash"], given.hash("film.bin").as_str());
    assert_eq!(shown[0]["trackers"], serde_json::json!([["udp://t.example:1"]]));
    assert_eq!(shown[0]["web_seeds"], serde_json::json!(["http://w.example/"]));
    assert_eq!(party.scene.run(&["verify", "only/set.torrent", "given"]).code, 0);

    let before = party.read("only/film.bin.torrent");
    let other = party.get("b", &["--torrent-only", &given.link("film.bin"), "-o", "only"]);
    assert_error(&other, 5, "only/film.bin.torrent already exists with different content");
    assert!(party.read("only/film.bin.torrent") == before);
    let over =
        party.get("b", &["--torrent-only", &given.link("film.bin"), "-o", "only", "--overwrite", "--json"]);
    assert_eq!(over.code, 0, "{}", over.err);
    let events = schema::check_lines(&over.out);
    let done = events.iter().find(|event| event["event"] == "done").unwrap();
    assert_eq!(done["path"], party.path("only/film.bin.torrent").to_str().unwrap());
    assert!(party.read("only/film.bin.torrent") != before);
    let named = party.get("c", &["--torrent-only=deep/x.torrent", &given.link("set")]);
    assert_eq!((named.code, named.out.as_str()), (0, party.line("deep/x.torrent").as_str()), "{}", named.err);
}

#[test]
fn what_a_link_leaves_out_is_fetched_to_be_shown() {
    let given = Given::new();
    let scene = &given.party.scene;
    let run = |arguments: &[&str]| {
        Scene::ran(
            scene.command(arguments).args(["--state-dir", "state"]).env("TORR_NETWORK_BIND", "127.0.0.1"),
        )
    };
    let link = given.link("set");
    let files = run(&["show", "--fetch", "--files", &link]);
    assert_eq!((files.code, files.out.lines().count()), (0, 3), "{}", files.err);
    assert_eq!(run(&["show", "--fetch", "--field", "size", &link]).out, "600000\n");
    let shown = schema::check_lines(&run(&["show", "--fetch", "--json", &link]).out);
    assert_eq!((&shown[0]["kind"], &shown[0]["name"]), (&"torrent".into(), &"set".into()));
    assert_eq!(run(&["show", "--fetch", "--raw", &link]).code, 0);

    let whole = run(&["magnet", "--fetch", &format!("{link}&so=1")]);
    let expected = format!("magnet:?xt=urn:btih:{}&dn=set&x.pe={}&so=1\n", given.hash("set"), given.peer);
    assert_eq!(whole.out, expected, "{}", whole.err);
    let kept = run(&["magnet", &given.hash("set"), "--peer", &given.peer, "--fetch", "-o", "m.torrent"]);
    assert_eq!((kept.code, kept.out.as_str()), (0, given.party.line("m.torrent").as_str()), "{}", kept.err);
    assert_eq!(scene.run(&["verify", "m.torrent", "given"]).code, 0);
    assert_error(&run(&["magnet", &link, "--fetch", "-o", "m.torrent"]), 5, "m.torrent already exists");
    let json = run(&["magnet", &link, "--fetch", "-f", "-o", ".", "--json"]);
    let document = &schema::check_lines(&json.out)[0];
    assert_eq!(document["path"], given.party.path("set.torrent").to_str().unwrap(), "{}", json.err);

    for arguments in [
        &["show", "--fetch", "--timeout", "1s", NOBODY][..],
        &["magnet", "--fetch", "--timeout", "1s", NOBODY],
    ] {
        assert_error(&run(arguments), 4, &format!("no file list of {NOBODY} came within 1 s: "));
    }
}

#[test]
fn who_stops_while_it_is_looked_for_has_begun_nothing() {
    let scene = Scene::new();
    let link = format!("magnet:?xt=urn:btih:{NOBODY}&dn=nobody");
    let arguments = ["get", &link, "-o", "got", "--bind", "127.0.0.1", "--state-dir", "state"];
    let mut get = Program::start("get", &mut scene.command(&arguments), scene.path());
    wait_for("it says that it looks", TIMEOUT, || get.errors().contains("file list").then_some(()));
    assert!(Command::new("kill").args(["-INT", &get.id().to_string()]).status().unwrap().success());
    assert_eq!(end(&mut get).code(), Some(130), "{}", get.tail());
    assert!(get.errors().ends_with("stopped before anything started\n"), "{}", get.errors());
    assert!(!scene.path().join("got").exists());
}

#[test]
fn a_second_link_helps_the_first() {
    let given = Given::new();
    let (party, link, hash) = (&given.party, given.link("film.bin"), given.hash("film.bin"));
    let got = party.get("a", &[&hash, &link, "-o", "one", "--no-trackers"]);
    assert_eq!(got.code, 0, "{}", got.err);
    given.assert_same("one/film.bin", "film.bin");
    assert!(got.err.contains(" was given twice"), "{}", got.err);
    let tracker = format!("magnet:?xt=urn:btih:{hash}&tr={}", party.url);
    assert_eq!(party.get("b", &[&hash, &tracker, "-o", "two"]).code, 0);
    given.assert_same("two/film.bin", "film.bin");
    // In a list the first may be under way already.
    party.scene.write("list", format!("{hash}\n{link}\n"));
    let got = party.get("c", &["-i", "list", "-o", "three", "--no-trackers", "--json"]);
    assert_eq!(got.code, 0, "{}", got.err);
    given.assert_same("three/film.bin", "film.bin");
    let last = schema::check_lines(&got.out).pop().unwrap();
    assert_eq!((&last["done"], &last["failed"]), (&1.into(), &0.into()), "{last}");
    // A torrent file is helped by a link, too.
    let got = party.get("d", &["film.bin.torrent", &link, "-o", "four", "--no-trackers"]);
    assert_eq!(got.code, 0, "{}", got.err);
}
