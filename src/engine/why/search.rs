//! Why the metadata of a torrent is not here yet: who was asked, and what did they say? People call it the
//! file list.

use super::super::view::{Reason, State};
use super::peers;
use crate::base::units;

/// What the rules look at.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// What was found cannot be used: the sentence.
    pub fault: Option<String>,
    /// The user paused it.
    pub paused: bool,
    /// It is here.
    pub found: bool,
    /// Bytes of it that are here, and its length as claimed.
    pub progress: Option<(u64, u32)>,
    /// Connected peers.
    pub peers: u32,
    /// Connected peers that offer it.
    pub offering: u32,
    /// Peers that claimed one longer than is taken.
    pub too_long: u32,
    /// Addresses known.
    pub known: u32,
    /// Of those, how many have not been tried or are being tried.
    pub trying: u32,
    /// Trackers that are asked.
    pub trackers: u32,
    /// Trackers whose last answer was an answer.
    pub trackers_working: u32,
    /// The user wants no tracker to be asked.
    pub trackers_off: bool,
    /// Nodes of the DHT that answered; nothing where it is not asked.
    pub dht: Option<u32>,
}

/// The state of a search, and why.
pub fn why(s: &Search) -> (State, Reason) {
    let say = |word, text: String| (State::Metadata, Reason { word, text });
    if let Some(text) = &s.fault {
        return say("bad_magnet", text.clone());
    }
    if s.paused {
        return (State::Paused, Reason { word: "user", text: "paused by you".into() });
    }
    if s.found {
        return say("searching_peers", "the file list is here".into());
    }
    if s.offering > 0 {
        let part = match s.progress {
            Some((have, of)) if have > 0 => {
                format!(": {} of {}", units::size(have), units::size(u64::from(of)))
            }
            _ => String::new(),
        };
        return say("searching_peers", format!("fetching the file list from {}{part}", peers(s.offering)));
    }
    if s.peers > 0 {
        return say("peers_without_metadata", without(s));
    }
    if s.too_long > 0 {
        let text = format!("{} named a file list longer than 16 MiB, which nobody may", peers(s.too_long));
        return say("peers_without_metadata", text);
    }
    say("searching_peers", nobody(s))
}

/// Connected, and nobody has it.
fn without(s: &Search) -> String {
    match s.peers {
        1 => "connected to 1 peer, which does not have the file list".into(),
        n => format!("connected to {}, none has the file list", peers(n)),
    }
}

/// Nobody is connected: who was asked.
fn nobody(s: &Search) -> String {
    if s.trackers == 0 && s.dht.is_none() && s.known == 0 {
        let why = if s.trackers_off { "trackers are switched off" } else { "the link names no tracker" };
        return format!("nobody to ask for the file list: {why} and no peer is known");
    }
    let mut asked = Vec::new();
    let trackers = |n: u32| units::plural(u64::from(n), "tracker", "trackers");
    let working = s.trackers_working.min(s.trackers);
    if working > 0 {
        asked.push(format!("{} answered", trackers(working)));
    }
    if s.trackers > working {
        asked.push(format!("{} silent", trackers(s.trackers - working)));
    }
    if let Some(nodes) = s.dht {
        asked.push(format!("DHT {} asked", units::plural(u64::from(nodes), "node", "nodes")));
    }
    asked.push(match (s.known, s.trying) {
        (0, _) => "0 peers".into(),
        (1, 0) => "1 peer known, it does not answer".into(),
        (known, 0) => format!("{} known, none answers", peers(known)),
        (known, _) => format!("trying {}", peers(known)),
    });
    format!("looking for anyone who has the file list: {}", asked.join(", "))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn says(s: &Search, word: &str, text: &str) {
        let (state, reason) = why(s);
        assert_eq!((state, reason.word, reason.text.as_str()), (State::Metadata, word, text));
    }

    #[test]
    fn it_is_told_who_was_asked() {
        let asked = Search { trackers: 2, dht: Some(312), ..Search::default() };
        let text =
            "looking for anyone who has the file list: 2 trackers silent, DHT 312 nodes asked, 0 peers";
        says(&asked, "searching_peers", text);
        let text =
            "looking for anyone who has the file list: 1 tracker answered, 1 tracker silent, trying 3 peers";
        let one = Search { trackers_working: 1, dht: None, known: 3, trying: 2, ..asked.clone() };
        says(&one, "searching_peers", text);
        let text = "looking for anyone who has the file list: 1 peer known, it does not answer";
        says(&Search { known: 1, ..Search::default() }, "searching_peers", text);
        let text = "nobody to ask for the file list: the link names no tracker and no peer is known";
        says(&Search::default(), "searching_peers", text);
        let off = Search { trackers_off: true, ..Search::default() };
        let text = "nobody to ask for the file list: trackers are switched off and no peer is known";
        says(&off, "searching_peers", text);
    }

    #[test]
    fn it_is_told_what_peers_have() {
        let two = Search { peers: 2, known: 2, ..Search::default() };
        says(&two, "peers_without_metadata", "connected to 2 peers, none has the file list");
        let giving = Search { offering: 1, progress: Some((16_384, 65_536)), ..two.clone() };
        says(&giving, "searching_peers", "fetching the file list from 1 peer: 16 KiB of 64 KiB");
        let long = Search { too_long: 3, ..Search::default() };
        let text = "3 peers named a file list longer than 16 MiB, which nobody may";
        says(&long, "peers_without_metadata", text);
        says(&Search { found: true, ..two.clone() }, "searching_peers", "the file list is here");
        says(&Search { fault: Some("no".into()), ..two }, "bad_magnet", "no");
    }

    proptest! {
        #[test]
        fn whatever_happens_there_is_a_known_word_and_a_sentence(
            flags in any::<[bool; 4]>(),
            counts in any::<[u32; 7]>(),
            progress: Option<(u64, u32)>,
            dht: Option<u32>,
        ) {
            let (state, reason) = why(&Search {
                fault: flags[0].then(|| "broken".to_owned()),
                paused: flags[1],
                found: flags[2],
                trackers_off: flags[3],
                progress,
                peers: counts[0] % 3,
                offering: counts[1] % 3,
                too_long: counts[2] % 3,
                known: counts[3],
                trying: counts[4],
                trackers: counts[5],
                trackers_working: counts[6],
                dht,
            });
            prop_assert!(state.reasons().contains(&reason.word));
            prop_assert!(!reason.text.is_empty() && !reason.text.ends_with('.'));
        }
    }
}
