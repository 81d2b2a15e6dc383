//! Torrents one after another, each read in full before anything is done with it: what a link does not tell
//! is found first.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use crate::base::InfoHash;
use crate::face::cli::error::Failure;
use crate::face::cli::input::{Link, Torrent};
use crate::face::cli::output::Output;
use crate::face::cli::transfer::{Finder, Setup, Started, Work};

use super::inputs::Arguments;
use super::jobs::{Asked, Maker};

/// The torrents of a command line in their order. Those that are given as links are looked for all at once.
pub struct Torrents<'a> {
    given: VecDeque<Result<Asked, Failure>>,
    list: Arguments,
    maker: &'a Maker,
    setup: &'a Setup,
    patience: Option<Duration>,
    jobs: usize,
    output: &'a Output,
    finder: Option<Finder>,
    /// Those that were found, by the id under which they were looked for.
    found: Vec<InfoHash>,
}

impl<'a> Torrents<'a> {
    /// Those of this command line; for each link is waited so long at most. An engine that has to be
    /// started does so many downloads at once later.
    pub fn of(
        arguments: Arguments,
        maker: &'a Maker,
        setup: &'a Setup,
        patience: Option<Duration>,
        jobs: usize,
        output: &'a Output,
    ) -> Self {
        let (given, list) = arguments.apart();
        let mut torrents = Self {
            given: VecDeque::new(),
            list,
            maker,
            setup,
            patience,
            jobs,
            output,
            finder: None,
            found: Vec::new(),
        };
        for argument in given {
            if let Some(asked) = torrents.ask(&argument) {
                torrents.given.push_back(asked);
            }
        }
        torrents
    }

    /// The next one, or why there is none of it; nothing after the last. Waiting ends as well when it is to
    /// be stopped.
    pub fn next(&mut self, stopped: &dyn Fn() -> bool) -> Option<Result<Torrent, Failure>> {
        let asked = match self.given.pop_front() {
            Some(asked) => asked,
            None => loop {
                match self.list.next()? {
                    Ok(argument) => {
                        if let Some(asked) = self.ask(&argument) {
                            break asked;
                        }
                    }
                    Err(failure) => break Err(failure),
                }
            },
        };
        Some(match asked {
            Ok(Asked::Torrent(torrent)) => Ok(*torrent),
            Ok(Asked::Link(link)) => self.find(*link, stopped),
            Err(failure) => Err(failure),
        })
    }

    /// Reads an argument, and begins to look for what a link leaves out; nothing if it was given before.
    fn ask(&mut self, argument: &Path) -> Option<Result<Asked, Failure>> {
        let asked = self.maker.ask(argument).transpose()?;
        Some(asked.and_then(|asked| {
            if let Asked::Link(link) = &asked {
                let find = self.setup.find(link)?;
                let finder = match self.finder.take() {
                    Some(finder) => finder,
                    None => Finder::start(self.setup, self.jobs, self.output)?,
                };
                self.finder.insert(finder).look_for(find);
            }
            Ok(asked)
        }))
    }

    fn find(&mut self, link: Link, stopped: &dyn Fn() -> bool) -> Result<Torrent, Failure> {
        let id = link.magnet.info_hash;
        let finder = self.finder.as_mut().expect("it was started when the link was read");
        let metainfo = finder.wait(id, self.patience, stopped)?;
        self.found.push(id);
        Ok(self.maker.known(link, metainfo))
    }

    /// The engine, if there is one, to go on with these.
    pub fn into_engine(self, works: &[Work]) -> Option<Started> {
        let finder = self.finder?;
        let goes_on = |id: &InfoHash| {
            works.iter().any(|work| matches!(work, Work::Move(ready) if ready.job.id.wire() == id.wire()))
        };
        for id in self.found.iter().filter(|id| !goes_on(id)) {
            finder.leave(*id);
        }
        Some(finder.into_engine())
    }

    /// Ends the engine, if there is one.
    pub fn stop(self) {
        if let Some(finder) = self.finder {
            finder.stop();
        }
    }
}
