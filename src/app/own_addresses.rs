//! Our own addresses, as others are told them.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};

use super::interface;

/// The most addresses of ours that others are told.
const MAX_TOLD: usize = 4;

/// Beginnings of the names of interfaces that lead to nobody but what runs on this machine.
const INNER: [&str; 14] = [
    "docker", "br-", "veth", "virbr", "vnet", "vmnet", "vboxnet", "lxcbr", "lxdbr", "cni", "flannel",
    "podman", "cali", "kube",
];

/// An interface that is up: its name, and its addresses that mean something by themselves.
pub type Named = (String, Vec<IpAddr>);

/// The addresses at which others reach us, the best first: those of the local network, then those of the
/// Internet, IPv4 before IPv6. Where everything goes out from one address it is that one. The addresses of
/// this machine alone are told where there are no others.
pub fn own(bind: Option<IpAddr>, ipv6: bool) -> Vec<IpAddr> {
    told(bind, ipv6, &interface::all())
}

fn told(bind: Option<IpAddr>, ipv6: bool, interfaces: &[Named]) -> Vec<IpAddr> {
    if let Some(only) = bind.filter(|bind| !bind.is_unspecified()) {
        return vec![only];
    }
    let fits = |address: &IpAddr| match bind {
        Some(any) => any.is_ipv4() == address.is_ipv4() || (any.is_ipv6() && ipv6),
        None => address.is_ipv4() || ipv6,
    };
    let inner = |name: &str| INNER.iter().any(|start| name.starts_with(start));
    let outer = interfaces.iter().filter(|(name, _)| !inner(name));
    let all = outer.flat_map(|(_, addresses)| addresses).copied().filter(fits);
    let (mut here, mut found): (Vec<IpAddr>, Vec<IpAddr>) = all.partition(IpAddr::is_loopback);
    found.retain(|address| is_of_use(*address));
    found.sort_by_key(|address| (address.is_ipv6(), !is_local(*address)));
    let mut seen = BTreeSet::new();
    found.retain(|address| seen.insert(*address));
    found.truncate(MAX_TOLD);
    if found.is_empty() {
        here.truncate(1);
        return here;
    }
    found
}

/// Whether the address belongs to a private network: RFC 1918, 4193 and 6598.
pub fn is_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || (v4.octets()[0] == 100 && v4.octets()[1] & 0xc0 == 64),
        IpAddr::V6(v6) => is_unique_local(v6),
    }
}

/// Whether the address is in the local network or on this machine.
pub fn is_near(address: IpAddr) -> bool {
    let link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    is_local(address) || address.is_loopback() || link_local
}

fn is_unique_local(v6: Ipv6Addr) -> bool {
    v6.segments()[0] & 0xfe00 == 0xfc00
}

/// Whether anybody can connect to it from another machine by what it is alone.
fn is_of_use(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local() && !v4.is_unspecified() && !v4.is_multicast(),
        IpAddr::V6(v6) => is_unique_local(v6) || v6.segments()[0] & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_told_what_leads_to_us_the_local_network_first() {
        let of = |name: &str, addresses: &[&str]| -> Named {
            (name.to_owned(), addresses.iter().map(|address| address.parse().unwrap()).collect())
        };
        let all = [
            of("lo", &["127.0.0.1", "::1"]),
            of("docker0", &["172.17.0.1"]),
            of("eth0", &["2001:db8::7", "fd00::7", "203.0.113.40", "192.168.1.20", "169.254.3.4"]),
            of("wlan0", &["10.0.0.7", "192.168.1.20"]),
        ];
        let tell = |bind: Option<&str>, ipv6, interfaces: &[Named]| -> Vec<String> {
            let bind = bind.map(|bind| bind.parse().unwrap());
            told(bind, ipv6, interfaces).iter().map(ToString::to_string).collect()
        };
        let four = ["192.168.1.20", "10.0.0.7", "203.0.113.40"];
        assert_eq!(tell(None, true, &all), [&four[..], &["fd00::7"]].concat());
        assert_eq!(tell(None, false, &all), four);
        assert_eq!(tell(Some("0.0.0.0"), true, &all), four);
        assert_eq!(tell(Some("10.0.0.7"), true, &all), ["10.0.0.7"]);
        assert_eq!(tell(Some("127.0.0.1"), true, &all), ["127.0.0.1"]);
        assert_eq!(tell(None, true, &all[..2]), ["127.0.0.1"]);
        assert!(tell(None, true, &[]).is_empty());
        assert!(is_local("100.64.0.1".parse().unwrap()) && !is_local("100.128.0.1".parse().unwrap()));
        let near = |address: &str| is_near(address.parse().unwrap());
        assert!(
            ["127.0.0.1", "::1", "169.254.3.4", "fe80::1", "192.168.1.20", "fd00::7"].map(near) == [true; 6]
        );
        assert!(!near("203.0.113.40") && !near("2001:db8::7"));
    }
}
