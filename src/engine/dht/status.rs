//! The status of a node.

use std::net::IpAddr;

use crate::base::NodeId;
use crate::dht::{Dht, Family};

/// How a node is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// IPv4, if it is spoken.
    pub v4: Option<FamilyStatus>,
    /// IPv6, if it is spoken.
    pub v6: Option<FamilyStatus>,
    /// Questions that wait for their answer.
    pub under_way: usize,
    /// Torrents that others have announced to us.
    pub torrents_kept: usize,
    /// Whether names of first nodes are being resolved.
    pub resolving: bool,
}

/// How a node is doing in one family of addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FamilyStatus {
    /// The node's id there.
    pub id: NodeId,
    /// How many nodes it knows to be there.
    pub nodes: usize,
    /// At which address others see it, once enough of them agree.
    pub seen_as: Option<IpAddr>,
}

impl Status {
    pub(super) fn of(dht: &Dht, resolving: bool) -> Self {
        let family = |family| {
            let (nodes, seen_as) = (dht.node_count(family), dht.seen_as(family));
            dht.id(family).map(|id| FamilyStatus { id, nodes, seen_as })
        };
        Self {
            v4: family(Family::V4),
            v6: family(Family::V6),
            under_way: dht.under_way(),
            torrents_kept: dht.torrents_kept(),
            resolving,
        }
    }

    /// How the node is doing in a family, if it is spoken.
    pub const fn family(&self, family: Family) -> Option<FamilyStatus> {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// How many nodes it knows to be there, in all.
    pub fn nodes(&self) -> usize {
        [self.v4, self.v6].iter().flatten().map(|family| family.nodes).sum()
    }
}
