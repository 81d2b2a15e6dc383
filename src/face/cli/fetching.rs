//! Torrents as arguments: read, and a slow fetch from the web is reported.

use std::cell::Cell;
use std::path::Path;
use std::time::{Duration, Instant};

use super::output::{Output, Progress};
use crate::app::Error;
use crate::app::input::{self, FetchWatch, Reading, Torrent};
use crate::app::submission::SubmissionWatch;
use crate::base::units;

/// How long nothing is said of a fetch.
const SILENCE: Duration = Duration::from_secs(2);

/// Says that a fetch is slow: as a line that is redrawn, or once where others have the screen.
#[derive(Debug)]
pub struct Fetching<'a> {
    output: &'a Output,
    live: bool,
    begun: Instant,
    told: Cell<bool>,
}

impl<'a> Fetching<'a> {
    /// Begins; `alone` where nothing else draws on the screen meanwhile.
    pub fn new(output: &'a Output, alone: bool) -> Self {
        let live = alone && output.progress == Progress::Bar;
        Self { output, live, begun: Instant::now(), told: Cell::new(false) }
    }
}

impl FetchWatch for Fetching<'_> {
    fn received(&self, address: &str, received: u64, size: Option<u64>) {
        if self.begun.elapsed() < SILENCE {
            return;
        }
        let amount = match (received, size) {
            (0, _) => "no answer yet".to_owned(),
            (got, Some(size)) => format!("{} of {}", units::size(got), units::size(size)),
            (got, None) => units::size(got),
        };
        if self.live {
            let room = self.output.columns().saturating_sub(1);
            let line = format!("  fetching {address}  {amount}");
            self.output.live.draw(vec![self.output.err.fit_line(&line, room)]);
            self.told.set(true);
        } else if !self.told.replace(true) && self.output.progress != Progress::None {
            self.output.say(&format!("fetching {address}: {amount}"));
        }
    }

    fn ended(&self) {
        if self.live && self.told.get() {
            self.output.live.erase();
        }
    }
}

/// Warnings and fetches of submissions, on this output.
pub struct SubmissionReport {
    /// The output of the command.
    pub output: Output,
    /// Nothing else draws on the screen while torrent files are fetched.
    pub alone: bool,
}

impl SubmissionWatch for SubmissionReport {
    fn warn(&self, text: &str) {
        self.output.warn(text);
    }

    fn watch_fetch(&self) -> Box<dyn FetchWatch + '_> {
        Box::new(Fetching::new(&self.output, self.alone))
    }
}

/// Reads a torrent while nothing else is to be done; see [`input::read`].
pub fn torrent(argument: &Path, output: &Output) -> Result<Torrent, Error> {
    input::read(argument, &Reading { bind: None, watch: &Fetching::new(output, true) })
}

/// The bytes of a torrent, read while nothing else is to be done; see [`input::bytes`].
pub fn bytes(argument: &Path, output: &Output) -> Result<Vec<u8>, Error> {
    input::bytes(argument, &Reading { bind: None, watch: &Fetching::new(output, true) })
}
