//! Why a torrent is as it is: one pure function from its circumstances to a state, a word and a
//! sentence. The first rule that holds wins.

pub mod metadata;
mod no_peers;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::view::{Reason, State};
use crate::base::units;

/// The circumstances that the rules look at.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// A fault that stopped the torrent: its word and sentence.
    pub fault: Option<(&'static str, String)>,
    /// The user paused it.
    pub paused: bool,
    /// It waits behind this many running downloads.
    pub queued_behind: Option<u32>,
    /// Its files have not been looked at yet.
    pub unseen: bool,
    /// Files that were there are being hashed.
    pub checking: bool,
    /// How long hashing them will take, where that can be told.
    pub check_left: Option<Duration>,
    /// Everything wanted is here.
    pub finished: bool,
    /// It has left the swarm.
    pub done: bool,
    /// It gives to others when it is complete, until a goal.
    pub gives_back: bool,
    /// It was started less than a few seconds ago.
    pub young: bool,
    /// This machine has no route to the internet.
    pub offline: bool,
    /// BEP 27: only trackers may find peers.
    pub private: bool,
    /// The user wants no tracker to be asked.
    pub trackers_off: bool,
    /// Trackers it has.
    pub trackers: u32,
    /// Trackers whose last answer was an answer.
    pub trackers_working: u32,
    /// Trackers whose last answer was a failure.
    pub trackers_failing: u32,
    /// The reason of a tracker that refused, clean for a terminal.
    pub refusal: Option<String>,
    /// Why a tracker could not be asked, clean for a terminal.
    pub failure: Option<String>,
    /// The DHT is used for this torrent.
    pub dht: bool,
    /// A search in the DHT has ended.
    pub dht_searched: bool,
    /// Nodes of the DHT that answered when they were asked for peers, in all searches.
    pub dht_asked: u32,
    /// Seeds in the swarm, as the trackers say.
    pub swarm_seeds: Option<u32>,
    /// Addresses known, connected ones included.
    pub known: u32,
    /// Dials that timed out, per address.
    pub timed_out: u32,
    /// Dials that were refused or failed otherwise, per address.
    pub refused: u32,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that have something we want.
    pub useful: u32,
    /// Of those, the ones that do not answer our requests.
    pub choking: u32,
    /// Connected peers that want something of us.
    pub wanting: u32,
    /// Wanted pieces that no connected peer has.
    pub missing: u32,
    /// The share of the torrent that all connected peers have together with us, from 0 to 1.
    pub best_copy: f64,
    /// Bytes per second downwards.
    pub down: f64,
    /// Bytes per second upwards.
    pub up: f64,
    /// The limit downwards that holds, in bytes per second.
    pub down_limit: Option<u64>,
    /// The limit upwards that holds, in bytes per second.
    pub up_limit: Option<u64>,
    /// The disk is behind: finished pieces queue up before it.
    pub disk_behind: bool,
    /// How many bytes per second the disk takes.
    pub disk_rate: f64,
}

/// A share of a limit above which it is the limit that holds us.
const AT_LIMIT: f64 = 0.9;
/// Bytes per second below which nothing moves.
const NOTHING: f64 = 1024.0;
/// Fewer senders than this are few enough to be what holds a download up…
const FEW: u32 = 8;
/// … if each of them sends less than this, in bytes per second.
const SLOW: f64 = 1_048_576.0;

/// The state of a torrent, and why.
pub fn why(c: &Circumstances) -> (State, Reason) {
    let say = |state, word, text: String| (state, Reason { word, text });
    if let Some((word, text)) = &c.fault {
        return say(State::Error, word, text.clone());
    }
    if c.paused {
        return say(State::Paused, "user", "paused by you".into());
    }
    if let Some(active) = c.queued_behind {
        let text = format!("waiting its turn: {active} of {active} downloads active");
        return say(State::Queued, "too_many_active", text);
    }
    if c.unseen {
        return say(State::Queued, "waiting_for_check", "its files are about to be checked".into());
    }
    if c.checking {
        let left = c.check_left.map_or_else(String::new, |left| format!(", {} left", units::span(left)));
        let text = format!("checking files that were already there{left}");
        return say(State::Checking, "added_existing_files", text);
    }
    if c.done && c.gives_back {
        return say(State::Done, "goal_reached", "complete; the seed limit is reached".into());
    }
    if c.done {
        return say(State::Done, "not_seeding", "complete; not seeding".into());
    }
    if c.finished { seeding(c) } else { fetching(c) }
}

fn seeding(c: &Circumstances) -> (State, Reason) {
    let say = |word, text: String| (State::Seeding, Reason { word, text });
    if let Some(limit) = c.up_limit.filter(|&limit| c.up > limit as f64 * AT_LIMIT) {
        return say("limited_by_you", format!("uploading at your limit of {}/s", units::size(limit)));
    }
    if c.wanting == 0 {
        let text = match c.peers {
            0 => "no peer is asking for data".into(),
            1 => "connected to 1 peer, which needs nothing from us".into(),
            n => format!("connected to {}, none needs anything from us", peers(n)),
        };
        return say("nobody_interested", text);
    }
    say("ok", format!("uploading to {}", peers(c.wanting)))
}

fn fetching(c: &Circumstances) -> (State, Reason) {
    let moving = |word, text: String| (State::Downloading, Reason { word, text });
    if c.peers == 0 {
        return no_peers::why(c);
    }
    let still = c.down < NOTHING;
    if still && c.useful == 0 {
        return (State::Waiting, Reason { word: "peers_lack_pieces", text: lacking(c) });
    }
    if still && c.choking >= c.useful {
        return if c.young {
            moving("starting", format!("asking {} for pieces", peers(c.useful)))
        } else {
            moving("choked_by_all", busy(c))
        };
    }
    if let Some(limit) = c.down_limit.filter(|&limit| c.down > limit as f64 * AT_LIMIT) {
        return moving("limited_by_you", format!("running at your limit of {}/s", units::size(limit)));
    }
    if c.disk_behind {
        let text = format!("the disk takes {} and is the slowest part", units::rate(c.disk_rate));
        return moving("disk_slow", text);
    }
    if c.young && still {
        return moving("starting", format!("starting with {}", peers(c.peers)));
    }
    let givers = c.useful.saturating_sub(c.choking).max(1);
    if still {
        let answer = if givers == 1 { "answers" } else { "answer" };
        return moving(
            "slow_peers",
            format!("{} {answer} our requests, but almost nothing comes", peers(givers)),
        );
    }
    if givers < FEW && c.down < f64::from(givers) * SLOW && !c.young {
        let rate = units::rate(c.down);
        let text = match givers {
            1 => format!("1 peer sends only {rate}"),
            n => format!("{} together send only {rate}", peers(n)),
        };
        return moving("slow_peers", text);
    }
    moving("ok", format!("downloading from {}", peers(givers)))
}

/// Connected, and nobody has what is still wanted.
fn lacking(c: &Circumstances) -> String {
    if c.best_copy <= 0.0 || c.missing == 0 {
        return match c.peers {
            1 => "connected to 1 peer, which has nothing we still need".into(),
            n => format!("connected to {}, none has anything we still need", peers(n)),
        };
    }
    let who = match c.peers {
        1 => "the only peer lacks".into(),
        n => format!("all {} lack", peers(n)),
    };
    let pieces = match c.missing {
        1 => "the last piece".into(),
        n => format!("the last {}", units::plural(u64::from(n), "piece", "pieces")),
    };
    format!("{who} {pieces}; best copy {}", percent(c.best_copy))
}

/// Connected, and nobody answers our requests.
fn busy(c: &Circumstances) -> String {
    let hint = match c.up_limit {
        Some(limit) => format!("; uploading more helps: your limit is {}/s", units::size(limit)),
        None => String::new(),
    };
    match c.useful {
        1 => format!("1 peer has what we need, but is busy with others{hint}"),
        n => format!("{} have what we need, all are busy with others{hint}", peers(n)),
    }
}

fn peers(n: u32) -> String {
    units::plural(u64::from(n), "peer", "peers")
}

/// Rounded down, so that nothing incomplete is called 100 %.
fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}
