//! Help, version, closed pipes and the shape of output.

use std::process::Stdio;

use super::{Scene, unread};

#[test]
fn nothing_asked_in_a_pipe_is_short_help_on_standard_error() {
    let ran = Scene::new().run::<&str>(&[]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("Usage: torr") && ran.err.contains("torr demo"), "{}", ran.err);
}

#[test]
fn every_command_has_help_with_examples() {
    let scene = Scene::new();
    for command in ["get", "seed", "create", "show", "verify", "magnet", "tracker", "dht", "demo"] {
        let ran = scene.run(&["help", command]);
        assert_eq!(ran.code, 0, "{command}");
        assert!(ran.out.contains("Usage:") && ran.out.contains("Examples:"), "{command}: {}", ran.out);
        assert_eq!(ran.out, scene.run(&[command, "--help"]).out, "{command}");
    }
    let codes = scene.run(&["help", "exit-codes"]).out;
    assert!(codes.contains("141") && codes.contains("70"));
}

#[test]
fn the_version_is_told_in_both_ways() {
    let scene = Scene::new();
    assert_eq!(scene.run(&["version"]).out, concat!("torr ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(scene.run(&["version", "--json"]).json()[0]["schema"], "torr.version/1");
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let scene = Scene::new();
    scene.photos();
    let mut command = scene.command(&["show", "photos.torrent"]);
    let ran = command.stdin(Stdio::null()).stdout(unread()).output().unwrap();
    assert_eq!((ran.status.code(), ran.stderr), (Some(141), Vec::new()));
}

#[test]
fn show_speaks_plainly_into_a_pipe() {
    let scene = Scene::new();
    scene.photos();
    let ran = scene.run(&["show", "photos.torrent"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.starts_with("name\tphotos\ninfo_hash\t"), "{}", ran.out);
    assert!(ran.out.contains("\nfile\t2\t70000\tphotos/sub/b.bin\n"), "{}", ran.out);
    assert_eq!(scene.run(&["show", "photos.torrent", "--field", "size"]).out, "180000\n");
    assert_eq!(scene.run(&["show", "photos.torrent", "--field", "comment"]).code, 1);
    assert_eq!(scene.run(&["show", "photos.torrent", "--field", "colour"]).code, 2);
    let json = scene.run(&["--json", "show", "photos.torrent"]).json();
    assert_eq!(
        (json.len(), &json[0]["schema"], &json[0]["size"]),
        (1, &"torr.show/1".into(), &180_000.into())
    );
    assert_eq!(json[0]["files"][0]["path"], "photos/a.bin");
}

#[test]
fn a_hostile_name_is_shown_and_does_nothing() {
    let scene = Scene::new();
    scene.write("x.torrent", b"d4:infod6:lengthi3e4:name9:a\x1b]0;x\x07\x9bb12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee");
    let ran = scene.run(&["show", "x.torrent"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("\\u{1b}]0;x\\u{7}"), "{}", ran.out);
    let json = scene.run(&["show", "--json", "x.torrent"]);
    assert!(json.out.bytes().all(|byte| byte >= 0x20 || byte == b'\n'), "{}", json.out);
}
