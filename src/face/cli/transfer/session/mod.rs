//! From the start of the engine to the end of the last torrent.
//!
//! Here is the loop that waits for whatever happens next; `hearing` is what is made of what the engine tells,
//! `ending` how it ends in good order.

mod ending;
mod hearing;
mod links;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use self::ending::stop;
use self::links::Links as Sought;
use super::hook::Hooks;
use super::link::Links;
use super::lookup::Known;
use super::notices;
use super::reporter::Reporter;
use super::stream::{Stream, Streamed};
use super::{
    Arrival, Arrivals, Outcomes, Peers, Plan, RunningEngine, Submission, Transfer, Verb, Work, block_on, on,
};
use crate::app::door::{
    Add, After, Command, ContentOptions, Door, EngineConfig, Events, ExistingFiles, Row, SeedGoal, View,
};
use crate::app::source_watch::Watch;
use crate::app::stall::Stall;
use crate::app::{Error, ErrorKind};
use crate::base::{InfoHashes, TorrentId};
use crate::face::cli::exit::Exit;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::signals::{Resizes, Signals};

/// How often it is looked whether anybody still reads what goes to standard output.
const TICK: Duration = Duration::from_millis(100);

/// Does what is planned and says what the process ends with.
pub fn run(mut plan: Plan, config: EngineConfig, output: &Output) -> Result<Exit, Error> {
    match plan.engine.take() {
        Some(RunningEngine { host, door, events, known }) => {
            on(&host, output, go(plan, Some((door, events)), known, config, output))
        }
        None => block_on(output, go(plan, None, Known::default(), config, output)),
    }
}

/// The same with an engine that may run already.
async fn go(
    mut plan: Plan,
    engine: Option<(Door, Events)>,
    known: Known,
    config: EngineConfig,
    output: &Output,
) -> Result<Exit, Error> {
    let mut signals = Signals::take().map_err(|error| {
        Error::new(ErrorKind::Internal, "internal", format!("cannot install signal handlers: {error}"))
    })?;
    let signal = first(&mut plan, &mut signals, output).await?;
    if plan.works.is_empty() {
        if let Some((door, _)) = engine {
            stop(&door, &mut signals).await;
        }
        let exit = signal.unwrap_or_else(|| plan.outcomes.exit());
        super::summary(plan.verb, &plan.outcomes, exit, output)?;
        return Ok(exit);
    }
    let (door, events) = match engine {
        Some(running) => running,
        None => Door::open(config).await?,
    };
    let mut session = Session::new(&mut plan, known, output);
    let result = session.go(plan.works, &door, events, &mut signals).await;
    if let Ok(Some(signal)) = result {
        session.hooks.stop();
        // Who closed the pipe has seen enough.
        if signal != Exit::Pipe && !session.running.is_empty() {
            output.live.leave();
            output.say("stopping, saving progress (Ctrl-C again to skip)");
        }
    }
    output.live.erase();
    stop(&door, &mut signals).await;
    match result? {
        Some(signal) => session.interrupted(signal, &door.view()),
        None => session.ended(),
    }
}

/// Waits for the first torrent for which an engine is needed; gives back the signal that came before it.
async fn first(plan: &mut Plan, signals: &mut Signals, output: &Output) -> Result<Option<Exit>, Error> {
    while plan.works.is_empty()
        && let Some(more) = &mut plan.more
    {
        let arrival = tokio::select! {
            biased;
            signal = signals.next() => {
                output.live.erase();
                output.say(notices::NOTHING_BEGUN);
                return Ok(Some(signal));
            }
            arrival = more.recv() => arrival,
        };
        match arrival {
            Some(Ok(Work::Kept(kept))) => {
                Reporter::new(plan.verb, plan.path_end, 1, 0, output).kept(
                    None,
                    &kept,
                    None,
                    Duration::ZERO,
                )?;
                plan.outcomes.done();
            }
            // Nothing is in work to which these could belong.
            Some(Ok(Work::Peers(_))) => {}
            Some(Ok(work)) => plan.works.push(work),
            Some(Err(failure)) => {
                output.fail(&failure);
                plan.outcomes.failed(&failure);
            }
            None => plan.more = None,
        }
    }
    Ok(None)
}

struct Session<'a> {
    verb: Verb,
    output: &'a Output,
    running: BTreeMap<TorrentId, Running>,
    /// Those of which only the name is known.
    sought: Sought,
    /// Those whose metadata was found before the session began, and that wait to be started.
    found: Vec<TorrentId>,
    /// Those that are still being read.
    more: Option<Arrivals>,
    hooks: Hooks,
    outcomes: Outcomes,
    timeout: Option<Duration>,
    reporter: Reporter<'a>,
    /// The stream to standard output, if there is one.
    stream: Option<Stream>,
    links: Links,
    begun: Instant,
}

struct Running {
    job: Transfer,
    after: After,
    /// Files that were there are believed to be right.
    trusting: bool,
    /// Bytes that were there when it began.
    found: u64,
    stall: Stall,
    path: Option<PathBuf>,
    over: bool,
}

impl Running {
    fn new(job: Transfer, content: &ContentOptions) -> Self {
        let trusting = content.existing == ExistingFiles::Trust;
        Self {
            job,
            after: content.after,
            trusting,
            found: 0,
            stall: Stall::default(),
            path: None,
            over: false,
        }
    }

    /// Until when it is given, if it is.
    fn until(&self) -> SeedGoal {
        if let After::Seed(until) = self.after { until } else { SeedGoal::default() }
    }
}

/// The next torrent that is read; waits for ever where there are no more.
async fn next(more: &mut Option<Arrivals>) -> Option<Arrival> {
    match more {
        Some(more) => more.recv().await,
        None => std::future::pending().await,
    }
}

/// How what goes to standard output ended; waits for ever where nothing does.
async fn ended(stream: &mut Option<Stream>) -> Streamed {
    match stream {
        Some(stream) => stream.ended().await,
        None => std::future::pending().await,
    }
}

impl<'a> Session<'a> {
    fn new(plan: &mut Plan, known: Known, output: &'a Output) -> Self {
        let lost = plan.outcomes.failures();
        let mut reporter = Reporter::new(plan.verb, plan.path_end, 0, lost, output);
        for (id, info_hashes) in known.torrents {
            reporter.set_info_hashes(id, info_hashes);
        }
        Self {
            verb: plan.verb,
            output,
            reporter,
            running: BTreeMap::new(),
            sought: Sought::default(),
            found: known.found,
            more: plan.more.take(),
            hooks: Hooks::new(plan.run.take()),
            outcomes: std::mem::take(&mut plan.outcomes),
            links: plan.links.take().unwrap_or_default(),
            timeout: plan.timeout,
            stream: None,
            begun: Instant::now(),
        }
    }

    /// Runs until every torrent has ended, or until a signal.
    async fn go(
        &mut self,
        works: Vec<Work>,
        door: &Door,
        mut events: Events,
        signals: &mut Signals,
    ) -> Result<Option<Exit>, Error> {
        for work in works {
            self.count(&work);
            self.begin(work, None, door)?;
        }
        self.look_closer(door);
        let mut views = door.views();
        let mut resizes = Resizes::watch(self.output.progress == Progress::Bar);
        let given = self.running.iter().filter_map(|(id, running)| {
            let given = self.links.given.get(&running.job.info_hashes)?;
            Some((*id, given.files.clone()))
        });
        let mut watch = Watch::start(given.collect());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.more.is_some()
            || self.stream.is_some()
            || self.sought.count() > 0
            || !self.hooks.are_idle()
            || self.running.values().any(|running| !running.over)
        {
            tokio::select! {
                biased;
                signal = signals.next() => return Ok(Some(signal)),
                event = events.recv() => match event {
                    Some(event) => self.hear(event, door)?,
                    None => {
                        let message = "the engine stopped unexpectedly";
                        return Err(Error::new(ErrorKind::Internal, "internal", message));
                    }
                },
                arrival = next(&mut self.more) => self.arrived(arrival, door)?,
                (id, made) = self.sought.made() => self.made(id, made, door)?,
                hook = self.hooks.ended() => self.hook_ended(hook),
                (id, change) = watch.next() => self.changed(id, &change, door)?,
                streamed = ended(&mut self.stream) => {
                    self.stream = None;
                    match streamed {
                        Streamed::Whole => {}
                        Streamed::Closed => return Ok(Some(Exit::Pipe)),
                        // The torrent that cut it off has said why, or is about to.
                        Streamed::Cut => {}
                        Streamed::Failed(failure) => return Err(failure),
                    }
                }
                _ = ticks.tick(), if self.stream.is_some() => {
                    if Stream::is_abandoned() {
                        return Ok(Some(Exit::Pipe));
                    }
                }
                Ok(()) = views.changed() => self.look(&door.view(), door)?,
                () = resizes.next() => self.reporter.progress(&door.view(), self.begun.elapsed())?,
            }
        }
        Ok(None)
    }

    fn count(&mut self, work: &Work) {
        if !matches!(work, Work::Peers(_)) {
            self.reporter.one_more();
        }
    }

    /// Does the next thing for a torrent, which is in the engine under this id if it has one.
    fn begin(&mut self, work: Work, id: Option<TorrentId>, door: &Door) -> Result<(), Error> {
        match work {
            Work::Find(search) => {
                let info_hashes = search.add.info_hashes();
                let id = door.add(search.add);
                self.reporter.set_info_hashes(id, info_hashes);
                self.sought.add(id, search.then);
            }
            Work::Submit(ready) => {
                let Submission { mut add, job, stream } = *ready;
                let (info_hashes, content) = (job.info_hashes, add.content.take());
                let running = content.as_ref().map(|content| Running::new(job, content));
                let id = match (id.or_else(|| self.take_found(&info_hashes)), content) {
                    (Some(id), Some(content)) => {
                        door.send(Command::Start(id, content));
                        id
                    }
                    (_, content) => door.add(Add { content, ..add }),
                };
                self.reporter.set_info_hashes(id, info_hashes);
                self.running.extend(running.map(|running| (id, running)));
                if let Some(reader) = stream {
                    self.stream = Some(Stream::start(reader)?);
                }
            }
            Work::Peers(more) => {
                let Peers { info_hashes, peers, named } = *more;
                if let Some(id) = self.reporter.id_of(&info_hashes) {
                    door.send(Command::Peers(id, peers));
                    door.send(Command::NamedPeers(id, named));
                }
            }
            Work::Kept(kept) => {
                let view = door.view();
                let row = view.torrents.iter().find(|row| row.info_hashes.overlaps(&kept.info_hashes));
                self.reporter.kept(id.or(row.map(|row| row.id)), &kept, row, self.begun.elapsed())?;
                self.outcomes.done();
            }
        }
        Ok(())
    }

    /// The torrent of these info-hashes that waits to be started; it does so no longer.
    fn take_found(&mut self, info_hashes: &InfoHashes) -> Option<TorrentId> {
        let is_it = |id: &TorrentId| self.reporter.info_hashes(*id).as_ref() == Some(info_hashes);
        let at = self.found.iter().position(is_it)?;
        Some(self.found.swap_remove(at))
    }

    /// Asks for details of a single seeding torrent: its peers are shown beside it.
    fn look_closer(&self, door: &Door) {
        if self.output.progress == Progress::Bar
            && self.sought.count() == 0
            && let (1, Some((id, running))) = (self.running.len(), self.running.first_key_value())
            && running.job.seeds
        {
            door.send(Command::ShowDetail(Some(*id)));
        }
    }

    /// One more torrent was read, or could not be, or all are.
    fn arrived(&mut self, arrival: Option<Arrival>, door: &Door) -> Result<(), Error> {
        match arrival {
            None => self.more = None,
            Some(Ok(work)) => {
                self.count(&work);
                self.begin(work, None, door)?;
            }
            Some(Err(failure)) => {
                self.output.fail(&failure);
                self.outcomes.failed(&failure);
                self.reporter.one_less();
            }
        }
        Ok(())
    }

    /// Work was made of a torrent whose metadata was found under this id.
    fn made(&mut self, id: TorrentId, made: Result<Work, Error>, door: &Door) -> Result<(), Error> {
        if !matches!(made, Ok(Work::Submit(_))) {
            door.send(Command::Remove(id));
        }
        match made {
            Ok(work) => self.begin(work, Some(id), door)?,
            Err(failure) => self.lost(id, &failure),
        }
        self.look_closer(door);
        Ok(())
    }

    fn hook_ended(&mut self, ended: Result<(), Error>) {
        if let Err(failure) = ended {
            self.output.fail(&failure);
            self.outcomes.flawed();
        }
    }
}

fn row(view: &View, id: TorrentId) -> Option<&Row> {
    view.torrents.iter().find(|row| row.id == id)
}
