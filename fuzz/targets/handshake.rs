//! The first 68 bytes of a connection.

use torr::proto::handshake::{HANDSHAKE_LEN, Handshake, Reserved};

pub fn run(data: &[u8]) {
    let Some(bytes) = data.first_chunk::<HANDSHAKE_LEN>() else { return };
    let Ok(hand) = Handshake::decode(bytes) else {
        assert_ne!(&bytes[..20], b"\x13BitTorrent protocol", "nothing else can be wrong");
        return;
    };
    assert_eq!(hand.encode(), *bytes);
    let Reserved(bits) = hand.reserved.and(Reserved::from_bytes(hand.reserved.bytes()));
    assert_eq!(bits, bytes[20..28], "a peer can do what it can do");
    let more = hand.reserved.with_fast().with_extended().with_dht();
    assert!(more.fast() && more.extended() && more.dht());
    assert_eq!(more.and(hand.reserved), hand.reserved);
}
