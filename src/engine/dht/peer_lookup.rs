//! DHT lookups of a torrent's peers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::message::TaskUpdate;
use super::node::Node;
use crate::base::{InfoHashes, NodeId};
use crate::dht::{Announce, Goal};
use crate::swarm::event::{Input, Source};

/// A running lookup; dropping it cancels it.
#[derive(Debug)]
pub(in crate::engine) struct PeerLookup {
    task: JoinHandle<()>,
    answered: Arc<AtomicU32>,
}

impl PeerLookup {
    /// Looks up the peers of a torrent. `Found` reports peers as they come, `LookedUp` the end. `port` is
    /// announced if it is given, and `seed` says whether we are a seed.
    pub(in crate::engine) fn begin(
        node: &Node,
        torrent: InfoHashes,
        port: Option<u16>,
        seed: bool,
        report: impl Fn(Input) + Clone + Send + Sync + 'static,
    ) -> Self {
        let announce = port.map(|port| Announce { port: Some(port), seed });
        let answered_so_far = Arc::new(AtomicU32::new(0));
        // A hybrid torrent has a swarm under each of its names (BEP 52).
        let mut running = JoinSet::new();
        for name in torrent.wire_names() {
            let goal = Goal::Peers { info_hash: NodeId(name), no_seeds: seed, announce };
            running.spawn(follow(node.begin(goal), report.clone(), answered_so_far.clone()));
        }
        let task = tokio::spawn(async move {
            let (mut answered, mut peers) = (0, 0);
            while let Some(ended) = running.join_next().await {
                let (new, more) = ended.unwrap_or_default();
                (answered, peers) = (new.max(answered), more + peers);
            }
            report(Input::LookedUp { answered, peers });
        });
        Self { task, answered: answered_so_far }
    }

    /// Number of nodes that have replied so far.
    pub(in crate::engine) fn answered(&self) -> u32 {
        self.answered.load(Ordering::Relaxed)
    }
}

/// Reports the peers found under one info-hash. Returns the numbers of nodes that replied and of peers.
async fn follow(
    mut updates: mpsc::UnboundedReceiver<TaskUpdate>,
    report: impl Fn(Input),
    count: Arc<AtomicU32>,
) -> (u32, u32) {
    let (mut answered, mut peers) = (0, 0);
    while let Some(updates) = updates.recv().await {
        match updates {
            TaskUpdate::Peers(addrs) => report(Input::PeersFound { source: Source::Dht, addrs }),
            TaskUpdate::Ended(outcome) => (answered, peers) = (outcome.answered, outcome.peers),
            TaskUpdate::Progress(steps) => _ = count.fetch_max(steps.answered, Ordering::Relaxed),
            TaskUpdate::Samples(_) | TaskUpdate::Item(_) => {}
        }
    }
    (answered, peers)
}

impl Drop for PeerLookup {
    fn drop(&mut self) {
        self.task.abort();
    }
}
