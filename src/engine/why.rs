//! Why a torrent is as it is: one pure function from its circumstances to a state, a word and a
//! sentence. The first rule that holds wins.

use super::view::{Reason, State};
use crate::base::units;

/// What the rules look at.
#[derive(Clone, Debug, Default)]
pub struct Circumstances {
    /// A fault that stopped the torrent: its word and sentence.
    pub fault: Option<(&'static str, String)>,
    /// The user paused it.
    pub paused: bool,
    /// It waits behind this many running downloads.
    pub queued_behind: Option<u32>,
    /// Files that were there are being hashed.
    pub checking: bool,
    /// Everything wanted is here.
    pub finished: bool,
    /// It has left the swarm after reaching its goal.
    pub done: bool,
    /// It was started less than a few seconds ago.
    pub young: bool,
    /// BEP 27: only trackers may find peers.
    pub private: bool,
    /// Trackers it has.
    pub trackers: u32,
    /// Trackers whose last answer was an answer.
    pub trackers_working: u32,
    /// Trackers whose last answer was a failure.
    pub trackers_failing: u32,
    /// What a tracker said when it refused, clean for a terminal.
    pub refusal: Option<String>,
    /// Why a tracker could not be asked, clean for a terminal.
    pub failure: Option<String>,
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
    if c.checking {
        return say(State::Checking, "added_existing_files", "checking files that were already there".into());
    }
    if c.done {
        return say(State::Done, "goal_reached", "complete; not seeding".into());
    }
    if c.finished { seeding(c) } else { fetching(c) }
}

fn seeding(c: &Circumstances) -> (State, Reason) {
    let say = |word, text: String| (State::Seeding, Reason { word, text });
    if let Some(limit) = c.up_limit.filter(|&limit| c.up > limit as f64 * AT_LIMIT) {
        return say("limited_by_you", format!("giving at your limit of {}/s", units::size(limit)));
    }
    if c.wanting == 0 {
        let text = match c.peers {
            0 => "nobody is asking for it at the moment".into(),
            n => format!("connected to {}, none lacks anything we have", peers(n)),
        };
        return say("nobody_interested", text);
    }
    say("ok", format!("giving to {}", peers(c.wanting)))
}

fn fetching(c: &Circumstances) -> (State, Reason) {
    let waiting = |word, text: String| (State::Waiting, Reason { word, text });
    let moving = |word, text: String| (State::Downloading, Reason { word, text });
    if c.peers == 0 {
        return nobody(c);
    }
    if c.down < NOTHING && c.useful == 0 {
        let text = if c.best_copy > 0.0 && c.missing > 0 {
            format!(
                "all {} lack the last {}; best copy {}",
                peers(c.peers),
                units::plural(u64::from(c.missing), "piece", "pieces"),
                percent(c.best_copy)
            )
        } else {
            format!("connected to {}, none has anything we still need", peers(c.peers))
        };
        return waiting("peers_lack_pieces", text);
    }
    if c.down < NOTHING && c.choking == c.useful {
        if c.young {
            return moving("starting", format!("asking {} for pieces", peers(c.useful)));
        }
        let hint = match c.up_limit {
            Some(limit) => format!("; uploading more helps: your limit is {}/s", units::size(limit)),
            None => String::new(),
        };
        let text = format!("{} have what we need, all are busy with others{hint}", peers(c.useful));
        return waiting("choked_by_all", text);
    }
    if let Some(limit) = c.down_limit.filter(|&limit| c.down > limit as f64 * AT_LIMIT) {
        return moving("limited_by_you", format!("running at your limit of {}/s", units::size(limit)));
    }
    if c.disk_behind {
        let text = format!("the disk takes {} and is the slowest part", units::rate(c.disk_rate));
        return moving("disk_slow", text);
    }
    if c.young && c.down < NOTHING {
        return moving("starting", format!("starting with {}", peers(c.peers)));
    }
    if c.down < NOTHING {
        let text = format!("{} answer our requests, but nothing comes", peers(c.useful - c.choking));
        return moving("slow_peers", text);
    }
    moving("ok", format!("downloading from {}", peers(c.useful.saturating_sub(c.choking).max(1))))
}

/// Nobody is connected: who was asked, and what did they say?
fn nobody(c: &Circumstances) -> (State, Reason) {
    let waiting = |word, text: String| (State::Waiting, Reason { word, text });
    let all_fail = c.trackers > 0 && c.trackers_failing == c.trackers;
    // A refusal is in the tracker's own words; a failure is in ours.
    let fails = match (&c.refusal, &c.failure) {
        (Some(text), _) => format!("refuses us: '{text}'"),
        (None, Some(text)) => format!("fails: {text}"),
        (None, None) => "fails".to_owned(),
    };
    if c.private && all_fail {
        return waiting("trackers_fail", format!("private torrent and its tracker {fails}"));
    }
    if c.known > 0 && c.timed_out + c.refused >= c.known {
        let mut how = Vec::new();
        if c.timed_out > 0 {
            how.push(format!("{} time out", c.timed_out));
        }
        if c.refused > 0 {
            how.push(format!("{} refuse", c.refused));
        }
        return waiting(
            "all_connects_failed",
            format!("{} known, none accepts: {}", peers(c.known), how.join(", ")),
        );
    }
    if c.known > 0 || (c.young && !all_fail && c.trackers > 0) {
        let text = match c.known {
            0 => "looking for peers".into(),
            n => format!("connecting to {}", peers(n)),
        };
        return (State::Downloading, Reason { word: "starting", text });
    }
    if all_fail {
        let which = if c.trackers == 1 {
            format!("its tracker {fails}")
        } else {
            let said = c.refusal.as_ref().or(c.failure.as_ref());
            format!(
                "all {} trackers fail{}",
                c.trackers,
                said.map_or(String::new(), |text| format!(": {text}"))
            )
        };
        return waiting("trackers_fail", format!("no peers known, and {which}"));
    }
    let text = match (c.trackers, c.trackers_working) {
        (0, _) => "no peers known, and the torrent names no tracker to ask".into(),
        (_, 0) => format!("no peers known; {} silent so far", trackers(c.trackers)),
        (_, n) => {
            let verb = if n == 1 { "says" } else { "say" };
            format!(
                "nobody announced for this torrent: {} {verb} {} seeds",
                trackers(n),
                c.swarm_seeds.unwrap_or(0)
            )
        }
    };
    waiting("no_peers_known", text)
}

fn peers(n: u32) -> String {
    units::plural(u64::from(n), "peer", "peers")
}

fn trackers(n: u32) -> String {
    units::plural(u64::from(n), "tracker", "trackers")
}

/// Rounded down, so that nothing incomplete is called 100 %.
fn percent(share: f64) -> String {
    format!("{:.1} %", (share * 1000.0).floor() / 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(c: &Circumstances) -> (State, &'static str, String) {
        let (state, reason) = why(c);
        (state, reason.word, reason.text)
    }

    /// A download that runs well; each case below changes what it is about.
    fn well() -> Circumstances {
        Circumstances {
            trackers: 2,
            trackers_working: 2,
            known: 9,
            peers: 5,
            useful: 5,
            down: 3e6,
            best_copy: 1.0,
            ..Circumstances::default()
        }
    }

    #[test]
    fn each_rule_has_its_word_and_sentence() {
        let quiet = Circumstances { down: 0.0, ..well() };
        let alone = Circumstances { peers: 0, useful: 0, known: 0, ..quiet.clone() };
        let table: Vec<(Circumstances, State, &str, &str)> = vec![
            (well(), State::Downloading, "ok", "downloading from 5 peers"),
            (
                Circumstances { fault: Some(("no_space", "cannot write a: no space left".into())), ..well() },
                State::Error,
                "no_space",
                "cannot write a: no space left",
            ),
            (Circumstances { paused: true, ..well() }, State::Paused, "user", "paused by you"),
            (
                Circumstances { queued_behind: Some(5), ..well() },
                State::Queued,
                "too_many_active",
                "waiting its turn: 5 of 5 downloads active",
            ),
            (
                Circumstances { checking: true, ..well() },
                State::Checking,
                "added_existing_files",
                "checking files that were already there",
            ),
            (
                alone.clone(),
                State::Waiting,
                "no_peers_known",
                "nobody announced for this torrent: 2 trackers say 0 seeds",
            ),
            (
                Circumstances { trackers: 0, trackers_working: 0, ..alone.clone() },
                State::Waiting,
                "no_peers_known",
                "no peers known, and the torrent names no tracker to ask",
            ),
            (
                Circumstances {
                    private: true,
                    trackers: 1,
                    trackers_working: 0,
                    trackers_failing: 1,
                    refusal: Some("unregistered torrent".into()),
                    ..alone.clone()
                },
                State::Waiting,
                "trackers_fail",
                "private torrent and its tracker refuses us: 'unregistered torrent'",
            ),
            (
                Circumstances { trackers_working: 0, trackers_failing: 2, ..alone.clone() },
                State::Waiting,
                "trackers_fail",
                "no peers known, and all 2 trackers fail",
            ),
            (
                Circumstances {
                    trackers: 1,
                    trackers_working: 0,
                    trackers_failing: 1,
                    failure: Some("connection refused".into()),
                    ..alone.clone()
                },
                State::Waiting,
                "trackers_fail",
                "no peers known, and its tracker fails: connection refused",
            ),
            (
                Circumstances { known: 12, timed_out: 9, refused: 3, ..alone.clone() },
                State::Waiting,
                "all_connects_failed",
                "12 peers known, none accepts: 9 time out, 3 refuse",
            ),
            (
                Circumstances { known: 12, ..alone.clone() },
                State::Downloading,
                "starting",
                "connecting to 12 peers",
            ),
            (Circumstances { young: true, ..alone }, State::Downloading, "starting", "looking for peers"),
            (
                Circumstances { useful: 0, missing: 212, best_copy: 0.9975, peers: 4, ..quiet.clone() },
                State::Waiting,
                "peers_lack_pieces",
                "all 4 peers lack the last 212 pieces; best copy 99.7 %",
            ),
            (
                Circumstances { choking: 5, up_limit: Some(10_240), ..quiet.clone() },
                State::Waiting,
                "choked_by_all",
                "5 peers have what we need, all are busy with others; uploading more helps: your limit is 10 KiB/s",
            ),
            (
                Circumstances { choking: 5, young: true, ..quiet.clone() },
                State::Downloading,
                "starting",
                "asking 5 peers for pieces",
            ),
            (
                Circumstances { down_limit: Some(3_000_000), ..well() },
                State::Downloading,
                "limited_by_you",
                "running at your limit of 2.86 MiB/s",
            ),
            (
                Circumstances { disk_behind: true, disk_rate: 8_388_608.0, ..well() },
                State::Downloading,
                "disk_slow",
                "the disk takes 8 MiB/s and is the slowest part",
            ),
            (quiet, State::Downloading, "slow_peers", "5 peers answer our requests, but nothing comes"),
            (
                Circumstances { finished: true, wanting: 2, ..well() },
                State::Seeding,
                "ok",
                "giving to 2 peers",
            ),
            (
                Circumstances { finished: true, ..well() },
                State::Seeding,
                "nobody_interested",
                "connected to 5 peers, none lacks anything we have",
            ),
            (
                Circumstances { finished: true, up: 1e6, up_limit: Some(1_000_000), ..well() },
                State::Seeding,
                "limited_by_you",
                "giving at your limit of 977 KiB/s",
            ),
            (
                Circumstances { finished: true, done: true, ..well() },
                State::Done,
                "goal_reached",
                "complete; not seeding",
            ),
        ];
        for (circumstances, state, word, text) in table {
            assert_eq!(told(&circumstances), (state, word, text.to_owned()));
        }
    }
}
