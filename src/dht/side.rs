//! The state of a node in one address family: id, table, and addresses to begin with.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, NodeId};

use super::event::Family;
use super::identity::{fits, node_id};
use super::starts::Starts;
use super::table::{K, Table};
use super::votes::Votes;

/// The shortest time between two changes of the id, as each means new neighbours.
const MIN_ID_AGE: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) family: Family,
    pub(super) table: Table,
    votes: Votes,
    /// Our external address, once enough nodes agree on it.
    pub(super) seen: Option<IpAddr>,
    renamed: Option<Moment>,
    /// Addresses at which nodes may be.
    pub(super) starts: Starts,
    /// The time of the last reply.
    heard: Option<Moment>,
    /// The time of the last search for neighbours, and the number of consecutive searches that found too few.
    pub(super) began: Option<Moment>,
    pub(super) tries: u32,
}

impl Side {
    pub(super) fn new(family: Family, id: NodeId) -> Self {
        Self {
            family,
            table: Table::new(id),
            votes: Votes::default(),
            seen: None,
            renamed: None,
            starts: Starts::default(),
            heard: None,
            began: None,
            tries: 0,
        }
    }

    /// Whether the table has too few nodes for others to find this one, or for searches to succeed.
    pub(super) fn is_lonely(&self) -> bool {
        self.table.count() < K
    }

    /// Records a reply. Returns whether it ended a time without any good node.
    pub(super) fn answered(&mut self, now: Moment, id: NodeId, addr: SocketAddr) -> bool {
        let alone = self.table.count() == 0;
        self.heard = Some(now);
        self.table.answered(now, id, addr);
        alone && self.table.count() > 0
    }

    /// Records a query, sent at `sent`, that was not answered. It counts against the node only if other nodes
    /// have replied since; otherwise our own network may be down.
    pub(super) fn failed(&mut self, sent: Moment, id: Option<NodeId>, addr: SocketAddr) {
        let others_answer = self.heard.is_some_and(|heard| heard > sent);
        match id {
            Some(id) => self.table.failed(&id, addr, others_answer),
            None => self.starts.failed(addr, others_answer),
        }
    }

    /// Records the address at which another node sees us. Once enough agree, the node takes a new id if its
    /// own does not match (BEP 42), and the address is returned.
    pub(super) fn seen(
        &mut self,
        now: Moment,
        by: SocketAddr,
        seen: SocketAddr,
        chance: [u8; 20],
    ) -> Option<IpAddr> {
        if Family::of(&seen) != self.family {
            return None;
        }
        let ip = self.votes.vote(by.ip(), seen.ip(), self.seen)?;
        self.seen = Some(ip);
        if fits(&self.table.own(), ip) || self.renamed.is_some_and(|at| now.since(at) < MIN_ID_AGE) {
            return None;
        }
        self.renamed = Some(now);
        self.table.rename(node_id(ip, chance));
        // The node has to find its new neighbours.
        (self.began, self.tries) = (None, 0);
        Some(ip)
    }
}
