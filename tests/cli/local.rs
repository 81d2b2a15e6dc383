//! What is shared with the local network, or with those who belong to a tracker, goes no further.

use std::path::Path;
use std::process::Command;

use super::Scene;
use super::party::{TIMEOUT, bytes, end};
use super::share::{event, hash, link, many, same, settle, share};
use crate::loopback::nodes;
use crate::support::program::Program;
use crate::support::wait::wait_for;

/// A private tracker where nobody is; the name of a user in it.
const TRACKER: &str = "http://127.0.0.1:1/secret/announce";
/// What is said of a link that does not tell trackers.
const LEFT_OUT: &str = "The link leaves out its ";

#[test]
fn the_printed_command_tells_nobody_outside_the_local_network() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let network = runtime.block_on(nodes::network(4));
    let node = nodes::addr(&network[0]).to_string();
    let scene = Scene::new();
    many(&scene);
    let arguments = [
        "seed",
        "d",
        "--lan",
        "--json",
        "--bind",
        "127.0.0.1",
        "--state-dir",
        "state",
        "--until",
        "copies:2",
    ];
    let mut command = scene.command(&arguments);
    command.env_remove("TORR_NETWORK_DHT").env("TORR_NETWORK_DHT_BOOTSTRAP", &node);
    let mut seeder = Program::start("seed", &mut command, scene.path());
    let told = wait_for("the link is told", TIMEOUT, || event(&seeder.output(), "link"));
    let told = told["command"].as_str().unwrap();
    assert!(told.starts_with("torr get --lan 'magnet:?"), "{told}");
    let get = |name: &str, command: &str| {
        let bin = Path::new(env!("CARGO_BIN_EXE_torr")).parent().unwrap().to_owned();
        let folder = scene.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let ran = Command::new("sh")
            .args(["-c", command])
            .current_dir(&folder)
            .env_clear()
            .env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()))
            .env("HOME", &folder)
            .env("TORR_NETWORK_BIND", "127.0.0.1")
            .env("TORR_NETWORK_DHT_BOOTSTRAP", &node)
            .output()
            .unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        same(&scene, "d", &format!("{name}/d"));
        folder.join(".cache/torr/dht-nodes").exists()
    };
    assert!(!get("here", told), "the DHT was not used");
    assert!(network.iter().all(|node| node.status().torrents_kept == 0), "nobody was told");
    assert!(get("there", &told.replace("--lan ", "")), "without the flag it is");
    assert_eq!(end(&mut seeder).code(), Some(0), "{}", seeder.tail());
}

#[test]
fn what_is_private_is_not_shared_with_all() {
    let scene = Scene::new();
    many(&scene);
    let made = ["create", "d", "--private", "-t", TRACKER, "-q", "-o", "x.torrent", "--source", "x"];
    assert_eq!(scene.run(&made).code, 0);
    let (private, _) = link(&scene, &["x.torrent"]);
    let (open, said) = link(&scene, &["d"]);
    assert!(hash(&open) != hash(&private) && !said.contains("this is the data"), "{said}");
    let (again, said) = link(&scene, &["d", "--private"]);
    assert_eq!(hash(&again), hash(&private), "{said}");
    // One of another tracker is not meant.
    let (other, said) = link(&scene, &["d", "--private", "--tracker", "http://127.0.0.1:2/announce"]);
    assert!(hash(&other) != hash(&private) && !said.contains("this is the data"), "{said}");
    // Of several the one with the given tracker is, though another was used last.
    link(&scene, &["d", "--private", "--new"]);
    let (chosen, _) = link(&scene, &["d", "--private", "--tracker", TRACKER]);
    assert_eq!(hash(&chosen), hash(&private));
    let (public, _) = link(&scene, &["d"]);
    assert_eq!(hash(&public), hash(&open));
}

#[test]
fn a_link_to_a_private_torrent_holds_no_key() {
    let scene = Scene::new();
    scene.write("film.bin", bytes(100_000));
    settle(&scene, "film.bin");
    let make = |flags: &[&str]| {
        let made = ["create", "film.bin", "-t", TRACKER, "-q", "--force"];
        assert_eq!(scene.run(&[&made[..], flags].concat()).code, 0);
    };
    make(&["--private"]);
    let (told, said) = link(&scene, &["film.bin.torrent"]);
    assert!(!told.contains("tr=") && said.contains(LEFT_OUT), "{told} {said}");
    let (told, said) = link(&scene, &["film.bin.torrent", "--tracker", TRACKER]);
    assert!(told.contains("tr=") && !said.contains(LEFT_OUT), "{told} {said}");
    let (told, said) = link(&scene, &["film.bin.torrent", "--no-trackers"]);
    assert!(!told.contains("tr=") && !said.contains(LEFT_OUT), "{told} {said}");
    make(&[]);
    let (told, said) = link(&scene, &["film.bin.torrent", "--state-dir", "other"]);
    assert!(told.contains("tr=") && !said.contains(LEFT_OUT), "{told} {said}");
}

#[test]
fn what_nobody_learns_of_is_not_said_to_be_told() {
    let scene = Scene::new();
    scene.write("film.bin", bytes(100_000));
    let private = share(&scene, &["film.bin", "--lan", "--private", "--no-address"]);
    assert_eq!(private.code, 0, "{}", private.err);
    assert!(
        private.err.contains("Not announced anywhere; only someone with this link can download it."),
        "{}",
        private.err
    );
    assert!(private.err.contains("The link contains no peer address"), "{}", private.err);
    assert!(!private.err.contains("same network"), "{}", private.err);
    let mut command = scene.command(&["seed", "film.bin", "--bind", "127.0.0.1", "--until", "1s", "--dht"]);
    let here = Scene::ran(command.env("TORR_NETWORK_DHT", "true"));
    assert_eq!(here.code, 0, "{}", here.err);
    assert!(
        here.err.contains("this machine only") && !here.err.contains("announced to the DHT"),
        "{}",
        here.err
    );
}

#[test]
fn patterns_say_what_is_shared() {
    let scene = Scene::new();
    many(&scene);
    scene.write("d/old.bak", bytes(9000));
    settle(&scene, "d/old.bak");
    let (all, _) = link(&scene, &["d"]);
    let (some, said) = link(&scene, &["d", "-x", "*.bak"]);
    assert!(hash(&some) != hash(&all) && said.contains("skipped 1 excluded"), "{said}");
    let made = scene.run(&["create", "d", "--exclude", "*.bak", "--magnet", "-o", "x.torrent"]);
    assert_eq!(hash(&made.out), hash(&some));
    assert_eq!(hash(&link(&scene, &["d", "-x", "*.bak"]).0), hash(&some));
    assert_eq!(hash(&link(&scene, &["d"]).0), hash(&all));
    let (few, _) = link(&scene, &["d", "-x", "*", "--include", "sub1"]);
    assert!(hash(&few) != hash(&some) && hash(&few) != hash(&all));
    let wrong = share(&scene, &["d", "--exclude", "["]);
    assert_eq!((wrong.code, wrong.err.contains("--exclude: the pattern")), (2, true), "{}", wrong.err);
}
