//! torr and others in one DHT: each finds what another has announced, and keeps what another has put.
//!
//! The network is a dozen bare nodes of torr, an address each, and in the middle of them the node of another
//! client.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use mainline::{Dht, Id, MutableItem, SigningKey};
use serde_json::Value;

use super::client::{Client, Place};
use super::namespace::{isolated, test_name};
use super::opentracker::By;
use super::scene::Share;
use super::{aria2, libtorrent, torr, transmission};
use crate::support::program::{self, Program};
use crate::support::wait::{poll, wait_for};

/// transmission uses the DHT when it knows four good nodes and more than eight in all.
const NODES: u8 = 12;
/// For a client to get into the network, to announce and to look. transmission thinks long between two packets.
const SETTLE: Duration = Duration::from_secs(180);
/// Between two questions of a test: nodes do not answer who asks more than five times in a second.
const PAUSE: Duration = Duration::from_secs(1);

type StartInDht = fn(&Place, &[SocketAddrV4]) -> Box<dyn Client>;

/// Bare nodes of torr at 10.99.0.20 and above.
struct Network {
    dir: PathBuf,
    nodes: Vec<Program>,
}

impl Network {
    fn start(dir: &Path) -> Self {
        let mut network = Self { dir: dir.to_owned(), nodes: Vec::new() };
        for at in 0..NODES {
            let node = Self::place(at);
            let mut command = program::torr(&dir.join("nodes"));
            command.args(["dht", "node", "--json", "--interval", "5s", "--bind", &node.ip().to_string()]);
            command.args(["--port", &node.port().to_string(), "--bootstrap", &Self::place(0).to_string()]);
            network.nodes.push(Program::start(&format!("node-{at}"), &mut command, dir));
        }
        wait_for("the nodes know one another", SETTLE, || {
            let known = |node: &Program| {
                let lines = node.output();
                let last = lines.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok())?;
                last["ipv4"]["nodes"].as_u64()
            };
            let all = network.nodes.iter().all(|node| known(node).is_some_and(|known| known >= 8));
            all.then_some(())
        });
        network
    }

    const fn place(at: u8) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 20 + at), 6000)
    }

    fn places() -> Vec<SocketAddrV4> {
        (0..NODES).map(Self::place).collect()
    }

    /// Runs `torr dht` at this address, beginning at this node: the exit code and the documents.
    fn ask(&self, from: u8, via: SocketAddrV4, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
        let (from, via) = (Ipv4Addr::new(10, 99, 0, from).to_string(), via.to_string());
        let flags = ["--json", "--bind", &from, "--bootstrap", &via, "--timeout", "15s"];
        torr::run(&self.dir.join("home"), &[&["dht"], arguments, &flags].concat(), &[])
    }

    /// Waits until torr finds this peer, asking nobody but this node at first.
    fn find(&self, hash: &str, via: SocketAddrV4, peer: SocketAddrV4) {
        wait_for(&format!("torr finds {peer} through {via}"), SETTLE, || {
            let (_, events) = self.ask(240, via, &["lookup", hash]);
            let found = events.iter().any(|event| event["peer"] == peer.to_string());
            if !found {
                thread::sleep(PAUSE);
            }
            found.then_some(())
        });
    }
}

/// A client joins; it finds a peer that torr announced, and torr finds the client, asking through it.
fn meet(test: &str, needs: &str, start: StartInDht, runs: Option<&str>) {
    isolated(test, &[needs], |dir| {
        let network = Network::start(dir);
        let share = Share::new(dir, 3, By::Http);
        // Nobody but the one who looks it up in the DHT comes to this peer.
        let peer = TcpListener::bind("10.99.0.241:4000").expect("a place to listen");
        peer.set_nonblocking(true).expect("a listener that does not wait");
        let (code, announced) =
            network.ask(241, Network::place(1), &["announce", &share.hash, "--port", "4000"]);
        assert_eq!(code, Some(0));
        assert!(announced[0]["stored"].as_u64() >= Some(8), "{announced:?}");

        let place = Place::new(dir, 0);
        let mut client = start(&place, &Network::places());
        client.add(&share.torrent, &place.save());
        wait_for(&format!("{needs} comes to the peer that torr announced"), SETTLE, || {
            let (_, from) = peer.accept().ok()?;
            assert_eq!(from.ip(), *place.at.ip());
            Some(())
        });

        network.find(&share.hash, place.at, place.at);
        let pong = network.ask(242, place.at, &["ping", &place.at.to_string()]).1;
        assert_eq!(pong[0]["client"].as_str(), runs, "{pong:?}");
        // It keeps what torr announces for others.
        let other = "77".repeat(20);
        let kept = poll(Duration::from_secs(20), || {
            let (_, announced) = network.ask(243, place.at, &["announce", &other, "--port", "4001"]);
            let kept = announced[0]["stored"].as_u64() >= Some(8);
            if !kept {
                thread::sleep(PAUSE);
            }
            kept.then_some(())
        });
        assert!(kept.is_some(), "the announce went nowhere");
        network.find(&other, place.at, SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 243), 4001));
    });
}

#[test]
fn libtorrent_and_torr_find_one_another() {
    meet(test_name!(), libtorrent::NAME, libtorrent::start_in_dht, Some("libtorrent"));
}

#[test]
fn transmission_and_torr_find_one_another() {
    // It does not say what it is.
    meet(test_name!(), transmission::NAME, transmission::start_in_dht, None);
}

#[test]
fn aria2_and_torr_find_one_another() {
    meet(test_name!(), aria2::NAME, aria2::start_in_dht, Some("aria2"));
}

#[test]
fn libtorrent_and_torr_keep_items_for_one_another() {
    isolated(test_name!(), &[libtorrent::NAME], |dir| {
        let network = Network::start(dir);
        let note = dir.join("note");
        std::fs::write(&note, "of torr").expect("a file");
        let (code, put) = network.ask(241, Network::place(1), &["put", note.to_str().expect("a path")]);
        assert_eq!(code, Some(0));
        let target = put[0]["target"].as_str().expect("a target").to_owned();
        let place = Place::new(dir, 0);
        let said =
            libtorrent::items(&place, Network::place(0), "of libtorrent", std::slice::from_ref(&target));
        assert_eq!(said["got"][&target], "of torr");
        assert!(said["stored"].as_u64() >= Some(8), "{said}");
        let theirs = said["put"].as_str().expect("a target");
        let (code, got) = network.ask(242, Network::place(5), &["get", theirs]);
        assert_eq!((code, &got[0]["value"]), (Some(0), &"of libtorrent".into()));
    });
}

/// The crate has no other calls that wait.
#[expect(deprecated, reason = "its other calls want a runtime of their own")]
#[test]
fn the_crate_mainline_and_torr_find_and_keep_for_one_another() {
    isolated(test_name!(), &[], |dir| {
        let network = Network::start(dir);
        let at = SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 10), 6881);
        let begin: Vec<String> = Network::places().iter().map(ToString::to_string).collect();
        let mut builder = Dht::builder();
        builder.bootstrap(&begin).server_mode().bind_address(*at.ip()).port(at.port());
        let dht = builder.build().expect("a node of mainline");
        assert!(dht.bootstrapped());

        // Peers, both ways.
        let (ours, theirs) = ("a1".repeat(20), "b2".repeat(20));
        let id = |byte| Id::from_bytes([byte; 20]).expect("twenty bytes");
        assert_eq!(network.ask(241, at, &["announce", &ours, "--port", "4000"]).0, Some(0));
        let peer = SocketAddrV4::new(Ipv4Addr::new(10, 99, 0, 241), 4000);
        assert!(dht.get_peers(id(0xa1)).flatten().any(|found| found == peer));
        dht.announce_peer(id(0xb2), Some(4002)).expect("nodes that take it");
        network.find(&theirs, at, SocketAddrV4::new(*at.ip(), 4002));
        let pong = network.ask(242, at, &["ping", &at.to_string()]).1;
        assert_eq!(pong[0]["client"], "mainline", "{pong:?}");

        // Items that prove themselves.
        let note = dir.join("note");
        std::fs::write(&note, "of torr").expect("a file");
        let note = note.to_str().expect("a path");
        let put = |arguments: &[&str]| {
            let (code, put) = network.ask(243, at, &[&["put", note], arguments].concat());
            assert_eq!(code, Some(0), "{put:?}");
            put[0].clone()
        };
        let bytes = |value: &Value| {
            let text = value.as_str().expect("hexadecimal digits").as_bytes();
            let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            text.chunks(2).filter_map(byte).collect::<Vec<u8>>()
        };
        let target = Id::from_bytes(bytes(&put(&[])["target"])).expect("twenty bytes");
        assert_eq!(dht.get_immutable(target).as_deref(), Some(&b"of torr"[..]));
        let target = dht.put_immutable(b"of mainline").expect("nodes that take it").to_string();
        assert_eq!(network.ask(244, at, &["get", &target]).1[0]["value"], "of mainline");

        // Items that their owners replace.
        let key = dir.join("key");
        let key = key.to_str().expect("a path");
        put(&["--new-key", key, "--salt", "s"]);
        let owner: [u8; 32] = bytes(&put(&["--key", key, "--salt", "s"])["key"]).try_into().expect("a key");
        let found = dht.get_mutable_most_recent(&owner, Some(b"s")).expect("an item");
        assert_eq!((found.value(), found.seq()), (&b"of torr"[..], 2));
        let signer = SigningKey::from_bytes(&[9; 32]);
        let item = MutableItem::new(signer, b"signed by mainline", 41, Some(b"s"));
        let target = item.target().to_string();
        dht.put_mutable(item, None).expect("nodes that take it");
        let got = &network.ask(245, at, &["get", &target, "--salt", "s"]).1[0];
        assert_eq!((&got["value"], &got["seq"]), (&"signed by mainline".into(), &41.into()));
    });
}
