//! `torr demo`: a small swarm on this machine, to be watched.

mod cast;
mod content;
mod folder;
mod helpers;
mod ways;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::app::door::{Add, Command, Door, Event, Row, View};
use crate::app::making::hash;
use crate::app::{Error, ErrorKind, reason, shown};
use crate::base::{TorrentId, units};
use crate::face::cli::exit::Exit;
use crate::face::cli::output::{Output, Progress as Shown};
use crate::face::cli::progress::amounts::percent;
use crate::face::cli::progress::screen;
use crate::face::cli::signals::Signals;
use crate::face::cli::style::{Role, width};
use crate::face::cli::transfer::block_on;
use crate::proto::metainfo::Metainfo;

use cast::Member;
use folder::Folder;
use helpers::Helpers;
use ways::Ways;

/// Watch a small swarm at work on this machine
///
/// Starts a tracker, a DHT of twenty nodes, five seeding peers and one that downloads, all real and all on
/// loopback, in a temporary directory that is removed at the end. One peer is throttled and one leaves
/// half-way. Then the tracker fails and two more peers join: one is found through the DHT, the other through
/// peer exchange (PEX). At the end every byte is compared. Takes about fifteen seconds.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr demo
  torr demo --size 64M")]
pub struct DemoArgs {
    /// Amount of data to transfer, 1M to 4G
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256M")]
    size: u64,
}

const SCHEMA: &str = "torr.demo/1";
/// The seed of the content.
const SEED: u64 = 0x746f_7272;
/// The part of the download at which the tracker dies.
const TRACKER_DIES: f64 = 0.2;
/// The longest the swarm may take before something must be wrong.
const LONGEST: Duration = Duration::from_secs(300);

/// Shows it.
pub fn run(args: &DemoArgs, output: &Output) -> Result<Exit, Error> {
    block_on(output, async {
        let folder = Folder::new()
            .map_err(|error| Error::disk("create a folder in", &std::env::temp_dir(), &error))?;
        let mut signals = Signals::take().map_err(|error| {
            Error::new(ErrorKind::Internal, "internal", format!("cannot install signal handlers: {error}"))
        })?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut play = Play::new(args.size, folder.path(), output, stop.clone());
        let result = tokio::select! {
            signal = signals.next() => {
                output.live.erase();
                output.say("stopping, cleaning up (Ctrl-C again to skip)");
                Ok(signal)
            }
            result = play.all() => result,
        };
        // What runs on other threads must not write into a folder that is being removed.
        stop.store(true, Ordering::Relaxed);
        tokio::select! {
            () = play.end() => {}
            _ = signals.next() => {}
        }
        drop(folder);
        result
    })
}

struct Play<'a> {
    size: u64,
    folder: PathBuf,
    output: &'a Output,
    stop: Arc<AtomicBool>,
    members: [Member; 5],
    helpers: Option<Helpers>,
    downloader: Option<Door>,
    /// Work on another thread that may still be going on.
    work: Option<tokio::task::JoinHandle<()>>,
    /// When the command began: the clock of all lines.
    begun: Instant,
    /// When the download began.
    moving: Instant,
    said: (f64, Duration),
}

impl<'a> Play<'a> {
    fn new(size: u64, folder: &Path, output: &'a Output, stop: Arc<AtomicBool>) -> Self {
        Self {
            size,
            folder: folder.to_owned(),
            output,
            stop,
            members: cast::members(size),
            helpers: None,
            downloader: None,
            work: None,
            begun: Instant::now(),
            moving: Instant::now(),
            said: (0.0, Duration::ZERO),
        }
    }

    async fn all(&mut self) -> Result<Exit, Error> {
        let (given, taken) = (self.folder.join("given"), self.folder.join("taken"));
        self.say(&format!("creating {} of files in {}", units::size(self.size), shown(&self.folder)));
        let helpers = self.helpers.insert(Helpers::start().await?);
        let trackers = helpers.trackers().to_vec();
        let torrent = self.prepare(&given, trackers.clone()).await?;
        self.say(&format!("started a tracker at {}", trackers.first().map_or("", String::as_str)));
        self.say(&format!("started a DHT of {} nodes", helpers::NODES));
        let (id, took) = self.move_it(&torrent, &given, &taken).await?;
        let wasted = self.count(id).await?;
        self.say("comparing every byte with the original");
        let (size, stop) = (self.size, self.stop.clone());
        let compared = self.elsewhere(move || content::compare(size, &given, &taken, &stop)).await?.map_err(
            |error| Error::new(ErrorKind::Disk, "io", format!("cannot compare: {}", reason(&error))),
        )?;
        let bytes = compared.map_err(|path| {
            Error::new(ErrorKind::Answer, "damaged", format!("{} differs from the original", shown(&path)))
        })?;
        self.tell_the_story(wasted, bytes, took)?;
        Ok(Exit::Done)
    }

    /// Writes and hashes the content.
    async fn prepare(&mut self, given: &Path, trackers: Vec<String>) -> Result<Metainfo, Error> {
        let (size, folder, stop) = (self.size, given.to_owned(), self.stop.clone());
        let written = self.elsewhere(move || content::write(&folder, size, SEED, &stop)).await?;
        written.map_err(|error| Error::disk("write", given, &error))?;
        let path = |path| Some(given.join(content::NAME).join(path));
        let files: Vec<(Option<PathBuf>, u64)> =
            content::files(size).into_iter().map(|(name, len)| (path(name), len)).collect();
        let shape = content::shape(size);
        let hash = move || hash::hash(&files, &shape, &[], hash::cores(), &mut |_| Ok(()));
        let hashed = self.elsewhere(hash).await??;
        Ok(content::torrent(size, &hashed.digests, trackers))
    }

    /// Lets them come and go while the download runs, until it is complete; says which torrent that was, and how
    /// long it took.
    async fn move_it(
        &mut self,
        torrent: &Metainfo,
        given: &Path,
        taken: &Path,
    ) -> Result<(TorrentId, Duration), Error> {
        let nodes = self.helpers.as_ref().map(Helpers::nodes).unwrap_or_default();
        let (downloader, mut events) = cast::engine(None, None, &nodes).await?;
        self.moving = Instant::now();
        let id = downloader.add(Add::new(torrent.clone(), taken.to_owned()));
        downloader.send(Command::ShowDetail(Some(id)));
        self.downloader = Some(downloader);
        let mut ticks = interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let took = loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(Event::Finished { took, .. }) => break took,
                    Some(Event::Failed { fault, .. }) => return Err(Error::from(fault)),
                    Some(_) => {}
                    None => return Err(Error::new(ErrorKind::Internal, "internal", "the engine stopped unexpectedly")),
                },
                _ = ticks.tick() => {
                    let row = self.downloader.as_ref().and_then(|engine| cast::row(engine, id));
                    self.direct(row.as_ref().map_or(0.0, Row::progress), torrent, given).await?;
                    if let Some(row) = row {
                        self.show(&row)?;
                    }
                    if self.moving.elapsed() > LONGEST {
                        return Err(Error::new(ErrorKind::Network, "no_progress", "the swarm did not finish in five minutes"));
                    }
                }
            }
        };
        self.output.live.erase();
        Ok((id, took))
    }

    /// Sends everybody home, so that what each of them gave is final; says how many bytes came in vain.
    async fn count(&mut self, id: TorrentId) -> Result<u64, Error> {
        for member in &mut self.members {
            member.go().await;
        }
        let Some(downloader) = &self.downloader else { return Ok(0) };
        downloader.stop().await;
        let row = cast::row(downloader, id);
        let row =
            row.ok_or_else(|| Error::new(ErrorKind::Internal, "internal", "the engine forgot its torrent"))?;
        Ok(row.wasted)
    }

    /// Has peers join, leave and connect as the download reaches this progress.
    async fn direct(&mut self, progress: f64, torrent: &Metainfo, given: &Path) -> Result<(), Error> {
        if let Some(helpers) = self.helpers.as_mut().filter(|helpers| helpers.died.is_none())
            && progress >= TRACKER_DIES
        {
            helpers.lose_tracker(progress).await;
            self.lost(progress)?;
        }
        let nodes = self.helpers.as_ref().map(Helpers::nodes).unwrap_or_default();
        for at in 0..self.members.len() {
            let known = self.members[at].knows;
            let known = self.members.iter().find(|other| Some(other.name) == known).and_then(Member::addr);
            let own = self.folder.join(self.members[at].name);
            let member = &mut self.members[at];
            member.look();
            if member.engine.is_none() && !member.gone && progress >= member.comes {
                let came = member.come(torrent, given, &own, &nodes, known).await;
                came?;
                self.member_event("came", at, progress)?;
            } else if member.engine.is_some() && member.goes.is_some_and(|goes| progress >= goes) {
                member.go().await;
                self.member_event("left", at, progress)?;
            } else if self.downloader.as_ref().is_some_and(|downloader| member.notice(downloader)) {
                self.meeting(at, progress)?;
            }
        }
        Ok(())
    }

    fn lost(&self, progress: f64) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Lost {
            schema: &'static str,
            event: &'static str,
            progress: f64,
        }
        self.say(&format!("the tracker died at {}", percent(progress)));
        self.output.event(&Lost { schema: SCHEMA, event: "tracker_died", progress })
    }

    fn meeting(&self, at: usize, progress: f64) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Met {
            schema: &'static str,
            event: &'static str,
            seeder: &'static str,
            way: &'static str,
            progress: f64,
        }
        let member = &self.members[at];
        let Some(way) = member.met else { return Ok(()) };
        self.say(&format!("{} connected {}", member.name, ways::told(way)));
        let (seeder, way) = (member.name, ways::word(way));
        self.output.event(&Met { schema: SCHEMA, event: "met", seeder, way, progress })
    }

    fn member_event(&self, what: &'static str, at: usize, progress: f64) -> Result<(), Error> {
        #[derive(Serialize)]
        struct MemberEvent {
            schema: &'static str,
            event: &'static str,
            seeder: &'static str,
            progress: f64,
            gave: u64,
        }
        let member = &self.members[at];
        let verb = if what == "came" { "joined" } else { what };
        self.say(&format!("{} {verb} at {}  ({})", member.name, percent(progress), member.habit));
        self.output.event(&MemberEvent {
            schema: SCHEMA,
            event: what,
            seeder: member.name,
            progress,
            gave: member.gave,
        })
    }

    fn show(&mut self, row: &Row) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Now {
            schema: &'static str,
            event: &'static str,
            progress: f64,
            down: u64,
            gave: Vec<u64>,
        }
        let output = self.output;
        if output.progress == Shown::Bar {
            let size = output.size();
            let columns = size.columns;
            let view = View { torrents: vec![row.clone()], ..View::default() };
            let mut lines = screen::lines(&view, 0, output.err, size);
            let members = self.members.iter().map(|member| output.err.own(&member.line(output.err, columns)));
            lines.extend(members.map(|line| output.err.fit_line(&line, columns.saturating_sub(1))));
            if let Some(helpers) = &self.helpers {
                lines.push(output.err.fit_line(&helpers.line(), columns.saturating_sub(1)));
            }
            output.live.draw(lines);
        }
        let now = self.moving.elapsed();
        let (progress, at) = self.said;
        let every = output.interval.unwrap_or(Duration::from_secs(1));
        if now.saturating_sub(at) >= every && (row.progress() - progress >= 0.1 || output.json) {
            self.said = (row.progress(), now);
            if output.progress == Shown::Lines {
                let gave: Vec<String> = self
                    .members
                    .iter()
                    .map(|member| format!("{} {}", member.name, units::size(member.gave)))
                    .collect();
                self.say(&format!("{}   uploaded: {}", cast::download_line(row), gave.join(", ")));
            }
            let gave = self.members.iter().map(|member| member.gave).collect();
            output.event(&Now {
                schema: SCHEMA,
                event: "progress",
                progress: row.progress(),
                down: row.down as u64,
                gave,
            })?;
        }
        Ok(())
    }

    fn tell_the_story(&self, wasted: u64, bytes: u64, took: Duration) -> Result<(), Error> {
        #[derive(Serialize)]
        struct Done {
            schema: &'static str,
            event: &'static str,
            ok: bool,
            size: u64,
            seconds: f64,
            wasted: u64,
            gave: Vec<u64>,
            identical: bool,
            tracker_died: Option<f64>,
            dht_nodes: usize,
            met: Ways,
        }
        let output = self.output;
        let gave: Vec<u64> = self.members.iter().map(|member| member.gave).collect();
        let died = self.helpers.as_ref().and_then(|helpers| helpers.died);
        let met = Ways::of(&self.members);
        output.event(&Done {
            schema: SCHEMA,
            event: "done",
            ok: true,
            size: bytes,
            seconds: took.as_secs_f64(),
            wasted,
            gave,
            identical: true,
            tracker_died: died,
            dht_nodes: helpers::NODES,
            met,
        })?;
        if output.json {
            return Ok(());
        }
        let style = output.out;
        let rate = units::rate(bytes as f64 / took.as_secs_f64().max(0.001));
        let mut text = format!(
            "{} {} in {} ({rate}), every byte matches the original\n",
            style.paint(Role::Good, style.ok()),
            units::size(bytes),
            units::span(took)
        );
        let names = self.members.iter().map(|member| width(member.name)).max().unwrap_or(0);
        for member in &self.members {
            let name = member.name;
            text.push_str(&format!(
                "  {name:<names$}  uploaded {:>8}   {}\n",
                units::size(member.gave),
                member.habit
            ));
        }
        let vain = if wasted == 0 { "nothing".to_owned() } else { units::size(wasted) };
        text.push_str(&format!("  {vain} received twice or damaged\n"));
        text.push_str(&met.told(died));
        output.data(style.own(&text).as_bytes())
    }

    /// Runs work that blocks on a thread for such work, and remembers it until it has ended.
    async fn elsewhere<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (send, result) = tokio::sync::oneshot::channel();
        self.work = Some(tokio::task::spawn_blocking(move || drop(send.send(work()))));
        let ended = result
            .await
            .map_err(|_| Error::new(ErrorKind::Internal, "internal", "a part of the demo has crashed"));
        self.work = None;
        ended
    }

    /// Everybody goes home.
    async fn end(&mut self) {
        if let Some(work) = self.work.take() {
            // How it ended does not matter any more.
            let _ = work.await;
        }
        if let Some(engine) = self.downloader.take() {
            engine.stop().await;
        }
        for member in &mut self.members {
            member.go().await;
        }
        if let Some(mut helpers) = self.helpers.take() {
            helpers.end().await;
        }
    }

    fn say(&self, text: &str) {
        self.output.say(&format!("{:>5.1} s  {text}", self.begun.elapsed().as_secs_f64()));
    }
}

fn size(text: &str) -> Result<u64, String> {
    let size = units::parse_size(text).map_err(|error| error.to_string())?;
    if (1 << 20..=4 << 30).contains(&size) { Ok(size) } else { Err("from 1M to 4G".to_owned()) }
}
