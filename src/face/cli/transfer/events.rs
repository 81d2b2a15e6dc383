//! JSON events of transfers.

use serde::Serialize;

use crate::app::door::{DifferentFile, Reason, Row, State, Treatment};
use crate::base::{InfoHashes, Untrusted};
use crate::face::cli::json::path_hex;
use crate::face::cli::progress::amounts::eta_known;

use std::path::Path;

/// The event of a torrent's metadata.
#[derive(Serialize)]
pub struct Metadata {
    schema: &'static str,
    event: &'static str,
    torrent: String,
    name: String,
    size: u64,
    files: u64,
}

/// The event of a new torrent.
pub fn metadata(
    schema: &'static str,
    torrent: InfoHashes,
    name: &Untrusted,
    size: u64,
    files: u64,
) -> Metadata {
    Metadata {
        schema,
        event: "metadata",
        torrent: torrent.to_string(),
        name: name.raw().to_owned(),
        size,
        files,
    }
}

/// How far a torrent is.
#[derive(Serialize)]
pub struct Progress {
    schema: &'static str,
    event: &'static str,
    torrent: String,
    state: &'static str,
    reason: &'static str,
    progress: Option<f64>,
    done: u64,
    size: Option<u64>,
    down: u64,
    up: u64,
    eta_s: Option<u64>,
    peers: u32,
    seeds: u32,
    reason_text: String,
    sent: u64,
    ratio: Option<f64>,
}

/// The event of progress.
pub fn progress(schema: &'static str, row: &Row) -> Progress {
    Progress {
        schema,
        event: "progress",
        torrent: row.info_hashes.to_string(),
        state: row.state.word(),
        reason: row.reason.word,
        progress: known(row).map(|row| thousandths(row.progress())),
        done: row.done,
        size: known(row).map(|row| row.wanted),
        down: row.down.max(0.0) as u64,
        up: row.up.max(0.0) as u64,
        eta_s: eta_known(row.eta, row.down, row.active).map(|eta| eta.as_secs()),
        peers: row.peers,
        seeds: row.seeds,
        reason_text: row.reason.text.clone(),
        sent: row.sent,
        ratio: known(row).map(|row| thousandths(row.ratio())),
    }
}

/// The row, if it is known how large its torrent is.
fn known(row: &Row) -> Option<&Row> {
    Some(row).filter(|row| row.state != State::Metadata)
}

/// The event of progress with which a torrent ends; the row is the last one that was seen, if any was.
pub fn last(
    schema: &'static str,
    torrent: InfoHashes,
    size: Option<u64>,
    row: Option<&Row>,
    state: State,
    reason: Reason,
) -> Progress {
    let seen = row.and_then(known);
    // What was never seen has not begun.
    let share = |of: fn(&Row) -> f64| seen.map(of).or(size.map(|_| 0.0)).map(thousandths);
    Progress {
        schema,
        event: "progress",
        torrent: torrent.to_string(),
        state: state.word(),
        reason: reason.word,
        progress: share(Row::progress),
        done: row.map_or(0, |row| row.done),
        size: seen.map(|row| row.wanted).or(size),
        down: 0,
        up: 0,
        eta_s: None,
        peers: 0,
        seeds: 0,
        reason_text: reason.text,
        sent: row.map_or(0, |row| row.sent),
        ratio: share(Row::ratio),
    }
}

/// An existing file differs from its torrent.
#[derive(Serialize)]
pub struct Different {
    schema: &'static str,
    event: &'static str,
    torrent: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    ranges: Vec<ByteRange>,
    bytes: u64,
    treatment: &'static str,
    backup: Option<String>,
}

/// A range of bytes with its last one.
#[derive(Serialize)]
struct ByteRange {
    first: u64,
    last: u64,
}

/// The event of an existing file that differs.
pub fn different(
    schema: &'static str,
    torrent: InfoHashes,
    file: &DifferentFile,
    treatment: &Treatment,
) -> Different {
    let (treatment, backup) = match treatment {
        Treatment::Refused => ("refused", None),
        Treatment::Replaced => ("replaced", None),
        Treatment::BackedUp(backup) => ("backed_up", Some(backup.to_string_lossy().into_owned())),
    };
    Different {
        schema,
        event: "different",
        torrent: torrent.to_string(),
        path: file.path.to_string_lossy().into_owned(),
        path_hex: path_hex(&file.path),
        ranges: file
            .ranges
            .iter()
            .map(|range| ByteRange { first: range.start, last: range.end - 1 })
            .collect(),
        bytes: file.bytes(),
        treatment,
        backup,
    }
}

/// A torrent is complete.
#[derive(Serialize)]
pub struct Done {
    schema: &'static str,
    event: &'static str,
    torrent: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    seconds: u64,
    verified: bool,
}

/// The event of completion.
pub fn done(schema: &'static str, torrent: InfoHashes, path: &Path, seconds: u64, verified: bool) -> Done {
    Done {
        schema,
        event: "done",
        torrent: torrent.to_string(),
        path: path.to_string_lossy().into_owned(),
        path_hex: path_hex(path),
        seconds,
        verified,
    }
}

/// The end of the command.
#[derive(Serialize)]
pub struct Summary {
    /// The schema.
    pub schema: &'static str,
    /// `summary`.
    pub event: &'static str,
    /// All went well.
    pub ok: bool,
    /// The exit code.
    pub code: u8,
    /// How many ended well.
    pub done: usize,
    /// How many did not.
    pub failed: usize,
}

/// Cut to three digits after the point, so that 1 is said only when it is true.
fn thousandths(value: f64) -> f64 {
    if value.is_finite() { (value * 1000.0).floor() / 1000.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::json;
    use crate::face::cli::progress::screen::tests::row;

    #[test]
    fn events_are_as_promised() {
        let id = InfoHashes::from_v1([8; 20]);
        let hash = "08".repeat(20);
        assert_eq!(
            json::line(&metadata("torr.get/1", id, &"ubuntu".into(), 6_012_954_214, 1)),
            format!(
                r#"{{"schema":"torr.get/1","event":"metadata","torrent":"{hash}","name":"ubuntu","size":6012954214,"files":1}}"#
            )
        );
        let text = json::line(&progress("torr.get/1", &row("ubuntu", State::Downloading)));
        let start = format!(
            r#"{{"schema":"torr.get/1","event":"progress","torrent":"{hash}","state":"downloading","reason":"ok","progress":0.743,"done":4467625984,"size":6012954214,"down":40055603,"up":1153433,"eta_s":41,"peers":62,"seeds":48"#
        );
        assert!(text.starts_with(&start), "{text}");
        let text = json::line(&progress("torr.get/1", &row("ubuntu", State::Metadata)));
        assert!(text.contains(r#""progress":null,"done":"#) && text.contains(r#""size":null,"#), "{text}");
        assert!(text.ends_with(r#""ratio":null}"#), "{text}");
        assert_eq!(
            json::line(&done("torr.get/1", id, Path::new("/home/u/iso/ubuntu.iso"), 166, true)),
            format!(
                r#"{{"schema":"torr.get/1","event":"done","torrent":"{hash}","path":"/home/u/iso/ubuntu.iso","seconds":166,"verified":true}}"#
            )
        );
        let summary =
            Summary { schema: "torr.get/1", event: "summary", ok: true, code: 0, done: 1, failed: 0 };
        assert_eq!(
            json::line(&summary),
            r#"{"schema":"torr.get/1","event":"summary","ok":true,"code":0,"done":1,"failed":0}"#
        );
    }
}
