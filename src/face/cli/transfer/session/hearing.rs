//! Handling of the engine's events.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::super::Verb;
use super::super::notices::Finish;
use super::super::seed_command::seed_command;
use super::{Session, row};
use crate::app::door::{Command, Door, Event, FaultKind, FaultRemedy, Reason, Row, State, View};
use crate::app::quoted;
use crate::app::source_watch::{self, Change};
use crate::app::submission::SubmittedTorrent;
use crate::app::{Error, ErrorKind};
use crate::base::{TorrentId, units};

impl Session<'_> {
    pub(super) fn hear(&mut self, event: Event, door: &Door) -> Result<(), Error> {
        match event {
            Event::Added { id, info_hashes, name, size, files } => {
                self.reporter.set_info_hashes(id, info_hashes);
                self.reporter.added(id, &name, size, files.into())
            }
            Event::Metadata { id, info_hashes, metainfo } => {
                self.reporter.set_info_hashes(id, info_hashes);
                self.searches.found(id, *metainfo);
                Ok(())
            }
            Event::Checked { id, have } => {
                self.reporter.checked(id, have);
                if let Some(running) = self.running.get_mut(&id) {
                    running.found = have;
                }
                Ok(())
            }
            Event::Different { id, file, treatment } => self.reporter.different(id, &file, &treatment),
            Event::Finished { id, path, received, took } => {
                self.complete(id, &path, received, took)?;
                match self.running.get(&id) {
                    Some(running) => {
                        self.links.tell(running.torrent.info_hashes, door.view().port, self.output)
                    }
                    None => Ok(()),
                }
            }
            Event::Done { id } => self.over(id, door),
            Event::Failed { id, fault } => {
                let mut failure = Error::from(fault.clone());
                failure.torrent = self.reporter.info_hashes(id);
                if fault.kind == FaultKind::FilesMissing
                    && let Some(running) = self.running.get(&id)
                {
                    failure = failure.hint(repair(&running.torrent));
                }
                if fault.remedy == Some(FaultRemedy::TreatDifferent) {
                    self.output.live.erase();
                    match self.questions.ask(id, failure) {
                        Ok(()) => return Ok(()),
                        Err(back) => failure = back,
                    }
                }
                // A torrent that was waited for in vain has no last state.
                if fault.kind != FaultKind::NoMetadata {
                    let reason = Reason { word: fault.kind.reason(), text: fault.message };
                    self.reporter.last(id, row(&door.view(), id), State::Error, reason)?;
                }
                if self.searches.give_up(id) {
                    self.lost(id, &failure);
                } else {
                    self.fail(id, &failure);
                }
                Ok(())
            }
            Event::Note { id, text } => {
                self.reporter.note(id, &text);
                Ok(())
            }
        }
    }

    /// Every wanted piece is there.
    pub(super) fn complete(
        &mut self,
        id: TorrentId,
        path: &Path,
        received: u64,
        took: Duration,
    ) -> Result<(), Error> {
        let Some(running) = self.running.get_mut(&id) else { return Ok(()) };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        running.path = Some(path.clone());
        let torrent = &running.torrent;
        if self.verb == Verb::Seed {
            return self.reporter.seeding(id, torrent, &path, running.until());
        }
        let finish = Finish {
            torrent,
            path: &path,
            size: self.reporter.size(id),
            received,
            took,
            verified: !running.trusting || running.found == 0,
            seed_command: seed_command(torrent, &self.settings),
        };
        self.reporter.finished(id, &finish)?;
        let begun = self.hooks.start(running.torrent.info_hashes, &running.torrent.name, &path);
        self.hook_ended(begun);
        Ok(())
    }

    /// A file is no longer what was hashed: nobody can take what it has become.
    pub(super) fn changed(&mut self, id: TorrentId, change: &Change, door: &Door) -> Result<(), Error> {
        let Some(running) = self.running.get(&id).filter(|running| !running.over) else { return Ok(()) };
        let torrent = running.torrent.info_hashes;
        let Some(given) = self.links.given.get(&torrent) else { return Ok(()) };
        let failure = source_watch::told(torrent, change, &given.path);
        let kind = if change.gone { FaultKind::FilesMissing } else { FaultKind::Changed };
        let reason = Reason { word: kind.reason(), text: failure.message.clone() };
        self.reporter.last(id, row(&door.view(), id), State::Error, reason)?;
        door.send(Command::Remove(id));
        self.fail(id, &failure);
        Ok(())
    }

    pub(super) fn look(&mut self, view: &Arc<View>, door: &Door) -> Result<(), Error> {
        let now = self.begun.elapsed();
        self.reporter.progress(view, now)?;
        let Some(limit) = self.timeout else { return Ok(()) };
        let mut late = Vec::new();
        for row in &view.torrents {
            if let Some(running) = self.running.get_mut(&row.id)
                && !running.over
                && running.stall.look(row, now) >= limit
            {
                late.push(row.clone());
            }
        }
        for row in late {
            door.send(Command::Remove(row.id));
            self.fail(row.id, &gave_up(&row, limit));
        }
        Ok(())
    }

    /// A torrent has reached its goal.
    pub(super) fn over(&mut self, id: TorrentId, door: &Door) -> Result<(), Error> {
        let Some(running) = self.running.get_mut(&id).filter(|running| !running.over) else { return Ok(()) };
        running.over = true;
        self.outcomes.done();
        if !running.torrent.is_seeded() {
            return Ok(());
        }
        self.reporter.goal(id, &running.torrent, running.until(), row(&door.view(), id))
    }

    pub(super) fn fail(&mut self, id: TorrentId, failure: &Error) {
        if let Some(running) = self.running.get_mut(&id)
            && !running.over
        {
            running.over = true;
            self.lost(id, failure);
        }
    }

    /// Nothing comes of a torrent.
    pub(super) fn lost(&mut self, id: TorrentId, failure: &Error) {
        self.reporter.failed(id);
        self.output.fail(failure);
        self.outcomes.failed(failure);
    }
}

/// The hint for missing or damaged data.
fn repair(torrent: &SubmittedTorrent) -> String {
    let place = quoted(&torrent.data_path());
    let argument = &torrent.argument;
    format!(
        "torr verify {argument} {place} lists the damage, torr get {argument} -o {place} --existing repair downloads \
         it again"
    )
}

/// The error of a torrent without progress within the timeout.
fn gave_up(row: &Row, limit: Duration) -> Error {
    let reason = if row.reason.text.is_empty() { row.state.word() } else { &row.reason.text };
    let kind = if row.peers == 0 && row.state == State::Waiting { "no_peers" } else { "no_progress" };
    let message = format!("{}: no data for {}: {reason}", row.name.fit(100), units::span(limit));
    Error::new(ErrorKind::Network, kind, message)
        .hint("run it again to resume; --timeout sets how long to wait")
        .about(row.info_hashes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::progress::screen::tests::row;

    #[test]
    fn giving_up_says_why() {
        let mut torrent = row("ubuntu", State::Waiting);
        torrent.peers = 0;
        let failure = gave_up(&torrent, Duration::from_secs(600));
        assert_eq!((failure.kind, failure.word), (ErrorKind::Network, "no_peers"));
        assert_eq!(failure.message, "ubuntu: no data for 10 min: no peers yet");
    }
}
