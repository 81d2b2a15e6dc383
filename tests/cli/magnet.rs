//! `torr magnet`.

use super::Scene;
use super::show::sample;
use crate::support::schema;

fn scene() -> (Scene, String) {
    let scene = Scene::new();
    scene.write("t.bin", "some bytes");
    let trackers = ["-t", "udp://t.example:1", "-t", "http://u.example/announce"];
    let mut arguments = vec!["create", "t.bin", "--no-date", "-q"];
    arguments.extend(trackers);
    assert_eq!(scene.run(&arguments).code, 0);
    let hash = scene.run(&["show", "--field", "info_hash", "t.bin.torrent"]).out.trim().to_owned();
    (scene, hash)
}

#[test]
fn a_torrent_becomes_a_link() {
    let (scene, hash) = scene();
    let start = format!("magnet:?xt=urn:btih:{hash}");
    let (udp, http) = ("&tr=udp%3A%2F%2Ft.example%3A1", "&tr=http%3A%2F%2Fu.example%2Fannounce");
    let link = |flags: &[&str]| {
        let mut arguments = vec!["magnet", "t.bin.torrent"];
        arguments.extend(flags);
        let ran = scene.run(&arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    assert_eq!(link(&[]), format!("{start}&dn=t.bin{udp}{http}\n"));
    assert_eq!(link(&["--trackers", "first"]), format!("{start}&dn=t.bin{udp}\n"));
    assert_eq!(link(&["--trackers", "none"]), format!("{start}&dn=t.bin\n"));
    assert_eq!(link(&["--short"]), format!("{start}\n"));
    let peers = ["--short", "--peer", "1.2.3.4:5", "--peer", "[::1]:6", "--peer", "box.lan:7"];
    assert_eq!(link(&peers), format!("{start}&x.pe=1.2.3.4:5&x.pe=[::1]:6&x.pe=box.lan:7\n"));
    let json = schema::check_lines(&link(&["--json", "--peer", "1.2.3.4:5"]));
    assert_eq!((&json[0]["short"], &json[0]["name"]), (&start.clone().into(), &"t.bin".into()));
    assert_eq!(json[0]["peers"], serde_json::json!(["1.2.3.4:5"]));
    // What was made is understood.
    let made = link(&["--peer", "box.lan:7"]);
    let again = scene.run(&["magnet", "--json", made.trim()]);
    assert_eq!(schema::check_lines(&again.out)[0]["magnet"], made.trim());
}

#[test]
fn a_torrent_of_both_versions_is_named_by_both() {
    let scene = Scene::new();
    sample(&scene, "hybrid.torrent");
    sample(&scene, "v2-only.torrent");
    let both = scene.run(&["magnet", "--short", "hybrid.torrent"]).out;
    assert!(both.contains("xt=urn:btih:") && both.contains("&xt=urn:btmh:1220"), "{both}");
    let v2 = scene.run(&["magnet", "--short", "v2-only.torrent"]).out;
    assert!(v2.starts_with("magnet:?xt=urn:btmh:1220"), "{v2}");
}

#[test]
fn a_link_is_explained_and_changed() {
    let (scene, hash) = scene();
    let link = format!("magnet:?xt=urn:btih:{hash}&dn=x&tr=udp://t:1&tr=udp://u:1");
    let ran = scene.run(&["magnet", &link]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with(&format!("name\tx\ninfo_hash\t{hash}\ntracker\tudp://t:1\n")), "{}", ran.out);
    let ran = scene.run(&["magnet", "--trackers", "first", &link]);
    assert_eq!(ran.out, format!("magnet:?xt=urn:btih:{hash}&dn=x&tr=udp%3A%2F%2Ft%3A1\n"));
    for (arguments, code, words) in [
        (&["magnet", "-o", "x", &link][..], 2, "--fetch"),
        (&["magnet", "--fetch", "-o", "t.bin.torrent", &link], 5, "t.bin.torrent already exists"),
        (&["magnet", "--fetch", "-o", "x", "--short", &link], 2, "--output cannot be used with --short"),
        (&["magnet", "t.bin.torrent", "--peer", "nowhere"], 2, "HOST:PORT"),
        (&["magnet", "magnet:?xt=urn:btih:%zz"], 3, "two hexadecimal digits"),
        (&["magnet", "nowhere.torrent"], 3, "torrent file not found"),
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
}

#[test]
fn a_code_is_drawn_where_it_can_be() {
    let (scene, _) = scene();
    let ran = scene.run(&["magnet", "t.bin.torrent", "--qr"]);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines.len(), 1 + 21, "{}", ran.out);
    for line in &lines[1..] {
        assert_eq!(line.chars().count(), 41);
        assert!(line.chars().all(|c| " █▀▄".contains(c)), "{line}");
    }
    // The quiet zone is drawn, since nothing else is.
    assert_eq!(lines[1], "█".repeat(41));
    for (name, value) in [("TORR_ASCII", "1"), ("COLUMNS", "40")] {
        let ran = Scene::ran(scene.command(&["magnet", "t.bin.torrent", "--qr"]).env(name, value));
        assert_eq!((ran.code, ran.out.lines().count()), (0, 1), "{name}");
        assert!(ran.err.contains("no QR code"), "{name}: {}", ran.err);
    }
    let coloured = scene.command(&["magnet", "t.bin.torrent", "--qr", "--color", "always"]).output().unwrap();
    let coloured = String::from_utf8(coloured.stdout).unwrap();
    assert_eq!(coloured.lines().filter(|line| line.starts_with("\u{1b}[30;107m")).count(), 21);
}
