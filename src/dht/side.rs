//! One family of addresses: an id, a table, and where to begin when nobody is known.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use crate::base::{Moment, NodeId};

use super::event::Family;
use super::table::Table;
use super::votes::Votes;

/// Addresses that are kept to begin with.
const MOST_STARTS: usize = 200;

#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) family: Family,
    pub(super) table: Table,
    pub(super) votes: Votes,
    /// Where others see us, if enough agree.
    pub(super) seen: Option<IpAddr>,
    /// Addresses at which nodes may be: of an earlier run, of torrents, of peers.
    pub(super) starts: BTreeSet<SocketAddr>,
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
            starts: BTreeSet::new(),
            began: None,
            tries: 0,
        }
    }

    /// Remembers where to begin.
    pub(super) fn start_at(&mut self, addr: SocketAddr) {
        if self.starts.len() < MOST_STARTS && addr.port() != 0 && Family::of(&addr) == self.family {
            self.starts.insert(addr);
        }
    }

    /// Takes another id and asks the nodes it knows for a place near it.
    pub(super) fn rename(&mut self, id: NodeId) {
        let known = self.table.all();
        self.table = Table::new(id);
        self.starts.clear();
        for (_, addr) in known {
            self.start_at(addr);
        }
        self.began = None;
    }
}
