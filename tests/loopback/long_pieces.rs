//! Pieces too long to be held whole, between real engines.

use std::sync::Arc;

use torr::engine::{Add, Event, View};

use super::world::{TIMEOUT, World};

#[tokio::test(flavor = "multi_thread")]
async fn long_pieces_come_from_several_at_once() {
    // The first piece and the second share a file, and the last is no whole number of runs.
    let world = World::in_pieces(&[19 << 20, 3, (15 << 20) + 77, 4 << 20], 16 << 20);
    let (mut givers, mut peers) = (Vec::new(), Vec::new());
    for at in 0..3_u64 {
        let giver = world.seeder(world.full(&format!("giver-{at}")), Some((at + 1) << 23)).await;
        peers.push(giver.addr().await);
        givers.push(giver);
    }
    let mut leecher = world.client(world.empty("leecher")).await;
    leecher.handle.add(Add { peers, ..world.add(&leecher) });
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lies_about_a_long_piece_is_banned_and_the_piece_comes_right() {
    let world = World::in_pieces(&[17 << 20], 16 << 20);
    let lies = world.full("liar");
    let path = lies.join("content/file-0.bin");
    let mut bytes = std::fs::read(&path).expect("is there");
    bytes.iter_mut().step_by(50_000).for_each(|byte| *byte ^= 1);
    std::fs::write(&path, bytes).expect("can be written");
    let liar = world.seeder(lies, None).await;
    // The honest one is slow, so that the liar gets its chance.
    let honest = world.seeder(world.full("honest"), Some(8 << 20)).await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let (liar_addr, honest_addr) = (liar.addr().await, honest.addr().await);
    let add = Add { peers: vec![liar_addr, honest_addr], ..world.add(&leecher) };
    leecher.handle.add(add);
    let banned = leecher
        .until(|event| match event {
            Event::Note { text, .. } if text.contains("banned") => Some(text.clone()),
            Event::Done { .. } => Some("nobody".into()),
            _ => None,
        })
        .await;
    assert!(banned.starts_with(&liar_addr.to_string()), "{banned}");
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_piece_that_was_half_written_is_not_claimed_and_is_fetched_again() {
    let world = World::in_pieces(&[24 << 20], 32 << 20);
    let seeder = world.seeder(world.full("seeder"), None).await;
    let folder = world.empty("leecher");
    let leecher = world.client(folder.clone()).await;
    let peers = vec![seeder.addr().await];
    let slow = Add { peers: peers.clone(), down: Some(4 << 20), ..world.add(&leecher) };
    leecher.handle.add(slow);
    let mut views = leecher.handle.views();
    let some = |view: &Arc<View>| view.torrents.first().is_some_and(|row| row.received > 5 << 20);
    tokio::time::timeout(TIMEOUT, views.wait_for(some)).await.expect("in time").expect("lives");
    leecher.handle.stop().await;
    let written = std::fs::metadata(folder.join("content/file-0.bin")).expect("begun");
    assert!(std::os::unix::fs::MetadataExt::blocks(&written) * 512 >= 1 << 20, "nothing was written early");

    let mut again = world.client(folder).await;
    again.handle.add(Add { peers, ..world.add(&again) });
    let have =
        again.until(|event| if let Event::Checked { have, .. } = event { Some(*have) } else { None }).await;
    assert_eq!(have, 0, "what is not verified is not claimed");
    again.until_done().await;
    world.assert_same(&again.folder);
}
