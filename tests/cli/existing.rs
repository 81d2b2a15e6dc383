//! Files that are there already: what matches is kept, what is blank is filled, and what differs is changed only
//! where that was asked for.

use std::fs::File;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::party::{Party, TIMEOUT, bytes};
use super::pty::Terminal;
use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::schema::check_lines;
use crate::support::wait::wait_for;

const PIECE: usize = 32 << 10;

/// A torrent of one file that is seeded.
fn single(len: usize) -> (Party, Vec<u8>) {
    let mut party = Party::new();
    let bytes = party.make("x.bin", len);
    party.seed(&["x.bin"]);
    (party, bytes)
}

/// A torrent of twelve files of 9000 bytes in pieces of 32 KiB, seeded.
fn small_files() -> (Party, Vec<Vec<u8>>) {
    let mut party = Party::new();
    let files: Vec<Vec<u8>> =
        (0..12).map(|at| bytes(9000 + at)).map(|bytes| bytes[..9000].to_vec()).collect();
    for (at, bytes) in files.iter().enumerate() {
        party.scene.write(&format!("given/set/{at:02}"), bytes);
    }
    party.torrent("set");
    party.seed(&["set"]);
    (party, files)
}

fn get(party: &Party, folder: &str, more: &[&str]) -> Ran {
    party.get(folder, &[&["x.bin.torrent", "-o", folder], more].concat())
}

#[test]
fn blank_files_are_filled() {
    let (party, bytes) = single(300_000);
    let half = [&bytes[..150_000], &vec![0; 150_000][..]].concat();
    // A piece that another program had begun: some of its blocks are there.
    let mut begun = half.clone();
    begun[5 * PIECE..5 * PIECE + 16_384].copy_from_slice(&bytes[5 * PIECE..5 * PIECE + 16_384]);
    let files: [(&str, &[u8]); 5] = [
        ("zeros", &vec![0; 300_000]),
        ("half", &half),
        ("begun", &begun),
        ("short", &bytes[..100_000]),
        ("empty", &[]),
    ];
    for (folder, there) in files {
        party.scene.write(&format!("{folder}/x.bin"), there);
        let got = get(&party, folder, &[]);
        assert_eq!(got.code, 0, "{folder}: {}", got.err);
        assert!(party.read(&format!("{folder}/x.bin")) == bytes, "{folder}");
    }
    // Space that was reserved and never written.
    std::fs::create_dir(party.path("hole")).unwrap();
    File::create(party.path("hole/x.bin")).unwrap().set_len(300_000).unwrap();
    let got = get(&party, "hole", &[]);
    assert!(got.code == 0 && party.read("hole/x.bin") == bytes, "{}", got.err);
}

#[test]
fn an_edited_file_is_not_touched_unasked() {
    let (party, bytes) = single(300_000);
    let mut edited = bytes.clone();
    edited[2 * PIECE + 7] ^= 1;
    edited[4 * PIECE..6 * PIECE].fill(b'x');
    let place = |folder: &str| party.scene.write(&format!("{folder}/x.bin"), &edited);
    let said =
        "x.bin is there already and differs from the torrent in bytes 65536-98303, 131072-196607 (96 KiB)";

    place("check");
    let before = party.path("check/x.bin").metadata().unwrap();
    // Whoever answers every question with yes does not answer this one.
    for more in [&[][..], &["-y"], &["--existing", "check"]] {
        let got = get(&party, "check", more);
        assert_eq!(got.code, 5, "{}", got.err);
        assert!(got.err.contains(said), "{}", got.err);
        assert!(
            got.err.contains("--existing repair") && got.err.contains("--existing backup"),
            "{}",
            got.err
        );
    }
    let after = party.path("check/x.bin").metadata().unwrap();
    assert!(party.read("check/x.bin") == edited);
    assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
    let got = get(&party, "check", &["--json"]);
    let events = check_lines(&got.out);
    let different = events.iter().find(|event| event["event"] == "different").expect("it is told");
    assert_eq!((&different["bytes"], &different["treatment"]), (&(3 * PIECE).into(), &"refused".into()));
    assert_eq!(different["ranges"][1]["first"], 4 * PIECE);
    assert!(events.iter().any(|event| event["kind"] == "foreign_data"), "{}", got.out);

    place("repair");
    let inode = party.path("repair/x.bin").metadata().unwrap().ino();
    let got = get(&party, "repair", &["--existing", "repair"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(got.err.contains("x.bin: replacing bytes 65536-98303, 131072-196607 (96 KiB)"), "{}", got.err);
    assert!(party.read("repair/x.bin") == bytes);
    assert_eq!(party.path("repair/x.bin").metadata().unwrap().ino(), inode);

    party.scene.write("backup/x.bin.before-torr", "older");
    place("backup");
    let got = get(&party, "backup", &["--existing", "backup"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(
        got.err.contains("x.bin: kept the old file as ") && got.err.contains("x.bin.before-torr1"),
        "{}",
        got.err
    );
    assert!(party.read("backup/x.bin") == bytes && party.read("backup/x.bin.before-torr1") == edited);
    assert_eq!(party.read("backup/x.bin.before-torr"), b"older");

    place("over");
    let got = get(&party, "over", &["--overwrite"]);
    assert!(got.code == 0 && party.read("over/x.bin") == bytes, "{}", got.err);
}

#[test]
fn what_torr_completed_and_somebody_edited_is_different_too() {
    let (party, bytes) = single(300_000);
    assert_eq!(get(&party, "a", &[]).code, 0);
    let file = File::options().write(true).open(party.path("a/x.bin")).unwrap();
    file.write_all_at(b"mine", 40_000).unwrap();
    let got = get(&party, "a", &[]);
    assert_eq!(got.code, 5, "{}", got.err);
    assert!(got.err.contains("bytes 32768-65535 (32 KiB)"), "{}", got.err);
    assert_eq!(&party.read("a/x.bin")[40_000..40_004], b"mine");
    let got = get(&party, "a", &["--existing", "repair"]);
    assert!(got.code == 0 && party.read("a/x.bin") == bytes, "{}", got.err);
}

#[test]
fn a_file_that_ends_too_early_to_be_checked_is_compared_where_that_is_asked_for() {
    let (party, bytes) = single(300_000);
    party.scene.write("a/x.bin", &bytes[..100]);
    let got = get(&party, "a", &[]);
    assert_eq!(got.code, 5, "{}", got.err);
    assert!(
        got.err.contains("x.bin is there already and has only 100 of 300 000 bytes, too few to check"),
        "{}",
        got.err
    );
    assert_eq!(party.read("a/x.bin").len(), 100);
    let got = get(&party, "a", &["--existing", "repair"]);
    assert!(got.code == 0 && party.read("a/x.bin") == bytes, "{}", got.err);
    assert!(!got.err.contains("replacing"), "nothing differed: {}", got.err);
    party.scene.write("b/x.bin", "a letter");
    let got = get(&party, "b", &["--existing", "backup"]);
    assert!(got.code == 0 && party.read("b/x.bin") == bytes, "{}", got.err);
    assert_eq!(party.read("b/x.bin.before-torr"), b"a letter");
}

#[test]
fn right_files_beside_missing_neighbours_are_kept_as_they_are() {
    let (party, files) = small_files();
    for (at, bytes) in files.iter().enumerate().step_by(2) {
        party.scene.write(&format!("a/set/{at:02}"), bytes);
    }
    let state = |at: usize| {
        let meta = party.path(&format!("a/set/{at:02}")).metadata().unwrap();
        (meta.ino(), meta.mtime(), meta.mtime_nsec())
    };
    let before: Vec<_> = (0..12).step_by(2).map(state).collect();
    let got = party.get("a", &["set.torrent", "-o", "a"]);
    assert_eq!(got.code, 0, "{}", got.err);
    for (at, bytes) in files.iter().enumerate() {
        assert!(party.read(&format!("a/set/{at:02}")) == *bytes, "{at}");
    }
    assert_eq!((0..12).step_by(2).map(state).collect::<Vec<_>>(), before, "they were not written");
    // They count as ours from here on.
    let again = party.get("a", &["set.torrent", "-o", "a", "--existing", "refuse"]);
    assert_eq!(again.code, 0, "{}", again.err);
}

#[test]
fn an_unproven_file_that_differs_is_found_when_its_piece_has_come() {
    let (party, files) = small_files();
    let mut wrong = files[2].clone();
    wrong[100..200].fill(b'w');
    let place = |folder: &str| {
        party.scene.write(&format!("{folder}/set/00"), &files[0]);
        party.scene.write(&format!("{folder}/set/02"), &wrong);
    };
    place("check");
    let got = party.get("check", &["set.torrent", "-o", "check", "--json"]);
    assert_eq!(got.code, 5, "{}", got.err);
    assert!(
        got.out.contains("set/02 is there already and differs from the torrent in bytes 100-199 (100 B)"),
        "{}",
        got.out
    );
    let events = check_lines(&got.out);
    let different = events.iter().find(|event| event["event"] == "different").expect("it is told");
    assert_eq!((&different["bytes"], &different["ranges"][0]["first"]), (&100.into(), &100.into()));
    assert!(party.read("check/set/02") == wrong && party.read("check/set/00") == files[0]);
    // It is no more ours in the next run, nor after a repair of which it was no part.
    let got = party.get("check", &["set.torrent", "-o", "check"]);
    assert!(got.code == 5 && party.read("check/set/02") == wrong, "{}", got.err);

    for (folder, mode) in [("repair", "repair"), ("backup", "backup"), ("over", "")] {
        place(folder);
        let how: &[&str] = if mode.is_empty() { &["--overwrite"] } else { &["--existing", mode] };
        let got = party.get(folder, &[&["set.torrent", "-o", folder], how].concat());
        assert_eq!(got.code, 0, "{folder}: {}", got.err);
        for (at, bytes) in files.iter().enumerate() {
            assert!(party.read(&format!("{folder}/set/{at:02}")) == *bytes, "{folder} {at}");
        }
        assert_eq!(
            got.err.contains("set/02: replacing bytes 100-199 (100 B)"),
            mode == "repair",
            "{}",
            got.err
        );
        let backup = party.path(&format!("{folder}/set/02.before-torr"));
        assert_eq!(backup.exists(), mode == "backup", "{folder}");
        if mode == "backup" {
            assert!(std::fs::read(backup).unwrap() == wrong);
            assert!(!party.path("backup/set/00.before-torr").exists(), "it was right");
        }
    }
}

#[test]
fn torn_bytes_of_an_interrupted_run_are_ours() {
    let (party, bytes) = single(2_000_000);
    let arguments = ["get", "x.bin.torrent", "-o", "a", "--down", "200K", "--json", "--interval", "0"];
    let mut first = Program::start("first", &mut party.command("a", &arguments), party.scene.path());
    wait_for("pieces arrive", TIMEOUT, || {
        let done = |line: &str| {
            let event: serde_json::Value = serde_json::from_str(line).ok()?;
            event["done"].as_u64().filter(|&done| done > 0)
        };
        first.output().lines().any(|line| done(line).is_some()).then_some(())
    });
    let pid = rustix::process::Pid::from_raw(first.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_for("it ends", TIMEOUT, || first.ended());
    let file = File::options().write(true).open(party.path("a/x.bin")).unwrap();
    file.write_all_at(&vec![7; PIECE + 5000], 1_900_000).unwrap();
    let got = get(&party, "a", &[]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(party.read("a/x.bin") == bytes);
}

#[test]
fn a_file_that_was_left_alone_is_not_ours_after_a_crash() {
    let mut party = Party::new();
    let (a, b) = (bytes(2_000_000), bytes(60_000));
    party.scene.write("given/two/a", &a);
    party.scene.write("given/two/b", &b);
    party.torrent("two");
    party.seed(&["two"]);
    let mine = vec![9; 60_000];
    party.scene.write("got/two/b", &mine);
    let arguments =
        ["get", "two.torrent", "-o", "got", "--select", "a", "--down", "200K", "--json", "--interval", "0"];
    let mut first = Program::start("first", &mut party.command("a", &arguments), party.scene.path());
    wait_for("the download begins", TIMEOUT, || {
        first.output().contains(r#""state":"downloading""#).then_some(())
    });
    let pid = rustix::process::Pid::from_raw(first.id() as i32).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    wait_for("it ends", TIMEOUT, || first.ended());
    let got = party.get("a", &["two.torrent", "-o", "got"]);
    assert_eq!(got.code, 5, "{}", got.err);
    assert!(got.err.contains("two/b is there already and differs from the torrent in bytes "), "{}", got.err);
    assert!(party.read("got/two/b") == mine);
}

#[test]
fn an_edit_of_a_skipped_file_stays() {
    let mut party = Party::new();
    let (a, b) = (bytes(50_000), bytes(160_000));
    party.scene.write("given/two/a", &a);
    party.scene.write("given/two/b", &b);
    party.torrent("two");
    party.seed(&["two"]);
    // The second piece lies in both files; most of the second file matches.
    let mut mine = b.clone();
    mine[..1000].fill(b'm');
    party.scene.write("got/two/b", &mine);
    for _ in 0..2 {
        let got = party.get("a", &["two.torrent", "-o", "got", "--select", "a"]);
        assert_eq!(got.code, 0, "{}", got.err);
        assert!(party.read("got/two/a") == a && party.read("got/two/b") == mine);
    }
    let got = party.get("a", &["two.torrent", "-o", "got", "--existing", "repair"]);
    assert!(got.code == 0 && party.read("got/two/b") == b, "{}", got.err);
}

#[test]
fn verify_fix_follows_the_same_rule() {
    let (party, files) = small_files();
    let mut wrong = files[2].clone();
    wrong[100..200].fill(b'w');
    for (at, bytes) in files.iter().enumerate() {
        party.scene.write(&format!("a/set/{at:02}"), if at == 2 { &wrong } else { bytes });
    }
    let fix = |more: &[&str]| {
        let arguments = [&["verify", "--fix", "set.torrent", "a", "--timeout", "30s"], more].concat();
        Scene::ran(&mut party.command("fixer", &arguments))
    };
    let got = fix(&["--existing", "check"]);
    assert_eq!(got.code, 5, "{}", got.err);
    assert!(
        got.err.contains("set/02 is there already and differs from the torrent in bytes 100-199"),
        "{}",
        got.err
    );
    assert!(party.read("a/set/02") == wrong);
    let got = fix(&[]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(got.err.contains("set/02: replacing bytes 100-199 (100 B)"), "{}", got.err);
    assert!(party.read("a/set/02") == files[2]);
    party.scene.write("a/set/02", &wrong);
    let got = fix(&["--existing", "backup"]);
    assert!(got.code == 0 && party.read("a/set/02") == files[2], "{}", got.err);
    assert!(party.read("a/set/02.before-torr") == wrong);
}

#[test]
fn on_a_terminal_the_person_decides() {
    let (party, bytes) = single(300_000);
    let mut edited = bytes.clone();
    edited[PIECE..PIECE + 9].fill(b'x');
    let ask = |folder: &str, answer: &str| {
        party.scene.write(&format!("{folder}/x.bin"), &edited);
        let state = format!("state-{folder}");
        let arguments = [
            "get",
            "x.bin.torrent",
            "-o",
            folder,
            "--bind",
            "127.0.0.1",
            "--state-dir",
            &state,
            "--timeout",
            "30s",
        ];
        let mut terminal = Terminal::torr(&party.scene, &arguments, 24, 100);
        terminal.wait_for("What to do? [K/r/b]");
        assert!(terminal.contents().contains("differs from the torrent in"), "{}", terminal.contents());
        terminal.press(answer);
        (terminal.end(), party.read(&format!("{folder}/x.bin")))
    };
    assert!(ask("keep", "\n") == (5, edited.clone()));
    assert!(ask("repair", "r\n") == (0, bytes.clone()));
    assert!(ask("backup", "b\n") == (0, bytes.clone()));
    assert!(party.read("backup/x.bin.before-torr") == edited);
    // Nobody is asked who said yes to everything, or wants quiet.
    for flag in ["-y", "-q", "--no-input", "--json"] {
        party.scene.write("none/x.bin", &edited);
        let arguments =
            ["get", "x.bin.torrent", "-o", "none", "--bind", "127.0.0.1", "--state-dir", "state-none", flag];
        let mut terminal = Terminal::torr(&party.scene, &arguments, 24, 100);
        assert_eq!(terminal.end(), 5, "{flag}");
        assert!(!terminal.frames.iter().any(|frame| frame.contains("What to do?")), "{flag}");
        assert!(party.read("none/x.bin") == edited, "{flag}");
    }
}

#[test]
fn what_was_only_trusted_is_not_taken_for_ours() {
    let (party, bytes) = single(300_000);
    let mut edited = bytes;
    edited[100_000..100_100].fill(7);
    party.scene.write("trusted/x.bin", &edited);
    let trusted = get(&party, "trusted", &["--existing", "trust"]);
    assert_eq!(trusted.code, 0, "{}", trusted.err);
    let refused = get(&party, "trusted", &[]);
    assert_eq!(refused.code, 5, "{}", refused.err);
    assert!(party.read("trusted/x.bin") == edited, "nobody allowed to replace it");
}

#[test]
fn a_hole_is_blank_wherever_the_file_begins_in_its_piece() {
    let mut party = Party::new();
    let (a, b) = (bytes(10_001), bytes(200_000));
    party.scene.write("given/two/a", &a);
    party.scene.write("given/two/b", &b);
    party.torrent("two");
    party.seed(&["two"]);
    party.scene.write("got/two/a", &a);
    let mut there = b.clone();
    there[81_920..86_016].fill(0);
    party.scene.write("got/two/b", &there);
    let got = party.get("a", &["two.torrent", "-o", "got"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(party.read("got/two/b") == b);
}
