//! Metadata of links that is needed before anything else can be done: to list the files, to choose among them,
//! to show or to keep the torrent file. The engine that found it can go on with the torrents afterwards.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{interval, timeout};

use crate::app::door::{Add, Command, Door, Event, View};
use crate::app::session_settings::SessionSettings;
use crate::app::{Error, ErrorKind};
use crate::base::{InfoHashes, TorrentId, Untrusted};
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::progress::log_lines::{self, UpdateTimer};
use crate::face::cli::progress::screen;
use crate::proto::metainfo::Metainfo;

use super::Host;

/// Interval between checks whether to stop.
const TICK: Duration = Duration::from_millis(100);
/// The wait after which a hint says that a torrent can be skipped.
const LONG: Duration = Duration::from_secs(5);
/// The longest an orderly end may take.
const STOP: Duration = Duration::from_secs(2);

/// A running engine with the torrents whose metadata it found.
#[derive(Debug)]
pub struct RunningEngine {
    /// The runtime of the engine.
    pub(super) host: Host,
    /// The way to the engine.
    pub(super) door: Door,
    /// The engine's events.
    pub(super) events: mpsc::UnboundedReceiver<Event>,
    /// Its torrents.
    pub(super) known: Known,
}

/// The torrents of an engine that has looked for metadata.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Every torrent that was added to it.
    pub torrents: BTreeMap<TorrentId, InfoHashes>,
    /// Those whose metadata was found, and that wait to be started.
    pub found: Vec<TorrentId>,
}

/// The next step of a lookup, as the person at the terminal wants it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LookupAction {
    /// Continue all lookups.
    Wait,
    /// Give up the torrent that has been looked up longest.
    Skip,
    /// Give up all.
    Stop,
}

/// The person or program that waits for lookups.
pub trait Prompt {
    /// Called when waiting begins and when it ends. Ctrl-C may have another meaning in between.
    fn waits(&self, _begins: bool) {}

    /// Whether a person can skip a torrent.
    fn can_skip(&self) -> bool {
        false
    }

    /// The latest choice.
    fn action(&self) -> LookupAction {
        LookupAction::Wait
    }
}

/// Lookups of metadata that somebody waits for.
pub struct Lookups {
    engine: RunningEngine,
    output: Output,
    /// Torrents that are being looked up, oldest first.
    pending: Vec<PendingLookup>,
    timer: UpdateTimer,
    /// The time waited so far.
    waited: Duration,
    /// The hint that one can be skipped was printed.
    hint_shown: bool,
}

/// A torrent that is being looked up.
struct PendingLookup {
    id: TorrentId,
    name: Untrusted,
}

/// The result of a lookup.
pub type Found = (TorrentId, Result<Metainfo, Error>);

impl Lookups {
    /// Starts an engine, for so many downloads at once later.
    pub fn start(settings: &SessionSettings, jobs: usize, output: &Output) -> Result<Self, Error> {
        let host = Host::new()?;
        let (door, events) = host.block_on(Door::open(settings.engine_config(jobs)))?;
        Ok(Self {
            engine: RunningEngine { host, door, events, known: Known::default() },
            output: output.clone(),
            pending: Vec::new(),
            timer: UpdateTimer::new(output.interval),
            waited: Duration::ZERO,
            hint_shown: false,
        })
    }

    /// Begins to look for one more.
    pub fn add(&mut self, add: Add) -> TorrentId {
        let (info_hashes, name) = (add.info_hashes(), add.name());
        let id = self.engine.door.add(add);
        self.engine.known.torrents.insert(id, info_hashes);
        self.pending.push(PendingLookup { id, name });
        id
    }

    /// Waits for the next one of which something comes, whichever that is. Nothing once there are no more.
    pub fn next(&mut self, waiter: &dyn Prompt) -> Option<Found> {
        if self.pending.is_empty() {
            return None;
        }
        let begun = Instant::now();
        let Self {
            engine: RunningEngine { host, door, events, known },
            output,
            pending,
            timer,
            waited,
            hint_shown,
        } = self;
        waiter.waits(true);
        let (id, found) = host.block_on(async {
            let mut views = door.views();
            let mut ticks = interval(TICK);
            loop {
                let first = pending.first().expect("somebody waits only while something is looked for");
                let given_up = |kind, word, message: String| (first.id, Err(Error::new(kind, word, message)));
                let about = |failure: Error, id| match known.torrents.get(&id) {
                    Some(&torrent) => failure.about(torrent),
                    None => failure,
                };
                tokio::select! {
                    biased;
                    event = events.recv() => match event {
                        Some(Event::Metadata { id, metainfo, .. }) => return (id, Ok(*metainfo)),
                        Some(Event::Failed { id, fault }) => {
                            return (id, Err(about(Error::from(fault), id)));
                        }
                        Some(Event::Note { id, text }) => {
                            if let Some(torrent) = known.torrents.get(&id) {
                                output.say(&format!("{} {text}", torrent.short()));
                            }
                        }
                        Some(_) => {}
                        None => {
                            return given_up(ErrorKind::Internal, "internal", "the engine stopped unexpectedly".into());
                        }
                    },
                    Ok(()) = views.changed() => {
                        if !*hint_shown && waiter.can_skip() && begun.elapsed() >= LONG {
                            *hint_shown = true;
                            output.say("Ctrl-C skips a torrent whose file list is still missing");
                        }
                        tell(&door.view(), pending, *waited + begun.elapsed(), timer, output);
                    }
                    _ = ticks.tick() => match waiter.action() {
                        LookupAction::Wait => {}
                        LookupAction::Skip => {
                            let name = first.name.fit(100);
                            let message = format!("skipped {name}, as requested");
                            let (id, failure) = given_up(ErrorKind::Interrupted, "interrupted", message);
                            return (id, failure.map_err(|failure| about(failure, id)));
                        }
                        LookupAction::Stop => return given_up(ErrorKind::Interrupted, "interrupted", "stopped".into()),
                    }
                }
            }
        });
        waiter.waits(false);
        self.waited += begun.elapsed();
        self.output.live.erase();
        match &found {
            Ok(metainfo) => {
                self.engine.known.torrents.insert(id, metainfo.info_hash());
                self.engine.known.found.push(id);
            }
            Err(_) => self.engine.door.send(Command::Remove(id)),
        }
        self.pending.retain(|pending| pending.id != id);
        Some((id, found))
    }

    /// The engine, to go on with those of the torrents that were found; the others leave it.
    pub fn into_engine(mut self, goes_on: impl Fn(&InfoHashes) -> bool) -> RunningEngine {
        let (door, Known { torrents, found }) = (&self.engine.door, &mut self.engine.known);
        found.retain(|id| {
            let stays = torrents.get(id).is_some_and(&goes_on);
            if !stays {
                door.send(Command::Remove(*id));
            }
            stays
        });
        self.engine
    }

    /// Ends the engine in good order, but never waits long.
    pub fn stop(self) {
        let RunningEngine { host, door, .. } = self.engine;
        let _ = host.block_on(async { timeout(STOP, door.stop()).await });
    }
}

/// Says how the searches go: in place where there is a terminal, and otherwise seldom.
fn tell(view: &View, pending: &[PendingLookup], now: Duration, timer: &mut UpdateTimer, output: &Output) {
    let rows = || view.torrents.iter().filter(|row| pending.iter().any(|pending| pending.id == row.id));
    match output.progress {
        Progress::Bar => {
            let view = View { torrents: rows().cloned().collect(), ..View::default() };
            output.live.draw(screen::lines(&view, 0, output.err, output.size()));
        }
        Progress::Lines => {
            for row in rows() {
                if timer.due(row, now) {
                    output.say(&log_lines::line(row));
                }
            }
        }
        Progress::None | Progress::Json => {}
    }
}
