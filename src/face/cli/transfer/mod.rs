//! The common part of `get` and `seed`: an engine, its torrents, and reports of their progress until the
//! last of them has ended.

mod events;
mod hook;
pub mod link;
mod lookup;
mod notices;
mod outcome;
mod reporter;
mod session;
mod setup;
pub mod stream;
pub mod unsupported;
mod work;

use std::path::PathBuf;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use crate::app::door::Add;
use crate::app::{Error, ErrorKind};
use crate::base::{InfoHashes, Untrusted};

use super::exit::Exit;
use super::output::Output;
use crate::app::command_line::Words;

pub use lookup::{Lookups, Prompt, RunningEngine, Wish};
pub use outcome::Outcomes;
pub use reporter::summary;
pub use setup::Setup;
pub use work::{Kept, Peers, Search, Submission, Work};

/// The action of a command on its torrents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Download them.
    Get,
    /// Seed them.
    Seed,
}

impl Verb {
    /// The schema of its events.
    pub const fn schema(self) -> &'static str {
        match self {
            Self::Get => "torr.get/1",
            Self::Seed => "torr.seed/1",
        }
    }
}

/// The plan of a command.
#[derive(Debug)]
pub struct Plan {
    /// The action of the command.
    pub verb: Verb,
    /// The torrents that are known before it begins.
    pub works: Vec<Work>,
    /// Those that are still being read, if there may be any.
    pub more: Option<Arrivals>,
    /// The engine, if it runs already.
    pub engine: Option<RunningEngine>,
    /// Those that failed before they began.
    pub outcomes: Outcomes,
    /// How long a torrent may wait without progress.
    pub timeout: Option<Duration>,
    /// The byte after each path on standard output; `None` where paths do not go there.
    pub path_end: Option<u8>,
    /// The program that runs after each download.
    pub run: Option<Words>,
    /// How others are told where to fetch what is given.
    pub links: Option<link::Links>,
}

impl Plan {
    /// Nothing is to be done yet.
    pub fn new(verb: Verb) -> Self {
        Self {
            verb,
            works: Vec::new(),
            more: None,
            engine: None,
            outcomes: Outcomes::default(),
            timeout: None,
            path_end: Some(b'\n'),
            run: None,
            links: None,
        }
    }

    /// The same with these torrents.
    pub fn with(mut self, jobs: impl IntoIterator<Item = (Add, Transfer)>) -> Self {
        self.works.extend(jobs.into_iter().map(|(add, job)| Work::of(add, job)));
        self
    }
}

/// A torrent that was asked for and has been read, or why it could not be.
pub type Arrival = Result<Work, Error>;
/// Torrents as they are read.
pub type Arrivals = mpsc::Receiver<Arrival>;

/// One torrent of a command.
#[derive(Clone, Debug)]
pub struct Transfer {
    /// Its info-hashes.
    pub info_hashes: InfoHashes,
    /// Its name.
    pub name: Untrusted,
    /// How it was named on the command line, fit for a shell.
    pub argument: String,
    /// The folder its file or directory lies in, as it was given.
    pub folder: PathBuf,
    /// The name of its file or directory there, where it differs from the torrent's.
    pub renamed: Option<String>,
    /// The torrent is seeded after it is complete.
    pub seeds: bool,
    /// The command that gives it to others later.
    pub give_back: String,
}

impl Transfer {
    /// Where its data is found, as `verify` and `seed` want it: the folder it lies in, or what lies there
    /// under another name.
    pub fn place(&self) -> PathBuf {
        self.renamed.as_ref().map_or_else(|| self.folder.clone(), |name| self.folder.join(name))
    }
}

/// Carries out a plan, so many torrents at once. Where nothing is left to do no engine starts.
pub fn run(plan: Plan, setup: &Setup, jobs: usize, output: &Output) -> Result<Exit, Error> {
    if plan.works.is_empty() && plan.more.is_none() && plan.engine.is_none() {
        let exit = plan.outcomes.exit();
        summary(plan.verb, &plan.outcomes, exit, output)?;
        return Ok(exit);
    }
    session::run(plan, setup.engine(jobs), output)
}

/// Runs what needs the engine, and leaves nothing of it behind.
pub fn block_on(output: &Output, work: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    on(&Host::new()?, output, work)
}

/// The same where an engine may run already.
fn on(host: &Host, output: &Output, work: impl Future<Output = Result<Exit, Error>>) -> Result<Exit, Error> {
    let result = host.block_on(work);
    output.live.erase();
    result
}

/// The runtime of an engine. A task that hangs in the system does not hold up its end.
#[derive(Debug)]
struct Host(Option<Runtime>);

impl Host {
    fn new() -> Result<Self, Error> {
        let runtime = Builder::new_multi_thread().enable_all().build().map_err(|error| {
            let why = crate::app::reason(&error);
            Error::new(ErrorKind::Internal, "internal", format!("cannot start: {why}"))
        })?;
        Ok(Self(Some(runtime)))
    }

    fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.0.as_ref().expect("it is there until it is dropped").block_on(work)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
