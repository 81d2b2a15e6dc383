//! What `get` and `seed` have in common: an engine, its torrents, and telling how they fare until the
//! last of them has ended.

mod events;
mod outcome;
mod session;
mod stall;
mod story;
mod telling;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::{InfoHash, Untrusted};
use crate::engine::{Add, EngineConfig};

use super::args::network::NetworkArgs;
use super::error::Failure;
use super::exit::Exit;
use super::output::Output;
use super::state;

pub use outcome::Outcomes;
pub use session::run;
pub use telling::summary;

/// What a command wants of its torrents.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Fetch them.
    Get,
    /// Give them.
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

/// What is to be done.
#[derive(Debug)]
pub struct Plan {
    /// What the command wants.
    pub verb: Verb,
    /// The torrents, each with what has to be known to tell of it.
    pub jobs: Vec<(Add, Job)>,
    /// Those that failed before they began.
    pub outcomes: Outcomes,
    /// How long a torrent may wait without progress.
    pub timeout: Option<Duration>,
    /// What stands after each path on standard output.
    pub path_end: u8,
}

/// One torrent of a command.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its id.
    pub id: InfoHash,
    /// Its name.
    pub name: Untrusted,
    /// How it was named on the command line, fit for a shell.
    pub argument: String,
    /// The folder its file or directory lies in, as it was given.
    pub folder: PathBuf,
    /// It is given to others after it is complete.
    pub seeds: bool,
}

/// The settings of an engine for these flags.
pub fn config(network: &NetworkArgs, jobs: usize, state_dir: Option<&Path>) -> EngineConfig {
    let state_dir = state::directory(state_dir);
    EngineConfig {
        port: network.port,
        preferred_port: state_dir.as_deref().and_then(state::port),
        bind: network.bind,
        ipv6: !network.no_ipv6,
        down: network.down.0,
        up: network.up.0,
        jobs,
        state_dir,
        ..EngineConfig::default()
    }
}

/// What the flags say about each torrent.
pub fn apply(network: &NetworkArgs, add: &mut Add) {
    add.use_trackers = !network.no_trackers;
    add.trackers.clone_from(&network.tracker);
    add.peers.clone_from(&network.peer);
    add.max_peers = usize::from(network.max_peers);
}

/// Runs what needs the engine, and leaves nothing of it behind.
pub fn block_on(output: &Output, work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|error| {
        Failure::new(Exit::Internal, "internal", format!("cannot start: {}", super::error::reason(&error)))
    })?;
    let result = runtime.block_on(work);
    output.live.erase();
    // A task that hangs in the system must not hold up the end.
    runtime.shutdown_background();
    result
}
