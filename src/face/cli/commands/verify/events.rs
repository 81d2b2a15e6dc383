//! The results of a check as JSON events.

use serde::Serialize;

use crate::app::Error;
use crate::face::cli::json::path_hex;
use crate::face::cli::output::Output;

use super::{SCHEMA, Verdict, text};

#[derive(Serialize)]
struct Bad {
    first: u64,
    last: u64,
}

#[derive(Serialize)]
struct File {
    schema: &'static str,
    event: &'static str,
    index: u32,
    path: String,
    size: u64,
    status: &'static str,
    found_size: Option<u64>,
    bad_ranges: Vec<Bad>,
    bad_pieces: Vec<Bad>,
    either_with: Vec<u32>,
}

#[derive(Serialize)]
struct Extra {
    schema: &'static str,
    event: &'static str,
    path: String,
    path_hex: Option<String>,
}

#[derive(Serialize)]
struct Summary {
    schema: &'static str,
    event: &'static str,
    ok: bool,
    code: u8,
    torrent: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    path_hex: Option<String>,
    hashed: bool,
    good: Option<f64>,
    pieces: Option<u32>,
    pieces_good: Option<u32>,
    bytes_bad: Option<u64>,
    files: usize,
    files_bad: usize,
    files_extra: Option<usize>,
}

/// A record for each file, then one for the whole.
pub fn events(verdict: &Verdict<'_>, output: &Output) -> Result<(), Error> {
    for file in &verdict.files {
        let known = &verdict.torrent.files()[file.file.0 as usize];
        output.event(&File {
            schema: SCHEMA,
            event: "file",
            index: file.file.0 + 1,
            path: verdict.place.path(known.path().as_path()).to_string_lossy().into_owned(),
            size: known.len(),
            status: file.status.word(),
            found_size: file.found,
            bad_ranges: file
                .bad
                .iter()
                .map(|range| Bad { first: range.start, last: range.end - 1 })
                .collect(),
            bad_pieces: file
                .pieces
                .iter()
                .map(|range| Bad { first: range.start.into(), last: (range.end - 1).into() })
                .collect(),
            either_with: file.or.iter().map(|other| other.0 + 1).collect(),
        })?;
    }
    for path in verdict.extra.iter().flatten() {
        output.event(&Extra {
            schema: SCHEMA,
            event: "extra",
            path: path.to_string_lossy().into_owned(),
            path_hex: path_hex(path),
        })?;
    }
    let ok = verdict.all_good();
    let own = verdict.place.own(verdict.torrent);
    let hashed = !verdict.quick;
    let own = std::path::absolute(&own).unwrap_or(own);
    output.event(&Summary {
        schema: SCHEMA,
        event: "summary",
        ok,
        code: u8::from(!ok),
        torrent: verdict.torrent.info_hash().to_string(),
        path: own.to_string_lossy().into_owned(),
        path_hex: path_hex(&own),
        hashed,
        good: hashed.then(|| text::part_good(verdict)),
        pieces: hashed.then(|| verdict.asked.count()),
        pieces_good: hashed.then(|| verdict.good.count()),
        bytes_bad: hashed.then(|| verdict.bad_bytes()),
        files: verdict.files.len(),
        files_bad: text::bad_files(verdict),
        files_extra: verdict.extra.as_ref().map(Vec::len),
    })
}
