//! Several programs at one torrent or one file: no two write to it, and what others do to it is noticed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::process::Command;

use super::Scene;
use super::party::{Party, TIMEOUT, end};
use crate::support::program::Program;
use crate::support::wait::wait_for;

/// A download that takes many seconds.
fn slow(party: &Party, name: &str) -> Program {
    let torrent = format!("{name}.torrent");
    let arguments = ["get", &torrent, "-o", "got", "--down", "100K", "--json", "--interval", "1s"];
    let program = Program::start("slow", &mut party.command("a", &arguments), party.scene.path());
    wait_for("it downloads", TIMEOUT, || super::signals::some_done(&program.output()).then_some(()));
    program
}

fn send(program: &Program, signal: &str) {
    assert!(Command::new("kill").args([signal, &program.id().to_string()]).status().unwrap().success());
}

#[test]
fn two_with_states_of_their_own_never_write_to_one_file() {
    let mut party = Party::new();
    let long = party.make("long.bin", 3_000_000);
    party.seed(&["long.bin"]);
    let mut first = slow(&party, "long.bin");
    let second = party.get("b", &["long.bin.torrent", "-o", "got"]);
    assert_eq!(second.code, 7, "{}", second.err);
    let sentence = "got/long.bin: another program is writing to it";
    assert!(second.err.contains(sentence) && second.err.contains("hint:"), "{}", second.err);
    let mut fix = party.command("b", &["verify", "--fix", "long.bin.torrent", "got"]);
    let fixed = Scene::ran(fix.args(["--timeout", "30s"]));
    assert_eq!(fixed.code, 7, "{}{}", fixed.out, fixed.err);
    assert!(fixed.err.contains(sentence), "{}", fixed.err);
    send(&first, "-INT");
    assert_eq!(end(&mut first).code(), Some(130), "{}", first.tail());
    let rest = party.get("b", &["long.bin.torrent", "-o", "got"]);
    assert_eq!(rest.code, 0, "{}", rest.err);
    assert!(party.read("got/long.bin") == long);
}

#[test]
fn a_session_that_is_stopped_holds_up_no_other() {
    let mut party = Party::new();
    party.make("long.bin", 3_000_000);
    let short = party.make("short.bin", 200_000);
    party.seed(&["long.bin", "short.bin"]);
    let mut first = slow(&party, "long.bin");
    send(&first, "-STOP");
    let beside = party.get("a", &["short.bin.torrent", "-o", "got"]);
    assert_eq!(beside.code, 0, "{}", beside.err);
    assert!(party.read("got/short.bin") == short);
    send(&first, "-KILL");
    end(&mut first);
}

#[test]
fn a_file_that_vanishes_under_a_download_ends_it() {
    let mut party = Party::new();
    party.make("long.bin", 3_000_000);
    party.seed(&["long.bin"]);
    let path = party.path("got/long.bin");
    let cases: [(&str, &dyn Fn()); 3] = [
        ("removed", &|| std::fs::remove_file(&path).unwrap()),
        ("moved", &|| std::fs::rename(&path, party.path("elsewhere")).unwrap()),
        ("its folder is moved", &|| std::fs::rename(party.path("got"), party.path("away")).unwrap()),
    ];
    for (case, vanish) in cases {
        let mut get = slow(&party, "long.bin");
        vanish();
        assert_eq!(end(&mut get).code(), Some(5), "{case}: {}", get.tail());
        assert!(get.errors().contains("removed)"), "{case}: {}", get.tail());
        let has =
            |word: &str| get.output().lines().any(|line| line.contains(&format!(r#""event":"{word}""#)));
        assert!(!has("done") && !has("finished"), "{case}: {}", get.tail());
        let _ = std::fs::remove_dir_all(party.path("got"));
    }
}

#[test]
fn a_file_that_is_edited_while_it_is_shared_is_shared_no_longer() {
    let party = Party::new();
    let bytes = party.make("x.bin", 3_000_000);
    let arguments = ["seed", "x.bin.torrent", "-o", "given", "--json", "--up", "300K"];
    let mut seed = Program::start("seed", &mut party.command("s", &arguments), party.scene.path());
    wait_for("it is shared", TIMEOUT, || seed.output().contains(r#""state":"seeding""#).then_some(()));
    let mut get = slow(&party, "x.bin");
    let file = File::options().write(true).open(party.path("given/x.bin")).unwrap();
    file.write_all_at(&[!bytes[2_999_000]], 2_999_000).unwrap();
    assert_eq!(end(&mut seed).code(), Some(5), "{}", seed.tail());
    assert!(seed.errors().contains("given/x.bin was changed while torr shared it"), "{}", seed.tail());
    send(&get, "-INT");
    end(&mut get);
}

#[test]
fn torrents_that_an_early_version_remembered_are_known_by_their_hash() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    let hash = party.scene.run(&["show", "--field", "info_hash", "x.bin.torrent"]).out.trim().to_owned();
    std::fs::create_dir_all(party.path("state-a/torrents")).unwrap();
    let early = party.path("state-a/torrents").join(format!("{hash}.torrent"));
    std::fs::rename(party.path("x.bin.torrent"), &early).unwrap();
    let got = party.get("a", &[&hash, "-o", "got"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert!(party.read("got/x.bin") == bytes);
    assert!(!early.exists(), "the library has it now");
    let told = party.scene.run(&["seed", "abcdef", "--state-dir", "state-a"]);
    assert!(told.err.contains(&hash[..10]), "{}", told.err);
}

#[test]
fn many_torrents_are_shared_with_few_descriptors() {
    const COUNT: usize = 150;
    let party = Party::new();
    let names: Vec<String> = (0..COUNT).map(|number| format!("given/{number}.bin")).collect();
    for (number, name) in names.iter().enumerate() {
        party.scene.write(name, super::party::bytes(1000 + number));
    }
    let torr = party.command("s", &["seed", "--json"]);
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 100; exec \"$0\" \"$@\""]).arg(torr.get_program()).args(torr.get_args());
    command.args(&names).current_dir(party.scene.path());
    for (key, value) in torr.get_envs() {
        command.env(key, value.unwrap_or_default());
    }
    let mut seed = Program::start("seed", &mut command, party.scene.path());
    wait_for("all are shared", TIMEOUT, || {
        seed.assert_running();
        let done = seed.output().lines().filter(|line| line.contains(r#""event":"done""#)).count();
        (done == COUNT).then_some(())
    });
    send(&seed, "-INT");
    end(&mut seed);
    assert!(!seed.errors().contains("error:"), "{}", seed.tail());
}

#[test]
fn a_file_that_vanishes_costs_no_other_file() {
    const MIB: usize = 1 << 20;
    let mut party = Party::new();
    let files = [("a", 4 * MIB), ("b", MIB)].map(|(name, len)| (name, super::party::bytes(len)));
    for (name, bytes) in &files {
        party.scene.write(&format!("given/set/{name}"), bytes);
    }
    party.torrent("set");
    party.seed(&["set"]);
    let arguments =
        ["get", "set.torrent", "-o", "got", "--in-order", "--down", "2M", "--json", "--interval", "1s"];
    let mut part = Program::start("part", &mut party.command("a", &arguments), party.scene.path());
    let path = party.path("got/set/b");
    wait_for("the second file is begun", TIMEOUT, || path.exists().then_some(()));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(end(&mut part).code(), Some(5), "{}", part.tail());
    let before = party.sent().0;
    let rest = party.get("a", &["set.torrent", "-o", "got"]);
    assert_eq!(rest.code, 0, "{}", rest.err);
    for (name, bytes) in &files {
        assert!(party.read(&format!("got/set/{name}")) == *bytes, "{name}");
    }
    wait_for("the seeder has counted", TIMEOUT, || (party.sent().0 >= before + MIB as u64).then_some(()));
    assert!(party.sent().0 < before + 2 * MIB as u64, "{} after {before}: {}", party.sent().0, rest.err);
}
