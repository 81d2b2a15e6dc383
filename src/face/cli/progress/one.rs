//! One torrent on a terminal.

use crate::app::door::{Detail, Row, State};
use crate::base::units;
use crate::face::cli::style::{Style, pad_left, width};

use super::amounts::{eta_text, left, of, percent, percent_fine, span};
use super::layout::{joined, share};
use super::status::{self, moves};

/// The longest a bar gets, in columns.
const BAR: usize = 46;

/// Its name, a bar, and how it fares. One that only gives needs no bar.
pub(super) fn lines(row: &Row, detail: Option<&Detail>, style: Style, room: usize) -> Vec<String> {
    if row.state == State::Seeding {
        let mut parts = giving(row, detail, style);
        // The first and the last say the most.
        while parts.len() > 2 && width(&parts.join("   ")) >= room {
            parts.remove(parts.len() - 2);
        }
        return vec![format!(" {}", joined(&parts, "   ", room.saturating_sub(1)))];
    }
    if row.state == State::Metadata {
        return seeking(row, style, room);
    }
    let (part, amount, after) = match row.state {
        State::Checking => (
            share(row.checked, row.to_check),
            of(row.checked, row.to_check, " of "),
            row.eta.map_or_else(String::new, |eta| format!("{} left", span(eta))),
        ),
        State::Downloading => {
            (row.progress(), of(row.done, row.wanted, " of "), left(row.eta, row.down, row.active))
        }
        _ => (row.progress(), of(row.done, row.wanted, " of "), String::new()),
    };
    let facts = format!("  {}   {amount}   {after}", pad_left(&percent_fine(part), 6));
    let facts = facts.trim_end();
    let bar = style.bar(part, room.saturating_sub(2 + width(facts)).min(BAR));
    vec![style.fit(&row.name, room), format!("  {bar}{facts}"), format!("  {}", under(row, style))]
}

/// Its name, and who was asked for the rest, in two lines where one does not hold it.
fn seeking(row: &Row, style: Style, room: usize) -> Vec<String> {
    let mut lines = vec![style.fit(&row.name, room)];
    let reason = status::reason(row);
    match reason.split_once(": ") {
        Some((what, who)) if width(&reason) + 2 > room => {
            lines.extend([format!("  {what}:"), format!("  {who}")]);
        }
        _ => lines.push(format!("  {reason}")),
    }
    lines
}

/// The line below the bar: rates while bytes move, the reason while they do not.
fn under(row: &Row, style: Style) -> String {
    match row.state {
        State::Downloading if moves(row) => {
            let (down, up) = (units::rate(row.down), units::rate(row.up));
            format!("{} {down}   {} {up}   {}", style.down(), style.up(), status::peers(row))
        }
        State::Checking => "checking files that were already there".to_owned(),
        _ => status::reason(row),
    }
}

/// How giving goes.
fn giving(row: &Row, detail: Option<&Detail>, style: Style) -> Vec<String> {
    let who = match detail.filter(|detail| detail.id == row.id).map(|detail| detail.peers.as_slice()) {
        Some([only]) => format!("1 peer ({})", percent(only.progress)),
        _ => units::plural(u64::from(row.peers), "peer", "peers"),
    };
    let mut parts = if moves(row) {
        vec![format!("{} {}", style.up(), units::rate(row.up)), who]
    } else {
        vec![status::reason(row)]
    };
    parts.push(format!("sent {}", units::size(row.sent)));
    parts.push(format!("ratio {:.2}", row.ratio()));
    parts.push("Ctrl-C stops".to_owned());
    parts
}

/// All of it in one line.
pub(super) fn narrow(row: &Row, style: Style, room: usize) -> String {
    let part = percent(row.progress());
    let facts = match row.state {
        State::Downloading if moves(row) => {
            let eta = eta_text(row.eta, row.down, row.active).unwrap_or_default();
            joined(&[part, units::rate(row.down), eta], " ", room)
        }
        State::Checking => {
            joined(&[percent(share(row.checked, row.to_check)), "checking".to_owned()], " ", room)
        }
        State::Seeding if moves(row) => joined(
            &[format!("{} {}", style.up(), units::rate(row.up)), format!("ratio {:.2}", row.ratio())],
            " ",
            room,
        ),
        // The reason is worth more than the name.
        _ => {
            let name = if room < 40 { String::new() } else { format!("{} ", style.fit(&row.name, room / 4)) };
            let nothing_yet = matches!(row.state, State::Seeding | State::Metadata);
            let part = if nothing_yet { String::new() } else { part + " " };
            return format!("{name}{part}{}", status::brief(row));
        }
    };
    let rest = room.saturating_sub(width(&facts) + 1);
    if rest < 8 { facts } else { format!("{} {facts}", style.fit(&row.name, rest)) }
}
