//! `torr dht`: a small network of bare nodes on loopback, and commands that ask it.

use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::party::{TIMEOUT, end};
use super::{Ran, Scene};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

pub(super) const HASH: &str = "9f2c41d0a7c3f3f7be42d7c7e3b5d1a0b4e0c1aa";

/// Nodes that know one another.
pub struct Nodes {
    pub(super) programs: Vec<Program>,
    ports: Vec<u64>,
    hosts: &'static [Host],
    /// Flags of nodes and of those who ask them.
    bind: &'static [&'static str],
}

/// An address of this machine as it is written before a port, and the family in what a node tells.
type Host = (&'static str, &'static str);

const V4: Host = ("127.0.0.1", "ipv4");
const V6: Host = ("[::1]", "ipv6");

impl Nodes {
    /// So many, begun at the first of them.
    pub fn start(scene: &Scene, count: usize) -> Self {
        Self::start_on(scene, count, &[V4], &["--bind", "127.0.0.1"])
    }

    /// The same on these addresses.
    fn start_on(scene: &Scene, count: usize, hosts: &'static [Host], bind: &'static [&'static str]) -> Self {
        let mut nodes = Self { programs: Vec::new(), ports: Vec::new(), hosts, bind };
        for at in 0..count {
            let first = *nodes.ports.first().unwrap_or(&9);
            let begin = nodes.begin_at(first);
            nodes.add(scene, &format!("node-{at}"), &begin.iter().map(String::as_str).collect::<Vec<_>>());
        }
        wait_for("the nodes know one another", TIMEOUT, || {
            let known = |node: &Program, family| last(node)[family]["nodes"].as_u64().unwrap_or(0);
            let all = |family| nodes.programs.iter().all(|node| known(node, family) + 1 >= count as u64);
            hosts.iter().all(|(_, family)| all(family)).then_some(())
        });
        nodes
    }

    fn add(&mut self, scene: &Scene, name: &str, flags: &[&str]) {
        let mut arguments = vec!["dht", "node", "--json", "--interval", "1s"];
        arguments.extend(self.bind);
        arguments.extend(["--state-dir", name]);
        arguments.extend(flags);
        let node = Program::start(name, &mut scene.command(&arguments), scene.path());
        let port = wait_for("the node says where it is", TIMEOUT, || {
            let output = node.output();
            let line = output.split_inclusive('\n').next().filter(|line| line.ends_with('\n'))?;
            serde_json::from_str::<Value>(line).unwrap()["port"].as_u64()
        });
        self.programs.push(node);
        self.ports.push(port);
    }

    /// Where one is.
    pub fn place(&self, at: usize) -> String {
        format!("{}:{}", self.hosts[0].0, self.ports[at])
    }

    /// Asks, beginning at this node.
    pub fn ask(&self, scene: &Scene, at: usize, arguments: &[&str]) -> Ran {
        Scene::ran(scene.command(&["dht"]).args(arguments).args(self.flags(at)))
    }

    /// The same for scripts: the documents, which are as their schemas say.
    #[track_caller]
    pub(super) fn documents(&self, scene: &Scene, at: usize, arguments: &[&str], code: i32) -> Vec<Value> {
        let ran = Scene::ran(scene.command(&["dht", "--json"]).args(arguments).args(self.flags(at)));
        assert_eq!(ran.code, code, "{arguments:?}: {}{}", ran.out, ran.err);
        schema::check_lines(&ran.out)
    }

    fn flags(&self, at: usize) -> Vec<String> {
        let bind = self.bind.iter().map(|&flag| flag.to_owned());
        bind.chain(self.begin_at(self.ports[at])).collect()
    }

    fn begin_at(&self, port: u64) -> Vec<String> {
        let each = |(host, _): &Host| ["--bootstrap".to_owned(), format!("{host}:{port}")];
        self.hosts.iter().flat_map(each).collect()
    }
}

/// The last thing a node has told.
pub(super) fn last(node: &Program) -> Value {
    let output = node.output();
    let whole = output.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().last().map_or(Value::Null, |line| serde_json::from_str(line).unwrap())
}

pub(super) fn interrupt(program: &Program) {
    kill_process(Pid::from_raw(program.id() as i32).unwrap(), Signal::INT).unwrap();
}

#[test]
fn a_peer_that_was_announced_is_found() {
    let scene = Scene::new();
    scene.photos();
    let nodes = Nodes::start(&scene, 5);
    let none = nodes.documents(&scene, 1, &["lookup", HASH], 1);
    assert_eq!((none.len(), &none[0]["ok"], &none[0]["peers"]), (1, &false.into(), &0.into()));
    let announced = nodes.documents(&scene, 1, &["announce", HASH, "--port", "5001", "--seed"], 0);
    assert_eq!((announced[0]["stored"].as_u64(), &announced[0]["seed"]), (Some(5), &true.into()));
    let ran = nodes.ask(&scene, 2, &["announce", &format!("magnet:?xt=urn:btih:{HASH}"), "-p", "5002"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, ""));
    assert!(ran.err.contains("5 nodes stored the announce of 9f2c41 on port 5002"), "{}", ran.err);

    let ran = nodes.ask(&scene, 4, &["lookup", HASH]);
    let mut found: Vec<&str> = ran.out.lines().collect();
    found.sort_unstable();
    assert_eq!((ran.code, found), (0, vec!["127.0.0.1:5001", "127.0.0.1:5002"]));
    assert!(ran.err.contains("2 peers of 9f2c41: 5 nodes asked, 5 answered"), "{}", ran.err);
    let events = nodes.documents(&scene, 3, &["lookup", HASH], 0);
    let words: Vec<&str> = events.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!(words, ["peer", "peer", "summary"]);
    assert_eq!((&events[2]["peers"], &events[2]["seeds"]), (&2.into(), &Value::Null));

    // A filter counts addresses, not ports.
    let counts = &nodes.documents(&scene, 4, &["lookup", HASH, "--scrape"], 0)[0];
    assert_eq!((&counts["seeds"], &counts["leechers"]), (&1.into(), &1.into()));
    assert_eq!(nodes.ask(&scene, 4, &["lookup", HASH, "--scrape"]).out, "seeds\t1\nleechers\t1\n");
    assert_eq!(nodes.ask(&scene, 0, &["sample"]).out, format!("{HASH}\n"));
    assert_eq!(nodes.documents(&scene, 0, &["sample", HASH], 0)[0]["torrents"], serde_json::json!([HASH]));

    // A torrent file names a torrent as well, unless that is private.
    assert_eq!(nodes.ask(&scene, 0, &["announce", "photos.torrent", "--port", "7"]).code, 0);
    assert_eq!(nodes.ask(&scene, 2, &["lookup", "photos.torrent"]).out, "127.0.0.1:7\n");
    let private = ["edit", "photos.torrent", "--private", "-o", "private.torrent"];
    assert_eq!(scene.run(&private).code, 0);
    for verb in [&["lookup", "private.torrent"][..], &["announce", "private.torrent", "--port", "7"]] {
        let refused = &nodes.documents(&scene, 0, verb, 2)[0];
        assert_eq!(refused["kind"], "private");
    }
}

/// Whether this machine has IPv6 at all.
fn has_v6() -> bool {
    let there = std::net::UdpSocket::bind("[::1]:0").is_ok();
    if !there {
        eprintln!("this machine has no ::1: nothing is tried over IPv6");
    }
    there
}

#[test]
fn all_of_it_goes_over_ipv6() {
    if !has_v6() {
        return;
    }
    let scene = Scene::new();
    let nodes = Nodes::start_on(&scene, 3, &[V6], &["--bind", "::1"]);
    let announced = nodes.documents(&scene, 1, &["announce", HASH, "--port", "5001", "--seed"], 0);
    assert_eq!(announced[0]["stored"], 3);
    assert_eq!(nodes.ask(&scene, 2, &["lookup", HASH]).out, "[::1]:5001\n");
    assert_eq!(nodes.ask(&scene, 2, &["lookup", HASH, "--scrape"]).out, "seeds\t1\nleechers\t0\n");
    assert_eq!(nodes.ask(&scene, 0, &["sample"]).out, format!("{HASH}\n"));
    scene.write("note", "Hello World!");
    scene.write("long", [b'x'; 996]);
    let ran = nodes.ask(&scene, 0, &["put", "note"]);
    assert_eq!(ran.out, "e5f96f6f38320f0f33959cb4d3d656452117aadb\n", "{}", ran.err);
    assert_eq!(nodes.ask(&scene, 2, &["get", ran.out.trim()]).out, "Hello World!");
    let key = nodes.documents(&scene, 0, &["put", "long", "--new-key", "me.key"], 0)[0]["key"].clone();
    assert_eq!(nodes.ask(&scene, 2, &["get", key.as_str().unwrap()]).out.len(), 996);
    let pong = &nodes.documents(&scene, 1, &["ping", &nodes.place(0)], 0)[0];
    assert_eq!(pong["node"], nodes.place(0));
    assert_eq!(nodes.ask(&scene, 1, &["bootstrap"]).out, "ipv6\t3\t\n");
}

#[test]
fn both_families_are_searched_at_once() {
    if !has_v6() {
        return;
    }
    let scene = Scene::new();
    let nodes = Nodes::start_on(&scene, 3, &[V4, V6], &[]);
    let announced = nodes.documents(&scene, 1, &["announce", HASH, "--port", "5001"], 0);
    assert_eq!(announced[0]["stored"], 6, "each keeps it twice");
    let ran = nodes.ask(&scene, 2, &["lookup", HASH]);
    let mut found: Vec<&str> = ran.out.lines().collect();
    found.sort_unstable();
    assert_eq!(found, ["127.0.0.1:5001", "[::1]:5001"], "{}", ran.err);
    scene.write("note", "Hello World!");
    let ran = nodes.ask(&scene, 0, &["put", "note"]);
    assert!(ran.err.contains("6 nodes keep"), "{}", ran.err);
    // Who has one family alone finds it there.
    for (bind, host) in [("127.0.0.1", V4.0), ("::1", V6.0)] {
        let begin = format!("{host}:{}", nodes.ports[1]);
        let alone = ["dht", "get", ran.out.trim(), "--bind", bind, "--bootstrap", &begin];
        assert_eq!(scene.run(&alone).out, "Hello World!");
    }
    // A node that is bound to no address answers from the one that was asked.
    for host in ["127.0.0.2", "127.0.0.77"] {
        let place = format!("{host}:{}", nodes.ports[0]);
        let pong = Scene::ran(
            scene.command(&["dht", "--json", "ping", &place, "--timeout", "30s"]).args(nodes.flags(1)),
        );
        assert_eq!(pong.code, 0, "{}{}", pong.out, pong.err);
        assert_eq!(schema::check_lines(&pong.out)[0]["node"], place);
    }
}

#[test]
fn an_item_that_was_put_is_got() {
    let scene = Scene::new();
    let nodes = Nodes::start(&scene, 3);
    scene.write("note", "Hello World!");
    let ran = nodes.ask(&scene, 0, &["put", "note"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "e5f96f6f38320f0f33959cb4d3d656452117aadb\n"));
    let target = ran.out.trim();
    assert_eq!(nodes.ask(&scene, 2, &["get", target]).out, "Hello World!");
    assert_eq!(nodes.ask(&scene, 2, &["get", target, "--bencoded"]).out, "12:Hello World!");
    let document = &nodes.documents(&scene, 1, &["get", target], 0)[0];
    assert_eq!((&document["value"], &document["key"]), (&"Hello World!".into(), &Value::Null));
    let none = &nodes.documents(&scene, 1, &["get", HASH], 1)[0];
    assert_eq!((&none["value"], &none["bencode"]), (&Value::Null, &Value::Null));

    // As long as it may be, and no string.
    scene.write("long", [b'x'; 996]);
    let target = nodes.ask(&scene, 1, &["put", "long"]).out;
    assert_eq!(nodes.ask(&scene, 0, &["get", target.trim()]).out.len(), 996);
    scene.write("dict", "d1:ai7ee");
    let target = nodes.ask(&scene, 1, &["put", "dict", "--bencoded"]).out;
    let document = &nodes.documents(&scene, 0, &["get", target.trim()], 0)[0];
    assert_eq!(document["value"], serde_json::json!({ "a": 7 }));
    let mut piped = scene.command(&["dht", "put", "-"]);
    let mut piped = piped.args(nodes.flags(0)).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut piped.stdin.take().unwrap(), b"Hello World!").unwrap();
    let out = piped.wait_with_output().unwrap().stdout;
    assert_eq!(out, b"e5f96f6f38320f0f33959cb4d3d656452117aadb\n");
}

#[test]
fn an_owner_replaces_an_item() {
    let scene = Scene::new();
    let nodes = Nodes::start(&scene, 3);
    scene.write("one", "first");
    scene.write("two", "second");
    let put = |arguments: &[&str], code| {
        let document = nodes.documents(&scene, 0, &[&["put"], arguments].concat(), code).pop().unwrap();
        assert_eq!(document["stored"] == 0, code == 1);
        document
    };
    let first = put(&["one", "--new-key", "me.key", "--salt", "notes"], 0);
    let mode = std::fs::metadata(scene.path().join("me.key")).unwrap().permissions().mode();
    assert_eq!((mode & 0o777, &first["seq"]), (0o600, &1.into()));
    let (target, key) = (first["target"].as_str().unwrap(), first["key"].as_str().unwrap());
    let get = || nodes.ask(&scene, 2, &["get", target, "--salt", "notes"]).out;
    assert_eq!(get(), "first");
    assert_eq!(nodes.ask(&scene, 2, &["get", key, "--salt", "notes"]).out, "first");
    // Without the salt it proves nothing.
    assert_eq!(nodes.ask(&scene, 2, &["get", target]).code, 1);

    let owner = ["two", "--key", "me.key", "--salt", "notes"];
    let second = put(&owner, 0);
    assert_eq!((&second["target"], &second["seq"]), (&target.into(), &2.into()));
    assert_eq!(get(), "second");
    for (flags, refused) in [(&["--seq", "1"][..], "outdated"), (&["--seq", "9", "--cas", "1"], "cas")] {
        assert_eq!(put(&[&owner[..], flags].concat(), 1)["refused"], refused);
    }
    assert_eq!(put(&[&owner[..], &["--seq", "9", "--cas", "2"]].concat(), 0)["seq"], 9);
    let document = &nodes.documents(&scene, 1, &["get", target, "--salt", "notes"], 0)[0];
    assert_eq!((&document["key"], &document["seq"]), (&key.into(), &9.into()));

    // Numbers may lie below zero.
    let low = ["one", "--key", "me.key", "--salt", "low"];
    assert_eq!(put(&[&low[..], &["--seq", "-5"]].concat(), 0)["seq"], -5);
    assert_eq!(put(&[&low[..], &["--seq", "-4", "--cas", "-5"]].concat(), 0)["seq"], -4);

    // A secret is made once, and read by its owner alone.
    let again = nodes.ask(&scene, 0, &["put", "one", "--new-key", "me.key"]);
    assert_eq!(again.code, 5, "{}", again.err);
    std::fs::set_permissions(scene.path().join("me.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let open = nodes.ask(&scene, 0, &["put", "one", "--key", "me.key"]);
    assert_eq!(open.code, 2);
    assert!(open.err.contains("hint:  to protect it: chmod 600 me.key"), "{}", open.err);
}

#[test]
fn a_node_is_there_until_it_is_stopped() {
    let scene = Scene::new();
    let mut nodes = Nodes::start(&scene, 2);
    let first = nodes.place(0);
    let pong = &nodes.documents(&scene, 1, &["ping", &first], 0)[0];
    assert_eq!(
        (&pong["node"], &pong["client"], &pong["fits"]),
        (&first.as_str().into(), &"torr".into(), &true.into())
    );
    let id = schema::check_lines(nodes.programs[0].output().lines().next().unwrap())[0]["ipv4"]["id"].clone();
    assert_eq!(pong["id"], id);
    let plain = nodes.ask(&scene, 1, &["ping", &first]).out;
    assert!(plain.starts_with(&format!("{first}\t{}\t", id.as_str().unwrap())), "{plain}");
    let entered = &nodes.documents(&scene, 1, &["bootstrap"], 0)[0];
    assert_eq!((&entered["ipv4"]["nodes"], &entered["ipv6"]), (&2.into(), &Value::Null));
    // On one machine nobody's word about our address counts.
    assert_eq!(nodes.ask(&scene, 1, &["bootstrap"]).out, "ipv4\t2\t\n");

    // Who only asks is asked nothing.
    nodes.add(&scene, "asks", &["--read-only", "--bootstrap", &first]);
    let silent = nodes.documents(&scene, 0, &["ping", &nodes.place(2), "--timeout", "1s"], 4);
    assert_eq!(silent[0]["kind"], "no_node");

    interrupt(&nodes.programs[0]);
    assert_eq!(end(&mut nodes.programs[0]).code(), Some(130));
    let told = schema::check_lines(&nodes.programs[0].output());
    let words: Vec<&str> = told.iter().filter_map(|event| event["event"].as_str()).collect();
    assert_eq!((words[0], words[1], *words.last().unwrap()), ("listening", "status", "summary"));
    assert_eq!(told.last().unwrap()["ipv4"]["nodes"], 1);
}

#[test]
fn where_nobody_answers_that_is_said() {
    let scene = Scene::new();
    scene.write("note", "x");
    // Bound, so that nothing else is there, and silent.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    for verb in [
        &["lookup", HASH][..],
        &["lookup", HASH, "--scrape"],
        &["announce", HASH, "--port", "5"],
        &["get", HASH],
        &["put", "note"],
        &["put", "note", "--new-key", "k1"],
        &["sample"],
        &["bootstrap"],
        &["ping", &silent],
    ] {
        let flags = ["--bind", "127.0.0.1", "--bootstrap", &silent, "--timeout", "1s"];
        let ran = Scene::ran(scene.command(&["dht", "--json"]).args(verb).args(flags));
        let documents = schema::check_lines(&ran.out);
        assert_eq!((ran.code, documents.len()), (4, 1), "{verb:?}: {}{}", ran.out, ran.err);
        assert_eq!((&documents[0]["kind"], &documents[0]["code"]), (&"no_node".into(), &4.into()));
        let asked = verb[0] == "ping" || ran.err.contains("the only known node did not answer");
        assert!(asked, "{verb:?}: {}", ran.err);
    }
    assert!(!scene.path().join("k1").exists(), "no secret for what nobody keeps");
    // The usual nodes are on the Internet, and from this machine alone there is no way to them.
    let ran = scene.run(&["dht", "lookup", HASH, "--bind", "127.0.0.1", "--timeout", "5s"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.starts_with("error: no node to ask"), "{}", ran.err);
}

#[test]
fn what_cannot_be_meant_is_refused_before_anybody_is_asked() {
    let scene = Scene::new();
    scene.write("note", "x");
    scene.write("bad.torrent", "d4:infod4:name1:xe");
    scene.write("long", [b'x'; 997]);
    scene.write("key", "no secret\n");
    std::fs::set_permissions(scene.path().join("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let short = &HASH[1..];
    let long_salt = "x".repeat(65);
    for (arguments, code, words) in [
        (&["lookup", short][..], 3, "is malformed"),
        (&["lookup", "bad.torrent"], 3, "bad.torrent"),
        (&["lookup", "none.torrent"], 3, "torrent file not found"),
        (&["lookup", "magnet:?dn=x"], 3, "error: "),
        (&["lookup"], 2, "TORRENT> is missing"),
        (&["lookup", HASH, "--timeout", "soon"], 2, "'soon' is not a time"),
        (&["lookup", HASH, "--bootstrap", "nowhere"], 2, "HOST:PORT"),
        (&["lookup", HASH, "--bind", "203.0.113.1"], 2, "cannot listen on"),
        (&["lookup", HASH, "--bind", "::1", "--no-ipv6"], 2, "IPv6 is switched off"),
        (&["announce", HASH], 2, "--port <N> is missing"),
        (&["announce", HASH, "--port", "0"], 2, "--port: 0 is not in 1..=65535"),
        (&["ping", "127.0.0.1"], 2, "HOST:PORT"),
        (&["get", "xyz"], 3, "the 40 digits of a target"),
        (&["get", HASH, "--salt", &long_salt], 2, "at most 64 bytes"),
        (&["put", "none"], 5, "cannot read none"),
        (&["put", "long"], 3, "996 bytes fit"),
        (&["put", "note", "--bencoded"], 3, "not canonical bencode"),
        (&["put", "note", "--seq", "3"], 2, "is missing"),
        (&["put", "note", "--key", "key"], 3, "does not contain a secret"),
        (&["put", "note", "--key", "none"], 5, "cannot read none"),
        (&["put", "note", "--key", "key", "--new-key", "k"], 2, "cannot be used with"),
        (&["sample", "here"], 3, "a node id has 40 hexadecimal digits"),
        (&["node", "--interval", "0s", "--bind", "127.0.0.1"], 2, "--interval 30s"),
        (&["node", "--bind", "203.0.113.1"], 2, "cannot listen on"),
        (&["lokup", HASH], 2, "did you mean: torr dht lookup"),
        (&[], 2, "no command was given"),
    ] {
        let ran = Scene::ran(scene.command(&["dht"]).args(arguments));
        assert_eq!(ran.code, code, "{arguments:?}: {}", ran.err);
        assert!(ran.err.contains(words) && ran.out.is_empty(), "{arguments:?}: {}", ran.err);
    }
    assert!(!scene.path().join("k").exists(), "nothing was made for a command that could not run");
    scene.write("torr.toml", "[network]\nproxy = \"socks5://127.0.0.1:1080\"\n");
    let ran = scene.run(&["-C", "torr.toml", "dht", "lookup", HASH]);
    assert!(ran.code == 2 && ran.err.contains("network.proxy"), "{}", ran.err);
}
