//! `torr verify`.

use std::fs;

use super::Scene;

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
fn swapped_arguments_are_noticed() {
    let scene = Scene::new();
    scene.photos();
    let ran = scene.run(&["verify", "photos", "photos.torrent"]);
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("the arguments are swapped\nhint:  torr verify photos.torrent photos"),
        "{}",
        ran.err
    );
}
