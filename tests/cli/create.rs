//! `torr create`.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Scene;

#[test]
fn only_the_path_goes_into_a_pipe() {
    let scene = Scene::new();
    scene.write("film.mkv", vec![7; 50_000]);
    let ran = scene.run(&["create", "film.mkv"]);
    let path = fs::canonicalize(scene.path()).unwrap().join("film.mkv.torrent");
    assert_eq!((ran.code, ran.out.trim_end()), (0, path.to_str().unwrap()), "{}", ran.err);
    assert!(ran.err.contains("[1/3] scan    1 file, 48.8 KiB"), "{}", ran.err);
}

#[test]
fn nothing_is_overwritten_without_force() {
    let scene = Scene::new();
    scene.photos();
    let before = fs::read(scene.path().join("photos.torrent")).unwrap();
    let ran = scene.run(&["create", "photos"]);
    assert_eq!(ran.code, 5);
    assert!(
        ran.err.contains("error: photos.torrent is there already\nhint:  overwrite it with --force"),
        "{}",
        ran.err
    );
    assert_eq!(fs::read(scene.path().join("photos.torrent")).unwrap(), before);
    assert_eq!(scene.run(&["create", "photos", "--force"]).code, 0);
}

#[test]
fn the_torrent_can_go_to_standard_output() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let ran = scene.run(&["create", "a", "-o", "-", "--no-date", "-q"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("d10:created by"), "{}", ran.out);
    assert!(!scene.path().join("a.torrent").exists());
}

#[test]
fn a_dry_run_writes_nothing() {
    let scene = Scene::new();
    scene.write("a", "hello");
    assert_eq!(scene.run(&["create", "-n", "a"]).code, 0);
    assert!(!scene.path().join("a.torrent").exists());
}

#[test]
fn what_is_left_out_is_counted_and_events_are_json() {
    let scene = Scene::new();
    for name in ["d/a", "d/.hidden", "d/Thumbs.db"] {
        scene.write(name, "x");
    }
    let events =
        scene.run(&["create", "d", "--json", "-t", "udp://t.example:1,http://u.example/announce"]).json();
    assert_eq!(events[0]["hidden_skipped"], 1);
    assert_eq!(events[0]["junk_skipped"], 1);
    let done = events.last().unwrap();
    assert_eq!((&done["event"], &done["schema"]), (&"done".into(), &"torr.create/1".into()));
    let shown = scene.run(&["show", "--json", "d.torrent"]).json();
    assert_eq!(shown[0]["trackers"], serde_json::json!([["udp://t.example:1", "http://u.example/announce"]]));
}

#[test]
fn a_folder_that_may_not_be_written_is_the_disks_fault() {
    let scene = Scene::new();
    scene.write("a", "hello");
    let locked = scene.path().join("locked");
    fs::create_dir(&locked).unwrap();
    fs::set_permissions(&locked, fs::Permissions::from_mode(0o555)).unwrap();
    // Whoever may do anything is not stopped by permissions.
    if fs::write(locked.join("probe"), "").is_ok() {
        return;
    }
    let ran = scene.run(&["create", "a", "-o", "locked/a.torrent"]);
    assert_eq!(ran.code, 5);
    assert!(ran.err.contains("permission denied"), "{}", ran.err);
}
