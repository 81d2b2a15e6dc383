//! How a torrent fares, in words that stand in every form of progress.

use crate::app::door::{Row, State};
use crate::base::units;

/// Bytes per second below which nothing moves.
const NOTHING: f64 = 1024.0;
/// Beginnings of the sentences that name who was asked for metadata.
const SEARCHES: [&str; 2] =
    ["looking for anyone who has the file list: ", "nobody to ask for the file list: "];

/// Whether there is anything to see but a reason.
pub fn moves(row: &Row) -> bool {
    match row.state {
        State::Downloading => row.down >= NOTHING,
        State::Seeding => row.up >= NOTHING,
        State::Checking => true,
        _ => false,
    }
}

/// Why it is as it is: `waiting: no peers yet`.
pub fn reason(row: &Row) -> String {
    match (row.state, row.reason.text.as_str()) {
        (state, "") => state.word().to_owned(),
        // What is under way needs no word in front of it.
        (State::Metadata | State::Downloading, text) => text.to_owned(),
        (state, text) if text.starts_with(state.word()) => text.to_owned(),
        (state, text) => format!("{}: {text}", state.word()),
    }
}

/// The same where there is room for less: of a search for metadata, who was asked.
pub fn brief(row: &Row) -> String {
    asked(row).map_or_else(|| reason(row), |asked| format!("looking: {asked}"))
}

/// The part of the reason that names who was asked for metadata.
fn asked(row: &Row) -> Option<&str> {
    let told = SEARCHES.iter().find_map(|start| row.reason.text.strip_prefix(start));
    told.filter(|_| row.state == State::Metadata)
}

/// `62 peers, 48 of them seeds`.
pub fn peers(row: &Row) -> String {
    let peers = units::plural(u64::from(row.peers), "peer", "peers");
    match row.seeds {
        0 => peers,
        seeds if seeds == row.peers && seeds == 1 => "1 peer, a seed".to_owned(),
        1 => format!("{peers}, 1 of them a seed"),
        seeds => format!("{peers}, {} of them seeds", units::count(u64::from(seeds))),
    }
}
