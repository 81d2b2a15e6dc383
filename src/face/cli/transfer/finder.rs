//! Metadata of links that is needed before anything else can be done: to list the files, to choose among them,
//! to show or to keep the torrent file. The engine that found it can go on with the torrents afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::base::InfoHash;
use crate::engine::{Command, Engine, Event, Find, Handle, Row, View};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::progress::news::{self, News};
use crate::face::cli::progress::screen;
use crate::proto::metainfo::Metainfo;

use super::searches::no_metadata;
use super::stall::Stall;
use super::{Ground, Setup};

/// How often it is looked whether to stop.
const TICK: Duration = Duration::from_millis(100);
/// The longest an orderly end may take.
const STOP: Duration = Duration::from_secs(2);

/// An engine that runs.
#[derive(Debug)]
pub struct Started {
    /// What it runs on.
    pub(super) ground: Ground,
    /// By which it is told what to do.
    pub(super) handle: Handle,
    /// What it tells.
    pub(super) events: mpsc::UnboundedReceiver<Event>,
}

/// Finds metadata.
pub struct Finder {
    engine: Started,
    output: Output,
    sought: BTreeMap<InfoHash, Sought>,
    news: News,
    /// For how long was waited so far.
    waited: Duration,
}

struct Sought {
    find: Find,
    stall: Stall,
    found: Option<Result<Metainfo, Failure>>,
}

impl Finder {
    /// Starts an engine, for so many downloads at once later.
    pub fn start(setup: &Setup, jobs: usize, output: &Output) -> Result<Self, Failure> {
        let ground = Ground::new()?;
        let mut handle =
            ground.block_on(Engine::start(setup.engine(jobs))).map_err(|fault| faults::engine(&fault))?;
        let events = handle.events().expect("nobody else has taken the events of this engine");
        Ok(Self {
            engine: Started { ground, handle, events },
            output: output.clone(),
            sought: BTreeMap::new(),
            news: News::new(output.interval),
            waited: Duration::ZERO,
        })
    }

    /// Begins to look for one more.
    pub fn look_for(&mut self, find: Find) {
        let sought = Sought { find: find.clone(), stall: Stall::default(), found: None };
        self.sought.insert(find.info_hash, sought);
        self.engine.handle.send(Command::Find(Box::new(find)));
    }

    /// Waits for the metadata of one, `patience` at most, or until it is to stop.
    pub fn wait(
        &mut self,
        id: InfoHash,
        patience: Option<Duration>,
        stopped: impl Fn() -> bool,
    ) -> Result<Metainfo, Failure> {
        let Self { engine: Started { ground, handle, events }, output, sought, news, waited } = self;
        let begun = Instant::now();
        let earlier = *waited;
        let found = ground.block_on(async {
            let mut views = handle.views();
            let mut ticks = interval(TICK);
            loop {
                if let Some(found) = sought.get_mut(&id).and_then(|one| one.found.take()) {
                    return found;
                }
                tokio::select! {
                    event = events.recv() => match event {
                        Some(event) => hear(event, sought),
                        None => {
                            let message = "the engine has ended by itself";
                            return Err(Failure::new(Exit::Internal, "internal", message));
                        }
                    },
                    Ok(()) = views.changed() => {
                        let view = handle.view();
                        let now = earlier + begun.elapsed();
                        for row in &view.torrents {
                            let Some(one) = sought.get_mut(&row.id) else { continue };
                            let since = one.stall.look(row, now);
                            let late = patience.filter(|limit| since >= *limit && row.id == id);
                            if let Some(limit) = late {
                                let name = one.find.name.clone().unwrap_or_default();
                                return Err(no_metadata(&name, row, limit));
                            }
                            if row.id == id {
                                tell(row, now, news, output);
                            }
                        }
                    }
                    _ = ticks.tick() => {
                        if stopped() {
                            return Err(Failure::new(Exit::Interrupted, "interrupted", "stopped"));
                        }
                    }
                }
            }
        });
        *waited += begun.elapsed();
        output.live.erase();
        if found.is_err() {
            handle.send(Command::Remove(id));
        }
        found
    }

    /// One that was found is not gone on with.
    pub fn leave(&self, id: InfoHash) {
        self.engine.handle.send(Command::Remove(id));
    }

    /// The engine, to go on with what was found.
    pub fn into_engine(self) -> Started {
        self.engine
    }

    /// Ends the engine in good order, but never waits long.
    pub fn stop(self) {
        let Started { ground, handle, .. } = self.engine;
        let _ = ground.block_on(async { timeout(STOP, handle.stop()).await });
    }
}

fn hear(event: Event, sought: &mut BTreeMap<InfoHash, Sought>) {
    let (id, found) = match event {
        Event::Metadata { id, metainfo } => (id, Ok(*metainfo)),
        Event::Failed { id, fault } => (id, Err(faults::engine(&fault).about(id))),
        _ => return,
    };
    if let Some(one) = sought.get_mut(&id) {
        one.found = Some(found);
    }
}

/// Says how the search goes: in place where there is a terminal, and otherwise seldom.
fn tell(row: &Row, now: Duration, news: &mut News, output: &Output) {
    match output.progress {
        Progress::Bar => {
            let view = View { torrents: vec![row.clone()], ..View::default() };
            output.live.draw(screen::lines(&view, 0, output.err, output.size()));
        }
        Progress::Lines if news.due(row, now) => output.say(&news::line(row)),
        _ => {}
    }
}
