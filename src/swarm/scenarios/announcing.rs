//! Announces to trackers.

use std::time::Duration;

use super::stage::{Stage, addr, announces, config, dials};
use crate::proto::announce::{AnnounceEvent, AnnounceReply};
use crate::swarm::Config;
use crate::swarm::event::{Input, Note, Output, TorrentCommand, TrackerFailure, TrackerKey};

const T: TrackerKey = TrackerKey(0);

fn stage(complete: bool) -> Stage {
    Stage::with(2, complete, Config { trackers: vec![vec![T]], ..config() })
}

fn answer(peers: u8) -> Input {
    let reply = AnnounceReply {
        interval: Duration::from_secs(1800),
        peers: (1..=peers).map(addr).collect(),
        seeds: Some(3),
        leechers: Some(4),
        ..AnnounceReply::default()
    };
    Input::Announced { tracker: T, answer: Ok(reply) }
}

#[test]
fn the_first_announce_is_due_at_once_and_brings_peers() {
    let mut stage = stage(false);
    assert_eq!(stage.torrent.deadline(), Some(stage.now));
    let out = stage.give(Input::Tick);
    let [Output::Announce { tracker: T, announce }] = &out[..] else { panic!("{out:?}") };
    assert_eq!((announce.event, announce.left, announce.port), (AnnounceEvent::Started, 131_072, 51_413));
    assert_eq!(dials(&stage.give(answer(3))).len(), 3);
    let summary = stage.torrent.summary(stage.now);
    assert_eq!(
        (summary.swarm_seeds, summary.swarm_leechers, summary.trackers_working),
        (Some(3), Some(4), 1)
    );
}

#[test]
fn completion_is_announced_once_and_only_if_it_happened_here() {
    let mut done = stage(true);
    done.give(Input::Tick);
    assert_eq!(announces(&done.give(answer(0))), []);
    assert_eq!(announces(&done.pass(1700)), []);
    let mut stage = stage(false);
    stage.give(Input::Tick);
    stage.give(answer(0));
    let (peer, first) = stage.meet_seed(1);
    let out = stage.drain(peer, first);
    assert_eq!(announces(&out), [(T, AnnounceEvent::Completed)]);
}

#[test]
fn leaving_is_announced_to_those_who_know_us() {
    let mut fresh = stage(false);
    assert_eq!(fresh.give(Input::Command(TorrentCommand::Stop)), []);
    let mut stage = stage(false);
    stage.give(Input::Tick);
    stage.give(answer(0));
    let out = stage.give(Input::Command(TorrentCommand::Stop));
    assert_eq!(announces(&out), [(T, AnnounceEvent::Stopped)]);
    assert_eq!((stage.torrent.deadline(), stage.torrent.is_stopped()), (None, true));
}

#[test]
fn a_lonely_torrent_asks_again_as_soon_as_it_may() {
    let mut stage = stage(false);
    stage.give(Input::Tick);
    stage.give(answer(0));
    stage.connect(1);
    let out = stage.pass(320);
    assert_eq!(announces(&out), [(T, AnnounceEvent::None)]);
}

#[test]
fn warnings_and_refusals_reach_the_user() {
    let mut stage = stage(false);
    stage.give(Input::Tick);
    let reply = AnnounceReply { warning: Some("slow down".into()), ..AnnounceReply::default() };
    let out = stage.give(Input::Announced { tracker: T, answer: Ok(reply) });
    assert!(out.contains(&Output::Note(Note::TrackerWarning(T, "slow down".into()))));
    stage.pass(60);
    let refused = TrackerFailure::Refused("unregistered torrent".into(), Some(Duration::from_secs(7200)));
    stage.give(Input::Announced { tracker: T, answer: Err(refused) });
    assert_eq!(stage.torrent.summary(stage.now).refused, Some("unregistered torrent".into()));
    let row = stage.torrent.trackers(stage.now).next().unwrap();
    assert_eq!((row.working, row.refused, row.next), (Some(false), true, Some(Duration::from_secs(7200))));
}
