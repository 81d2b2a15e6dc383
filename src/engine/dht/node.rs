//! The handle of a DHT node.

use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot, watch};

use super::config::NodeConfig;
use super::message::{NodeOrder, TaskUpdate};
use super::run::Runner;
use super::status::Status;
use crate::dht::Goal;
use crate::engine::event::{Fault, FaultKind};
use crate::engine::listen;
use crate::net::Datagrams;

/// A running node. Dropping it stops the node and saves its nodes in the background; [`Node::stop`] waits for
/// that.
#[derive(Debug)]
pub struct Node {
    orders: mpsc::UnboundedSender<NodeOrder>,
    status: watch::Receiver<Status>,
    port: u16,
}

impl Node {
    /// Starts a node with its own sockets inside the tokio runtime of the caller. Fails if the port is taken
    /// or the bind address is not ours.
    pub async fn start(config: NodeConfig) -> Result<Self, Fault> {
        let bind = listen::bind_addresses(config.bind, config.ipv6);
        let open = |port| Datagrams::bind(bind, port);
        let sockets = listen::open_port(config.bind, config.port, config.preferred_port, open)?;
        Self::over(sockets, config).await
    }

    /// Starts a node on open sockets.
    pub(in crate::engine) async fn over(sockets: Datagrams, config: NodeConfig) -> Result<Self, Fault> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| Fault {
            kind: FaultKind::Internal,
            message: format!("no randomness: {error}"),
            remedy: None,
        })?;
        let port = sockets.port();
        let (orders, inbox) = mpsc::unbounded_channel();
        let (status_sender, status) = watch::channel(Status::default());
        let runner = Runner::new(sockets, config, secret, status_sender).await;
        tokio::spawn(runner.run(inbox));
        Ok(Self { orders, status, port })
    }

    /// Begins a task. [`TaskUpdate::Ended`] is its last update; dropping the receiver cancels it. A task
    /// waits some seconds for the first known nodes, and for its turn if many tasks run.
    pub fn begin(&self, goal: Goal) -> mpsc::UnboundedReceiver<TaskUpdate> {
        let (updates, heard) = mpsc::unbounded_channel();
        // A node that has ended drops the sender.
        let _ = self.orders.send(NodeOrder::Begin(goal, updates));
        heard
    }

    /// Adds addresses that may be nodes.
    pub fn add_nodes(&self, addrs: &[SocketAddr]) {
        let _ = self.orders.send(NodeOrder::Nodes(addrs.to_vec()));
    }

    /// Adds names, each `host:port`, that may be nodes. They are resolved once, if few nodes are known.
    pub fn add_names(&self, names: Vec<String>) {
        let _ = self.orders.send(NodeOrder::Names(names));
    }

    /// The present status.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// The status, as it changes.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The UDP port of the node.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends all tasks, saves the known nodes and closes the sockets.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(NodeOrder::Stop(done)).is_ok() {
            let _ = ended.await;
        }
    }
}
