//! Standard error, below everything that writes to it.

use std::io::{self, Write};

/// Writes to standard error as it is; if nobody reads, nobody misses it.
pub fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}
