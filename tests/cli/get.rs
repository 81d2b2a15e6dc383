//! `get`: torrents of every kind of origin, and what is chosen for each.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use super::party::{Party, TIMEOUT, bytes, end};
use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;
use crate::trackers::script::{Act, Script};

/// A web server on loopback that does what it is told.
pub struct Web {
    script: Script,
    _runtime: tokio::runtime::Runtime,
}

impl Web {
    /// Does what is asked for by the path of each request.
    pub fn new(act: impl Fn(&str) -> Act + Send + 'static) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let act = move |line: &str| act(line.split(' ').nth(1).unwrap_or_default());
        let script = runtime.block_on(Script::with(act));
        Self { script, _runtime: runtime }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.script.addr)
    }
}

/// The one error of a run.
#[track_caller]
fn assert_error(ran: &Ran, code: i32, sentence: &str) {
    assert_eq!(ran.code, code, "{}{}", ran.out, ran.err);
    let errors: Vec<&str> = ran.err.lines().filter(|line| line.starts_with("error: ")).collect();
    assert_eq!(errors.len(), 1, "{}", ran.err);
    assert!(errors[0].contains(sentence), "{}", ran.err);
}

/// Starts it with a pipe as standard input.
fn piped(mut command: Command) -> Child {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn torrents_come_from_the_web() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    party.seed(&["x.bin"]);
    let torrent = party.read("x.bin.torrent");
    let web = Web::new(move |path| match path {
        "/x.torrent?passkey=1" => Act::ok(&torrent),
        "/far" => Act::redirect("/near"),
        "/near" => Act::redirect("x.torrent?passkey=1"),
        _ => Act::page("404 Not Found", "", b"<html>no"),
    });
    let got = party.get("a", &[&web.url("/far"), "-o", "got"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/x.bin").as_str()), "{}", got.err);
    assert!(party.read("got/x.bin") == bytes);

    let url = web.url("/x.torrent?passkey=1");
    assert_eq!(party.scene.run(&["show", &url, "--field", "size"]).out, "300000\n");
    assert_eq!(party.scene.run(&["verify", &url, "got"]).code, 0);
    let mut seed = party.command("a", &["seed", &url, "-o", "got", "--until", "1s", "--json"]);
    let seeded = Scene::ran(&mut seed);
    assert_eq!(seeded.code, 0, "{}", seeded.err);
    assert!(seeded.out.contains(r#""state":"seeding""#), "{}", seeded.out);

    // One that is not there does not stop the other, and its address is told without what may be a secret.
    let mixed = party.get("b", &[&web.url("/none?passkey=2"), &url, "-o", "mixed", "--json"]);
    assert_eq!(mixed.code, 1, "{}", mixed.err);
    assert!(party.read("mixed/x.bin") == bytes);
    let error = mixed.json().into_iter().find(|event| event["schema"] == "torr.error/1").unwrap();
    schema::check(&error);
    assert_eq!((&error["code"], &error["kind"]), (&4.into(), &"http_status".into()));
    assert!(mixed.err.contains("answers 404 Not Found") && !mixed.err.contains("passkey"), "{}", mixed.err);
}

#[test]
fn what_the_web_may_not_do_is_one_sentence() {
    let scene = Scene::new();
    let web = Web::new(|path| match path {
        "/page" => Act::ok(b"<!DOCTYPE html><html>log in</html>"),
        "/cut" => Act::ok(b"d4:infod4:name"),
        "/text" => Act::ok(b"hello"),
        "/loop" => Act::redirect("/loop"),
        "/file" => Act::redirect("file:///etc/passwd"),
        "/large" => Act::Pour(b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1 << 16]),
        "/bomb" => Act::page("200 OK", "Content-Encoding: gzip\r\n", &gzip(64 << 20)),
        "/said" => Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n".to_vec()),
        "/short" => Act::Say(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nd4:".to_vec()),
        "/error" => Act::page("500 <script>", "", b""),
        _ => Act::Say(b"what".to_vec()),
    });
    let cases = [
        ("/page", 3, "not_a_torrent", "/page is a web page, not a torrent file"),
        ("/cut", 3, "malformed", "/cut: the file is not well-formed"),
        ("/text", 3, "malformed", "/text: "),
        ("/loop", 4, "redirect", "redirects too often"),
        ("/file", 4, "redirect", "redirects to something that is neither http nor https"),
        ("/large", 3, "too_large", "is too large"),
        ("/bomb", 3, "too_large", "is too large"),
        ("/said", 3, "too_large", "is too large"),
        ("/short", 4, "unreachable", "was cut off or damaged"),
        ("/error", 4, "http_status", "answers 500 Internal Server Error"),
        ("/noise", 4, "unreachable", "cannot be read"),
    ];
    for (path, code, kind, words) in cases {
        let url = web.url(path);
        assert_error(&scene.run(&["get", &url]), code, words);
        assert_error(&scene.run(&["show", &url]), code, words);
        let json = scene.run(&["show", &url, "--json"]);
        let documents = schema::check_lines(&json.out);
        assert_eq!((documents.len(), &documents[0]["kind"]), (1, &kind.into()), "{}", json.out);
    }
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_error(
        &scene.run(&["get", &format!("http://{closed}/x")]),
        4,
        &format!("no connection to {closed}"),
    );
    assert_error(&scene.run(&["get", "http://x.example:0/"]), 3, "the address is not valid");
    // A server that cannot encrypt.
    let plain = web.url("/page").replace("http:", "https:");
    assert_eq!(scene.run(&["get", &plain]).code, 4);
}

/// So many zeros, compressed.
fn gzip(len: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..len >> 20 {
        encoder.write_all(&vec![0; 1 << 20]).unwrap();
    }
    encoder.finish().unwrap()
}

#[test]
fn a_certificate_nobody_vouches_for_is_refused() {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let cert = include_bytes!("../trackers/self_signed.cert.der").to_vec().into();
    let key = include_bytes!("../trackers/self_signed.key.der").to_vec();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], rustls::pki_types::PrivatePkcs8KeyDer::from(key).into())
        .unwrap();
    let config = std::sync::Arc::new(config);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut tcp, _)) = listener.accept() {
            let mut tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let _ = rustls::Stream::new(&mut tls, &mut tcp).write_all(b"HTTP/1.1 200 OK\r\n\r\nd");
        }
    });
    let scene = Scene::new();
    for host in ["127.0.0.1", "localhost"] {
        let ran = scene.run(&["get", &format!("https://{host}:{port}/x.torrent"), "--json"]);
        assert_eq!(ran.code, 4, "{}", ran.err);
        let error = &ran.json()[0];
        schema::check(error);
        assert_eq!(error["kind"], "tls", "{}", ran.err);
        assert!(error["message"].as_str().unwrap().contains("certificate"), "{}", ran.err);
    }
}

#[test]
fn a_web_server_that_stalls_is_left_at_once_when_asked() {
    let scene = Scene::new();
    let web = Web::new(|_| Act::Stall(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nd".to_vec()));
    let mut get = Program::start("get", &mut scene.command(&["get", &web.url("/x.torrent")]), scene.path());
    wait_for("it says that it waits", TIMEOUT, || get.errors().contains("fetching http://").then_some(()));
    kill(get.id(), "-INT");
    assert_eq!(end(&mut get).code(), Some(130), "{}", get.tail());
    assert!(get.errors().contains("stopped before anything started"), "{}", get.errors());
}

fn kill(id: u32, signal: &str) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

#[test]
fn standard_input_is_a_torrent_or_a_list_that_is_read_as_it_comes() {
    let mut party = Party::new();
    let (a, b) = (party.make("a.bin", 200_000), party.make("b.bin", 300_000));
    party.seed(&["a.bin", "b.bin"]);

    let mut one = piped(party.command("one", &["get", "-", "-o", "one", "--timeout", "30s"]));
    one.stdin.take().unwrap().write_all(&party.read("a.bin.torrent")).unwrap();
    let ended = one.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    assert!(party.read("one/a.bin") == a);

    let arguments = ["get", "-i", "-", "-o", "list", "--timeout", "30s", "--json", "--interval", "1s"];
    let mut list = piped(party.command("list", &arguments));
    let mut lines = list.stdin.take().unwrap();
    lines.write_all(b"# two torrents\n\na.bin.torrent\nnowhere.torrent\n").unwrap();
    wait_for("the first is there before the list has ended", TIMEOUT, || {
        std::fs::read(party.path("list/a.bin")).ok().filter(|got| *got == a)
    });
    assert!(list.try_wait().unwrap().is_none(), "the list goes on");
    lines.write_all(b"b.bin.torrent").unwrap();
    drop(lines);
    let ended = list.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert_eq!(ended.status.code(), Some(1), "{out}{err}");
    assert!(party.read("list/b.bin") == b);
    assert!(err.contains("torrent file not found: nowhere.torrent"), "{err}");
    assert!(out.lines().last().unwrap().contains(r#""done":2,"failed":1"#), "{out}");

    party.scene.write("list.txt", "\u{feff}a.bin.torrent\r\n  b.bin.torrent  \r\n#c.torrent\r\n");
    let got = party.get("list", &["-i", "list.txt", "-o", "list", "-q"]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert_eq!((got.out.lines().count(), got.err.as_str()), (2, ""));
}

#[test]
fn lists_that_cannot_be_used_are_refused() {
    let scene = Scene::new();
    scene.write("empty", "# nothing\n\n");
    assert_error(&scene.run(&["get", "-i", "empty"]), 2, "the list contains no torrent");
    assert_error(&scene.run(&["get", "-i", "-"]), 2, "the list contains no torrent");
    assert_error(&scene.run(&["get", "-i", "nowhere"]), 5, "cannot read nowhere");
    assert_error(&scene.run(&["get", "-", "-i", "-"]), 2, "standard input (-) was given twice");
    assert_error(
        &scene.run(&["get", "a", "b", "--name", "x"]),
        2,
        "--name renames one torrent, but 2 were given",
    );
    assert_error(&scene.run(&["get", "a", "--name", "x/y"]), 2, "a name holds no slash");
    assert_error(&scene.run(&["get", "a", "--run", "a 'b"]), 2, "a quotation mark is not closed");
    assert_error(&scene.run(&["get", "a", "--pick"]), 2, "--pick needs a terminal");
}

#[test]
fn a_download_may_bear_another_name() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 300_000);
    for (name, len) in [("a.txt", 100_000), ("sub/b.txt", 50_000)] {
        party.scene.write(&format!("given/set/{name}"), super::party::bytes(len));
    }
    party.torrent("set");
    party.seed(&["x.bin", "set"]);

    let named = ["x.bin.torrent", "-o", "got", "--name", "Größe 2.bin"];
    let got = party.get("a", &named);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/Größe 2.bin").as_str()), "{}", got.err);
    assert!(party.read("got/Größe 2.bin") == bytes && !party.path("got/x.bin").exists());
    let again = party.get("a", &named);
    assert!(again.code == 0 && again.err.contains("already there"), "{}", again.err);
    let got = party.get("a", &["set.torrent", "-o", "got", "--name", "other"]);
    assert_eq!((got.code, got.out.as_str()), (0, party.line("got/other").as_str()), "{}", got.err);
    assert!(party.read("got/other/sub/b.txt") == party.read("given/set/sub/b.txt"));

    for (torrent, data) in [("x.bin.torrent", "got/Größe 2.bin"), ("set.torrent", "got/other")] {
        assert_eq!(party.scene.run(&["verify", torrent, data]).code, 0, "{data}");
        let mut seed = party.command("a", &["seed", torrent, "-o", data, "--until", "1s", "--json"]);
        let seeded = Scene::ran(&mut seed);
        assert!(
            seeded.code == 0 && seeded.out.contains(r#""state":"seeding""#),
            "{}{}",
            seeded.out,
            seeded.err
        );
    }
    // That torr began one file of this torrent does not make another one its own.
    party.scene.write("got/mine.bin", "mine");
    let foreign = party.get("a", &["x.bin.torrent", "-o", "got", "--name", "mine.bin"]);
    assert_error(&foreign, 5, "mine.bin is there already");
    assert_eq!(party.read("got/mine.bin"), b"mine");
}

#[test]
fn the_torrent_file_is_kept_and_replaces_nothing() {
    let mut party = Party::new();
    party.make("x.bin", 100_000);
    party.seed(&["x.bin"]);
    for _ in 0..2 {
        let got = party.get("a", &["x.bin.torrent", "-o", "got", "--save-torrent"]);
        assert_eq!((got.code, got.out.as_str()), (0, party.line("got/x.bin").as_str()), "{}", got.err);
        assert!(party.read("got/x.bin.torrent") == party.read("x.bin.torrent"));
    }
    party.scene.write("other/y.torrent", "mine");
    let got =
        party.get("a", &["x.bin.torrent", "-o", "other", "--save-torrent", "--name", "y", "--overwrite"]);
    assert_error(&got, 5, "other/y.torrent already exists with different content");
    assert_eq!(party.read("other/y.torrent"), b"mine");
    assert!(!party.path("other/y").exists());
}

#[test]
fn what_is_there_already_is_ours_or_left_alone() {
    let mut party = Party::new();
    let content = party.make("x.bin", 200_000);
    for name in ["a.txt", "b.txt"] {
        party.scene.write(
            &format!("given/set/{name}"),
            bytes(100_000 + name.len() + usize::from(name.as_bytes()[0])),
        );
    }
    party.torrent("set");
    party.seed(&["x.bin", "set"]);

    // Of several only the one in whose way something stands fails, and the file is named.
    party.scene.write("got/set/b.txt", "mine");
    let got = party.get("a", &["set.torrent", "x.bin.torrent", "-o", "got"]);
    assert_error(&got, 1, "got/set/b.txt is there already and has only 4 of 100 103 bytes, too few to check");
    assert!(party.read("got/x.bin") == content && party.read("got/set/b.txt") == b"mine");
    assert!(!party.path("got/set/a.txt").exists());

    // Right bytes that torr did not begin are taken, or refused where that is asked for.
    std::fs::create_dir(party.path("there")).unwrap();
    std::fs::copy(party.path("given/x.bin"), party.path("there/x.bin")).unwrap();
    let refused = party.get("b", &["x.bin.torrent", "-o", "there", "--existing", "refuse"]);
    assert_error(&refused, 5, "there/x.bin is there already and was not begun by torr");
    let taken = party.get("b", &["x.bin.torrent", "-o", "there"]);
    assert!(taken.code == 0 && taken.err.contains("already there"), "{}", taken.err);
    let ours = party.get("b", &["x.bin.torrent", "-o", "there", "--existing", "refuse"]);
    assert_eq!(ours.code, 0, "{}", ours.err);

    // What is believed must at least have the right length.
    party.scene.write("short/x.bin", "mine");
    let short = party.get("c", &["x.bin.torrent", "-o", "short", "--existing", "trust"]);
    assert_error(&short, 5, "short/x.bin is there already with another length");
    assert_eq!(party.read("short/x.bin"), b"mine");
    let over = party.get("c", &["x.bin.torrent", "-o", "short", "--overwrite"]);
    assert_eq!(over.code, 0, "{}", over.err);
    assert!(party.read("short/x.bin") == content);
}

#[test]
fn two_torrents_do_not_write_into_the_same_file() {
    let mut party = Party::new();
    let first = party.make("x.bin", 200_000);
    party.seed(&["x.bin"]);
    party.scene.write("twin/x.bin", bytes(150_000));
    assert_eq!(party.scene.run(&["create", "twin/x.bin", "-o", "twin.torrent", "-t", &party.url]).code, 0);
    let got = party.get("a", &["x.bin.torrent", "twin.torrent", "-o", "got"]);
    assert_error(&got, 1, "got/x.bin belongs to x.bin; x.bin would use it too");
    assert!(party.read("got/x.bin") == first);
    let json = party.get("a", &["x.bin.torrent", "twin.torrent", "-o", "got", "--json"]);
    assert!(json.out.contains(r#""kind":"same_path""#), "{}", json.out);
}

#[test]
fn a_program_runs_after_each_download() {
    let mut party = Party::new();
    party.make("x.bin", 100_000);
    party.make("y.bin", 120_000);
    party.seed(&["x.bin", "y.bin"]);
    let run =
        r#"/bin/sh -c 'echo "to $TORR_NAME"; echo "$TORR_PATH $TORR_INFOHASH $1" >> ran' sh '$HOME; *'"#;
    let got = party.get("a", &["x.bin.torrent", "y.bin.torrent", "-o", "got", "--run", run]);
    assert_eq!(got.code, 0, "{}", got.err);
    assert_eq!(got.out.lines().count(), 2, "only the paths: {}", got.out);
    assert!(got.err.contains("to x.bin") && got.err.contains("to y.bin"), "{}", got.err);
    let ran = String::from_utf8(party.read("ran")).unwrap();
    let id = party.scene.run(&["show", "x.bin.torrent", "--field", "info_hash"]).out;
    let line = format!("{} {} $HOME; *", party.path("got/x.bin").display(), id.trim());
    assert!(ran.lines().count() == 2 && ran.lines().any(|ran| ran == line), "{ran}");

    let failed = party.get("a", &["x.bin.torrent", "-o", "got", "--run", "/bin/sh -c 'exit 7'", "--json"]);
    assert_eq!(failed.code, 1, "{}", failed.err);
    assert!(failed.err.contains("error: x.bin: /bin/sh ended with exit code 7"), "{}", failed.err);
    assert!(failed.out.contains(r#""kind":"run_failed""#), "{}", failed.out);
    assert!(failed.out.ends_with("\"code\":1,\"done\":1,\"failed\":0}\n"), "{}", failed.out);
    let missing = party.get("a", &["x.bin.torrent", "-o", "got", "--run", "/nowhere/x"]);
    assert_error(&missing, 1, "/nowhere/x cannot be run: no such file");
}

#[test]
fn a_program_that_runs_is_asked_to_end_with_us() {
    let mut party = Party::new();
    party.make("x.bin", 100_000);
    party.seed(&["x.bin"]);
    let run =
        "/bin/sh -c 'trap \"echo asked > asked; exit\" TERM; echo > begun; while :; do sleep 0.1; done'";
    let arguments = ["get", "x.bin.torrent", "-o", "got", "--run", run];
    let mut command = party.command("a", &arguments);
    command.env("PATH", "/usr/bin:/bin");
    let mut get = Program::start("get", &mut command, party.scene.path());
    wait_for("it runs", TIMEOUT, || party.path("begun").exists().then_some(()));
    assert!(get.ended().is_none(), "its end is waited for");
    kill(get.id(), "-INT");
    assert_eq!(end(&mut get).code(), Some(130), "{}", get.tail());
    wait_for("it was asked", TIMEOUT, || party.path("asked").exists().then_some(()));
}

#[test]
fn lists_are_for_people_and_for_scripts() {
    let scene = Scene::new();
    scene.photos();
    scene.write("one.bin", bytes(5000));
    assert_eq!(scene.run(&["create", "one.bin", "--no-date"]).code, 0);
    let plain = scene.run(&["get", "-l", "photos.torrent", "nowhere.torrent", "one.bin.torrent"]);
    assert_eq!(plain.code, 1, "{}", plain.err);
    let lines =
        "1\t100000\tphotos/a.bin\n2\t70000\tphotos/sub/b.bin\n3\t10000\tphotos/sub/c.bin\n1\t5000\tone.bin\n";
    assert_eq!(plain.out, lines);
    let some = scene.run(&["get", "-l", "photos.torrent", "-s", "*.{bin,iso}", "-s", "!sub/", "--plain"]);
    assert_eq!(some.out, "1\t100000\tphotos/a.bin\n");
    let json = scene.run(&["get", "-l", "--json", "photos.torrent", "one.bin.torrent", "-s", "size<20K"]);
    let documents = schema::check_lines(&json.out);
    assert_eq!(documents.len(), 2, "{}", json.out);
    assert_eq!((&documents[0]["size"], &documents[0]["selected_size"]), (&180_000.into(), &10_000.into()));
    assert_eq!(documents[0]["files"][1]["selected"], false);
    assert!(!scene.path().join("photos.torrent.part").exists());
    assert_error(
        &scene.run(&["get", "-l", "photos.torrent", "-s", "*.iso"]),
        2,
        "'*.iso' matches no file of",
    );
}

#[test]
fn every_order_brings_every_byte() {
    let mut party = Party::new();
    let bytes = party.make("x.bin", 900_001);
    party.seed(&["x.bin"]);
    for flags in [&["--in-order"][..], &["--ends-first"], &["--in-order", "--ends-first", "--alloc", "full"]]
    {
        let folder = format!("got{}", flags.concat());
        let mut arguments = vec!["x.bin.torrent", "-o", &folder];
        arguments.extend(flags);
        let got = party.get(&folder, &arguments);
        assert_eq!(got.code, 0, "{}", got.err);
        assert!(party.read(&format!("{folder}/x.bin")) == bytes, "{folder}");
    }
}
