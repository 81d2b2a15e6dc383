//! What `torr dht` tells of a search that had not ended when its time was up or it was stopped.

use torr::base::NodeId;
use torr::proto::krpc::{self, Body, Packet, Query, Reply, Transaction};

use super::Scene;
use super::dht::{HASH, Nodes, interrupt, last};
use super::party::{TIMEOUT, end};
use crate::support::program::Program;
use crate::support::schema;
use crate::support::wait::wait_for;

/// A node beside the others that gives tokens, and takes what it is told to keep without a word.
fn mute_keeper(place: &str) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let ping = Packet::new(Transaction::from(1), Body::Query(NodeId([7; 20]), Query::Ping));
    // Who asks is asked back, and so gets to be known.
    socket.send_to(&ping.encode(), place).unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let Ok(packet) = krpc::read(&buffer[..length]) else { continue };
            let Body::Query(_, query) = packet.body else { continue };
            if matches!(query, Query::AnnouncePeer { .. } | Query::Put { .. }) {
                continue;
            }
            let mut reply = Reply::new(NodeId([7; 20]));
            reply.token = Some(vec![1; 8]);
            let _ =
                socket.send_to(&Packet::new(packet.transaction, Body::Reply(Box::new(reply))).encode(), from);
        }
    });
}

#[test]
fn what_was_stored_before_the_time_was_up_is_told() {
    let scene = Scene::new();
    let nodes = Nodes::start(&scene, 2);
    mute_keeper(&nodes.place(0));
    wait_for("it is known", TIMEOUT, || {
        (last(&nodes.programs[0])["ipv4"]["nodes"].as_u64() >= Some(2)).then_some(())
    });
    scene.write("note", "x");
    for verb in [&["announce", HASH, "--port", "5001"][..], &["put", "note"]] {
        let arguments = [verb, &["--timeout", "4s"]].concat();
        let told = &nodes.documents(&scene, 0, &arguments, 0)[0];
        assert_eq!((&told["stored"], &told["ok"]), (&2.into(), &true.into()), "{told}");
    }
}

#[test]
fn a_search_that_is_interrupted_tells_what_it_has_found() {
    let scene = Scene::new();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let place = silent.local_addr().unwrap().to_string();
    for verb in [&["lookup", HASH][..], &["lookup", HASH, "--scrape"], &["get", HASH], &["sample"]] {
        let flags = ["--bind", "127.0.0.1", "--bootstrap", &place, "--timeout", "60s"];
        let mut command = scene.command(&["dht", "--json"]);
        let mut program = Program::start("search", command.args(verb).args(flags), scene.path());
        // It is searching: its own look at the network comes first, and goes to the same place.
        let mut buffer = [0; 2048];
        loop {
            let length = silent.recv(&mut buffer).unwrap();
            let Ok(packet) = krpc::read(&buffer[..length]) else { panic!() };
            if !matches!(packet.body, Body::Query(_, Query::FindNode { .. } | Query::Ping)) {
                break;
            }
        }
        interrupt(&program);
        assert_eq!(end(&mut program).code(), Some(130), "{verb:?}: {}", program.tail());
        let documents = schema::check_lines(&program.output());
        let last = documents.last().expect("a document");
        assert_eq!((&last["ok"], &last["code"]), (&false.into(), &130.into()), "{verb:?}");
    }
}
