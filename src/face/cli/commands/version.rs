//! `torr version`.

use serde::Serialize;

use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::Output;

/// Prints the version.
pub fn run(output: &Output) -> Result<Exit, Failure> {
    #[derive(Serialize)]
    struct Version {
        schema: &'static str,
        name: &'static str,
        version: &'static str,
    }
    let version = env!("CARGO_PKG_VERSION");
    if output.json {
        output.event(&Version { schema: "torr.version/1", name: "torr", version })?;
    } else {
        output.line(&format!("torr {version}"))?;
    }
    Ok(Exit::Done)
}
