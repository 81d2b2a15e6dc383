//! The session: many torrents under one roof. It starts and ends their drivers, lets downloads wait
//! their turn, and puts their rows into one view.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};

use super::command::{Add, Command};
use super::config::EngineConfig;
use super::content;
use super::driver::{self, Published, ToDriver};
use super::event::{Event, Fault, FaultKind};
use super::shared::Shared;
use super::view::{Reason, Row, State, View};
use super::why::{Circumstances, why};
use crate::base::InfoHash;

/// What the session hears from its handle.
#[derive(Debug)]
pub enum ToSession {
    /// A command of a face.
    Command(Command),
    /// End, and say when it is done.
    Stop(oneshot::Sender<()>),
}

/// How often views are made.
const VIEW_EVERY: Duration = Duration::from_millis(250);
/// After how many views buffers that nobody needed are given back to the system.
const TRIM_EVERY: u32 = 20;
/// How long ending may take: every driver has finished by then or is left behind.
const STOP_WITHIN: Duration = Duration::from_millis(1600);

/// Starts a session.
pub(super) async fn start(
    config: EngineConfig,
    events: mpsc::UnboundedSender<Event>,
    view: watch::Sender<Arc<View>>,
    inbox: mpsc::UnboundedReceiver<ToSession>,
) -> Result<(), Fault> {
    let jobs = config.jobs.max(1);
    let shared = Shared::start(config, events.clone()).await?;
    let session =
        Session { shared, events, view, jobs, torrents: Vec::new(), look: None, views: 0, stopping: false };
    tokio::spawn(session.run(inbox));
    Ok(())
}

struct Session {
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Event>,
    view: watch::Sender<Arc<View>>,
    jobs: usize,
    torrents: Vec<Entry>,
    look: Option<InfoHash>,
    /// How many views were made.
    views: u32,
    /// Drivers end because they were told to.
    stopping: bool,
}

/// One torrent of the session.
struct Entry {
    id: InfoHash,
    turn: Turn,
    /// The last row its driver published, or one made for it while it waits.
    row: Row,
}

enum Turn {
    /// It waits; nothing of it runs.
    Waiting(Box<Add>),
    Running(Running),
}

struct Running {
    orders: mpsc::UnboundedSender<ToDriver>,
    published: watch::Receiver<Option<Published>>,
    task: JoinHandle<()>,
}

impl Session {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<ToSession>) {
        let mut tick = time::interval(VIEW_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let done = loop {
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(ToSession::Command(command)) => self.command(command),
                    Some(ToSession::Stop(done)) => break Some(done),
                    None => break None,
                },
                _ = tick.tick() => self.look_round(),
            }
        };
        self.stop().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Add(add) => self.add(add),
            Command::Find(_) => {}
            Command::Pause(id) => self.tell(id, ToDriver::Pause),
            Command::Resume(id) => self.tell(id, ToDriver::Resume),
            Command::Peers(id, addrs) => self.tell(id, ToDriver::Peers(addrs)),
            Command::Remove(id) => {
                self.tell(id, ToDriver::Stop);
                self.torrents.retain(|entry| entry.id != id);
            }
            Command::Limits { down, up } => self.shared.set_limits(down, up),
            Command::Look(id) => {
                self.look = id;
                for entry in &self.torrents {
                    entry.tell(ToDriver::Look(Some(entry.id) == id));
                }
            }
        }
        self.give_turns();
    }

    fn add(&mut self, add: Box<Add>) {
        let id = add.metainfo.info_hash();
        if self.torrents.iter().any(|entry| entry.id == id) {
            let fault = Fault {
                kind: FaultKind::Duplicate,
                message: format!("{} is there already", add.metainfo.name()),
                hint: None,
            };
            let _ = self.events.send(Event::Failed { id, fault });
            return;
        }
        let _ = self.events.send(Event::Added {
            id,
            name: add.metainfo.name().clone(),
            size: content::wanted(&add.metainfo, &add.priorities),
            files: content::file_count(&add.metainfo, &add.priorities),
        });
        let row = waiting_row(&add, self.jobs);
        self.torrents.push(Entry { id, turn: Turn::Waiting(add), row });
    }

    /// Starts those who wait, as far as there is room for more downloads.
    fn give_turns(&mut self) {
        let mut free = self.jobs.saturating_sub(self.torrents.iter().filter(|e| e.is_downloading()).count());
        let look = self.look;
        for entry in &mut self.torrents {
            let Turn::Waiting(add) = &entry.turn else { continue };
            if !add.seed_only {
                if free == 0 {
                    continue;
                }
                free -= 1;
            }
            let (orders, inbox) = mpsc::unbounded_channel();
            let (publish, published) = watch::channel(None);
            (entry.row.state, entry.row.reason) = starting(add);
            let task = tokio::spawn(driver::run(self.shared.clone(), add.clone(), inbox, publish));
            entry.turn = Turn::Running(Running { orders, published, task });
            entry.tell(ToDriver::Look(look == Some(entry.id)));
        }
        self.share_budget();
    }

    /// Divides the memory for unfinished pieces among the downloads that run.
    fn share_budget(&self) {
        let downloading: Vec<&Entry> = self.torrents.iter().filter(|entry| entry.is_downloading()).collect();
        let share = Shared::budget_for(downloading.len());
        for entry in downloading {
            entry.tell(ToDriver::Budget(share));
        }
    }

    /// Takes in what the drivers published, and makes one view of it.
    fn look_round(&mut self) {
        let mut detail = None;
        let mut ended = false;
        for entry in &mut self.torrents {
            let Turn::Running(running) = &mut entry.turn else { continue };
            // Looked at before what it published, or its last word could fall between the two.
            let over = running.task.is_finished();
            // One that has ended may have left a word that was not seen.
            if running.published.has_changed().unwrap_or(true)
                && let Some(published) = running.published.borrow_and_update().clone()
            {
                ended |= entry.row.state != published.row.state;
                entry.row = published.row;
                if self.look == Some(entry.id) {
                    detail = published.detail;
                }
            }
            let failed = over && !matches!(entry.row.state, State::Done | State::Error);
            if failed && !self.stopping {
                // The driver ended without its last word: it panicked. The others go on.
                entry.row.state = State::Error;
                entry.row.reason.word = FaultKind::Internal.reason();
                entry.row.reason.text = "an internal error stopped this torrent".into();
                let fault = Fault {
                    kind: FaultKind::Internal,
                    message: entry.row.reason.text.clone(),
                    hint: Some("please report it with the text above".into()),
                };
                let _ = self.events.send(Event::Failed { id: entry.id, fault });
                ended = true;
            }
        }
        if ended && !self.stopping {
            self.give_turns();
        }
        self.views = self.views.wrapping_add(1);
        if self.views.is_multiple_of(TRIM_EVERY) {
            self.shared.pool.trim();
        }
        let kept = self.view.borrow().detail.clone().filter(|d| self.look == Some(d.id));
        let torrents: Vec<Row> = self.torrents.iter().map(|entry| entry.row.clone()).collect();
        let (down, up) = torrents.iter().fold((0.0, 0.0), |(d, u), row| (d + row.down, u + row.up));
        let view = View {
            torrents,
            detail: detail.or(kept),
            port: self.shared.port(),
            dht_nodes: self.shared.dht_nodes(),
            down,
            up,
        };
        self.view.send_replace(Arc::new(view));
    }

    fn tell(&self, id: InfoHash, order: ToDriver) {
        if let Some(entry) = self.torrents.iter().find(|entry| entry.id == id) {
            entry.tell(order);
        }
    }

    async fn stop(mut self) {
        let mut tasks = Vec::new();
        self.stopping = true;
        for entry in &mut self.torrents {
            entry.tell(ToDriver::Stop);
            if let Turn::Running(running) = &mut entry.turn {
                tasks.push(&mut running.task);
            }
        }
        let all = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        let _ = time::timeout(STOP_WITHIN, all).await;
        // The last view holds what each of them moved in all.
        self.look_round();
        self.shared.stop().await;
    }
}

impl Entry {
    fn tell(&self, order: ToDriver) {
        if let Turn::Running(running) = &self.turn {
            let _ = running.orders.send(order);
        }
    }

    /// Whether it takes one of the places for downloads.
    fn is_downloading(&self) -> bool {
        let counts =
            matches!(self.row.state, State::Downloading | State::Waiting | State::Checking | State::Queued);
        matches!(&self.turn, Turn::Running(running) if counts && !running.task.is_finished())
    }
}

/// What a torrent is when its turn has come, before its driver says more.
fn starting(add: &Add) -> (State, Reason) {
    if add.seed_only {
        why(&Circumstances { unseen: true, ..Circumstances::default() })
    } else {
        (State::Downloading, Reason { word: "starting", text: "starting".into() })
    }
}

/// The row of a torrent that waits its turn.
fn waiting_row(add: &Add, jobs: usize) -> Row {
    let circumstances = Circumstances { queued_behind: Some(jobs as u32), ..Circumstances::default() };
    add.row(add.folder.clone(), why(&circumstances))
}
