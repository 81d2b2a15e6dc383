//! Peers that lie and files that change, between real engines.

use torr::engine::{Add, Event, FaultKind};

use super::world::World;

const LENS: [usize; 2] = [1_500_000, 700_000];

#[tokio::test(flavor = "multi_thread")]
async fn wrong_bytes_are_noticed_and_fetched_from_somebody_else() {
    let world = World::with(&LENS);
    let lies = world.full("liar");
    let path = lies.join("content/file-0.bin");
    let mut bytes = std::fs::read(&path).expect("is there");
    bytes.iter_mut().step_by(50_000).for_each(|byte| *byte ^= 1);
    std::fs::write(&path, bytes).expect("can be written");
    let liar = world.seeder(lies, None).await;
    // The honest one is slow, so that the liar gets its chance.
    let honest = world.seeder(world.full("honest"), Some(2 << 20)).await;
    let mut leecher = world.client(world.empty("leecher")).await;
    let add = Add { peers: vec![liar.addr().await, honest.addr().await], ..world.add(&leecher) };
    leecher.handle.add(add);
    let noticed = leecher
        .until(|event| match event {
            Event::Note { text, .. } if text.contains("wrong") => Some(true),
            Event::Done { .. } => Some(false),
            _ => None,
        })
        .await;
    assert!(noticed, "the liar was never asked, or believed");
    leecher.until_done().await;
    world.assert_same(&leecher.folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_cut_short_under_a_seeder_stops_it_with_a_sentence() {
    let world = World::with(&LENS);
    let folder = world.full("seeder");
    let mut seeder = world.seeder(folder.clone(), None).await;
    std::fs::File::options()
        .write(true)
        .open(folder.join("content/file-0.bin"))
        .and_then(|file| file.set_len(10))
        .expect("can be cut");
    let leecher = world.client(world.empty("leecher")).await;
    let add = Add { peers: vec![seeder.addr().await], ..world.add(&leecher) };
    leecher.handle.add(add);
    let kind = seeder
        .until(|event| if let Event::Failed { fault, .. } = event { Some(fault.kind) } else { None })
        .await;
    assert_eq!(kind, FaultKind::Changed);
}
