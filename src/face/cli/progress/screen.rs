//! Transfers as lines for a terminal.

use crate::base::units;
use crate::engine::{Row, State, View};
use crate::face::cli::style::{Style, pad, pad_left, width};

use super::amounts::{self, eta_text, left, of, percent, percent_fine};

/// Below this many columns one torrent gets one line.
const NARROW: usize = 60;
/// The most torrents that get a line of their own.
const MOST_ROWS: usize = 10;

/// The whole session: three lines for one torrent (one on a narrow terminal), otherwise a line for
/// each that is of interest and a grand total. No line is wider than `columns` less one, for a
/// terminal breaks the line after its last column.
pub fn lines(view: &View, style: Style, columns: usize) -> Vec<String> {
    let room = columns.saturating_sub(1).max(1);
    let lines = match view.torrents.as_slice() {
        [] => Vec::new(),
        [row] if columns < NARROW => vec![narrow(row, style, room)],
        [row] => single(row, style, room),
        rows => several(rows, view, style, room),
    };
    lines.into_iter().map(|line| style.fit_line(&style.own(&line), room)).collect()
}

fn single(row: &Row, style: Style, room: usize) -> Vec<String> {
    let name = style.fit(&row.name, room);
    let (part, amount, after) = match row.state {
        State::Checking => (
            share(row.checked, row.wanted),
            of(row.checked, row.wanted, " of "),
            "checking what is there".to_owned(),
        ),
        State::Downloading => {
            (row.progress(), of(row.done, row.wanted, " of "), left(row.eta, row.down, row.active))
        }
        _ => (row.progress(), of(row.done, row.wanted, " of "), String::new()),
    };
    let facts = format!("  {}   {amount}   {after}", pad_left(&percent_fine(part), 6));
    let facts = facts.trim_end().to_owned();
    let bar = style.bar(part, room.saturating_sub(2 + width(&facts)).min(46));
    vec![name, format!("  {bar}{facts}"), format!("  {}", status(row, style))]
}

/// What the third line says: rates while bytes move, the reason while they do not.
fn status(row: &Row, style: Style) -> String {
    let (down, up) = (units::rate(row.down), units::rate(row.up));
    match row.state {
        State::Downloading => format!("{} {down}   {} {up}   {}", style.down(), style.up(), peers(row)),
        State::Seeding => format!(
            "{} {up}   {}   sent {}   ratio {:.2}   Ctrl-C stops",
            style.up(),
            peers(row),
            units::size(row.sent),
            row.ratio()
        ),
        state => match row.reason.text.as_str() {
            "" => state.word().to_owned(),
            text => format!("{}: {text}", state.word()),
        },
    }
}

fn peers(row: &Row) -> String {
    let peers = units::plural(u64::from(row.peers), "peer", "peers");
    match row.seeds {
        0 => peers,
        1 => format!("{peers}, 1 of them a seed"),
        seeds => format!("{peers}, {seeds} of them seeds"),
    }
}

fn narrow(row: &Row, style: Style, room: usize) -> String {
    let facts = match row.state {
        State::Downloading => {
            let eta = eta_text(row.eta, row.down, row.active).unwrap_or_default();
            format!("{} {} {eta}", percent(row.progress()), units::rate(row.down))
        }
        State::Checking => format!("{} checking", percent(share(row.checked, row.wanted))),
        State::Seeding => format!("{} {} ratio {:.2}", style.up(), units::rate(row.up), row.ratio()),
        state => format!("{} {}", percent(row.progress()), state.word()),
    };
    let facts = facts.trim_end();
    let rest = room.saturating_sub(width(facts) + 1);
    if rest < 8 { facts.to_owned() } else { format!("{} {facts}", style.fit(&row.name, rest)) }
}

fn several(rows: &[Row], view: &View, style: Style, room: usize) -> Vec<String> {
    let ended = |row: &Row| matches!(row.state, State::Done | State::Seeding | State::Error);
    let mut shown: Vec<&Row> =
        rows.iter().filter(|row| matches!(row.state, State::Downloading | State::Checking)).collect();
    shown.extend(rows.iter().filter(|row| row.state == State::Waiting));
    shown.extend(rows.iter().filter(|row| row.state == State::Seeding));
    let hidden = shown.len().saturating_sub(MOST_ROWS);
    shown.truncate(MOST_ROWS);
    let mut lines: Vec<String> = shown.iter().map(|row| one_of_several(row, style, room)).collect();
    let queued = rows.iter().filter(|row| matches!(row.state, State::Queued | State::Paused)).count();
    match (hidden, queued) {
        (0, 0) => {}
        (hidden, queued) => {
            lines.push(format!("  … {} more: {hidden} active, {queued} queued", hidden + queued));
        }
    }
    lines.push(total(
        rows,
        rows.iter().filter(|row| ended(row) && row.state != State::Error).count(),
        view,
        style,
        room,
    ));
    lines
}

fn one_of_several(row: &Row, style: Style, room: usize) -> String {
    let facts = match row.state {
        State::Downloading if room < NARROW => {
            format!("{} {}", pad_left(&percent(row.progress()), 5), pad_left(&units::rate(row.down), 10))
        }
        State::Downloading => {
            let bar = if room >= 79 { format!("{}  ", style.bar(row.progress(), 11)) } else { String::new() };
            let eta = eta_text(row.eta, row.down, row.active).unwrap_or_else(|| "-".to_owned());
            format!(
                "{}  {bar}{}  {}",
                pad_left(&percent(row.progress()), 5),
                pad_left(&units::rate(row.down), 10),
                pad_left(&eta, 10)
            )
        }
        State::Checking => format!("{}  checking", pad_left(&percent(share(row.checked, row.wanted)), 5)),
        State::Seeding => format!("{} {}  ratio {:.2}", style.up(), units::rate(row.up), row.ratio()),
        state => format!("{}: {}", state.word(), row.reason.text),
    };
    let column = match row.state {
        State::Downloading => room.saturating_sub(width(&facts) + 4),
        _ => room / 2,
    };
    if column < 8 {
        return format!("  {facts}");
    }
    format!("  {}  {facts}", pad(&style.fit(&row.name, column), column))
}

fn total(rows: &[Row], finished: usize, view: &View, style: Style, room: usize) -> String {
    let sum = |pick: fn(&Row) -> u64| rows.iter().fold(0_u64, |sum, row| sum.saturating_add(pick(row)));
    let (done, wanted) = (sum(|row| row.done), sum(|row| row.wanted));
    let missing = wanted.saturating_sub(done);
    if room < NARROW {
        let (part, rate) = (percent(share(done, wanted)), units::rate(view.down));
        return format!("  total  {finished} of {}   {part}   {} {rate}", rows.len(), style.down());
    }
    let mut text = format!(
        "  total  {finished} of {} done   {}   {}   {} {}",
        rows.len(),
        percent(share(done, wanted)),
        of(done, wanted, " of "),
        style.down(),
        units::rate(view.down)
    );
    let oldest = rows.iter().map(|row| row.active).max().unwrap_or_default();
    let eta = (view.down >= 1.0).then(|| std::time::Duration::from_secs((missing as f64 / view.down) as u64));
    if missing > 0
        && let Some(eta) = amounts::eta_text(eta, view.down, oldest)
    {
        text.push_str(&format!("   {eta} left"));
    }
    text
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
pub(in crate::face::cli) mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::base::InfoHash;
    use crate::engine::Reason;

    /// A download in full swing.
    pub(in crate::face::cli) fn row(name: &str, state: State) -> Row {
        Row {
            id: InfoHash::v1([8; 20]),
            name: name.into(),
            state,
            reason: Reason { word: "ok", text: "no peers yet".to_owned() },
            wanted: 6_012_954_214,
            done: 4_467_625_984,
            checked: 1 << 30,
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

    fn view(torrents: Vec<Row>) -> View {
        View { torrents, down: 43_307_000.0, ..View::default() }
    }

    #[test]
    fn one_torrent_has_name_bar_and_rates() {
        let view = view(vec![row("ubuntu-26.04-desktop-amd64.iso", State::Downloading)]);
        let shown = lines(&view, Style::default(), 84);
        assert_eq!(
            shown,
            [
                "ubuntu-26.04-desktop-amd64.iso",
                "  ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━╸───────────  74.3 %   4.16 of 5.6 GiB   41 s left",
                "  ↓ 38.2 MiB/s   ↑ 1.1 MiB/s   62 peers, 48 of them seeds",
            ]
        );
        assert_eq!(lines(&view, Style::default(), 40), ["ubuntu-26.04-desk… 74 % 38.2 MiB/s 41 s"]);
        assert_eq!(lines(&view, Style::default(), 21), ["74 % 38.2 MiB/s 41 s"]);
    }

    #[test]
    fn when_nothing_moves_the_reason_stands_there() {
        let shown = lines(&view(vec![row("a", State::Waiting)]), Style::default(), 80);
        assert_eq!(shown[2], "  waiting: no peers yet");
    }

    #[test]
    fn several_have_a_line_each_and_a_total() {
        let mut rows = vec![row("ubuntu.iso", State::Downloading), row("debian.iso", State::Waiting)];
        rows.extend((0..3).map(|_| row("later.iso", State::Queued)));
        rows.push(row("done.iso", State::Done));
        let shown = lines(&view(rows), Style::default(), 80);
        assert_eq!(shown.len(), 4, "{shown:#?}");
        assert!(
            shown[0].starts_with("  ubuntu.iso  ") && shown[0].ends_with("38.2 MiB/s        41 s"),
            "{shown:#?}"
        );
        assert!(shown[1].contains("waiting: no peers yet"));
        assert_eq!(shown[2], "  … 3 more: 0 active, 3 queued");
        assert_eq!(shown[3], "  total  1 of 6 done   74 %   25 of 33.6 GiB   ↓ 41.3 MiB/s   3 min 34 s left");
    }

    #[test]
    fn several_keep_their_names_on_a_narrow_terminal() {
        let shown = lines(
            &view(vec![row("ubuntu.iso", State::Downloading), row("debian.iso", State::Done)]),
            Style::default(),
            40,
        );
        assert_eq!(
            shown,
            ["  ubuntu.iso           74 % 38.2 MiB/s", "  total  1 of 2   74 %   ↓ 41.3 MiB/s"]
        );
    }

    #[test]
    fn ascii_is_ascii() {
        for state in ALL {
            for count in [1, 3, 30] {
                let view = view((0..count).map(|_| row("plain", state)).collect());
                for line in lines(&view, Style { ascii: true, colour: false }, 70) {
                    assert!(line.is_ascii(), "{line}");
                }
            }
        }
    }

    const ALL: [State; 8] = [
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
            columns in 2_usize..200, count in 1_usize..25, at in 0_usize..8, name in "\\PC{0,60}",
            wanted: u64, done: u64, down: f64, active in 0_u64..100, eta: Option<u32>, ascii: bool,
        ) {
            let rows: Vec<Row> = (0..count).map(|i| Row {
                wanted, done, down, up: down, checked: done, active: Duration::from_secs(active),
                eta: eta.map(|s| Duration::from_secs(u64::from(s))), ..row(&name, ALL[(at + i) % 8])
            }).collect();
            let shown = lines(&View { torrents: rows, down, ..View::default() }, Style { ascii, colour: false }, columns);
            prop_assert!(shown.len() <= MOST_ROWS + 2);
            for line in shown {
                prop_assert!(width(&line) < columns, "{:?} in {}", line, columns);
                prop_assert!(!line.chars().any(char::is_control));
            }
        }
    }
}
