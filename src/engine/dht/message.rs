//! Messages between a node's handle and its task.

use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};

use crate::base::NodeId;
use crate::dht::{Goal, Outcome};
use crate::proto::krpc::{ErrorCode, Item};

/// An order to the node's task.
#[derive(Debug)]
pub(super) enum NodeOrder {
    Begin(Goal, mpsc::UnboundedSender<TaskUpdate>),
    Nodes(Vec<SocketAddr>),
    Names(Vec<String>),
    Stop(oneshot::Sender<()>),
}

/// An update of a running task.
#[derive(Clone, PartialEq, Debug)]
pub enum TaskUpdate {
    /// New peers.
    Peers(Vec<SocketAddr>),
    /// Sampled info-hashes (BEP 51), possibly repeated.
    Samples(Vec<NodeId>),
    /// A verified item (BEP 44), newer than all before.
    Item(Item),
    /// The progress of the task.
    Progress(TaskProgress),
    /// The end of the task; the last update.
    Ended(Outcome),
}

/// The progress of a task.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TaskProgress {
    /// Number of nodes queried.
    pub asked: u32,
    /// Number of nodes that replied.
    pub answered: u32,
    /// Number of nodes that accepted an announce or an item.
    pub stored: u32,
    /// The error of a node that did not accept it.
    pub refused: Option<ErrorCode>,
}

impl TaskProgress {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let &Outcome { asked, answered, stored, refused, .. } = outcome;
        Self { asked, answered, stored, refused }
    }
}
