//! The reason why the metadata of a link is still missing. Users know the metadata as the file list.

use super::super::view::{Reason, State};
use super::{no_peers, peers};
use crate::base::units;

/// The beginnings of the sentences about a search.
const STARTS: [&str; 2] = ["looking for anyone who has the file list: ", "nobody to ask for the file list: "];

/// The circumstances of a metadata search.
#[derive(Clone, Debug, Default)]
pub struct MetadataSearch {
    /// Paused by the user.
    pub paused: bool,
    /// The metadata is complete and verified.
    pub found: bool,
    /// Received bytes of the metadata, and its size as peers claim it.
    pub progress: Option<(u64, u32)>,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that offer the metadata.
    pub offering: u32,
    /// Offering peers that rejected our requests.
    pub refusing: u32,
    /// Peers whose metadata exceeds the size limit.
    pub too_long: u32,
    /// Known peer addresses.
    pub known: u32,
    /// Known addresses not tried yet or being dialled.
    pub trying: u32,
    /// Number of trackers.
    pub trackers: u32,
    /// Peers known by host name whose address is being resolved.
    pub named: u32,
    /// Peers whose host name was not found.
    pub unknown_names: u32,
    /// Trackers whose last announce succeeded.
    pub trackers_working: u32,
    /// Trackers that refused the last announce.
    pub trackers_refused: u32,
    /// The failure reason of one of them, clean for a terminal.
    pub refusal: Option<String>,
    /// Trackers that could not be reached.
    pub trackers_failed: u32,
    /// The error of one of them, clean for a terminal.
    pub failure: Option<String>,
    /// Trackers are switched off by the user.
    pub trackers_off: bool,
    /// DHT nodes that replied; `None` if the DHT is not used.
    pub dht: Option<u32>,
    /// A DHT lookup has ended.
    pub dht_searched: bool,
    /// This machine has no route to the internet.
    pub offline: bool,
}

/// The state of a metadata search, and the reason.
pub fn why(s: &MetadataSearch) -> (State, Reason) {
    let because = |word, text: String| (State::Metadata, Reason { word, text });
    if s.paused {
        return (State::Paused, Reason { word: "user", text: "paused by you".into() });
    }
    if s.found {
        return because("searching_peers", "the file list is here".into());
    }
    let nothing = s.progress.is_none_or(|(have, _)| have == 0);
    if s.offering > 0 && s.refusing >= s.offering && nothing {
        let text = match s.offering {
            1 => "1 peer offers the file list, but does not send it when asked".into(),
            n => format!("{} offer the file list, but none sends it when asked", peers(n)),
        };
        return because("peers_without_metadata", text);
    }
    if s.offering > 0 {
        let part = match s.progress {
            Some((have, of)) if have > 0 => {
                format!(": {} of {}", units::size(have), units::size(u64::from(of)))
            }
            _ => String::new(),
        };
        return because(
            "searching_peers",
            format!("fetching the file list from {}{part}", peers(s.offering)),
        );
    }
    if s.peers > 0 {
        return because("peers_without_metadata", without(s));
    }
    if s.too_long > 0 {
        let text = format!("{} offered a file list above the limit of 16 MiB", peers(s.too_long));
        return because("peers_without_metadata", text);
    }
    because("searching_peers", nobody(s))
}

/// The sentence without its beginning: the sources that were asked.
pub fn asked(s: &MetadataSearch) -> String {
    let (_, Reason { text, .. }) = why(s);
    let parts = STARTS.iter().find_map(|start| text.strip_prefix(start));
    parts.map_or_else(|| text.clone(), str::to_owned)
}

/// The sentence for connected peers without the metadata.
fn without(s: &MetadataSearch) -> String {
    match s.peers {
        1 => "connected to 1 peer, which does not have the file list".into(),
        n => format!("connected to {}, none has the file list", peers(n)),
    }
}

/// The sentence for a search without connected peers.
fn nobody(s: &MetadataSearch) -> String {
    if s.offline && s.trying == 0 {
        return no_peers::OFFLINE.into();
    }
    let mut asked = trackers(s);
    asked.extend(s.dht.map(|nodes| no_peers::nodes(s.dht_searched, nodes)));
    if asked.is_empty() && s.known == 0 && s.named == 0 {
        let why = if s.trackers_off { "trackers are switched off" } else { "the link names no tracker" };
        let peers = match s.unknown_names {
            0 => "no peer is known".into(),
            1 => "the host of its only peer was not found".into(),
            n => format!("the hosts of its {} were not found", peers(n)),
        };
        return format!("{}{why} and {peers}", STARTS[1]);
    }
    match s.named {
        0 => {}
        1 => asked.push("looking up the name of 1 peer".into()),
        n => asked.push(format!("looking up the names of {}", peers(n))),
    }
    match s.unknown_names {
        0 => {}
        1 => asked.push("the name of 1 peer was not found".into()),
        n => asked.push(format!("the names of {} were not found", peers(n))),
    }
    match (s.known, s.trying) {
        (0, _) if s.named > 0 || s.unknown_names > 0 => {}
        (0, _) => asked.push("0 peers".into()),
        (1, 0) => asked.push("the only known peer cannot be reached".into()),
        (known, 0) => asked.push(format!("none of {known} known peers can be reached")),
        (known, _) => asked.push(format!("trying {}", peers(known))),
    }
    STARTS[0].to_owned() + &asked.join(", ")
}

/// The results of announces, as parts of a sentence. Refusals quote the tracker; errors are in our words.
fn trackers(s: &MetadataSearch) -> Vec<String> {
    let mut parts = Vec::new();
    let trackers = |n: u32| units::plural(u64::from(n), "tracker", "trackers");
    let mut left = s.trackers;
    let mut take = |n: u32| {
        let n = n.min(left);
        left -= n;
        n
    };
    let working = take(s.trackers_working);
    if working > 0 {
        parts.push(format!("{} answered", trackers(working)));
    }
    match (take(s.trackers_refused), s.refusal.as_deref().unwrap_or_default()) {
        (0, _) => {}
        (1, words) => parts.push(format!("1 tracker refuses us: '{words}'")),
        (n, words) => parts.push(format!("{} refuse us, one says '{words}'", trackers(n))),
    }
    match (take(s.trackers_failed), s.failure.as_deref().unwrap_or("it cannot be asked")) {
        (0, _) => {}
        (1, why) => parts.push(format!("1 tracker fails: {why}")),
        (n, why) => parts.push(format!("{} fail, for example: {why}", trackers(n))),
    }
    if left > 0 {
        parts.push(format!("{} silent", trackers(left)));
    }
    parts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn says(s: &MetadataSearch, word: &str, text: &str) {
        let (state, reason) = why(s);
        assert_eq!((state, reason.word, reason.text.as_str()), (State::Metadata, word, text));
    }

    #[test]
    fn it_is_told_who_was_asked() {
        let asked = MetadataSearch { trackers: 2, dht: Some(312), ..MetadataSearch::default() };
        let text =
            "looking for anyone who has the file list: 2 trackers silent, DHT 312 nodes asked, 0 peers";
        says(&asked, "searching_peers", text);
        let text =
            "looking for anyone who has the file list: 1 tracker answered, 1 tracker silent, trying 3 peers";
        let one = MetadataSearch { trackers_working: 1, dht: None, known: 3, trying: 2, ..asked.clone() };
        says(&one, "searching_peers", text);
        let text = "looking for anyone who has the file list: the only known peer cannot be reached";
        says(&MetadataSearch { known: 1, ..MetadataSearch::default() }, "searching_peers", text);
        let text = "nobody to ask for the file list: the link names no tracker and no peer is known";
        says(&MetadataSearch::default(), "searching_peers", text);
        let named = MetadataSearch { unknown_names: 1, ..MetadataSearch::default() };
        let text = "nobody to ask for the file list: the link names no tracker and the host of its \
                    only peer was not found";
        says(&named, "searching_peers", text);
        let text = "looking for anyone who has the file list: looking up the names of 2 peers, the name of \
                    1 peer was not found";
        says(&MetadataSearch { named: 2, ..named }, "searching_peers", text);
        let off = MetadataSearch { trackers_off: true, ..MetadataSearch::default() };
        let text = "nobody to ask for the file list: trackers are switched off and no peer is known";
        says(&off, "searching_peers", text);
    }

    #[test]
    fn trackers_that_refuse_or_fail_are_not_silent() {
        let looking = |s: &MetadataSearch, asked: &str| {
            says(s, "searching_peers", &format!("looking for anyone who has the file list: {asked}"));
        };
        let four = MetadataSearch {
            trackers: 4,
            trackers_working: 1,
            trackers_refused: 1,
            refusal: Some("go away".to_owned()),
            trackers_failed: 1,
            failure: Some("the connection was refused".to_owned()),
            ..MetadataSearch::default()
        };
        looking(
            &four,
            "1 tracker answered, 1 tracker refuses us: 'go away', 1 tracker fails: the connection was refused, \
             1 tracker silent, 0 peers",
        );
        let many = MetadataSearch { trackers_working: 0, trackers_refused: 2, trackers_failed: 2, ..four };
        looking(
            &many,
            "2 trackers refuse us, one says 'go away', 2 trackers fail, for example: the connection was refused, \
             0 peers",
        );
    }

    #[test]
    fn it_is_told_how_the_dht_fares() {
        let looking = |s: &MetadataSearch, asked: &str| {
            says(s, "searching_peers", &format!("looking for anyone who has the file list: {asked}"));
        };
        let begun = MetadataSearch { dht: Some(0), ..MetadataSearch::default() };
        looking(&begun, "the DHT is being asked, 0 peers");
        looking(&MetadataSearch { dht: Some(7), ..begun.clone() }, "DHT 7 nodes asked, 0 peers");
        looking(&MetadataSearch { dht_searched: true, ..begun.clone() }, "no DHT node answered, 0 peers");
        let offline = MetadataSearch { offline: true, trackers: 1, ..begun };
        says(&offline, "searching_peers", "this machine is offline: it has no route to the internet");
        // Whoever is near may still be reached.
        looking(
            &MetadataSearch { known: 1, trying: 1, ..offline },
            "1 tracker silent, the DHT is being asked, trying 1 peer",
        );
    }

    #[test]
    fn it_is_told_what_peers_have() {
        let two = MetadataSearch { peers: 2, known: 2, ..MetadataSearch::default() };
        says(&two, "peers_without_metadata", "connected to 2 peers, none has the file list");
        let giving = MetadataSearch { offering: 1, progress: Some((16_384, 65_536)), ..two.clone() };
        says(&giving, "searching_peers", "fetching the file list from 1 peer: 16 KiB of 64 KiB");
        let refusing = MetadataSearch { progress: None, refusing: 1, ..giving.clone() };
        says(
            &refusing,
            "peers_without_metadata",
            "1 peer offers the file list, but does not send it when asked",
        );
        says(
            &MetadataSearch { offering: 2, ..refusing },
            "searching_peers",
            "fetching the file list from 2 peers",
        );
        let long = MetadataSearch { too_long: 3, ..MetadataSearch::default() };
        let text = "3 peers offered a file list above the limit of 16 MiB";
        says(&long, "peers_without_metadata", text);
        says(&MetadataSearch { found: true, ..two.clone() }, "searching_peers", "the file list is here");
        assert_eq!(asked(&two), "connected to 2 peers, none has the file list");
        assert_eq!(asked(&MetadataSearch::default()), "the link names no tracker and no peer is known");
    }

    proptest! {
        #[test]
        fn whatever_happens_there_is_a_known_word_and_a_sentence(
            flags in any::<[bool; 6]>(),
            counts in any::<[u32; 11]>(),
            progress: Option<(u64, u32)>,
            dht: Option<u32>,
        ) {
            let (state, reason) = why(&MetadataSearch {
                paused: flags[1],
                found: flags[2],
                trackers_off: flags[3],
                progress,
                peers: counts[0] % 3,
                offering: counts[1] % 3,
                refusing: counts[2] % 3,
                too_long: counts[2] % 3,
                known: counts[3],
                trying: counts[4],
                trackers: counts[5],
                trackers_working: counts[6],
                trackers_refused: counts[7] % 3,
                refusal: flags[3].then(|| "no".to_owned()),
                trackers_failed: counts[8] % 3,
                failure: flags[2].then(|| "no".to_owned()),
                named: counts[9] % 3,
                unknown_names: counts[10] % 3,
                dht,
                dht_searched: flags[4],
                offline: flags[5],
            });
            prop_assert!(state.reasons().contains(&reason.word));
            prop_assert!(!reason.text.is_empty() && !reason.text.ends_with('.'));
        }
    }
}
