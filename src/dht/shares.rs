//! Shares of the space for stored items and peers.
//!
//! The space is bounded, so a sender that filled it all would decide what others find here. On the Internet
//! each network (24 bits of IPv4, 64 of IPv6) has a share; the local network, where addresses cost nothing,
//! has no such limit.

use std::net::IpAddr;

use crate::base::{NodeId, is_near, network};

/// The owner of an entry in a store.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// The network that stored the entry first; `None` for the local network.
    network: Option<[u8; 8]>,
    /// Whether another network has stored the same entry.
    shared: bool,
}

impl Owner {
    pub(super) fn new(ip: IpAddr) -> Self {
        Self { network: network_of(ip), shared: false }
    }

    /// Records that an address stores the same entry again.
    pub(super) fn record_again(&mut self, ip: IpAddr) {
        self.shared |= network_of(ip) != self.network;
    }
}

/// Returns the entry that has to give way to a new one from `ip`. If the share of its network is used up,
/// that is one of the network's entries, first those that no other network has stored; if all space is used
/// up, any entry. Among several, the one stored longest ago gives way. `all` lists the entries with their
/// owner and the time they were last stored.
pub(super) fn choose_evicted<'a, T: Ord + Copy>(
    all: impl Iterator<Item = (NodeId, &'a Owner, T)> + Clone,
    ip: IpAddr,
    share: usize,
    most: usize,
) -> Option<NodeId> {
    let network = network_of(ip);
    let own = all.clone().filter(|(_, owner, _)| network.is_some() && owner.network == network);
    let place = if own.clone().count() >= share {
        own.min_by_key(|(_, owner, at)| (owner.shared, *at))
    } else if all.clone().count() >= most {
        all.min_by_key(|(_, _, at)| *at)
    } else {
        None
    };
    place.map(|(key, _, _)| key)
}

/// Returns the network of an address on the Internet; `None` on the local network.
pub(super) fn network_of(ip: IpAddr) -> Option<[u8; 8]> {
    (!is_near(ip)).then(|| network(ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_its_share_gives_up_its_own() {
        let ip = |net, host| IpAddr::from([8, 8, net, host]);
        let mut places: Vec<(NodeId, Owner, u32)> =
            (0..10).map(|n| (NodeId([n; 20]), Owner::new(ip(n / 5, n)), u32::from(n))).collect();
        let way = |places: &[(NodeId, Owner, u32)], ip, share, most| {
            choose_evicted(places.iter().map(|(key, owner, at)| (*key, owner, *at)), ip, share, most)
        };
        let place = |n| Some(NodeId([n; 20]));
        assert_eq!(way(&places, ip(1, 99), 6, 11), None);
        assert_eq!(way(&places, ip(1, 99), 6, 10), place(0), "the one of all");
        assert_eq!(way(&places, ip(1, 99), 5, 11), place(5), "the one of its own");
        assert_eq!(way(&places, ip(2, 1), 5, 11), None);
        // What others have brought as well is not given up before the rest.
        places[5].1.record_again(ip(0, 1));
        places[6].1.record_again(ip(1, 50));
        assert_eq!(way(&places, ip(1, 99), 5, 11), place(6));
        assert_eq!(way(&places, IpAddr::from([127, 0, 0, 1]), 0, 11), None, "nearby there are no shares");
    }
}
