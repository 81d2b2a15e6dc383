//! The task that drives a node's state machine.

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
use super::message::{NodeOrder, TaskProgress, TaskUpdate};
use super::node_file::{MAX_NODES, NodeFile};
use super::status::Status;
use crate::base::Moment;
use crate::dht::{Config, Dht, Family, Goal, Input, Origin, Output, Saved, TaskKey};
use crate::engine::clock::Clock;
use crate::engine::listen;
use crate::net::datagrams::{Kind, MAX_DATAGRAM, Received};
use crate::net::{Bind, Datagrams};

/// The addresses of resolved names.
type ResolvedNodes = Vec<(Origin, Vec<SocketAddr>)>;

/// Maximum number of concurrent tasks; more would compete for queries in flight.
const MAX_TASKS: usize = 64;
/// Maximum number of datagrams handled before timers and orders get their turn.
const MAX_DATAGRAMS: usize = 64;
/// Time that a task waits for a first node, if none is known.
const FIRST_NODE_TIMEOUT: Duration = Duration::from_secs(3);
/// With fewer known nodes than this, bootstrap names are resolved.
const MIN_NODES: usize = 8;
/// Time for stored nodes to reply before bootstrap names are resolved. The first lookups still run then, even
/// without any reply.
const SAVED_NODES_TIMEOUT: Duration = Duration::from_secs(2);
/// The first and the longest interval between resolving bootstrap names.
const RESOLVE_INTERVALS: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));
/// Interval between saves of the known nodes.
const SAVE_INTERVAL: Duration = Duration::from_secs(600);
/// Interval between checks for abandoned tasks.
const ABANDONED_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Runner {
    dht: Dht,
    sockets: Datagrams,
    bind: Bind,
    clock: Clock,
    status: watch::Sender<Status>,
    out: Vec<Output>,
    /// Addresses that sending has just proved unreachable.
    unsent: VecDeque<SocketAddr>,
    /// The address of the node that has just sent a query, and our address that it used.
    asked: Option<(SocketAddr, IpAddr)>,
    tasks: BTreeMap<TaskKey, mpsc::UnboundedSender<TaskUpdate>>,
    /// The last reported progress of each task.
    progress: BTreeMap<TaskKey, TaskProgress>,
    next_task: u64,
    /// Queued tasks, with the time they were queued.
    queued: VecDeque<(Moment, Goal, mpsc::UnboundedSender<TaskUpdate>)>,
    names: Vec<String>,
    /// Further names, to be resolved once.
    more_names: Vec<String>,
    resolving: Option<JoinHandle<ResolvedNodes>>,
    /// The next time to resolve bootstrap names; `pause` is the interval after that.
    resolve_at: Moment,
    pause: Duration,
    node_file: Option<Arc<NodeFile>>,
    saving: Option<JoinHandle<()>>,
    save_at: Moment,
}

impl Runner {
    /// Opens the node file and adds its nodes to the state machine.
    pub(super) async fn new(
        sockets: Datagrams,
        config: NodeConfig,
        secret: [u8; 32],
        status: watch::Sender<Status>,
    ) -> Self {
        let clock = Clock::start();
        let now = clock.now();
        let (node_file, saved) = match config.file {
            Some(path) => match spawn_blocking(move || NodeFile::open(path)).await {
                Ok((node_file, saved)) => (Some(Arc::new(node_file)), saved),
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
            bind: listen::bind_addresses(config.bind, config.ipv6),
            clock,
            status,
            out: Vec::new(),
            unsent: VecDeque::new(),
            asked: None,
            tasks: BTreeMap::new(),
            progress: BTreeMap::new(),
            next_task: 0,
            queued: VecDeque::new(),
            names: config.bootstrap.into_iter().take(MAX_NAMES).collect(),
            more_names: Vec::new(),
            resolving: None,
            // Stored nodes get some time to reply before bootstrap names are resolved.
            resolve_at: if saved.nodes.is_empty() { now } else { now + SAVED_NODES_TIMEOUT },
            pause: RESOLVE_INTERVALS.0,
            node_file,
            saving: None,
            save_at: now + SAVE_INTERVAL,
        };
        runner.handle_input(Input::Nodes(Origin::Kept, &saved.nodes));
        runner.do_due_work();
        runner
    }

    pub(super) async fn run(mut self, mut orders: mpsc::UnboundedReceiver<NodeOrder>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let done = loop {
            let wake = self.next_wake();
            tokio::select! {
                order = orders.recv() => match order {
                    None => break None,
                    Some(NodeOrder::Stop(done)) => break Some(done),
                    Some(order) => self.handle_order(order),
                },
                received = self.sockets.next(&mut buffer) => {
                    self.handle_datagram(received, &buffer);
                    for _ in 1..MAX_DATAGRAMS {
                        let Some(received) = self.sockets.try_next(&mut buffer) else { break };
                        self.handle_datagram(received, &buffer);
                    }
                }
                found = resolved(&mut self.resolving) => {
                    self.resolving = None;
                    for (origin, addrs) in found {
                        self.handle_input(Input::Nodes(origin, &addrs));
                    }
                }
                () = sleep_until(wake) => self.handle_input(Input::Tick),
            }
            self.do_due_work();
        };
        self.leave().await;
        if let Some(done) = done {
            let _ = done.send(());
        }
    }

    fn handle_order(&mut self, order: NodeOrder) {
        match order {
            NodeOrder::Begin(goal, updates) => self.queued.push_back((self.clock.now(), goal, updates)),
            NodeOrder::Nodes(addrs) => self.handle_input(Input::Nodes(Origin::Told, &addrs)),
            NodeOrder::Names(names) => {
                let room = MAX_NAMES.saturating_sub(self.more_names.len());
                self.more_names.extend(names.into_iter().take(room));
            }
            NodeOrder::Stop(_) => {}
        }
    }

    fn handle_datagram(&mut self, Received { length, from, at }: Received, buffer: &[u8]) {
        let bytes = &buffer[..length];
        match Kind::of(bytes) {
            Kind::Dht => {
                self.asked = at.map(|at| (SocketAddr::new(from.ip(), from.port()), at));
                self.handle_input(Input::Received { from, bytes });
                self.asked = None;
            }
            Kind::Unknown => {}
        }
    }

    /// Sends, saves and resolves what is due. Called after each event.
    fn do_due_work(&mut self) {
        let now = self.clock.now();
        self.drop_abandoned_tasks();
        self.begin_queued(now);
        self.send_progress();
        self.resolve_names(now);
        if now >= self.save_at && self.saving.as_ref().is_none_or(JoinHandle::is_finished) {
            self.save_at = now + SAVE_INTERVAL;
            self.saving = self.save();
        }
        publish(&self.dht, self.resolving.is_some(), &self.status);
    }

    /// Cancels tasks whose receiver was dropped.
    fn drop_abandoned_tasks(&mut self) {
        self.queued.retain(|(_, _, updates)| !updates.is_closed());
        let gone: Vec<TaskKey> =
            self.tasks.iter().filter(|(_, updates)| updates.is_closed()).map(|(&key, _)| key).collect();
        for key in gone {
            self.tasks.remove(&key);
            self.handle_input(Input::Drop(key));
        }
    }

    /// Reports the progress of tasks.
    fn send_progress(&mut self) {
        self.progress.retain(|key, _| self.tasks.contains_key(key));
        for (&key, updates) in &self.tasks {
            let Some(progress) = self.dht.so_far(key).map(TaskProgress::of) else { continue };
            if self.progress.insert(key, progress) != Some(progress) {
                let _ = updates.send(TaskUpdate::Progress(progress));
            }
        }
    }

    /// Begins queued tasks while there is room and a node to query.
    fn begin_queued(&mut self, now: Moment) {
        let lonely = !Family::ALL.into_iter().any(|family| self.dht.has_anybody(family));
        while self.tasks.len() < MAX_TASKS {
            let resolving = self.resolving.is_some() || (self.resolve_at <= now && !self.names.is_empty());
            let can = |(since, goal, _): &(Moment, Goal, _)| {
                let hopes = lonely && (resolving || now.since(*since) < FIRST_NODE_TIMEOUT);
                matches!(goal, Goal::Ping(_)) || !hopes
            };
            let Some(at) = self.queued.iter().position(can) else { break };
            let Some((_, goal, updates)) = self.queued.remove(at) else { break };
            let key = TaskKey(self.next_task);
            self.next_task += 1;
            self.tasks.insert(key, updates);
            self.handle_input(Input::Begin(key, goal));
        }
    }

    /// Resolves bootstrap names while few nodes are known.
    fn resolve_names(&mut self, now: Moment) {
        let due = !self.names.is_empty() && now >= self.resolve_at;
        if self.resolving.is_some() || (!due && self.more_names.is_empty()) {
            return;
        }
        let more = std::mem::take(&mut self.more_names);
        if Status::of(&self.dht, false).nodes() >= MIN_NODES {
            (self.pause, self.resolve_at) = (RESOLVE_INTERVALS.0, now + RESOLVE_INTERVALS.1);
            return;
        }
        let mut names = vec![(Origin::Told, more)];
        if due {
            self.resolve_at = now + self.pause;
            self.pause = (self.pause * 2).min(RESOLVE_INTERVALS.1);
            names.push((Origin::Bootstrap, self.names.clone()));
        }
        let bind = self.bind;
        let resolved = names
            .into_iter()
            .map(move |(origin, names)| async move { (origin, resolve_all(names, bind).await) });
        self.resolving = Some(tokio::spawn(join_all(resolved)));
    }

    fn next_wake(&self) -> Instant {
        let now = self.clock.now();
        let mut at = self.save_at.min(self.dht.deadline().unwrap_or(self.save_at));
        if !self.names.is_empty() && self.resolving.is_none() {
            at = at.min(self.resolve_at);
        }
        if !self.tasks.is_empty() || !self.queued.is_empty() {
            at = at.min(now + ABANDONED_INTERVAL);
        }
        Instant::from_std(self.clock.instant(at))
    }

    /// Hands an input to the state machine and executes its outputs.
    fn handle_input(&mut self, input: Input<'_>) {
        self.dht.handle(self.clock.now(), input, &mut self.out);
        self.execute_outputs();
        while let Some(to) = self.unsent.pop_front() {
            self.dht.handle(self.clock.now(), Input::Unsent(to), &mut self.out);
            self.execute_outputs();
        }
    }

    fn execute_outputs(&mut self) {
        for order in self.out.drain(..) {
            let (key, updates, last) = match order {
                Output::Send { to, bytes } => {
                    // A reply leaves from the address that received the query.
                    let at = self.asked.filter(|(from, _)| *from == to).map(|(_, at)| at);
                    if self.sockets.send(at, to, &bytes).is_err_and(|error| !is_transient(&error)) {
                        self.unsent.push_back(to);
                    }
                    continue;
                }
                Output::Seen(family, ip) => {
                    tracing::debug!(?family, %ip, "others see this node there");
                    continue;
                }
                Output::Peers(key, peers) => (key, TaskUpdate::Peers(peers), false),
                Output::Samples(key, samples) => (key, TaskUpdate::Samples(samples), false),
                Output::Item(key, item) => (key, TaskUpdate::Item(item), false),
                Output::Ended(key, outcome) => {
                    // The status must be current when the end is reported.
                    publish(&self.dht, self.resolving.is_some(), &self.status);
                    (key, TaskUpdate::Ended(outcome), true)
                }
            };
            if let Some(task) = self.tasks.get(&key) {
                // A closed receiver is removed by the next check for abandoned tasks.
                let _ = task.send(updates);
            }
            if last {
                self.tasks.remove(&key);
            }
        }
    }

    fn save(&self) -> Option<JoinHandle<()>> {
        let (node_file, saved) = (self.node_file.clone()?, self.dht.saved(MAX_NODES));
        Some(spawn_blocking(move || node_file.save(&saved)))
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

/// Publishes the status if it has changed.
fn publish(dht: &Dht, resolving: bool, to: &watch::Sender<Status>) {
    let status = Status::of(dht, resolving);
    to.send_if_modified(|known| std::mem::replace(known, status) != status);
}

/// The resolved addresses; pending forever if no names are being resolved.
async fn resolved(resolving: &mut Option<JoinHandle<ResolvedNodes>>) -> ResolvedNodes {
    match resolving {
        Some(resolving) => resolving.await.unwrap_or_default(),
        None => std::future::pending().await,
    }
}

/// Whether a later attempt to send may succeed.
fn is_transient(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || matches!(error.raw_os_error(), Some(libc::ENOBUFS | libc::ENOMEM))
}
