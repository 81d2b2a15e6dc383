//! The status of a DHT node.

use std::net::IpAddr;

use crate::base::NodeId;
use crate::dht::{Dht, Family};

/// The status of a DHT node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// IPv4, if it is used.
    pub v4: Option<FamilyStatus>,
    /// IPv6, if it is used.
    pub v6: Option<FamilyStatus>,
    /// Number of queries in flight.
    pub under_way: usize,
    /// Number of torrents announced to this node.
    pub torrents_kept: usize,
    /// Set while bootstrap names are being resolved.
    pub resolving: bool,
}

/// The status of a node in one address family.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FamilyStatus {
    /// The node id.
    pub id: NodeId,
    /// Number of good nodes in the routing table.
    pub nodes: usize,
    /// Our external address as other nodes see it (BEP 42), once enough of them agree.
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

    /// The status in an address family, if it is used.
    pub const fn family(&self, family: Family) -> Option<FamilyStatus> {
        match family {
            Family::V4 => self.v4,
            Family::V6 => self.v6,
        }
    }

    /// Number of good nodes of both families.
    pub fn nodes(&self) -> usize {
        [self.v4, self.v6].iter().flatten().map(|family| family.nodes).sum()
    }
}
