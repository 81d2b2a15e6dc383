//! The way of submissions into the engine.

use super::super::stream::Stream;
use super::{Running, Session};
use crate::app::Error;
use crate::app::door::{Add, Command, Door};
use crate::app::submission::{MorePeers, Submission, Transfer};
use crate::base::{InfoHashes, TorrentId};

impl Session<'_> {
    pub(super) fn count(&mut self, submission: &Submission) {
        if !matches!(submission, Submission::MorePeers(_)) {
            self.reporter.one_more();
        }
    }

    /// Hands a submission to the engine, which knows its torrent under this id already if there is one.
    pub(super) fn begin(
        &mut self,
        submission: Submission,
        id: Option<TorrentId>,
        door: &Door,
    ) -> Result<(), Error> {
        match submission {
            Submission::MetadataSearch(search) => {
                let id = door.add(search.add.clone());
                self.reporter.set_info_hashes(id, search.add.info_hashes());
                self.searches.add(id, *search);
            }
            Submission::Transfer(transfer) => {
                let Transfer { mut add, torrent, reader } = *transfer;
                // What was read as a stream cannot be read again.
                let asked = reader.is_none().then(|| (add.clone(), torrent.clone()));
                let (info_hashes, content) = (torrent.info_hashes, add.content.take());
                let running = content.as_ref().map(|content| Running::new(torrent, content));
                let id = match (id.or_else(|| self.take_found(&info_hashes)), content) {
                    (Some(id), Some(content)) => {
                        door.send(Command::Start(id, content));
                        id
                    }
                    (_, content) => door.add(Add { content, ..add }),
                };
                self.reporter.set_info_hashes(id, info_hashes);
                self.running.extend(running.map(|running| (id, running)));
                if let Some((add, torrent)) = asked {
                    self.questions.remember(id, &add, &torrent);
                }
                if let Some(reader) = reader {
                    self.stream = Some(Stream::start(reader)?);
                }
            }
            Submission::MorePeers(more) => {
                let MorePeers { info_hashes, peers, named_peers } = *more;
                if let Some(id) = self.reporter.id_of(&info_hashes) {
                    door.send(Command::Peers(id, peers));
                    door.send(Command::NamedPeers(id, named_peers));
                }
            }
            Submission::TorrentFile(saved) => {
                let view = door.view();
                let row = view.torrents.iter().find(|row| row.info_hashes.overlaps(&saved.info_hashes));
                self.reporter.saved(id.or(row.map(|row| row.id)), &saved, row, self.begun.elapsed())?;
                self.outcomes.done();
            }
        }
        Ok(())
    }

    /// Takes the torrent of these info-hashes from those that wait to be started.
    fn take_found(&mut self, info_hashes: &InfoHashes) -> Option<TorrentId> {
        let is_it = |id: &TorrentId| self.reporter.info_hashes(*id).as_ref() == Some(info_hashes);
        let at = self.found.iter().position(is_it)?;
        Some(self.found.swap_remove(at))
    }

    /// Handles a submission that was built, the error of one that was not, or the end of them.
    pub(super) fn built(
        &mut self,
        submission: Option<Result<Submission, Error>>,
        door: &Door,
    ) -> Result<(), Error> {
        match submission {
            None => self.more = None,
            Some(Ok(submission)) => {
                self.count(&submission);
                self.begin(submission, None, door)?;
            }
            Some(Err(failure)) => {
                self.output.fail(&failure);
                self.outcomes.failed(&failure);
                self.reporter.one_less();
            }
        }
        Ok(())
    }

    /// Handles the submission built from the metadata of the torrent with this id.
    pub(super) fn resolved(
        &mut self,
        id: TorrentId,
        submission: Result<Submission, Error>,
        door: &Door,
    ) -> Result<(), Error> {
        if !matches!(submission, Ok(Submission::Transfer(_))) {
            door.send(Command::Remove(id));
        }
        match submission {
            Ok(submission) => self.begin(submission, Some(id), door)?,
            Err(failure) => self.lost(id, &failure),
        }
        self.look_closer(door);
        Ok(())
    }
}
