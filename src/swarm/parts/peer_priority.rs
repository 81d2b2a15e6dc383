//! The priority of a connection (BEP 40, "Canonical Peer Priority"). Both ends compute the same number, and
//! no address has a high priority with all others.

use std::net::{IpAddr, SocketAddr};

use crate::hash::crc32c;

/// Returns the priority of a connection between two addresses; the higher one is kept.
pub fn peer_priority(a: SocketAddr, b: SocketAddr) -> u32 {
    let (ip_a, ip_b) = (a.ip().to_canonical(), b.ip().to_canonical());
    if ip_a == ip_b {
        let (low, high) = (a.port().min(b.port()), a.port().max(b.port()));
        return crc32c(&[low.to_be_bytes(), high.to_be_bytes()].concat());
    }
    let (bytes_a, bytes_b) = match (ip_a, ip_b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (a.octets().to_vec(), b.octets().to_vec()),
        _ => (v6(ip_a).to_vec(), v6(ip_b).to_vec()),
    };
    // The network part is kept whole: two bytes (six of IPv6), and one more for each further byte that is
    // equal.
    let network = if bytes_a.len() == 4 { 2 } else { 6 };
    let same = |n: usize| bytes_a[..n] == bytes_b[..n];
    let whole = if same(network + 1) {
        network + 2
    } else if same(network) {
        network + 1
    } else {
        network
    };
    let mask = |bytes: &[u8]| -> Vec<u8> {
        bytes.iter().enumerate().map(|(i, &byte)| if i < whole { byte } else { byte & 0x55 }).collect()
    };
    let (a, b) = (mask(&bytes_a), mask(&bytes_b));
    crc32c(&if a <= b { [a, b] } else { [b, a] }.concat())
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_priorities_published_in_bep_40_come_out() {
        let of = |a: &str, b: &str| peer_priority(a.parse().unwrap(), b.parse().unwrap());
        assert_eq!(of("123.213.32.10:1", "98.76.54.32:2"), 0xec2d_7224);
        assert_eq!(of("123.213.32.10:1", "123.213.32.234:2"), 0x9956_8189);
        assert_eq!(of("98.76.54.32:2", "123.213.32.10:1"), 0xec2d_7224);
    }

    #[test]
    fn both_ends_come_to_the_same_number() {
        let of = |a: &str, b: &str| {
            let (a, b) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(peer_priority(a, b), peer_priority(b, a));
        };
        of("10.0.0.1:1", "10.0.0.1:2");
        of("[2001:db8::1]:1", "[2001:db8::2]:2");
        of("[2001:db8::1]:1", "10.0.0.1:2");
    }
}
