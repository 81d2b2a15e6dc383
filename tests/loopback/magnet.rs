//! A torrent of which only the info-hash is known comes from one engine to another.

use std::sync::Arc;

use torr::base::InfoHash;
use torr::engine::{Add, After, Command, Event, Find, Until, View};
use torr::proto::metainfo::Metainfo;

use super::world::{Client, PATIENCE, World};

const LENS: [usize; 3] = [300_000, 1, 500_000];

/// A client that has everything and gives it.
async fn seeder(world: &World, name: &str) -> Client {
    let client = world.client(world.full(name)).await;
    let add = Add { seed_only: true, after: After::Seed(Until::default()), ..world.add(&client) };
    client.handle.send(Command::Add(Box::new(add)));
    client
}

/// Looks for the torrent at these peers.
async fn find(client: &Client, id: InfoHash, peers: &[&Client]) {
    let mut find = Find::new(id);
    for peer in peers {
        find.peers.push(peer.addr().await);
    }
    client.handle.send(Command::Find(Box::new(find)));
}

async fn until_found(client: &mut Client) -> Box<Metainfo> {
    client
        .until(
            |event| if let Event::Metadata { metainfo, .. } = event { Some(metainfo.clone()) } else { None },
        )
        .await
}

/// Waits for a view that is as it should be.
async fn sees(client: &Client, what: impl FnMut(&Arc<View>) -> bool) {
    let mut views = client.handle.views();
    tokio::time::timeout(PATIENCE, views.wait_for(what)).await.expect("in time").expect("the engine lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_is_found_and_the_download_goes_on_with_the_same_connection() {
    let world = World::with(&LENS);
    let seeder = seeder(&world, "seeder").await;
    let mut leecher = world.client(world.empty("leecher")).await;
    find(&leecher, world.metainfo.info_hash(), &[&seeder]).await;
    let metainfo = until_found(&mut leecher).await;
    assert_eq!(metainfo.raw_info(), world.metainfo.raw_info());
    // Nobody is named: what comes, comes from the connection that is there.
    let add = Add::new(*metainfo, leecher.folder.clone());
    leecher.handle.send(Command::Add(Box::new(add)));
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
    leecher.handle.stop().await;
    seeder.handle.stop().await;
}
