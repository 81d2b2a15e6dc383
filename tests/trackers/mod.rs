//! Trackers over real sockets on loopback: our client against our server, and against servers that mean ill.

mod embedded;
mod hostile_http;
mod hostile_udp;
mod hostile_web;
pub mod script;

use std::time::Duration;

use torr::base::{InfoHashes, PeerId};
use torr::net::tracker::{TrackerConfig, Trackers};
use torr::proto::announce::{Announce, AnnounceEvent, AnnounceReply};
use torr::swarm::event::TrackerFailure;

const HASH: InfoHashes = InfoHashes::from_v1([0x5d; 20]);

fn say(port: u16, left: u64, event: AnnounceEvent) -> Announce {
    Announce {
        info_hash: HASH,
        peer_id: PeerId(*b"-tR0100-abcdef\x00\xff &%+"),
        port,
        uploaded: 1,
        downloaded: 2,
        left,
        event,
        key: 0xdead_beef,
        numwant: None,
        ip: None,
        tracker_id: None,
    }
}

fn started(port: u16) -> Announce {
    say(port, 100, AnnounceEvent::Started)
}

/// A client whose patience is long enough for a busy machine.
fn patient() -> Trackers {
    Trackers::new(TrackerConfig::default())
}

/// A client that soon gives up, for servers that will never answer.
fn hasty() -> Trackers {
    Trackers::new(TrackerConfig {
        deadline: Duration::from_millis(400),
        udp_first_wait: Duration::from_millis(100),
        ..TrackerConfig::default()
    })
}

/// The sentence with which an announce ended that could not succeed.
fn unreachable(answer: Result<AnnounceReply, TrackerFailure>) -> String {
    match answer {
        Err(TrackerFailure::Unreachable(sentence)) => {
            assert!(sentence.chars().count() <= 300 && !sentence.contains(char::is_control), "{sentence}");
            sentence
        }
        other => panic!("not unreachable: {other:?}"),
    }
}
