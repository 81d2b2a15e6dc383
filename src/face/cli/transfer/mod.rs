//! The common part of `get` and `seed`: an engine, its torrents, and reports of their progress until the
//! last of them has ended.

mod events;
pub mod link;
mod lookup;
mod notices;
mod outcome;
mod reporter;
mod seed_command;
mod session;
mod settings;
pub mod stream;

use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::app::hook::Hook;
use crate::app::session_settings::SessionSettings;
use crate::app::submission::{Submission, Submissions};
use crate::app::{Error, ErrorKind};

use super::exit::Exit;
use super::output::Output;

pub use lookup::{LookupAction, Lookups, Prompt, RunningEngine};
pub use outcome::Outcomes;
pub use reporter::summary;
pub use settings::session_settings;

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

/// The torrents of a command, and how it reports them.
#[derive(Debug)]
pub struct TransferRequest {
    /// The action of the command.
    pub verb: Verb,
    /// The settings of the session.
    pub settings: SessionSettings,
    /// The number of simultaneous downloads.
    pub jobs: usize,
    /// The submissions that are known before it begins.
    pub submissions: Vec<Submission>,
    /// Those that are still being built, if there may be any.
    pub more: Option<Submissions>,
    /// The engine, if it runs already.
    pub engine: Option<RunningEngine>,
    /// Outcomes of torrents that failed before they began.
    pub outcomes: Outcomes,
    /// How long a torrent may wait without progress.
    pub timeout: Option<Duration>,
    /// The byte after each path on standard output; `None` where paths do not go there.
    pub path_end: Option<u8>,
    /// The program that runs after each download.
    pub hook: Option<Hook>,
    /// Ask what to do with existing files that differ.
    pub asks: bool,
    /// The links by which others find what is seeded.
    pub links: Option<link::Links>,
}

impl TransferRequest {
    /// A request for these submissions, with every default.
    pub fn new(verb: Verb, settings: SessionSettings, submissions: Vec<Submission>) -> Self {
        Self {
            verb,
            jobs: settings.active_downloads(),
            settings,
            submissions,
            more: None,
            engine: None,
            outcomes: Outcomes::default(),
            timeout: None,
            path_end: Some(b'\n'),
            hook: None,
            asks: false,
            links: None,
        }
    }
}

/// Carries out a request. Where nothing is left to do no engine starts.
pub fn run(request: TransferRequest, output: &Output) -> Result<Exit, Error> {
    if request.submissions.is_empty() && request.more.is_none() && request.engine.is_none() {
        let exit = request.outcomes.exit();
        summary(request.verb, &request.outcomes, exit, output)?;
        return Ok(exit);
    }
    session::run(request, output)
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
