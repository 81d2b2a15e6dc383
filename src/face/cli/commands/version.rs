//! `torr version`.

use serde::Serialize;

use crate::app::{self, Error};
use crate::base::PeerId;
use crate::face::cli::args::global::GlobalArgs;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

/// The version of the program, and the facts about its build.
#[derive(Serialize)]
struct Version {
    schema: &'static str,
    name: &'static str,
    version: &'static str,
    /// Where the source is known: the commit it was built from.
    commit: Option<&'static str>,
    rustc: Option<&'static str>,
    target: Option<&'static str>,
    profile: Option<&'static str>,
    /// The optional features of the build.
    features: Vec<&'static str>,
    /// How this processor hashes.
    hashing: String,
    /// The beginning of the ids by which it names itself to peers.
    peer_id: String,
    licence: &'static str,
}

/// Prints the version; with `-v` or `--json` also what it was built with.
pub fn run(global: &GlobalArgs, output: &Output) -> Result<Exit, Error> {
    let version = version();
    if output.json {
        output.event(&version)?;
    } else if global.verbose == 0 {
        output.line(&format!("torr {}", version.version))?;
    } else {
        output.data(text(&version, output.plain).as_bytes())?;
    }
    Ok(Exit::Done)
}

fn version() -> Version {
    Version {
        schema: "torr.version/1",
        name: "torr",
        version: env!("CARGO_PKG_VERSION"),
        commit: known(env!("TORR_COMMIT")),
        rustc: known(env!("TORR_RUSTC")),
        target: known(env!("TORR_TARGET")),
        profile: known(env!("TORR_PROFILE_NAME")),
        features: if cfg!(debug_assertions) { vec!["debug-assertions"] } else { Vec::new() },
        hashing: app::hashing(),
        peer_id: String::from_utf8_lossy(&PeerId::CLIENT).into_owned(),
        licence: env!("CARGO_PKG_LICENSE"),
    }
}

fn known(text: &'static str) -> Option<&'static str> {
    Some(text).filter(|text| !text.is_empty())
}

fn text(version: &Version, plain: bool) -> String {
    let features = version.features.join(", ");
    let rows = [
        ("version", Some(version.version)),
        ("commit", version.commit),
        ("rustc", version.rustc),
        ("target", version.target),
        ("profile", version.profile),
        ("features", Some(features.as_str()).filter(|text| !text.is_empty())),
        ("hashing", Some(version.hashing.as_str())),
        ("peer id", Some(version.peer_id.as_str())),
        ("licence", Some(version.licence)),
    ];
    let row = |(name, value): &(&str, Option<&str>)| match value {
        value if plain => format!("{name}\t{}\n", value.unwrap_or_default()),
        value => format!("{name:>9}  {}\n", value.unwrap_or("-")),
    };
    let rows: String = rows.iter().map(row).collect();
    if plain {
        rows
    } else {
        format!("torr {}\n{}", version.version, rows.split_once('\n').unwrap_or_default().1)
    }
}
