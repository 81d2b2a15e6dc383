//! What lies on the disk is worth more than what is fetched: it is looked at before it is believed, and
//! nothing that was not asked for is lost.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime};

use super::Scene;
use super::party::{Party, TIMEOUT, bytes, end};
use crate::support::program::Program;
use crate::support::wait::wait_for;

#[test]
fn a_file_that_was_changed_is_noticed_whatever_its_time_says() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    let get = |party: &Party| {
        let got = party.get("a", &["x.bin.torrent", "-o", "got"]);
        assert_eq!(got.code, 0, "{}", got.err);
        assert!(party.read("got/x.bin") == bytes, "{}", got.err);
    };
    get(&party);
    let path = party.path("got/x.bin");
    let modified = || path.metadata().unwrap().modified().unwrap();
    // A byte is changed in the file, and its time is set back.
    let before = modified();
    let file = File::options().write(true).open(&path).unwrap();
    file.write_all_at(&[!bytes[40_000]], 40_000).unwrap();
    file.set_modified(before).unwrap();
    assert_eq!(modified(), before);
    let refused = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(party.read("got/x.bin")[40_000] == !bytes[40_000], "it is somebody's edit");
    let repaired = party.get("a", &["x.bin.torrent", "-o", "got", "--existing", "repair"]);
    assert_eq!(repaired.code, 0, "{}", repaired.err);
    get(&party);
    // Another file of the same length and time takes its place.
    let before = modified();
    let other = party.path("other");
    std::fs::write(&other, vec![1; bytes.len()]).unwrap();
    File::options().write(true).open(&other).unwrap().set_modified(before).unwrap();
    std::fs::rename(&other, &path).unwrap();
    let refused = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(refused.err.contains("x.bin is there already"), "{}", refused.err);
    assert!(party.read("got/x.bin") == vec![1; bytes.len()], "it was never ours");
}

#[test]
fn a_folder_that_holds_a_file_of_its_own_name_is_found() {
    let scene = Scene::new();
    scene.write("d/d", bytes(20_000));
    scene.write("d/e", bytes(30_000));
    assert_eq!(scene.run(&["create", "d", "-q"]).code, 0);
    for arguments in
        [&["verify", "d.torrent"][..], &["verify", "d.torrent", "d"], &["verify", "d.torrent", "."]]
    {
        let ran = scene.run(arguments);
        assert_eq!(ran.code, 0, "{arguments:?}: {}{}", ran.out, ran.err);
    }
    // And one that holds a folder of its own name.
    scene.write("f/f/a", bytes(20_000));
    assert_eq!(scene.run(&["create", "f", "-q"]).code, 0);
    for place in ["f", "."] {
        let ran = scene.run(&["verify", "f.torrent", place]);
        assert_eq!(ran.code, 0, "{place}: {}{}", ran.out, ran.err);
    }
    scene.write("f/f/a", bytes(20_001));
    assert_eq!(scene.run(&["verify", "f.torrent", "f"]).code, 1);
}

#[test]
fn a_file_that_is_too_long_is_cut_only_where_that_is_meant() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    let long = [&bytes[..], b"and more"].concat();
    party.scene.write("got/x.bin", &long);
    let refused = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(refused.err.contains("x.bin is there already and longer than"), "{}", refused.err);
    assert!(party.read("got/x.bin") == long);
    let cut = party.get("a", &["x.bin.torrent", "-o", "got", "--overwrite"]);
    assert_eq!(cut.code, 0, "{}", cut.err);
    assert!(party.read("got/x.bin") == bytes);
    assert_eq!(party.scene.run(&["verify", "x.bin.torrent", "got"]).code, 0);
    // What was ours and has grown since is not called done either.
    std::fs::write(party.path("got/x.bin"), &long).unwrap();
    let refused = party.get("a", &["x.bin.torrent", "-o", "got"]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(party.read("got/x.bin") == long);
}

#[test]
fn a_stranger_that_was_not_asked_for_is_left_alone() {
    let mut party = Party::new();
    let (a, b) = (bytes(50_000), bytes(60_000));
    party.scene.write("given/two/a", &a);
    party.scene.write("given/two/b", &b);
    party.torrent("two");
    party.seed(&["two"]);
    // One piece lies in both; the second file is another's, of whatever length.
    for (name, len) in [("short", 100), ("same", 60_000), ("long", 90_000)] {
        let mine = vec![7; len];
        party.scene.write(&format!("{name}/two/b"), &mine);
        let arguments = ["two.torrent", "-o", name, "--select", "a"];
        for more in [&[][..], &["--overwrite"], &["--existing", "repair"], &["--existing", "backup"]] {
            let got = party.get("a", &[&arguments[..], more].concat());
            assert_eq!(got.code, 0, "{name}: {}", got.err);
            assert!(party.read(&format!("{name}/two/a")) == a);
            assert!(party.read(&format!("{name}/two/b")) == mine, "{name}: nobody asked for it");
        }
        // Nor by a repair of the other one.
        party.scene.write(&format!("{name}/two/a"), [&a[..40_000], &[0; 10_000]].concat());
        let mut fix = party.command("a", &["verify", "--fix", "two.torrent", name, "--file", "a"]);
        let fixed = Scene::ran(fix.args(["--timeout", "30s"]));
        assert_eq!(fixed.code, 0, "{name}: {}{}", fixed.out, fixed.err);
        assert!(party.read(&format!("{name}/two/a")) == a && party.read(&format!("{name}/two/b")) == mine);
        // Until it is asked for.
        let all = party.get("a", &["two.torrent", "-o", name, "--overwrite"]);
        assert_eq!(all.code, 0, "{name}: {}", all.err);
        assert!(party.read(&format!("{name}/two/b")) == b);
        assert_eq!(party.scene.run(&["verify", "two.torrent", name]).code, 0);
    }
}

#[test]
fn times_of_the_future_do_no_harm() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    party.scene.write("got/x.bin", &bytes[..200_000]);
    let file = File::options().write(true).open(party.path("got/x.bin")).unwrap();
    file.set_modified(SystemTime::now() + Duration::from_secs(1_000_000)).unwrap();
    for _ in 0..2 {
        let got = party.get("a", &["x.bin.torrent", "-o", "got"]);
        assert_eq!(got.code, 0, "{}", got.err);
        assert!(party.read("got/x.bin") == bytes);
    }
}

#[test]
fn lies_do_not_reach_a_file_that_nobody_asked_for() {
    const MIB: usize = 1 << 20;
    let mut party = Party::new();
    // The second piece, too long to be held whole, lies in both files.
    let whole = bytes(32 * MIB);
    let (a, b) = whole.split_at(20 * MIB);
    party.scene.write("given/t/a", a);
    party.scene.write("given/t/b", b);
    let made = ["create", "given/t", "-o", "t.torrent", "-t", &party.url, "--piece-size", "16M", "-q"];
    assert_eq!(party.scene.run(&made).code, 0);
    // The seeder believes in data that is wrong.
    let file = File::options().write(true).open(party.path("given/t/b")).unwrap();
    file.write_all_at(&[!b[11 * MIB]], 11 * MIB as u64).unwrap();
    party.seed_unchecked("t.torrent", "t");
    let mut mine = a.to_vec();
    mine[17 * MIB..][..1000].fill(7);
    party.scene.write("got/t/a", &mine);
    let arguments = ["get", "t.torrent", "-o", "got", "--select", "b", "--timeout", "3s"];
    let got = Scene::ran(&mut party.command("a", &arguments));
    assert_eq!(got.code, 4, "{}", got.err);
    assert!(party.read("got/t/a") == mine, "it holds what nobody has proved");
    let names = std::fs::read_dir(party.path("got")).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.count(), 2, "the bytes came, and lie aside");
}

#[test]
fn a_file_that_is_shorter_than_its_place_waits_for_peers() {
    let scene = Scene::new();
    let bytes = bytes(300_000);
    scene.write("given/x.bin", &bytes);
    let made = scene.run(&["create", "given/x.bin", "-o", "x.torrent", "--piece-size", "32K", "-q"]);
    assert_eq!(made.code, 0, "{}", made.err);
    // Another program began it. Nobody has the rest for longer than torr takes to flush what it found.
    scene.write("got/x.bin", &bytes[..100_000]);
    let arguments = ["get", "x.torrent", "-o", "got", "--bind", "127.0.0.1", "--timeout", "7s"];
    let ran = scene.run(&arguments);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(std::fs::read(scene.path().join("got/x.bin")).unwrap()[..98_304] == bytes[..98_304]);
}

#[test]
fn a_file_that_is_changed_while_it_is_seeded_is_hashed_again() {
    let party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    let mut seed = Program::start(
        "seed",
        &mut party.command("a", &["seed", "x.bin.torrent", "-o", "given", "--json"]),
        party.scene.path(),
    );
    wait_for("it seeds", TIMEOUT, || seed.output().contains("\"seeding\"").then_some(()));
    let file = File::options().write(true).open(party.path("given/x.bin")).unwrap();
    file.write_all_at(&[!bytes[40_000]], 40_000).unwrap();
    let pid = rustix::process::Pid::from_raw(seed.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(end(&mut seed).code(), Some(143));
    let mut get = party.command("a", &["get", "x.bin.torrent", "-o", "given", "--timeout", "2s"]);
    let got = Scene::ran(get.arg("--no-trackers"));
    assert_eq!(got.code, 5, "{}", got.err);
    assert!(got.err.contains("differs from the torrent in bytes 32768-65535"), "{}", got.err);
}
