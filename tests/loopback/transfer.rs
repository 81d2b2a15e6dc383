//! A torrent goes from one engine to another.

use torr::engine::{Event, FaultKind};

use super::world::{Client, World};

const LENS: [usize; 5] = [300_000, 0, 1, 2_000_000, 65_536];

/// A client that has everything and gives it.
async fn seeder(world: &World) -> Client {
    let client = world.client(world.full("seeder")).await;
    client.handle.add(world.seed(&client));
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leecher_gets_every_byte_and_leaves() {
    let world = World::with(&LENS);
    let seeder = seeder(&world).await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let add = torr::engine::Add { peers: vec![seeder.addr().await], ..world.add(&leecher) };
    leecher.handle.add(add);
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
    leecher.handle.stop().await;
    seeder.handle.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_goes_on_where_it_was_stopped() {
    let world = World::with(&LENS);
    let seeder = seeder(&world).await;
    let folder = world.empty("leecher");
    let leecher = world.client(folder.clone()).await;
    let slow =
        torr::engine::Add { peers: vec![seeder.addr().await], down: Some(400 * 1024), ..world.add(&leecher) };
    leecher.handle.add(slow);
    let mut views = leecher.handle.views();
    let some = |view: &std::sync::Arc<torr::engine::View>| {
        view.torrents.first().is_some_and(|row| row.done > 200_000)
    };
    tokio::time::timeout(super::world::TIMEOUT, views.wait_for(some)).await.expect("in time").expect("lives");
    leecher.handle.stop().await;

    let mut again = world.client(folder).await;
    let add = torr::engine::Add { peers: vec![seeder.addr().await], ..world.add(&again) };
    again.handle.add(add);
    let have =
        again.until(|event| if let Event::Checked { have, .. } = event { Some(*have) } else { None }).await;
    assert!(have > 200_000, "only {have} bytes were remembered");
    again.until_done().await;
    world.assert_same(&again.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_longer_than_the_usual_memory_comes_whole() {
    let world = World::in_pieces(&[45 << 20], 64 << 20);
    let seeder = seeder(&world).await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let add = torr::engine::Add { peers: vec![seeder.addr().await], ..world.add(&leecher) };
    leecher.handle.add(add);
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_somebody_else_are_refused_and_kept() {
    let world = World::with(&LENS);
    let leecher_folder = world.empty("leecher");
    std::fs::create_dir_all(leecher_folder.join("content")).expect("folders can be made");
    let precious = leecher_folder.join("content/file-0.bin");
    std::fs::write(&precious, b"my only copy").expect("files can be written");
    let mut leecher = world.client(leecher_folder).await;
    leecher.handle.add(world.add(&leecher));
    let kind = leecher
        .until(|event| if let Event::Failed { fault, .. } = event { Some(fault.kind) } else { None })
        .await;
    assert_eq!(kind, FaultKind::Foreign);
    assert_eq!(std::fs::read(&precious).expect("is there"), b"my only copy");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seeder_that_lacks_something_says_so() {
    let world = World::with(&LENS);
    let folder = world.full("seeder");
    std::fs::remove_file(folder.join("content/file-3.bin")).expect("was there");
    let mut seeder = world.client(folder).await;
    let add = world.seed(&seeder);
    seeder.handle.add(add);
    let kind = seeder
        .until(|event| if let Event::Failed { fault, .. } = event { Some(fault.kind) } else { None })
        .await;
    assert_eq!(kind, FaultKind::FilesMissing);
}
