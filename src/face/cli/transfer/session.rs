//! From the start of the engine to the end of the last torrent.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::base::{InfoHash, units};
use crate::engine::{Command, Engine, EngineConfig, Event, FaultKind, Handle, Row, State, View};
use crate::face::cli::error::Failure;
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::input::quoted;
use crate::face::cli::output::Output;
use crate::face::cli::signals::Signals;

use super::stall::Stall;
use super::telling::Telling;
use super::{Job, Outcomes, Plan, Verb, block_on};

/// How often the snapshot is looked at.
const TICK: Duration = Duration::from_millis(100);
/// The longest an orderly end may take.
const STOP: Duration = Duration::from_secs(2);

/// Does what is planned and says what the process ends with.
pub fn run(plan: Plan, config: EngineConfig, output: &Output) -> Result<Exit, Failure> {
    block_on(output, async {
        let mut signals = Signals::take().map_err(|error| {
            Failure::new(Exit::Internal, "internal", format!("cannot listen for signals: {error}"))
        })?;
        let mut handle = Engine::start(config).await.map_err(|fault| faults::engine(&fault))?;
        let mut session = Session::new(plan, output);
        let result = session.go(&mut handle, &mut signals).await;
        output.live.erase();
        match result {
            Ok(Some(signal)) => {
                stop(&handle, &mut signals, output, true).await;
                session.interrupted(signal)
            }
            Ok(None) => {
                stop(&handle, &mut signals, output, false).await;
                session.ended()
            }
            Err(failure) => {
                stop(&handle, &mut signals, output, false).await;
                Err(failure)
            }
        }
    })
}

/// Ends the engine in good order, but never waits long, and not at all after a second signal.
async fn stop(handle: &Handle, signals: &mut Signals, output: &Output, told: bool) {
    if told {
        output.say("stopping, saving progress (Ctrl-C again to skip)");
    }
    tokio::select! {
        _ = timeout(STOP, handle.stop()) => {}
        _ = signals.next() => {}
    }
}

struct Session<'a> {
    verb: Verb,
    output: &'a Output,
    /// Those that are not added yet.
    waiting: Vec<crate::engine::Add>,
    running: BTreeMap<InfoHash, Running>,
    outcomes: Outcomes,
    timeout: Option<Duration>,
    telling: Telling<'a>,
    begun: Instant,
}

struct Running {
    job: Job,
    stall: Stall,
    path: Option<PathBuf>,
    over: bool,
}

impl<'a> Session<'a> {
    fn new(plan: Plan, output: &'a Output) -> Self {
        let (waiting, running) = plan
            .jobs
            .into_iter()
            .map(|(add, job)| {
                (add, (job.id, Running { job, stall: Stall::default(), path: None, over: false }))
            })
            .unzip();
        Self {
            verb: plan.verb,
            output,
            waiting,
            running,
            outcomes: plan.outcomes,
            timeout: plan.timeout,
            telling: Telling::new(plan.verb, plan.path_end, output),
            begun: Instant::now(),
        }
    }

    /// Runs until every torrent has ended, or until a signal.
    async fn go(&mut self, handle: &mut Handle, signals: &mut Signals) -> Result<Option<Exit>, Failure> {
        let mut events = handle.events().expect("nobody else has taken the events of this engine");
        for add in self.waiting.drain(..) {
            handle.send(Command::Add(Box::new(add)));
        }
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.running.values().any(|running| !running.over) {
            tokio::select! {
                biased;
                signal = signals.next() => return Ok(Some(signal)),
                event = events.recv() => match event {
                    Some(event) => self.hear(event)?,
                    None => {
                        let message = "the engine has ended by itself";
                        return Err(Failure::new(Exit::Internal, "internal", message));
                    }
                },
                _ = ticks.tick() => self.look(&handle.view(), handle)?,
            }
        }
        Ok(None)
    }

    fn hear(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Added { id, name, size, files } => self.telling.added(id, &name, size, files.into()),
            Event::Checked { id, have } => {
                self.telling.checked(id, have);
                Ok(())
            }
            Event::Finished { id, path, received, took } => {
                let Some(running) = self.running.get_mut(&id) else { return Ok(()) };
                let path = std::path::absolute(&path).unwrap_or(path);
                running.path = Some(path.clone());
                match self.verb {
                    Verb::Get => self.telling.finished(&running.job, &path, received, took),
                    Verb::Seed => self.telling.seeding(&running.job, &path),
                }
            }
            Event::Done { id } => {
                self.over(id);
                Ok(())
            }
            Event::Failed { id, fault } => {
                let mut failure = faults::engine(&fault).about(id);
                if fault.kind == FaultKind::FilesMissing
                    && let Some(running) = self.running.get(&id)
                {
                    failure = failure.hint(repair(&running.job));
                }
                self.fail(id, &failure);
                Ok(())
            }
            Event::Note { id, text } => {
                self.telling.note(id, &text);
                Ok(())
            }
        }
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
    fn over(&mut self, id: InfoHash) {
        if let Some(running) = self.running.get_mut(&id)
            && !running.over
        {
            running.over = true;
            self.outcomes.done();
            if running.job.seeds {
                self.telling.goal(&running.job);
            }
        }
    }

    fn fail(&mut self, id: InfoHash, failure: &Failure) {
        if let Some(running) = self.running.get_mut(&id)
            && !running.over
        {
            running.over = true;
            self.output.fail(failure);
            self.outcomes.failed(failure);
        }
    }

    fn ended(&self) -> Result<Exit, Failure> {
        let exit = self.outcomes.exit();
        super::summary(self.verb, &self.outcomes, exit, self.output)?;
        Ok(exit)
    }

    fn interrupted(&self, exit: Exit) -> Result<Exit, Failure> {
        let unfinished =
            self.running.values().filter(|running| !running.over && running.path.is_none()).count();
        if unfinished > 0 && self.verb == Verb::Get {
            self.output.say("stopped; the same command goes on where this one left off");
        }
        super::summary(self.verb, &self.outcomes, exit, self.output)?;
        Ok(exit)
    }
}

/// What to do about data that is missing or damaged.
fn repair(job: &Job) -> String {
    let place = quoted(&job.folder);
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
