//! `torr verify`.

use std::fs;

use super::Scene;
use super::party::Party;
use super::terminal::watch;
use crate::support::schema;

#[test]
fn good_data_is_good_wherever_it_is_looked_for() {
    let scene = Scene::new();
    scene.photos();
    for arguments in [
        &["verify", "photos.torrent"][..],
        &["verify", "photos.torrent", "photos"],
        &["verify", "photos.torrent", "."],
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains("all good: 3 files"), "{}", ran.err);
    }
    fs::rename(scene.path().join("photos"), scene.path().join("pictures")).unwrap();
    assert_eq!(scene.run(&["verify", "photos.torrent", "pictures"]).code, 0);
    assert_eq!(scene.run(&["verify", "photos.torrent"]).code, 5);
}

#[test]
fn what_is_bad_is_named_with_its_bytes() {
    let scene = Scene::new();
    scene.photos();
    let file = scene.path().join("photos/a.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[40_000] ^= 1;
    fs::write(&file, bytes).unwrap();
    fs::remove_file(scene.path().join("photos/sub/c.bin")).unwrap();
    scene.write("photos/new", "x");
    let ran = scene.run(&["verify", "--extra", "photos.torrent"]);
    assert_eq!(ran.code, 1);
    assert_eq!(
        ran.out,
        "damaged\t1\t100000\tphotos/a.bin\t32768-49151\n\
         unproven\t2\t70000\tphotos/sub/b.bin\t\n\
         missing\t3\t10000\tphotos/sub/c.bin\t0-9999\n\
         extra\t\t\tphotos/new\t\n"
    );
    assert!(ran.err.contains("Repair:  torr get photos.torrent"), "{}", ran.err);
    let json = scene.run(&["verify", "--json", "photos.torrent"]).json();
    assert_eq!(json[0]["bad_ranges"], serde_json::json!([{ "first": 32_768, "last": 49_151 }]));
    assert_eq!((&json.last().unwrap()["ok"], &json.last().unwrap()["code"]), (&false.into(), &1.into()));
}

#[test]
fn a_piece_of_two_files_accuses_neither_alone() {
    let scene = Scene::new();
    scene.photos();
    let file = scene.path().join("photos/sub/b.bin");
    let mut bytes = fs::read(&file).unwrap();
    bytes[0] ^= 1;
    fs::write(&file, bytes).unwrap();
    let ran = scene.run(&["verify", "photos.torrent"]);
    let words: Vec<&str> = ran.out.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!((ran.code, words), (1, vec!["either", "either", "ok"]));
}

#[test]
fn swapped_arguments_are_noticed_and_understood() {
    let scene = Scene::new();
    scene.photos();
    let ran = scene.run(&["verify", "photos", "photos.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let words = "warning: the arguments are swapped: checking photos against photos.torrent\n";
    assert!(ran.err.starts_with(words) && ran.err.contains("all good: 3 files"), "{}", ran.err);
    let ran = scene.run(&["verify", "nowhere", "photos.torrent"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("torrent file not found: nowhere"), "{}", ran.err);
}

#[test]
fn some_files_can_be_looked_at_alone() {
    let scene = Scene::new();
    scene.photos();
    spoil(&scene, "photos/a.bin", 40_000);
    let words = |arguments: &[&str]| {
        let mut all = vec!["verify", "photos.torrent"];
        all.extend(arguments);
        let ran = scene.run(&all);
        (ran.code, ran.out.lines().map(|line| line.replace('\t', " ")).collect::<Vec<_>>())
    };
    let (code, lines) = words(&["--file", "B.*", "--file", "sub/c*"]);
    assert_eq!(
        (code, lines),
        (0, vec!["ok 2 70000 photos/sub/b.bin ".into(), "ok 3 10000 photos/sub/c.bin ".into()])
    );
    let (code, lines) = words(&["--file", "a.bin"]);
    assert_eq!((code, lines), (1, vec!["damaged 1 100000 photos/a.bin 32768-49151".into()]));
    let ran = scene.run(&["verify", "photos.torrent", "--file", "*.iso"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("no file of photos matches *.iso"), "{}", ran.err);
}

#[test]
fn a_quick_look_knows_sizes_only() {
    let scene = Scene::new();
    scene.photos();
    spoil(&scene, "photos/a.bin", 40_000);
    let ran = scene.run(&["verify", "--quick", "photos.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("the sizes match; nothing was hashed"), "{}", ran.err);
    fs::remove_file(scene.path().join("photos/sub/c.bin")).unwrap();
    scene.write("photos/sub/b.bin", "short");
    let ran = scene.run(&["verify", "--quick", "--json", "photos.torrent"]);
    let events = schema::check_lines(&ran.out);
    let words: Vec<&str> = events.iter().filter_map(|event| event["status"].as_str()).collect();
    assert_eq!((ran.code, words), (1, vec!["ok", "short", "missing"]));
    let summary = events.last().unwrap();
    assert_eq!((&summary["good"], &summary["files_bad"]), (&serde_json::Value::Null, &2.into()));
}

#[test]
fn files_without_bytes_may_be_absent() {
    let scene = Scene::new();
    scene.write("t/a", "x");
    scene.write("t/empty", "");
    assert_eq!(scene.run(&["create", "t", "-q"]).code, 0);
    fs::remove_file(scene.path().join("t/empty")).unwrap();
    assert_eq!(scene.run(&["verify", "t.torrent"]).code, 1);
    assert_eq!(scene.run(&["verify", "--ignore-empty", "t.torrent"]).code, 0);
}

#[test]
fn every_event_is_as_its_schema_says() {
    let scene = Scene::new();
    scene.photos();
    spoil(&scene, "photos/sub/b.bin", 0);
    scene.write("photos/new", "x");
    let ran = scene.run(&["verify", "--extra", "--json", "photos.torrent", "--interval", "0"]);
    let events = schema::check_lines(&ran.out);
    let of = |word: &str| events.iter().filter(|event| event["event"] == word).count();
    assert_eq!((ran.code, of("file"), of("extra"), of("summary")), (1, 3, 1, 1));
    assert_eq!(events.last().unwrap()["files_extra"], 1);
}

#[test]
fn on_a_terminal_the_whole_story_is_told() {
    let scene = Scene::new();
    // Pieces of 16 KiB: the third covers the end of a and the start of b, the last one all of c.
    for (name, len) in [("a", 40_000), ("b", 41_920), ("c", 16_384)] {
        scene.write(&format!("t/{name}"), super::party::bytes(len));
    }
    assert_eq!(scene.run(&["create", "t", "--piece-size", "16K", "-q"]).code, 0);
    let all = watch(&scene, &["verify", "t.torrent"], 24, 100);
    assert!(all.last().starts_with("✓ all good: 3 files, 96 KiB, every piece matches"), "{}", all.last());
    spoil(&scene, "t/b", 0);
    fs::remove_file(scene.path().join("t/c")).unwrap();
    scene.write("t/new", "x");
    let seen = watch(&scene, &["verify", "--extra", "t.torrent"], 24, 100);
    assert_eq!(seen.code, 1, "{}", seen.last());
    for line in WHOLE_STORY {
        assert!(seen.last().contains(line), "{line}\n{}", seen.last());
    }
}

#[test]
fn what_is_bad_is_fetched() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 200_000);
    party.seed(&["x.bin"]);
    let fix = |flags: &[&str]| {
        let mut arguments = vec!["verify", "--fix", "x.bin.torrent", "mine", "--timeout", "30s"];
        arguments.extend(flags);
        Scene::ran(&mut party.command("fixer", &arguments))
    };
    let mut spoilt = bytes.clone();
    spoilt[40_000] ^= 1;
    party.scene.write("mine/x.bin", &spoilt);
    let ran = fix(&[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(party.read("mine/x.bin") == bytes);
    assert!(ran.err.contains("repairing: 32 KiB to fetch"), "{}", ran.err);
    assert_eq!(ran.out, party.line("mine/x.bin"));
    // With nothing to do nothing is done.
    let ran = fix(&[]);
    assert_eq!((ran.code, ran.err.contains("repairing")), (0, false), "{}", ran.err);

    // What might be something else is left alone, unless that is asked for.
    for (there, words) in [
        ([bytes.as_slice(), b"more"].concat(), "has extra bytes at its end, which would be cut off"),
        (b"a letter to my aunt".to_vec(), "so it may be something else"),
    ] {
        party.scene.write("mine/x.bin", &there);
        let ran = fix(&[]);
        assert_eq!(ran.code, 5, "{}", ran.err);
        assert!(ran.err.contains(words) && ran.err.contains("--fix --overwrite"), "{}", ran.err);
        assert!(party.read("mine/x.bin") == there);
        assert_eq!(fix(&["--overwrite"]).code, 0);
        assert!(party.read("mine/x.bin") == bytes);
    }
    party.scene.write("yours/y.bin", &spoilt);
    let ran = Scene::ran(&mut party.command("fixer", &["verify", "--fix", "x.bin.torrent", "yours/y.bin"]));
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("rename it to x.bin"), "{}", ran.err);
}

/// Changes one byte.
fn spoil(scene: &Scene, file: &str, at: usize) {
    let path = scene.path().join(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[at] ^= 1;
    fs::write(&path, bytes).unwrap();
}

const WHOLE_STORY: [&str; 7] = [
    "✗ 66.6 % good: 3 of 3 files need repair",
    "  either    a   piece 2 covers the end of one",
    "            b   and the start of the other; v1 cannot tell which",
    "  missing   c",
    "  extra     new",
    "4 of 6 pieces",
    "  Repair:  torr get t.torrent --existing repair        (will fetch 32 KiB)",
];
