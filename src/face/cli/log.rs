//! Log lines on standard error, for `-v` and `TORR_LOG`.

use std::io;

use tracing_subscriber::EnvFilter;

use super::output::Output;

/// Starts the log: `TORR_LOG` decides if it is set, otherwise the number of `-v`.
pub fn start(verbose: u8, output: &Output) {
    let level = match verbose {
        _ if output.quiet > 0 => "off",
        0 => "warn",
        1 => "info",
        2 => "debug",
        _ => "trace",
    };
    let chosen = std::env::var("TORR_LOG").ok().filter(|text| !text.is_empty());
    let filter =
        chosen.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let live = output.live.clone();
    // A second start, as tests in one process may make, leaves the first log in place.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(move || Above(live.clone()))
        .try_init();
}

/// Writes each log line above whatever is redrawn at the bottom of the terminal.
struct Above(super::progress::live::Live);

impl io::Write for Above {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let clean: Vec<String> = text.lines().map(|line| crate::base::Untrusted::new(line).clean()).collect();
        self.0.above(&format!("{}\n", clean.join("\n")));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
