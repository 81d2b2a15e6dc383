//! From the start of the engine to the end of the last torrent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::base::{InfoHash, units};
use crate::engine::{
    Add, After, Command, Engine, EngineConfig, Event, Existing, FaultKind, Handle, Reader, Reason, Row,
    State, Until, View,
};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::input::quoted;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::signals::{Resizes, Signals};

use super::hook::Hooks;
use super::link::Links;
use super::stall::Stall;
use super::story::{self, Finish};
use super::stream::{Stream, Streamed};
use super::telling::Telling;
use super::watch::{self, Watch};
use super::{Arrival, Arrivals, Job, Outcomes, Plan, Verb, block_on};

/// How often it is looked whether anybody still reads what goes to standard output.
const TICK: Duration = Duration::from_millis(100);
/// The longest an orderly end may take.
const STOP: Duration = Duration::from_secs(2);

/// Does what is planned and says what the process ends with.
pub fn run(plan: Plan, config: EngineConfig, output: &Output) -> Result<Exit, Failure> {
    block_on(output, async {
        let mut signals = Signals::take().map_err(|error| {
            Failure::new(Exit::Internal, "internal", format!("cannot listen for signals: {error}"))
        })?;
        let mut plan = plan;
        let signal = first(&mut plan, &mut signals, output).await;
        if plan.jobs.is_empty() {
            let exit = signal.unwrap_or_else(|| plan.outcomes.exit());
            super::summary(plan.verb, &plan.outcomes, exit, output)?;
            return Ok(exit);
        }
        let mut handle = Engine::start(config).await.map_err(|fault| faults::engine(&fault))?;
        let mut session = Session::new(plan, output);
        let result = session.go(&mut handle, &mut signals).await;
        if let Ok(Some(signal)) = result {
            session.hooks.stop();
            // Who closed the pipe has seen enough.
            if signal != Exit::Pipe {
                output.live.leave();
                output.say("stopping, saving progress (Ctrl-C again to skip)");
            }
        }
        output.live.erase();
        stop(&handle, &mut signals).await;
        match result? {
            Some(signal) => session.interrupted(signal, &handle.view()),
            None => session.ended(),
        }
    })
}

/// Waits for the first torrent that can be worked on; gives back the signal that came before it.
async fn first(plan: &mut Plan, signals: &mut Signals, output: &Output) -> Option<Exit> {
    while plan.jobs.is_empty()
        && let Some(more) = &mut plan.more
    {
        let arrival = tokio::select! {
            biased;
            signal = signals.next() => {
                output.live.erase();
                output.say("stopped; nothing was begun");
                return Some(signal);
            }
            arrival = more.recv() => arrival,
        };
        match arrival {
            Some(Ok(job)) => plan.jobs.push(*job),
            Some(Err(failure)) => {
                output.fail(&failure);
                plan.outcomes.failed(&failure);
            }
            None => plan.more = None,
        }
    }
    None
}

/// Ends the engine in good order, but never waits long, and not at all after a second signal.
async fn stop(handle: &Handle, signals: &mut Signals) {
    tokio::select! {
        _ = timeout(STOP, handle.stop()) => {}
        _ = signals.next() => {}
    }
}

struct Session<'a> {
    verb: Verb,
    output: &'a Output,
    /// Those that are not added yet.
    waiting: Vec<Add>,
    running: BTreeMap<InfoHash, Running>,
    /// Those that are still being read.
    more: Option<Arrivals>,
    hooks: Hooks,
    outcomes: Outcomes,
    timeout: Option<Duration>,
    telling: Telling<'a>,
    /// What is to go to standard output.
    to_stdout: Option<Reader>,
    links: Links,
    begun: Instant,
}

struct Running {
    job: Job,
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
    fn new(job: Job, add: &Add) -> Self {
        let trusting = add.existing == Existing::Trust;
        Self { job, after: add.after, trusting, found: 0, stall: Stall::default(), path: None, over: false }
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
    fn new(plan: Plan, output: &'a Output) -> Self {
        let lost = plan.outcomes.failures();
        let (waiting, running): (_, BTreeMap<_, _>) = plan
            .jobs
            .into_iter()
            .map(|(add, job)| {
                let running = Running::new(job, &add);
                (add, (running.job.id, running))
            })
            .unzip();
        Self {
            verb: plan.verb,
            output,
            telling: Telling::new(plan.verb, plan.path_end, running.len(), lost, output),
            waiting,
            running,
            more: plan.more,
            hooks: Hooks::new(plan.run),
            to_stdout: plan.stream,
            links: plan.links.unwrap_or_default(),
            outcomes: plan.outcomes,
            timeout: plan.timeout,
            begun: Instant::now(),
        }
    }

    /// Runs until every torrent has ended, or until a signal.
    async fn go(&mut self, handle: &mut Handle, signals: &mut Signals) -> Result<Option<Exit>, Failure> {
        let mut events = handle.events().expect("nobody else has taken the events of this engine");
        for add in self.waiting.drain(..) {
            handle.send(Command::Add(Box::new(add)));
        }
        let bar = self.output.progress == Progress::Bar;
        let mut views = handle.views();
        let mut resizes = Resizes::watch(bar);
        // Who takes what one torrent gives is shown beside it.
        if let (true, 1, Some(running)) = (bar, self.running.len(), self.running.values().next())
            && running.job.seeds
        {
            handle.send(Command::Look(Some(running.job.id)));
        }
        let mut stream = self.to_stdout.take().map(Stream::start).transpose()?;
        let files = self.links.given.iter().map(|(id, given)| (*id, given.files.clone()));
        let mut watch = Watch::start(files.collect());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.more.is_some()
            || stream.is_some()
            || !self.hooks.are_idle()
            || self.running.values().any(|running| !running.over)
        {
            tokio::select! {
                biased;
                signal = signals.next() => return Ok(Some(signal)),
                event = events.recv() => match event {
                    Some(event) => self.hear(event, handle)?,
                    None => {
                        let message = "the engine has ended by itself";
                        return Err(Failure::new(Exit::Internal, "internal", message));
                    }
                },
                arrival = next(&mut self.more) => self.arrived(arrival, handle),
                hook = self.hooks.ended() => self.hook_ended(hook),
                (id, file) = watch.next() => self.changed(id, &file, handle)?,
                streamed = ended(&mut stream) => {
                    stream = None;
                    match streamed {
                        Streamed::Whole => {}
                        Streamed::Closed => return Ok(Some(Exit::Pipe)),
                        // The torrent that cut it off has said why, or is about to.
                        Streamed::Cut => {}
                        Streamed::Failed(failure) => return Err(failure),
                    }
                }
                _ = ticks.tick(), if stream.is_some() => {
                    if Stream::is_abandoned() {
                        return Ok(Some(Exit::Pipe));
                    }
                }
                Ok(()) = views.changed() => self.look(&handle.view(), handle)?,
                () = resizes.next() => self.telling.progress(&handle.view(), self.begun.elapsed())?,
            }
        }
        Ok(None)
    }

    /// One more torrent was read, or could not be, or all are.
    fn arrived(&mut self, arrival: Option<Arrival>, handle: &Handle) {
        match arrival {
            None => self.more = None,
            Some(Ok(job)) => {
                let (add, job) = *job;
                self.running.insert(job.id, Running::new(job, &add));
                self.telling.one_more();
                handle.send(Command::Add(Box::new(add)));
            }
            Some(Err(failure)) => {
                self.output.fail(&failure);
                self.outcomes.failed(&failure);
                self.telling.one_less();
            }
        }
    }

    fn hook_ended(&mut self, ended: Result<(), Failure>) {
        if let Err(failure) = ended {
            self.output.fail(&failure);
            self.outcomes.flawed();
        }
    }

    fn hear(&mut self, event: Event, handle: &Handle) -> Result<(), Failure> {
        match event {
            Event::Added { id, name, size, files } => self.telling.added(id, &name, size, files.into()),
            Event::Metadata { .. } => Ok(()),
            Event::Checked { id, have } => {
                self.telling.checked(id, have);
                if let Some(running) = self.running.get_mut(&id) {
                    running.found = have;
                }
                Ok(())
            }
            Event::Finished { id, path, received, took } => {
                self.complete(id, &path, received, took)?;
                self.links.tell(id, handle.view().port, self.output)
            }
            Event::Done { id } => self.over(id, handle),
            Event::Failed { id, fault } => {
                let mut failure = faults::engine(&fault).about(id);
                if fault.kind == FaultKind::FilesMissing
                    && let Some(running) = self.running.get(&id)
                {
                    failure = failure.hint(repair(&running.job));
                }
                let reason = Reason { word: fault.kind.reason(), text: fault.message };
                self.telling.last(id, row(&handle.view(), id), State::Error, reason)?;
                self.fail(id, &failure);
                Ok(())
            }
            Event::Note { id, text } => {
                self.telling.note(id, &text);
                Ok(())
            }
        }
    }

    /// Every wanted piece is there.
    fn complete(&mut self, id: InfoHash, path: &Path, received: u64, took: Duration) -> Result<(), Failure> {
        let Some(running) = self.running.get_mut(&id) else { return Ok(()) };
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        running.path = Some(path.clone());
        let job = &running.job;
        if self.verb == Verb::Seed {
            let until = if let After::Seed(until) = running.after { until } else { Until::default() };
            return self.telling.seeding(job, &path, until);
        }
        self.telling.finished(&Finish {
            job,
            path: &path,
            size: self.telling.size(id),
            received,
            took,
            after: running.after,
            verified: !running.trusting || running.found == 0,
        })?;
        let begun = self.hooks.start(&running.job, &path, self.output);
        self.hook_ended(begun);
        Ok(())
    }

    /// A file is no longer what was hashed: nobody can take what it has become.
    fn changed(&mut self, id: InfoHash, file: &Path, handle: &Handle) -> Result<(), Failure> {
        let Some(given) = self.links.given.get(&id) else { return Ok(()) };
        if self.running.get(&id).is_none_or(|running| running.over) {
            return Ok(());
        }
        let failure = watch::changed(id, file, &given.path);
        let reason = Reason { word: FaultKind::Changed.reason(), text: failure.message.clone() };
        self.telling.last(id, row(&handle.view(), id), State::Error, reason)?;
        handle.send(Command::Remove(id));
        self.fail(id, &failure);
        Ok(())
    }

    fn look(&mut self, view: &Arc<View>, handle: &Handle) -> Result<(), Failure> {
        let now = self.begun.elapsed();
        self.telling.progress(view, now)?;
        let Some(limit) = self.timeout else { return Ok(()) };
        let mut late = Vec::new();
        for row in &view.torrents {
            if let Some(running) = self.running.get_mut(&row.id)
                && !running.over
                && running.stall.look(row, now) >= limit
            {
                late.push(row.clone());
            }
        }
        for row in late {
            handle.send(Command::Remove(row.id));
            self.fail(row.id, &gave_up(&row, limit));
        }
        Ok(())
    }

    /// A torrent has reached its goal.
    fn over(&mut self, id: InfoHash, handle: &Handle) -> Result<(), Failure> {
        let Some(running) = self.running.get_mut(&id).filter(|running| !running.over) else { return Ok(()) };
        running.over = true;
        self.outcomes.done();
        if running.job.seeds { self.telling.goal(&running.job, row(&handle.view(), id)) } else { Ok(()) }
    }

    fn fail(&mut self, id: InfoHash, failure: &Failure) {
        if let Some(running) = self.running.get_mut(&id)
            && !running.over
        {
            running.over = true;
            self.telling.failed(id);
            self.output.fail(failure);
            self.outcomes.failed(failure);
        }
    }

    fn ended(&self) -> Result<Exit, Failure> {
        let exit = self.outcomes.exit();
        self.telling.farewell(&self.outcomes, self.begun.elapsed());
        super::summary(self.verb, &self.outcomes, exit, self.output)?;
        Ok(exit)
    }

    /// Says what was kept, and how to go on.
    fn interrupted(&mut self, exit: Exit, view: &View) -> Result<Exit, Failure> {
        let done = |id: &InfoHash| row(view, *id).map_or(0, |row| row.done);
        let open = self.running.iter().filter(|(_, running)| !running.over && running.path.is_none());
        let unfinished: Vec<_> = open.map(|(id, _)| (done(id), self.telling.size(*id))).collect();
        if self.verb == Verb::Get {
            for running in self.running.values_mut().filter(|running| running.path.is_some() && !running.over)
            {
                running.over = true;
                self.outcomes.done();
            }
        }
        let checking = |id: &InfoHash| row(view, *id).is_some_and(|row| row.state == State::Checking);
        let checked_only = self.running.iter().any(|(id, running)| !running.over && checking(id));
        if exit == Exit::Pipe {
            // Nobody is there to be told.
        } else if checked_only && self.outcomes.done == 0 {
            self.output.say(story::CUT_OFF_WHILE_CHECKING);
        } else if self.verb == Verb::Get && !unfinished.is_empty() {
            self.output.say(&story::cut_off(&unfinished, self.outcomes.done));
        } else if self.running.values().any(|running| running.job.seeds) {
            let sent = view.torrents.iter().map(|row| row.sent).sum();
            self.output.say(&format!("stopped: {} sent in this run", units::size(sent)));
        }
        super::summary(self.verb, &self.outcomes, exit, self.output)?;
        Ok(exit)
    }
}

fn row(view: &View, id: InfoHash) -> Option<&Row> {
    view.torrents.iter().find(|row| row.id == id)
}

/// What to do about data that is missing or damaged.
fn repair(job: &Job) -> String {
    let place = quoted(&job.place());
    let argument = &job.argument;
    format!("torr verify {argument} {place} says what is wrong, torr get {argument} -o {place} fetches it")
}

/// Nothing came for as long as was allowed.
fn gave_up(row: &Row, limit: Duration) -> Failure {
    let reason = if row.reason.text.is_empty() { row.state.word() } else { &row.reason.text };
    let kind = if row.peers == 0 && row.state == State::Waiting { "no_peers" } else { "no_progress" };
    let message = format!("{}: nothing came for {}: {reason}", row.name.fit(100), units::span(limit));
    Failure::new(Exit::Network, kind, message)
        .hint("run it again to go on; --timeout says how long to wait")
        .about(row.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::cli::progress::screen::tests::row;

    #[test]
    fn giving_up_says_why() {
        let mut torrent = row("ubuntu", State::Waiting);
        torrent.peers = 0;
        let failure = gave_up(&torrent, Duration::from_secs(600));
        assert_eq!((failure.exit, failure.kind), (Exit::Network, "no_peers"));
        assert_eq!(failure.message, "ubuntu: nothing came for 10 min: no peers yet");
    }
}
