//! The datagrams of Local Service Discovery (BEP 14).

use torr::proto::lsd::{MAX_READ, MAX_READ_LEN, MAX_WRITTEN, MAX_WRITTEN_LEN, read, write};

pub fn run(data: &[u8]) {
    let Ok(search) = read(data) else { return };
    assert!(data.len() <= MAX_READ_LEN && search.port != 0);
    assert!((1..=MAX_READ).contains(&search.torrents.len()));
    assert!(search.cookie.as_ref().is_none_or(|cookie| cookie.len() <= 64));
    let mut sorted = search.torrents.clone();
    sorted.sort_unstable();
    sorted.dedup();
    assert_eq!(sorted.len(), search.torrents.len(), "none twice");
    for group in ["239.192.152.143:6771", "[ff15::efc0:988f]:6771"] {
        let group = group.parse().expect("an address");
        let each = 1 + data.len() % MAX_WRITTEN;
        let mut back = Vec::new();
        for datagram in write(group, search.port, 7, &search.torrents, each) {
            assert!(datagram.len() <= MAX_WRITTEN_LEN);
            let again = read(&datagram).expect("what is written can be read");
            assert_eq!(again.port, search.port);
            back.extend(again.torrents);
        }
        assert_eq!(back, search.torrents);
    }
}
