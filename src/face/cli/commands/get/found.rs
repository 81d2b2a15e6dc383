//! Torrents one after another, each read in full before anything is done with it: what a link does not tell
//! is found first.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::time::Duration;

use crate::app::Error;
use crate::app::door::Add;
use crate::app::input::{Input, Link, Torrent};
use crate::app::submission::{Submission, SubmissionBuilder};
use crate::base::{InfoHashes, TorrentId};
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{Lookups, Prompt, RunningEngine};

use super::inputs::Arguments;

/// The torrents of a command line in their order. Those that are given as links are looked for all at once, and
/// come after the others as they are found.
pub struct Torrents<'a> {
    given: VecDeque<Result<Torrent, Error>>,
    /// The links whose metadata is looked for.
    links: BTreeMap<TorrentId, Link>,
    list: Arguments,
    builder: &'a SubmissionBuilder,
    patience: Option<Duration>,
    jobs: usize,
    output: &'a Output,
    lookups: Option<Lookups>,
}

impl<'a> Torrents<'a> {
    /// Reads the torrents of this command line. The metadata of each link may make no progress for `patience`; an
    /// engine that has to be started does `jobs` simultaneous downloads later.
    pub fn of(
        arguments: Arguments,
        builder: &'a SubmissionBuilder,
        patience: Option<Duration>,
        jobs: usize,
        output: &'a Output,
    ) -> Self {
        let (given, list) = arguments.apart();
        let mut torrents = Self {
            given: VecDeque::new(),
            links: BTreeMap::new(),
            list,
            builder,
            patience,
            jobs,
            output,
            lookups: None,
        };
        for argument in given {
            let read = torrents.ask(&argument);
            torrents.given.extend(read);
        }
        torrents
    }

    /// The next one, or why there is none of it; nothing after the last.
    pub fn next(&mut self, waiter: &dyn Prompt) -> Option<Result<Torrent, Error>> {
        loop {
            if let Some(given) = self.given.pop_front() {
                return Some(given);
            }
            // Whoever writes the list line by line waits for the result of each line.
            if self.links.is_empty() || !self.list.are_live() {
                match self.list.next() {
                    Some(Ok(argument)) => {
                        let read = self.ask(&argument);
                        self.given.extend(read);
                        continue;
                    }
                    Some(Err(failure)) => return Some(Err(failure)),
                    None => {}
                }
            }
            let (id, found) = self.lookups.as_mut()?.next(waiter)?;
            let Some(link) = self.links.remove(&id) else { continue };
            return Some(found.map(|metainfo| self.builder.torrent_of(link, metainfo)));
        }
    }

    /// Whether nothing is known that could still come.
    pub fn are_over(&self) -> bool {
        self.given.is_empty() && self.links.is_empty()
    }

    /// Reads an argument; nothing if it was given before, or if it leaves something out, which is looked for
    /// then.
    fn ask(&mut self, argument: &Path) -> Option<Result<Torrent, Error>> {
        match self.builder.read(argument).transpose()? {
            Ok(Input::Torrent(torrent)) => Some(Ok(*torrent)),
            Ok(Input::Link(link)) => self.look_for(*link).err().map(Err),
            Err(failure) => Some(Err(failure)),
        }
    }

    fn look_for(&mut self, link: Link) -> Result<(), Error> {
        let add = Add { metadata_timeout: self.patience, ..self.builder.settings().link_to_add(&link)? };
        let lookups = match self.lookups.take() {
            Some(lookups) => lookups,
            None => Lookups::start(self.builder.settings(), self.jobs, self.output)?,
        };
        let id = self.lookups.insert(lookups).add(add);
        self.links.insert(id, link);
        Ok(())
    }

    /// The engine, if there is one, to go on with these.
    pub fn into_engine(self, submissions: &[Submission]) -> Option<RunningEngine> {
        let goes_on = |torrent: &InfoHashes| {
            submissions.iter().any(|submission| {
                matches!(submission, Submission::Transfer(new) if new.torrent.info_hashes == *torrent)
            })
        };
        Some(self.lookups?.into_engine(goes_on))
    }

    /// Ends the engine, if there is one.
    pub fn stop(self) {
        if let Some(lookups) = self.lookups {
            lookups.stop();
        }
    }
}
