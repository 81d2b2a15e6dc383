//! What an address says about who is behind it.

use std::net::{IpAddr, SocketAddr};

/// By what a peer is blamed and banned: its address on the Internet, whatever the port; on this machine
/// and the local network, where many share one, the port as well.
pub fn who(addr: SocketAddr) -> SocketAddr {
    let ip = addr.ip().to_canonical();
    SocketAddr::new(ip, if is_near(ip) { addr.port() } else { 0 })
}

/// Whether an address is on this machine or the local network.
pub fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_makes_a_difference_only_nearby() {
        let of = |text: &str| who(text.parse().unwrap());
        assert_eq!(of("8.8.8.8:1"), of("8.8.8.8:2"));
        assert_eq!(of("[::ffff:8.8.8.8]:1"), of("8.8.8.8:2"));
        assert_ne!(of("127.0.0.1:1"), of("127.0.0.1:2"));
        assert_ne!(of("[fe80::1]:1"), of("[fe80::1]:2"));
    }
}
