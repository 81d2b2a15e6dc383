//! The door: how a node is started, asked and stopped.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use tokio::sync::{mpsc, oneshot, watch};

use super::run::{Order, Runner};
use super::status::Status;
use crate::base::NodeId;
use crate::dht::{Goal, Outcome};
use crate::engine::event::{Fault, FaultKind};
use crate::engine::ports;
use crate::net::Datagrams;
use crate::proto::krpc::{ErrorCode, Item};

/// How a node is set up. The default listens on any free port, knows nobody and keeps nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NodeConfig {
    /// The address all traffic leaves from and arrives at.
    pub bind: Option<IpAddr>,
    /// Use IPv6 as well.
    pub ipv6: bool,
    /// The port to listen on. If it is taken the node does not start.
    pub port: Option<u16>,
    /// The port to try first where `port` is not given; if it is taken, any free one serves.
    pub preferred_port: Option<u16>,
    /// Where nodes may be, as `host:port`, for as long as few others are known.
    pub bootstrap: Vec<String>,
    /// The file in which ids and nodes are kept from one run to the next. Only one node at a time keeps its own.
    pub file: Option<PathBuf>,
    /// Only ask, never answer (BEP 43).
    pub read_only: bool,
    /// The most bytes per second of answers.
    pub answer_rate: Option<u64>,
    /// The most packets per second that are looked at.
    pub packet_rate: Option<u32>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        let usual = crate::dht::Config::default();
        Self {
            bind: None,
            ipv6: true,
            port: None,
            preferred_port: None,
            bootstrap: Vec::new(),
            file: None,
            read_only: false,
            answer_rate: usual.answer_rate,
            packet_rate: usual.packet_rate,
        }
    }
}

/// What becomes known of a task.
#[derive(Clone, PartialEq, Debug)]
pub enum News {
    /// Peers that were not found before.
    Peers(Vec<SocketAddr>),
    /// Info-hashes (BEP 51); some may come more than once.
    Samples(Vec<NodeId>),
    /// An item (BEP 44), proven and newer than any before.
    Item(Item),
    /// How far it has come by now.
    Steps(Steps),
    /// It has ended; nothing follows.
    Ended(Outcome),
}

/// How far a task has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Steps {
    /// How many nodes were asked.
    pub asked: u32,
    /// How many of them have answered.
    pub answered: u32,
    /// How many have taken what was announced or put.
    pub stored: u32,
    /// Why one that refused to take it did so.
    pub refused: Option<ErrorCode>,
}

impl Steps {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let &Outcome { asked, answered, stored, refused, .. } = outcome;
        Self { asked, answered, stored, refused }
    }
}

/// A running node. Dropping it ends it, and what it knows is saved behind the dropper's back; [`Node::stop`]
/// waits for that.
#[derive(Debug)]
pub struct Node {
    orders: mpsc::UnboundedSender<Order>,
    status: watch::Receiver<Status>,
    port: u16,
}

impl Node {
    /// Starts a node with sockets of its own inside the tokio runtime of the caller. Fails if the port is taken
    /// or the bind address is not ours.
    pub async fn start(config: NodeConfig) -> Result<Self, Fault> {
        let bind = ports::bind(config.bind, config.ipv6);
        let open = |port| Datagrams::bind(bind, port);
        let sockets = ports::choose(config.bind, config.port, config.preferred_port, open)?;
        Self::over(sockets, config).await
    }

    /// Starts a node with sockets that are open already.
    pub(in crate::engine) async fn over(sockets: Datagrams, config: NodeConfig) -> Result<Self, Fault> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| Fault {
            kind: FaultKind::Internal,
            message: format!("no randomness: {error}"),
            hint: None,
        })?;
        let port = sockets.port();
        let (orders, inbox) = mpsc::unbounded_channel();
        let (tell, status) = watch::channel(Status::default());
        let runner = Runner::new(sockets, config, secret, tell).await;
        tokio::spawn(runner.run(inbox));
        Ok(Self { orders, status, port })
    }

    /// Begins a task. Its last news is [`News::Ended`]; who drops the receiver ends the task before that. Searches
    /// wait for the first nodes to be found, for some seconds, and for their turn where many are under way.
    pub fn begin(&self, goal: Goal) -> mpsc::UnboundedReceiver<News> {
        let (news, heard) = mpsc::unbounded_channel();
        // A node that has ended drops the sender.
        let _ = self.orders.send(Order::Begin(goal, news));
        heard
    }

    /// Nodes may be at these addresses.
    pub fn add_nodes(&self, addrs: &[SocketAddr]) {
        let _ = self.orders.send(Order::Nodes(addrs.to_vec()));
    }

    /// Nodes may be behind these names, each `host:port`; they are looked up once, if few nodes are known.
    pub fn add_names(&self, names: Vec<String>) {
        let _ = self.orders.send(Order::Names(names));
    }

    /// How it is doing now.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// How it is doing, as that changes.
    pub fn watch(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The port it hears and speaks on.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Ends every task, saves what it knows and closes the sockets.
    pub async fn stop(&self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::Stop(done)).is_ok() {
            let _ = ended.await;
        }
    }
}
