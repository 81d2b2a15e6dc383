//! The messages of `ut_pex` (BEP 11).

use std::net::SocketAddr;

use torr::proto::extended::pex::{MAX_TAKEN, PexMessage};

pub fn run(data: &[u8]) {
    let Ok(message) = PexMessage::decode(data) else { return };
    assert!(message.added.len() <= 2 * MAX_TAKEN && message.dropped.len() <= 2 * MAX_TAKEN);
    let added = message.added.iter().map(|(addr, _)| addr);
    for addr in added.chain(&message.dropped) {
        assert!(addr.port() != 0 && !addr.ip().is_unspecified() && !addr.ip().is_multicast());
    }
    // An IPv4 address among those of IPv6 goes to the others.
    let mut sorted = message.clone();
    sorted.added.sort_by_key(|(addr, _)| addr.is_ipv6());
    sorted.dropped.sort_by_key(SocketAddr::is_ipv6);
    let again = PexMessage::decode(&message.encode()).expect("what is written can be read");
    let short = |count: usize| count <= MAX_TAKEN;
    if short(message.added.len()) && short(message.dropped.len()) {
        assert_eq!(again, sorted);
    }
    assert_eq!(message.is_empty(), message.encode() == b"de");
}
