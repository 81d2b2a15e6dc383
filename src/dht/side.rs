//! One family of addresses: an id, a table, and where to begin when nobody is known.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::base::{Moment, NodeId};

use super::event::Family;
use super::identity::{fits, node_id};
use super::starts::Starts;
use super::table::{K, Table};
use super::votes::Votes;

/// The least time between two changes of the id: a new one means new neighbours.
const SETTLED: Duration = Duration::from_secs(30 * 60);

#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) family: Family,
    pub(super) table: Table,
    votes: Votes,
    /// Where others see us, if enough agree.
    pub(super) seen: Option<IpAddr>,
    renamed: Option<Moment>,
    /// Addresses at which nodes may be.
    pub(super) starts: Starts,
    /// When somebody answered last.
    heard: Option<Moment>,
    /// When we last looked for our own neighbours, and in how many tries in a row nobody was found.
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

    /// Whether it knows too few to be found by others, and to find anything.
    pub(super) fn is_lonely(&self) -> bool {
        self.table.count() < K
    }

    /// Somebody has answered. Says whether that ends a time in which nobody was known to be there.
    pub(super) fn answered(&mut self, now: Moment, id: NodeId, addr: SocketAddr) -> bool {
        let alone = self.table.count() == 0;
        self.heard = Some(now);
        self.table.answered(now, id, addr);
        alone && self.table.count() > 0
    }

    /// A question that was sent then has not been answered. It counts against the one who was asked only if others
    /// have answered since: where nobody does, it is the network that is away.
    pub(super) fn failed(&mut self, sent: Moment, id: Option<NodeId>, addr: SocketAddr) {
        let others_answer = self.heard.is_some_and(|heard| heard > sent);
        match id {
            Some(id) => self.table.failed(&id, addr, others_answer),
            None => self.starts.failed(addr, others_answer),
        }
    }

    /// Somebody says where we are. If enough agree, the id has to fit that place; then this gives the place, and the
    /// node has a new id.
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
        if fits(&self.table.own(), ip) || self.renamed.is_some_and(|at| now.since(at) < SETTLED) {
            return None;
        }
        self.renamed = Some(now);
        self.table.rename(node_id(ip, chance));
        // It has to find those who are near it now.
        (self.began, self.tries) = (None, 0);
        Some(ip)
    }
}
