//! `torr demo`: a small swarm on this machine, to be watched.

mod cast;
mod content;
mod folder;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use serde::Serialize;
use tokio::time::{MissedTickBehavior, interval};

use crate::base::{InfoHash, units};
use crate::engine::tracker_server::{Access, ServerConfig, TrackerServer};
use crate::engine::{Add, Command, Event, Handle, Row, View};
use crate::face::cli::error::{Failure, reason, shown};
use crate::face::cli::exit::Exit;
use crate::face::cli::faults;
use crate::face::cli::output::{Output, Progress as Shown};
use crate::face::cli::progress::amounts::percent;
use crate::face::cli::progress::screen;
use crate::face::cli::signals::Signals;
use crate::face::cli::style::{Role, width};
use crate::face::cli::transfer::block_on;
use crate::proto::metainfo::Metainfo;
use crate::store::{self, Progress};

use cast::Seeder;
use folder::Folder;

/// Watch a small swarm on this machine
///
/// Starts a tracker, three peers that give and one that takes, all of them real and all on loopback, in
/// a temporary folder that is removed at the end. One of the three is throttled, one comes late, one
/// leaves half-way. Every byte is compared at the end. Takes some ten seconds.
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  torr demo
  torr demo --size 64M")]
pub struct DemoArgs {
    /// How much to move: 1M to 4G
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "256M")]
    size: u64,
}

const SCHEMA: &str = "torr.demo/1";
/// The seed of the content.
const SEED: u64 = 0x746f_7272;
/// The longest the swarm may take before something must be wrong.
const LONGEST: Duration = Duration::from_secs(300);

/// Shows it.
pub fn run(args: &DemoArgs, output: &Output) -> Result<Exit, Failure> {
    block_on(output, async {
        let folder = Folder::new()
            .map_err(|error| Failure::disk("create a folder in", &std::env::temp_dir(), &error))?;
        let mut signals = Signals::take().map_err(|error| {
            Failure::new(Exit::Internal, "internal", format!("cannot listen for signals: {error}"))
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
    seeders: [Seeder; 3],
    downloader: Option<Handle>,
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
            seeders: cast::seeders(),
            downloader: None,
            work: None,
            begun: Instant::now(),
            moving: Instant::now(),
            said: (0.0, Duration::ZERO),
        }
    }

    async fn all(&mut self) -> Result<Exit, Failure> {
        let (given, taken) = (self.folder.join("given"), self.folder.join("taken"));
        self.say(&format!("making {} of files in {}", units::size(self.size), shown(&self.folder)));
        let tracker = tracker().await?;
        let torrent = self.prepare(&given, tracker.announce_urls()).await?;
        self.say(&format!(
            "a tracker answers at {}",
            tracker.announce_urls().first().map_or("", String::as_str)
        ));
        let took = self.move_it(&torrent, &given, &taken).await?;
        let wasted = self.count(torrent.info_hash()).await?;
        self.say("comparing every byte with the original");
        let (size, stop) = (self.size, self.stop.clone());
        let compared = self
            .elsewhere(move || content::compare(size, &given, &taken, &stop))
            .await?
            .map_err(|error| Failure::new(Exit::Disk, "io", format!("cannot compare: {}", reason(&error))))?;
        let bytes = compared.map_err(|path| {
            Failure::new(Exit::No, "damaged", format!("{} did not arrive as it was sent", shown(&path)))
        })?;
        tracker.stop().await;
        self.tell_the_story(wasted, bytes, took)?;
        Ok(Exit::Done)
    }

    /// Writes and hashes the content.
    async fn prepare(&mut self, given: &Path, trackers: Vec<String>) -> Result<Metainfo, Failure> {
        let (size, folder, stop) = (self.size, given.to_owned(), self.stop.clone());
        let written = self.elsewhere(move || content::write(&folder, size, SEED, &stop)).await?;
        written.map_err(|error| Failure::disk("write", given, &error))?;
        let path = |path| Some(given.join(content::NAME).join(path));
        let files: Vec<(Option<PathBuf>, u64)> =
            content::files(size).into_iter().map(|(name, len)| (path(name), len)).collect();
        let shape = content::shape(size);
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let hashed =
            self.elsewhere(move || store::hash_pieces(&files, &shape, threads, &Progress::new())).await?;
        let digests = hashed.map_err(|error| faults::disk(&error))?;
        Ok(content::torrent(size, &digests, trackers))
    }

    /// Lets them come and go while the download runs, until it is complete.
    async fn move_it(&mut self, torrent: &Metainfo, given: &Path, taken: &Path) -> Result<Duration, Failure> {
        let fault = |fault| faults::engine(&fault);
        let mut downloader = cast::engine(None).await.map_err(fault)?;
        let mut events = downloader.events().expect("nobody else has taken the events of this engine");
        let id = torrent.info_hash();
        self.moving = Instant::now();
        downloader.send(Command::Add(Box::new(Add::new(torrent.clone(), taken.to_owned()))));
        self.downloader = Some(downloader);
        let mut ticks = interval(Duration::from_millis(100));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let took = loop {
            tokio::select! {
                biased;
                event = events.recv() => match event {
                    Some(Event::Finished { took, .. }) => break took,
                    Some(Event::Failed { fault, .. }) => return Err(faults::engine(&fault)),
                    Some(_) => {}
                    None => return Err(Failure::new(Exit::Internal, "internal", "the engine has ended by itself")),
                },
                _ = ticks.tick() => {
                    let row = self.downloader.as_ref().and_then(|engine| cast::row(engine, id));
                    self.direct(row.as_ref().map_or(0.0, Row::progress), torrent, given).await?;
                    if let Some(row) = row {
                        self.show(&row)?;
                    }
                    if self.moving.elapsed() > LONGEST {
                        return Err(Failure::new(Exit::Network, "no_progress", "the swarm did not finish in five minutes"));
                    }
                }
            }
        };
        self.output.live.erase();
        Ok(took)
    }

    /// Sends everybody home, so that what each of them gave is final; says how many bytes came in vain.
    async fn count(&mut self, id: InfoHash) -> Result<u64, Failure> {
        for seeder in &mut self.seeders {
            seeder.go().await;
        }
        let Some(downloader) = &self.downloader else { return Ok(0) };
        downloader.stop().await;
        let row = cast::row(downloader, id);
        let row =
            row.ok_or_else(|| Failure::new(Exit::Internal, "internal", "the engine forgot its torrent"))?;
        Ok(row.wasted)
    }

    /// Who comes and who goes at this point of the download.
    async fn direct(&mut self, progress: f64, torrent: &Metainfo, given: &Path) -> Result<(), Failure> {
        for at in 0..self.seeders.len() {
            let seeder = &mut self.seeders[at];
            seeder.look();
            if seeder.engine.is_none() && !seeder.gone && progress >= seeder.comes {
                seeder.come(torrent, given).await.map_err(|fault| faults::engine(&fault))?;
                self.news("came", at, progress)?;
            } else if seeder.engine.is_some() && seeder.goes.is_some_and(|goes| progress >= goes) {
                seeder.go().await;
                self.news("left", at, progress)?;
            }
        }
        Ok(())
    }

    fn news(&self, what: &'static str, at: usize, progress: f64) -> Result<(), Failure> {
        #[derive(Serialize)]
        struct News {
            schema: &'static str,
            event: &'static str,
            seeder: &'static str,
            progress: f64,
            gave: u64,
        }
        let seeder = &self.seeders[at];
        self.say(&format!("{} {what} at {}  ({})", seeder.name, percent(progress), seeder.habit));
        self.output.event(&News {
            schema: SCHEMA,
            event: what,
            seeder: seeder.name,
            progress,
            gave: seeder.gave,
        })
    }

    fn show(&mut self, row: &Row) -> Result<(), Failure> {
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
            let seeders = self.seeders.iter().map(|seeder| output.err.own(&seeder.line(output.err, columns)));
            lines.extend(seeders.map(|line| output.err.fit_line(&line, columns.saturating_sub(1))));
            output.live.draw(lines);
        }
        let now = self.moving.elapsed();
        let (progress, at) = self.said;
        let every = output.interval.unwrap_or(Duration::from_secs(1));
        if now.saturating_sub(at) >= every && (row.progress() - progress >= 0.1 || output.json) {
            self.said = (row.progress(), now);
            if output.progress == Shown::Lines {
                let gave: Vec<String> = self
                    .seeders
                    .iter()
                    .map(|seeder| format!("{} {}", seeder.name, units::size(seeder.gave)))
                    .collect();
                self.say(&format!("{}   given: {}", cast::download_line(row), gave.join(", ")));
            }
            let gave = self.seeders.iter().map(|seeder| seeder.gave).collect();
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

    fn tell_the_story(&self, wasted: u64, bytes: u64, took: Duration) -> Result<(), Failure> {
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
        }
        let output = self.output;
        let gave: Vec<u64> = self.seeders.iter().map(|seeder| seeder.gave).collect();
        output.event(&Done {
            schema: SCHEMA,
            event: "done",
            ok: true,
            size: bytes,
            seconds: took.as_secs_f64(),
            wasted,
            gave,
            identical: true,
        })?;
        if output.json {
            return Ok(());
        }
        let style = output.out;
        let rate = units::rate(bytes as f64 / took.as_secs_f64().max(0.001));
        let mut text = format!(
            "{} {} in {} ({rate}), every byte is as it was sent\n",
            style.paint(Role::Good, style.ok()),
            units::size(bytes),
            units::span(took)
        );
        let names = self.seeders.iter().map(|seeder| width(seeder.name)).max().unwrap_or(0);
        for seeder in &self.seeders {
            let name = seeder.name;
            text.push_str(&format!(
                "  {name:<names$}  gave {:>8}   {}\n",
                units::size(seeder.gave),
                seeder.habit
            ));
        }
        let vain = if wasted == 0 { "nothing".to_owned() } else { units::size(wasted) };
        text.push_str(&format!("  {vain} came twice or damaged\n"));
        output.data(style.own(&text).as_bytes())
    }

    /// Runs work that blocks on a thread for such work, and remembers it until it has ended.
    async fn elsewhere<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        let (send, result) = tokio::sync::oneshot::channel();
        self.work = Some(tokio::task::spawn_blocking(move || drop(send.send(work()))));
        let ended = result
            .await
            .map_err(|_| Failure::new(Exit::Internal, "internal", "a part of the demo has crashed"));
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
        for seeder in &mut self.seeders {
            seeder.go().await;
        }
    }

    fn say(&self, text: &str) {
        self.output.say(&format!("{:>5.1} s  {text}", self.begun.elapsed().as_secs_f64()));
    }
}

async fn tracker() -> Result<TrackerServer, Failure> {
    let any = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
    let config = ServerConfig {
        http: Some(any),
        udp: Some(any),
        interval: Duration::from_secs(60),
        access: Access::Open,
    };
    TrackerServer::start(config).await.map_err(|error| {
        Failure::new(Exit::Network, "network", format!("cannot listen on loopback: {}", reason(&error)))
    })
}

fn size(text: &str) -> Result<u64, String> {
    let size = units::parse_size(text).map_err(|error| error.to_string())?;
    if (1 << 20..=4 << 30).contains(&size) { Ok(size) } else { Err("from 1M to 4G".to_owned()) }
}
