//! The session: many torrents under one roof. It starts and ends their drivers, lets downloads wait
//! their turn, and puts their rows into one view.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{self, MissedTickBehavior};

use super::command::{Add, Command, Find};
use super::config::EngineConfig;
use super::content;
use super::driver::{self, Published, ToDriver};
use super::event::{Event, Fault, FaultKind};
use super::finder::{self, Finder};
use super::shared::Shared;
use super::view::{Reason, Row, State, View};
use super::why::{Circumstances, why};
use crate::base::{InfoHash, Untrusted};

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
/// Peers that are kept for a torrent until its turn comes.
const MOST_PEERS: usize = 1000;
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
    // Whoever hears of a torrent can tell where it is found.
    view.send_replace(Arc::new(View { port: shared.port(), ..View::default() }));
    let session = Session {
        shared,
        events,
        view,
        jobs,
        torrents: Vec::new(),
        leaving: Vec::new(),
        look: None,
        views: 0,
        stopping: false,
    };
    tokio::spawn(session.run(inbox));
    Ok(())
}

struct Session {
    shared: Arc<Shared>,
    events: mpsc::UnboundedSender<Event>,
    view: watch::Sender<Arc<View>>,
    jobs: usize,
    torrents: Vec<Entry>,
    /// Tasks of torrents that were removed, while they take their leave.
    leaving: Vec<JoinHandle<()>>,
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
    /// Its metadata is looked for, or was found.
    Finding(Running),
    /// It waits; nothing of it runs but the search that found its metadata, if there was one. A torrent that is
    /// paused lets the others go first.
    Waiting {
        add: Box<Add>,
        paused: bool,
        finder: Option<Finder>,
    },
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
            Command::Find(find) => self.find(*find),
            Command::Pause(id) => self.tell(id, ToDriver::Pause),
            Command::Resume(id) => self.tell(id, ToDriver::Resume),
            Command::Peers(id, addrs) => self.tell(id, ToDriver::Peers(addrs)),
            Command::Remove(id) => {
                let (gone, kept) =
                    std::mem::take(&mut self.torrents).into_iter().partition(|entry| entry.is(id));
                self.torrents = kept;
                self.leaving.retain(|task| !task.is_finished());
                self.leaving.extend(Vec::into_iter(gone).filter_map(Entry::leave));
            }
            Command::Limits { down, up } => self.shared.set_limits(down, up),
            Command::Look(id) => {
                self.look = id;
                for entry in &self.torrents {
                    entry.tell(ToDriver::Look(id.is_some_and(|id| entry.is(id))));
                }
            }
        }
        self.give_turns();
    }

    fn find(&mut self, find: Find) {
        let id = find.info_hash;
        let there = self.torrents.iter().find(|entry| entry.is(id));
        let fault = there.map(|entry| there_already(&entry.row.name)).or_else(|| finder::refuse(&find));
        if let Some(fault) = fault {
            let _ = self.events.send(Event::Failed { id, fault });
            return;
        }
        let (orders, inbox) = mpsc::unbounded_channel();
        let (publish, published) = watch::channel(None);
        let row = finder::row(&find);
        let task = tokio::spawn(finder::run(self.shared.clone(), find, inbox, publish));
        let turn = Turn::Finding(Running { orders, published, task });
        let entry = Entry { id, turn, row };
        entry.tell(ToDriver::Look(self.look.is_some_and(|look| entry.is(look))));
        self.torrents.push(entry);
    }

    fn add(&mut self, add: Box<Add>) {
        let id = add.metainfo.info_hash();
        let place = self.torrents.iter().position(|entry| entry.is(id));
        if place.is_some_and(|at| !matches!(self.torrents[at].turn, Turn::Finding(_))) {
            let fault = there_already(add.metainfo.name());
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
        let mut waits = Turn::Waiting { add, paused: false, finder: None };
        let Some(at) = place else {
            self.torrents.push(Entry { id, turn: waits, row });
            return;
        };
        // It takes the place of the search, which goes on until its turn has come.
        let entry = &mut self.torrents[at];
        std::mem::swap(&mut entry.turn, &mut waits);
        if let (Turn::Waiting { finder, .. }, Turn::Finding(Running { orders, task, .. })) =
            (&mut entry.turn, waits)
        {
            *finder = Some(Finder { orders, task });
        }
        (entry.id, entry.row) = (id, row);
    }

    /// Starts those who wait, as far as there is room for more downloads.
    fn give_turns(&mut self) {
        let mut free = self.jobs.saturating_sub(self.torrents.iter().filter(|e| e.is_downloading()).count());
        let look = self.look;
        for entry in &mut self.torrents {
            let Turn::Waiting { add, paused: false, finder } = &mut entry.turn else { continue };
            if !add.seed_only {
                if free == 0 {
                    continue;
                }
                free -= 1;
            }
            let (orders, inbox) = mpsc::unbounded_channel();
            let (publish, published) = watch::channel(None);
            (entry.row.state, entry.row.reason) = starting(add);
            let task =
                tokio::spawn(driver::run(self.shared.clone(), add.clone(), finder.take(), inbox, publish));
            entry.turn = Turn::Running(Running { orders, published, task });
            entry.tell(ToDriver::Look(look.is_some_and(|look| entry.is(look))));
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
            let (Turn::Running(running) | Turn::Finding(running)) = &mut entry.turn else { continue };
            // Looked at before what it published, or its last word could fall between the two.
            let over = running.task.is_finished();
            // One that has ended may have left a word that was not seen.
            if running.published.has_changed().unwrap_or(true)
                && let Some(published) = running.published.borrow_and_update().clone()
            {
                ended |= entry.row.state != published.row.state;
                entry.row = published.row;
                if self.look.is_some_and(|look| look.wire() == entry.id.wire()) {
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

    fn tell(&mut self, id: InfoHash, order: ToDriver) {
        let jobs = self.jobs;
        let Some(entry) = self.torrents.iter_mut().find(|entry| entry.is(id)) else { return };
        match &mut entry.turn {
            Turn::Running(_) | Turn::Finding(_) => entry.tell(order),
            Turn::Waiting { add, paused, .. } => {
                match order {
                    ToDriver::Pause => *paused = true,
                    ToDriver::Resume => *paused = false,
                    ToDriver::Peers(addrs) => {
                        add.peers.extend(addrs);
                        add.peers.truncate(MOST_PEERS);
                    }
                    // The rest is told when its turn comes, or is for what runs.
                    ToDriver::Budget(_) | ToDriver::Look(_) | ToDriver::HandOver(_) | ToDriver::Stop => {}
                }
                (entry.row.state, entry.row.reason) = waiting(jobs, *paused);
            }
        }
    }

    async fn stop(mut self) {
        let mut leaving = std::mem::take(&mut self.leaving);
        let mut tasks: Vec<&mut JoinHandle<()>> = leaving.iter_mut().collect();
        self.stopping = true;
        for entry in &mut self.torrents {
            entry.tell(ToDriver::Stop);
            match &mut entry.turn {
                Turn::Running(running) | Turn::Finding(running) => tasks.push(&mut running.task),
                Turn::Waiting { finder: Some(finder), .. } => tasks.push(&mut finder.task),
                Turn::Waiting { finder: None, .. } => {}
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
    /// Tells it to stop, and gives its task, if anything of it runs.
    fn leave(self) -> Option<JoinHandle<()>> {
        self.tell(ToDriver::Stop);
        match self.turn {
            Turn::Running(running) | Turn::Finding(running) => Some(running.task),
            Turn::Waiting { finder, .. } => finder.map(|finder| finder.task),
        }
    }

    fn tell(&self, order: ToDriver) {
        let orders = match &self.turn {
            Turn::Running(running) | Turn::Finding(running) => &running.orders,
            Turn::Waiting { finder: Some(finder), .. } => &finder.orders,
            Turn::Waiting { finder: None, .. } => return,
        };
        let _ = orders.send(order);
    }

    /// Whether this names it. A link may tell less of its name than its metadata does.
    fn is(&self, id: InfoHash) -> bool {
        self.id.wire() == id.wire()
    }

    /// Whether it takes one of the places for downloads.
    fn is_downloading(&self) -> bool {
        let counts =
            matches!(self.row.state, State::Downloading | State::Waiting | State::Checking | State::Queued);
        matches!(&self.turn, Turn::Running(running) if counts && !running.task.is_finished())
    }
}

fn there_already(name: &Untrusted) -> Fault {
    Fault { kind: FaultKind::Duplicate, message: format!("{name} is there already"), hint: None }
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
    add.row(add.folder.clone(), waiting(jobs, false))
}

/// What such a torrent is.
fn waiting(jobs: usize, paused: bool) -> (State, Reason) {
    why(&Circumstances { paused, queued_behind: Some(jobs as u32), ..Circumstances::default() })
}
