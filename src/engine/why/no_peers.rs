//! The reason why no peer is connected.

use super::super::view::{Reason, State};
use super::{Circumstances, peers};
use crate::base::units;

/// The sentence for a machine without a route to the internet.
pub(super) const OFFLINE: &str = "this machine is offline: it has no route to the internet";

/// The state of a torrent without connected peers, and the reason.
pub(super) fn why(c: &Circumstances) -> (State, Reason) {
    let waiting = |word, text: String| (State::Waiting, Reason { word, text });
    let starting = |text: String| (State::Downloading, Reason { word: "starting", text });
    let all_fail = c.trackers > 0 && c.trackers_failing >= c.trackers;
    if c.offline {
        return waiting("offline", OFFLINE.into());
    }
    if c.private && all_fail {
        return waiting("trackers_fail", format!("private torrent and {}", failing(c)));
    }
    if c.known > 0 && c.timed_out.saturating_add(c.refused) >= c.known {
        return waiting("all_connects_failed", unreachable(c));
    }
    if c.known > 0 {
        return starting(format!("connecting to {}", peers(c.known)));
    }
    let asking = !all_fail && c.trackers > c.trackers_working;
    if c.young && (asking || (c.dht && !c.dht_searched)) {
        return starting("looking for peers".into());
    }
    if all_fail {
        let text = match dht(c) {
            Some(dht) => format!("no peers known: {}; {dht}", failing(c)),
            None => format!("no peers known, and {}", failing(c)),
        };
        return waiting("trackers_fail", text);
    }
    if c.private && (c.trackers == 0 || c.trackers_working > 0) {
        return waiting("dht_off_private", private(c));
    }
    waiting("no_peers_known", unknown(c))
}

/// The sentence for known addresses that all refuse or time out.
fn unreachable(c: &Circumstances) -> String {
    let mut how = Vec::new();
    for (count, what) in [(c.timed_out, "did not answer"), (c.refused, "refused")] {
        if count > 0 {
            how.push(format!("{count} {what}"));
        }
    }
    let found = match (c.known, c.refused) {
        (1, 0) => "the only known peer did not answer".to_owned(),
        (1, _) => "the only known peer refused the connection".to_owned(),
        (known, _) => format!("none of {known} known peers accepts connections: {}", how.join(", ")),
    };
    if c.trackers_working > 0 && c.swarm_seeds == Some(0) {
        return format!("{}; {found}", answered(c));
    }
    found
}

/// The report of the trackers, as in `3 trackers report no seeds`.
fn answered(c: &Circumstances) -> String {
    match c.trackers_working {
        1 => "its tracker reports no seeds".into(),
        n => format!("{} report no seeds", trackers(n)),
    }
}

/// The sentence for trackers that all fail. Refusals quote the tracker; errors are in our words.
fn failing(c: &Circumstances) -> String {
    match (c.trackers, &c.refusal, &c.failure) {
        (1, Some(text), _) => format!("its tracker refuses us: '{text}'"),
        (1, None, Some(text)) => format!("its tracker fails: {text}"),
        (1, None, None) => "its tracker fails".into(),
        (n, Some(text), _) => format!("none of its {n} trackers works, one refuses us: '{text}'"),
        (n, None, Some(text)) => format!("all {n} trackers fail: {text}"),
        (n, None, None) => format!("all {n} trackers fail"),
    }
}

/// The sentence for a private torrent, which only its trackers may find peers for.
fn private(c: &Circumstances) -> String {
    match (c.trackers, c.trackers_working) {
        (0, _) if c.trackers_off => {
            "private torrent, and trackers are switched off: nothing else may find peers".into()
        }
        (0, _) => "private torrent without a tracker: nothing else may find peers".into(),
        (1, _) => "private torrent: only its tracker may find peers, and it knows none".into(),
        _ => "private torrent: only its trackers may find peers, and they know none".into(),
    }
}

/// The sentence for a torrent without any known peer.
fn unknown(c: &Circumstances) -> String {
    if let Some(dht) = dht(c) {
        return match (c.trackers, c.trackers_working) {
            (0, _) if c.trackers_off => format!("no peers known: trackers are switched off, {dht}"),
            (0, _) => format!("no peers known: {dht}"),
            (_, 0) => format!("no peers known: {} silent, {dht}", trackers(c.trackers)),
            (_, 1) => format!("{}, {dht}", said(c, "1 tracker reports")),
            (_, n) => format!("{}, {dht}", said(c, &format!("{} report", trackers(n)))),
        };
    }
    match (c.trackers, c.trackers_working) {
        (0, _) if c.trackers_off => "no peers known, and trackers are switched off".into(),
        (0, _) => "no peers known, and the torrent names no tracker to ask".into(),
        (_, 0) => format!("no peers known; {} silent so far", trackers(c.trackers)),
        (_, 1) => said(c, "1 tracker reports"),
        (_, n) => said(c, &format!("{} report", trackers(n))),
    }
}

/// The result of DHT lookups that found no new peer; `None` if the DHT is not used.
fn dht(c: &Circumstances) -> Option<String> {
    let asked = if c.dht_searched { c.dht_asked } else { 0 };
    let none = if asked > 0 { ", 0 peers" } else { "" };
    c.dht.then(|| nodes(c.dht_searched, asked) + none)
}

/// The number of DHT nodes that replied. `searched` is set once a lookup has ended.
pub(super) fn nodes(searched: bool, answered: u32) -> String {
    match answered {
        0 if !searched => "the DHT is being asked".into(),
        0 => "no DHT node answered".into(),
        n => format!("DHT {} asked", units::plural(u64::from(n), "node", "nodes")),
    }
}

fn said(c: &Circumstances, who: &str) -> String {
    let seeds = u64::from(c.swarm_seeds.unwrap_or(0));
    match seeds {
        0 => format!("no peers known: {who} 0 seeds"),
        n => format!("no peers known, though {who} {}", units::plural(n, "seed", "seeds")),
    }
}

fn trackers(n: u32) -> String {
    units::plural(u64::from(n), "tracker", "trackers")
}
