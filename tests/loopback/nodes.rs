//! Nodes of the DHT over real sockets.

use std::net::SocketAddr;
use std::path::Path;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use torr::base::NodeId;
use torr::engine::FaultKind;
use torr::engine::dht::{Announce, Goal, Node, NodeConfig, Outcome, Status, TaskUpdate};
use torr::proto::krpc::Item;

use super::world::TIMEOUT;

/// What a node on this machine is like that begins with these others.
pub fn config(knows: &[&Node]) -> NodeConfig {
    NodeConfig {
        bind: Some("127.0.0.1".parse().expect("an address")),
        bootstrap: knows.iter().map(|node| addr(node).to_string()).collect(),
        answer_rate: None,
        ..NodeConfig::default()
    }
}

pub fn addr(node: &Node) -> SocketAddr {
    ([127, 0, 0, 1], node.port()).into()
}

/// Waits until what a node shows is as it should be.
pub async fn until(node: &Node, good: impl Fn(&Status) -> bool) -> Status {
    let mut status = node.watch();
    let seen = timeout(TIMEOUT, status.wait_for(good)).await.expect("in time");
    *seen.expect("the node lives")
}

/// So many nodes that have found one another: each began with the first.
pub async fn network(count: usize) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for _ in 0..count {
        let knows: Vec<&Node> = nodes.first().into_iter().collect();
        let node = Node::start(config(&knows)).await.expect("loopback is there");
        nodes.push(node);
    }
    for node in &nodes {
        until(node, |status| status.nodes() >= 3.min(count - 1)).await;
    }
    nodes
}

/// All that a task tells.
pub async fn told(mut news: UnboundedReceiver<TaskUpdate>) -> (Vec<TaskUpdate>, Outcome) {
    let mut all = Vec::new();
    loop {
        match timeout(TIMEOUT, news.recv()).await.expect("in time").expect("every task ends") {
            TaskUpdate::Ended(outcome) => return (all, outcome),
            TaskUpdate::Progress(_) => {}
            news => all.push(news),
        }
    }
}

fn peers(news: &[TaskUpdate]) -> Vec<SocketAddr> {
    let each =
        news.iter().filter_map(|news| if let TaskUpdate::Peers(peers) = news { Some(peers) } else { None });
    each.flatten().copied().collect()
}

fn search(info_hash: NodeId, port: Option<u16>) -> Goal {
    let announce = port.map(|port| Announce { port: Some(port), seed: false });
    Goal::Peers { info_hash, no_seeds: false, announce }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_announces_another_finds() {
    let nodes = network(12).await;
    let info_hash = NodeId([0x5a; 20]);
    let (_, outcome) = told(nodes[3].begin(search(info_hash, Some(7777)))).await;
    assert!(outcome.stored >= 3, "{outcome:?}");
    let (news, outcome) = told(nodes[9].begin(search(info_hash, None))).await;
    assert_eq!(peers(&news), ["127.0.0.1:7777".parse().unwrap()]);
    assert_eq!(outcome.peers, 1);
    let (news, _) = told(nodes[9].begin(search(NodeId([1; 20]), None))).await;
    assert_eq!(news, []);

    let item = Item::Immutable(b"5:hello".to_vec());
    let (_, outcome) = told(nodes[1].begin(Goal::Put { item: item.clone(), instead_of: None })).await;
    assert!(outcome.stored >= 3, "{outcome:?}");
    let get = Goal::Get { target: item.target(), salt: Vec::new() };
    assert_eq!(told(nodes[8].begin(get)).await.0.first(), Some(&TaskUpdate::Item(item)));
    let (_, outcome) = told(nodes[0].begin(Goal::Ping(addr(&nodes[5])))).await;
    assert_eq!(outcome.nearest, [(nodes[5].status().v4.unwrap().id, addr(&nodes[5]))]);
    assert!(nodes.iter().any(|node| node.status().torrents_kept == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_waits_for_the_first_nodes_and_ends_without_any() {
    let nodes = network(4).await;
    let info_hash = NodeId([0x5a; 20]);
    told(nodes[3].begin(search(info_hash, Some(7777)))).await;
    // It knows nobody when it is asked.
    let young = Node::start(config(&[])).await.expect("loopback is there");
    let news = young.begin(search(info_hash, None));
    young.add_nodes(&[addr(&nodes[1])]);
    assert_eq!(peers(&told(news).await.0).len(), 1);

    let lonely = Node::start(config(&[])).await.expect("loopback is there");
    let (news, outcome) = told(lonely.begin(search(info_hash, None))).await;
    assert_eq!((news, outcome), (vec![], Outcome::default()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_any_more_ends_the_task() {
    let nodes = network(2).await;
    // Nobody answers there.
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let news = nodes[0].begin(Goal::Ping(silent.local_addr().unwrap()));
    until(&nodes[0], |status| status.under_way > 0).await;
    drop(news);
    let all: Vec<_> = (0..100_u8).map(|n| nodes[0].begin(search(NodeId([n; 20]), None))).collect();
    drop(all);
    let (_, outcome) = told(nodes[0].begin(search(NodeId([7; 20]), None))).await;
    assert!(outcome.answered >= 1, "{outcome:?}");
    nodes[0].stop().await;
    let mut news = nodes[0].begin(search(NodeId([7; 20]), None));
    assert_eq!(timeout(TIMEOUT, news.recv()).await, Ok(None), "nobody is there any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_warm() {
    let nodes = network(6).await;
    let folder = tempfile::tempdir().unwrap();
    let kept = |knows: &[&Node], file: &Path| NodeConfig { file: Some(file.to_owned()), ..config(knows) };
    let file = folder.path().join("cache/dht-nodes");
    let first = Node::start(kept(&[&nodes[0]], &file)).await.expect("loopback is there");
    let before = until(&first, |status| status.nodes() >= 4).await;
    // A second one at the same time is somebody else.
    let second = Node::start(kept(&[&nodes[0]], &file)).await.expect("loopback is there");
    assert_ne!(second.status().v4.unwrap().id, before.v4.unwrap().id);
    second.stop().await;
    first.stop().await;

    let again = Node::start(kept(&[], &file)).await.expect("loopback is there");
    let after = until(&again, |status| status.nodes() >= 3).await;
    assert_eq!(after.v4.unwrap().id, before.v4.unwrap().id);
    again.stop().await;

    // A run that had no time to look at what was kept keeps it.
    let length = || std::fs::metadata(&file).unwrap().len();
    let kept_before = length();
    let short = Node::start(kept(&[], &file)).await.expect("loopback is there");
    let addr = addr(&nodes[0]);
    told(short.begin(Goal::Ping(addr))).await;
    short.stop().await;
    assert!(length() >= kept_before, "{} of {kept_before}", length());

    std::fs::write(&file, b"d5:nodes4:damagee").unwrap();
    let cold = Node::start(kept(&[&nodes[0]], &file)).await.expect("a damaged file is no obstacle");
    assert_ne!(until(&cold, |status| status.nodes() >= 3).await.v4.unwrap().id, before.v4.unwrap().id);
}

#[tokio::test(flavor = "multi_thread")]
async fn noise_and_dead_neighbours_do_not_end_it() {
    let nodes = network(3).await;
    let noisy = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = addr(&nodes[0]);
    for noise in [&b""[..], b"d", b"d1:ad2:id20:", b"i5e", &[0xff; 9000], b"d1:t2:aa1:y1:re", b"de"] {
        noisy.send_to(noise, to).unwrap();
    }
    // Nobody listens at these addresses any more.
    let gone: Vec<SocketAddr> = (0..4)
        .map(|_| std::net::UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).unwrap())
        .collect();
    nodes[0].add_nodes(&gone);
    nodes[0].add_nodes(&["[::1]:9".parse().unwrap(), "8.8.8.8:6881".parse().unwrap()]);
    let (_, outcome) = told(nodes[0].begin(search(NodeId([7; 20]), None))).await;
    assert!(outcome.answered >= 2, "{outcome:?}");
    let (_, outcome) = told(nodes[0].begin(Goal::Ping("8.8.8.8:6881".parse().unwrap()))).await;
    assert_eq!((outcome.asked, outcome.answered), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named() {
    let one = Node::start(config(&[])).await.expect("loopback is there");
    let taken = NodeConfig { port: Some(one.port()), ..config(&[]) };
    let fault = Node::start(taken).await.expect_err("the port is taken");
    assert_eq!(fault.kind, FaultKind::Network);
    assert_eq!(fault.message, format!("cannot listen on 127.0.0.1:{}: another program uses it", one.port()));
    let other = NodeConfig { preferred_port: Some(one.port()), ..config(&[]) };
    assert_ne!(Node::start(other).await.expect("any other will do").port(), one.port());
}
