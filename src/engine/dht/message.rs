//! The messages between a node and the task that drives it.

use std::net::SocketAddr;

use tokio::sync::{mpsc, oneshot};

use crate::base::NodeId;
use crate::dht::{Goal, Outcome};
use crate::proto::krpc::{ErrorCode, Item};

/// An order to the task.
#[derive(Debug)]
pub(super) enum NodeOrder {
    Begin(Goal, mpsc::UnboundedSender<TaskUpdate>),
    Nodes(Vec<SocketAddr>),
    Names(Vec<String>),
    Stop(oneshot::Sender<()>),
}

/// News of a task.
#[derive(Clone, PartialEq, Debug)]
pub enum TaskUpdate {
    /// Peers that were not found before.
    Peers(Vec<SocketAddr>),
    /// Info-hashes (BEP 51); some may come more than once.
    Samples(Vec<NodeId>),
    /// An item (BEP 44), proven and newer than any before.
    Item(Item),
    /// How far it has come by now.
    Progress(TaskProgress),
    /// The task has ended; nothing follows.
    Ended(Outcome),
}

/// How far a task has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct TaskProgress {
    /// How many nodes were asked.
    pub asked: u32,
    /// How many of them have answered.
    pub answered: u32,
    /// How many have taken what was announced or put.
    pub stored: u32,
    /// Why one that refused to take it did so.
    pub refused: Option<ErrorCode>,
}

impl TaskProgress {
    pub(super) fn of(outcome: &Outcome) -> Self {
        let &Outcome { asked, answered, stored, refused, .. } = outcome;
        Self { asked, answered, stored, refused }
    }
}
