//! The file in which a DHT node keeps its ids and its neighbours.

use torr::engine::dht::{decode_saved, encode_saved};

pub fn run(data: &[u8]) {
    let Some(saved) = decode_saved(data) else { return };
    assert!(saved.ids.len() <= 2 && saved.nodes.len() <= 400);
    assert_eq!(decode_saved(&encode_saved(&saved)), Some(saved), "what is written is read");
}
