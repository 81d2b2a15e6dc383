//! What `get` promises about disks and pipes, and `seed` about what was fetched: `--to-stdout`, `--alloc`,
//! torrents known by their info hash, another selection in a second run.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use super::Scene;
use super::party::{Party, TIMEOUT, bytes, end};
use crate::support::bencode::Value;
use crate::support::program::Program;
use crate::support::wait::wait_for;

/// A `get` whose standard output is read by the test.
struct Piped {
    child: Child,
    out: Option<ChildStdout>,
}

impl Piped {
    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = child.stdout.take();
        Self { child, out }
    }

    fn read(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.out.as_mut().unwrap().read_exact(&mut bytes).unwrap();
        bytes
    }

    fn rest(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.out.as_mut().unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    fn close(&mut self) {
        self.out = None;
    }

    fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let status = wait_for("it ends", TIMEOUT, || self.child.try_wait().unwrap());
        let mut err = String::new();
        self.child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert!(!err.contains(['\u{1b}', '\r']) && !err.contains("panicked"), "{err}");
        (status, err)
    }
}

impl Drop for Piped {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One file that is given, of so many bytes.
fn film(len: usize) -> (Party, Vec<u8>) {
    let mut party = Party::new();
    let bytes = party.make("film.bin", len);
    party.seed(&["film.bin"]);
    (party, bytes)
}

fn to_stdout(party: &Party, more: &[&str]) -> Piped {
    let mut arguments = vec!["get", "--to-stdout", "-o", "got", "--timeout", "60s", "--interval", "1s"];
    arguments.extend(more);
    Piped::start(party.command("a", &arguments))
}

/// Three files of which no border is one of a piece, given.
fn set() -> Party {
    let mut party = Party::new();
    for (name, len) in [("a.bin", 100_001), ("b.bin", 200_003), ("c.bin", 150_007)] {
        party.scene.write(&format!("given/set/{name}"), bytes(len));
    }
    party.torrent("set");
    party.seed(&["set"]);
    party
}

/// What a seeder says it has sent, once it has sent at least so much.
fn sent(log: &str) -> u64 {
    let events = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    events.filter_map(|event| event["sent"].as_u64()).max().unwrap_or(0)
}

#[test]
fn a_file_goes_out_in_order_while_it_comes() {
    let (party, bytes) = film(4_000_000);
    let mut get = to_stdout(&party, &["film.bin.torrent", "--down", "1M"]);
    assert!(get.read(300_000) == bytes[..300_000]);
    assert!(get.is_running());
    assert!(party.read("got/film.bin") != bytes, "it is not all there yet");
    assert!(get.rest() == bytes[300_000..]);
    let (status, err) = get.end();
    assert_eq!(status.code(), Some(0), "{err}");
    assert!(party.read("got/film.bin") == bytes, "it is saved too");
    // What is there already needs nobody to give it.
    let mut again = to_stdout(&party, &["film.bin.torrent", "--no-trackers"]);
    assert!(again.rest() == bytes);
    assert_eq!(again.end().0.code(), Some(0));
}

#[test]
fn a_reader_that_stops_holds_up_nothing_but_itself() {
    let (party, bytes) = film(5_000_000);
    let mut get = to_stdout(&party, &["film.bin.torrent"]);
    assert!(get.read(10) == bytes[..10]);
    // Far more than a pipe and all buffers hold.
    wait_for("the download is complete", TIMEOUT, || {
        std::fs::read(party.path("got/film.bin")).is_ok_and(|there| there == bytes).then_some(())
    });
    assert!(get.is_running());
    assert!(get.rest() == bytes[10..]);
    assert_eq!(get.end().0.code(), Some(0));
}

#[test]
fn a_closed_pipe_ends_it_quietly_and_what_came_is_kept() {
    let (party, bytes) = film(3_000_000);
    let mut get = to_stdout(&party, &["film.bin.torrent", "--down", "500K"]);
    assert!(get.read(100_000) == bytes[..100_000]);
    get.close();
    let (status, err) = get.end();
    assert_eq!(status.code(), Some(141), "{err}");
    assert!(!err.contains("error") && !err.contains("stop"), "{err}");
    let rest = party.get("a", &["film.bin.torrent", "-o", "got"]);
    assert!(rest.code == 0 && rest.err.contains("already there"), "{}", rest.err);
    assert!(party.read("got/film.bin") == bytes);

    // Even where nothing comes that could be written into it.
    let arguments = ["get", "film.bin.torrent", "--to-stdout", "-o", "other", "--no-trackers"];
    let mut none = Piped::start(party.command("b", &arguments));
    let mut errors = none.child.stderr.take().unwrap();
    let mut byte = [0];
    errors.read_exact(&mut byte).unwrap();
    none.close();
    assert_eq!(wait_for("it ends", TIMEOUT, || none.child.try_wait().unwrap()).code(), Some(141));
}

#[test]
fn one_of_several_goes_out_whole() {
    let party = set();
    // A part of it is there from a run that was cut off.
    let arguments = ["get", "set.torrent", "-o", "got", "--select", "b.bin", "--down", "60K", "--json"];
    let mut part = Program::start("part", &mut party.command("a", &arguments), party.scene.path());
    wait_for("a part is there", TIMEOUT, || {
        let some = |line: &str| line.contains(r#""event":"progress""#) && !line.contains(r#""done":0,"#);
        part.output().lines().any(some).then_some(())
    });
    assert!(part.ended().is_none());
    drop(part);
    let given = party.read("given/set/b.bin");
    let mut get = to_stdout(&party, &["set.torrent", "--select", "b.bin"]);
    assert!(get.rest() == given);
    assert_eq!(get.end().0.code(), Some(0));
    assert!(party.read("got/set/b.bin") == given && !party.path("got/set/a.bin").exists());
    let mut get = to_stdout(&party, &["set.torrent", "--select", "1"]);
    assert!(get.rest() == party.read("given/set/a.bin"));
    assert_eq!(get.end().0.code(), Some(0));
}

#[test]
fn what_cannot_go_to_standard_output_is_refused() {
    let party = set();
    party.make("x.bin", 1000);
    let refused = |arguments: &[&str], sentence: &str, hint: &str| {
        let mut all = vec!["get", "--to-stdout", "--timeout", "1s"];
        all.extend(arguments);
        let ran = Scene::ran(&mut party.command("a", &all));
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains(sentence) && ran.err.contains(hint), "{}", ran.err);
        ran
    };
    refused(&["set.torrent"], "several of set are selected", "--select");
    refused(&["set.torrent", "--select", "1-2"], "several of set are selected", "--select");
    refused(&["set.torrent", "x.bin.torrent"], "2 torrents were given", "one torrent");
    let ran =
        refused(&["x.bin.torrent", "--json"], "--json both write to standard output", "--progress json");
    assert_eq!(ran.json()[0]["schema"], "torr.error/1");
    assert!(!party.path("set").exists() && !party.path("x.bin").exists());
}

#[test]
fn files_are_written_in_every_way() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 3_000_000);
    party.seed(&["x.bin"]);
    for io in ["auto", "mmap", "pwrite"] {
        let got = party.get(io, &["x.bin.torrent", "-o", io, "--disk-io", io]);
        assert_eq!(got.code, 0, "{io}: {}", got.err);
        assert!(party.read(&format!("{io}/x.bin")) == bytes, "{io}");
    }
}

#[test]
fn space_is_reserved_as_it_is_asked() {
    let mut party = Party::new();
    // Long enough that a part of it is not all of it, wherever space is given in runs.
    let bytes = party.make("x.bin", 40 << 20);
    party.seed(&["x.bin"]);
    for alloc in ["none", "sparse", "full"] {
        let path = party.path(alloc).join("x.bin");
        let arguments =
            ["get", "x.bin.torrent", "-o", alloc, "--alloc", alloc, "--in-order", "--down", "500K"];
        let mut get = Program::start(alloc, &mut party.command(alloc, &arguments), party.scene.path());
        let (size, stored) = wait_for("something is there", TIMEOUT, || {
            let meta = std::fs::metadata(&path).ok()?;
            (meta.blocks() > 0).then_some((meta.size(), meta.blocks() * 512))
        });
        assert!(get.ended().is_none(), "{}", get.tail());
        drop(get);
        let all = bytes.len() as u64;
        match alloc {
            "none" => assert!(size <= all && stored < 8 << 20, "{size} {stored}"),
            "sparse" => assert!(size == all && stored < all, "{size} {stored}"),
            _ => assert!(size == all && stored >= all, "{size} {stored}"),
        }
        let got = party.get(alloc, &["x.bin.torrent", "-o", alloc, "--alloc", alloc]);
        assert_eq!(got.code, 0, "{}", got.err);
        assert!(party.read(&format!("{alloc}/x.bin")) == bytes, "{alloc}");
    }
}

#[test]
fn space_is_looked_for_before_anything_is_made_and_only_for_what_is_wanted() {
    let scene = Scene::new();
    // 100 TiB in pieces of 256 MiB, and a small file.
    let (huge, piece) = (100_u64 << 40, 256_u64 << 20);
    let file = |name: &str, len: u64| {
        Value::Dict(vec![("length", Value::Int(len)), ("path", Value::List(vec![Value::text(name)]))])
    };
    let pieces = (huge + 1000).div_ceil(piece) as usize;
    let info = Value::Dict(vec![
        ("files", Value::List(vec![file("huge.bin", huge), file("small.bin", 1000)])),
        ("name", Value::text("set")),
        ("piece length", Value::Int(piece)),
        ("pieces", Value::Bytes(vec![7; pieces * 20])),
    ]);
    scene.write("set.torrent", Value::Dict(vec![("info", info)]).encode());
    for alloc in ["none", "sparse", "full"] {
        let arguments =
            ["get", "set.torrent", "-o", "got", "--alloc", alloc, "--bind", "127.0.0.1", "--timeout", "1s"];
        let ran = scene.run(&arguments);
        assert_eq!(ran.code, 5, "{}", ran.err);
        let error = ran.err.lines().find(|line| line.starts_with("error: ")).unwrap();
        assert!(error.contains("no space left (needs 100 TiB, ") && error.ends_with(" free)"), "{error}");
        assert!(!scene.path().join("got/set").exists());
        let mut some = arguments.to_vec();
        some.extend(["--select", "small.bin"]);
        assert_eq!(scene.run(&some).code, 4, "there is room for this one, and nobody to give it");
    }
}

#[test]
fn another_selection_loses_nothing_and_fetches_nothing_twice() {
    let party = set();
    let counted = |party: &Party, select: &[&str]| {
        let mut arguments = vec!["set.torrent", "-o", "got", "--json", "--interval", "1s"];
        arguments.extend(select);
        let ran = party.get("a", &arguments);
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran
    };
    let seeder = || std::fs::read_to_string(party.path("seeder-0.out")).unwrap();
    counted(&party, &["--select", "b.bin"]);
    let part = || {
        let entries = std::fs::read_dir(party.path("got")).unwrap();
        entries.filter_map(Result::ok).find(|entry| entry.file_name().to_string_lossy().ends_with(".part"))
    };
    assert!(part().is_some() && !party.path("got/set/a.bin").exists());
    counted(&party, &["--select", "a.bin", "--select", "b.bin"]);
    assert!(party.read("got/set/a.bin") == party.read("given/set/a.bin"));
    assert!(part().is_some(), "the end of b and the start of c share a piece");
    counted(&party, &[]);
    assert!(part().is_none(), "nobody needs it any more");
    for name in ["a.bin", "b.bin", "c.bin"] {
        assert!(party.read(&format!("got/set/{name}")) == party.read(&format!("given/set/{name}")), "{name}");
    }
    // Each byte was sent once.
    let total = 100_001 + 200_003 + 150_007;
    wait_for("the seeder has counted", TIMEOUT, || (sent(&seeder()) >= total).then_some(()));
    assert_eq!(sent(&seeder()), total, "{}", seeder());
    // And back: what is there stays, and nothing is fetched.
    let back = counted(&party, &["--select", "c.bin"]);
    assert!(back.err.contains("already there"), "{}", back.err);
    assert!(party.read("got/set/a.bin") == party.read("given/set/a.bin"));
}

#[test]
fn what_was_fetched_is_given_by_its_hash() {
    let (party, _) = film(300_000);
    let got = party.get("a", &["film.bin.torrent", "-o", "got"]);
    assert_eq!(got.code, 0, "{}", got.err);
    let shown = party.scene.run(&["show", "--field", "info_hash", "film.bin.torrent"]);
    let hash = shown.out.trim();
    std::fs::remove_file(party.path("film.bin.torrent")).unwrap();
    let show = |hash: &str, more: &[&str]| {
        let mut arguments = vec!["seed", hash, "--until", "1s", "--no-trackers"];
        arguments.extend(more);
        Scene::ran(&mut party.command("a", &arguments))
    };
    for digits in [&hash[..4], &hash[..6], &hash.to_uppercase()[..12], hash] {
        let seeded = show(digits, &["--json"]);
        assert_eq!(seeded.code, 0, "{digits}: {}", seeded.err);
        assert!(seeded.out.contains(r#""state":"seeding""#), "{}", seeded.out);
        assert!(!seeded.out.contains("added_existing_files"), "nothing is hashed: {}", seeded.out);
    }
    let wrong = if hash.starts_with("0000") { "1111" } else { "0000" };
    let ran = show(wrong, &[]);
    assert_eq!(ran.code, 3, "{}", ran.err);
    assert!(
        ran.err.contains("0000' is neither a torrent file nor a torrent remembered in ") || wrong == "1111"
    );
    assert!(ran.err.contains(&format!("remembered: {} film.bin", &hash[..10])), "{}", ran.err);
    // Another state directory knows nothing of it.
    let other = Scene::ran(&mut party.command("z", &["seed", &hash[..6]]));
    assert_eq!(other.code, 3, "{}", other.err);
    // The data has moved.
    std::fs::rename(party.path("got"), party.path("moved")).unwrap();
    let gone = show(&hash[..6], &[]);
    assert_eq!(gone.code, 5, "{}", gone.err);
    assert!(
        gone.err.contains("film.bin is no longer in ") && gone.err.contains(" -o FOLDER"),
        "{}",
        gone.err
    );
    assert_eq!(show(&hash[..6], &["-o", "moved"]).code, 0);
    assert_eq!(show(&hash[..6], &[]).code, 0, "the new place is remembered");
    let damaged = party.path("moved/film.bin");
    let mut bytes = std::fs::read(&damaged).unwrap();
    bytes[100_000] ^= 1;
    std::fs::write(&damaged, bytes).unwrap();
    let ran = show(&hash[..6], &[]);
    assert_eq!(ran.code, 5, "{}", ran.err);
    assert!(ran.err.contains("1 of 10 pieces of film.bin are missing or damaged"), "{}", ran.err);
}

#[test]
fn a_part_that_was_chosen_is_given_too() {
    let party = set();
    let got = party.get("a", &["set.torrent", "-o", "got", "--select", "b.bin"]);
    assert_eq!(got.code, 0, "{}", got.err);
    let arguments = ["seed", "set.torrent", "-o", "got", "--json", "--until", "1s"];
    for _ in 0..2 {
        let seeded = Scene::ran(&mut party.command("a", &arguments));
        assert_eq!(seeded.code, 0, "{}", seeded.err);
        assert!(seeded.out.contains(r#""state":"seeding""#), "{}", seeded.out);
    }
    std::fs::remove_file(party.path("got/set/b.bin")).unwrap();
    assert_eq!(Scene::ran(&mut party.command("a", &arguments)).code, 5);
}

#[test]
fn two_run_side_by_side_but_not_on_the_same_torrent() {
    let mut party = Party::new();
    let long = party.make("long.bin", 3_000_000);
    let short = party.make("short.bin", 200_000);
    party.seed(&["long.bin", "short.bin"]);
    let arguments = ["get", "long.bin.torrent", "-o", "got", "--down", "100K", "--json"];
    let mut first = Program::start("first", &mut party.command("a", &arguments), party.scene.path());
    wait_for("it downloads", TIMEOUT, || first.output().contains(r#""state":"downloading""#).then_some(()));
    let beside = party.get("a", &["short.bin.torrent", "-o", "got"]);
    assert_eq!(beside.code, 0, "{}", beside.err);
    assert!(party.read("got/short.bin") == short);
    let same = party.get("a", &["long.bin.torrent", "-o", "got"]);
    assert_eq!(same.code, 7, "{}", same.err);
    let sentence = format!("long.bin is active in another torr (process {})", first.id());
    assert!(same.err.contains(&sentence) && same.err.contains("hint:"), "{}", same.err);
    let elsewhere = party.get("a", &["long.bin.torrent", "-o", "elsewhere"]);
    assert_eq!(elsewhere.code, 0, "{}", elsewhere.err);
    assert!(elsewhere.err.contains("has this torrent elsewhere"), "{}", elsewhere.err);
    assert!(party.read("elsewhere/long.bin") == long);
    // One that ends lets it go.
    let interrupted = Command::new("kill").args(["-INT", &first.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(end(&mut first).code(), Some(130), "{}", first.tail());
    assert_eq!(party.get("a", &["long.bin.torrent", "-o", "got"]).code, 0);
    assert!(party.read("got/long.bin") == long);
}

#[test]
fn a_seeder_that_runs_out_of_files_for_a_moment_goes_on() {
    let party = Party::new();
    for at in 0..40 {
        party.scene.write(&format!("given/many/{at:02}.bin"), bytes(250_000 + at));
    }
    party.torrent("many");
    // So few descriptors that files are closed and opened again all the time.
    let mut command = Command::new("sh");
    let script = r#"ulimit -n 64 && exec "$0" "$@""#;
    command.args(["-c", script, env!("CARGO_BIN_EXE_torr"), "seed", "many.torrent", "-o", "given", "--json"]);
    command.args(["--bind", "127.0.0.1", "--state-dir", "state-few", "--no-trackers", "-vv"]);
    command.current_dir(party.scene.path()).env("HOME", party.scene.path()).env("LANG", "C.UTF-8");
    command.envs(super::ALONE);
    let mut seeder = Program::start("few", &mut command, party.scene.path());
    let port = wait_for("it seeds", TIMEOUT, || {
        seeder.output().contains(r#""state":"seeding""#).then_some(())?;
        std::fs::read_to_string(party.path("state-few/port")).ok()?.trim().parse::<u16>().ok()
    });
    let peer = format!("127.0.0.1:{port}");
    let arguments =
        ["get", "many.torrent", "-o", "got", "--no-trackers", "--peer", &peer, "--down", "2M", "--json"];
    let mut get = Program::start("get", &mut party.command("a", &arguments), party.scene.path());
    wait_for("some is there", TIMEOUT, || party.path("got/many").exists().then_some(()));
    // No file can be opened any more, and what others have of it is of no use here.
    let pid = rustix::process::Pid::from_raw(seeder.id() as i32);
    let limit = |files| {
        let limit = rustix::process::Rlimit { current: Some(files), maximum: Some(64) };
        rustix::process::prlimit(pid, rustix::process::Resource::Nofile, limit).unwrap();
    };
    limit(3);
    wait_for("a read fails", TIMEOUT, || seeder.errors().contains("a read is tried again").then_some(()));
    limit(64);
    assert_eq!(end(&mut get).code(), Some(0), "{}", get.tail());
    seeder.assert_running();
    assert!(!seeder.output().contains(r#""state":"error""#), "{}", seeder.tail());
}
