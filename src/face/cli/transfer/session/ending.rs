//! The end: after the last torrent, or by a signal.

use std::time::Duration;

use tokio::time::timeout;

use super::super::{Verb, notices, summary};
use super::{Running, Session, row};
use crate::app::Error;
use crate::app::door::{Door, State, View};
use crate::base::{TorrentId, units};
use crate::face::cli::exit::Exit;
use crate::face::cli::signals::Signals;

/// The longest an orderly end may take.
const STOP: Duration = Duration::from_secs(2);

/// Ends the engine in good order, but never waits long, and not at all after a second signal.
pub(super) async fn stop(door: &Door, signals: &mut Signals) {
    tokio::select! {
        _ = timeout(STOP, door.stop()) => {}
        _ = signals.next() => {}
    }
}

impl Session<'_> {
    pub(super) fn ended(&self) -> Result<Exit, Error> {
        let exit = self.outcomes.exit();
        self.reporter.farewell(&self.outcomes, self.begun.elapsed());
        summary(self.verb, &self.outcomes, exit, self.output)?;
        Ok(exit)
    }

    /// Says what was kept, and how to go on, by the views `before` the engine was stopped and after.
    pub(super) fn interrupted(&mut self, exit: Exit, before: &View, view: &View) -> Result<Exit, Error> {
        let done = |id: &TorrentId| row(view, *id).map_or(0, |row| row.done);
        // By its events: a view may be older.
        let is_open = |running: &Running| !running.over && running.path.is_none();
        let open = self.running.iter().filter(|(_, running)| is_open(running));
        let mut unfinished: Vec<_> = open.map(|(id, _)| (done(id), self.reporter.size(*id))).collect();
        // Nothing came of those that are still looked for.
        unfinished.extend(std::iter::repeat_n((0, 0), self.searches.count()));
        if self.verb == Verb::Get {
            for running in self.running.values_mut().filter(|running| running.path.is_some() && !running.over)
            {
                running.over = true;
                self.outcomes.done();
            }
        }
        let checking = |id: &TorrentId| row(before, *id).is_some_and(|row| row.state == State::Checking);
        let checked_only = self.running.iter().any(|(id, running)| is_open(running) && checking(id));
        if exit == Exit::Pipe {
            // Nobody is there to be told.
        } else if self.running.is_empty() && self.outcomes.done == 0 {
            self.output.say(notices::NOTHING_BEGUN);
        } else if checked_only && self.outcomes.done == 0 {
            self.output.say(notices::CUT_OFF_WHILE_CHECKING);
        } else if self.verb == Verb::Get && !unfinished.is_empty() {
            self.output.say(&notices::cut_off(&unfinished, self.outcomes.done));
        } else if self.running.values().any(|running| running.torrent.is_seeded()) {
            let sent = view.torrents.iter().map(|row| row.sent).sum();
            self.output.say(&format!("stopped: uploaded {} in this run", units::size(sent)));
        }
        summary(self.verb, &self.outcomes, exit, self.output)?;
        Ok(exit)
    }
}
