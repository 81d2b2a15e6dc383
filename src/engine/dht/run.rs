//! The task that drives a node: facts in, orders out.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use super::bootstrap::{MAX_NAMES, resolve_all};
use super::config::NodeConfig;
use super::message::{News, Order, Steps};
use super::saved::{MAX_NODES, Place};
use super::status::Status;
use crate::base::Moment;
use crate::dht::{Config, Dht, Family, Goal, Input, Origin, Output, Saved, TaskKey};
use crate::engine::clock::Clock;
use crate::engine::ports;
use crate::net::datagrams::{Kind, MAX_DATAGRAM, Received};
use crate::net::{Bind, Datagrams};

/// The addresses that names led to.
type Found = Vec<(Origin, Vec<SocketAddr>)>;

/// Searches at once; more would take the places for questions from each other.
const SEARCHES: usize = 64;
/// Datagrams taken at one go before timers and orders get their turn.
const AT_ONCE: usize = 64;
/// How long a search waits for somebody to ask, where nobody is known.
const HOPE: Duration = Duration::from_secs(3);
/// A node that knows fewer than this looks for more by name.
const FEW: usize = 8;
/// How long nodes of the last run are given to answer before others are looked for by name. The first searches are
/// still under way then, even if nobody answers them.
const MOMENT: Duration = Duration::from_secs(2);
/// The pauses between two tries to find nodes by name.
const AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// How often what is known is saved.
const SAVE_EVERY: Duration = Duration::from_secs(600);
/// While tasks are under way, how often it is looked whether somebody still waits for them.
const LOOK_EVERY: Duration = Duration::from_secs(1);

pub(super) struct Runner {
    dht: Dht,
    sockets: Datagrams,
    bind: Bind,
    clock: Clock,
    status: watch::Sender<Status>,
    out: Vec<Output>,
    /// Addresses to which there is no way, as sending has just shown.
    unsent: VecDeque<SocketAddr>,
    /// The node that has just asked, and the address of ours that it asked.
    asked: Option<(SocketAddr, IpAddr)>,
    tasks: BTreeMap<TaskKey, mpsc::UnboundedSender<News>>,
    /// How far those have come who were told of it.
    steps: BTreeMap<TaskKey, Steps>,
    next_task: u64,
    /// Tasks that have not begun, and since when they wait.
    waiting: VecDeque<(Moment, Goal, mpsc::UnboundedSender<News>)>,
    names: Vec<String>,
    /// More names, that are looked up once.
    more_names: Vec<String>,
    resolving: Option<JoinHandle<Found>>,
    /// When nodes are looked for by name next, and how long the pause after that is.
    resolve_at: Moment,
    pause: Duration,
    place: Option<Arc<Place>>,
    saving: Option<JoinHandle<()>>,
    save_at: Moment,
}

impl Runner {
    /// Opens the file and feeds the node with what is there.
    pub(super) async fn new(
        sockets: Datagrams,
        config: NodeConfig,
        secret: [u8; 32],
        status: watch::Sender<Status>,
    ) -> Self {
        let clock = Clock::start();
        let now = clock.now();
        let (place, saved) = match config.file {
            Some(path) => match spawn_blocking(move || Place::open(path)).await {
                Ok((place, saved)) => (Some(Arc::new(place)), saved),
                Err(_) => (None, Saved::default()),
            },
            None => (None, Saved::default()),
        };
        let has = |family: &Family| match family {
            Family::V4 => sockets.has_v4(),
            Family::V6 => sockets.has_v6(),
        };
        let quiet = Config {
            families: Family::ALL.into_iter().filter(has).collect(),
            ids: saved.ids,
            read_only: config.read_only,
            answer_rate: config.answer_rate,
            packet_rate: config.packet_rate,
        };
        let mut runner = Self {
            dht: Dht::new(now, &quiet, secret),
            sockets,
            bind: ports::bind(config.bind, config.ipv6),
            clock,
            status,
            out: Vec::new(),
            unsent: VecDeque::new(),
            asked: None,
            tasks: BTreeMap::new(),
            steps: BTreeMap::new(),
            next_task: 0,
            waiting: VecDeque::new(),
            names: config.bootstrap.into_iter().take(MAX_NAMES).collect(),
            more_names: Vec::new(),
            resolving: None,
            // Nodes of the last run get a moment to answer before strangers are asked for others.
            resolve_at: if saved.nodes.is_empty() { now } else { now + MOMENT },
            pause: AGAIN.0,
            place,
            saving: None,
            save_at: now + SAVE_EVERY,
        };
        runner.tell(Input::Nodes(Origin::Kept, &saved.nodes));
        runner.look_after();
        runner
    }

    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let done = loop {
            let wake = self.wake_up();
            tokio::select! {
                order = orders.recv() => match order {
                    None => break None,
                    Some(Order::Stop(done)) => break Some(done),
                    Some(order) => self.ordered(order),
                },
                received = self.sockets.next(&mut buffer) => {
                    self.heard(received, &buffer);
                    for _ in 1..AT_ONCE {
                        let Some(received) = self.sockets.try_next(&mut buffer) else { break };
                        self.heard(received, &buffer);
                    }
                }
                found = finished(&mut self.resolving) => {
                    self.resolving = None;
                    for (origin, addrs) in found {
                        self.tell(Input::Nodes(origin, &addrs));
                    }
                }
                () = sleep_until(wake) => self.tell(Input::Tick),
            }
            self.look_after();
        };
        self.leave().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn ordered(&mut self, order: Order) {
        match order {
            Order::Begin(goal, news) => self.waiting.push_back((self.clock.now(), goal, news)),
            Order::Nodes(addrs) => self.tell(Input::Nodes(Origin::Told, &addrs)),
            Order::Names(names) => {
                let room = MAX_NAMES.saturating_sub(self.more_names.len());
                self.more_names.extend(names.into_iter().take(room));
            }
            Order::Stop(_) => {}
        }
    }

    fn heard(&mut self, Received { length, from, at }: Received, buffer: &[u8]) {
        let bytes = &buffer[..length];
        match Kind::of(bytes) {
            Kind::Dht => {
                self.asked = at.map(|at| (SocketAddr::new(from.ip(), from.port()), at));
                self.tell(Input::Heard { from, bytes });
                self.asked = None;
            }
            Kind::Unknown => {}
        }
    }

    /// Sends, saves and looks up whatever is due; called whenever something has happened.
    fn look_after(&mut self) {
        let now = self.clock.now();
        self.drop_the_forgotten();
        self.begin_waiting(now);
        self.tell_steps();
        self.find_names(now);
        if now >= self.save_at && self.saving.as_ref().is_none_or(JoinHandle::is_finished) {
            self.save_at = now + SAVE_EVERY;
            self.saving = self.save();
        }
        publish(&self.dht, self.resolving.is_some(), &self.status);
    }

    /// Nobody waits for these any more.
    fn drop_the_forgotten(&mut self) {
        self.waiting.retain(|(_, _, news)| !news.is_closed());
        let gone: Vec<TaskKey> =
            self.tasks.iter().filter(|(_, news)| news.is_closed()).map(|(&key, _)| key).collect();
        for key in gone {
            self.tasks.remove(&key);
            self.tell(Input::Drop(key));
        }
    }

    /// Tells of the steps that tasks have taken.
    fn tell_steps(&mut self) {
        self.steps.retain(|key, _| self.tasks.contains_key(key));
        for (&key, news) in &self.tasks {
            let Some(steps) = self.dht.so_far(key).map(Steps::of) else { continue };
            if self.steps.insert(key, steps) != Some(steps) {
                let _ = news.send(News::Steps(steps));
            }
        }
    }

    /// Begins tasks as far as there is room, and somebody to ask.
    fn begin_waiting(&mut self, now: Moment) {
        let lonely = !Family::ALL.into_iter().any(|family| self.dht.has_anybody(family));
        while self.tasks.len() < SEARCHES {
            let resolving = self.resolving.is_some() || (self.resolve_at <= now && !self.names.is_empty());
            let can = |(since, goal, _): &(Moment, Goal, _)| {
                let hopes = lonely && (resolving || now.since(*since) < HOPE);
                matches!(goal, Goal::Ping(_)) || !hopes
            };
            let Some(at) = self.waiting.iter().position(can) else { break };
            let Some((_, goal, news)) = self.waiting.remove(at) else { break };
            let key = TaskKey(self.next_task);
            self.next_task += 1;
            self.tasks.insert(key, news);
            self.tell(Input::Begin(key, goal));
        }
    }

    /// Looks for nodes by name while few are known.
    fn find_names(&mut self, now: Moment) {
        let due = !self.names.is_empty() && now >= self.resolve_at;
        if self.resolving.is_some() || (!due && self.more_names.is_empty()) {
            return;
        }
        let more = std::mem::take(&mut self.more_names);
        if Status::of(&self.dht, false).nodes() >= FEW {
            (self.pause, self.resolve_at) = (AGAIN.0, now + AGAIN.1);
            return;
        }
        let mut names = vec![(Origin::Told, more)];
        if due {
            self.resolve_at = now + self.pause;
            self.pause = (self.pause * 2).min(AGAIN.1);
            names.push((Origin::Bootstrap, self.names.clone()));
        }
        let bind = self.bind;
        let resolved = names
            .into_iter()
            .map(move |(origin, names)| async move { (origin, resolve_all(names, bind).await) });
        self.resolving = Some(tokio::spawn(join_all(resolved)));
    }

    fn wake_up(&self) -> Instant {
        let now = self.clock.now();
        let mut at = self.save_at.min(self.dht.deadline().unwrap_or(self.save_at));
        if !self.names.is_empty() && self.resolving.is_none() {
            at = at.min(self.resolve_at);
        }
        if !self.tasks.is_empty() || !self.waiting.is_empty() {
            at = at.min(now + LOOK_EVERY);
        }
        Instant::from_std(self.clock.instant(at))
    }

    /// Tells the machine a fact and carries out what it orders.
    fn tell(&mut self, input: Input<'_>) {
        self.dht.handle(self.clock.now(), input, &mut self.out);
        self.carry_out();
        while let Some(to) = self.unsent.pop_front() {
            self.dht.handle(self.clock.now(), Input::Unsent(to), &mut self.out);
            self.carry_out();
        }
    }

    fn carry_out(&mut self) {
        for order in self.out.drain(..) {
            let (key, news, last) = match order {
                Output::Send { to, bytes } => {
                    // An answer leaves from the address that was asked.
                    let at = self.asked.filter(|(from, _)| *from == to).map(|(_, at)| at);
                    if self.sockets.send(at, to, &bytes).is_err_and(|error| !passes(&error)) {
                        self.unsent.push_back(to);
                    }
                    continue;
                }
                Output::Seen(family, ip) => {
                    tracing::debug!(?family, %ip, "others see this node there");
                    continue;
                }
                Output::Peers(key, peers) => (key, News::Peers(peers), false),
                Output::Samples(key, samples) => (key, News::Samples(samples), false),
                Output::Item(key, item) => (key, News::Item(item), false),
                Output::Ended(key, outcome) => {
                    // Who hears of the end finds what came of it in the status.
                    publish(&self.dht, self.resolving.is_some(), &self.status);
                    (key, News::Ended(outcome), true)
                }
            };
            if let Some(task) = self.tasks.get(&key) {
                // Who does not listen any more is found when it is next looked for.
                let _ = task.send(news);
            }
            if last {
                self.tasks.remove(&key);
            }
        }
    }

    fn save(&self) -> Option<JoinHandle<()>> {
        let (place, saved) = (self.place.clone()?, self.dht.saved(MAX_NODES));
        Some(spawn_blocking(move || place.save(&saved)))
    }

    async fn leave(mut self) {
        if let Some(saving) = self.saving.take() {
            let _ = saving.await;
        }
        if let Some(saving) = self.save() {
            let _ = saving.await;
        }
        if let Some(resolving) = self.resolving.take() {
            resolving.abort();
        }
    }
}

/// Shows how the node is doing, if that has changed.
fn publish(dht: &Dht, resolving: bool, to: &watch::Sender<Status>) {
    let status = Status::of(dht, resolving);
    to.send_if_modified(|known| std::mem::replace(known, status) != status);
}

/// The addresses that the names led to; never, if none are being looked up.
async fn finished(resolving: &mut Option<JoinHandle<Found>>) -> Found {
    match resolving {
        Some(resolving) => resolving.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// Whether it is only this moment in which nothing can be sent.
fn passes(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}
