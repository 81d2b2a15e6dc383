//! Two programs that share a torrent file and the DHT, and nothing else.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use torr::base::NodeId;
use torr::proto::krpc::{self, Body, Packet, Reply};

use super::{ALONE, Scene};
use crate::loopback::nodes;
use crate::support::program::Program;
use crate::support::wait::wait_for;

const TIMEOUT: Duration = Duration::from_secs(60);

/// A transfer on this machine with a cache of its own, that begins with this node.
fn transfer(scene: &Scene, verb: &str, folder: &str, node: &str) -> std::process::Command {
    let mut command = scene.command(&[verb, "photos.torrent", "-o", folder, "--bind", "127.0.0.1", "--json"]);
    for (name, _) in ALONE {
        command.env_remove(name);
    }
    command.args(["--state-dir", &format!("state-{folder}")]);
    command.env("XDG_CACHE_HOME", scene.path().join(format!("cache-{folder}")));
    command.env("TORR_NETWORK_DHT_BOOTSTRAP", node);
    command
}

#[test]
fn the_dht_alone_is_enough_and_can_be_switched_off() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let network = runtime.block_on(nodes::network(4));
    let node = nodes::addr(&network[0]).to_string();
    let scene = Scene::new();
    scene.photos();
    let mut seed = transfer(&scene, "seed", ".", &node);
    let mut seeder = Program::start("seed", &mut seed, scene.path());
    wait_for("it seeds", TIMEOUT, || {
        seeder.assert_running();
        seeder.output().contains(r#""state":"seeding""#).then_some(())
    });
    wait_for("it is announced", TIMEOUT, || {
        network.iter().any(|node| node.status().torrents_kept > 0).then_some(())
    });

    let deaf = Scene::ran(transfer(&scene, "get", "deaf", &node).args(["--no-dht", "--timeout", "3s"]));
    assert_eq!(deaf.code, 4, "{}", deaf.err);
    let got = Scene::ran(transfer(&scene, "get", "got", &node).args(["--timeout", "60s"]));
    assert_eq!(got.code, 0, "{}{}", got.out, got.err);
    for file in ["a.bin", "sub/b.bin", "sub/c.bin"] {
        let read = |folder: &str| std::fs::read(scene.path().join(folder).join("photos").join(file)).unwrap();
        assert!(read("got") == read("."), "{file}");
    }
    assert!(scene.path().join("cache-got/torr/dht-nodes").exists(), "what it learned is kept");
    assert!(!Path::new(&scene.path().join("cache-deaf")).exists());
}

/// A node that answers every question with the names of nodes that answer none.
fn node_of_the_silent() -> (String, Vec<UdpSocket>) {
    let socket = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent: Vec<UdpSocket> = std::iter::repeat_with(socket).take(8).collect();
    let mut reply = Reply::new(NodeId([0xaa; 20]));
    for (number, socket) in silent.iter().enumerate() {
        let std::net::SocketAddr::V4(addr) = socket.local_addr().unwrap() else { unreachable!() };
        reply.nodes.push((NodeId([0xb0 + number as u8; 20]), addr));
    }
    reply.token = Some(vec![1]);
    let socket = socket();
    let addr = socket.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        let mut bytes = [0; krpc::MAX_PACKET];
        while let Ok((len, from)) = socket.recv_from(&mut bytes) {
            if let Ok(Packet { transaction, body: Body::Query(..), .. }) = krpc::read(&bytes[..len]) {
                let answer = Packet::new(transaction, Body::Reply(Box::new(reply.clone())));
                let _ = socket.send_to(&answer.encode(), from);
            }
        }
    });
    (addr, silent)
}

#[test]
fn it_is_told_how_many_nodes_were_asked_before_the_search_has_ended() {
    let (node, _silent) = node_of_the_silent();
    let scene = Scene::new();
    let link = format!("magnet:?xt=urn:btih:{}", "ab".repeat(20));
    let mut command = scene.command(&["get", &link, "--bind", "127.0.0.1", "--timeout", "4s"]);
    for (name, _) in ALONE {
        command.env_remove(name);
    }
    command.env("TORR_NETWORK_LSD", "false").env("TORR_NETWORK_DHT_BOOTSTRAP", &node);
    command.env("XDG_CACHE_HOME", scene.path().join("cache")).args(["--state-dir", "state"]);
    let ran = Scene::ran(&mut command);
    assert_eq!(ran.code, 4, "{}", ran.err);
    assert!(ran.err.contains("within 4 s: DHT 1 node asked, 0 peers"), "{}", ran.err);
}
