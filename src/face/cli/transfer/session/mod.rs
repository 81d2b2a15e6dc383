//! From the start of the engine to the end of the last torrent.
//!
//! Here is the loop that waits for the next event of any kind; `submitting` hands submissions to the engine, `hearing`
//! handles its events, and `ending` ends a session in good order.

mod ending;
mod hearing;
mod metadata_searches;
mod question;
mod submitting;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use self::ending::stop;
use self::metadata_searches::MetadataSearches;
use self::question::Questions;
use super::link::Links;
use super::lookup::Known;
use super::notices;
use super::reporter::Reporter;
use super::stream::{Stream, Streamed};
use super::{Outcomes, RunningEngine, TransferRequest, Verb, block_on, on};
use crate::app::door::{After, Command, ContentOptions, Door, Events, ExistingFiles, Row, SeedGoal, View};
use crate::app::hook::{HookOutput, Hooks};
use crate::app::session_settings::SessionSettings;
use crate::app::source_watch::Watch;
use crate::app::stall::Stall;
use crate::app::submission::{Submission, Submissions, SubmittedTorrent};
use crate::app::{Error, ErrorKind};
use crate::base::TorrentId;
use crate::face::cli::exit::Exit;
use crate::face::cli::output::{Output, Progress};
use crate::face::cli::signals::{Resizes, Signals};

/// How often it is looked whether anybody still reads what goes to standard output.
const TICK: Duration = Duration::from_millis(100);

/// Carries out a request and says what the process ends with.
pub fn run(mut request: TransferRequest, output: &Output) -> Result<Exit, Error> {
    match request.engine.take() {
        Some(RunningEngine { host, door, events, known }) => {
            on(&host, output, run_session(request, Some((door, events)), known, output))
        }
        None => block_on(output, run_session(request, None, Known::default(), output)),
    }
}

/// The same with an engine that may run already.
async fn run_session(
    mut request: TransferRequest,
    engine: Option<(Door, Events)>,
    known: Known,
    output: &Output,
) -> Result<Exit, Error> {
    let mut signals = Signals::take().map_err(|error| {
        Error::new(ErrorKind::Internal, "internal", format!("cannot install signal handlers: {error}"))
    })?;
    let signal = wait_for_first(&mut request, &mut signals, output).await?;
    if request.submissions.is_empty() {
        if let Some((door, _)) = engine {
            stop(&door, &mut signals).await;
        }
        let exit = signal.unwrap_or_else(|| request.outcomes.exit());
        super::summary(request.verb, &request.outcomes, exit, output)?;
        return Ok(exit);
    }
    let (door, events) = match engine {
        Some(running) => running,
        None => Door::open(request.settings.engine_config(request.jobs)).await?,
    };
    let submissions = std::mem::take(&mut request.submissions);
    let mut session = Session::new(request, known, output);
    let result = session.run(submissions, &door, events, &mut signals).await;
    if let Ok(Some(signal)) = result {
        session.hooks.stop();
        // Who closed the pipe has seen enough.
        if signal != Exit::Pipe && !session.running.is_empty() {
            output.live.leave();
            output.say("stopping, saving progress (Ctrl-C again to skip)");
        }
    }
    output.live.erase();
    // A torrent that has stopped no longer says that its files were being checked.
    let before = door.view();
    stop(&door, &mut signals).await;
    match result? {
        Some(signal) => session.interrupted(signal, &before, &door.view()),
        None => session.ended(),
    }
}

/// Waits for the first torrent for which an engine is needed; gives back the signal that came before it.
async fn wait_for_first(
    request: &mut TransferRequest,
    signals: &mut Signals,
    output: &Output,
) -> Result<Option<Exit>, Error> {
    while request.submissions.is_empty()
        && let Some(more) = &mut request.more
    {
        let submission = tokio::select! {
            biased;
            signal = signals.next() => {
                output.live.erase();
                output.say(notices::NOTHING_BEGUN);
                return Ok(Some(signal));
            }
            submission = more.recv() => submission,
        };
        match submission {
            Some(Ok(Submission::TorrentFile(saved))) => {
                Reporter::new(request.verb, request.path_end, 1, 0, output).saved(
                    None,
                    &saved,
                    None,
                    Duration::ZERO,
                )?;
                request.outcomes.done();
            }
            // No torrent was submitted to which these could belong.
            Some(Ok(Submission::MorePeers(_))) => {}
            Some(Ok(submission)) => request.submissions.push(submission),
            Some(Err(failure)) => {
                output.fail(&failure);
                request.outcomes.failed(&failure);
            }
            None => request.more = None,
        }
    }
    Ok(None)
}

struct Session<'a> {
    verb: Verb,
    settings: SessionSettings,
    output: &'a Output,
    running: BTreeMap<TorrentId, Running>,
    /// Those whose metadata is looked for.
    searches: MetadataSearches,
    /// Those whose metadata was found before the session began, and that wait to be started.
    found: Vec<TorrentId>,
    /// Those that are still being built.
    more: Option<Submissions>,
    hooks: Hooks,
    outcomes: Outcomes,
    timeout: Option<Duration>,
    reporter: Reporter<'a>,
    /// The stream to standard output, if there is one.
    stream: Option<Stream>,
    links: Links,
    questions: Questions,
    begun: Instant,
}

struct Running {
    torrent: SubmittedTorrent,
    /// Files that were there are believed to be right.
    trusting: bool,
    /// Bytes that were there when it began.
    found: u64,
    stall: Stall,
    path: Option<PathBuf>,
    over: bool,
}

impl Running {
    fn new(torrent: SubmittedTorrent, content: &ContentOptions) -> Self {
        let trusting = content.existing == ExistingFiles::Trust;
        Self { torrent, trusting, found: 0, stall: Stall::default(), path: None, over: false }
    }

    /// The goal of seeding, if it is seeded.
    fn until(&self) -> SeedGoal {
        if let After::Seed(until) = self.torrent.after { until } else { SeedGoal::default() }
    }
}

/// The next submission that is built; waits for ever where there are no more.
async fn next(more: &mut Option<Submissions>) -> Option<Result<Submission, Error>> {
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
    fn new(request: TransferRequest, known: Known, output: &'a Output) -> Self {
        let lost = request.outcomes.failures();
        let mut reporter = Reporter::new(request.verb, request.path_end, 0, lost, output);
        let hook_output = match output.progress {
            // Its lines stand above what is drawn.
            Progress::Bar => {
                let output = output.clone();
                HookOutput::Lines(Arc::new(move |line| output.say(line)))
            }
            _ => HookOutput::Stderr,
        };
        for (id, info_hashes) in known.torrents {
            reporter.set_info_hashes(id, info_hashes);
        }
        Self {
            verb: request.verb,
            settings: request.settings,
            output,
            reporter,
            running: BTreeMap::new(),
            searches: MetadataSearches::default(),
            found: known.found,
            more: request.more,
            hooks: Hooks::new(request.hook, hook_output),
            outcomes: request.outcomes,
            links: request.links.unwrap_or_default(),
            questions: Questions::new(request.asks),
            timeout: request.timeout,
            stream: None,
            begun: Instant::now(),
        }
    }

    /// Runs until every torrent has ended, or until a signal.
    async fn run(
        &mut self,
        submissions: Vec<Submission>,
        door: &Door,
        mut events: Events,
        signals: &mut Signals,
    ) -> Result<Option<Exit>, Error> {
        for submission in submissions {
            self.count(&submission);
            self.begin(submission, None, door)?;
        }
        self.look_closer(door);
        let mut views = door.views();
        let mut resizes = Resizes::watch(self.output.progress == Progress::Bar);
        let given = self.running.iter().filter_map(|(id, running)| {
            let given = self.links.given.get(&running.torrent.info_hashes)?;
            Some((*id, given.files.clone()))
        });
        let mut watch = Watch::start(given.collect());
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while self.more.is_some()
            || self.stream.is_some()
            || self.searches.count() > 0
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
                submission = next(&mut self.more) => self.built(submission, door)?,
                (id, submission) = self.searches.resolved() => self.resolved(id, submission, door)?,
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
                answer = self.questions.answered() => self.treat_different(answer, door),
                // Nothing may be drawn over a question.
                Ok(()) = views.changed(), if !self.questions.is_asking() => self.look(&door.view(), door)?,
                () = resizes.next(), if !self.questions.is_asking() => self.reporter.progress(&door.view(), self.begun.elapsed())?,
            }
        }
        Ok(None)
    }

    /// Asks for details of a single seeding torrent: its peers are shown beside it.
    fn look_closer(&self, door: &Door) {
        if self.output.progress == Progress::Bar
            && self.searches.count() == 0
            && let (1, Some((id, running))) = (self.running.len(), self.running.first_key_value())
            && running.torrent.is_seeded()
        {
            door.send(Command::ShowDetail(Some(*id)));
        }
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
