//! The question what to do with files that differ from their torrent.

use std::collections::{BTreeMap, VecDeque};

use tokio::sync::oneshot;

use super::{Running, Session};
use crate::app::Error;
use crate::app::door::{Add, Command, Door, ExistingFiles};
use crate::app::submission::SubmittedTorrent;
use crate::base::TorrentId;
use crate::face::cli::ask::{self, Different};

/// The torrents that may be asked about, and the question that is being asked.
#[derive(Default)]
pub(super) struct Questions {
    /// Somebody can answer.
    asks: bool,
    /// Torrents as they are added again after an answer.
    torrents: BTreeMap<TorrentId, (Add, SubmittedTorrent)>,
    waiting: VecDeque<(TorrentId, Error)>,
    asked: Option<(TorrentId, Error, oneshot::Receiver<Different>)>,
}

impl Questions {
    pub(super) fn new(asks: bool) -> Self {
        Self { asks, ..Self::default() }
    }

    /// Remembers a torrent whose existing files are checked, so that it can be added again.
    pub(super) fn remember(&mut self, id: TorrentId, add: &Add, torrent: &SubmittedTorrent) {
        let checks = add.content.as_ref().is_some_and(|content| content.existing == ExistingFiles::Check);
        if self.asks && checks {
            self.torrents.insert(id, (add.clone(), torrent.clone()));
        }
    }

    /// Asks about a torrent that failed, or will. Returns the error if nobody can answer.
    pub(super) fn ask(&mut self, id: TorrentId, failure: Error) -> Result<(), Error> {
        if !self.torrents.contains_key(&id) {
            return Err(failure);
        }
        self.waiting.push_back((id, failure));
        self.ask_next();
        Ok(())
    }

    /// Whether a question is on the screen.
    pub(super) const fn is_asking(&self) -> bool {
        self.asked.is_some()
    }

    /// The answer to the question; waits for ever if there is none.
    pub(super) async fn answered(&mut self) -> (TorrentId, Error, Different) {
        let Some((_, _, answer)) = &mut self.asked else { return std::future::pending().await };
        // A reader that has ended without an answer keeps everything as it is.
        let answer = answer.await.unwrap_or(Different::Keep);
        let (id, failure, _) = self.asked.take().expect("it was there a moment ago");
        (id, failure, answer)
    }

    fn ask_next(&mut self) {
        if self.asked.is_none()
            && let Some((id, failure)) = self.waiting.pop_front()
        {
            let answer = ask::different(&failure.message);
            self.asked = Some((id, failure, answer));
        }
    }
}

impl Session<'_> {
    /// Does what the answer says.
    pub(super) fn treat_different(
        &mut self,
        (id, failure, answer): (TorrentId, Error, Different),
        door: &Door,
    ) {
        let known = self.questions.torrents.remove(&id);
        let existing = match answer {
            Different::Keep => None,
            Different::Repair => Some(ExistingFiles::Repair),
            Different::Backup => Some(ExistingFiles::Backup),
        };
        match (existing, known) {
            (Some(existing), Some((mut add, torrent))) => {
                door.send(Command::Remove(id));
                self.running.remove(&id);
                let info_hashes = torrent.info_hashes;
                let running = add.content.as_mut().map(|content| {
                    content.existing = existing;
                    Running::new(torrent, content)
                });
                let again = door.add(add);
                self.reporter.set_info_hashes(again, info_hashes);
                self.running.extend(running.map(|running| (again, running)));
            }
            _ => self.fail(id, &failure),
        }
        self.output.live.erase();
        self.questions.ask_next();
    }
}
