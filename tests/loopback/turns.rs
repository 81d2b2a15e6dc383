//! What is told to a torrent that waits its turn holds when its turn has come.

use torr::base::TorrentId;
use torr::engine::{Add, Command, Engine, EngineConfig, Event, Handle, State};

use super::world::{Client, TIMEOUT, World};

/// A client that downloads one torrent at a time.
async fn one_at_a_time(world: &World) -> Client {
    let config = EngineConfig {
        bind: Some("127.0.0.1".parse().expect("an address")),
        jobs: 1,
        ..EngineConfig::default()
    };
    let mut handle = Engine::start(config).await.expect("the engine starts");
    let events = handle.events().expect("not taken yet");
    Client { handle, events, folder: world.empty("taker") }
}

/// Waits until a torrent is in this state, for this reason where one is given.
async fn until(handle: &Handle, id: TorrentId, state: State, word: &str) {
    let mut views = handle.views();
    let there = views.wait_for(|view| {
        view.torrents.iter().any(|row| row.id == id && row.state == state && row.reason.word == word)
    });
    let seen = tokio::time::timeout(TIMEOUT, there).await;
    seen.unwrap_or_else(|_| panic!("never {state:?}: {:?}", handle.view().torrents)).expect("it lives");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_told_to_one_that_waits_is_kept_for_it() {
    let (before, world) = (World::with(&[100_000]), World::with(&[300_000, 20_000]));
    let mut giver = world.client(world.full("giver")).await;
    giver.handle.add(world.seed_trusting(&giver));
    giver.until(|event| matches!(event, Event::Checked { .. }).then_some(())).await;

    let mut taker = one_at_a_time(&world).await;
    // Nobody gives the first, so the second waits behind it.
    let elsewhere = |world: &World| Add::new(world.metainfo.clone(), world.empty("elsewhere"));
    let first = taker.handle.add(elsewhere(&before));
    let second = taker.handle.add(world.add(&taker));
    until(&taker.handle, second, State::Queued, "too_many_active").await;
    taker.handle.send(Command::Peers(second, vec![giver.addr().await]));
    taker.handle.send(Command::Pause(second));
    until(&taker.handle, second, State::Paused, "user").await;
    taker.handle.send(Command::Resume(second));
    until(&taker.handle, second, State::Queued, "too_many_active").await;
    taker.handle.send(Command::Pause(second));

    // The way is free, but it is paused.
    taker.handle.send(Command::Remove(first));
    let third = World::with(&[50_000]);
    let third_id = taker.handle.add(elsewhere(&third));
    until(&taker.handle, third_id, State::Waiting, "no_peers_known").await;
    until(&taker.handle, second, State::Paused, "user").await;
    taker.handle.send(Command::Remove(third_id));
    taker.handle.send(Command::Resume(second));
    taker.until(|event| matches!(event, Event::Done { id } if *id == second).then_some(())).await;
    world.assert_same(&taker.folder);
}
