//! The `torr` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    torr::face::cli::main()
}
