//! Local Service Discovery (BEP 14): one task announces and listens for all torrents of a session.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{self, Instant, MissedTickBehavior};

use super::clock::Clock;
use crate::base::InfoHashes;
use crate::net::Bind;
use crate::net::lsd::Multicast;
use crate::proto::lsd;
use crate::swarm::local::{Local, Wire};

/// Interval between checks of the network interfaces.
const INTERFACE_INTERVAL: Duration = Duration::from_secs(60);
/// Up to this many torrents are announced in a datagram each, since some clients read only the first
/// info-hash of a datagram.
const MAX_SINGLE: usize = 5;

/// The callback for peers found on the local network.
type OnPeersFound = Box<dyn Fn(Vec<SocketAddr>) + Send + Sync>;

/// The handle of the LSD task.
pub(super) struct Lsd {
    orders: mpsc::UnboundedSender<LsdOrder>,
    next_id: AtomicU64,
    task: JoinHandle<()>,
}

/// The registration of a torrent with LSD; dropping it ends its announces.
pub(super) struct LsdRegistration {
    id: u64,
    orders: mpsc::UnboundedSender<LsdOrder>,
}

enum LsdOrder {
    Join { id: u64, names: Vec<Wire>, found: OnPeersFound },
    Leave { id: u64 },
}

impl Lsd {
    /// Opens the multicast sockets and starts the task; `port` is our listening port. `None` if the machine
    /// cannot use multicast.
    pub(super) fn start(bind: Bind, port: u16, clock: Clock, cookie: u32, seed: u64) -> Option<Self> {
        let multicast = Multicast::open(bind);
        let multicast =
            multicast.inspect_err(|error| tracing::info!(%error, "no peers from the local network")).ok()?;
        let (orders, inbox) = mpsc::unbounded_channel();
        let local = Local::new(clock.now(), cookie, seed);
        let service = Service { multicast, local, port, clock, registered: BTreeMap::new(), silent: false };
        Some(Self { orders, next_id: AtomicU64::new(0), task: tokio::spawn(service.run(inbox)) })
    }

    /// Announces a torrent on the local network under each of its info-hashes. The torrent must not be
    /// private (BEP 27).
    pub(super) fn join(
        &self,
        torrent: InfoHashes,
        found: impl Fn(Vec<SocketAddr>) + Send + Sync + 'static,
    ) -> LsdRegistration {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        let _ = self.orders.send(LsdOrder::Join {
            id,
            names: torrent.wire_names().collect(),
            found: Box::new(found),
        });
        LsdRegistration { id, orders: self.orders.clone() }
    }

    /// Ends the task.
    pub(super) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for LsdRegistration {
    fn drop(&mut self) {
        let _ = self.orders.send(LsdOrder::Leave { id: self.id });
    }
}

struct Service {
    multicast: Multicast,
    local: Local,
    port: u16,
    clock: Clock,
    registered: BTreeMap<u64, (Vec<Wire>, OnPeersFound)>,
    /// Whether the lack of a network interface was logged.
    silent: bool,
}

impl Service {
    async fn run(mut self, mut inbox: mpsc::UnboundedReceiver<LsdOrder>) {
        let mut refresh = time::interval(INTERFACE_INTERVAL);
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Before the first announce, so that it has an interface.
        refresh.tick().await;
        self.refresh_interfaces();
        let mut buf = Vec::new();
        loop {
            let far = self.clock.now() + INTERFACE_INTERVAL;
            let wake = self.clock.instant(self.local.deadline().unwrap_or(far));
            tokio::select! {
                order = inbox.recv() => match order {
                    Some(order) => self.handle_order(order),
                    None => return,
                },
                (len, from) = self.multicast.hear(&mut buf) => self.handle_datagram(&buf[..len], from),
                () = time::sleep_until(Instant::from_std(wake)) => self.announce_due(),
                _ = refresh.tick() => self.refresh_interfaces(),
            }
        }
    }

    fn handle_order(&mut self, order: LsdOrder) {
        match order {
            LsdOrder::Join { id, names, found } => {
                for &name in &names {
                    self.local.join(self.clock.now(), name);
                }
                self.registered.insert(id, (names, found));
            }
            LsdOrder::Leave { id } => {
                let (names, _) = self.registered.remove(&id).unzip();
                for name in names.into_iter().flatten() {
                    self.local.leave(name);
                }
            }
        }
    }

    fn handle_datagram(&mut self, datagram: &[u8], from: SocketAddr) {
        let Ok(search) = lsd::read(datagram) else { return };
        for (wire, addr) in self.local.heard(self.clock.now(), from, &search) {
            tracing::debug!(%addr, "found in the local network");
            for (_, found) in self.registered.values().filter(|(names, _)| names.contains(&wire)) {
                found(vec![addr]);
            }
        }
    }

    fn announce_due(&mut self) {
        let due = self.local.due(self.clock.now());
        if due.is_empty() {
            return;
        }
        let each = if due.len() > MAX_SINGLE { lsd::MAX_WRITTEN } else { 1 };
        let (port, cookie) = (self.port, self.local.cookie());
        self.multicast.say(|group| lsd::write(group, port, cookie, &due, each));
    }

    fn refresh_interfaces(&mut self) {
        let silent = !self.multicast.look_round();
        if silent && !self.silent {
            tracing::info!("no network interface to find peers in the local network");
        }
        self.silent = silent;
        self.local.set_networks(self.clock.now(), self.multicast.networks());
    }
}
