//! The owner of an address, as far as the address tells.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// By what a peer is blamed and banned: its address on the Internet, whatever the port; on this machine
/// and the local network, where many share one, the port as well.
pub fn owner_of(addr: SocketAddr) -> SocketAddr {
    let ip = addr.ip().to_canonical();
    SocketAddr::new(ip, if is_near(ip) { addr.port() } else { 0 })
}

/// Whether an address is on this machine or the local network.
pub fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local() || is_shared(v4),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

/// Whether an address is shared by the customers of one carrier, and those of a private network over the Internet
/// (RFC 6598): nobody elsewhere can reach it.
const fn is_shared(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    first == 100 && second & 0xc0 == 64
}

/// Whether an address is the same machine to us and to somebody at `other` who tells us of it: those of our own machine
/// and network are different ones elsewhere.
pub fn means_the_same(ip: IpAddr, other: IpAddr) -> bool {
    let (ip, other) = (ip.to_canonical(), other.to_canonical());
    match ip {
        // A link-local address says nothing without its link.
        IpAddr::V6(v6) if v6.is_unicast_link_local() => false,
        _ if ip.is_loopback() => other.is_loopback(),
        _ => !is_near(ip) || is_near(other),
    }
}

/// Whether there can be somebody, and one only, at an address.
pub fn is_one(addr: SocketAddr) -> bool {
    let ip = addr.ip().to_canonical();
    let reserved = |v4: Ipv4Addr| v4.octets()[0] == 0 || v4.octets()[0] >= 240;
    addr.port() != 0
        && !ip.is_unspecified()
        && !ip.is_multicast()
        && !matches!(ip, IpAddr::V4(v4) if reserved(v4))
}

/// The network an address is in as far as one owner can be taken to have all of it: the first three bytes
/// of IPv4, the first eight of IPv6.
pub fn network(ip: IpAddr) -> [u8; 8] {
    let mut bytes = [0; 8];
    match ip.to_canonical() {
        IpAddr::V4(v4) => bytes[..3].copy_from_slice(&v4.octets()[..3]),
        IpAddr::V6(v6) => bytes.copy_from_slice(&v6.octets()[..8]),
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_makes_a_difference_only_nearby() {
        let of = |text: &str| owner_of(text.parse().unwrap());
        assert_eq!(of("8.8.8.8:1"), of("8.8.8.8:2"));
        assert_eq!(of("[::ffff:8.8.8.8]:1"), of("8.8.8.8:2"));
        assert_ne!(of("127.0.0.1:1"), of("127.0.0.1:2"));
        assert_ne!(of("[fe80::1]:1"), of("[fe80::1]:2"));
    }

    #[test]
    fn what_is_near_is_told_by_neighbours_only() {
        let means = |one: &str, other: &str| means_the_same(one.parse().unwrap(), other.parse().unwrap());
        for far in ["8.8.8.8", "100.63.255.255", "100.128.0.1", "2001:db8::1"] {
            assert!(means(far, "9.9.9.9") && means(far, "192.168.1.1") && means(far, "::1"), "{far}");
        }
        for near in ["10.0.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "100.127.255.255", "fd00::1"] {
            assert!(
                !means(near, "8.8.8.8") && means(near, "172.16.0.1") && means(near, "127.0.0.1"),
                "{near}"
            );
        }
        assert!(!means("127.0.0.1", "192.168.1.1") && means("::ffff:127.0.0.1", "::1"));
        assert!(!means("fe80::1", "fe80::2"));
    }

    #[test]
    fn some_addresses_are_nobody_or_everybody() {
        let one = |text: &str| is_one(text.parse().unwrap());
        assert!(one("8.8.8.8:1") && one("127.0.0.1:1") && one("[2001:db8::1]:1"));
        for not in
            ["8.8.8.8:0", "0.0.0.0:1", "0.1.2.3:1", "224.0.0.251:1", "255.255.255.255:1", "250.1.1.1:1"]
        {
            assert!(!one(not), "{not}");
        }
        for not in ["[::]:1", "[ff02::1]:1", "[::ffff:239.1.1.1]:1", "[2001:db8::1]:0"] {
            assert!(!one(not), "{not}");
        }
    }

    #[test]
    fn neighbours_share_a_network() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.200"));
        assert_ne!(of("192.0.2.1"), of("192.0.3.1"));
        assert_eq!(of("2001:db8:0:1::1"), of("2001:db8:0:1:ffff::2"));
        assert_ne!(of("2001:db8:0:1::1"), of("2001:db8:0:2::1"));
    }
}
