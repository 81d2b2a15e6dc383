//! `torr tracker`.

use rustix::process::{Pid, Signal, kill_process};

use super::Scene;
use super::party::{TIMEOUT, end};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

/// A tracker with these flags beside `--listen`, and its announce URL over HTTP.
fn start(scene: &Scene, flags: &[&str]) -> (Program, String) {
    let mut arguments = vec!["tracker", "--listen", "127.0.0.1:0"];
    arguments.extend(flags);
    let tracker = Program::start("tracker", &mut scene.command(&arguments), scene.path());
    let url = wait_for("the tracker says where it is", TIMEOUT, || {
        let output = tracker.output();
        let at = output.find("http://")?;
        let url: String = output[at..].chars().take_while(|c| !"\"\n".contains(*c)).collect();
        output.contains("udp://").then_some(url)
    });
    (tracker, url)
}

fn seed(scene: &Scene, url: &str, torrent: &str) -> Program {
    let arguments = ["seed", torrent, "--tracker", url, "--bind", "127.0.0.1", "--state-dir", "state"];
    Program::start("seeder", &mut scene.command(&arguments), scene.path())
}

fn interrupt(program: &Program) {
    kill_process(Pid::from_raw(program.id() as i32).unwrap(), Signal::INT).unwrap();
}

#[test]
fn peers_are_told_as_they_come_and_go() {
    let scene = Scene::new();
    scene.photos();
    let hash = scene.run(&["show", "--field", "info_hash", "photos.torrent"]).out.trim().to_owned();
    let (mut tracker, url) = start(&scene, &["--json", "--allow", "photos.torrent"]);
    let mut seeder = seed(&scene, &url, "photos.torrent");
    wait_for("the seed has joined", TIMEOUT, || tracker.output().contains(r#""joined""#).then_some(()));
    interrupt(&seeder);
    end(&mut seeder);
    wait_for("the seed has left", TIMEOUT, || tracker.output().contains(r#""left","torrent""#).then_some(()));
    interrupt(&tracker);
    assert_eq!(end(&mut tracker).code(), Some(130));
    let events = schema::check_lines(&tracker.output());
    let words: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(words, ["listening", "joined", "left", "summary"]);
    assert_eq!((&events[1]["torrent"], &events[1]["progress"]), (&hash.into(), &1.0.into()));
    assert_eq!((&events[3]["peers"], &events[3]["refused"]), (&0.into(), &0.into()));
    assert!(events[3]["announces"].as_u64().unwrap() >= 2);
}

#[test]
fn nobody_is_left_behind_by_a_download_that_ends_at_once() {
    let scene = Scene::new();
    scene.photos();
    let (mut tracker, url) = start(&scene, &["--json"]);
    let mut seeder = seed(&scene, &url, "photos.torrent");
    wait_for("the seed has joined", TIMEOUT, || tracker.output().contains(r#""joined""#).then_some(()));
    for go in 0..8 {
        let (folder, state) = (format!("dl{go}"), format!("state{go}"));
        let arguments = ["get", "photos.torrent", "--tracker", &url, "--bind", "127.0.0.1", "-o", &folder];
        let ran = Scene::ran(scene.command(&arguments).args(["--state-dir", &state, "--timeout", "60s"]));
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    interrupt(&seeder);
    end(&mut seeder);
    interrupt(&tracker);
    end(&mut tracker);
    // A farewell that overtakes the news of the end would leave a peer that is not there.
    let events = schema::check_lines(&tracker.output());
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["event"], &summary["peers"]),
        (&"summary".into(), &0.into()),
        "{}",
        tracker.output()
    );
}

#[test]
fn a_torrent_that_is_not_allowed_is_refused() {
    let scene = Scene::new();
    scene.photos();
    scene.write("other.bin", "other");
    assert_eq!(scene.run(&["create", "other.bin", "-q"]).code, 0);
    let link = scene.run(&["magnet", "photos.torrent"]).out;
    let (mut tracker, url) = start(&scene, &["--allow", link.trim()]);
    let mut seeder = seed(&scene, &url, "photos.torrent");
    wait_for("the seed has joined", TIMEOUT, || {
        tracker.errors().contains(" joined    127.0.0.1:").then_some(())
    });
    assert!(tracker.errors().contains("   seed\n"), "{}", tracker.errors());
    let scrape = |torrent: &str| {
        let hash = scene.run(&["show", "--field", "info_hash", torrent]).out;
        scene.run(&["show", "--swarm", &format!("magnet:?xt=urn:btih:{}&tr={url}", hash.trim())]).out
    };
    assert!(scrape("photos.torrent").ends_with("\t1\t0\t0\t\n"));
    assert!(scrape("other.bin.torrent").ends_with("\t0\t0\t0\t\n"));
    interrupt(&seeder);
    end(&mut seeder);
    interrupt(&tracker);
    assert_eq!(end(&mut tracker).code(), Some(130));
    assert!(tracker.errors().contains("stopped; "), "{}", tracker.errors());

    for (arguments, code, words) in [
        (&["tracker", "--open", "--allow", "photos.torrent"][..], 2, "cannot be used with"),
        (&["tracker", "--allow", "nothing"], 3, "torrent file not found: nothing"),
        (&["tracker", "--interval", "0"], 2, "--interval 60s"),
        (&["tracker", "--listen", "127.0.0.1"], 2, "hint:  write 0.0.0.0:6969"),
    ] {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
    }
}
