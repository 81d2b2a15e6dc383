//! Metadata of links that is needed before anything else can be done: to list the files, to choose among them,
//! to show or to keep the torrent file. The engine that found it can go on with the torrents afterwards.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::base::{InfoHash, Untrusted};
use crate::engine::{Command, Engine, Event, Find, Handle, View};
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
/// How long is waited before it is said that one can be skipped.
const LONG: Duration = Duration::from_secs(5);
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

/// So many are looked for at once; the others wait until one is found or given up.
const AT_ONCE: usize = 64;

/// What is wished of who waits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wish {
    /// To go on.
    Wait,
    /// Not to wait any longer for the one that has been waited for longest.
    Skip,
    /// To stop.
    Stop,
}

/// For whom is waited.
pub trait Waiter {
    /// The waiting begins, or is over. Meanwhile Ctrl-C may have another meaning than before and after.
    fn waits(&self, _begins: bool) {}

    /// Whether it is somebody who can skip one.
    fn can_skip(&self) -> bool {
        false
    }

    /// What is wished by now.
    fn wish(&self) -> Wish {
        Wish::Wait
    }
}

/// Finds metadata.
pub struct Finder {
    engine: Started,
    output: Output,
    sought: BTreeMap<InfoHash, Sought>,
    /// Those that are not looked for yet.
    waiting: VecDeque<Find>,
    news: News,
    /// For how long was waited so far.
    waited: Duration,
    /// How many were begun.
    begun: usize,
    /// It was said that one can be skipped.
    told: bool,
}

struct Sought {
    name: Untrusted,
    /// Which of all it is.
    turn: usize,
    stall: Stall,
    found: Option<Result<Metainfo, Failure>>,
}

/// One that is not looked for any more, and what came of it.
pub type Found = (InfoHash, Result<Metainfo, Failure>);

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
            waiting: VecDeque::new(),
            news: News::new(output.interval),
            waited: Duration::ZERO,
            begun: 0,
            told: false,
        })
    }

    /// Begins to look for one more, or lets it wait.
    pub fn look_for(&mut self, find: Find) {
        self.waiting.push_back(find);
        self.go_on();
    }

    fn go_on(&mut self) {
        while self.sought.len() < AT_ONCE
            && let Some(find) = self.waiting.pop_front()
        {
            let name = find.name.clone().unwrap_or_default();
            let sought = Sought { name, turn: self.begun, stall: Stall::default(), found: None };
            self.begun += 1;
            self.sought.insert(find.info_hash, sought);
            self.engine.handle.send(Command::Find(Box::new(find)));
        }
    }

    /// Waits for the next one of which something comes, whichever that is; for each `patience` at most. Nothing
    /// once there are no more.
    pub fn next(&mut self, patience: Option<Duration>, waiter: &dyn Waiter) -> Option<Found> {
        if self.sought.is_empty() {
            return None;
        }
        let begun = Instant::now();
        let Self { engine: Started { ground, handle, events }, output, sought, news, waited, told, .. } =
            self;
        let earlier = *waited;
        waiter.waits(true);
        let (id, found) = ground.block_on(async {
            let mut views = handle.views();
            let mut ticks = interval(TICK);
            loop {
                if let Some(found) = first_found(sought) {
                    return found;
                }
                tokio::select! {
                    biased;
                    event = events.recv() => match event {
                        Some(event) => hear(event, sought, output),
                        None => {
                            let message = "the engine has ended by itself";
                            return (first(sought), Err(Failure::new(Exit::Internal, "internal", message)));
                        }
                    },
                    Ok(()) = views.changed() => {
                        let view = handle.view();
                        let now = earlier + begun.elapsed();
                        for row in &view.torrents {
                            let Some(one) = sought.get_mut(&row.id) else { continue };
                            let since = one.stall.look(row, now);
                            if let Some(limit) = patience.filter(|limit| since >= *limit) {
                                return (row.id, Err(no_metadata(&one.name, row, limit)));
                            }
                        }
                        if !*told && waiter.can_skip() && begun.elapsed() >= LONG {
                            *told = true;
                            output.say("Ctrl-C skips one whose file list is looked for");
                        }
                        tell(&view, sought, now, news, output);
                    }
                    _ = ticks.tick() => match waiter.wish() {
                        Wish::Wait => {}
                        Wish::Skip => {
                            let id = first(sought);
                            let name = sought.get(&id).map(|one| one.name.fit(100)).unwrap_or_default();
                            let message = format!("{name} is not looked for any longer, as you wished");
                            return (id, Err(Failure::new(Exit::Interrupted, "interrupted", message).about(id)));
                        }
                        Wish::Stop => {
                            let stopped = Failure::new(Exit::Interrupted, "interrupted", "stopped");
                            return (first(sought), Err(stopped));
                        }
                    }
                }
            }
        });
        waiter.waits(false);
        self.waited += begun.elapsed();
        self.output.live.erase();
        if found.is_err() {
            self.leave(id);
        }
        self.sought.remove(&id);
        self.go_on();
        Some((id, found))
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

/// The one that was begun first.
fn first(sought: &BTreeMap<InfoHash, Sought>) -> InfoHash {
    let first = sought.iter().min_by_key(|(_, one)| one.turn);
    *first.expect("somebody waits only while something is looked for").0
}

/// What was found, if anything was; what was begun earlier comes earlier.
fn first_found(sought: &mut BTreeMap<InfoHash, Sought>) -> Option<Found> {
    let (id, one) =
        sought.iter_mut().filter(|(_, one)| one.found.is_some()).min_by_key(|(_, one)| one.turn)?;
    one.found.take().map(|found| (*id, found))
}

fn hear(event: Event, sought: &mut BTreeMap<InfoHash, Sought>, output: &Output) {
    let (id, found) = match event {
        Event::Metadata { id, metainfo } => (id, Ok(*metainfo)),
        Event::Failed { id, fault } => (id, Err(faults::engine(&fault).about(id))),
        Event::Note { id, text } if sought.contains_key(&id) => {
            output.say(&format!("{} {text}", id.short()));
            return;
        }
        _ => return,
    };
    if let Some(one) = sought.get_mut(&id) {
        one.found = Some(found);
    }
}

/// Says how the searches go: in place where there is a terminal, and otherwise seldom.
fn tell(view: &View, sought: &BTreeMap<InfoHash, Sought>, now: Duration, news: &mut News, output: &Output) {
    let rows = || view.torrents.iter().filter(|row| sought.contains_key(&row.id));
    match output.progress {
        Progress::Bar => {
            let view = View { torrents: rows().cloned().collect(), ..View::default() };
            output.live.draw(screen::lines(&view, 0, output.err, output.size()));
        }
        Progress::Lines => {
            for row in rows() {
                if news.due(row, now) {
                    output.say(&news::line(row));
                }
            }
        }
        Progress::None | Progress::Json => {}
    }
}
