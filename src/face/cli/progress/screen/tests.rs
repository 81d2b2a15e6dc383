//! Screens as people see them, at every width that matters.

use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::app::door::{Reason, Row, State};
use crate::base::{InfoHashes, TorrentId};
use crate::face::cli::style::width;

/// A download in full swing.
pub(in crate::face::cli) fn row(name: &str, state: State) -> Row {
    Row {
        id: TorrentId::FIRST,
        info_hashes: InfoHashes::from_v1([8; 20]),
        name: name.into(),
        state,
        reason: Reason { word: "ok", text: "no peers yet".to_owned() },
        wanted: 6_012_954_214,
        done: 4_467_625_984,
        checked: 1 << 30,
        to_check: 3 << 30,
        files: 1,
        down: 40_055_603.0,
        up: 1_153_433.0,
        received: 0,
        wasted: 0,
        sent: 1_181_116_006,
        sent_ever: 1_181_116_006,
        peers: 62,
        seeds: 48,
        swarm_seeds: None,
        swarm_leechers: None,
        copies: 0,
        eta: Some(Duration::from_secs(41)),
        active: Duration::from_secs(60),
        path: "/iso/x".into(),
    }
}

fn because(state: State, word: &'static str, text: &str) -> Row {
    let reason = Reason { word, text: text.to_owned() };
    Row {
        reason,
        down: 0.0,
        up: 0.0,
        peers: 0,
        seeds: 0,
        eta: None,
        ..row("ubuntu-26.04-desktop-amd64.iso", state)
    }
}

fn view(torrents: Vec<Row>) -> View {
    let down = torrents.iter().map(|row| if row.state == State::Downloading { row.down } else { 0.0 }).sum();
    View { torrents, down, ..View::default() }
}

const ASCII: Style = Style { ascii: true, colour: false };

/// The lines at every width, each with its end marked.
fn shown(view: &View, lost: usize, style: Style) -> String {
    let mut out = String::new();
    for columns in [20, 40, 59, 60, 80, 140] {
        let _ = writeln!(out, "--- {columns}");
        for line in lines(view, lost, style, Size { columns, rows: 24 }) {
            assert!(width(&line) < columns, "{line}");
            let _ = writeln!(out, "{line}|");
        }
    }
    out
}

fn both(view: &View, lost: usize) -> String {
    format!("{}\nIN ASCII\n{}", shown(view, lost, Style::default()), shown(view, lost, ASCII))
}

const UBUNTU: &str = "ubuntu-26.04-desktop-amd64.iso";

#[test]
fn one_that_moves() {
    insta::assert_snapshot!(both(&view(vec![row(UBUNTU, State::Downloading)]), 0));
}

#[test]
fn one_that_does_not_move_says_why() {
    let scenes = [
        because(
            State::Waiting,
            "all_connects_failed",
            "3 trackers answered, none knows a seed; 4 peers known, none accepts: 3 time out, 1 refuses",
        ),
        because(State::Waiting, "no_peers_known", "no peers known, and the torrent names no tracker to ask"),
        because(State::Downloading, "starting", "connecting to 12 peers"),
        because(State::Downloading, "choked_by_all", "9 peers have what we need, all are busy with others"),
        because(State::Queued, "too_many_active", "waiting its turn: 5 of 5 downloads active"),
        because(State::Paused, "user", "paused by you"),
        because(State::Error, "no_space", "cannot write a: no space left"),
    ];
    let all: Vec<String> =
        scenes.into_iter().map(|row| shown(&view(vec![row]), 0, Style::default())).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn one_that_is_checked_or_given() {
    let mut given = row(UBUNTU, State::Seeding);
    given.done = given.wanted;
    let idle = because(State::Seeding, "nobody_interested", "no peer is asking for data");
    let scenes = [row(UBUNTU, State::Checking), given, idle];
    let all: Vec<String> = scenes.into_iter().map(|row| both(&view(vec![row]), 0)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn one_of_which_only_the_name_is_known() {
    let text = "looking for anyone who has the file list: 2 trackers silent, DHT 312 nodes asked, 0 peers";
    let long = because(State::Metadata, "searching_peers", text);
    let short = because(State::Metadata, "searching_peers", "looking for anyone who has the file list");
    let several = vec![long.clone(), row("b.iso", State::Downloading)];
    let scenes = [vec![long], vec![short], several];
    let all: Vec<String> = scenes.into_iter().map(|rows| both(&view(rows), 0)).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn one_with_a_hostile_name() {
    let names = [
        "\u{1b}]0;pwned\u{7}\u{1b}[2J\u{9b}5n\r\nx",
        "photo\u{202e}gpj.exe\u{2066}\u{200b}",
        "文件名称很长的一个文件夹里面有很多东西.mkv",
        "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f} a\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
        "",
    ];
    let all: Vec<String> = names
        .iter()
        .map(|name| shown(&view(vec![row(name, State::Downloading)]), 0, Style::default()))
        .collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn several_with_a_line_each_and_a_total() {
    let slow = Row {
        done: 481_036_337,
        down: 217_088.0,
        eta: Some(Duration::from_secs(5460)),
        ..row("archlinux-2026.11.01-x86_64.iso", State::Downloading)
    };
    let waiting = Row {
        name: "debian-13.5.0-amd64-DVD-1.iso".into(),
        ..because(State::Waiting, "no_peers_known", "no peers yet")
    };
    let queued = Row { done: 0, ..because(State::Queued, "too_many_active", "waiting its turn") };
    let done = Row { done: 6_012_954_214, ..row("done.iso", State::Done) };
    let mut rows =
        vec![row(UBUNTU, State::Downloading), done.clone(), slow, waiting, row("文件.iso", State::Checking)];
    rows.extend((0..8).map(|_| queued.clone()));
    rows.push(done);
    insta::assert_snapshot!(both(&view(rows), 1));
}

#[test]
fn as_many_as_half_of_the_terminal_holds() {
    let rows: Vec<Row> = (0..30).map(|at| row(&format!("{at:02}.iso"), State::Downloading)).collect();
    let view = view(rows);
    let of = |rows| lines(&view, 0, Style::default(), Size { columns: 80, rows });
    for rows in 1..=200 {
        assert!(of(rows).len() < rows.max(2), "{rows}");
        assert!(of(rows).last().unwrap().starts_with("  total  0 of 30 done"), "{rows}");
    }
    let shown = of(24);
    assert_eq!(shown.len(), 12);
    assert!(shown[0].starts_with("  00.iso") && shown[9].starts_with("  09.iso"), "{shown:#?}");
    assert_eq!(shown[10], "  … 20 more: 20 active, 0 queued");
    assert_eq!(of(100).len(), 31);
}

#[test]
fn a_torrent_keeps_its_place_whatever_becomes_of_the_others() {
    let mut rows: Vec<Row> = (0..3).map(|at| row(&format!("{at}.iso"), State::Downloading)).collect();
    rows[0].state = State::Waiting;
    let shown =
        |rows: &[Row]| lines(&view(rows.to_vec()), 0, Style::default(), Size { columns: 80, rows: 24 });
    let before = shown(&rows);
    assert!(before[0].contains("0.iso") && before[2].contains("2.iso"), "{before:#?}");
    rows[1].state = State::Done;
    let after = shown(&rows);
    assert!(after[0].contains("0.iso") && after[1].contains("2.iso"), "{after:#?}");
}

#[test]
fn where_nothing_is_fetched_no_rate_of_it_is_shown() {
    let giving =
        || Row { done: 6_012_954_214, ..because(State::Seeding, "nobody_interested", "nobody asks") };
    let total = |up| {
        let view = View { up, ..view(vec![giving(), giving()]) };
        lines(&view, 0, Style::default(), Size { columns: 80, rows: 24 }).pop().unwrap()
    };
    assert_eq!(total(0.0), "  total  2 of 2 done   100 %   11.2 of 11.2 GiB");
    assert!(total(2048.0).ends_with("   ↑ 2 KiB/s"));
}

#[test]
fn the_total_counts_what_failed_and_takes_the_average_of_all() {
    let rows = vec![row("a", State::Downloading), row("b", State::Queued)];
    let shown = lines(&view(rows), 2, Style::default(), Size { columns: 100, rows: 24 });
    // Both lack the same; one of them moves, and it alone would take 41 s.
    let text = "  total  0 of 4 done, 2 failed   74 %   8.3 of 11.2 GiB   ↓ 38.2 MiB/s   1 min 22 s left";
    assert_eq!(shown.last().unwrap(), text);
}

const ALL: [State; 9] = [
    State::Metadata,
    State::Checking,
    State::Queued,
    State::Downloading,
    State::Waiting,
    State::Seeding,
    State::Done,
    State::Paused,
    State::Error,
];

proptest! {
    #[test]
    fn lines_fit_any_terminal(
        columns in 2_usize..200, rows in 1_usize..60, count in 1_usize..25, at in 0_usize..8, name in "\\PC{0,60}",
        wanted: u64, done: u64, down: f64, active in 0_u64..100, eta: Option<u32>, ascii: bool, lost in 0_usize..2,
    ) {
        let torrents: Vec<Row> = (0..count).map(|i| Row {
            wanted, done, down, up: down, checked: done, to_check: wanted, active: Duration::from_secs(active),
            eta: eta.map(|s| Duration::from_secs(u64::from(s))), ..row(&name, ALL[(at + i) % 8])
        }).collect();
        let view = View { torrents, down, up: down, ..View::default() };
        let shown = lines(&view, lost, Style { ascii, colour: false }, Size { columns, rows });
        prop_assert!(!shown.is_empty() && shown.len() < rows.max(2));
        for line in shown {
            prop_assert!(width(&line) < columns, "{:?} in {}", line, columns);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(!ascii || !name.is_ascii() || line.is_ascii(), "{:?}", line);
        }
    }
}
