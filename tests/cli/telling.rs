//! What scripts and logs hear of transfers: paths, lines and events.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use torr::engine::State;

use super::party::{Party, bytes};
use super::{Ran, Scene};
use crate::support::schema::check_lines;

/// A party at which `a.bin` and `b.bin` are given, with `dead.torrent` of which nobody has heard.
fn party() -> Party {
    let mut party = Party::new();
    party.make("a.bin", 700_000);
    party.make("b.bin", 900_000);
    party.seed(&["a.bin", "b.bin"]);
    party.scene.write("dead.bin", bytes(50_000));
    let made = party.scene.run(&["create", "dead.bin", "-o", "dead.torrent", "-q"]);
    assert_eq!(made.code, 0, "{}", made.err);
    party
}

/// Gets all three, and gives up on the dead one.
fn get_all(party: &Party, state: &str, more: &[&str]) -> Ran {
    let mut arguments = vec!["get", "a.bin.torrent", "dead.torrent", "b.bin.torrent", "-o", state];
    arguments.extend(["--timeout", "2s", "--interval", "1s"]);
    arguments.extend(more);
    Scene::ran(&mut party.command(state, &arguments))
}

const WHY: &str = "no peers known, and the torrent names no tracker to ask";

#[test]
fn lines_tell_of_each_and_of_all() {
    let party = party();
    let got = get_all(&party, "lines", &["--down", "500K"]);
    assert_eq!(got.code, 1, "{}", got.err);
    let paths: BTreeSet<&str> = got.out.lines().collect();
    let expected = [party.path("lines/a.bin"), party.path("lines/b.bin")];
    assert_eq!(paths, expected.iter().map(|path| path.to_str().unwrap()).collect());
    let mut lines = Vec::new();
    for line in got.err.lines().filter(|line| !line.starts_with("error: ") && !line.starts_with("hint:  ")) {
        // The clock, and behind it what is told.
        let (clock, rest) = line.split_at(9);
        let digits = clock.bytes().enumerate().all(|(at, byte)| match at {
            2 | 5 => byte == b':',
            8 => byte == b' ',
            _ => byte.is_ascii_digit(),
        });
        assert!(digits, "{line}");
        lines.push(rest);
    }
    let ever = |part: &str| assert!(lines.iter().any(|line| line.contains(part)), "{part} in {}", got.err);
    ever(" metadata: a.bin, 1 file, 684 KiB");
    ever(" metadata: dead.bin, 1 file, 48.8 KiB");
    ever(&format!(" waiting: {WHY}"));
    ever(" done: 684 KiB in ");
    ever("total   2 of 3 done, 1 failed  1.53 MiB in ");
    ever("/1.57 MiB  ");
    assert!(got.err.contains(&format!("error: dead.bin: no data for 2 s: {WHY}\nhint:  ")), "{}", got.err);
    // What moves is told with its share, amount, rate, time and peers.
    let moving = |line: &&&str| line.ends_with(" peer") && line.contains(" %  ") && line.contains("iB/s  ");
    assert!(lines.iter().any(|line| moving(&line)), "{}", got.err);
}

#[test]
fn events_agree_with_their_schema() {
    let party = party();
    let got = get_all(&party, "events", &["--json"]);
    assert_eq!(got.code, 1, "{}", got.err);
    let events = check_lines(&got.out);
    let dead = events.iter().find(|event| event["name"] == "dead.bin").unwrap()["torrent"].clone();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).collect::<Vec<_>>();
    assert_eq!((of("metadata").len(), of("done").len(), of("summary").len()), (3, 2, 1), "{}", got.out);
    let why =
        of("progress").into_iter().find(|event| event["torrent"] == dead && event["state"] == "waiting");
    let why = why.unwrap_or_else(|| panic!("{}", got.out));
    assert_eq!((&why["reason"], &why["reason_text"]), (&"no_peers_known".into(), &WHY.into()));
    assert_eq!((&why["eta_s"], &why["peers"]), (&serde_json::Value::Null, &0.into()));
    let error = events.iter().find(|event| event["schema"] == "torr.error/1").unwrap();
    assert_eq!((&error["torrent"], &error["code"], &error["kind"]), (&dead, &4.into(), &"no_peers".into()));
    let last = events.last().unwrap();
    assert_eq!(
        (&last["ok"], &last["code"], &last["done"], &last["failed"]),
        (&false.into(), &1.into(), &2.into(), &1.into())
    );
    // Nothing more is told of what has ended.
    let ended = events.iter().position(|event| event["schema"] == "torr.error/1").unwrap();
    assert!(events[ended + 1..].iter().all(|event| event["torrent"] != dead), "{}", got.out);
}

#[test]
fn seeding_agrees_with_its_schema_and_tells_its_end() {
    let party = party();
    let arguments = ["seed", "a.bin.torrent", "-o", "given", "--until", "1s", "--json"];
    let seeded = Scene::ran(&mut party.command("s", &arguments));
    assert_eq!(seeded.code, 0, "{}", seeded.err);
    let events = check_lines(&seeded.out);
    let last = &events[events.len() - 2..];
    assert_eq!(
        (&last[0]["state"], &last[0]["reason"]),
        (&"done".into(), &"goal_reached".into()),
        "{}",
        seeded.out
    );
    assert_eq!((&last[1]["event"], &last[1]["ok"]), (&"summary".into(), &true.into()));
    assert!(seeded.err.contains(" until 1 s has passed; Ctrl-C stops"), "{}", seeded.err);
    assert!(seeded.err.contains(" seeded for "), "{}", seeded.err);
}

#[test]
fn a_torrent_that_fails_says_in_which_state() {
    let party = party();
    party.scene.write("foreign/a.bin", vec![7; 700_000]);
    let got = party.get("f", &["a.bin.torrent", "-o", "foreign", "--json"]);
    assert_eq!(got.code, 5, "{}", got.err);
    let events = check_lines(&got.out);
    let state =
        events.iter().find(|event| event["state"] == "error").unwrap_or_else(|| panic!("{}", got.out));
    assert_eq!(state["reason"], "permission");
    assert!(
        state["reason_text"].as_str().unwrap().contains("differs from the torrent in bytes 0-699999"),
        "{state}"
    );
    assert!(events.iter().any(|event| event["kind"] == "foreign_data"), "{}", got.out);
    // In words it is said once.
    let told = party.get("f", &["a.bin.torrent", "-o", "foreign"]);
    assert_eq!(told.err.matches("differs from the torrent").count(), 1, "{}", told.err);
}

#[test]
fn events_can_go_to_standard_error() {
    let party = party();
    let got = party.get("p", &["a.bin.torrent", "-o", "p", "--progress", "json"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("p/a.bin").as_str()));
    let events = check_lines(&got.err);
    assert_eq!(events.last().unwrap()["event"], "summary", "{}", got.err);
    let none = party.get("p", &["a.bin.torrent", "-o", "p2", "--progress", "none"]);
    assert!(none.err.starts_with("✓ a.bin  684 KiB in ") && !none.err.contains("metadata"), "{}", none.err);
}

#[test]
fn quiet_keeps_the_paths_and_quieter_keeps_nothing() {
    let party = party();
    let got = party.get("q", &["a.bin.torrent", "-o", "q", "-q"]);
    assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, party.line("q/a.bin").as_str(), ""));
    let got = party.get("q", &["a.bin.torrent", "-o", "q", "-qq"]);
    assert_eq!((got.code, got.out.as_str(), got.err.as_str()), (0, "", ""));
    let got = party.get("q", &["a.bin.torrent", "-o", "q", "-q", "-0"]);
    assert_eq!(got.out, party.line("q/a.bin").replace('\n', "\0"));
    let none =
        Scene::ran(&mut party.command("q", &["get", "dead.torrent", "-o", "q", "--timeout", "1s", "-qq"]));
    assert_eq!((none.code, none.out.as_str(), none.err.as_str()), (4, "", ""));
    let some =
        Scene::ran(&mut party.command("q", &["get", "dead.torrent", "-o", "q", "--timeout", "1s", "-q"]));
    assert!(some.err.starts_with("error: ") && some.err.lines().count() == 2, "{}", some.err);
}

#[test]
fn trust_is_not_called_verified() {
    let party = party();
    let wrong = vec![9; 700_000];
    party.scene.write("t/a.bin", &wrong);
    let got = party.get("t", &["a.bin.torrent", "-o", "t", "--existing", "trust", "--json"]);
    assert_eq!(got.code, 0, "{}", got.err);
    let events = check_lines(&got.out);
    let done = events.iter().find(|event| event["event"] == "done").unwrap();
    assert_eq!(done["verified"], false);
    assert!(party.read("t/a.bin") == wrong);
}

#[test]
fn a_reader_of_events_that_goes_away_ends_it() {
    let party = party();
    let arguments = ["get", "dead.torrent", "-o", "c", "--json", "--interval", "1s"];
    let mut child =
        party.command("c", &arguments).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains(r#""event":"metadata""#), "{line}");
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn the_schema_knows_the_words_of_every_state() {
    let states = [
        State::Checking,
        State::Queued,
        State::Downloading,
        State::Waiting,
        State::Seeding,
        State::Done,
        State::Paused,
        State::Error,
    ];
    for command in ["get", "seed"] {
        let file = format!("{}/src/face/cli/schemas/torr.{command}.1.json", env!("CARGO_MANIFEST_DIR"));
        let schema: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let progress = &schema["$defs"]["progress"];
        let rules = progress["allOf"].as_array().unwrap();
        for state in states {
            let of = |rule: &&serde_json::Value| rule["if"]["properties"]["state"]["const"] == state.word();
            let rule = rules.iter().find(of).unwrap_or_else(|| panic!("{state:?}"));
            assert_eq!(rule["then"]["properties"]["reason"]["enum"], serde_json::json!(state.reasons()));
            assert!(
                progress["properties"]["state"]["enum"].as_array().unwrap().contains(&state.word().into())
            );
        }
    }
}
