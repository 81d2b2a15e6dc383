//! Engines that share nothing but the DHT.

use std::net::SocketAddr;
use std::time::Duration;

use torr::base::NodeId;
use torr::engine::dht::{Goal, Node, NodeConfig, TaskUpdate};
use torr::engine::{Add, After, ContentOptions, Engine, EngineConfig, SeedGoal, State};

use super::nodes::{addr, config, network, told, until};
use super::world::{Client, TIMEOUT, World};

/// An engine on 127.0.0.1 that begins with this node of the DHT.
async fn client(world: &World, name: &str, folder: std::path::PathBuf, node: &Node) -> Client {
    let config = EngineConfig {
        bind: Some("127.0.0.1".parse().expect("an address")),
        dht: true,
        dht_bootstrap: vec![addr(node).to_string()],
        cache_dir: Some(world.dir.path().join("cache").join(name)),
        ..EngineConfig::default()
    };
    let mut handle = Engine::start(config).await.expect("the engine starts");
    let events = handle.events().expect("not taken yet");
    Client { handle, events, folder }
}

async fn seeder(world: &World, node: &Node) -> Client {
    let client = client(world, "seeder", world.full("seeder"), node).await;
    let add = world.seed(&client);
    client.handle.add(add);
    client
}

/// The peers of a torrent that the network knows.
async fn announced(node: &Node, world: &World) -> Vec<SocketAddr> {
    let info_hash = NodeId(world.metainfo.info_hash().wire());
    let (news, _) = told(node.begin(Goal::Peers { info_hash, no_seeds: false, announce: None })).await;
    let each = news
        .into_iter()
        .filter_map(|news| if let TaskUpdate::Peers(peers) = news { Some(peers) } else { None });
    each.flatten().collect()
}

/// Waits until the network knows this peer.
async fn until_announced(node: &Node, world: &World, peer: SocketAddr) {
    let search = async {
        while !announced(node, world).await.contains(&peer) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(TIMEOUT, search).await.expect("in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_goes_across_where_nothing_is_shared_but_the_dht() {
    let nodes = network(10).await;
    let world = World::with(&[300_000, 0, 1, 2_000_000]);
    let seeder = seeder(&world, &nodes[1]).await;
    until_announced(&nodes[5], &world, seeder.addr().await).await;
    let mut leecher = client(&world, "leecher", world.empty("leecher"), &nodes[7]).await;
    leecher.handle.add(world.add(&leecher));
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
    let mut views = leecher.handle.views();
    let knows = views.wait_for(|view| view.dht_nodes.is_some_and(|nodes| nodes > 0));
    assert!(tokio::time::timeout(TIMEOUT, knows).await.expect("in time").is_ok());
    leecher.handle.stop().await;
    seeder.handle.stop().await;
    assert!(world.dir.path().join("cache/seeder/dht-nodes").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_tells_of_its_node() {
    let nodes = network(4).await;
    let world = World::with(&[300_000]);
    let seeder = seeder(&world, &nodes[1]).await;
    // It knows nobody but the seeder, and that as a peer.
    let alone = Node::start(config(&[])).await.expect("loopback is there");
    let leecher = client(&world, "other", world.empty("other"), &alone).await;
    alone.stop().await;
    let options = ContentOptions {
        after: After::Seed(SeedGoal::default()),
        ..ContentOptions::new(leecher.folder.clone())
    };
    let add = Add { peers: vec![seeder.addr().await], ..Add::new(world.metainfo.clone(), options) };
    leecher.handle.add(add);
    let mut views = leecher.handle.views();
    let many = views.wait_for(|view| view.dht_nodes.is_some_and(|nodes| nodes >= 3));
    tokio::time::timeout(TIMEOUT, many).await.expect("in time").expect("the engine lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_torrent_stays_out_of_it() {
    let nodes = network(4).await;
    let private = World::private(&[300_000]);
    let public = World::with(&[200_000]);
    let seeder = seeder(&private, &nodes[1]).await;
    let options = ContentOptions { folder: public.full("seeder"), ..seeder.seeding() };
    let add = Add::new(public.metainfo.clone(), options);
    seeder.handle.add(add);
    let leecher = client(&private, "leecher", private.empty("leecher"), &nodes[2]).await;
    leecher.handle.add(private.add(&leecher));
    // What came later is announced, what came first is not.
    until_announced(&nodes[3], &public, seeder.addr().await).await;
    until(&nodes[3], |status| status.nodes() >= 3).await;
    assert_eq!(announced(&nodes[3], &private).await, []);
    let mut views = leecher.handle.views();
    let told = views.wait_for(|view| {
        view.torrents
            .first()
            .is_some_and(|row| row.state == State::Waiting && row.reason.word == "dht_off_private")
    });
    tokio::time::timeout(TIMEOUT, told).await.expect("in time").expect("the engine lives");
    assert_eq!(leecher.handle.view().torrents[0].peers, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_answers_from_the_address_that_was_asked() {
    let everywhere = Node::start(NodeConfig { bind: None, ..config(&[]) }).await.expect("a port is free");
    let asking = Node::start(config(&[])).await.expect("loopback is there");
    for last in [2, 1, 77] {
        let place = SocketAddr::from(([127, 0, 0, last], everywhere.port()));
        let (_, outcome) = told(asking.begin(Goal::Ping(place))).await;
        assert_eq!((outcome.answered, outcome.nearest.len()), (1, 1), "{place}");
    }
}
