//! The reason for a torrent's state: one pure function from circumstances to a state, a word and a sentence.
//! The first matching rule wins.

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
    /// The fault that stopped the torrent: its word and sentence.
    pub fault: Option<(&'static str, String)>,
    /// Paused by the user.
    pub paused: bool,
    /// Queued behind this many running downloads.
    pub queued_behind: Option<u32>,
    /// The existing files were not checked yet.
    pub unseen: bool,
    /// Existing files are being checked.
    pub checking: bool,
    /// Estimated time to the end of the check.
    pub check_left: Option<Duration>,
    /// Every wanted piece is verified.
    pub finished: bool,
    /// The torrent has left the swarm.
    pub done: bool,
    /// The torrent seeds after the download, until a goal.
    pub gives_back: bool,
    /// The torrent was started a few seconds ago.
    pub young: bool,
    /// This machine has no route to the internet.
    pub offline: bool,
    /// The torrent is private (BEP 27): only trackers may find peers.
    pub private: bool,
    /// Trackers are switched off by the user.
    pub trackers_off: bool,
    /// Number of trackers.
    pub trackers: u32,
    /// Number of trackers whose last announce succeeded.
    pub trackers_working: u32,
    /// Number of trackers whose last announce failed.
    pub trackers_failing: u32,
    /// The failure reason of a tracker, clean for a terminal.
    pub refusal: Option<String>,
    /// The error of a tracker that could not be reached, clean for a terminal.
    pub failure: Option<String>,
    /// The DHT is used for this torrent.
    pub dht: bool,
    /// A DHT lookup has ended.
    pub dht_searched: bool,
    /// DHT nodes that replied, in all lookups.
    pub dht_asked: u32,
    /// Seeds in the swarm, as reported by trackers.
    pub swarm_seeds: Option<u32>,
    /// Known peer addresses, connected ones included.
    pub known: u32,
    /// Addresses whose dial timed out.
    pub timed_out: u32,
    /// Addresses whose dial was refused or failed otherwise.
    pub refused: u32,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that have pieces we want.
    pub useful: u32,
    /// Useful peers that choke us.
    pub choking: u32,
    /// Connected peers that are interested in us.
    pub wanting: u32,
    /// Wanted pieces that no connected peer has.
    pub missing: u32,
    /// The share of the torrent that connected peers and we have together, from 0 to 1.
    pub best_copy: f64,
    /// Download rate, in bytes per second.
    pub down: f64,
    /// Upload rate, in bytes per second.
    pub up: f64,
    /// The effective download limit, in bytes per second.
    pub down_limit: Option<u64>,
    /// The effective upload limit, in bytes per second.
    pub up_limit: Option<u64>,
    /// Verified pieces queue up for the disk.
    pub disk_behind: bool,
    /// Write rate of the disk, in bytes per second.
    pub disk_rate: f64,
}

/// Share of a limit above which the limit is what slows the torrent down.
const AT_LIMIT: f64 = 0.9;
/// Rate in bytes per second below which a torrent counts as stalled.
const NOTHING: f64 = 1024.0;
/// With fewer uploading peers than this, they are what slows the download down…
const FEW: u32 = 8;
/// … if each of them sends less than this, in bytes per second.
const SLOW: f64 = 1_048_576.0;

/// The state of a torrent, and the reason.
pub fn why(c: &Circumstances) -> (State, Reason) {
    let because = |state, word, text: String| (state, Reason { word, text });
    if let Some((word, text)) = &c.fault {
        return because(State::Error, word, text.clone());
    }
    if c.paused {
        return because(State::Paused, "user", "paused by you".into());
    }
    if let Some(active) = c.queued_behind {
        let text = format!("waiting its turn: {active} of {active} downloads active");
        return because(State::Queued, "too_many_active", text);
    }
    if c.unseen {
        return because(State::Queued, "waiting_for_check", "its files are about to be checked".into());
    }
    if c.checking {
        let left = c.check_left.map_or_else(String::new, |left| format!(", {} left", units::span(left)));
        let text = format!("checking files that were already there{left}");
        return because(State::Checking, "added_existing_files", text);
    }
    if c.done && c.gives_back {
        return because(State::Done, "goal_reached", "complete; the seed limit is reached".into());
    }
    if c.done {
        return because(State::Done, "not_seeding", "complete; not seeding".into());
    }
    if c.finished { seeding(c) } else { fetching(c) }
}

fn seeding(c: &Circumstances) -> (State, Reason) {
    let because = |word, text: String| (State::Seeding, Reason { word, text });
    if let Some(limit) = c.up_limit.filter(|&limit| c.up > limit as f64 * AT_LIMIT) {
        return because("limited_by_you", format!("uploading at your limit of {}/s", units::size(limit)));
    }
    if c.wanting == 0 {
        let text = match c.peers {
            0 => "no peer is asking for data".into(),
            1 => "connected to 1 peer, which needs nothing from us".into(),
            n => format!("connected to {}, none needs anything from us", peers(n)),
        };
        return because("nobody_interested", text);
    }
    because("ok", format!("uploading to {}", peers(c.wanting)))
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

/// The sentence for connected peers without any piece we want.
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

/// The sentence for useful peers that all choke us.
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

/// A percentage, rounded down so that nothing incomplete shows as 100 %.
fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}
